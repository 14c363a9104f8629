"""What does a refresh of an array's panel cost, and what does a 20-minute run leave in the saved notebook?"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from benchmarks.figures_refresh import CREATED, FEW, MANY, answer, processor_time
from benchmarks.harness import Bench, tell
from nbbatch.client.arrays.children import read_children
from nbbatch.client.handles.handle import Account
from nbbatch.jupyter.panels.array_frame import FIGURES, ArrayNumbers, draw
from nbbatch.jupyter.panels.frame import Frame, figure_bundle
from nbbatch.jupyter.panels.pace import Pace

RUN = 20 * 60.0
"""Seconds that somebody lets a panel run."""


def frame_of(size: int) -> Frame:
    """One refresh, from the daemon's answer to what is shown."""
    now = CREATED + 200 * size + 100_000
    detail: dict[str, Any] = {
        "jobId": "0f2c5a61-1111-2222-3333-444455556666",
        "jobName": "score",
        "status": "PENDING",
        "createdAt": CREATED,
        "arrayProperties": {"size": size, "statusSummary": {"SUCCEEDED": size // 2}},
    }
    account = Account(
        on_demand=1.5, spot=0.5, seconds=1e5, cpu_seconds=None, peak_memory=None, instance_type=""
    )
    children = read_children(answer(size), detail, now=now)
    return draw(ArrayNumbers(detail=detail, children=children, account=account, now=now / 1000))


def refresh(size: int, figure: str = "") -> Callable[[], int]:
    """A refresh, with one of the figures below the panel; gives the bytes of what is saved of it."""

    def go() -> int:
        frame = frame_of(size)
        bundles = [frame.bundle()]
        if figure and frame.figures:
            bundles.append(figure_bundle(frame.figures[figure]()))
        return len(json.dumps(bundles))

    return go


def frames_in(seconds: float) -> int:
    """Frames of a run in which something changes all the time."""
    pace, at, frames = Pace(), 0.0, 0
    while at < seconds:
        at, frames = at + pace.least(at), frames + 1
    return frames


def run(bench: Bench) -> None:
    for figure in ("", *FIGURES):
        many, few = refresh(MANY, figure), refresh(FEW, figure)
        sides = {f"{MANY:,} children": processor_time(many), f"{FEW} children": processor_time(few)}
        name = f"a panel with {figure}" if figure else "a panel without a figure"
        bench.compare(f"refresh of {name}", sides)
        tell("saved", f"{many() / 1000:.0f} kB, of {FEW} children {few() / 1000:.0f} kB")
    sent = frames_in(RUN)
    tell(
        "20 minutes",
        f"{sent} frames; the notebook keeps the last one and one figure: at most "
        f"{max(refresh(MANY, figure)() for figure in FIGURES) / 1000:.0f} kB",
    )
