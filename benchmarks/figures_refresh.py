"""What does a refresh of an array's figures cost, in Python time and in JSON, at 10,000 children?"""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random
from typing import Any

from benchmarks.harness import Bench, Side, tell
from nbbatch.client.arrays.children import read_children
from nbbatch.jupyter.figures.figure import OF_CHILDREN

MANY, FEW = 10_000, 100
CREATED = 1_767_600_000_000
PANEL = ("progress", "states", "throughput")
"""What a panel shows of an array that runs."""


def answer(size: int) -> dict[str, Any]:
    """The daemon's answer about an array of which two thirds have ended and one in twenty has failed."""
    random = Random(1)
    over = range(size * 2 // 3)
    started = [CREATED + 200 * index for index in over]
    failed = [index for index in over if index % 20 == 0]
    end = {"status": "FAILED", "container": {"exitCode": 1}, "startedAt": 0}
    return {
        "statuses": "".join("6" if index % 20 == 0 else "5" for index in over) + "2" * (size - len(over)),
        "attempts": {
            "index": list(over),
            "startedAt": started,
            "stoppedAt": [start + random.randrange(30_000, 90_000) for start in started],
            "host": [index % 12 for index in over],
            "isLost": [False] * len(over),
        },
        "failed": {
            "index": failed,
            "stoppedAt": [started[index] + 60_000 for index in failed],
            "end": [0] * len(failed),
        },
        "hosts": [f"i-{number:08x}" for number in range(12)],
        "ends": [end],
    }


def refresh(size: int, kinds: tuple[str, ...]) -> Callable[[], int]:
    """Read an answer, draw, and make JSON of it; gives the JSON's length."""
    told = answer(size)
    now = CREATED + 200 * size + 100_000

    def go() -> int:
        children = read_children(told, {"createdAt": CREATED}, now=now)
        return sum(len(OF_CHILDREN[kind](children, "auto").to_json()) for kind in kinds)

    return go


def processor_time(go: Callable[[], int]) -> Side:
    """Milliseconds of a turn; neighbours on the machine do not count."""

    def side() -> float:
        began = time.process_time()
        go()
        return (time.process_time() - began) * 1000

    return side


def run(bench: Bench) -> None:
    groups = {"a panel's": PANEL, **{kind: (kind,) for kind in OF_CHILDREN}}
    for name, kinds in groups.items():
        many, few = refresh(MANY, kinds), refresh(FEW, kinds)
        sides = {f"{MANY:,} children": processor_time(many), f"{FEW} children": processor_time(few)}
        bench.compare(f"refresh of {name} figure{'s' * (len(kinds) > 1)}", sides)
        tell("JSON", f"{many() / 1000:.0f} kB, of {FEW} children {few() / 1000:.0f} kB")
