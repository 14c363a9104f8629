"""The same cells in JupyterLab and in the classic Notebook 7, in a real Chromium: the same is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "scripts"))

import front_end  # noqa: E402 - lies beside the scripts

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = (
    "%load_ext nbbatch\nimport pandas as pd\ndf = pd.DataFrame({'a': [1, 2, 3]})",
    "%%batch --name first\nprint('from afar')\ntotal = int(df.a.sum())\ndf.describe()",
    "total * 7",
    "%%batch --array range(4)\nsquare = item ** 2",
    "%%batch\nx = 1\nx / 0",
    "%batch jobs",
    "%batch why first",
    "%%batch --memry 4G\n1",
)
TOLD = {
    1: ("sends df", "back: total", "queue default", "from afar", "SUCCEEDED in", "75%"),
    2: ("42",),
    3: ("array of 4 items", "4 of 4", "SUCCEEDED: 4 items", "square: a list over 4 items"),
    4: ("FAILED (exit code 1)", "line 3", "ZeroDivisionError: division by zero", "%batch logs"),
    5: ("first", "SUCCEEDED", "FAILED (exit code 1)"),
    6: ("first", "succeeded after"),
    7: ("no option --memry", "Did you mean --memory?"),
}
"""What stands in each cell's output when it has run."""


@pytest.mark.parametrize("program", front_end.PAGES)
def test_a_front_end_tells_the_whole_story(program, shared_daemon, tmp_path):
    """Receipt, last status, output, table, error, value, and all of it is in the saved notebook."""
    with front_end.opened(program, tmp_path, CELLS) as notebook:
        for index in range(len(CELLS)):
            notebook.run(index)
            notebook.says(index, *TOLD.get(index, ()))
        assert notebook.cell(1).locator("table").count() == 1
        assert notebook.cell(1).locator("pre.nbbatch-story").count() == 2
        saved = notebook.save()
    for index, words in TOLD.items():
        text = str(saved.cells[index].outputs)
        assert [word for word in words if word not in text] == []
