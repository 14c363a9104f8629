"""The executor of a simulation: it takes the scheduler's effects and says what became of them, and when.

It runs nothing. What will happen is an event in a heap under the virtual clock; the simulation hands
each to the reactor when its time has come, as a daemon does with an executor's reports. What real
executors decide for themselves is played here: how long an attempt takes to start, to run and to stop,
and a machine that has room for only so many at once.

An end tells when the attempt had started, as real executors' reports do. A start is reported by itself
only where something follows from it before the end: a timeout or a budget. Else it would be half of
all events, and decide nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from msgspec import Struct

from nbbatch.model.events import (
    AttemptExited,
    AttemptStarted,
    StopAttempt,
)
from nbbatch.model.jobs import JobId
from nbbatch.model.resources import Resources
from nbbatch.scheduler.orders import Placed, Step
from nbbatch.scheduler.workload import MS, Work

if TYPE_CHECKING:
    from random import Random

Report = AttemptStarted | AttemptExited
TERMINATED = 143
"""Exit code of a container that obeys SIGTERM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What executors do that no event of the scheduler decides.

    Parameters
    ----------
    start : float
        Seconds from an attempt's placement until it runs: image, container.
    stop : float
        Seconds from SIGTERM to the end; never longer than the notice.
    machine : Resources or None
        What the one machine behind all hosts can run at once; None where every host is real.
    """

    start: float = 0.0
    stop: float = 0.0
    machine: Resources | None = None


class _Order(Struct):
    """An attempt under way; its job's progress may stand at a later one already.

    `started_at` is known once the machine has room for it.
    """

    attempt: int
    placed: Placed
    started_at: int | None = None


_Expected = tuple[int, int, JobId, int, int | None]
"""When, in which order, of which attempt; its exit code, or None for its start."""


class VirtualExecutor:
    """Plays what happens to attempts.

    Parameters
    ----------
    chance : Random
        Draws what attempts after the first one do.
    tells_starts : bool
        Whether every start is reported by itself.
    """

    def __init__(self, conditions: Conditions, chance: Random, *, tells_starts: bool = False) -> None:
        self.work: dict[JobId, Work] = {}
        self._conditions = conditions
        self._chance = chance
        self._heap: list[_Expected] = []
        self._pushed = 0
        self._under_way: dict[JobId, _Order] = {}
        self._waiting: OrderedDict[JobId, _Order] = OrderedDict()
        self._room = conditions.machine
        self._start = round(conditions.start * MS)
        self._tells_starts = tells_starts

    def next_time(self) -> int | None:
        """When the next thing happens; None when nothing is under way."""
        heap, under_way = self._heap, self._under_way
        while heap:
            at, _, job_id, attempt, _ = heap[0]
            order = under_way.get(job_id)
            if order is not None and order.attempt == attempt:
                return at
            heappop(heap)  # what was expected cannot happen any more
        return None

    def happen(self) -> Report:
        """What happens at that time."""
        at, _, job_id, attempt, code = heappop(self._heap)
        if code is None:
            return AttemptStarted(job_id=job_id, attempt=attempt, started_at=at)
        order = self._let_go(job_id, at)
        started_at = order.started_at if order.started_at is not None and order.started_at <= at else None
        return AttemptExited(
            job_id=job_id, attempt=attempt, exit_code=code, stopped_at=at, started_at=started_at
        )

    def carry_out(self, steps: Sequence[Step], now: int) -> None:
        """Take what the scheduler wants done."""
        for step in steps:
            if isinstance(step, Placed):
                run = step.run
                self._under_way[run.id] = order = _Order(run.attempt, step)
                if self._room is None:
                    self._begin(order, now)
                else:
                    self._waiting[run.id] = order
                    self._admit(now)
            elif isinstance(step, StopAttempt):
                self._stop(step, now)

    def _admit(self, now: int) -> None:
        """First in, first out, as the local executors admit attempts to their one machine."""
        while self._waiting and self._room is not None:
            order = next(iter(self._waiting.values()))
            amount = self._amount(order)
            if not amount.fits(self._room):
                return
            self._room -= amount
            del self._waiting[order.placed.run.id]
            self._begin(order, now)

    def _amount(self, order: _Order) -> Resources:
        """What an attempt takes of the machine: never more than there is."""
        wanted = order.placed.live.job.as_seen_by(order.placed.child).resources
        most = self._conditions.machine or wanted
        return Resources(
            vcpus=min(wanted.vcpus, most.vcpus),
            memory=min(wanted.memory, most.memory),
            gpus=min(wanted.gpus, most.gpus),
        )

    def _begin(self, order: _Order, now: int) -> None:
        live, index, run = order.placed.live, order.placed.child, order.placed.run
        order.started_at = at = now + self._start
        if self._tells_starts or live.job.timeout is not None:
            self._expect(at, run.id, order.attempt, None)
        length, code = self.work[live.job.id].attempt(index, order.attempt, self._chance)
        self._expect(at + length, run.id, order.attempt, code)

    def _stop(self, effect: StopAttempt, now: int) -> None:
        if effect.job_id in self._under_way:
            at = now + round(min(self._conditions.stop, effect.grace_seconds) * MS)
            self._expect(at, effect.job_id, effect.attempt, TERMINATED)

    def _let_go(self, job_id: JobId, now: int) -> _Order:
        """An attempt is over: the machine has its room again."""
        order = self._under_way.pop(job_id)
        if self._room is not None:
            if self._waiting.pop(job_id, None) is None:
                self._room += self._amount(order)
            self._admit(now)
        return order

    def _expect(self, at: int, job_id: JobId, attempt: int, code: int | None) -> None:
        self._pushed += 1
        heappush(self._heap, (at, self._pushed, job_id, attempt, code))
