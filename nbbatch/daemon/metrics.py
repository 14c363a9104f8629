"""Numbers over time: jobs by status and queue, vCPUs and memory by environment.

Counts are kept as ticks are committed, never counted again. When something has changed, a sample of
all of it is written, at most one every few seconds, outside of the ticks; between samples the last
one holds. Old samples are thinned out. A crash loses the samples of some seconds, no count: totals
of jobs come from the ledger, which is written with each tick, and an interruption is sampled at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nbbatch.daemon.database import Database
from nbbatch.daemon.rowcodec import decode, encode
from nbbatch.errors import ClientException, StoreError
from nbbatch.model.events import Event, JobSubmitted
from nbbatch.model.fleet import HostStatus
from nbbatch.model.jobs import JobStatus
from nbbatch.scheduler.hosts import EnvironmentState
from nbbatch.scheduler.ledger import Sums
from nbbatch.scheduler.state import CODE, STATUSES, Changes, SchedulerState
from nbbatch.scheduler.transitions import BLOCKED, WHOLE
from nbbatch.wire.encode_container import Json

_log = logging.getLogger(__name__)
SAMPLE_SECONDS = 10.0
MOST_POINTS = 11_000
_MINUTE, _DAY = 60_000, 86_400_000
THINNED = ((_DAY, 5 * _MINUTE), (30 * _DAY, 60 * _MINUTE))
"""Samples older than the first number keep one per stretch of the second, in ms."""
KEPT_MS = 400 * _DAY
QUEUE_METRICS = (
    *(f"Jobs{status.capitalize()}" for status in STATUSES[:5]),
    "JobsSubmittedTotal",
    "JobsSucceededTotal",
    "JobsFailedTotal",
)
ENVIRONMENT_METRICS = (
    "DesiredvCpus",
    "ActualvCpus",
    "UsedvCpus",
    "ActualMemory",
    "UsedMemory",
    "SpotInterruptionsTotal",
    "SpotAttemptsLostTotal",
)
_OF_NOW = 5
"""How many of these are read from the hosts that there are; the others are counted."""
_NONE = (0, 0)


@dataclass(slots=True)
class Sample:
    """Values in the order of QUEUE_METRICS by queue, of ENVIRONMENT_METRICS by environment."""

    queues: dict[str, list[int]] = field(default_factory=dict)
    environments: dict[str, list[float]] = field(default_factory=dict)


class SampleRows:
    """Samples in one database; each write is durable when it returns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, at: int, sample: Sample) -> None:
        """Keep a sample."""
        with self._database.transaction():
            self._database.write("write_sample", [(at, encode(sample))])

    def read(self, start: int, end: int) -> list[tuple[int, Sample]]:
        """Samples of a stretch of time, and the one before that holds at its start."""
        rows = self._database.read("read_samples", {"start": start, "end": end})
        return [(at, decode(Sample, sample)) for at, sample in rows]

    def thin(self, now: int) -> None:
        """Let old samples go."""
        with self._database.transaction():
            for age, stretch in THINNED:
                self._database.write("thin_samples", [{"before": now - age, "stretch": stretch}])
            self._database.write("prune_samples", [(now - KEPT_MS,)])


class Metrics:
    """Counts that follow every commit.

    Parameters
    ----------
    rows : SampleRows
        Where samples go.
    state : SchedulerState
        As it is now: looked through once.
    totals : mapping of str to Sums
        Of all time, by queue.
    """

    def __init__(self, rows: SampleRows, state: SchedulerState, totals: dict[str, Sums]) -> None:
        self._rows = rows
        self._counts: dict[str, list[int]] = {}
        self._taken_back = _counted(rows.read(state.now, state.now))
        self._state = state
        self._timer: asyncio.TimerHandle | None = None
        for name, known in totals.items():
            self._of(name)[5:] = [known.submitted, known.succeeded, known.failed]
        for live in state.jobs.values():
            counts = self._of(live.job.queue)
            if live.children is None:
                counts[CODE[live.run.status]] += 1
            else:
                for code in range(5):
                    counts[code] += live.children.counts[code]

    def note(self, events: Sequence[tuple[int, Event]], changes: Changes, state: SchedulerState) -> None:
        """Count one committed tick."""
        self._state = state
        for _, event in events:
            if isinstance(event, JobSubmitted):
                self._count_new(event)
        for live, first, count, was, becomes, _, _ in changes.transitions:
            if becomes == BLOCKED or (first == WHOLE and live.children is not None):
                continue
            counts = self._of(live.job.queue)
            counts[was] -= count
            counts[becomes if becomes < CODE[JobStatus.SUCCEEDED] else becomes + 1] += count
        self._sample_in(0 if self._count_taken_back(changes) else SAMPLE_SECONDS)

    def flush(self) -> None:
        """Write a sample of how things are now; one that cannot be written is left out."""
        self._timer = None
        try:
            self._rows.write(self._state.now, self.sample())
        except StoreError as error:
            _log.warning("A sample is left out: %s", error)

    def close(self) -> None:
        """Write what is not written yet."""
        if self._timer is not None:
            self._timer.cancel()
            self.flush()

    @property
    def changed_at(self) -> int:
        """Epoch ms since which things are as they are now."""
        return self._state.now

    def sample(self) -> Sample:
        """How things are now, of the queues that there are."""
        return Sample(
            queues={name: list(self._of(name)) for name in self._state.queues},
            environments={
                name: [*_values_of_now(known), *self._taken_back.get(name, _NONE)]
                for name, known in self._state.environments.items()
            },
        )

    def _sample_in(self, seconds: float) -> None:
        """Write a sample by then, or before where one is due already."""
        if self._timer is not None:
            if seconds:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.flush)

    def _count_taken_back(self, changes: Changes) -> bool:
        """Count Spot hosts that were given notice, and attempts that went with one; whether there were any."""
        hosts = Counter(host.environment for host in changes.reclaimed)
        lost = Counter(
            one.environment for one in changes.ended if one.attempt.is_spot and one.attempt.is_lost
        )
        for name in {*hosts, *lost}:
            before = self._taken_back.get(name, _NONE)
            self._taken_back[name] = (before[0] + hosts[name], before[1] + lost[name])
        return bool(hosts or lost)

    def _of(self, queue: str) -> list[int]:
        return self._counts.setdefault(queue, [0] * len(QUEUE_METRICS))

    def _count_new(self, event: JobSubmitted) -> None:
        """A job begins SUBMITTED, an array's children begin PENDING."""
        counts, size = self._of(event.job.queue), event.job.array_size
        counts[CODE[JobStatus.SUBMITTED if size is None else JobStatus.PENDING]] += size or 1
        counts[5] += size or 1


def time_series(samples: Sequence[tuple[int, Sample]], start: int, end: int, step: int) -> Json:
    """Samples at regular times, each the last one before it; null where there was none yet.

    Parameters
    ----------
    samples : sequence of (int, Sample)
        Ascending; the first may lie before `start`.
    start, end, step : int
        Epoch ms and ms.

    Raises
    ------
    ClientException
        When that would be too many points.
    """
    count = (end - start) // step + 1
    if not 0 < count <= MOST_POINTS:
        raise ClientException(f"This asks for {count} points, and may ask for 1 to {MOST_POINTS}.")
    times = [start + number * step for number in range(count)]
    at_times = list(_at(samples, times))
    return {
        "times": times,
        "queues": _series([one.queues if one else {} for one in at_times], QUEUE_METRICS),
        "environments": _series([one.environments if one else {} for one in at_times], ENVIRONMENT_METRICS),
    }


def _at(samples: Sequence[tuple[int, Sample]], times: Sequence[int]) -> Iterator[Sample | None]:
    place = -1
    for moment in times:
        while place + 1 < len(samples) and samples[place + 1][0] <= moment:
            place += 1
        yield samples[place][1] if place >= 0 else None


def _series(rows: Sequence[Mapping[str, Sequence[float]]], metrics: Sequence[str]) -> Json:
    """Values by name and metric."""
    names = sorted({name for row in rows for name in row})
    return {
        name: {
            metric: [values[place] if place < len(values := row.get(name, ())) else None for row in rows]
            for place, metric in enumerate(metrics)
        }
        for name in names
    }


def _counted(samples: Sequence[tuple[int, Sample]]) -> dict[str, tuple[float, float]]:
    """What the last sample has counted by environment; one of an older version has not."""
    known = samples[-1][1].environments.items() if samples else ()
    return {
        name: (values[_OF_NOW], values[_OF_NOW + 1])
        for name, values in known
        if len(values) == len(ENVIRONMENT_METRICS)
    }


def _values_of_now(known: EnvironmentState) -> list[float]:
    """One environment's numbers; memory in MiB."""
    hosts = [host for host in known.hosts.values() if host.host.status is not HostStatus.REGISTERING]
    vcpus = sum(host.host.capacity.vcpus for host in hosts)
    memory = sum(host.host.capacity.memory for host in hosts)
    return [
        known.provisioned,
        vcpus,
        vcpus - sum(host.vcpus for host in hosts),
        memory,
        memory - sum(host.memory for host in hosts),
    ]
