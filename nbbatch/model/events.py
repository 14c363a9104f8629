"""What can happen (events, past tense) and what shall be done (effects, imperative).

Events are the only way into the scheduler and are what the event log keeps; they carry every value
a replay needs. Effects are the only way out; a side effect starts only after the event that decided
it is durable. The time of an event is the `now` it is handled with, not a member.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nbbatch.model.fleet import (
    ComputeEnvironment,
    ConsumableResource,
    HostId,
    JobQueue,
    QuotaShare,
    SchedulingPolicy,
    ServiceEnvironment,
)
from nbbatch.model.jobs import UNKNOWN_USAGE, Container, Job, JobDefinition, JobId, Usage
from nbbatch.model.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionRegistered:
    """A new revision of a job definition."""

    definition: JobDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionDeregistered:
    """A revision became INACTIVE."""

    name: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeEnvironmentCreated:
    """A compute environment exists."""

    environment: ComputeEnvironment


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQueueCreated:
    """A job queue exists."""

    queue: JobQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQueueUpdated:
    """A job queue is from now on what `queue` says."""

    queue: JobQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQueueDeleted:
    """A job queue shall go; its jobs end with it."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulingPolicyChanged:
    """A scheduling policy exists, or is another one from now on."""

    policy: SchedulingPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumableResourceChanged:
    """A consumable resource exists, or has another quantity from now on."""

    resource: ConsumableResource


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEnvironmentChanged:
    """A service environment exists, or is another one from now on."""

    environment: ServiceEnvironment


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaShareChanged:
    """A quota share exists, or is another one from now on."""

    share: QuotaShare


@dataclass(frozen=True, slots=True, kw_only=True)
class NounDeleted:
    """What has no table of its own is gone; `kind` is its class's name."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedDependency:
    """A dependency that had left the scheduler when its dependent was submitted.

    `failed_children` holds the indexes of an array's children that failed.
    """

    job_id: JobId
    succeeded: bool
    failed_children: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSubmitted:
    """SubmitJob was accepted."""

    job: Job
    finished_dependencies: tuple[FinishedDependency, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested:
    """CancelJob was accepted; STARTING and RUNNING jobs go on (API reference, CancelJob)."""

    job_id: JobId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateRequested:
    """TerminateJob was accepted."""

    job_id: JobId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TagsChanged:
    """A resource has these tags from now on; `kind` and `name` as in its ARN: `job-queue`, `q`."""

    kind: str
    name: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetChanged:
    """A day (UTC) may spend so many dollars from now on; None: as many as it takes."""

    dollars: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStarted:
    """The container runs since `started_at`."""

    job_id: JobId
    attempt: int
    started_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptExited:
    """The attempt is over, however it went.

    Parameters
    ----------
    exit_code : int or None
        128 plus the signal for a killed container; None when none was reported.
    reason : str or None
        ECS's container reason, such as `OutOfMemoryError: ...` or `CannotPullContainerError: ...`.
    status_reason : str
        ECS's reason for the task, such as `Essential container in task exited`.
    started_at, stopped_at : int or None
        By the executor's clock; `started_at` is None when it never ran.
    """

    job_id: JobId
    attempt: int
    exit_code: int | None
    stopped_at: int
    started_at: int | None = None
    reason: str | None = None
    status_reason: str = "Essential container in task exited"
    usage: Usage = UNKNOWN_USAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptVanished:
    """After a restart no executor knows this attempt any more: its host counts as lost."""

    job_id: JobId
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """Time passed: deadlines and idle hosts are looked at."""


Event = (
    DefinitionRegistered
    | DefinitionDeregistered
    | ComputeEnvironmentCreated
    | JobQueueCreated
    | JobQueueUpdated
    | JobQueueDeleted
    | SchedulingPolicyChanged
    | ConsumableResourceChanged
    | ServiceEnvironmentChanged
    | QuotaShareChanged
    | NounDeleted
    | JobSubmitted
    | CancelRequested
    | TerminateRequested
    | TagsChanged
    | BudgetChanged
    | AttemptStarted
    | AttemptExited
    | AttemptVanished
    | Ticked
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartAttempt:
    """Start one attempt of a job on a host.

    Parameters
    ----------
    job_id, attempt : JobId, int
        The name of the attempt; starting the same name twice must start it once.
    environment : tuple of (str, str)
        Complete: the user's variables and AWS's (`AWS_BATCH_JOB_ID`, ...).
    resources : Resources
        What the attempt may use, and what physical admission counts.
    """

    job_id: JobId
    attempt: int
    host: HostId
    container: Container
    environment: tuple[tuple[str, str], ...]
    resources: Resources
    log_stream: str
    tags: tuple[tuple[str, str], ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAttempt:
    """Send SIGTERM, and SIGKILL after `grace_seconds`; an attempt not yet running never runs."""

    job_id: JobId
    attempt: int
    grace_seconds: int = 30


Effect = StartAttempt | StopAttempt
