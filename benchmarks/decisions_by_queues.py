"""How many scheduling decisions a second, and how does that grow with the jobs that wait?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from heapq import heappop, heappush

from benchmarks.harness import Bench, tell
from benchmarks.m13_simulate import world
from nbbatch.model.containers import Container
from nbbatch.model.events import (
    AttemptExited,
    Event,
    JobQueueCreated,
    JobSubmitted,
    SchedulingPolicyChanged,
    StartAttempt,
)
from nbbatch.model.fleet import FairSharePolicy, JobQueue, SchedulingPolicy
from nbbatch.model.jobs import Job, JobId
from nbbatch.model.resources import Resources
from nbbatch.scheduler.reactor import handle
from nbbatch.scheduler.state import SchedulerState

QUEUES = 20
SIZES = (1_000, 10_000, 100_000, 1_000_000)
DECISIONS = 20_000
"""At most; all that wait where there are fewer."""
VCPUS = 256
SMALL = Container(image="", resources=Resources(vcpus=1, memory=512))

Kind = Callable[[], Iterable[Event]]
"""Makes the queues; a kind of queue is one function and one line in KINDS."""


def first_in_first_out() -> Iterable[JobQueueCreated]:
    for number in range(QUEUES):
        yield JobQueueCreated(queue=JobQueue(name=f"q{number}", priority=number % 4, environments=("ce",)))


def fair_share() -> Iterable[Event]:
    yield SchedulingPolicyChanged(policy=SchedulingPolicy(name="fair", fair_share=FairSharePolicy()))
    for event in first_in_first_out():
        yield replace(event, queue=replace(event.queue, scheduling_policy="fair"))


KINDS: dict[str, tuple[Kind, tuple[str | None, ...]]] = {
    "first in, first out": (first_in_first_out, (None,)),
    "fair share, 20 shares each": (fair_share, tuple(f"s{number}" for number in range(20))),
}
"""Kinds of queues, and the share identifiers of their jobs."""


def filled(
    kind: Kind, shares: tuple[str | None, ...], size: int
) -> tuple[SchedulerState, list[StartAttempt]]:
    """A state with so many waiting jobs over 20 queues and a full environment, and what runs."""
    place = world(VCPUS)
    state = SchedulerState(catalogue=place.catalogue)
    for event in (place.events[0], *kind()):
        handle(state, event, 0)
    running: list[StartAttempt] = []
    for number in range(size):
        job = Job(
            id=JobId(f"job-{number}"),
            name="job",
            queue=f"q{number % QUEUES}",
            definition="d:1",
            container=SMALL,
            created_at=0,
            share_identifier=shares[number // QUEUES % len(shares)],
        )
        running += handle(state, JobSubmitted(job=job), 0)  # type: ignore[arg-type]
    state.drain_changes()
    return state, running


def decide(state: SchedulerState, running: list[StartAttempt], limit: int) -> int:
    """End attempts one after the other, each time letting the scheduler decide; returns its starts."""
    ends = [(number, number, order) for number, order in enumerate(running)]
    started = 0
    while ends and started < limit:
        now, _, order = heappop(ends)
        report = AttemptExited(job_id=order.job_id, attempt=order.attempt, exit_code=0, stopped_at=now)
        for effect in handle(state, report, now):
            started += 1
            heappush(ends, (now + len(running), started + len(running), effect))  # type: ignore[arg-type]
        state.drain_changes()
    return started


def run(bench: Bench) -> None:
    for name, (kind, shares) in KINDS.items():
        print(f"\n  {QUEUES} queues, {name}; decisions and submissions a second of processor time")
        for size in SIZES if bench.full else SIZES[:-1]:
            began = time.process_time()
            state, running = filled(kind, shares, size)
            submitted = time.process_time()
            started = decide(state, running, DECISIONS)
            ended = time.process_time()
            rates = started / (ended - submitted) if started else 0.0
            tell(f"{size:,} queued", f"{rates:,.0f}/s, {size / (submitted - began):,.0f}/s")
