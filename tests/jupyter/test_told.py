"""What a job tells while it runs, in the cell that waits for it and in `%batch job`."""

from __future__ import annotations

from contextlib import redirect_stdout

import pytest
from notebook_cells import Opens

from nbbatch.client.arrays.chunks import Chunk, packing_words
from nbbatch.client.notes import Note
from nbbatch.client.told import Progress, Told
from nbbatch.errors import OptionError
from nbbatch.jupyter.story import final_line, status_line

STORY = "nbbatch ›"


def note(kind, item=None, **body):
    return Note(kind=kind, job_id="j", attempt=1, time=5, item=item, body=body)


def run(shell, source):
    outcome = shell.run_cell(source, store_history=True)
    outcome.raise_error()
    return outcome.result


def test_the_newest_is_told_in_a_few_words():
    """A bar where it is known of how much, the newest metrics, the item where there are several."""
    told = Told()
    assert (str(told), told.tenth) == ("", None)
    told.take([note("metric", name=f"m{n}", value=n / 3) for n in range(6)])
    told.take([note("progress", i=3, n=12, text="epochs"), note("metric", name="m0", value=7)])
    assert str(told) == "█████░░░░░░░░░░░░░░░ 3/12 epochs · m3 1, m4 1.333, m5 1.667, m0 7"
    assert told.tenth == 2
    told.take([note("progress", item=4, i=1000.5, n=None)])
    assert str(told).startswith("item 4: 1,000.5 · ")
    assert str(Progress(i=5, n=4)) == "████████████████████ 5/4"


def test_an_array_with_several_items_to_a_child_counts_children():
    """And says how many items these are."""
    summary = {"SUCCEEDED": 2, "FAILED": 1, "RUNNING": 1}
    detail = {
        "jobId": "3f2a9c1e-x",
        "status": "PENDING",
        "createdAt": 0,
        "arrayProperties": {"size": 4, "statusSummary": summary},
    }
    assert "2 of 4 children (1,000 items) done" in status_line(detail, 1.0, items=1000)
    assert "2 of 4 done" in status_line(detail, 1.0, items=4)
    over = {**detail, "status": "FAILED"}
    assert final_line(over, items=1000).startswith("FAILED: 1 of 4 children (1,000 items)")
    over["arrayProperties"] = {"size": 4, "statusSummary": {"SUCCEEDED": 4}}
    assert final_line(over, items=1000).startswith("SUCCEEDED: 1,000 items")
    assert packing_words(10, Chunk(size=1)) == ""
    packed = Chunk(size=50, why="an item took 3 ms last time")
    assert packing_words(1000, packed) == "1,000 items, 50 to a child (an item took 3 ms last time)"


def test_a_waiting_cell_shows_progress_and_metrics(batch_shell, tmp_path):
    """In its status, while it runs: the job goes on when it was told; the cell's output is only what it printed."""
    gate = tmp_path / "gate"
    source = (
        "%%batch\nimport nbbatch, pathlib, time\nprint('begins')\nnbbatch.log_metric('loss', 0.25)\n"
        f"nbbatch.progress(2, 3, 'epochs')\nwhile not pathlib.Path({str(gate)!r}).exists():\n"
        "    time.sleep(0.05)\nprint('ends')"
    )
    with redirect_stdout(Opens(gate, "/3 epochs · loss 0.25")) as said:
        run(batch_shell, source)
    text = said.getvalue()
    told = [line for line in text.splitlines() if line.startswith(STORY)]
    assert any("/3 epochs · loss 0.25" in line for line in told)
    assert "@nbbatch" not in text
    assert [line for line in text.splitlines() if not line.startswith(STORY)] == ["begins", "ends"]


def test_batch_job_tells_progress_and_metrics(batch_shell, capsys):
    """Of a job that has ended as well."""
    run(
        batch_shell,
        "%%batch --as told\nimport nbbatch\nnbbatch.progress(2, 4)\nnbbatch.log_metric('auc', 0.5)",
    )
    batch_shell.user_ns["told"].wait(60)
    capsys.readouterr()
    run(batch_shell, "%batch job told")
    assert "2/4 · auc 0.5" in capsys.readouterr().out


def test_a_cell_runs_once_for_each_row_of_a_table(batch_shell, capsys):
    """Rows come back as a table with the index of the one that went."""
    run(batch_shell, "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]}, index=['x', 'y'])")
    run(
        batch_shell, "%%batch --array df --item row --out double\ndouble = int(row.a) * 2\n{'double': double}"
    )
    assert batch_shell.user_ns["double"] == [2, 4]
    table = batch_shell.user_ns["_"]
    assert list(table.index) == ["x", "y"]
    assert list(table["double"]) == [2, 4]


def test_a_cell_s_second_array_is_packed_and_says_so(batch_shell, capsys):
    """By what an item took the first time."""
    run(batch_shell, "%%batch --array range(60)\nitem * 3")
    capsys.readouterr()
    run(batch_shell, "%%batch --array range(600)\nitem * 3")
    said = capsys.readouterr().out
    assert "to a child (an item took" in said
    assert "SUCCEEDED: 600 items" in said
    assert batch_shell.user_ns["_"] == [number * 3 for number in range(600)]


def test_an_endless_array_of_a_cell_is_refused(batch_shell):
    """With what to do."""
    run(batch_shell, "import itertools")
    with pytest.raises(OptionError, match="no end"):
        run(batch_shell, "%%batch --array itertools.count()\nitem")
