"""Everything a cell can produce, one small cell each: the table behind `docs/outputs.md`.

`test_fidelity.py` runs each cell here, as a job with IPython, and as a job in bare Python, and compares
what the executed notebooks hold. What cannot be the same says why: `job` is the reason where a job
differs in any case, `bare` where only one without IPython does; then nothing of the text may be lost
all the same.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of output.

    Parameters
    ----------
    kind : str
        What the documentation calls it.
    source : str
        The cell.
    before : str
        A cell of the notebook that runs here in any case.
    needs : str
        The package that the image must have for it, as anything that imports it must.
    job, bare : str
        Why a job, or one in bare Python, does not show the same; empty: it does.
    shows : str
        What the job's cell holds all the same, where it differs.
    """

    kind: str
    source: str
    before: str = ""
    needs: str = ""
    job: str = ""
    bare: str = ""
    shows: str = ""


TEXT = (
    Row(kind="print", source="print('one'); print('two', end=''); print(); print('a', 'b', sep='\\t')"),
    Row(kind="text without an end of line", source="print('no end', end='')"),
    Row(
        kind="standard output and error by turns",
        source=(
            "import sys\nprint('out 1')\nprint('err 1', file=sys.stderr)\nprint('out 2')\n"
            "print('err 2', file=sys.stderr)"
        ),
    ),
    Row(
        kind="text and displays by turns",
        source="print('a')\ndisplay('first')\nprint('b')\ndisplay('second')\nprint('c')\n'last'",
    ),
    Row(
        kind="child processes",
        source=(
            "import subprocess, sys\nprint('before')\nsys.stdout.flush()\n"
            "done = subprocess.run(['echo', 'from a child'])\nprint('after')"
        ),
    ),
    Row(
        kind="file descriptors",
        source="import os, sys\nprint('before')\nsys.stdout.flush()\nn = os.write(1, b'raw bytes\\n')",
    ),
    Row(kind="progress bars that use \\r", source="for n in range(3): print(f'\\rstep {n}', end='')\nprint()"),
    Row(
        kind="tqdm",
        needs="tqdm",
        source="import sys\nfrom tqdm import tqdm\nfor _ in tqdm(range(3), bar_format='{l_bar}{n_fmt}', file=sys.stdout): pass",
    ),
    Row(kind="unicode", source="print('äöü 漢字 🎈 \\u2028 \\x1b[31mred\\x1b[0m')\n'né 🎈'"),
    Row(kind="lone surrogates", source="print('bad \\ud800 text'.encode('utf8', 'backslashreplace').decode())"),
    Row(kind="long text", source="for n in range(3000): print('line', n)"),
    Row(kind="logging", source="import logging\nlogging.warning('careful')\nlogging.info('not shown')"),
    Row(
        kind="warnings, each once and with the cell's line",
        source="import warnings\ndef careless(): warnings.warn('careless')\nfor _ in range(3): careless()",
    ),
    Row(kind="DeprecationWarning of the cell's own", source="import warnings\nwarnings.warn('old', DeprecationWarning)"),
    Row(
        kind="rich's console",
        needs="rich",
        source="from rich.table import Table\nfrom rich.console import Console\nt = Table('a'); t.add_row('1')\nConsole().print(t, '[bold]b[/]')",
    ),
    Row(kind="pprint", source="import pprint\npprint.pprint({'a': list(range(40))})"),
)

VALUES = (
    Row(kind="the last expression", source="x = 20\nx + 1"),
    Row(kind="the last expression with `;`", source="1 + 1;"),
    Row(kind="None", source="None"),
    Row(kind="several expressions", source="1\n2\n3"),
    Row(kind="assignment only", source="y = 5"),
    Row(kind="nested containers", source="{'a': [1, 2, {'b': (3,)}], 'c': set('zyx')}"),
    Row(kind="long containers", source="[{'number': n, 'square': n * n} for n in range(12)]", bare="pretty"),
    Row(kind="very long lists", source="list(range(1500))", bare="pretty"),
    Row(kind="functions and classes", source="def f(a, b=2): return a\nclass K: pass\ndisplay(K, int, len)\nf", bare="pretty"),
    Row(kind="an exception as a value", source="ValueError('as a value')"),
    Row(kind="strings with line ends", source="'one\\ntwo'"),
    Row(kind="counters and ordered dicts", source="from collections import Counter, OrderedDict, defaultdict, deque\ndisplay(Counter('abca'), OrderedDict(a=1), defaultdict(list, a=[1]), deque([1]))", bare="pretty"),
    Row(kind="dataclasses and enums", source="from dataclasses import dataclass\nimport enum\n@dataclass\nclass P:\n    x: int = 1\nclass C(enum.Enum):\n    A = 1\ndisplay(P(), C.A)\nC"),
    Row(kind="a repr that raises", source="class Bad:\n    def __repr__(self): raise ValueError('no repr')\nBad()"),
    Row(kind="a `_repr_html_` that raises", source="class Bad2:\n    def __repr__(self): return 'bad2'\n    def _repr_html_(self): raise ValueError('no html')\nBad2()"),
    Row(
        kind="objects with `_repr_*_` methods",
        source=(
            "class Rich:\n    def __repr__(self): return 'rich'\n    def _repr_html_(self): return '<b>x</b>'\n"
            "    def _repr_markdown_(self): return '**x**'\n    def _repr_latex_(self): return '$x$'\n"
            "    def _repr_svg_(self): return '<svg/>'\n    def _repr_json_(self): return {'x': 1}\n"
            "    def _repr_javascript_(self): return '1'\n    def _repr_png_(self): return b'\\x89PNG'\n"
            "    def _repr_jpeg_(self): return b'\\xff\\xd8'\n    def _repr_pdf_(self): return b'%PDF'\nRich()"
        ),
    ),
    Row(
        kind="`_repr_mimebundle_`",
        source=(
            "class Bundle:\n    def __repr__(self): return 'bundle'\n"
            "    def _repr_mimebundle_(self, include=None, exclude=None):\n"
            "        return {'text/html': '<i>i</i>', 'application/x-own+json': {'a': 1}}, {'text/html': {'isolated': True}}\n"
            "display(Bundle())\nBundle()"
        ),
    ),
    Row(
        kind="`_ipython_display_`",
        source="class Own:\n    def _ipython_display_(self): print('shows itself')\ndisplay(Own())\nOwn()",
    ),
    Row(kind="`_repr_pretty_`", source="class Pretty:\n    def _repr_pretty_(self, p, cycle): p.text('pretty!')\nPretty()", bare="pretty"),
)

DISPLAYS = (
    Row(kind="`display`, several objects", source="display(1, 'two', [3])"),
    Row(kind="`display` in a loop", source="for n in range(3): display(n)"),
    Row(kind="a MIME bundle", source="display({'text/html': '<b>raw</b>', 'text/plain': 'raw'}, raw=True)"),
    Row(kind="display ids that are updated", source="h = display('before', display_id='one')\nprint('then')\nh.update('after')"),
    Row(kind="`update_display`", needs="IPython", source="from IPython.display import display, update_display\ndisplay('a', display_id='x9')\ndisplay('b')\nupdate_display('c', display_id='x9')"),
    Row(kind="`clear_output()`", needs="IPython", source="from IPython.display import clear_output\nprint('gone')\ndisplay(1)\nclear_output()\nprint('stays')"),
    Row(kind="`clear_output(wait=True)`", needs="IPython", source="from IPython.display import clear_output\nfor n in range(3):\n    clear_output(wait=True)\n    print('frame', n)"),
    Row(
        kind="HTML, Markdown, LaTeX, Math, SVG, JSON, Javascript",
        needs="IPython",
        source=(
            "from IPython.display import HTML, JSON, SVG, Javascript, Latex, Markdown, Math\n"
            "display(HTML('<b>h</b>'), Markdown('*m*'), Latex('$l$'), Math('x^2'), Javascript('1'))\n"
            "display(JSON({'a': [1]}), JSON({'b': 1}, expanded=True))\nSVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')"
        ),
    ),
    Row(
        kind="Image, Audio, Video, IFrame, FileLink",
        needs="IPython",
        source=(
            "import base64\nfrom IPython.display import Audio, IFrame, Image, Video, YouTubeVideo, Code, FileLink, GeoJSON, ProgressBar, Pretty\n"
            "png = base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==')\n"
            "display(Image(png), Image(png, width=9), Image(url='http://x/y.png'), IFrame('http://x', 3, 4), YouTubeVideo('a'))\n"
            "display(Audio(b'RIFF', rate=3), Video('http://x/y.mp4'), Code('x = 1', language='python'), Pretty('p'))\nImage(png)"
        ),
    ),
    Row(kind="DataFrame and Series", needs="pandas", source="import pandas as pd\ndf = pd.DataFrame({'a': range(100), 'b': 'x'})\ndisplay(df.head(2), df.a.head(2))\ndf"),
    Row(kind="Styler", needs="pandas", source="import pandas as pd\npd.DataFrame({'a': [1]}).style.set_uuid('u').format('{:.1f}')"),
    Row(kind="matplotlib, at the end of the cell", needs="matplotlib", source="import matplotlib.pyplot as plt\nplt.plot([1, 2])"),
    Row(kind="matplotlib, `plt.show()` and text around it", needs="matplotlib", source="import matplotlib.pyplot as plt\nprint('above')\nplt.plot([1, 2]); plt.show()\nprint('below')\nplt.plot([2, 1]); plt.show()"),
    Row(kind="matplotlib, several figures", needs="matplotlib", source="import matplotlib.pyplot as plt\nfor n in range(2):\n    plt.figure(figsize=(2, 1)); plt.plot([n, 1])"),
    Row(kind="matplotlib, a figure as last value", needs="matplotlib", source="import matplotlib.pyplot as plt\nfig, ax = plt.subplots(figsize=(2, 1))\nax.plot([1, 3])\nfig"),
    Row(kind="matplotlib, a closed figure as last value", needs="matplotlib", source="import matplotlib.pyplot as plt\nfig, ax = plt.subplots(figsize=(2, 1))\nplt.close(fig)\nfig"),
    Row(kind="matplotlib, `display(fig)`", needs="matplotlib", source="import matplotlib.pyplot as plt\nfig, ax = plt.subplots(figsize=(2, 1))\ndisplay(fig)\nprint('below')"),
    Row(kind="pandas plots", needs="matplotlib", source="import pandas as pd\npd.Series([1, 3, 2]).plot(figsize=(2, 1));"),
    Row(kind="plotly", needs="plotly", source="import plotly.graph_objects as go\ngo.Figure(go.Bar(y=[1, 2]))"),
    Row(kind="plotly, `fig.show()`", needs="plotly", source="import plotly.graph_objects as go\nfig = go.Figure(go.Bar(y=[1, 2]))\nfig.show()\nprint('below')"),
    Row(kind="altair", needs="altair", source="import altair as alt\nalt.Chart({'values': [{'a': 1}]}).mark_bar().encode(x='a:Q')"),
    Row(kind="sympy", needs="sympy", source="import sympy\nx = sympy.Symbol('x')\nx**2 / 3"),
    Row(kind="PIL images", needs="PIL", source="from PIL import Image as PI\nPI.new('RGB', (3, 2), 'red')"),
    Row(kind="numpy arrays", needs="numpy", source="import numpy as np\ndisplay(np.arange(3), np.eye(2))\nnp.float64(1.5)"),
    Row(kind="rich's own display", needs="rich", source="from rich.table import Table\nt = Table('a'); t.add_row('1')\nt"),
    Row(kind="tqdm.auto", needs="tqdm", source="from tqdm.auto import tqdm\nfor _ in tqdm(range(3)): pass", job="widget"),
    Row(kind="widgets", needs="ipywidgets", source="import ipywidgets\nipywidgets.IntSlider(3)"),
)

SETTINGS = (
    Row(kind="pandas options", needs="pandas", before="import pandas as pd\npd.set_option('display.max_rows', 5); pd.set_option('display.precision', 2)", source="pd.DataFrame({'a': [n / 7 for n in range(30)]})"),
    Row(kind="numpy print options", needs="numpy", before="import numpy as np\nnp.set_printoptions(precision=2, suppress=True, threshold=10)", source="print(np.linspace(0, 1, 50))\nnp.array([1/3])"),
    Row(kind="matplotlib rcParams and styles", needs="matplotlib", before="import matplotlib.pyplot as plt\nplt.style.use('ggplot'); plt.rcParams['figure.figsize'] = (2, 1)", source="plt.plot([1, 2]);"),
    Row(kind="`%config InlineBackend.figure_formats`", needs="matplotlib", before="%matplotlib inline\n%config InlineBackend.figure_formats = ['svg']\nimport matplotlib.pyplot as plt\nplt.rcParams['svg.hashsalt'] = 'x'", source="import matplotlib.pyplot as plt\nplt.plot([1, 2]);"),
    Row(kind="retina figures", needs="matplotlib", before="%config InlineBackend.figure_formats = ['retina']", source="import matplotlib.pyplot as plt\nplt.plot([1, 2]);"),
    Row(kind="`bbox_inches` and other print options", needs="matplotlib", before="%config InlineBackend.figure_formats = ['png']\n%config InlineBackend.print_figure_kwargs = {'bbox_inches': None}", source="import matplotlib.pyplot as plt\nplt.plot([1, 2]);"),
    Row(kind="`%precision`", before="%precision 3", source="display(1/3, [1/7])\n2/3"),
    Row(kind="`%pprint` off", before="%precision %r\n%pprint", source="{'a': list(range(30))}"),
    Row(kind="`ast_node_interactivity`", before="%pprint\nget_ipython().ast_node_interactivity = 'all'", source="1\n2\n'three'"),
    Row(kind="warning filters", before="get_ipython().ast_node_interactivity = 'last_expr'\nimport warnings\nwarnings.filterwarnings('ignore', message='.*hush.*')", source="import warnings\nwarnings.warn('hush now')\nprint('quiet')"),
    Row(kind="plotly's template", needs="plotly", before="import plotly.io as pio\npio.templates.default = 'plotly_dark'", source="import plotly.graph_objects as go\ngo.Figure(go.Bar(y=[1]))"),
)

ERRORS = (
    Row(kind="an exception", source="x = 1\nx / 0"),
    Row(kind="in a function of the notebook", before="def divide(a):\n    b = 0\n    return a / b", source="print('so far')\ndivide(1)"),
    Row(kind="`raise ... from`", source="try:\n    {}['k']\nexcept KeyError as error:\n    raise ValueError('no k') from error"),
    Row(kind="during handling of another", source="try:\n    {}['k']\nexcept KeyError:\n    1 / 0"),
    Row(kind="`raise ... from None`", source="try:\n    {}['k']\nexcept KeyError:\n    raise ValueError('alone') from None"),
    Row(kind="with notes", source="error = ValueError('noted')\nerror.add_note('look there')\nraise error"),
    Row(kind="ExceptionGroup", source="raise ExceptionGroup('several', [ValueError('a'), TypeError('b')])"),
    Row(kind="of the standard library", source="import json\njson.loads('{')"),
    Row(kind="own exception classes", before="class Odd(Exception):\n    pass", source="raise Odd('strange')"),
    Row(kind="assert", source="assert 1 == 2, 'not equal'"),
    Row(kind="NameError", source="undefined_name + 1"),
    Row(kind="an exception without text", source="raise ValueError"),
    Row(kind="recursion", source="def deep(n): return deep(n + 1)\ndeep(0)"),
    Row(kind="KeyboardInterrupt", source="raise KeyboardInterrupt"),
    Row(kind="SyntaxError in the cell", source="x = = 1"),
    Row(kind="SyntaxError at run time", source="compile('x = = 1', 'text', 'exec')"),
    Row(kind="SystemExit", source="import sys\nprint('so far')\nsys.exit(3)"),
    Row(kind="`input()`", source="input('name? ')"),
    Row(kind="a printed traceback", source="import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    traceback.print_exc(limit=0)\nprint('goes on')"),
)

SYNTAX = (
    Row(kind="`!command`", source="!echo hello; echo to stderr >&2"),
    Row(kind="`x = !command`", source="found = !printf 'a\\nb\\n'\nfound"),
    Row(kind="`%%bash`", source="%%bash\necho from bash"),
    Row(kind="`%env`, `%cd` and `%pwd`", source="%env FIDELITY=1\n%cd /\n%pwd"),
    Row(kind="`%time` with a value", source="%time 1 + 1"),
    Row(kind="`%%time`", source="%%time\nz = 3\nz"),
    Row(kind="`%timeit`", source="%timeit -n1 -r1 pass"),
    Row(kind="`name?`", source="import json\njson.dumps?"),
    Row(kind="top-level await", source="import asyncio\nawait asyncio.sleep(0)\nawait asyncio.sleep(0, 'slept')"),
    Row(kind="`%matplotlib inline`", source="%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1]);"),
    Row(kind="`get_ipython()`", source="get_ipython().run_line_magic('pwd', '') is not None"),
    Row(kind="`%%html`", source="%%html\n<b>html</b>"),
    Row(kind="`%%capture`", source="%%capture captured\nprint('hidden')"),
    Row(kind="`%who`", source="%who_ls int"),
)

ROWS = (*TEXT, *VALUES, *DISPLAYS, *SETTINGS, *ERRORS, *SYNTAX)
