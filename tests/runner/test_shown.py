"""Rich outputs: what the notebook would show is what comes back."""

from __future__ import annotations

import base64

import plotly.io
import pytest


def shown(ran) -> list[dict]:
    assert ran.code == 0, ran.stderr
    return [one["data"] for one in ran.result.displays]


def test_data_frame_is_html_and_text(desk) -> None:
    """A DataFrame shows its HTML table and its text."""
    data = shown(desk.run("import pandas as pd\npd.DataFrame({'a': [1]})"))[0]
    assert "<table" in data["text/html"]
    assert data["text/plain"] == "   a\n0  1"


def test_open_figures_are_shown_at_the_end_of_the_cell(desk) -> None:
    """A matplotlib figure that the cell draws is shown as PNG without being asked to."""
    data = shown(desk.run("import matplotlib.pyplot as plt\nplt.plot([1, 2]);"))
    assert len(data) == 1
    assert base64.b64decode(data[0]["image/png"]).startswith(b"\x89PNG")
    assert data[0]["text/plain"] == "<Figure size 640x480 with 1 Axes>"


def test_show_shows_where_it_stands(desk) -> None:
    """plt.show() puts its figure between the prints around it, and once only."""
    source = "import matplotlib.pyplot as plt\nprint(1)\nplt.plot([1])\nplt.show()\nprint(2)"
    outputs = desk.run(source).result.outputs
    assert [one["output_type"] for one in outputs] == ["stream", "display_data", "stream"]


def test_figure_as_last_value_is_shown_as_the_inline_backend_does(desk) -> None:
    """An open figure that is the cell's value is its value and is shown at its end; a closed one once."""
    source = "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nfig"
    assert ["image/png" in one for one in shown(desk.run(source))] == [True, True]
    assert len(shown(desk.run(source.replace("\nfig", "\nplt.close()\nfig")))) == 1


def test_plotly_figure_is_its_json(desk, monkeypatch) -> None:
    """A plotly figure shows as the MIME type that JupyterLab draws, as value and by show()."""
    monkeypatch.setattr(plotly.io.renderers, "default", "plotly_mimetype")  # not as another test has left it
    source = "import plotly.graph_objects as go\nfig = go.Figure(go.Bar(y=[1, 2]))\nfig.show()\nfig"
    data = shown(desk.run(source))
    assert len(data) == 2
    assert all(one["application/vnd.plotly.v1+json"]["data"][0]["type"] == "bar" for one in data)


def test_ipython_display_objects(desk) -> None:
    """IPython's display, HTML, Markdown and update handles work although no shell runs."""
    source = (
        "from IPython.display import HTML, Markdown, clear_output, display\n"
        "print('gone')\nclear_output(wait=True)\ndisplay(HTML('<b>x</b>'), Markdown('*y*'))\n"
        "handle = display('old', display_id='h')\nhandle.update('new')\ndel handle"
    )
    ran = desk.run(source)
    data = shown(ran)
    assert data[0]["text/html"] == "<b>x</b>"
    assert data[1]["text/markdown"] == "*y*"
    assert data[2]["text/plain"] == "'new'"
    assert [one["output_type"] for one in ran.result.outputs] == ["display_data"] * 3


def test_own_repr_methods(desk) -> None:
    """`_repr_html_`, `_repr_png_` and `_repr_mimebundle_` of the user's classes are used."""
    source = (
        "class H:\n    def _repr_html_(self): return '<i>h</i>'\n    def _repr_png_(self): return b'png', {'width': 3}\n"
        "class B:\n    def _repr_mimebundle_(self, include=None, exclude=None): return {'text/x': 1}\n"
        "display(H(), B(), H, metadata={})"
    )
    ran = desk.run(source)
    first, second, third = shown(ran)
    assert (first["text/html"], first["image/png"]) == ("<i>h</i>", "cG5n")
    assert ran.result.displays[0]["metadata"] == {"image/png": {"width": 3}}
    assert second["text/x"] == 1
    assert set(third) == {"text/plain"}


def test_failing_repr_does_not_fail_the_cell(desk) -> None:
    """An object whose repr raises shows the error, with the cell's own lines, and the cell goes on."""
    ran = desk.run("class R:\n    def __repr__(self): raise ValueError('no')\nprint(1)\nx = 2\nR()")
    assert (ran.code, ran.result.variables["x"]) == (0, 2)
    (output,) = ran.result.displays
    assert (output["output_type"], output["ename"], output["evalue"]) == ("error", "ValueError", "no")
    assert "line 2, in __repr__" in output["traceback"][1]


@pytest.mark.parametrize(
    "source",
    [
        "{'b': 1, 'a': [1, 2, None]}",
        "set('hello')",
        "list(range(100))",
        "{'k' * 20: list(range(30)), 'x': 'y' * 50}",
        "'text'",
        "1.5",
        "len",
        "int",
        "lambda x: x",
        "[len, int]",
        "ValueError('x')",
        "(1,)",
        "frozenset({3, 1})",
        "object.__init__",
        "range(3)",
    ],
)
def test_text_is_what_ipython_shows(desk, source: str) -> None:
    """text/plain equals IPython's own pretty text."""
    from IPython.lib.pretty import pretty

    expected = pretty(eval(source, {"__name__": "__main__"}))
    assert shown(desk.run(source))[0]["text/plain"] == expected


def test_numbers_and_frames_do_not_import_ipython(desk) -> None:
    """What most cells show needs no IPython in the job."""
    source = "import pandas as pd, sys\ndisplay(pd.DataFrame({'a': [1]}), 1, 'x', [1, 2])\n'IPython' in sys.modules"
    assert desk.run(source).result.value is False


def test_tqdm_works(desk) -> None:
    """Tqdm's text bar runs to its end on standard error."""
    ran = desk.run("from tqdm.auto import tqdm\nsum(tqdm(range(5)))")
    assert ran.result.value == 10
    assert "5/5" in ran.stderr


def test_displays_that_are_no_json_do_not_lose_the_result(desk) -> None:
    """NaN, numpy's numbers, lone surrogates and objects inside a MIME bundle are made readable."""
    source = (
        "import numpy as np\nclass J:\n    def _repr_json_(self):\n"
        "        return {'nan': float('nan'), 'n': np.int64(3), 'x': np.float32(0.5), 1: ['\\udc80', object]}\nx = 1\nJ()"
    )
    ran = desk.run(source)
    assert ran.result.variables["x"] == 1
    shown_json = shown(ran)[0]["application/json"]
    assert (shown_json["nan"], shown_json["n"], shown_json["x"]) == (None, 3, 0.5)
    assert shown_json["1"] == ["?", "<class 'object'>"]


def test_an_update_of_an_earlier_cell_s_display_is_kept(desk) -> None:
    """A display id that is not the job's own is updated in the notebook, which has it."""
    ran = desk.run(
        "from IPython.display import update_display\nupdate_display('new', display_id='elsewhere')"
    )
    (output,) = ran.result.displays
    assert (output["output_type"], output["transient"]) == (
        "update_display_data",
        {"display_id": "elsewhere"},
    )


def test_a_display_handle_comes_back_as_ipythons(desk) -> None:
    """What `display(..., display_id=...)` gave in the job updates the display in a later cell."""
    from IPython.display import DisplayHandle

    handle = desk.run("handle = display(1, display_id='mine')").result.variables["handle"]
    assert isinstance(handle, DisplayHandle)
    assert handle.display_id == "mine"


def test_all_values_are_shown_where_the_notebook_shows_all(desk, monkeypatch) -> None:
    """`ast_node_interactivity` of the notebook decides which values a cell shows."""
    from nbbatch.client.packing import parcel

    for choice, expected in (("all", ["1", "2"]), ("none", []), ("last_expr_or_assign", ["2"])):
        monkeypatch.setattr(parcel, "settings_of", lambda choice=choice: {"interactivity": choice})
        source = "1\nx = 2" if choice == "last_expr_or_assign" else "1\nx = 2\nx"
        assert [one["text/plain"] for one in shown(desk.run(source))] == expected
