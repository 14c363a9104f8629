"""JupyterLab or the classic Notebook 7 in a real Chromium, with one notebook open that runs cell by cell.

For `scripts/pictures` and the tests of front ends. The server, its settings and its kernels are of
their own in a given folder, and NBBATCH_HOME is whatever the environment says.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Locator, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
NAME = "cells.ipynb"
EXTENSION = ROOT / "nbbatch" / "labextension"
"""What scripts/front-end builds."""
PAGES = {"jupyterlab": "doc/tree", "notebook": "notebooks"}
"""The front ends, by their Python modules, and the page of each that shows nothing but a notebook."""
FRONT_PAGES = {"jupyterlab": "lab", "notebook": "tree"}
"""The page that each begins with."""
LONGEST_RUN = 180_000
"""Milliseconds that a cell may take."""
_START = 180_000
_QUIET = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
_PLAIN = ".jp-cell-toolbar, .jp-toast-button, .jp-Collapser, .Toastify { display: none !important }"
_RUN = (
    "async (index) => { const widget = window.jupyterapp.shell.currentWidget.content;"
    " widget.activeCellIndex = index; widget.deselectAll();"
    " await window.jupyterapp.commands.execute('notebook:run-cell'); }"
)
_HAS_SIDEBAR = "() => window.jupyterapp?.commands.hasCommand('nbbatch:open')"
_IS_IDLE = "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"


def chromium() -> str | None:
    """The browser: `$CHROMIUM`, or what is on the path."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


class OpenNotebook:
    """A notebook in a browser's page.

    Parameters
    ----------
    page : playwright.sync_api.Page
        Shows it.
    path : Path
        Its file.
    """

    def __init__(self, page: Page, path: Path) -> None:
        self.page = page
        self.path = path

    def cell(self, index: int) -> Locator:
        """A cell with its outputs, as it is on the page."""
        return self.page.locator(".jp-CodeCell").nth(index)

    def run(self, index: int) -> Locator:
        """Run a cell to its end; gives it."""
        self.page.evaluate(_RUN, index)
        prompt = self.cell(index).locator(".jp-InputPrompt").element_handle()
        self.page.wait_for_function(
            "it => /\\[\\d+\\]/.test(it.textContent)", arg=prompt, timeout=LONGEST_RUN
        )
        self.page.wait_for_function(_IS_IDLE, timeout=LONGEST_RUN)
        return self.cell(index)

    def save(self) -> nbformat.NotebookNode:
        """Save it as a person would; gives what is in the file."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        return nbformat.read(self.path, as_version=4)


class OpenSidebar:
    """The sidebar of nbbatch in a browser's page.

    Parameters
    ----------
    page : playwright.sync_api.Page
        Shows it.

    Attributes
    ----------
    complaints : list of str
        Errors of the console, and exceptions that nobody caught.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.set_default_timeout(_START)
        page.on("console", lambda said: self._complain(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self._complain(str(error)))

    def _complain(self, text: str) -> None:
        if "ERR_NETWORK_CHANGED" not in text:  # as where containers come and go; it asks again
            self.complaints.append(text)

    def open(self, section: str) -> Locator:
        """Bring a section to the front; gives it."""
        self.page.evaluate(
            "section => window.jupyterapp.commands.execute('nbbatch:open', { section })", section
        )
        return self.page.locator(f"[data-section='{section}']")

    def job(self, job_id: str) -> Locator:
        """The row of a job in the list."""
        return self.page.locator(f"[data-job='{job_id}']")


@contextmanager
def opened(
    front_end: str, folder: Path, sources: Sequence[str], *, width: int = 1080, zoom: float = 1
) -> Iterator[OpenNotebook]:
    """These cells in a notebook of this folder, open in a front end of its own, the kernel idle."""
    path = folder / NAME
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    with _server(front_end, folder) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 1400}, device_scale_factor=zoom)
        page.goto(f"{address}/{PAGES[front_end]}/{NAME}?token=x")
        page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=_START)
        page.wait_for_function(_IS_IDLE, timeout=_START)
        page.add_style_tag(content=_PLAIN)
        yield OpenNotebook(page, path)
        browser.close()


@contextmanager
def sidebar(
    front_end: str, folder: Path, *, width: int = 1280, height: int = 900, zoom: float = 1
) -> Iterator[OpenSidebar]:
    """A front end of its own with the sidebar open, in front of an empty folder."""
    with _server(front_end, folder) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=zoom)
        opened = OpenSidebar(page)
        page.goto(f"{address}/{FRONT_PAGES[front_end]}?token=x")
        page.wait_for_function(_HAS_SIDEBAR, timeout=_START)
        page.evaluate("() => window.jupyterapp.restored")
        opened.open("jobs")
        yield opened
        browser.close()


@contextmanager
def _server(front_end: str, folder: Path) -> Iterator[str]:
    """A server of its own in this folder; gives its address."""
    settings = folder / "settings" / "labconfig"
    settings.mkdir(parents=True)
    (settings / "page_config.json").write_text(json.dumps(_QUIET))
    options = ("--no-browser", "--allow-root", "--port=0", "--expose-app-in-browser", "--ServerApp.token=x")
    routes = "--ServerApp.jpserver_extensions={'nbbatch': True}"  # as the wheel's file says
    log = folder / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", front_end, *options, routes],
            cwd=folder,
            env=_environment(folder),
            stderr=output,
        )
    try:
        yield _address(server, log)
    finally:
        server.terminate()
        server.wait()


def _environment(folder: Path) -> Mapping[str, Any]:
    inherited = {name: value for name, value in os.environ.items() if name not in ("CI", "NO_COLOR")}
    own = {"PYTHONPATH": str(ROOT), "IPYTHONDIR": str(folder / "ipython"), "JUPYTER_PLATFORM_DIRS": "1"}
    own["JUPYTER_PATH"] = str(_extensions(folder))
    places = {"CONFIG": "settings", "DATA": "data", "RUNTIME": "runtime"}
    return {**inherited, **own, **{f"JUPYTER_{key}_DIR": str(folder / name) for key, name in places.items()}}


def _extensions(folder: Path) -> Path:
    """A Jupyter path with this checkout's extension, whichever one is installed."""
    place = folder / "share" / "labextensions"
    place.mkdir(parents=True)
    (place / "nbbatch").symlink_to(EXTENSION)
    return place.parent


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    """Where the server says it listens."""
    deadline = time.monotonic() + _START / 1000
    while server.poll() is None and time.monotonic() < deadline:
        if found := re.search(r"http://(127\.0\.0\.1|localhost):\d+(?=/)", log.read_text()):
            return found[0]
        time.sleep(0.05)
    raise RuntimeError(f"{server.args} did not start:\n{log.read_text()}")
