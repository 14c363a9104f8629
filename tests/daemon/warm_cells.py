"""Cells as attempts of the process executor, and how to get them from a warm interpreter."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from executor_contract import DEADLINE, Bench
from process_kind import markers

from nbbatch.client.bundle import pack
from nbbatch.client.packing.payloads import Cell
from nbbatch.client.store import FolderStore
from nbbatch.daemon.spawner_link import mark_of
from nbbatch.daemon.spawner_protocol import marker_of

IS_WARM = "import sys; print('warm' if 'nbbatch_runner.warm' in sys.modules else 'fresh')\n"
"""Begins a cell that says how it was started."""


def cell(bench: Bench, source: str, *, python: str = sys.executable, environment=None, memory=256, **options):
    """An attempt that runs a cell in this environment."""
    packed = pack(
        Cell(source=IS_WARM + source),
        FolderStore(bench.home),
        namespace={},
        python=python,
        is_same_environment=python == sys.executable,
    )
    variables = {**packed.environment, **(environment or {})}
    return bench.order(*packed.command, environment=variables, memory=memory, **options)


def is_warm(bench: Bench, order) -> bool:
    return bench.log(order).startswith("warm\n")


async def warm_up(bench: Bench, **options) -> None:
    """Run jobs until one comes from a warm interpreter."""
    deadline = time.monotonic() + DEADLINE
    while True:
        order = cell(bench, "1 + 1", **options)
        assert (await bench.run(order)).exit_code == 0, bench.log(order)
        if is_warm(bench, order):
            return
        assert time.monotonic() < deadline, "nothing gets warm"


async def run_warm(bench: Bench, source: str, **options):
    """Run a cell from a warm interpreter; gives the attempt's order and end.

    On a machine that stalls an interpreter may be given up, and the cell starts afresh: then another one is run.
    """
    deadline = time.monotonic() + DEADLINE
    while True:
        await warm_up(bench)
        order = cell(bench, source, **options)
        end = await bench.run(order)
        if is_warm(bench, order):
            return order, end
        assert time.monotonic() < deadline, "it does not stay warm"


async def started_warm(bench: Bench, source: str, **options):
    """Start a cell from a warm interpreter, as `run_warm` does; it prints `ready`."""
    deadline = time.monotonic() + DEADLINE
    while True:
        await warm_up(bench)
        order = cell(bench, source, **options)
        bench.start(order)
        await bench.says(order, "ready")
        if is_warm(bench, order):
            return order
        bench.stop(order, grace_seconds=0)
        await bench.end(order)
        assert time.monotonic() < deadline, "it does not stay warm"


def interpreters(home: Path) -> list[int]:
    """Pids of the warm interpreters of a home."""
    return [pid for pid, value in markers().items() if value == marker_of(mark_of(home), ("", 0))]
