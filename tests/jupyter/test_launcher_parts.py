"""The launcher's parts: its text without widgets, its page, the newest question, presets in files."""

from __future__ import annotations

import threading
import tomllib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nbbatch
from nbbatch.client.preset_files import write_preset
from nbbatch.errors import ConfigurationError, OptionError
from nbbatch.jupyter.launcher.asking import Latest
from nbbatch.jupyter.launcher.facts import count_of
from nbbatch.jupyter.launcher.page import Page, PageConsole

VIEW = "application/vnd.jupyter.widget-view+json"
SECONDS = 60


def test_without_widgets_the_line_and_what_holds_are_told_as_text(batch_shell, capsys):
    """In plain IPython: line, fields with their origin, and how to change them; the line is the next input."""
    nbbatch.launch(queue="gpu", gpus=1)
    told = capsys.readouterr().out
    assert "%%batch --queue gpu --gpus 1" in told
    assert [line.split() for line in told.splitlines() if "memory" in line] == [
        ["memory", "2", "GB", "default"]
    ]
    assert ["queue", "gpu", "the", "line"] in [line.split() for line in told.splitlines()]
    assert "nbbatch.launch(queue=" in told
    assert batch_shell.rl_next_input.startswith("%%batch --queue gpu --gpus 1\n")


def test_the_magic_takes_a_cell_s_options(batch_shell, capsys):
    """`%batch launch` begins with what its line says, and refuses what a cell would refuse."""
    batch_shell.run_line_magic("batch", 'launch --vcpus 4 --env A="x y"')
    assert '%%batch --vcpus 4 --env "A=x y"' in capsys.readouterr().out
    with pytest.raises(OptionError, match="no option --vcpu"):
        batch_shell.run_line_magic("batch", "launch --vcpu 4")


def test_a_notebook_run_by_nobody_has_text_and_no_widget(execute):
    """nbclient, papermill, CI: no widget is saved that nobody could ever see."""
    notebook = execute("%batch launch --queue gpu", stops=True)
    assert "widgets" not in notebook.metadata
    assert [output["output_type"] for output in notebook.cells[0].outputs] == ["stream"]
    assert "%%batch --queue gpu" in notebook.cells[0].outputs[0]["text"]


def test_a_saved_form_keeps_its_text(execute):
    """With a front end the output after the form's holds the same as text and HTML, also without a kernel."""
    notebook = execute("import nbbatch\nnbbatch.launch(vcpus=2)", stops=True, NBBATCH_DISPLAY="1")
    form, still = notebook.cells[0].outputs
    assert VIEW in form["data"]
    assert "text/html" not in form["data"]
    assert "%%batch --vcpus 2" in still["data"]["text/plain"]
    assert "nbb-launcher-static" in still["data"]["text/html"]


def test_a_page_keeps_outputs_in_order_and_updates_in_place(batch_shell):
    """Text of a stream is one output, a display with an id is changed where it stands."""
    page = Page(batch_shell)
    page.write("a\n")
    page.write("b\n")
    page.publish({"text/plain": "1"}, transient={"display_id": "x"})
    page.streams.stderr.write("c")
    page.publish({"text/plain": "2"}, transient={"display_id": "x"}, update=True)
    page.displayhook(3)
    kinds = [(one["output_type"], one.get("text") or one["data"]["text/plain"]) for one in page.outputs]
    assert kinds == [("stream", "a\nb\n"), ("display_data", "2"), ("stream", "c"), ("execute_result", "3")]
    page.clear_output()
    assert page.outputs == ()


def test_a_story_is_told_without_markup_of_its_own(batch_shell):
    """What a job is called cannot become HTML; a status is replaced, a line stays."""
    told: list[str] = []
    console = PageConsole(Page(batch_shell), told.append)
    console.line("<b>")
    console.status("RUNNING", None)
    console.status("SUCCEEDED", None)
    assert told[-1] == "nbbatch › &lt;b&gt;\nnbbatch › SUCCEEDED"


def test_only_the_newest_question_is_answered():
    """Earlier ones are dropped, whether they were asked or not."""
    first_begun, go_on = threading.Event(), threading.Event()
    taken: list[tuple[int, int]] = []

    def answer(question: int) -> int:
        if question == 1:
            first_begun.set()
            go_on.wait(SECONDS)
        return question * 10

    latest = Latest(answer, lambda question, told: taken.append((question, told)), quiet=0)
    latest.ask(1)
    assert first_begun.wait(SECONDS)
    latest.ask(2)
    assert latest.wait(SECONDS)
    go_on.set()
    assert taken == [(2, 20)]
    latest.close()
    assert latest.wait(0)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("range(20)", 20),
        ("range(2, 20, 3)", 6),
        ("[1, 2]", 2),
        ("rows", 3),
        ("grid", 4),
        ("make()", None),
        ("rows + rows", None),
        ("range(n)", None),
        ("", None),
    ],
)
def test_items_are_counted_without_running_anything(text, count):
    """Only what is written out or held by a variable can be counted."""
    namespace = {"rows": [1, 2, 3], "grid": {"a": [1, 2], "b": [3, 4]}}
    assert count_of(text, namespace) == count


VALUES = st.dictionaries(
    st.sampled_from(["queue", "image", "share"]),
    st.text(st.characters(exclude_categories=("Cs",))),
    min_size=1,
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(values=VALUES, more=VALUES)
def test_a_preset_that_was_written_is_read_back(tmp_path_factory, values, more):
    """Whatever its texts are; another one and the rest of the file stay."""
    path = tmp_path_factory.mktemp("presets") / "nbbatch.toml"
    path.write_text('memory = "1G" # ours\n')
    write_preset(path, "one", values)
    write_preset(path, "two", {**more, "env": values})
    write_preset(path, "one", more, replace=True)
    found = tomllib.loads(path.read_text())
    assert found == {"memory": "1G", "presets": {"one": more, "two": {**more, "env": values}}}
    assert "# ours" in path.read_text()


def test_a_preset_is_never_replaced_unasked(tmp_path):
    """And a file that is written in another way, or broken, is left alone."""
    path = tmp_path / "nbbatch.toml"
    write_preset(path, "gpu", {"gpus": 1})
    before = path.read_text()
    with pytest.raises(OptionError, match="already"):
        write_preset(path, "gpu", {"gpus": 2})
    assert path.read_text() == before
    path.write_text("presets = { gpu = { gpus = 1 } }\n")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_preset(path, "cpu", {"vcpus": 1})
    path.write_text("= 3")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        write_preset(path, "cpu", {"vcpus": 1})
    assert path.read_text() == "= 3"
