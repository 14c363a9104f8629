"""Panels in JupyterLab in a real Chromium: drawn, clicked, saved, reopened, in light and dark."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "scripts"))

import front_end  # noqa: E402 - lies beside the scripts

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DEFINE = """
import nbbatch, time
%load_ext nbbatch
def work(n):
    print('child at work', n, flush=True)
    time.sleep(0.2)
    if n == 3:
        raise ValueError('three')
    return n
"""
CELLS = (
    DEFINE,
    "arr = nbbatch.map(work, range(12), chunk=1)\narr",
    "job = nbbatch.submit(time.sleep, 600)\njob",
    "%%batch --array range(4)\nsquare = item ** 2",
    "import nbbatch\n[found] = [row for row in nbbatch.jobs() if row.name == 'sleep'][:1]\nnbbatch.job(found.id)",
)
_LONGEST = 60_000
_START_CELL = (
    "(index) => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = index;"
    " window.jupyterapp.commands.execute('notebook:run-cell'); }"
)
"""Run a cell without waiting for its end."""
_LOSE = (
    "words => { const send = WebSocket.prototype.send; window.lost = 0;"
    " WebSocket.prototype.send = function (data) {"
    " const text = typeof data === 'string' ? data : new TextDecoder().decode(data);"
    " if (!window.lost && text.includes(words)) { window.lost += 1; } else { send.call(this, data); } } }"
)
"""Lose the first message to a kernel in which these words are."""


def test_panels_are_used_with_mouse_and_keyboard_and_read_without_a_kernel(shared_daemon, tmp_path):
    """Strip, child by click and by index, figure, terminate, retry, reload, restart; the saved notebook shows no dead widget."""
    complaints: list[str] = []
    with front_end.opened("jupyterlab", tmp_path, CELLS) as notebook:
        page = notebook.page
        page.set_default_timeout(_LONGEST)
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type == "error" else None
        )
        notebook.run(0)
        _use_an_array(notebook)
        _use_a_job(notebook)
        notebook.run(3)
        notebook.says(3, "done 4 of 4")
        page.evaluate(
            "() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
        )
        page.locator("body[data-jp-theme-light='false']").wait_for(state="attached")
        _picture(notebook, 1, tmp_path / "array-dark.png")
        saved = notebook.save()
        _reopen(notebook)
    assert [each for each in complaints if "nbbatch" in each.lower()] == []
    _reads_without_a_kernel(saved)


def _use_an_array(notebook):
    page, cell = notebook.page, notebook.run(1)
    cell.locator(".nbbatch-controls").wait_for()
    cell.get_by_text("FAILED", exact=True).first.wait_for()
    strip = cell.locator("[data-act=point]")
    strip.click(position={"x": strip.bounding_box()["width"] * 3.5 / 12, "y": 5})
    cell.get_by_text("It raised ValueError: three").wait_for()
    index = cell.get_by_role("spinbutton", name="Index of a child to look at")
    index.focus()
    page.keyboard.type("5")
    page.keyboard.press("Enter")
    cell.get_by_text("child at work 5").wait_for()
    cell.get_by_role("combobox").select_option("timeline")
    cell.locator(".js-plotly-plot").get_by_text("attempts on").wait_for()
    assert cell.get_by_role("button", name="cancel").is_disabled()
    _picture(notebook, 1, notebook.path.parent / "array-light.png")


def _use_a_job(notebook):
    cell = notebook.run(2)
    cell.get_by_role("button", name="terminate").click()
    cell.get_by_text("FAILED (terminated)").wait_for()
    cell.get_by_role("button", name="retry").click()
    cell.get_by_text("repeats").wait_for()


def _reopen(notebook):
    """Buttons live on after the page was loaded again; those that need the kernel go with it, and a new one has them again."""
    page = notebook.page
    page.reload()
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    notebook.cell(2).locator(".nbbatch-controls").wait_for()
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    page.wait_for_function(front_end.IS_IDLE)
    for index in (1, 2):
        _stands_still(notebook.cell(index))
    assert page.get_by_text("Error displaying widget").count() == 0
    again = notebook.run(4)
    again.get_by_role("button", name="terminate").click()
    again.get_by_text("FAILED (terminated)").wait_for()


def test_no_button_looks_alive_whose_kernel_is_gone(shared_daemon, tmp_path):
    """It was killed, or shut down: a line says that the panel stands still. A kernel that is busy is said to be so."""
    show = "job = nbbatch.submit(time.sleep, 600, vcpus=0.25, memory='128M')\njob"
    gate = tmp_path / "gate"
    busy = f"while not os.path.exists({str(gate)!r}):\n    time.sleep(0.05)\njob.terminate()"
    cells = ("import nbbatch, os, time\nprint(os.getpid())", show, busy)
    with front_end.opened("jupyterlab", tmp_path, cells) as notebook:
        page = notebook.page
        page.set_default_timeout(_LONGEST)
        pid = int(notebook.run(0).locator(".jp-OutputArea-output").inner_text())
        cell = notebook.run(1)
        page.evaluate(_START_CELL, 2)
        cell.get_by_role("button", name="more log").click()
        cell.get_by_text("the kernel has not answered yet").wait_for()
        gate.touch()
        cell.get_by_text("the kernel has not answered yet").wait_for(state="detached")
        cell.get_by_text("FAILED (terminated)").wait_for()
        os.kill(pid, signal.SIGKILL)
        _stands_still(cell)
        page.locator(".jp-Dialog-button.jp-mod-accept").click()
        page.wait_for_function(front_end.IS_IDLE)
        notebook.run(0)
        cell = notebook.run(1)
        cell.get_by_role("button", name="terminate").wait_for()
        page.evaluate(_START_CELL, 2)
        cell.get_by_text("FAILED (terminated)").wait_for()
        page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        _stands_still(cell)
        (frame, place) = [one["data"]["text/html"] for one in notebook.save().cells[1].outputs]
        assert "stands still" not in frame + place


def test_a_click_that_gets_lost_on_its_way_is_sent_again(shared_daemon, tmp_path):
    """As it happens in JupyterLab after a reload; the kernel does it once, however often it hears of it."""
    cells = ("import nbbatch, time\njob = nbbatch.submit(time.sleep, 600, vcpus=0.25, memory='128M')\njob",)
    with front_end.opened("jupyterlab", tmp_path, cells) as notebook:
        notebook.page.set_default_timeout(_LONGEST)
        cell = notebook.run(0)
        notebook.page.evaluate(_LOSE, '"action":"terminate"')
        cell.get_by_role("button", name="terminate").click()
        cell.get_by_text("FAILED (terminated)").wait_for()
        assert notebook.page.evaluate("() => window.lost") == 1


def _stands_still(cell):
    """Nothing but the line that finds the job again can be had of it."""
    cell.get_by_text("this panel stands still").wait_for()
    assert cell.locator(".nbbatch-controls button").all_inner_texts() == ["copy reattach line"]


def _picture(notebook, index, path):
    notebook.cell(index).screenshot(path=path)


def _reads_without_a_kernel(saved: nbformat.NotebookNode):
    """No widget's view and no state of widgets; the array's page is there, small."""
    outputs = [output for cell in saved.cells for output in cell.outputs if "data" in output]
    assert not [one for one in outputs if "application/vnd.jupyter.widget-view+json" in one.data]
    assert "widgets" not in saved.metadata
    page = re.sub("<[^>]+>", " ", saved.cells[1].outputs[0].data["text/html"])
    assert "11 of 12" in page
    assert len(nbformat.writes(saved)) < 200_000
