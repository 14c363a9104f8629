"""What the flows share: one server, one daemon and one Chromium for a file, and a page for each test.

At the end of a test its page is photographed into `build/screenshots`, and the browser's console must
be empty of errors; a flow that makes the server refuse something says so with `expects`.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Request

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "scripts"))

import front_end  # noqa: E402 - lies beside the scripts

if TYPE_CHECKING:
    from nbbatch.client.arrays.array_jobs import ArrayJob

PICTURES = ROOT / "build" / "screenshots"
_AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
_GRAVE = ("serious", "critical")
# JupyterLab's body has no height of its own, in which axe takes everything for hidden
_RUN_AXE = (
    "async place => { document.body.style.height = '100vh';"
    " const where = { include: [place], exclude: ['[class*=ansi-]'] };"  # a program's colours are JupyterLab's
    " const { violations } = await axe.run(where, { resultTypes: ['violations'] });"
    " document.body.style.height = ''; return violations; }"
)
_LONGEST = 60_000


class Flow(front_end.Desk):
    """The page of a test."""

    def __init__(self, front: front_end.FrontEnd, name: str) -> None:
        super().__init__(front)
        self.name = name
        self.page.set_default_timeout(_LONGEST)

    def picture(self, what: str) -> None:
        """Photograph the page as it is."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{self.name}-{what}.png")

    def expects(self, *words: str) -> None:
        """Forget what the console says of these: the browser logs every refusal of a server."""
        self.complaints = [one for one in self.complaints if not any(word in one for word in words)]

    def notebook_here(self, path: Path) -> front_end.OpenNotebook:
        """The notebook that the page shows, once its kernel is idle."""
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        self.page.wait_for_function(front_end.IS_IDLE)
        return front_end.OpenNotebook(self.page, path)

    @contextmanager
    def saving(self, *words: str) -> Iterator[None]:
        """Do something, and wait until JupyterLab has saved a workspace with these words in it."""

        def has_all(request: Request) -> bool:
            saved = request.post_data or "" if "/api/workspaces/" in request.url else ""
            return all(word in saved for word in words)

        with self.page.expect_request_finished(has_all):
            yield

    def mark_outputs(self) -> None:
        """Number the outputs of the notebook's cells: `data-output`."""
        self.page.evaluate(
            "() => document.querySelectorAll('.jp-CodeCell').forEach((cell, index) =>"
            " { cell.querySelector('.jp-Cell-outputArea').dataset.output = index; })"
        )

    def faults(self, place: str) -> list[str]:
        """Serious faults that axe finds in this part of the page: rule, element and why."""
        self.settled()
        self.page.evaluate(_AXE.read_text())
        found = self.page.evaluate(_RUN_AXE, place)
        return [
            f"{fault['id']}: {node['target']} {node['failureSummary']}"
            for fault in found
            if fault["impact"] in _GRAVE
            for node in fault["nodes"]
        ]


def crowd() -> ArrayJob:
    """An array that asks for more vCPUs than the queue may have: whatever is submitted after it waits."""
    import nbbatch

    cores = os.cpu_count() or 1
    return nbbatch.map(
        time.sleep, [600] * 4 * cores, chunk=1, vcpus=min(2, cores), memory="128M", name="crowd"
    )


@pytest.fixture(scope="module")
def lab(shared_daemon, tmp_path_factory) -> Iterator[front_end.FrontEnd]:
    """JupyterLab with a server of this file's own."""
    with front_end.running("jupyterlab", tmp_path_factory.mktemp("lab")) as front:
        yield front


@pytest.fixture
def flow(lab, request) -> Iterator[Flow]:
    """A page of JupyterLab in a workspace of this test's own; nothing may be wrong in its console."""
    with flow_of(lab, request.node.name) as flow:
        flow.go(f"lab/workspaces/{flow.name}")
        # JupyterLab brings them to the front of a new workspace, after it says that it has started
        for one in (".jp-FileBrowser", ".jp-LauncherCard"):
            flow.page.locator(one).locator("visible=true").first.wait_for()
        yield flow


@contextmanager
def flow_of(front: front_end.FrontEnd, test: str) -> Iterator[Flow]:
    """A page that is photographed at the end, and whose console must then be empty of errors."""
    flow = Flow(front, re.sub(r"\W+", "-", test.removeprefix("test_")).strip("-").replace("_", "-"))
    try:
        yield flow
        assert flow.complaints == []
    finally:
        flow.picture("end")
        flow.page.context.close()
