"""What is asked for in a simulation: who submits what when, and how long it would run.

A workload is a sequence of submissions, which the simulator turns into jobs. What is random about a
job's first attempt (how long it runs, whether it fails) is drawn when the job is submitted, in the
order of submission: with the same seed every world gets the same work, so worlds can be compared at
few seeds (common random numbers; Law, "Simulation Modeling and Analysis", chapter 11).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from math import exp, log
from typing import TYPE_CHECKING

from msgspec import Struct

from nbbatch.model.events import AttemptExited, AttemptStarted, Event, JobSubmitted
from nbbatch.model.jobs import Job, JobId, split_child_id
from nbbatch.model.resources import Resources

if TYPE_CHECKING:
    from random import Random

MS = 1000
SMALL = Resources(vcpus=1, memory=2048)
NONE_FAILS: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """Always as long as this, in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Uniform:
    """Evenly spread between two numbers of seconds."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Exponential:
    """Memoryless, with this mean in seconds."""

    mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lognormal:
    """Median in seconds and sigma of the logarithm: the usual shape of running times."""

    median: float
    sigma: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Empirical:
    """Drawn with replacement from what was measured, in seconds."""

    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Job or child i takes as long as the i-th number says, in seconds; past the end it starts again."""

    seconds: tuple[float, ...]


Durations = Fixed | Uniform | Exponential | Lognormal | Empirical | Measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One or many alike jobs, submitted one after the other.

    Parameters
    ----------
    queue : str
        Name of a queue of the world.
    durations : Durations
        How long an attempt runs.
    at : float
        Seconds after the beginning when the first one is submitted.
    count, every : int, float
        How many, and how many seconds apart.
    size : int or None
        Children of each when it is an array; None for single jobs.
    failure : float
        Probability, 0..1, that an attempt ends with `exit_code` instead of 0.
    after : tuple of int
        Places in the workload of single submissions (`count` 1) before this one that must succeed first.
    """

    queue: str
    durations: Durations
    at: float = 0.0
    count: int = 1
    every: float = 0.0
    size: int | None = None
    resources: Resources = SMALL
    name: str = "job"
    share_identifier: str | None = None
    scheduling_priority: int | None = None
    attempts: int = 1
    timeout: int | None = None
    failure: float = 0.0
    exit_code: int = 1
    after: tuple[int, ...] = ()

    @property
    def tasks(self) -> int:
        """How many single jobs and children this comes to."""
        return self.count * (self.size or 1)


class Arrival(Struct, frozen=True):
    """One job of a workload: the `number`-th of the submission at `place`, due at `at` milliseconds."""

    at: int
    place: int
    number: int
    submission: Submission


Sampler = Callable[[int, "Random"], int]
"""Draws the milliseconds of an attempt, given the number of its job or the index of its child."""


class Work(Struct, frozen=True):
    """What one job is going to do: milliseconds of each child's first attempt, and which of them fail."""

    submission: Submission
    number: int
    sample: Sampler
    milliseconds: Sequence[int]
    failing: frozenset[int] = NONE_FAILS

    def attempt(self, index: int | None, attempt: int, chance: Random) -> tuple[int, int]:
        """How many milliseconds an attempt takes, and its exit code; later attempts are drawn here."""
        place = index or 0
        asked = self.submission
        if attempt == 1:
            return self.milliseconds[place], asked.exit_code if place in self.failing else 0
        first = self.number if index is None else index
        fails = asked.failure > 0 and chance.random() < asked.failure
        return self.sample(first, chance), asked.exit_code if fails else 0


def arrivals(workload: Iterable[Submission]) -> Iterator[Arrival]:
    """Every job of a workload by time; those of the same time in the workload's order."""
    streams = [_stream(place, submission) for place, submission in enumerate(workload)]
    if len(streams) == 1:
        return streams[0]
    return merge(*streams, key=lambda arrival: (arrival.at, arrival.place))


def work_of(arrival: Arrival, sample: Sampler, chance: Random) -> Work:
    """Draw what a job is going to do; `sample` is its submission's."""
    asked = arrival.submission
    if asked.size is None:
        milliseconds: Sequence[int] = (sample(arrival.number, chance),)
    else:
        milliseconds = array("q", [sample(index, chance) for index in range(asked.size)])
    if asked.failure <= 0:
        return Work(asked, arrival.number, sample, milliseconds)
    failing = frozenset(index for index in range(len(milliseconds)) if chance.random() < asked.failure)
    return Work(asked, arrival.number, sample, milliseconds, failing)


def sampler(durations: Durations) -> Sampler:
    """What draws milliseconds; where durations were measured, the job's number or index decides."""
    match durations:
        case Fixed(seconds=seconds):
            always = _ms(seconds)
            return lambda _place, _chance: always
        case Uniform(low=low, high=high):
            return lambda _place, chance: _ms(chance.uniform(low, high))
        case Exponential(mean=mean):
            return lambda _place, chance: _ms(chance.expovariate(1 / mean))
        case Lognormal(median=median, sigma=sigma):
            mu = log(median)
            return lambda _place, chance: round(exp(chance.normalvariate(mu, sigma)) * MS)
        case Empirical(seconds=known):
            return lambda _place, chance: _ms(chance.choice(known))
        case Measured(seconds=known):
            return lambda place, _chance: _ms(known[place % len(known)])


def _stream(place: int, submission: Submission) -> Iterator[Arrival]:
    for number in range(submission.count):
        yield Arrival(_ms(submission.at + number * submission.every), place, number, submission)


def _ms(seconds: float) -> int:
    return round(seconds * MS)


def workload_of(events: Iterable[tuple[int, Event]]) -> list[Submission]:
    """What was submitted in a recorded run, with the durations that were measured.

    Parameters
    ----------
    events : iterable of (int, Event)
        Epoch ms and event, as a daemon's event log keeps them.

    Returns
    -------
    list of Submission
        A job each, from the first one's time on. A job or child takes as long as its last attempt
        did; of those that never ran, none is asked for, and an array has as many children as ran.
        Dependencies on whole jobs are kept, other kinds are not.
    """
    submitted: dict[JobId, tuple[int, Job]] = {}
    began: dict[JobId, int] = {}
    ran: dict[JobId, dict[int, float]] = {}
    for now, event in events:
        match event:
            case JobSubmitted(job=job):
                submitted[job.id] = now, job
            case AttemptStarted():
                began[event.job_id] = event.started_at
            case AttemptExited() if event.started_at is not None or event.job_id in began:
                parent, index = split_child_id(event.job_id)
                started = began.pop(event.job_id, event.started_at or 0)
                ran.setdefault(parent, {})[index or 0] = (event.stopped_at - started) / MS
    places = {job_id: place for place, job_id in enumerate(known for known in submitted if known in ran)}
    start = min((now for now, _ in submitted.values()), default=0)
    return [_again(*submitted[job_id], ran[job_id], places, start) for job_id in places]


def _again(
    now: int, job: Job, ran: Mapping[int, float], places: Mapping[JobId, int], start: int
) -> Submission:
    after = (places.get(known.job_id) for known in job.depends_on if known.job_id and known.type is None)
    return Submission(
        queue=job.queue,
        durations=Measured(seconds=tuple(length for _, length in sorted(ran.items()))),
        at=(now - start) / MS,
        size=None if job.array_size is None else len(ran),
        resources=job.resources,
        name=job.name,
        share_identifier=job.share_identifier,
        scheduling_priority=job.scheduling_priority,
        attempts=job.retry_strategy.attempts,
        timeout=job.timeout,
        after=tuple(place for place in after if place is not None),
    )
