"""Arrays as columns, made up for tests and benchmarks: as the daemon would tell them."""

from __future__ import annotations

import heapq
from random import Random
from typing import Any

from nbbatch.client.arrays.children import Children, read_children

CREATED = 1_767_600_000_000


def an_array(
    size: int, *, until: float | None = None, slots: int = 40, hosts: int = 5, seed: int = 1
) -> Children:
    """An array of children that take about a minute each, on hosts with so many slots in all.

    Parameters
    ----------
    size : int
        Children.
    until : float, optional
        Seconds after it was submitted at which somebody looks; when all have ended otherwise.
    slots, hosts : int
        Children at once, and hosts that they share.
    seed : int
        Of durations and failures.
    """
    random = Random(seed)
    free = [(20.0 + 10 * random.random(), slot) for slot in range(slots)]
    heapq.heapify(free)
    rows: list[tuple[int, float, float, int, int, bool]] = []
    for index in range(size):
        start, slot = heapq.heappop(free)
        took = random.lognormvariate(4, 0.3) * (6 if random.random() < 0.004 else 1)
        lot = random.random()
        end = -1 if lot > 0.07 else min(int(lot * 100), len(ENDS) - 1)
        if lot > 0.97:
            rows.append((index, start, start + took / 2, slot % hosts, -1, True))
            start += took / 2 + 5
        rows.append((index, start, start + took, slot % hosts, end, False))
        heapq.heappush(free, (start + took + 1, slot))
    over = max(stop for _, _, stop, *_ in rows)
    return _children(rows, size, hosts, over if until is None else min(until, over))


ENDS: list[dict[str, Any]] = [
    {
        "status": "FAILED",
        "statusReason": "Essential container in task exited",
        "container": {"exitCode": 1},
        "startedAt": 0,
    },
    {
        "status": "FAILED",
        "statusReason": "Essential container in task exited",
        "container": {"exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"},
        "startedAt": 0,
    },
    {
        "status": "FAILED",
        "statusReason": "Job attempt duration exceeded timeout",
        "container": {},
        "startedAt": 0,
    },
    {
        "status": "FAILED",
        "statusReason": "Essential container in task exited",
        "container": {"exitCode": 3},
        "startedAt": 0,
    },
    {
        "status": "FAILED",
        "statusReason": "Host EC2 (instance i-0abc) terminated.",
        "container": {},
        "startedAt": 0,
    },
    {
        "status": "FAILED",
        "statusReason": "Task failed to start",
        "container": {"reason": "CannotPullContainerError: no such image"},
    },
    {
        "status": "FAILED",
        "statusReason": "Terminated from the notebook",
        "isTerminated": True,
        "container": {},
        "startedAt": 0,
    },
]


def _children(
    rows: list[tuple[int, float, float, int, int, bool]], size: int, hosts: int, until: float
) -> Children:
    statuses = ["2"] * size
    attempts: dict[str, list[Any]] = {
        name: [] for name in ("index", "startedAt", "stoppedAt", "host", "isLost")
    }
    failed: dict[str, list[Any]] = {"index": [], "stoppedAt": [], "end": []}
    for index, start, stop, host, end, is_lost in rows:
        if start > until:
            continue
        is_over = stop <= until
        for column, value in zip(
            attempts.values(),
            (index, _ms(start), _ms(stop) if is_over else None, host, is_lost and is_over),
            strict=True,
        ):
            column.append(value)
        statuses[index] = "4" if not is_over else "2" if is_lost else "6" if end >= 0 else "5"
        if is_over and end >= 0 and not is_lost:
            for column, value in zip(failed.values(), (index, _ms(stop), end), strict=True):
                column.append(value)
    told = {
        "statuses": "".join(statuses),
        "attempts": attempts,
        "failed": failed,
        "hosts": [f"i-{number:08x}" for number in range(hosts)],
        "ends": ENDS,
    }
    is_over = not {"2", "4"} & set(statuses)
    detail = {"createdAt": CREATED, **({"stoppedAt": _ms(until)} if is_over else {})}
    return read_children(told, detail, now=_ms(until))


def _ms(seconds: float) -> int:
    return CREATED + round(1000 * seconds)
