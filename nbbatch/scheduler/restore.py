"""From rows back to a state: what a daemon does first after it was killed.

Rows hold facts; every index (queues, dependents, free room, deadlines) is built again from them.
A dependency that is no longer live succeeded: had it failed, its dependents would have failed in
the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappush

from nbbatch.model.fleet import Catalogue, ComputeEnvironment, Host, JobQueue
from nbbatch.model.jobs import ACTIVE, Dependency, DependencyType, Job, JobDefinition, JobId, JobStatus, Run
from nbbatch.model.jobs import split_child_id
from nbbatch.scheduler.dependencies import awaited_ids, is_released, wire_dependents
from nbbatch.scheduler.fleet import add_environment, add_host
from nbbatch.scheduler.state import Children, LiveJob, QueueState, SchedulerState


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJob:
    """A row of a job that is not terminal, with the rows of those children that have one."""

    job: Job
    run: Run
    sequence: int
    children: Mapping[int, Run] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All rows a state is made of. `now`, `sequence` and `host_count` go on where they stopped."""

    seed: int = 0
    now: int = 0
    sequence: int = 0
    host_count: int = 0
    definitions: Sequence[JobDefinition] = ()
    environments: Sequence[ComputeEnvironment] = ()
    queues: Sequence[JobQueue] = ()
    hosts: Sequence[Host] = ()
    jobs: Sequence[StoredJob] = ()
