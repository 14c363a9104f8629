"""Job definitions, jobs and attempts: what was asked for and what became of it, in AWS's words.

Facts that never change after SubmitJob are in `Job`; an attempt that has ended is an `Attempt`.
`Run` is the one value here that changes while a job lives; only the scheduler changes it.
Timestamps are epoch milliseconds (AWS Batch's unit), durations are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import md5
from typing import Any, NewType

from nbbatch.model.resources import NOTHING, Resources

JobId = NewType("JobId", str)
"""Lower-case UUID of a job, `<uuid>:<index>` of an array child, `<uuid>#<index>` of a node."""


class JobStatus(StrEnum):
    """The seven states of a job, in the order a job passes them (user guide, "Job states")."""

    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    RUNNABLE = "RUNNABLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing can change any more."""
        return self in TERMINAL


TERMINAL = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED})
ACTIVE = frozenset({JobStatus.STARTING, JobStatus.RUNNING})
"""States in which a job holds resources of a host."""


class DependencyType(StrEnum):
    """How an array job depends; no type means: on the whole job."""

    N_TO_N = "N_TO_N"
    SEQUENTIAL = "SEQUENTIAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """One entry of `dependsOn`; without `job_id` it is SEQUENTIAL on the array itself."""

    job_id: JobId | None = None
    type: DependencyType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOnExit:
    """One rule of a retry strategy; patterns end in at most one `*`. `action` is lower case."""

    action: str
    on_exit_code: str | None = None
    on_reason: str | None = None
    on_status_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryStrategy:
    """`attempts` counts all attempts, 1..10; 1 means no retry."""

    attempts: int = 1
    evaluate_on_exit: tuple[EvaluateOnExit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A host folder (or, without `source`, an anonymous volume) in the container."""

    target: str
    source: str | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ulimit:
    """A `ulimits` entry: Docker's name, soft and hard limit."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tmpfs:
    """A `linuxParameters.tmpfs` entry; `size` in MiB."""

    target: str
    size: int
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A `linuxParameters.devices` entry; `permissions` out of READ, WRITE, MKNOD."""

    source: str
    target: str
    permissions: tuple[str, ...] = ("READ", "WRITE", "MKNOD")


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What one container needs, effective values after overrides and parameters.

    `command` does not touch the image's entry point. `memory_swap` is Docker's `--memory-swap` in
    MiB (memory plus swap), `shm_size` in MiB, `environment` the user's own variables only, and
    `as_registered` the `containerProperties` exactly as AWS's JSON had them, for Describe calls.
    """

    image: str
    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    resources: Resources = NOTHING
    mounts: tuple[Mount, ...] = ()
    ulimits: tuple[Ulimit, ...] = ()
    tmpfs: tuple[Tmpfs, ...] = ()
    devices: tuple[Device, ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()
    user: str | None = None
    privileged: bool = False
    read_only_root: bool = False
    init: bool = False
    shm_size: int | None = None
    memory_swap: int | None = None
    swappiness: int | None = None
    log_options: tuple[tuple[str, str], ...] = ()
    as_registered: Mapping[str, Any] = field(default_factory=dict)


class DefinitionStatus(StrEnum):
    """A deregistered definition stays describable as INACTIVE."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDefinition:
    """One revision of a job definition; `request` is RegisterJobDefinition's input, unchanged."""

    name: str
    revision: int
    container: Container
    type: str = "container"
    parameters: Mapping[str, str] = field(default_factory=dict)
    retry_strategy: RetryStrategy | None = None
    timeout: int | None = None
    scheduling_priority: int | None = None
    propagate_tags: bool = False
    platform: str = "EC2"
    consumables: tuple[tuple[str, int], ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    status: DefinitionStatus = DefinitionStatus.ACTIVE
    request: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """`name:revision`."""
        return f"{self.name}:{self.revision}"

    def with_status(self, status: DefinitionStatus) -> JobDefinition:
        """The same revision in another status."""
        return replace(self, status=status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """All that was settled when SubmitJob was accepted; it never changes.

    `array_size` is None for a single job. `timeout` is `attemptDurationSeconds`. `consumables` holds
    names of consumable resources and the quantity an attempt takes of each.
    """

    id: JobId
    name: str
    queue: str
    definition: str
    container: Container
    created_at: int
    parameters: Mapping[str, str] = field(default_factory=dict)
    depends_on: tuple[Dependency, ...] = ()
    array_size: int | None = None
    retry_strategy: RetryStrategy = field(default_factory=RetryStrategy)
    timeout: int | None = None
    share_identifier: str | None = None
    scheduling_priority: int | None = None
    propagate_tags: bool = False
    platform: str = "EC2"
    consumables: tuple[tuple[str, int], ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def resources(self) -> Resources:
        """What one attempt takes of a host."""
        return self.container.resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an attempt used: CPU seconds (user and system) and the peak of its memory in MiB."""

    cpu_seconds: float | None = None
    peak_memory: int | None = None


UNKNOWN_USAGE = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt that has ended.

    `exit_code` is None when the container never reported one. `started_at` is None when it never
    ran. `price` is dollars per hour of the attempt's share of its host, frozen when it started;
    `on_spot` says whether `spot_price` is charged instead.
    """

    number: int
    host: str | None
    log_stream: str
    started_at: int | None
    stopped_at: int
    exit_code: int | None
    reason: str | None
    status_reason: str
    usage: Usage = UNKNOWN_USAGE
    price: float = 0.0
    spot_price: float = 0.0
    instance_type: str = ""
    on_spot: bool = False


@dataclass(slots=True, kw_only=True)
class Tally:
    """Sums over attempts that have ended, kept so that nobody has to count an array's children.

    `cost` and `spot_cost` in dollars, `milliseconds` of running, `cpu_seconds` as measured,
    `peak_memory` in MiB of the largest; `last` is the attempt that ended last.
    """

    cost: float = 0.0
    spot_cost: float = 0.0
    milliseconds: int = 0
    cpu_seconds: float = 0.0
    peak_memory: int | None = None
    last: Attempt | None = None


@dataclass(slots=True, kw_only=True)
class Run:
    """Where one job, array child or array parent has got to; only the scheduler changes it.

    `attempt` numbers the attempt under way, or the last one; 0 before the first. `started_at` is
    that attempt's. `stop_reason` is set once the job shall end for good: the status reason it will
    have. `price` and `spot_price` are dollars per hour of the attempt's share of its host, frozen
    when the attempt was placed. `tally` is an array parent's, over its children. `blocked_since` is
    when a job at the head of its queue got the blocked reason that is its status reason.
    """

    id: JobId
    status: JobStatus
    created_at: int
    attempt: int = 0
    host: str | None = None
    environment: str | None = None
    instance_type: str = ""
    price: float = 0.0
    spot_price: float = 0.0
    started_at: int | None = None
    stopped_at: int | None = None
    status_reason: str | None = None
    attempts: tuple[Attempt, ...] = ()
    stop_reason: str | None = None
    is_cancelled: bool = False
    is_terminated: bool = False
    tally: Tally | None = None
    blocked_since: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job as a reader sees it, from the scheduler's state or from the rows.

    `counts` holds the number of children by status for an array parent; `index` is set for a child.
    """

    job: Job
    run: Run
    index: int | None = None
    counts: Mapping[JobStatus, int] | None = None


def child_id(parent: JobId, index: int) -> JobId:
    """Id of an array child."""
    return JobId(f"{parent}:{index}")


def split_child_id(job_id: str) -> tuple[JobId, int | None]:
    """Parent id and array index; the index is None for a plain id or one that is not a number."""
    parent, colon, index = job_id.partition(":")
    if colon and len(index) < 10 and index.isascii() and index.isdigit():  # noqa: PLR2004 - no longer than any index
        return JobId(parent), int(index)
    return JobId(job_id), None


def is_canonical(job_id: str) -> bool:
    """Whether an id is written in the one way it is kept: `<id>:7`, not `<id>:007`."""
    parent, index = split_child_id(job_id)
    return index is None or child_id(parent, index) == job_id


def task_id(job_id: str, attempt: int) -> str:
    """ECS-like task id (32 hexadecimal digits), the same for the same job and attempt.

    A name derived from both lets a restarted daemon find what it had started.
    """
    return md5(f"{job_id}/{attempt}".encode(), usedforsecurity=False).hexdigest()


def log_stream_name(definition: str, job_id: str, attempt: int, prefix: str | None = None) -> str:
    """Log stream of an attempt: `<definition or prefix>/default/<task id>` (user guide, awslogs)."""
    name = prefix or definition.partition(":")[0][:200]
    return f"{name}/default/{task_id(job_id, attempt)}"
