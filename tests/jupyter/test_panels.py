"""Live panels in executed notebooks: what is drawn, what stays, what buttons do."""

from __future__ import annotations

import json
import re
from html import unescape

from jupyter_client.manager import start_new_kernel

LIVE = {"NBBATCH_DISPLAY": "1", "JPY_SESSION_NAME": "cells.ipynb"}
VIEW = "application/vnd.jupyter.widget-view+json"
PLOTLY = "application/vnd.plotly.v1+json"
HELPERS = """
import json, os, threading, time
import nbbatch
from nbbatch.jupyter.panels.pace import Pace

def work(n):
    print('from afar', n, flush=True)
    time.sleep(0.05)
    if n == 3:
        raise ValueError('three')
    return n

def until(holds, seconds=60):
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert holds()

def press(panel, name, **values):
    '''As the front end tells it, and on a thread that is not the main one, as a subshell has it.'''
    widget = panel._controls.widget
    thread = threading.Thread(target=widget._handle_custom_msg, args=({'action': name, 'values': values}, []))
    thread.start()
    thread.join()
"""


def shown(cell) -> list[dict]:
    """The rich outputs of a cell, those first that are seen first."""
    return [output["data"] for output in cell.outputs if "data" in output]


def seen(data: dict) -> str:
    """What a reader sees of an output."""
    return unescape(re.sub("<[^>]+>", "", data["text/html"]))


def errors_in(notebook) -> list[str]:
    """What went wrong in any cell."""
    return [
        output["evalue"]
        for cell in notebook.cells
        for output in cell.outputs
        if output["output_type"] == "error" or output.get("name") == "stderr"
    ]


def test_the_last_frame_of_a_job_stays_in_the_saved_notebook(execute):
    """A panel that was drawn while its job ran ends as a static picture of the end, without a widget's view."""
    notebook = execute(
        HELPERS,
        "job = nbbatch.submit(work, 2)\njob",
        "job.result()\nfrom nbbatch.jupyter.panels.shown import _shown\n(panel,) = _shown\npanel.settle()",
        **LIVE,
    )
    assert errors_in(notebook) == []
    frames = shown(notebook.cells[1])
    assert all(VIEW not in frame for frame in frames)
    for told in ("work", "SUCCEEDED", "from afar", "$0.00", "nbbatch.job('"):
        assert told in frames[0]["text/plain"]
        assert told in seen(frames[0])


def test_a_handle_is_a_picture_of_now_where_nothing_can_be_redrawn(execute):
    """Without a front end the handle is a table, and `%batch panel` tells lines; with no word, of the newest job."""
    notebook = execute(
        HELPERS,
        "job = nbbatch.submit(work, 2); job.wait()\njob",
        "%batch panel job",
        "nbbatch.panel(job)",
        "%batch panel",
    )
    assert errors_in(notebook) == []
    (static,) = shown(notebook.cells[1])
    assert "<table>" in static["text/html"]
    assert "nbbatch-panel" not in static["text/html"]
    for cell in (notebook.cells[2], notebook.cells[4]):
        lines = "".join(output["text"] for output in cell.outputs)
        assert "nbbatch › job work" in lines
        assert "nbbatch › from afar 2" in lines
    assert "nbbatch-panel" in shown(notebook.cells[3])[0]["text/html"]


def test_an_array_cell_shows_its_strip_between_receipt_and_result(execute):
    """Receipt, panel, final line, result; the strip's last frame has all children, and a figure is below it."""
    (cell,) = execute("%%batch --array range(6)\nsquare = item ** 2", **LIVE).cells
    receipt, panel, *_ = shown(cell)
    assert "array of 6 items" in receipt["text/plain"]
    assert "done" not in receipt["text/plain"]
    assert "6 of 6" in seen(panel)
    assert 'data-act="point"' in panel["text/html"]
    assert "6 SUCCEEDED" in panel["text/html"]
    after = [data["text/plain"] for data in shown(cell)[2:]]
    (final,) = [place for place, text in enumerate(after) if "SUCCEEDED: 6 items" in text]
    assert any("square: a list over 6 items" in text for text in after[final:])
    assert all(VIEW not in data for data in shown(cell))


def test_line_and_setting_decide_whether_a_cell_has_a_panel(execute):
    """`--panel` and `--no-panel` before `BatchMagics.panel`, and that before the habit of arrays."""
    cases = (
        ("", "None", False),
        ("--panel", "None", True),
        ("", "True", True),
        ("--array range(2)", "False", False),
        ("--array range(2) --no-panel", "True", False),
    )
    cells = [
        cell
        for line, setting, _ in cases
        for cell in (f"%config BatchMagics.panel = {setting}", f"%%batch {line}\nx = 1\n")
    ]
    notebook = execute(*cells, **LIVE)
    assert errors_in(notebook) == []
    pages = ["".join(data.get("text/html", "") for data in shown(cell)) for cell in notebook.cells[1::2]]
    assert ["nbbatch-panel" in page for page in pages] == [has_panel for _, _, has_panel in cases]


def test_boards_of_a_backend_by_their_words(execute):
    """`%batch panel queue` and its like are panels, too, and lines where nothing can be redrawn."""
    live = execute("%batch panel queue --name default", **LIVE)
    assert errors_in(live) == []
    assert "default" in seen(shown(live.cells[0])[0])
    (cell,) = execute("%batch panel fleet").cells
    assert "nbbatch › " in "".join(output["text"] for output in cell.outputs)


def test_an_attached_job_has_a_panel_and_its_outputs(execute):
    """`%batch attach` shows panel, log and value of a job that was submitted elsewhere."""
    notebook = execute(HELPERS, "job = nbbatch.submit(work, 2)", "%batch attach job", **LIVE)
    told = notebook.cells[2]
    assert any(
        "SUCCEEDED" in seen(data) for data in shown(told) if "nbbatch-panel" in data.get("text/html", "")
    )
    assert "from afar 2" in "".join(output.get("text", "") for output in told.outputs)


def test_a_pipeline_shown_before_it_runs_follows_its_steps(execute):
    """Its last frame has every step's end; its button runs again what failed."""
    notebook = execute(
        HELPERS,
        "p = nbbatch.pipeline('etl')\np.step(work, 1, name='load')\np.step(work, 3, name='fit', after=['load'])\np",
        "p.run()\np.wait()\nfrom nbbatch.jupyter.panels.shown import _shown\n(panel,) = _shown\n"
        "until(lambda: panel.frame.is_last)\nran = p['fit'].job.id\n"
        "press(panel, 'retry')\nassert p['fit'].job.id != ran\np.wait()\n"
        "until(lambda: panel.frame.is_last and 'retry · fit' in panel.frame.text)",
        **LIVE,
    )
    assert errors_in(notebook) == []
    (frame, *_) = shown(notebook.cells[1])
    assert "pipeline etl FAILED" in frame["text/plain"]
    assert "✓ load" in frame["text/plain"]
    assert "<svg" in frame["text/html"]
    assert 'fill="var(--jp-layout-color1,#fff)"' in frame["text/html"]
    assert 'fill="#fff"' not in frame["text/html"]


def test_a_panel_goes_on_after_its_daemon_was_killed(execute, tmp_path):
    """What went wrong stands in it while the daemon is away; then it is drawn again, up to the end."""
    notebook = execute(
        HELPERS,
        "job = nbbatch.submit(time.sleep, 600)\npanel = nbbatch.panel(job)\npanel",
        "import signal\nfrom nbbatch.client.config import home\n"
        "from nbbatch.client.daemon_process import running_pid, stop_by_signal\n"
        "from nbbatch.client.backend import get_backend\n"
        "until(lambda: 'RUNNING' in panel.frame.text)\nfirst = running_pid(home())\nos.kill(first, signal.SIGKILL)\n"
        "until(lambda: running_pid(home()) != first)\npanel.ring(now=True)\n"
        "until(lambda: running_pid(home()) not in (None, first))\n"
        "until(lambda: not panel._trouble)",
        "press(panel, 'terminate')\nuntil(lambda: panel.frame.is_last)\n"
        "assert 'FAILED (terminated)' in panel.frame.text\nstop_by_signal(home())",
        NBBATCH_HOME=str(tmp_path / "home"),
        **LIVE,
    )
    assert errors_in(notebook) == []


def test_buttons_of_a_job(execute):
    """Terminate ends it, retry turns the panel to a new job, what makes no sense does nothing, no button prints."""
    notebook = execute(
        HELPERS,
        "job = nbbatch.submit(time.sleep, 600)\npanel = nbbatch.panel(job)\npanel",
        "until(lambda: 'retry' in panel._controls.widget.disabled)\npress(panel, 'retry')\n"
        "assert panel.view.handle == job\n"
        "press(panel, 'terminate')\nuntil(lambda: panel.frame.is_last)\nassert 'FAILED (terminated)' in panel.frame.text\n"
        "assert panel._controls.widget.disabled == ['cancel', 'terminate']",
        "press(panel, 'retry')\nagain = panel.view.handle\nassert again != job\n"
        "until(lambda: not panel.frame.is_last and 'repeats' in panel.frame.text or 'repeats' in panel.frame.html)\n"
        "copy = next(b for b in panel._controls.widget.buttons if b['kind'] == 'copy')\nassert again.id in copy['value']\n"
        "press(panel, 'terminate')\nuntil(lambda: panel.frame.is_last)",
        **LIVE,
    )
    assert errors_in(notebook) == []
    assert notebook.cells[2].outputs == notebook.cells[3].outputs == []


def test_a_click_that_is_heard_twice_is_done_once(execute):
    """The script sends again what it believes lost; two clicks are two messages."""
    notebook = execute(
        HELPERS,
        "job = nbbatch.submit(time.sleep, 600)\npanel = nbbatch.panel(job)\npanel",
        "done = []\npanel.view.act = lambda name, values: done.append((name, values['n']))\n"
        "for n, message in [(1, 'a'), (1, 'a'), (2, 'b'), (1, 'a')]:\n"
        "    panel._controls.widget._handle_custom_msg({'action': 'more', 'values': {'n': n}, 'id': message}, [])\n"
        "assert done == [('more', 1), ('more', 2)], done\njob.terminate()",
        **LIVE,
    )
    assert errors_in(notebook) == []


def test_children_are_looked_at_and_failed_ones_retried(execute):
    """By pointing and by index: state, input, outcome, log; retry has only the failed one.

    A wrong index is told in the panel until another button is pressed, however often it is drawn meanwhile.
    """
    notebook = execute(
        HELPERS,
        "arr = nbbatch.map(work, range(8), chunk=1)\narr.wait()\npanel = nbbatch.panel(arr)\npanel",
        "press(panel, 'point', across=3.5 / 8, down=0.5)\nuntil(lambda: 'child 3 ' in panel.frame.text)\n"
        "for told in ('FAILED (exit code 1)', 'item 3: 3', 'ValueError: three', 'from afar 3'): assert told in panel.frame.text, told",
        "press(panel, 'child', child=5)\nuntil(lambda: 'child 5 ' in panel.frame.text)\nassert 'from afar 5' in panel.frame.text",
        "press(panel, 'child', child=8)\nuntil(lambda: '8 is no child' in panel._shown['text/html'])\n"
        "drawn = panel.drawn + 2\n"
        "until(lambda: panel.ring(now=True) or panel.drawn >= drawn)\nassert '8 is no child' in panel._shown['text/plain']",
        "press(panel, 'figure', figure='durations')\nuntil(lambda: '8 is no child' not in panel._shown['text/html'])\nuntil(lambda: 'durations' in [b['value'] for b in panel._controls.widget.buttons])",
        "press(panel, 'retry')\nuntil(lambda: panel.frame.is_last and 'repeats' in panel.frame.html)\n"
        "assert '1 failed' in panel.frame.text or 'FAILED' in panel.frame.text\nlen(panel.view._codes)",
        **LIVE,
    )
    assert errors_in(notebook) == []
    assert shown(notebook.cells[-1])[0]["text/plain"] == "1"


def test_hundreds_of_frames_leave_one_in_the_notebook(execute):
    """However often a panel was drawn, its cell is as large as one frame and one figure."""
    notebook = execute(
        HELPERS,
        "arr = nbbatch.map(work, list(range(4, 124)), chunk=1)\nfrom nbbatch.jupyter.panels.array import ArrayView\n"
        "from nbbatch.jupyter.panels.panel import Panel\npanel = Panel(ArrayView(arr), figure='timeline', pace=Pace(shortest=0.001))\n"
        "panel.show()\narr.wait()\npanel.settle()\nprint(panel.drawn)",
        **LIVE,
    )
    assert errors_in(notebook) == []
    (drawn,) = [
        int(output["text"]) for output in notebook.cells[1].outputs if output["output_type"] == "stream"
    ]
    assert drawn > 20
    frames = shown(notebook.cells[1])
    assert len(frames) == 3
    assert "120 of 120" in seen(frames[0])
    assert PLOTLY in frames[2]
    assert len(json.dumps(notebook.cells[1])) < 60_000


def test_between_two_figures_stands_what_the_next_one_says(execute):
    """A notebook that is saved in that moment has its headline, in a place as high as the figure."""
    notebook = execute(
        HELPERS,
        "pub, seen = get_ipython().display_pub, []\nreally = pub.publish\n"
        "def publish(data, *args, **more):\n    seen.append(data)\n    return really(data, *args, **more)\n"
        "pub.publish = publish",
        "arr = nbbatch.map(work, range(4, 8), chunk=1)\narr.wait()\npanel = nbbatch.panel(arr)\npanel.choose_figure('durations')\n"
        f"panel.show()\nat = [{PLOTLY!r} in data for data in seen].index(True)\n"
        "between, figure = seen[at - 1 : at + 1]\nassert figure['text/plain'] and between['text/plain'] == figure['text/plain']\n"
        f"height = figure[{PLOTLY!r}]['layout']['height']\n"
        "assert f'height:{height}px' in between['text/html'] and figure['text/html'] in between['text/html']",
        **LIVE,
    )
    assert errors_in(notebook) == []


def test_a_look_asks_as_much_of_an_array_of_any_size(execute):
    """The calls of a refresh are the same for 3 and for 300 children."""
    notebook = execute(
        HELPERS,
        "from nbbatch.jupyter.panels.array import ArrayView\n"
        "def calls(size):\n"
        "    arr = nbbatch.map(time.sleep, [600] * size, chunk=1)\n"
        "    view, asked = ArrayView(arr), []\n"
        "    view.look()\n"
        "    arr.backend.batch.meta.events.register('before-send', lambda **_: asked.append('batch'))\n"
        "    private = arr.backend.private\n"
        "    def counted(route, body):\n"
        "        asked.append(route)\n"
        "        return private(route, body)\n"
        "    arr.backend.private = counted\n"
        "    view.look()\n"
        "    arr.backend.private = private\n"
        "    arr.terminate()\n"
        "    return sorted(set(asked)), len(asked)\n"
        "few, many = calls(3), calls(300)\nassert many[1] <= 6, (few, many)",
        **LIVE,
    )
    assert errors_in(notebook) == []


def test_a_cell_that_runs_again_or_is_deleted_ends_its_panel(kernel_environment, shared_daemon):
    """A front end tells which cell runs and which are gone: their panels are not drawn any more."""
    manager, client = start_new_kernel(env={**kernel_environment, **LIVE})

    def run(code: str, **metadata) -> str:
        message = client.session.msg(
            "execute_request",
            {"code": code, "silent": False, "user_expressions": {"told": "told"}, "allow_stdin": False},
            metadata=metadata,
        )
        client.shell_channel.send(message)
        replies = iter(lambda: client.get_shell_msg(timeout=60), None)
        own = (one for one in replies if one["parent_header"].get("msg_id") == message["header"]["msg_id"])
        reply = next(own)["content"]
        assert reply["status"] == "ok", reply
        return reply["user_expressions"]["told"].get("data", {}).get("text/plain", "")

    alive = "told = [panel.is_live for panel in (one, two)]"
    try:
        run(HELPERS + "told = job = nbbatch.submit(time.sleep, 600)", cellId="a")
        run("one = nbbatch.panel(job)\none.show()", cellId="b")
        run("two = nbbatch.panel(job)\ntwo.show()", cellId="c")
        assert run(alive, cellId="d") == "[True, True]"
        assert run(alive, cellId="b") == "[False, True]"
        assert run(alive, cellId="d", deletedCells=["c"]) == "[False, False]"
        run("job.terminate()", cellId="d")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
