"""What can happen (events, past tense) and what shall be done (effects, imperative).

Events are the only way into the scheduler and are what the event log keeps; they carry every value
a replay needs. Effects are the only way out; a side effect starts only after the event that decided
it is durable. The time of an event is the `now` it is handled with, not a member.

Events that a simulation makes by the million are msgspec's structs, which are made in a fifth of the
time that a frozen dataclass takes; they are alike in all else, but that `msgspec.structs.replace`
makes another one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from msgspec import Struct

from nbbatch.model.containers import Container, ContainerEnd, Task
from nbbatch.model.fleet import (
    ComputeEnvironment,
    ConsumableResource,
    HostId,
    JobQueue,
    QuotaShare,
    SchedulingPolicy,
    ServiceEnvironment,
)
from nbbatch.model.jobs import UNKNOWN_USAGE, Job, JobDefinition, JobId, Usage
from nbbatch.model.resources import NOTHING, Resources


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
class ComputeEnvironmentUpdated:
    """UpdateComputeEnvironment was accepted.

    Parameters
    ----------
    environment : ComputeEnvironment
        As it is from now on.
    replaces_hosts : bool
        Whether this is an infrastructure update, after which no host of before stays.
    job_seconds : int
        How long attempts on replaced hosts may go on; 0 stops them at once.
    desired_vcpus : int or None
        Hosts for at least so many vCPUs shall come now.
    """

    environment: ComputeEnvironment
    replaces_hosts: bool = False
    job_seconds: int = 0
    desired_vcpus: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeEnvironmentDeleted:
    """DeleteComputeEnvironment was accepted; the environment goes when its hosts are gone."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostInterrupted:
    """Somebody wants a host gone, as when Spot reclaims it.

    `notice_seconds` is how long its attempts have to end; None means what its environment says.
    """

    host: HostId
    notice_seconds: float | None = None


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


class JobSubmitted(Struct, frozen=True, kw_only=True):
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


class AttemptStarted(Struct, frozen=True, kw_only=True):
    """The container runs since `started_at`."""

    job_id: JobId
    attempt: int
    started_at: int


class AttemptExited(Struct, frozen=True, kw_only=True):
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
    containers : tuple of ContainerEnd
        Of a task of several containers, in the order of its definition; empty otherwise.
    """

    job_id: JobId
    attempt: int
    exit_code: int | None
    stopped_at: int
    started_at: int | None = None
    reason: str | None = None
    status_reason: str = "Essential container in task exited"
    usage: Usage = UNKNOWN_USAGE
    containers: tuple[ContainerEnd, ...] = ()


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
    | ComputeEnvironmentUpdated
    | ComputeEnvironmentDeleted
    | HostInterrupted
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


MAIN_NODE_ADDRESS = "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gang:
    """What binds the nodes of one attempt of a multi-node job.

    Parameters
    ----------
    main : JobId
        The main node, which starts first; its attempt has the same number.
    others : Resources
        On the main node's order, what all other nodes will need; the machine has to have room for
        them, too, before the main node begins. Nothing on the orders of the others.
    """

    main: JobId
    others: Resources = NOTHING


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
        What the attempt may use, and what physical admission counts: of all its containers.
    task : Task or None
        What the containers share, when there are several.
    others : tuple of StartAttempt
        The same attempt's further containers, each as an order of its own; its `resources` are that
        container's.
        What the attempt may use, and what physical admission counts.
    gang : Gang or None
        Set for the nodes of a multi-node job. Only the executor knows the main node's address; it
        adds `MAIN_NODE_ADDRESS` to the others' environment.
    """

    job_id: JobId
    attempt: int
    host: HostId
    container: Container
    environment: tuple[tuple[str, str], ...]
    resources: Resources
    log_stream: str
    tags: tuple[tuple[str, str], ...] = field(default=())
    task: Task | None = None
    others: tuple[StartAttempt, ...] = ()
    gang: Gang | None = None

    @property
    def follows_main(self) -> bool:
        """Whether this is a node that starts behind its running main node."""
        return self.gang is not None and self.gang.main != self.job_id

    def told_main_node(self, address: str) -> StartAttempt:
        """The same order for a node that is told where its main node can be reached."""
        return replace(self, environment=(*self.environment, (MAIN_NODE_ADDRESS, address)))


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAttempt:
    """Send SIGTERM, and SIGKILL after `grace_seconds`; an attempt not yet running never runs."""

    job_id: JobId
    attempt: int
    grace_seconds: int = 30


Effect = StartAttempt | StopAttempt
