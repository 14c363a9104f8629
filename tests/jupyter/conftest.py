"""A shell of IPython's own in the test's process, and notebooks executed in a kernel of their own."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from traitlets.config import Config

from nbbatch.client import session

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[InteractiveShell]:
    """An IPython shell without a terminal or a kernel, its history off."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setattr(sys, "displayhook", sys.displayhook)
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    main = sys.modules["__main__"]
    made = InteractiveShell.instance(config=config)
    yield made
    session.forget()
    InteractiveShell.clear_instance()
    atexit.unregister(
        made.atexit_operations
    )  # else it is kept to the end, when each shell takes a whole collection
    sys.modules["__main__"] = main


@pytest.fixture
def batch_shell(shell: InteractiveShell, shared_daemon: object) -> InteractiveShell:
    """The shell with the extension loaded and a daemon that runs jobs as processes."""
    shell.run_line_magic("load_ext", "nbbatch")
    return shell


@pytest.fixture
def kernel_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """Environment of a kernel that imports nbbatch from here and shows text, not live displays."""
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    hidden = ("CI", "NO_COLOR", "JPY_SESSION_NAME")
    inherited = {name: value for name, value in os.environ.items() if name not in hidden}
    return {**inherited, "PYTHONPATH": str(ROOT), "IPYTHONDIR": str(tmp_path / "ipython")}


@pytest.fixture
def execute(
    shared_daemon: object, kernel_environment: dict[str, str], tmp_path: Path
) -> Callable[..., nbformat.NotebookNode]:
    """Execute cells as a notebook; errors stay in the outputs unless `stops` is asked for."""

    def run(*sources: str, stops: bool = False, **environment: str) -> nbformat.NotebookNode:
        cells = [nbformat.v4.new_code_cell(source) for source in ("%load_ext nbbatch", *sources)]
        notebook = nbformat.v4.new_notebook(cells=cells)
        patience = {"timeout": 240, "iopub_timeout": 60}  # else outputs that come late are dropped
        client = NotebookClient(notebook, kernel_name="python3", allow_errors=not stops, **patience)
        try:
            client.execute(env={**kernel_environment, **environment}, cwd=str(tmp_path))
        finally:
            notebook.cells.pop(0)
        return notebook

    return run
