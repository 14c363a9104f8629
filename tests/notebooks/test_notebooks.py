"""Every notebook and every example runs from top to bottom, as a reader would run it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted(
    path for path in (ROOT / "notebooks").glob("*.ipynb") if not path.name.endswith(".executed.ipynb")
)
SWEPT = sorted((ROOT / "notebooks" / "sweep").glob("*.ipynb"))
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
FIGURE = "application/vnd.plotly.v1+json"
SHOWN = {
    "01_first_batch_cell.ipynb": {
        "job": "2007: 4.99 years, between 4.53 and 5.45",
        "array": "SUCCEEDED: 20 items",
        "gather": "Off by 5.3 years",
        "python": "1952: 6.1 years",
        "jobs": "slope",
    },
    "02_arrays_and_dataframes.ipynb": {
        "array": "SUCCEEDED: 10 items",
        "completed": "'seed': ",
        "failed": "item 2 of 8 ('C': east=1.10687, ",
        "retry": "Without C: 15 of 30 tries are done",
        "answer": "Most missed: depot B. Without it",
    },
    "03_parameter_sweep.ipynb": {
        "one": "{'gain_2018': -3.82, 'gain_2019': 0.03}",
        "table": "runs/weeks=1,follow=-0.25.ipynb",
        "answer": "+6.0 % in 2018, -2.8 % in 2019",
        "failed": "2 runs, 1 FAILED, 1 SUCCEEDED",
        "cell": "sliding_window_view(prices, weeks + 2)",
        "papermill": "7/7",
    },
    "04_pipelines.ipynb": {
        "handles": "PENDING",
        "result": "0.9855",
        "after": "The table is there.",
        "drawn": "FAILED (dependency failed)",
        "failed": "KeyError",
        "fix": "enough          SUCCEEDED",
        "enough": "800",
        "again": "nothing was sent",
    },
}
"""Text that cells show, by notebook and cell."""
FIGURES = {
    "01_first_batch_cell.ipynb": ["job", "figure"],
    "02_arrays_and_dataframes.ipynb": ["elbow", "metrics", "map"],
    "03_parameter_sweep.ipynb": ["figure"],
    "04_pipelines.ipynb": ["answer"],
}
"""Cells that show a figure."""


def execute(path: Path) -> Any:
    """The notebook with its outputs; a cell that fails raises."""
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    return NotebookClient(notebook, kernel_name="python3", timeout=240, resources=resources).execute()


def text_of(cell: Any) -> str:
    """All that a cell shows, as text."""
    return "\n".join(
        output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs
    )


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_and_shows_what_it_tells(
    path: Path, home: Path, python_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notebook runs to its end with nothing prepared; its numbers and figures come back from jobs."""
    monkeypatch.setenv("PYTHONPATH", python_path)
    cells = {cell.id: cell for cell in execute(path).cells if cell.cell_type == "code"}
    for cell_id, expected in SHOWN.get(path.name, {}).items():
        assert expected in text_of(cells[cell_id])
    figures = [
        cell_id
        for cell_id, cell in cells.items()
        if any(FIGURE in output.get("data", {}) for output in cell.outputs)
    ]
    assert figures == FIGURES.get(path.name, [])


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs(path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An example ends well in a shell that was given the daemon's address and key."""
    monkeypatch.setenv("PATH", sysconfig.get_path("scripts"), prepend=os.pathsep)
    monkeypatch.setenv("IMAGE", "nbbatch-test/python:3.11")
    shell = f'eval "$(nbbatch local env)" && exec {sys.executable} {path}'
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout


@pytest.mark.parametrize("path", [*NOTEBOOKS, *SWEPT], ids=lambda path: path.name)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    """Outputs are made by running a notebook; the repository keeps the clean one."""
    cells = nbformat.read(path, as_version=4).cells
    assert not [cell.id for cell in cells if cell.get("outputs") or cell.get("execution_count")]
