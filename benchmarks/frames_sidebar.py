"""How long are the frames of a real Chromium while 5,000 jobs are scrolled, beside the same page at rest?"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.harness import Bench, CannotRunError, local_daemon
from benchmarks.sidebar_list import fill

JOBS, FRAMES = 5_000, 240
LATE = 34
"""Milliseconds after which a frame of 60 a second has been dropped."""
_SCROLL = """async ([count, step]) => {
  const list = document.querySelector('.nb-JobList');
  list.scrollTop = 0;
  const frames = [];
  let last = performance.now();
  for (let frame = 0; frame < count; frame++) {
    list.scrollTop += step;
    await new Promise(requestAnimationFrame);
    frames.push(performance.now() - last);
    last += frames.at(-1);
  }
  return frames;
}"""
_STEP = 300
"""Pixels a frame: a fast flick."""


def run(bench: Bench) -> None:
    sys.path.append(str(Path(__file__).resolve().parent.parent / "scripts"))
    import front_end

    if front_end.chromium() is None or not front_end.EXTENSION.is_dir():
        raise CannotRunError("no Chromium, or no front end that is built")
    with local_daemon("process") as backend, tempfile.TemporaryDirectory() as folder:
        fill(backend, JOBS)
        with front_end.running("jupyterlab", Path(folder)) as front:
            desk = front_end.Desk(front)
            desk.go()
            desk.open("jobs").locator("[data-job]").first.wait_for()
            for title, unit, of in (
                ("the longest frame", "ms", max),
                (f"frames of {FRAMES} that were dropped", "", late),
            ):
                bench.compare(title, sides(desk.page, of), unit=unit)


def sides(page: Any, of: Callable[[list[float]], float]) -> dict[str, Callable[[], float]]:
    def frames(step: int) -> float:
        return of(page.evaluate(_SCROLL, [FRAMES, step]))

    return {
        f"{JOBS:,} jobs scrolled, {_STEP} pixels a frame": lambda: frames(_STEP),
        "at rest": lambda: frames(0),
    }


def late(frames: list[float]) -> float:
    """How many came later than the next one was due."""
    return float(sum(frame > LATE for frame in frames))
