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
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from playwright.sync_api import Browser, Locator, Page, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

ROOT = Path(__file__).resolve().parent.parent
NAME = "cells.ipynb"
EXTENSION = ROOT / "nbbatch" / "labextension"
"""What scripts/front-end builds."""
PAGES = {"jupyterlab": "doc/tree", "notebook": "notebooks"}
"""The front ends, by their Python modules, and the page of each that shows nothing but a notebook."""
FRONT_PAGES = {"jupyterlab": "lab", "notebook": "tree"}
"""The page that each begins with."""
LONGEST_RUN = 300_000
"""Milliseconds that a cell may take."""
_START = 180_000
_NOT_OURS = (
    "ERR_NETWORK_CHANGED",  # as where containers come and go; it asks again
    "Cannot read properties of undefined (reading 'schema')",  # Notebook 7.6, also without any extension
)
_QUIET = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
_PLAIN = ".jp-cell-toolbar, .jp-toast-button, .jp-Collapser, .Toastify { display: none !important }"
_RUN = (
    "async (index) => { const widget = window.jupyterapp.shell.currentWidget.content;"
    " widget.activeCellIndex = index; widget.deselectAll();"
    " await window.jupyterapp.commands.execute('notebook:run-cell'); }"
)
_HOLDS = (
    "([cell, words]) => { const text = (cell.querySelector('.jp-OutputArea')?.innerText ?? '').replace(/\\s+/g, ' ');"
    " return words.every(word => text.includes(word)); }"
)
IS_IDLE = "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"


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

    def start(self, index: int) -> Locator:
        """Run a cell as a person does, with a click and a key, and go on; gives it."""
        self.cell(index).locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")
        return self.cell(index)

    def run(self, index: int) -> Locator:
        """Run a cell to its end; gives it."""
        self.page.evaluate(_RUN, index)
        prompt = self.cell(index).locator(".jp-InputPrompt").element_handle()
        self.page.wait_for_function(
            "it => /\\[\\d+\\]/.test(it.textContent)", arg=prompt, timeout=LONGEST_RUN
        )
        self.page.wait_for_function(IS_IDLE, timeout=LONGEST_RUN)
        return self.cell(index)

    def says(self, index: int, *words: str) -> None:
        """Wait until all these words stand in a cell's outputs, which JupyterLab draws one by one."""
        cell = self.cell(index)
        try:
            self.page.wait_for_function(_HOLDS, arg=[cell.element_handle(), [*words]])
        except PlaywrightTimeoutError as error:
            raise AssertionError(f"not all of {words} in {cell.inner_text()}") from error

    def save(self) -> nbformat.NotebookNode:
        """Save it as a person would; gives what is in the file."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        return nbformat.read(self.path, as_version=4)


class Desk:
    """The page of a front end as a person uses it, with the sidebar of nbbatch.

    Parameters
    ----------
    front : FrontEnd
        Its server and browser.

    Attributes
    ----------
    page : playwright.sync_api.Page
        Shows it.
    complaints : list of str
        Errors of the console, and exceptions that nobody caught.
    """

    def __init__(self, front: FrontEnd, *, width: int = 1280, height: int = 900, zoom: float = 1) -> None:
        self.front = front
        self.page = front.page(width=width, height=height, zoom=zoom)
        self.complaints: list[str] = []
        self._network_changed = False
        self.page.set_default_timeout(_START)
        self.page.on("console", lambda said: self._complain(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self._complain(str(error)))

    def _complain(self, text: str) -> None:
        self._network_changed = self._network_changed or "ERR_NETWORK_CHANGED" in text
        is_its_echo = self._network_changed and text == "Failed to fetch"  # JupyterLab's own: ours tell more
        if not is_its_echo and not any(words in text for words in _NOT_OURS):
            self.complaints.append(text)

    def go(self, where: str = "") -> None:
        """Show this page of the front end, else its first one, and wait until the application has started."""
        self.page.goto(self.front.url(where or FRONT_PAGES[self.front.program]))
        self.ready()

    def ready(self) -> None:
        """Wait until the application has started."""
        self.page.wait_for_function("() => window.jupyterapp?.restored.then(() => true)")

    def command(self, name: str, **arguments: Any) -> None:
        """Run a command as the palette does."""
        script = "([name, args]) => { window.jupyterapp.commands.execute(name, args); }"
        self.page.wait_for_function("name => window.jupyterapp.commands.hasCommand(name)", arg=name)
        self.page.evaluate(script, [name, arguments])

    def open(self, section: str) -> Locator:
        """Bring a section to the front; gives it."""
        self.command("nbbatch:open", section=section)
        return self.page.locator(f"[data-section='{section}']")

    def job(self, job_id: str) -> Locator:
        """The row of a job in the list."""
        return self.page.locator(f"[data-job='{job_id}']")

    def detail(self, job_id: str) -> Locator:
        """The document of a job."""
        return self.page.locator(f"[data-detail='{job_id}']")

    def log(self, job_id: str) -> Locator:
        """The document of a job's log."""
        return self.page.locator(f"[data-log='{job_id}']")

    def theme(self, name: str) -> None:
        """Switch to `Light` or `Dark`."""
        self.command("apputils:change-theme", theme=f"JupyterLab {name}")
        light = str(name == "Light").lower()
        self.page.locator(f"body[data-jp-theme-light='{light}']").wait_for(state="attached")

    def notebook(self, name: str, cells: Sequence[NotebookNode | str]) -> OpenNotebook:
        """Write a notebook into the server's folder and open it, its kernel idle."""
        path = write_notebook(self.front.folder / name, cells)
        self.command("docmanager:open", path=name, factory="Notebook")
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        self.page.wait_for_function(IS_IDLE)
        return OpenNotebook(self.page, path)

    def settled(self) -> None:
        """Wait until no picture or colour is on its way to another one."""
        self.page.wait_for_function(
            "() => document.getAnimations().every(one => one.playState !== 'running')"
        )


class FrontEnd:
    """A front end's server and a Chromium.

    Parameters
    ----------
    program : str
        A key of `PAGES`.
    address : str
        Of the server.
    folder : Path
        Where it was started: its files.
    browser : playwright.sync_api.Browser
        The Chromium.
    """

    def __init__(self, program: str, address: str, folder: Path, browser: Browser) -> None:
        self.program = program
        self.address = address
        self.folder = folder
        self._browser = browser

    def page(self, *, width: int, height: int, zoom: float = 1) -> Page:
        """An empty page of a browser that knows nothing yet."""
        size: Any = {"width": width, "height": height}
        return self._browser.new_context(viewport=size, device_scale_factor=zoom).new_page()

    def url(self, where: str) -> str:
        """Address of a page of the front end."""
        return f"{self.address}/{where}?token=x"


def write_notebook(path: Path, cells: Sequence[NotebookNode | str]) -> Path:
    """A notebook of these cells; text is code."""
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    all_cells = [nbformat.v4.new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=all_cells, metadata={"kernelspec": kernel}), path)
    return path


@contextmanager
def running(front_end: str, folder: Path, *, routes: bool = True) -> Iterator[FrontEnd]:
    """A front end's server in this folder, with or without our routes, and a Chromium for its pages."""
    with _server(front_end, folder, routes=routes) as address, _browsers.opened() as browser:
        yield FrontEnd(front_end, address, folder, browser)


class _Browsers:
    """One Chromium for all front ends that are there at a time: Playwright's synchronous form knows no second."""

    def __init__(self) -> None:
        self._users = 0
        self._stack = ExitStack()
        self._browser: Browser | None = None

    @contextmanager
    def opened(self) -> Iterator[Browser]:
        """The browser, which goes with its last user."""
        if self._browser is None:
            playwright = self._stack.enter_context(sync_playwright())
            self._browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
            self._stack.callback(self._browser.close)
        self._users += 1
        try:
            yield self._browser
        finally:
            self._users -= 1
            if self._users == 0:
                self._browser = None
                self._stack.close()


_browsers = _Browsers()


def browsing() -> AbstractContextManager[Browser]:
    """The same Chromium, for a page that needs no server."""
    return _browsers.opened()


@contextmanager
def opened(
    front_end: str, folder: Path, sources: Sequence[str], *, width: int = 1080, zoom: float = 1
) -> Iterator[OpenNotebook]:
    """These cells in a notebook of this folder, open in a front end of its own, the kernel idle."""
    path = write_notebook(folder / NAME, sources)
    with running(front_end, folder) as front:
        page = front.page(width=width, height=1400, zoom=zoom)
        page.set_default_timeout(_START)
        page.goto(front.url(f"{PAGES[front_end]}/{NAME}"))
        page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        page.wait_for_function(IS_IDLE)
        page.add_style_tag(content=_PLAIN)
        yield OpenNotebook(page, path)


@contextmanager
def _server(front_end: str, folder: Path, *, routes: bool) -> Iterator[str]:
    """A server of its own in this folder; gives its address."""
    settings = folder / "settings" / "labconfig"
    settings.mkdir(parents=True)
    (settings / "page_config.json").write_text(json.dumps(_QUIET))
    options = ("--no-browser", "--allow-root", "--port=0", "--expose-app-in-browser", "--ServerApp.token=x")
    extensions = f"--ServerApp.jpserver_extensions={{'nbbatch': {routes}}}"  # as the wheel's file says
    log = folder / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", front_end, *options, extensions],
            cwd=folder,
            env=_environment(folder),
            stderr=output,
        )
    try:
        yield _address(server, log)
    finally:
        server.terminate()
        _await_end(server)


def _await_end(server: subprocess.Popen[bytes]) -> None:
    """Wait until it has gone; one that waits for a kernel that is just starting does not go by itself."""
    try:
        server.wait(60)
    except subprocess.TimeoutExpired:
        server.kill()
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
