"""A shell of IPython's own, and notebooks executed by nbclient in a kernel of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from traitlets.config import Config

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[InteractiveShell]:
    """An IPython shell without a terminal or a kernel, its history off."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    config = Config()
    config.HistoryManager.enabled = False
    yield InteractiveShell.instance(config=config)
    InteractiveShell.clear_instance()


@pytest.fixture
def execute(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., nbformat.NotebookNode]:
    """Execute cells as a notebook; errors stay in the outputs, as with allow_errors."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)

    def run(*sources: str, **environment: str) -> nbformat.NotebookNode:
        cells = [nbformat.v4.new_code_cell(source) for source in ("%load_ext nbbatch", *sources)]
        notebook = nbformat.v4.new_notebook(cells=cells)
        client = NotebookClient(notebook, timeout=120, kernel_name="python3", allow_errors=True)
        client.execute(env={**os.environ, "NBBATCH_HOME": str(home), **environment}, cwd=str(tmp_path))
        return notebook

    return run


def text_of(cell: nbformat.NotebookNode) -> str:
    """Everything a person reads below a cell."""
    parts = []
    for output in cell.outputs:
        if output.output_type == "stream":
            parts.append(output.text)
        elif output.output_type == "error":
            parts.append("\n".join(output.traceback))
        else:
            parts.append(output.data.get("text/plain", ""))
    return "\n".join(parts)
