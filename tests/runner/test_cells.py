"""Cells in interpreters of their own: values there and back, as if they had run here."""

from __future__ import annotations

import pytest

from nbbatch.client.packing.payloads import Cell


def test_last_value_comes_back_and_is_shown(desk) -> None:
    """The last expression is the cell's value and its execute_result."""
    ran = desk.run("1 + 1")
    assert (ran.code, ran.result.status, ran.result.value) == (0, "succeeded", 2)
    assert ran.result.outputs[0]["output_type"] == "execute_result"
    assert ran.result.outputs[0]["data"] == {"text/plain": "2"}


@pytest.mark.parametrize("source", ["x = 1", "x = 1\nx;", "x = 1\nx;  # said nothing", "None", ""])
def test_quiet_cells_show_nothing(desk, source: str) -> None:
    """A statement, None, or an expression with a semicolon behind it shows nothing."""
    assert desk.run(source).result.outputs == ()


def test_only_what_the_cell_reads_is_sent(desk) -> None:
    """Of a notebook's variables only the free names of the cell travel."""
    desk.write("a = 1\nb = 2\nunused = 'x' * 100")
    ran = desk.run("c = a + b")
    assert {sent.name for sent in ran.packed.receipt.sent} == {"a", "b"}
    assert dict(ran.result.variables) == {"c": 3}


def test_functions_share_the_notebooks_variables(desk) -> None:
    """A function reads globals that the cell assigns, and those that only it needs are sent, too."""
    desk.write("scale = 2\nbase = 1\ndef lift(x): return base + x\ndef score(x): return lift(x) * scale")
    ran = desk.run("scale = 10\ny = score(4)")
    assert ran.result.variables["y"] == 50
    assert {sent.name for sent in ran.packed.receipt.sent} == {"score", "lift", "base", "scale"}


def test_objects_of_notebook_classes_come_back_as_the_notebooks(desk) -> None:
    """An instance of a class of the notebook is one of that very class when it comes back."""
    desk.write(
        "class Model:\n    def __init__(self): self.t = 1\n    def next(self): self.t += 1; return self"
    )
    ran = desk.run("m = Model().next()")
    assert isinstance(ran.result.variables["m"], desk.namespace["Model"])
    assert ran.result.variables["m"].next().t == 3


def test_function_defined_in_the_cell_comes_back_bound_to_the_notebook(desk) -> None:
    """A function that the cell defines works in the notebook and reads its variables there."""
    ran = desk.run("factor = 3\ndef times(x): return factor * x")
    desk.namespace.update(ran.result.variables)
    desk.namespace["factor"] = 5
    assert desk.namespace["times"](2) == 10


def test_class_defined_in_the_cell_comes_back_with_its_objects(desk) -> None:
    """A class that the cell defines comes back once: its objects are instances of it."""
    ran = desk.run("class P:\n    x = 1\np = P()\nq = [P(), P()]")
    found = ran.result.variables
    assert isinstance(found["p"], found["P"])
    assert isinstance(found["q"][1], found["P"])


def test_imports_come_back_as_modules(desk) -> None:
    """A module the cell imported is imported here under its name."""
    import json

    assert desk.run("import json as j").result.variables["j"] is json


def test_modules_of_the_notebook_are_there(desk) -> None:
    """A module that the notebook imported is imported in the job under the same name."""
    desk.write("import math as m")
    assert desk.run("m.sqrt(9)").result.value == 3.0


def test_submodules_imported_elsewhere_are_there(desk) -> None:
    """A submodule that another cell imported is reached through its package, in cells and in functions."""
    desk.write("import xml.etree.ElementTree\nimport xml\ndef f(): return xml.dom.minidom.Node.ELEMENT_NODE")
    desk.write("import xml.dom.minidom")
    ran = desk.run("xml.etree.ElementTree.fromstring('<a/>').tag, f()")
    assert ran.result.value == ("a", 1), ran.stderr


def test_plain_functions_need_no_cloudpickle(desk) -> None:
    """Functions of the notebook travel both ways without cloudpickle, with defaults, attributes and all."""
    desk.write(
        "k = 1\ndef f(x: int, y=2, *, z: 'str' = 3):\n    'Doc.'\n    return x + y + z + k\nf.tag = 'T'\n"
        "fs = [lambda: f(1)]"
    )
    source = "g = fs[0]\nimport sys\n(f(1), g(), f.tag, f.__doc__, f.__annotations__, 'cloudpickle' in sys.modules)"
    ran = desk.run(source)
    assert ran.result.value == (7, 7, "T", "Doc.", {"x": int, "z": "str"}, False)
    assert ran.result.variables["g"]() == 7


def test_in_place_changes_come_back(desk) -> None:
    """A variable whose item the cell sets comes back without being assigned."""
    desk.write("d = {'a': 1}")
    assert desk.run("d['b'] = 2").result.variables["d"] == {"a": 1, "b": 2}


def test_what_cannot_travel_is_left_behind_by_name(desk) -> None:
    """An assigned lock stays in the job and is named; the rest comes back."""
    result = desk.run("import threading\nlock = threading.Lock()\nx = 1").result
    assert result.variables["x"] == 1
    assert "lock" in result.left_behind["lock"]


def test_asked_for_and_unable_to_travel_is_an_error(desk) -> None:
    """`--out` with a value that does not pickle fails the job with its name."""
    ran = desk.run(Cell(source="g = (x for x in range(3))", outputs=["g"]))
    assert ran.code == 1
    assert ran.result.error is not None
    assert ran.result.error.type == "UnpicklableError"
    assert "g cannot come back" in ran.result.error.message


def test_top_level_await(desk) -> None:
    """A cell may await, in statements and in its last expression."""
    source = "import asyncio\nawait asyncio.sleep(0)\nx = 2\nawait asyncio.sleep(0, result=x + 1)"
    ran = desk.run(source)
    assert (ran.result.value, ran.result.variables["x"]) == (3, 2)


def test_future_import_holds_for_the_last_expression(desk) -> None:
    """`from __future__ import annotations` compiles with the rest of the cell."""
    ran = desk.run("from __future__ import annotations\ndef f(x: nowhere): return x\nf(1)")
    assert ran.result.value == 1


def test_ipython_syntax(desk) -> None:
    """Shell lines, line magics and captured commands work, with the cell's variables in them."""
    desk.write("word = 'hey'")
    ran = desk.run("!echo {word} $word\nlines = !echo a; echo b\n%time y = 1 + 1\nlist(lines), y")
    assert ran.code == 0, ran.stderr
    assert ran.result.value == (["a", "b"], 2)
    assert "hey hey" in ran.stdout
    assert "Wall time" in ran.stdout


def test_ipython_syntax_without_ipython(desk) -> None:
    """The same cells work in an image without IPython, and any other magic says what it needs."""
    desk.write("word = 'hey'")
    hide = "import sys; sys.modules['IPython.core.interactiveshell'] = None\n"
    packed = desk.pack(desk.cell("!echo {word}\nlines = !echo a; echo b\n%time y = 1 + 1\nlines, y"))
    sitecustomize = desk.scratch / "sitecustomize.py"
    sitecustomize.write_text(hide)
    ran = desk.run_packed(packed, variables={"PYTHONPATH": str(desk.scratch)})
    assert ran.result.value == (["a", "b"], 2)
    assert "hey\n" in ran.stdout
    other = desk.run_packed(
        desk.pack(desk.cell("%load_ext autoreload")), variables={"PYTHONPATH": str(desk.scratch)}
    )
    assert "needs IPython" in other.result.error.message


def test_print_then_display_then_print_keep_their_order(desk) -> None:
    """Streams and displays are recorded in the order in which they happened."""
    source = "import sys\nprint('a')\ndisplay(1)\nprint('b', file=sys.stderr)\nprint('c')\n2"
    ran = desk.run(source)
    kinds = [(one["output_type"], one.get("text", one.get("data"))) for one in ran.result.outputs]
    assert kinds == [
        ("stream", "a\n"),
        ("display_data", {"text/plain": "1"}),
        ("stream", "b\n"),
        ("stream", "c\n"),
        ("execute_result", {"text/plain": "2"}),
    ]
    assert ran.result.has_interleaved_displays
    assert (ran.stdout, ran.stderr) == ("a\nc\n", "b\n")


def test_streams_reach_the_log_in_order_with_those_of_subprocesses(desk) -> None:
    """Python's text, a started line included, and a child's own output stand in order in one log."""
    source = (
        "import subprocess, sys\nprint('one')\nsubprocess.run(['echo', 'two'])\n"
        "print('three', end='')\nprint('four', file=sys.stderr)\nsys.stdout.flush()"
    )
    packed = desk.pack(desk.cell(source))
    import subprocess

    log = subprocess.run(
        packed.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True
    )
    assert log.stdout == "one\ntwo\nthreefour\n"


def test_endless_text_is_recorded_up_to_a_limit(desk) -> None:
    """A cell that prints megabytes has all of it in the log and a part in its outputs."""
    ran = desk.run("for _ in range(30_000): print('x' * 99)")
    assert len(ran.stdout) == 3_000_000
    assert len(ran.result.outputs[0]["text"]) < 1_100_000
    assert ran.result.outputs[0]["text"].endswith("the rest is in the log]\n")


def test_result_says_what_was_used(desk) -> None:
    """CPU seconds and peak memory are the job's, child processes included."""
    source = "import subprocess, sys\nx = bytearray(80_000_000)\nsubprocess.run([sys.executable, '-c', 'sum(range(10**7))'])\ndel x"
    usage = desk.run(source).result.usage
    assert usage.peak_memory > 80_000_000
    assert 0.1 < usage.cpu_seconds < 60
    assert usage.seconds > 0.1


def test_threads_left_behind_do_not_hold_the_job(desk) -> None:
    """The job ends with its cell, as the notebook's prompt comes back."""
    ran = desk.run("import threading\nthreading.Thread(target=threading.Event().wait).start()\n1")
    assert ran.result.value == 1


def test_main_is_the_notebook(desk) -> None:
    """Code that looks into `__main__` finds the cell's variables there."""
    assert desk.run("x = 5\nimport __main__\n__main__.x, __name__").result.value == (5, "__main__")


def test_last_value_that_is_a_variable_is_stored_once(desk) -> None:
    """A variable that is also the last value travels back once, as one object."""
    result = desk.run("x = list(range(5))\nx").result
    assert result.value is result.variables["x"]
