"""What if: the very reactor that runs jobs, under a virtual clock.

A simulation hands `reactor.react` the events that a daemon would hand it, in the order of their
time: what users submit, what becomes of attempts (`scheduler/virtual.py`), and ticks at the state's
own deadlines. There is no second scheduler here. `replay` does the same with the events of a real
run, so that a real and a simulated run answer with the same figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from nbbatch.errors import OptionError
from nbbatch.model.containers import Container
from nbbatch.model.events import BudgetChanged, Event, FinishedDependency, JobSubmitted, Ticked
from nbbatch.model.fleet import Catalogue
from nbbatch.model.jobs import Dependency, Job, JobId, JobStatus, RetryStrategy
from nbbatch.scheduler.figures import Figures, Ledger
from nbbatch.scheduler.reactor import react
from nbbatch.scheduler.state import SchedulerState
from nbbatch.scheduler.virtual import Conditions, VirtualExecutor
from nbbatch.scheduler.workload import Arrival, Submission, arrivals, sampler, work_of

if TYPE_CHECKING:
    from random import Random

EPOCH = 1_735_689_600_000
"""The first moment of a simulation, epoch ms: the new year of 2025."""
_READ_EVERY = 512
"""Events between two looks at what changed."""
_NEVER = 2**62
_TICKED = Ticked()
_QUIET_TICKS = 1000
"""Deadlines in a row that change nothing, after which nothing will."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Where a workload runs: the events that create environments and queues, and the rest."""

    events: tuple[Event, ...]
    catalogue: Catalogue
    conditions: Conditions = field(default_factory=Conditions)


def simulate(
    world: World,
    workload: Iterable[Submission],
    *,
    work: Random,
    chance: Random,
    watch: Callable[[SchedulerState], object] | None = None,
) -> Figures:
    """Run a workload in a world until nothing happens any more.

    Parameters
    ----------
    world : World
        As it is before the first job.
    workload : iterable of Submission
        In any order; it is read once.
    work, chance : Random
        Two seeded generators: of the workload, which draws the same in every world, and of the world,
        which decides what later attempts do and when Spot hosts are reclaimed.
    watch : callable, optional
        Called with the state after every event, for instance `SchedulerState.validate`.

    Returns
    -------
    Figures
        Jobs that never start count as unfinished, with the reason in `stuck`.
    """
    return _Simulation(world, workload, work, chance, watch).run()


def replay(state: SchedulerState, events: Iterable[tuple[int, Event]]) -> Figures:
    """Let recorded events happen again at their times.

    Parameters
    ----------
    state : SchedulerState
        As it was before the first event; afterwards as it was after the last one.
    events : iterable of (int, Event)
        Epoch ms and event, as a daemon's event log keeps them.

    Returns
    -------
    Figures
        Of everything that ended among them.
    """
    ledger, now = Ledger(state, started_at=0), 0
    for now, event in events:
        if isinstance(event, JobSubmitted) and not ledger.started_at:
            ledger.started_at = now
        react(state, event, now)
        ledger.read_hosts(now)
        ledger.read()
    return ledger.figures(now)


class _Simulation:
    """One run: the state, its executor, and whoever submits."""

    def __init__(
        self,
        world: World,
        workload: Iterable[Submission],
        work: Random,
        chance: Random,
        watch: Callable[[SchedulerState], object] | None,
    ) -> None:
        asked = tuple(workload)
        self.state = SchedulerState(catalogue=world.catalogue, seed=chance.getrandbits(32), now=EPOCH)
        has_budget = any(isinstance(event, BudgetChanged) for event in world.events)
        self.executor = VirtualExecutor(world.conditions, chance, tells_starts=has_budget)
        self.ledger = Ledger(self.state, started_at=EPOCH)
        self._work = work
        self._watch = watch
        self._arrivals = arrivals(asked)
        self._arrival = next(self._arrivals, None)
        self._patterns = [_pattern(submission) for submission in asked]
        self._samplers = [sampler(submission.durations) for submission in asked]
        self._awaited = {_job_id(place, 0) for submission in asked for place in submission.after}
        self._ended: dict[JobId, FinishedDependency] = {}
        self._unread = 0
        for event in world.events:
            self._handle(event, EPOCH)

    def run(self) -> Figures:
        """Go from each moment at which something happens to the next."""
        if self._arrival is not None:
            self.ledger.started_at = EPOCH + self._arrival.at
        quiet, last, executor, deadlines = 0, EPOCH, self.executor, self.state.deadlines
        while quiet < _QUIET_TICKS:
            arrival, reported = self._arrival, executor.next_time()
            at = _NEVER if arrival is None else EPOCH + arrival.at
            due = deadlines[0].at if deadlines else _NEVER
            if reported is not None and reported <= at and reported <= due:
                at = reported
                self._handle(executor.happen(), at)
            elif due < at:
                at = due
                if not self._handle(_TICKED, at):
                    quiet += 1
                    continue
            elif arrival is not None:
                self._submit(arrival, at)
            else:
                break
            quiet, last = 0, at
        return self.ledger.figures(last)

    def _handle(self, event: Event, now: int) -> bool:
        """Let an event happen; False when it changed nothing that anybody sees."""
        steps = react(self.state, event, now)
        changes = self.state.changes
        is_news = bool(steps or changes.hosts or changes.jobs or changes.children)
        if changes.hosts:
            self.ledger.read_hosts(now)
        if steps:
            self.executor.carry_out(steps, now)
        if self._watch is not None:
            self._watch(self.state)
        self._unread += 1
        if self._unread >= _READ_EVERY:
            self._read()
        return is_news

    def _read(self) -> None:
        """Note what has ended, and forget its work."""
        self._unread = 0
        for live in self.ledger.read():
            job_id = live.job.id
            del self.executor.work[job_id]
            if self._awaited and job_id in self._awaited:
                succeeded = live.run.status is JobStatus.SUCCEEDED
                self._ended[job_id] = FinishedDependency(job_id=job_id, succeeded=succeeded)

    def _submit(self, arrival: Arrival, now: int) -> None:
        self._arrival = next(self._arrivals, None)
        job = self._job(arrival, now)
        self.executor.work[job.id] = work_of(arrival, self._samplers[arrival.place], self._work)
        finished = self._finished(arrival) if job.depends_on else ()
        self._handle(JobSubmitted(job=job, finished_dependencies=finished), now)

    def _job(self, arrival: Arrival, now: int) -> Job:
        asked = arrival.submission
        if asked.queue not in self.state.queues:
            raise OptionError(
                f"The simulated world has no job queue {asked.queue!r}.",
                cure=f"There are: {', '.join(self.state.queues)}.",
            )
        job_id = _job_id(arrival.place, arrival.number)
        return replace(self._patterns[arrival.place], id=job_id, created_at=now)

    def _finished(self, arrival: Arrival) -> tuple[FinishedDependency, ...]:
        """What is over already of that for which this job waits."""
        self._read()
        finished = []
        for place in arrival.submission.after:
            job_id = _job_id(place, 0)
            if job_id in self._ended:
                finished.append(self._ended[job_id])
            elif job_id not in self.state.jobs:
                raise OptionError(
                    f"Submission {arrival.place} waits for {place}, which is not submitted before it.",
                    cure="Name earlier submissions only.",
                )
        return tuple(finished)


def _job_id(place: int, number: int) -> JobId:
    return JobId(f"simulated-{place}-{number}")


def _pattern(asked: Submission) -> Job:
    """What the jobs of a submission have in common."""
    return Job(
        id=JobId(""),
        name=asked.name,
        queue=asked.queue,
        definition="simulated:1",
        container=Container(image="", resources=asked.resources),
        created_at=0,
        depends_on=tuple(Dependency(job_id=_job_id(place, 0)) for place in asked.after),
        array_size=asked.size,
        retry_strategy=RetryStrategy(attempts=asked.attempts),
        timeout=asked.timeout,
        share_identifier=asked.share_identifier,
        scheduling_priority=asked.scheduling_priority,
    )
