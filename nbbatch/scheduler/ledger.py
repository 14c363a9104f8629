"""Sums by day and queue, as deltas of one tick: jobs that came and ended, what their attempts cost.

Days are UTC. An attempt or a host that lasts over midnight is split, so a day holds what was spent
in it. Single jobs and array children count as one each; an array's parent is none. `charged` is the
Spot price on Spot capacity and the On-Demand price elsewhere; `lost` is the On-Demand equivalent of
attempts whose host Spot took back, which somebody has to do again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nbbatch.model.fleet import Host
from nbbatch.model.jobs import Attempt, Job, JobStatus
from nbbatch.scheduler.cost import dollars
from nbbatch.scheduler.state import CODE, EndedAttempt
from nbbatch.scheduler.transitions import WHOLE, Transition

DAY_MS = 86_400_000
_SUCCEEDED, _FAILED = CODE[JobStatus.SUCCEEDED], CODE[JobStatus.FAILED]
_INTERRUPTED = ("Host EC2 (instance", "Your Spot Task was interrupted")
"""How the status reasons of attempts begin that lost their host (user guide, "Spot")."""


@dataclass(slots=True)
class Sums:
    """Sums of one day and queue; `cpu_seconds` as measured, money in dollars."""

    submitted: int = 0
    succeeded: int = 0
    failed: int = 0
    attempts: int = 0
    milliseconds: int = 0
    cpu_seconds: float = 0.0
    charged: float = 0.0
    on_demand: float = 0.0
    lost: float = 0.0

    def add(self, other: Sums) -> None:
        """Count another's in."""
        for name in self.__slots__:  # `astuple` would copy each number deeply
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def saved(self) -> float:
        """What Spot saved, net of the work that was lost: negative when it cost more than it saved."""
        return self.on_demand - self.lost - self.charged


Ledger = dict[tuple[int, str], Sums]
"""Sums by day (epoch ms / 86,400,000) and queue."""


def days(start: int, stop: int) -> Sequence[tuple[int, int, int]]:
    """A stretch of time cut at midnights: day, start and stop of each piece; mostly there is one."""
    if start >= stop:
        return ()
    first, last = start // DAY_MS, (stop - 1) // DAY_MS
    if first == last:
        return ((first, start, stop),)
    return [(day, max(start, day * DAY_MS), min(stop, (day + 1) * DAY_MS)) for day in range(first, last + 1)]


def tick_sums(
    submitted: Iterable[Job], transitions: Iterable[Transition], ended: Iterable[EndedAttempt], now: int
) -> Ledger:
    """What one tick adds to the sums."""
    ledger: Ledger = {}
    today = now // DAY_MS
    for job in submitted:
        _sums(ledger, today, job.queue).submitted += job.array_size or 1
    for live, first, count, _, becomes, _, _ in transitions:
        if becomes not in (_SUCCEEDED, _FAILED) or (first == WHOLE and live.children is not None):
            continue
        sums = _sums(ledger, today, live.job.queue)
        if becomes == _SUCCEEDED:
            sums.succeeded += count
        else:
            sums.failed += count
    for one in ended:
        sums = _sums(ledger, one.attempt.stopped_at // DAY_MS, one.job.queue)
        sums.attempts += 1
        sums.cpu_seconds += one.attempt.usage.cpu_seconds or 0.0
        add_stretch(ledger, one.job.queue, one.attempt)
    return ledger


def add_stretch(ledger: Ledger, queue: str, attempt: Attempt) -> None:
    """Count the time and money of an attempt, day by day."""
    if attempt.started_at is None:
        return
    was_lost = attempt.is_spot and attempt.is_lost
    for day, start, stop in days(attempt.started_at, attempt.stopped_at):
        sums = _sums(ledger, day, queue)
        on_demand = dollars(attempt.price, start, stop)
        sums.milliseconds += stop - start
        sums.on_demand += on_demand
        sums.charged += dollars(attempt.spot_price, start, stop) if attempt.is_spot else on_demand
        sums.lost += on_demand if was_lost else 0.0


def charges(ended: Iterable[EndedAttempt]) -> dict[tuple[int, str], float]:
    """What attempts were charged for their shares of hosts, by day and environment."""
    found: dict[tuple[int, str], float] = {}
    for one in ended:
        if one.attempt.started_at is None:
            continue
        price = one.attempt.spot_price if one.attempt.is_spot else one.attempt.price
        for day, start, stop in days(one.attempt.started_at, one.attempt.stopped_at):
            key = (day, one.environment)
            found[key] = found.get(key, 0.0) + dollars(price, start, stop)
    return found


def host_costs(host: Host, until: int) -> dict[tuple[int, str], float]:
    """What a host costs as a whole from its launch on, by day and environment."""
    price = host.spot_price if host.is_spot else host.price
    return {
        (day, host.environment): dollars(price, start, stop)
        for day, start, stop in days(host.launched_at, until)
    }


def _sums(ledger: Ledger, day: int, queue: str) -> Sums:
    found = ledger.get((day, queue))
    if found is None:
        found = ledger[day, queue] = Sums()
    return found
