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
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
FIGURE = "application/vnd.plotly.v1+json"


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
def test_a_notebook_runs(path: Path, home: Path) -> None:
    """A notebook runs to its end with nothing prepared, on whatever executor this machine has."""
    assert any(cell.cell_type == "code" for cell in execute(path).cells)


@pytest.mark.slow
def test_the_first_notebook_shows_what_it_tells(home: Path) -> None:
    """Its jobs bring back numbers, an array's pieces in order, and two figures."""
    cells = {cell.id: cell for cell in execute(ROOT / "notebooks" / "01_first_batch_cell.ipynb").cells}
    figures = [
        output
        for cell in cells.values()
        for output in cell.get("outputs", ())
        if FIGURE in output.get("data", {})
    ]
    assert len(figures) == 2
    assert "2007: 4.99 years" in text_of(cells["job"])
    assert "SUCCEEDED" in text_of(cells["job"])
    assert "Off by 5.3 years" in text_of(cells["gather"])


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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    """Outputs are made by running a notebook; the repository keeps the clean one."""
    cells = nbformat.read(path, as_version=4).cells
    assert not [cell.id for cell in cells if cell.get("outputs") or cell.get("execution_count")]
