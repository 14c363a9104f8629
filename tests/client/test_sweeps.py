"""One notebook over many parameters as one array job: tables, partial results, retries, links."""

from __future__ import annotations

import pickle
import sys
import time
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from notebook_cells import text_of, write

import nbbatch
from nbbatch.client.notebooks.handles import NotebookJob
from nbbatch.client.notebooks.sweeps import Sweep
from nbbatch.errors import CellFailedError, OptionError

DEADLINE = 180
pytestmark = pytest.mark.usefixtures("shared_daemon")
SCORE = "import nbbatch\nnbbatch.record('score', lr * depth)"


def test_a_grid_becomes_one_array_of_notebooks(tmp_path, monkeypatch):
    """Each run has its parameters; the notebooks are collected under speaking names, and the table joins all."""
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "train.ipynb", SCORE)
    sweep = nbbatch.map_notebook(
        path, grid={"lr": [0.1, 0.2], "depth": [1, 2]}, output="runs/{lr}-{depth}.ipynb"
    )
    runs = sweep.results(DEADLINE)
    assert [run.values["score"] for run in runs] == [0.1, 0.2, 0.2, 0.4]
    assert sweep.detail()["arrayProperties"]["size"] == 4
    frame = sweep.frame()
    assert list(frame.columns) == ["lr", "depth", "score", "status", "seconds", "cost", "notebook", "error"]
    assert list(frame["score"]) == [0.1, 0.2, 0.2, 0.4]
    assert set(frame["status"]) == {"SUCCEEDED"}
    assert (frame["seconds"] > 0).all()
    assert (frame["cost"] > 0).all()
    assert list(frame["notebook"]) == [f"runs/{lr}-{depth}.ipynb" for lr in (0.1, 0.2) for depth in (1, 2)]
    for place in frame["notebook"]:
        nbformat.validate(nbformat.read(place, as_version=4))
    assert sorted(Path("runs").iterdir()) == sorted(Path(place) for place in frame["notebook"])


def test_a_table_gives_a_run_for_each_row(tmp_path):
    """Columns are parameters, with their types; what all share is given once."""
    path = write(
        tmp_path / "train.ipynb",
        "import nbbatch\nnbbatch.record('got', [lr, depth, name])",
        parameters="lr = depth = name = 0",
    )
    table = pd.DataFrame({"lr": [0.5, 0.25], "depth": [1, 2]})
    sweep = nbbatch.map_notebook(path, table, parameters={"name": "x"})
    assert [run.values["got"] for run in sweep.results(DEADLINE)] == [[0.5, 1, "x"], [0.25, 2, "x"]]
    listed = nbbatch.map_notebook(path, table.to_dict("records"), chunk=2)
    assert [run.values["got"] for run in listed.results(DEADLINE)] == [[0.5, 1, 0], [0.25, 2, 0]]
    assert listed.counts() == {"SUCCEEDED": 1}


def test_the_last_value_of_each_metric_is_a_column(tmp_path):
    """Also of a run that failed, however fast they came; recorded values and parameters keep their names."""
    log = "import nbbatch\nfor step in range(300):\n    nbbatch.log_metric('loss', 1 / (step + lr))"
    path = write(tmp_path / "train.ipynb", log, "nbbatch.log_metric('lr', 9)", "1 / (depth - 2)")
    sweep = nbbatch.map_notebook(path, grid={"lr": [1, 2], "depth": [1, 2]}, chunk=2)
    assert sweep.wait(DEADLINE)
    frame = sweep.frame()
    assert list(frame["loss"]) == [1 / 300, 1 / 300, 1 / 301, 1 / 301]
    assert list(frame["status"]) == ["SUCCEEDED", "FAILED"] * 2
    assert list(frame["lr"]) == [1, 1, 2, 2]
    assert "<th>loss</th>" in sweep.summary()._repr_html_()
    told = sweep.metrics()
    assert told[told["name"] == "loss"]["value"].min() == 1 / 301


def test_failed_runs_are_told_kept_and_repeated_alone(tmp_path):
    """The others' values are there; the failed one says its parameters, cell and notebook; a retry makes it good."""
    marker = tmp_path / "marker"
    source = f"import nbbatch, pathlib\nif depth == 2 and not pathlib.Path({str(marker)!r}).exists(): raise ValueError('deep')\nnbbatch.record('d', depth)"
    path = write(tmp_path / "train.ipynb", source)
    sweep = nbbatch.map_notebook(path, {"depth": [1, 2, 3]}, output=tmp_path / "runs/{depth}.ipynb")
    with pytest.raises(
        CellFailedError, match=r"item 1 of 3 \(depth=2\): ValueError: deep, in cell 2"
    ) as caught:
        sweep.results(DEADLINE)
    assert caught.value.cell_source == source
    assert [item.position for item in sweep.failed()] == [1]
    frame = sweep.frame()
    assert list(frame["status"]) == ["SUCCEEDED", "FAILED", "SUCCEEDED"]
    assert "ValueError: deep" in frame["error"][1]
    assert "deep" in Path(tmp_path / "runs/2.ipynb").read_text()
    assert "exception" in sweep[1].notebook().cells[2].metadata.papermill
    assert [run.values["d"] for run in sweep.results(return_exceptions=True)[::2]] == [1, 3]

    marker.touch()
    again = sweep.retry_failed()
    assert isinstance(again, Sweep)
    assert [run.values["d"] for run in again.results(DEADLINE)] == [1, 2, 3]
    assert "deep" not in nbformat.read(tmp_path / "runs/2.ipynb", as_version=4).cells[2].outputs
    assert list(sweep.frame()["status"]) == ["SUCCEEDED"] * 3


def test_a_sweep_shows_what_there_is_before_it_has_ended(tmp_path):
    """Runs that have ended with their values, the others with their status."""
    gate = tmp_path / "gate"
    source = f"import nbbatch, pathlib, time\nwhile depth == 2 and not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.02)\nnbbatch.record('d', depth)"
    sweep = nbbatch.map_notebook(
        write(tmp_path / "t.ipynb", source), {"depth": [1, 2]}, output=tmp_path / "{depth}.ipynb"
    )
    first = next(sweep.as_completed(DEADLINE))
    assert (first.position, first.value.values) == (0, {"d": 1})
    frame = sweep.frame()
    assert frame["status"][0] == "SUCCEEDED"
    assert frame["status"][1] in ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")
    deadline = time.monotonic() + DEADLINE
    while not (tmp_path / "1.ipynb").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (tmp_path / "1.ipynb").exists()
    gate.touch()
    assert [run.values["d"] for run in sweep.results(DEADLINE)] == [1, 2]


def test_one_run_is_a_notebook_of_its_own(tmp_path):
    """`sweep[3]` is the handle of a notebook's job, in a chunk as well."""
    path = write(
        tmp_path / "t.ipynb", "import nbbatch\nprint(depth)\nif depth == 3: 1 / 0\nnbbatch.record('d', depth)"
    )
    sweep = nbbatch.map_notebook(path, {"depth": [1, 2, 3, 4]}, chunk=2, output=tmp_path / "{index}.ipynb")
    assert sweep.wait(DEADLINE)
    assert isinstance(sweep[3], NotebookJob)
    assert sweep[3].result().values == {"d": 4}
    assert text_of(sweep[1].notebook().cells[2]).startswith("2\n")
    with pytest.raises(CellFailedError, match="ZeroDivisionError"):
        sweep[2].result()
    assert [run.values for run in sweep.results(return_exceptions=True)[:2]] == [{"d": 1}, {"d": 2}]
    assert sorted(path.name for path in tmp_path.glob("?.ipynb") if path.name != "t.ipynb") == [
        f"{n}.ipynb" for n in range(4)
    ]


def test_a_sweep_of_one_and_one_found_again(tmp_path):
    """A single run is a sweep, too; by id and from a pickle it is found with its parameters."""
    sweep = nbbatch.map_notebook(write(tmp_path / "t.ipynb", SCORE), [{"lr": 2, "depth": 3}])
    assert [run.values["score"] for run in sweep.results(DEADLINE)] == [6]
    for again in (nbbatch.job(sweep.id), pickle.loads(pickle.dumps(sweep))):
        assert isinstance(again, Sweep)
        assert again.frame().loc[0, ["lr", "depth", "score"]].tolist() == [2, 3, 6]


def test_the_summary_links_to_the_notebooks_with_failures_first(tmp_path, monkeypatch):
    """HTML for Jupyter, text elsewhere; values that look like HTML stay text."""
    monkeypatch.chdir(tmp_path)
    path = write(
        tmp_path / "t.ipynb",
        "import nbbatch\nif depth == 2: raise ValueError('<b>')\nnbbatch.record('d', '<i>')",
    )
    sweep = nbbatch.map_notebook(path, {"depth": [1, 2]}, output="my runs/{depth}.ipynb")
    sweep.wait(DEADLINE)
    sweep.collect()
    page = sweep.summary()._repr_html_()
    assert '<a href="my%20runs/1.ipynb"' in page
    assert page.index(">FAILED<") < page.index(">SUCCEEDED<")
    assert "&lt;i&gt;" in page
    assert "<b>" not in page
    text = str(sweep.summary())
    assert text.startswith("t: 2 runs, 1 FAILED, 1 SUCCEEDED · $")
    assert "ValueError: <b>" in text


def test_what_would_not_work_is_refused_before_anything_is_sent(tmp_path):
    """Outputs that meet, unknown names in them, parameters that the notebook lacks, no or two tables."""
    path = write(tmp_path / "t.ipynb", SCORE)
    grid = {"lr": [1, 2], "depth": [3]}
    with pytest.raises(OptionError, match="Runs 0 and 1 would both be saved"):
        nbbatch.map_notebook(path, grid, output="{depth}.ipynb")
    with pytest.raises(OptionError, match=r"dept is no parameter of run 0\. Did you mean 'depth'"):
        nbbatch.map_notebook(path, grid, output="{dept}.ipynb")
    with pytest.raises(OptionError, match="no parameter 'rate'"):
        nbbatch.map_notebook(path, {"rate": [1]})
    with pytest.raises(OptionError, match="either a table of parameters or a grid"):
        nbbatch.map_notebook(path)
    with pytest.raises(OptionError, match="are not parameters"):
        nbbatch.map_notebook(path, [1, 2])


@pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked where a process can adopt them")
def test_runs_that_share_a_child_share_nothing_else(tmp_path):
    """Their kernels are forked from one process that has run no code: each has its own variables, pid and dice."""
    source = """
import nbbatch, os, random, sys
nbbatch.record("seen", "mark" in globals())
nbbatch.record("pid", os.getpid())
nbbatch.record("dice", random.random())
nbbatch.record("forked", b"zygote" in open("/proc/self/cmdline", "rb").read())
nbbatch.record("path", [place for place in sys.path if place.endswith("runner.pyz")] == sys.path[-1:])
nbbatch.record("debugger", "debugpy" in sys.modules)
mark = os.environ.setdefault("MARK", str(depth)) == str(depth)
nbbatch.record("mark", mark)
"""
    sweep = nbbatch.map_notebook(write(tmp_path / "t.ipynb", source), {"depth": [1, 2, 3]}, chunk=3)
    runs = [run.values for run in sweep.results(DEADLINE)]
    assert [(run["seen"], run["mark"], run["forked"], run["path"]) for run in runs] == [
        (False, True, True, True)
    ] * 3
    assert not any(run["debugger"] for run in runs), "it would be half of a kernel's start"
    assert len({run["pid"] for run in runs}) == len({run["dice"] for run in runs}) == 3


def test_a_retry_of_packed_runs_repeats_only_the_failed_ones(tmp_path):
    """The others of their child keep what they have, and how long runs took is remembered for the next sweep."""
    marker = tmp_path / "marker"
    source = f"import nbbatch, os, pathlib\nif depth == 1 and not pathlib.Path({str(marker)!r}).exists(): 1 / 0\nnbbatch.record('pid', os.getpid())"
    path = write(tmp_path / "t.ipynb", source)
    sweep = nbbatch.map_notebook(path, {"depth": [1, 2, 3]}, chunk=3)
    before = [run.values for run in sweep.results(DEADLINE, return_exceptions=True)[1:]]
    marker.touch()
    after = [run.values for run in sweep.retry_failed().results(DEADLINE)]
    assert after[1:] == before
    assert after[0]["pid"] not in [run["pid"] for run in before]
    assert sweep.reader.bundle.measured_as
