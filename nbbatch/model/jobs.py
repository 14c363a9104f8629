"""Job definitions, jobs and attempts: what was asked for and what became of it, in AWS's words.

Facts that never change after SubmitJob are in `Job`; an attempt that has ended is an `Attempt`.
`Run` is the one value here that changes while a job lives; only the scheduler changes it.
Timestamps are epoch milliseconds (AWS Batch's unit), durations are seconds. `Job`, `Run` and
`Attempt` are structs for the reason that `model.events` gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import md5
from typing import Any, NewType

from msgspec import Struct, structs

from nbbatch.model.containers import ONLY_CONTAINER, Container, ContainerEnd, Task
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

    __hash__ = str.__hash__  # an Enum's own one is written in Python, and statuses are looked up all the time

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


def containers_of(first: Container, task: Task | None) -> tuple[Container, ...]:
    """All containers of a job or node."""
    return (first,) if task is None else (first, *task.others)


def resources_of(first: Container, task: Task | None) -> Resources:
    """What all of them ask for together."""
    if task is None or not task.others:
        return first.resources
    return sum((known.resources for known in task.others), first.resources)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRange:
    """Nodes `first` to `last`, both included, of a multi-node job, and what each of them runs.

    `container` and `task` are as in `Job`. `last` is None for a range that is open above (`targetNodes` `4:`). `instance_type` is the one
    that the range asks for, if any; `target` is `targetNodes` as it was registered.
    """

    target: str
    first: int
    last: int | None
    container: Container
    task: Task | None = None
    instance_type: str | None = None

    @property
    def containers(self) -> tuple[Container, ...]:
        """All containers of a node."""
        return containers_of(self.container, self.task)

    @property
    def resources(self) -> Resources:
        """What a node asks of its host; see `Job.resources`."""
        return resources_of(self.container, self.task)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeProperties:
    """The nodes of a multi-node parallel job: how many, which one decides, and what each runs."""

    count: int
    main: int
    ranges: tuple[NodeRange, ...]

    def range_of(self, index: int) -> NodeRange:
        """The range a node belongs to: of nested ranges the inner one (API reference, NodeRangeProperty).

        Of two ranges of the same width, the later one.
        """
        around = [known for known in self.ranges if known.first <= index <= self._end(known)]
        return min(reversed(around), key=lambda known: self._end(known) - known.first)

    def _end(self, known: NodeRange) -> int:
        return self.count - 1 if known.last is None else known.last


class DefinitionStatus(StrEnum):
    """A deregistered definition stays describable as INACTIVE."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDefinition:
    """One revision of a job definition; `request` is RegisterJobDefinition's input, unchanged.

    `container` and `task` are as in `Job`.
    With `nodes` it is of type multinode, and both are its main node's.
    """

    name: str
    revision: int
    container: Container
    task: Task | None = None
    nodes: NodeProperties | None = None
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
    def containers(self) -> tuple[Container, ...]:
        """All containers of one attempt."""
        return containers_of(self.container, self.task)

    @property
    def key(self) -> str:
        """`name:revision`."""
        return f"{self.name}:{self.revision}"

    def with_status(self, status: DefinitionStatus) -> JobDefinition:
        """The same revision in another status."""
        return replace(self, status=status)


class Job(Struct, frozen=True, kw_only=True):
    """All that was settled when SubmitJob was accepted; it never changes.

    `container` is the only or the first container; `task` is there when the definition has
    `ecsProperties`, and holds the others. `array_size` is None for a single job. `timeout` is
    `attemptDurationSeconds`. `refusal` is the status reason of a job that SubmitJob accepts and that
    fails when it is to be dispatched; empty for nearly all. `definition_tags` go to the task together
    with the job's own when `propagate_tags` is set.
    With `nodes` it is a multi-node parallel job, and `container` and `task` are its main node's.
    `consumables` holds names of consumable resources and the quantity an attempt takes of each.
    """

    id: JobId
    name: str
    queue: str
    definition: str
    container: Container
    created_at: int
    task: Task | None = None
    nodes: NodeProperties | None = None
    parameters: Mapping[str, str] = {}
    depends_on: tuple[Dependency, ...] = ()
    array_size: int | None = None
    retry_strategy: RetryStrategy = RetryStrategy()
    timeout: int | None = None
    share_identifier: str | None = None
    scheduling_priority: int | None = None
    propagate_tags: bool = False
    platform: str = "EC2"
    consumables: tuple[tuple[str, int], ...] = ()
    tags: Mapping[str, str] = {}
    definition_tags: Mapping[str, str] = {}
    refusal: str = ""

    @property
    def containers(self) -> tuple[Container, ...]:
        """All containers of one attempt."""
        return containers_of(self.container, self.task)

    @property
    def most_containers(self) -> int:
        """How many containers an attempt has, of a multi-node job that of the largest node."""
        nodes = () if self.nodes is None else self.nodes.ranges
        return max(len(self.containers), *(len(known.containers) for known in nodes), 1)

    @property
    def resources(self) -> Resources:
        """What one attempt takes of a host: the sum over its containers [?].

        AWS does not say how it places a task of several containers; ECS reserves the sum.
        """
        return resources_of(self.container, self.task)

    @property
    def gang_resources(self) -> Resources:
        """What one attempt takes of all its hosts: of a multi-node job the sum over its nodes."""
        if self.nodes is None:
            return self.resources
        wanted = (self.nodes.range_of(index).resources for index in range(self.nodes.count))
        return sum(wanted, NOTHING)

    def as_seen_by(self, index: int | None) -> Job:
        """The job with what node `index` runs; itself when it has no nodes."""
        if self.nodes is None or index is None:
            return self
        known = self.nodes.range_of(index)
        if known.container is self.container:
            return self
        return structs.replace(self, container=known.container, task=known.task)

    def child_id(self, index: int) -> JobId:
        """Id of an array child or a node."""
        return child_id(self.id, index) if self.nodes is None else node_id(self.id, index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an attempt used: CPU seconds (user and system) and the peak of its memory in MiB."""

    cpu_seconds: float | None = None
    peak_memory: int | None = None


UNKNOWN_USAGE = Usage()


class Attempt(Struct, frozen=True, kw_only=True):
    """An attempt that has ended.

    `exit_code` is None when the container never reported one. `started_at` is None when it never
    ran. `price` and `spot_price` are dollars per hour of the attempt's share of its host, on demand and
    Spot, frozen when it was placed; `is_spot` says that the Spot price is the one that is charged.
    `is_lost` says that it was under way when its host went.
    `containers` is only filled when there were several; the attempt's own code and reason are then
    those of the container that decided.
    """

    number: int
    host: str | None
    started_at: int | None
    stopped_at: int
    exit_code: int | None
    reason: str | None
    status_reason: str
    usage: Usage = UNKNOWN_USAGE
    price: float = 0.0
    spot_price: float = 0.0
    instance_type: str = ""
    is_spot: bool = False
    is_lost: bool = False
    containers: tuple[ContainerEnd, ...] = ()


@dataclass(slots=True, kw_only=True)
class Tally:
    """Sums over attempts that have ended, kept so that nobody has to count an array's children.

    `cost` and `spot_cost` in dollars, `milliseconds` of running, `cpu_seconds` as measured,
    `peak_memory` in MiB of the largest; `last` is the attempt that ended last, `last_of` whose it is. `lost_...` are the
    parts of the sums that went with a lost host (a Spot interruption), contained in the sums.
    """

    cost: float = 0.0
    spot_cost: float = 0.0
    milliseconds: int = 0
    cpu_seconds: float = 0.0
    peak_memory: int | None = None
    last: Attempt | None = None
    last_of: str = ""
    lost_cost: float = 0.0
    lost_spot_cost: float = 0.0
    lost_milliseconds: int = 0


class Run(Struct, kw_only=True):
    """Where one job, array child, array parent or node has got to; only the scheduler changes it.

    `attempt` numbers the attempt under way, or the last one; 0 before the first. `started_at` is
    that attempt's. `stop_reason` is set once the job shall end for good: the status reason it will
    have. `price` and `spot_price` are dollars per hour of the attempt's share of its host, frozen
    when the attempt was placed. `tally` is the parent's of an array or of nodes, over its children.
    A multi-node job's own attempts are its main node's; its host is None, its nodes have theirs.
    `blocked_since` is when a job at the head of its queue got the blocked reason that is its status reason.
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
    is_spot: bool = False
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

    `counts` holds the number of children by status for an array parent; `index` is set for a child
    and for a node, whose `job` then has the node's own container.
    """

    job: Job
    run: Run
    index: int | None = None
    counts: Mapping[JobStatus, int] | None = None


def child_id(parent: JobId, index: int) -> JobId:
    """Id of an array child."""
    return JobId(f"{parent}:{index}")


def node_id(parent: JobId, index: int) -> JobId:
    """Id of a node of a multi-node parallel job."""
    return JobId(f"{parent}#{index}")


def is_node_id(job_id: str) -> bool:
    """Whether an id is written as a node's."""
    return "#" in job_id


def split_child_id(job_id: str) -> tuple[JobId, int | None]:
    """Parent id and index of a child or node; None for a plain id or one that is not a number."""
    parent, mark, index = job_id.partition(":")
    if not mark:
        parent, mark, index = job_id.partition("#")
    if mark and len(index) < 10 and index.isascii() and index.isdigit():  # noqa: PLR2004 - no longer than any index
        return JobId(parent), int(index)
    return JobId(job_id), None


def is_canonical(job_id: str) -> bool:
    """Whether an id is written in the one way it is kept: `<id>:7`, not `<id>:007`."""
    parent, index = split_child_id(job_id)
    return index is None or job_id[len(parent) + 1 :] == str(index)


def task_id(job_id: str, attempt: int) -> str:
    """ECS-like task id (32 hexadecimal digits), the same for the same job and attempt.

    A name derived from both lets a restarted daemon find what it had started.
    """
    return md5(f"{job_id}/{attempt}".encode(), usedforsecurity=False).hexdigest()


def log_stream_name(
    definition: str, job_id: str, attempt: int, prefix: str | None = None, container: str = ONLY_CONTAINER
) -> str:
    """Log stream of an attempt: `<definition or prefix>/default/<task id>` (user guide, awslogs).

    [?] In a task of `ecsProperties` the middle part is the container's name, as ECS has it; AWS
    Batch's own pages only show `default`.
    """
    name = prefix or definition.partition(":")[0][:200]
    return f"{name}/{container}/{task_id(job_id, attempt)}"


def stream_of(container: Container, definition: str, job_id: str, attempt: int) -> str:
    """Log stream of one container of an attempt."""
    prefix = dict(container.log_options).get("awslogs-stream-prefix") if container.log_options else None
    return log_stream_name(definition, job_id, attempt, prefix, container.name)
