"""What a panel that was drawn as often as in twenty minutes leaves in the notebook that JupyterLab saves."""

from __future__ import annotations

import json
import re
import sys
from base64 import b64decode
from pathlib import Path
from struct import unpack

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "scripts"))

import front_end  # noqa: E402 - lies beside the scripts

from nbbatch.jupyter.panels.array_frame import FIGURES  # noqa: E402 - as above

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

MOST = 200_000
"""Bytes of the notebook with all that it says."""
FRAMES = 260
"""Of twenty minutes at a panel's own pace, as benchmarks/panels_refresh.py counts them."""
WIDE, OF_A_PANEL = 1900, 720
"""Pixels of the window, and of a panel: JupyterLab keeps a picture of a figure, as wide as it was shown."""
PLOTLY = "application/vnd.plotly.v1+json"
_SETUP = """
import itertools, time
import nbbatch
from nbbatch.jupyter.panels.array import ArrayView
from nbbatch.jupyter.panels.array_frame import FIGURES
from nbbatch.jupyter.panels.pace import Pace
from nbbatch.jupyter.panels.panel import Panel

def work(n):
    time.sleep(0.05)
    if n % 37 == 5:
        raise ValueError(f'no {n}')
    return n
"""
_SHOW = """
arr = nbbatch.map(work, range(300), chunk=1, vcpus=0.25, memory='128M')
panel = Panel(ArrayView(arr), figure='throughput', pace=Pace(0.01))
panel.show()
"""
_DRAW = f"""
figures = itertools.cycle(FIGURES)
while panel.drawn < {FRAMES}:
    before = panel.drawn
    panel.choose_figure(next(figures)) if before % 20 == 0 else panel.ring(now=True)
    while panel.drawn == before:
        time.sleep(0.005)
panel.choose_figure(FIGURES[-1])
arr.wait()
assert panel.settle(60)
"""
CELLS = (_SETUP, _SHOW, _DRAW)
_FIGURE = (
    "() => { const outputs = window.jupyterapp.shell.currentWidget.content.widgets[1].model.outputs;"
    " const last = outputs.get(outputs.length - 1).data;"
    f" return last['image/png'] ? JSON.stringify(last['{PLOTLY}']) : ''; }}"
)
"""The last output's figure, once JupyterLab has added its picture."""
_NOTHING = (
    "() => { const outputs = window.jupyterapp.shell.currentWidget.content.widgets[1].model.outputs;"
    " return outputs.get(outputs.length - 1).data['text/html'] === ''; }"
)
"""No figure is chosen."""


def test_a_long_run_leaves_little_in_the_saved_notebook(shared_daemon, tmp_path):
    """Hundreds of frames and figures are one static frame and one figure with its picture: far below 200 kB, whichever."""
    with front_end.opened("jupyterlab", tmp_path, CELLS, width=WIDE) as notebook:
        for index in range(len(CELLS)):
            notebook.run(index)
        page, choice = notebook.page, notebook.cell(1).get_by_role("combobox", name="figure")
        choice.select_option("")
        page.wait_for_function(_NOTHING)  # now what was drawn before has come, too
        sizes, before = {}, ""
        for figure in FIGURES:
            choice.select_option(figure)
            before = _another_figure(page, before)
            saved = notebook.save()
            sizes[figure] = notebook.path.stat().st_size
            _is_one_static_frame(saved)
    assert max(sizes.values()) < MOST, sizes


def _another_figure(page, before):
    """Wait for another figure with its picture than the one before."""
    page.wait_for_function(f"before => ![before, ''].includes(({_FIGURE})())", arg=before)
    return page.evaluate(_FIGURE)


def _is_one_static_frame(saved):
    """Frame, place of the buttons, figure; no widget, and the frame says how it ended."""
    assert "widgets" not in saved.metadata
    frame, buttons, figure = [output["data"] for output in saved.cells[1].outputs]
    assert not [kind for data in (frame, buttons, figure) for kind in data if "widget" in kind]
    assert "292 of 300" in re.sub("<[^>]+>", " ", frame["text/html"])
    assert "<svg" in frame["text/html"]
    assert len(json.dumps(buttons)) < 200
    assert set(figure) == {PLOTLY, "image/png", "text/html", "text/plain"}
    (width,) = unpack(">I", b64decode(figure["image/png"])[16:20])
    assert width == OF_A_PANEL
