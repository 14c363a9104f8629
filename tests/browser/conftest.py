"""What the flows share: one server, one daemon and one Chromium for a file, and a page for each test.

At the end of a test its page is photographed into `build/screenshots`, and the browser's console must
be empty of errors; a flow that makes the server refuse something says so with `expects`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "scripts"))

import front_end  # noqa: E402 - lies beside the scripts

PICTURES = ROOT / "build" / "screenshots"
_AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
_GRAVE = ("serious", "critical")
_RUN_AXE = "async place => (await axe.run(place, { resultTypes: ['violations'] })).violations"
_LONGEST = 30_000


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
