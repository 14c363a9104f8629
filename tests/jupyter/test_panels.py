"""Live panels in executed notebooks: what is drawn, what stays, what buttons do."""

from __future__ import annotations

import re
from html import unescape

LIVE = {"NBBATCH_DISPLAY": "1"}
VIEW = "application/vnd.jupyter.widget-view+json"


def shown(cell) -> list[dict]:
    """The rich outputs of a cell, those first that are seen first."""
    return [output["data"] for output in cell.outputs if "data" in output]


def test_the_last_frame_of_a_job_stays_in_the_saved_notebook(execute):
    """A panel that was drawn while its job ran ends as a static picture of the end, without a widget's view."""
    notebook = execute(
        "import nbbatch, time\ndef work(n):\n    print('from afar')\n    time.sleep(1.5)\n    return n",
        "job = nbbatch.submit(work, 3)\npanel = nbbatch.panel(job)\npanel",
        "import time\nassert job.result() == 3\ndeadline = time.monotonic() + 20\n"
        "while not panel.frame.is_last and time.monotonic() < deadline: time.sleep(0.05)\npanel.frame.is_last",
        **LIVE,
    )
    assert notebook.cells[2].outputs[-1]["data"]["text/plain"] == "True"
    frames = shown(notebook.cells[1])
    assert all(VIEW not in frame for frame in frames)
    for told in ("work", "SUCCEEDED", "from afar", "$0.00", "nbbatch.job('"):
        assert told in frames[0]["text/plain"]
        assert told in re.sub("<[^>]+>", "", unescape(frames[0]["text/html"]))
