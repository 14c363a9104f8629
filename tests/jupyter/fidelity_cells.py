"""Everything a cell can produce, one small cell each: the table behind `docs/outputs.md`.

`test_fidelity.py` runs each cell here, as a job with IPython, and as a job in bare Python, and compares
what the executed notebooks hold. What cannot be the same says why: `job` is the reason where a job
differs in any case, `bare` where only one without IPython does; then nothing of the text may be lost
all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


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
        kind="standard output and standard error by turns",
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
            "import subprocess\nprint('before')\n"
            "done = subprocess.run(['echo', 'from a child'])\nprint('after')\ndisplay('shown')\nprint('end')"
        ),
        job=(
            "What a child writes stands where it was written, above a display of the same moment; a kernel shows"
            " it whenever it comes by. Its standard error counts as standard output."
        ),
        shows="before\nfrom a child\nafter\n",
    ),
    Row(kind="file descriptors", source="import os\nn = os.write(1, b'raw bytes\\n')"),
    Row(
        kind="progress bars that use `\\r`",
        source="for n in range(3): print(f'\\rstep {n}', end='')\nprint()",
    ),
    Row(
        kind="tqdm",
        needs="tqdm",
        source=(
            "from tqdm import tqdm\nfor _ in tqdm(range(3), bar_format='{l_bar}{n_fmt}', mininterval=0): pass"
        ),
    ),
    Row(kind="unicode", source="print('äöü 漢字 🎈 \\u2028 \\x1b[31mred\\x1b[0m')\n'né 🎈'"),
    Row(
        kind="lone surrogates, undecodable bytes",
        source="import os, sys\nprint('bad \\ud800')\nsys.stdout.flush()\nn = os.write(1, b'\\xff\\n')",
        job="They are shown as `\\ud800` and `\ufffd`; a kernel loses the whole text.",
        shows="bad \\ud800\n\ufffd",
    ),
    Row(kind="long text", source="for n in range(3000): print('line', n)"),
    Row(kind="logging", source="import logging\nlogging.warning('careful')\nlogging.info('not shown')"),
    Row(
        kind="warnings, each once and with the cell's line",
        source="import warnings\ndef careless(): warnings.warn('careless')\nfor _ in range(3): careless()",
    ),
    Row(
        kind="DeprecationWarning of the cell's own",
        source="import warnings\nwarnings.warn('old', DeprecationWarning)",
    ),
    Row(
        kind="rich's console",
        needs="rich",
        source="from rich.console import Console\nConsole().print('[bold]b[/] and more')",
        job="It is text: a log has no colours.",
        shows="b and more\n",
    ),
)

VALUES = (
    Row(kind="the last expression", source="x = 20\nx + 1"),
    Row(kind="the last expression with `;`", source="1 + 1;"),
    Row(kind="None", source="None"),
    Row(kind="several expressions", source="1\n2\n3"),
    Row(kind="an assignment", source="y = 5"),
    Row(kind="nested containers", source="{'a': [1, 2, {'b': (3,)}], 'c': set('zyx')}"),
    Row(
        kind="long containers",
        source="display(list(range(1500)))\n[{'number': n, 'square': n * n} for n in range(12)]",
    ),
    Row(
        kind="functions, classes, exceptions",
        source="def f(a, b=2): return a\nclass K: pass\ndisplay(K, K(), int, len, ValueError('v'))\nf",
    ),
    Row(
        kind="collections, dataclasses, enums, patterns",
        source=(
            "import collections as c, dataclasses, enum, re, types\n@dataclasses.dataclass\nclass P:\n    x: int = 1\n"
            "class C(enum.Enum):\n    A = 1\ndisplay(P(), C.A, c.Counter('abca'), c.OrderedDict(a=1), c.deque([1]))\n"
            "display(c.defaultdict(list, a=[1]), re.compile('a\\\\d', re.I), types.SimpleNamespace(a=1))\nC"
        ),
    ),
    Row(kind="strings with line ends", source="'one\\ntwo'"),
    Row(
        kind="a repr that raises",
        source=(
            "class Bad:\n    def __repr__(self): raise ValueError('no repr')\n"
            "class Half:\n    def __repr__(self): return 'half'\n"
            "    def _repr_html_(self): raise ValueError('no html')\ndisplay(Half())\nBad()"
        ),
    ),
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
            "        data = {'text/html': '<i>i</i>', 'application/x-own+json': {'a': 1}}\n"
            "        return data, {'text/html': {'isolated': True}}\n"
            "display(Bundle())\nBundle()"
        ),
    ),
    Row(
        kind="`_ipython_display_`",
        source="class Own:\n    def _ipython_display_(self): print('shows itself')\ndisplay(Own())\nOwn()",
    ),
    Row(
        kind="`_repr_pretty_`",
        source=(
            "class Pretty:\n    def _repr_pretty_(self, p, cycle):\n        with p.group(2, 'Pretty(', ')'):\n"
            "            for n in range(30):\n                p.pretty(n); p.text(','); p.breakable()\nPretty()"
        ),
    ),
)

DISPLAYS = (
    Row(kind="`display` of several objects", source="display(1, 'two', [3])\nfor n in range(2): display(n)"),
    Row(kind="a MIME bundle", source="display({'text/html': '<b>raw</b>', 'text/plain': 'raw'}, raw=True)"),
    Row(
        kind="display ids that are updated",
        source="h = display('before', display_id='one')\nprint('then')\nh.update('after')",
    ),
    Row(
        kind="`update_display`",
        needs="IPython",
        source=(
            "from IPython.display import display, update_display\ndisplay('a', display_id='x9')\n"
            "display('b')\nupdate_display('c', display_id='x9')"
        ),
    ),
    Row(
        kind="`clear_output()`",
        needs="IPython",
        source=(
            "from IPython.display import clear_output\nprint('gone')\ndisplay(1)\nclear_output()\nprint('stays')"
        ),
    ),
    Row(
        kind="`clear_output(wait=True)`",
        needs="IPython",
        source=(
            "from IPython.display import clear_output\nfor n in range(3):\n    clear_output(wait=True)\n"
            "    print('frame', n)"
        ),
    ),
    Row(
        kind="HTML, Markdown, LaTeX, Math, SVG, JSON, Javascript",
        needs="IPython",
        source=(
            "from IPython.display import HTML, JSON, SVG, Javascript, Latex, Markdown, Math\n"
            "display(HTML('<b>h</b>'), Markdown('*m*'), Latex('$l$'), Math('x^2'), Javascript('1'))\n"
            "display(JSON({'a': [1]}), JSON({'b': 1}, expanded=True))\n"
            "SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')"
        ),
    ),
    Row(
        kind="Image, Audio, Video, IFrame, Code",
        needs="IPython",
        source=(
            "import base64\nfrom IPython.display import Audio, Code, IFrame, Image, Pretty, Video, YouTubeVideo\n"
            f"png = base64.b64decode('{PNG}')\n"
            "display(Image(png), Image(png, width=9), Image(url='http://x/y.png'), IFrame('http://x', 3, 4))\n"
            "display(YouTubeVideo('a'), Audio(b'RIFF', rate=3), Video('http://x/y.mp4'))\n"
            "display(Code('x = 1', language='python'), Pretty('p'))\nImage(png)"
        ),
    ),
    Row(
        kind="DataFrame, Series, Styler",
        needs="pandas",
        source=(
            "import pandas as pd\ndf = pd.DataFrame({'a': range(100), 'b': 'x'})\ndisplay(df.head(2), df.a.head(2))\n"
            "display(df.head(1).style.set_uuid('u'))\ndf"
        ),
    ),
    Row(
        kind="numpy arrays",
        needs="numpy",
        source="import numpy as np\ndisplay(np.arange(3), [np.eye(2), np.eye(3)])\nnp.float64(1.5)",
    ),
    Row(
        kind="matplotlib: `plt.show()`, text around it, figures at the end of the cell",
        needs="matplotlib",
        source=(
            "import matplotlib.pyplot as plt\nprint('above')\nplt.figure(figsize=(2, 1)); plt.plot([1, 2]); plt.show()\n"
            "print('below')\nfor n in range(2): plt.figure(figsize=(1, 1)); plt.plot([n, 1])\nplt.plot([2, 1])"
        ),
    ),
    Row(
        kind="matplotlib: a figure as value, `display(fig)`, a closed one, an empty one",
        needs="matplotlib",
        source=(
            "import matplotlib.pyplot as plt\nfig, ax = plt.subplots(figsize=(2, 1))\ndisplay(fig)\nprint('below')\n"
            "closed, ax = plt.subplots(figsize=(1, 1))\nplt.close(closed)\ndisplay(closed, plt.figure())\nfig"
        ),
    ),
    Row(
        kind="plots of pandas",
        needs="pandas",
        source="import pandas as pd\npd.Series([1, 3, 2]).plot(figsize=(2, 1));",
    ),
    Row(
        kind="plotly, as value and by `fig.show()`",
        needs="plotly",
        source=(
            "import plotly.graph_objects as go\nfig = go.Figure(go.Bar(y=[1, 2]))\nfig.show()\nprint('below')\nfig"
        ),
    ),
    Row(
        kind="altair",
        needs="altair",
        source=("import altair as alt\nalt.Chart({'values': [{'a': 1}]}).mark_bar().encode(x='a:Q')"),
    ),
    Row(kind="PIL images", needs="PIL", source="from PIL import Image as PI\nPI.new('RGB', (3, 2), 'red')"),
    Row(
        kind="widgets",
        needs="ipywidgets",
        source="import ipywidgets as w\nslider = w.IntSlider(3)\ndisplay(w.HBox([slider, w.HTML('h')]))\nslider.value = 5",
        job="They show their last state and answer nobody: what they would answer to has ended.",
        shows="HBox(",
    ),
    Row(
        kind="tqdm.auto",
        needs="tqdm",
        source="from tqdm.auto import tqdm\nfor _ in tqdm(range(3)): pass",
        job="The bar is text, live in the log, not a widget.",
        shows="3/3",
    ),
)

SETTINGS = (
    Row(
        kind="pandas' options and numpy's print options",
        needs="pandas",
        before=(
            "import pandas as pd, numpy as np\npd.set_option('display.max_rows', 5)\n"
            "pd.set_option('display.precision', 2)\nnp.set_printoptions(precision=2, suppress=True, threshold=10)"
        ),
        source="print(np.linspace(0, 1, 50))\ndisplay(np.array([1/3]))\npd.DataFrame({'a': [n / 7 for n in range(30)]})",
    ),
    Row(
        kind="matplotlib's rcParams, styles, and `figure_formats`",
        needs="matplotlib",
        before=(
            "%matplotlib inline\n%config InlineBackend.figure_formats = ['svg']\nimport matplotlib.pyplot as plt\n"
            "plt.style.use('ggplot'); plt.rcParams['figure.figsize'] = (2, 1); plt.rcParams['svg.hashsalt'] = 'x'"
        ),
        source="fig, ax = plt.subplots()\nax.set_title('styled', gid='t');",
    ),
    Row(
        kind="retina figures, and `print_figure_kwargs`",
        needs="matplotlib",
        before=(
            "%config InlineBackend.figure_formats = ['retina']\n"
            "%config InlineBackend.print_figure_kwargs = {'bbox_inches': None}"
        ),
        source="plt.plot([1, 2]);",
    ),
    Row(
        kind="plotly's template",
        needs="plotly",
        before="import plotly.io as pio\npio.templates.default = 'plotly_dark'",
        source="import plotly.graph_objects as go\ngo.Figure(go.Bar(y=[1]))",
    ),
    Row(kind="`%precision`", before="%precision 3", source="display(1/3, [1/7])\n2/3"),
    Row(kind="`%pprint` off", before="%precision %r\n%pprint", source="{'a': list(range(30))}"),
    Row(
        kind="`ast_node_interactivity`",
        before="%pprint\nget_ipython().ast_node_interactivity = 'all'",
        source="1\nz = 2\nz\n'three'",
    ),
    Row(
        kind="warning filters",
        before=(
            "get_ipython().ast_node_interactivity = 'last_expr'\nimport warnings\n"
            "warnings.filterwarnings('ignore', message='.*hush.*')"
        ),
        source="import warnings\nwarnings.warn('hush now')\nprint('quiet')",
    ),
)

ERRORS = (
    Row(kind="an exception", source="x = 1\nx / 0"),
    Row(
        kind="in a function of the notebook",
        before="def divide(a):\n    b = 0\n    return a / b",
        source="print('so far')\ndivide(1)",
    ),
    Row(
        kind="`raise ... from`",
        before=(
            "def look(k): return {}[k]\ndef wrapped(k):\n    try:\n        look(k)\n    except KeyError as error:\n"
            "        raise ValueError('no k') from error"
        ),
        source="wrapped('k')",
        job=(
            "IPython marks, in a function that has gone on since, the line it has come to; a job's traceback marks"
            " the line that failed."
        ),
        shows="The above exception was the direct cause of the following exception:",
    ),
    Row(
        kind="during the handling of another",
        source="def first(): return {}['k']\ndef second(): return 1 / 0\ntry:\n    first()\nexcept KeyError:\n    second()",
        job="As above.",
        shows="During handling of the above exception, another exception occurred:",
    ),
    Row(
        kind="`raise ... from None`",
        source="try:\n    {}['k']\nexcept KeyError:\n    raise ValueError('alone') from None",
    ),
    Row(kind="with notes", source="error = ValueError('noted')\nerror.add_note('look there')\nraise error"),
    Row(
        kind="ExceptionGroup",
        source="raise ExceptionGroup('several', [ValueError('a'), TypeError('b')])",
        job="As Python prints it, and as an error: IPython writes it to standard error.",
        shows="ExceptionGroup: several (2 sub-exceptions)",
    ),
    Row(
        kind="in the standard library",
        source="import json\njson.loads('{')",
        bare="The lines are those of the image's own files.",
        shows="JSONDecodeError",
    ),
    Row(
        kind="own exception classes", before="class Odd(Exception):\n    pass", source="raise Odd('strange')"
    ),
    Row(kind="assert", source="assert 1 == 2, 'not equal'"),
    Row(kind="NameError", source="undefined_name + 1"),
    Row(kind="an exception without text", source="raise ValueError"),
    Row(
        kind="endless recursion",
        source="def deep(n): return deep(n + 1)\ndeep(0)",
        job="Repeated lines are counted, not shown a thousand times.",
        shows="Previous line repeated",
    ),
    Row(kind="KeyboardInterrupt", source="raise KeyboardInterrupt"),
    Row(
        kind="SyntaxError in the cell",
        source="x = = 1",
        job="It is told before anything is sent.",
        shows="    x = = 1\n        ^",
    ),
    Row(
        kind="SyntaxError at run time",
        source="compile('x = = 1', 'text', 'exec')",
        job="As Python prints it.",
        shows="    x = = 1\n        ^",
    ),
    Row(
        kind="SystemExit",
        source="import sys\nprint('so far')\nsys.exit(3)",
        job="It ends the job: 0 is success, anything else a failure with that exit code.",
        shows="SystemExit: 3",
    ),
    Row(
        kind="`input()`",
        source="input('name? ')",
        job="Nobody sits in front of a job: it raises EOFError, and says what to do.",
        shows="EOFError: a job cannot ask 'name?'",
    ),
)

SYNTAX = (
    Row(kind="`!command`", source="!echo hello; echo to stderr >&2"),
    Row(kind="`x = !command`", source="found = !printf 'a\\nb\\n'\nlist(found)"),
    Row(kind="`%%bash`", source="%%bash\necho from bash"),
    Row(kind="`%env`, `%cd` and `%pwd`", source="%env FIDELITY=1\n%cd /\n%pwd"),
    Row(kind="`%time` with a value", source="%time 1 + 1"),
    Row(kind="`%%time`", source="%%time\nz = 3\nz"),
    Row(kind="`%timeit`", needs="IPython", source="%timeit -n1 -r1 pass"),
    Row(
        kind="`name?`",
        needs="IPython",
        source="import json\njson.dumps?",
        job="The help is text of the cell, where a notebook opens its pager.",
        shows="Serialize ``obj`` to a JSON formatted ``str``.",
    ),
    Row(
        kind="top-level await",
        source="import asyncio\nawait asyncio.sleep(0)\nawait asyncio.sleep(0, 'slept')",
    ),
    Row(
        kind="`get_ipython()`",
        needs="IPython",
        source="get_ipython().run_line_magic('pwd', '') is not None",
    ),
    Row(kind="`%%html`", needs="IPython", source="%%html\n<b>html</b>"),
    Row(kind="`%%capture`", needs="IPython", source="%%capture captured\nprint('hidden')"),
)

GROUPS = {
    "Text": TEXT,
    "Values": VALUES,
    "Displays": DISPLAYS,
    "Settings of an earlier cell": SETTINGS,
    "Errors": ERRORS,
    "IPython syntax": SYNTAX,
}
ROWS = tuple(row for rows in GROUPS.values() for row in rows)
