"""The launcher as widgets, driven through their own values and clicks, against a real daemon."""

from __future__ import annotations

import re
import threading

import ipywidgets
import pytest

from nbbatch.client import session
from nbbatch.client.config import load_config
from nbbatch.jupyter.launcher.form import Form, Kind, form_of
from nbbatch.jupyter.launcher.view import Launcher

SECONDS = 60


@pytest.fixture
def launched(batch_shell, tmp_path, monkeypatch):
    """Make a launcher in an empty folder, and wait until it knows its backend; no question outlives the test."""
    monkeypatch.chdir(tmp_path)
    made: list[Launcher] = []

    def make(**given) -> Launcher:
        made.append(Launcher(batch_shell, form_of(given)))
        assert made[-1].wait(SECONDS)
        return made[-1]

    yield make
    for launcher in made:
        assert launcher.wait(SECONDS)


def note_of(launcher: Launcher, name: str) -> str:
    return launcher.controls[name]._note.value


def set_field(launcher: Launcher, name: str, text: str) -> None:
    launcher.controls[name].input.value = text


def run_of(launcher: Launcher):
    launcher.run.click()
    view = launcher.run_views[0]
    assert view.wait(SECONDS), view.story
    return view


def text_of(view) -> str:
    return str(view.page.outputs)


def test_a_form_shows_what_holds_and_where_it_comes_from(launched):
    """Empty fields stand for the settings in force; the line is empty of options."""
    launcher = launched()
    assert launcher.controls["memory"].input.placeholder == "2 GB"
    assert note_of(launcher, "memory") == "default"
    assert launcher.controls["queue"].input.placeholder == "default"
    assert launcher.draft.line == "%%batch"
    assert not launcher.run.disabled


def test_a_form_shows_what_the_queue_gives_and_costs(launched):
    """Largest host, depth, prices; and no cost of a run whose length nobody knows."""
    launcher = launched()
    assert re.search(r"queue default: largest host \d+ vCPU, .* 0 running, 0 waiting", launcher.facts.value)
    assert re.search(r"cost on demand: \$[\d.]+/h ← this queue\ncost spot: \$[\d.]+/h", launcher.facts.value)
    assert "nobody knows how long it takes" in launcher.facts.value
    assert "no upper limit" in launcher.facts.value
    assert {"default", "spot", "gpu"} <= set(launcher.controls["queue"].input.options)
    set_field(launcher, "timeout", "1h")
    set_field(launcher, "retries", "2")
    assert launcher.wait(SECONDS)
    assert "worst case: timeout of 1 h x 3 attempts" in launcher.facts.value


def test_a_changed_field_is_in_the_line_at_once(launched):
    """No answer of a backend is waited for."""
    launcher = launched(memory="2G", vcpus=1)
    assert launcher.draft.line == "%%batch"
    set_field(launcher, "memory", "4G")
    assert launcher.draft.line == "%%batch --memory 4G"
    assert "%%batch --memory 4G" in launcher.line.value
    assert launcher.handover.source.startswith("%%batch --memory 4G")
    assert note_of(launcher, "memory") == "else 2 GB (default)"


def test_who_types_while_an_answer_comes_waits_for_nobody(launched):
    """Neither for who brings it: the form has one lock for both."""
    launcher, came = launched(), threading.Event()
    answer = launcher._asking._answer

    def answer_and_tell(draft):
        try:
            return answer(draft)
        finally:
            came.set()

    def type_twice():
        with launcher._lock:  # as any callback of a field has it
            set_field(launcher, "memory", "3G")
            assert came.wait(SECONDS)
            set_field(launcher, "memory", "4G")

    launcher._asking._answer = answer_and_tell
    typist = threading.Thread(target=type_twice, daemon=True)
    typist.start()
    typist.join(SECONDS)
    assert not typist.is_alive()
    assert launcher.wait(SECONDS)
    assert launcher.draft.line == "%%batch --memory 4G"


def test_a_mistake_is_told_at_its_field_and_nothing_can_be_run(launched):
    """The reader's own words stand below the field, the reason beside the buttons."""
    launcher = launched()
    set_field(launcher, "memory", "lots")
    assert "not an amount" in note_of(launcher, "memory")
    assert "alert" in note_of(launcher, "memory")
    assert launcher.run.disabled
    assert "memory" in launcher.reason.value
    assert launcher.handover.reason
    set_field(launcher, "memory", "")
    assert not launcher.run.disabled
    assert note_of(launcher, "memory") == "default"


def test_what_no_host_can_give_is_refused_before_it_is_sent(launched):
    """The daemon's own rules tell it, with what there is."""
    launcher = launched(memory="900000G")
    assert "largest host" in note_of(launcher, "memory")
    assert launcher.run.disabled
    set_field(launcher, "memory", "")
    set_field(launcher, "queue", "defualt")
    assert launcher.wait(SECONDS)
    assert "Did you mean default?" in note_of(launcher, "queue")


def test_a_backend_that_does_not_answer_is_told_and_blocks_nothing(launched, tmp_path):
    """Its words stand in the form; the fields go on working."""
    (tmp_path / "nbbatch.toml").write_text(
        '[backends.far]\nkind = "aws"\nregion = "us-east-1"\nqueue = "q"\nimage = "i"\nstore = "s3://b/p"\n'
        'endpoint_url = "http://127.0.0.1:9"\n'
    )
    launcher = launched()
    assert "far" in launcher.controls["backend"].input.options
    set_field(launcher, "backend", "far")
    assert launcher.wait(SECONDS)
    assert "nbb-trouble" in launcher.facts.value
    set_field(launcher, "backend", "")
    assert launcher.wait(SECONDS)
    assert "queue default" in launcher.facts.value


def test_a_cell_runs_as_if_it_had_been_typed(launched, batch_shell):
    """Story, printed text, last value and variables; the main thread is free meanwhile."""
    batch_shell.user_ns["a"] = 20
    launcher = launched(code="print('from afar')\nb = a + 1\nb * 2")
    view = run_of(launcher)
    assert "sends a" in view.story
    assert "SUCCEEDED" in view.story
    assert "from afar" in text_of(view)
    assert "'text/plain': '42'" in text_of(view)
    assert batch_shell.user_ns["b"] == 21
    assert view._output.outputs == view.page.outputs


def test_the_cost_of_a_cell_that_ran_is_known_before_it_runs_again(launched):
    """The range says what it is based on."""
    launcher = launched(code="b = 1")
    run_of(launcher)
    set_field(launcher, "vcpus", "2")
    assert launcher.wait(SECONDS)
    assert "expected from" in launcher.facts.value
    assert "in the last run" in launcher.facts.value


def test_a_cell_that_fails_says_so_in_its_panel(launched):
    """The error with its traceback stands there; nothing is raised into another cell."""
    view = run_of(launched(code="1 / 0"))
    assert "ZeroDivisionError" in text_of(view)
    assert view.page.outputs[-1]["output_type"] == "error"
    assert "FAILED" in view.story


def test_an_array_of_a_cell(launched, batch_shell):
    """The item is the cell's variable, and values are gathered."""
    view = run_of(launched(code="square = n ** 2", array="range(3)", item="n"))
    assert batch_shell.user_ns["square"] == [0, 1, 4], view.story


def test_a_function_runs_by_a_call(launched, batch_shell):
    """The line is Python, its job is bound, its result shown."""
    batch_shell.run_cell("def train(x, lr):\n    return x * lr")
    launcher = launched(function="train", arguments="4, lr=0.5")
    assert "train" in launcher.controls["function"].input.options
    assert launcher.draft.line == "import nbbatch\n\njob = nbbatch.submit(train, 4, lr=0.5)"
    view = run_of(launcher)
    assert batch_shell.user_ns["job"].result() == 2.0
    assert "2.0" in text_of(view)


def test_a_function_over_items(launched, batch_shell):
    """One array job, whose size is known from the variable."""
    batch_shell.run_cell("def twice(x):\n    return 2 * x\nrows = [1, 2, 3]")
    launcher = launched(function="twice", array="rows", timeout="1h")
    assert "for 3 items" in launcher.facts.value
    run_of(launcher)
    assert batch_shell.user_ns["arr"].results() == [2, 4, 6]


def test_a_notebook_runs_with_parameters(launched, batch_shell, tmp_path):
    """A parameter that it does not have is told at the field; the executed one comes back."""
    import nbformat

    cells = [nbformat.v4.new_code_cell("day = 1", metadata={"tags": ["parameters"]}), "print('day', day)"]
    cells[1] = nbformat.v4.new_code_cell(cells[1])
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "report.ipynb")
    launcher = launched(notebook="report.ipynb", parameters={"dya": 2})
    assert "Did you mean" in note_of(launcher, "parameters")
    set_field(launcher, "parameters", "day=2")
    assert launcher.wait(SECONDS)
    assert not launcher.run.disabled
    assert "report.ipynb" in launcher.controls["notebook"].input.options
    view = run_of(launcher)
    assert "SUCCEEDED" in view.story, text_of(view)
    assert "day 2" in str(batch_shell.user_ns["run"].result().notebook)


def test_a_run_can_be_stopped(launched):
    """Stop ends the job, and the panel tells how it ended."""
    launcher = launched(code="import time\nprint('begun', flush=True)\ntime.sleep(600)")
    begun = threading.Event()
    launcher.run.click()
    view = launcher.run_views[0]
    view._output.observe(lambda change: "begun" in str(change["new"]) and begun.set(), "outputs")
    if "begun" in str(view._output.outputs):  # before anybody observed it
        begun.set()
    assert begun.wait(SECONDS), view.story
    view._stop.click()
    assert view.wait(SECONDS)
    assert "Stopped in the launcher" in text_of(view) + view.story
    view._remove.click()
    assert launcher.runs.children == ()


def test_a_preset_is_saved_where_asked_and_replaced_only_when_asked(launched, tmp_path):
    """It goes into the project's file, is a magic at once, and keeps the rest of the file."""
    path = tmp_path / "nbbatch.toml"
    path.write_text('# ours\nmemory = "1G"\n\n[presets.big]\nvcpus = 8\n')
    launcher = launched(vcpus=2, memory="4G", spot=True, timeout="2h", env={"A": "x y"}, name="mine")
    launcher.keep.click()
    form = launcher.presets
    assert form.box.layout.display is None
    form.name.value = "big"
    form.save.click()
    assert "already" in form.said.value
    assert "vcpus = 8" in path.read_text()
    form.name.value = "quick"
    form.save.click()
    assert "%%quick" in form.said.value, form.said.value
    assert path.read_text() == (
        '# ours\nmemory = "1G"\n\n[presets.big]\nvcpus = 8\n\n[presets.quick]\n'
        'vcpus = 2\nmemory = "4G"\nspot = true\ntimeout = "2h"\nenv = { A = "x y" }\n'
    )
    assert load_config().find_preset("quick").options.timeout == 7200
    form.name.value, form.replaces.value = "big", True
    form.save.click()
    assert load_config().find_preset("big").options.vcpus == 2
    assert path.read_text().startswith('# ours\nmemory = "1G"\n')


def test_a_preset_of_the_session(launched, batch_shell):
    """It lasts as long as the kernel, and touches no file."""
    launcher = launched(vcpus=2)
    launcher.presets.name.value = "two"
    launcher.presets.place.value = "session"
    launcher.presets.save.click()
    assert session.current().presets["two"].vcpus == 2
    assert "two" in batch_shell.magics_manager.magics["cell"]
    launcher.presets.name.value = "no name"
    launcher.presets.save.click()
    assert "cannot be the name" in launcher.presets.said.value


def test_the_kind_decides_which_fields_there_are(launched):
    """A hidden field says nothing."""
    launcher = launched(item="x", array="range(3)")
    launcher.kind.value = Kind.NOTEBOOK
    assert launcher.controls["item"].box.layout.display == "none"
    assert launcher.controls["notebook"].box.layout.display is None
    assert [one.field for one in launcher.problems] == ["notebook"]
    launcher.kind.value = Kind.CELL
    assert launcher.draft.line == "%%batch --array range(3) --item x"


def test_every_control_has_a_label_and_a_help_for_screen_readers(launched):
    """A control without words is none."""
    launcher = launched()
    for name, control in launcher.controls.items():
        assert control.input.description, name
        assert control.input.tooltip, name
    buttons = [launcher.run, launcher.keep, launcher.more]
    assert all(isinstance(one, ipywidgets.Widget) and one.description and one.tooltip for one in buttons)


def test_settings_of_a_project_are_shown_with_their_line(launched, tmp_path):
    """The file's name and line stand below the field."""
    (tmp_path / "nbbatch.toml").write_text('memory = "3G"\nspot = true\n')
    launcher = launched()
    assert launcher.controls["memory"].input.placeholder == "3 GB"
    assert note_of(launcher, "memory") == "nbbatch.toml:1"
    assert launcher.controls["queue"].input.placeholder == "spot"
    (tmp_path / "nbbatch.toml").write_text("memory = 'x'\n")
    set_field(launcher, "vcpus", "2")
    assert "nbbatch.toml" in launcher.reason.value
    assert launcher.run.disabled


def test_an_empty_form_is_an_empty_form():
    """Nothing typed, nothing said."""
    assert Form().text("queue") == ""
