"""SubmitJob: resolve the definition and the queue, merge overrides, check dependencies.

Sources: API reference, SubmitJob and ContainerOverrides; user guide, "Job dependencies". What comes
out is the whole job: later changes of its definition or queue do not touch it.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from nbbatch.errors import ClientException
from nbbatch.model.containers import Container, Task
from nbbatch.model.events import Event, FinishedDependency, JobSubmitted
from nbbatch.model.fleet import JobQueue
from nbbatch.model.jobs import (
    Dependency,
    DependencyType,
    Job,
    JobDefinition,
    JobId,
    JobStatus,
    JobView,
    NodeProperties,
    RetryStrategy,
    is_canonical,
    is_node_id,
    split_child_id,
)
from nbbatch.model.requests import JobDraft
from nbbatch.scheduler.budget import cap_of, check_day
from nbbatch.scheduler.commands.consumables import resolve_consumables
from nbbatch.scheduler.commands.definitions import resolve_definition
from nbbatch.scheduler.commands.nodes import settle_nodes
from nbbatch.scheduler.commands.overrides import refusal, settle_containers
from nbbatch.scheduler.commands.queues import resolve_queue
from nbbatch.scheduler.fairshare import MAX_SHARES
from nbbatch.scheduler.state import LiveJob, SchedulerState

MIN_ARRAY, MAX_ARRAY = 2, 10_000
ONCE = RetryStrategy()

T = TypeVar("T")


class FinishedJobs(Protocol):
    """Jobs that the scheduler has let go."""

    def finished_dependency(self, job_id: str) -> FinishedDependency | None:
        """How a job or child ended; None when nothing is known of it."""
        ...

    def find(self, job_ids: list[str]) -> dict[JobId, JobView]:
        """Jobs by id."""
        ...


def submit_job(
    state: SchedulerState, draft: JobDraft, *, job_id: JobId, now: int, finished: FinishedJobs
) -> tuple[list[Event], Job]:
    """Settle all there is to settle about a job.

    Parameters
    ----------
    state : SchedulerState
        Only read.
    draft : JobDraft
        What was asked for.
    job_id : JobId
        A new id.
    now : int
        Epoch ms.
    finished : FinishedJobs
        Asked about dependencies that are no longer live.

    Raises
    ------
    ClientException
        In AWS's words where they are known (aws_batch_semantics, section 27).
    """
    check_day(state, now)
    cap_of(draft.tags)
    queue = resolve_queue(state, draft.queue)
    definition = resolve_definition(state, draft.definition)
    _check_platform(state, queue, definition)
    _check_share(state, queue, draft)
    if draft.array_size is not None and not MIN_ARRAY <= draft.array_size <= MAX_ARRAY:
        raise ClientException(
            f"arrayProperties.size: {draft.array_size} is not between {MIN_ARRAY} and {MAX_ARRAY}"
        )
    job = _settle(state, queue, definition, draft, job_id=job_id, now=now)
    gone = _settle_dependencies(state, draft, finished) if draft.depends_on else ()
    return [JobSubmitted(job=job, finished_dependencies=gone)], job


def _settle(
    state: SchedulerState,
    queue: JobQueue,
    definition: JobDefinition,
    draft: JobDraft,
    *,
    job_id: JobId,
    now: int,
) -> Job:
    """What the definition says, and the caller otherwise."""
    parameters = {**definition.parameters, **draft.parameters}
    container, task, nodes = _what_runs(state, queue, definition, draft, parameters)
    propagate_tags = _first(draft.propagate_tags, definition.propagate_tags) or False
    task_tags = {**definition.tags, **draft.tags} if propagate_tags else {}
    return Job(
        id=job_id,
        name=draft.name,
        queue=queue.name,
        definition=definition.key,
        container=container,
        task=task,
        nodes=nodes,
        created_at=now,
        parameters=parameters,
        depends_on=draft.depends_on,
        array_size=draft.array_size,
        retry_strategy=draft.retry_strategy or definition.retry_strategy or ONCE,
        timeout=draft.timeout or definition.timeout,
        share_identifier=draft.share_identifier,
        scheduling_priority=_first(draft.scheduling_priority, definition.scheduling_priority),
        propagate_tags=propagate_tags,
        platform=definition.platform,
        consumables=resolve_consumables(state, _first(draft.consumables, definition.consumables) or ()),
        tags=draft.tags,
        definition_tags=definition.tags if propagate_tags else {},
        refusal=refusal(definition, draft, len(task_tags), container),
    )


def _first(*values: T | None) -> T | None:
    return next((value for value in values if value is not None), None)


def _check_platform(state: SchedulerState, queue: JobQueue, definition: JobDefinition) -> None:
    """A queue's environments are all Fargate or all EC2, so the first one tells."""
    if queue.service_environments:
        raise ClientException(
            f"Job Queue {queue.name} is of type SAGEMAKER_TRAINING and takes service jobs only; use SubmitServiceJob."
        )
    kind = state.environments[queue.environments[0]].environment.resource_type
    offered = "FARGATE" if kind.startswith("FARGATE") else "EC2"
    if definition.platform != offered:
        raise ClientException(
            "Job Queue is attached to Compute Environment that can not run Jobs with capability "
            f"{definition.platform}."
        )


def _check_share(state: SchedulerState, queue: JobQueue, draft: JobDraft) -> None:
    given = draft.share_identifier is not None or draft.scheduling_priority is not None
    if queue.scheduling_policy is None and given:
        raise ClientException(
            "Job with shareIdentifier or schedulingPriority can onlybe submitted to job queue with "
            "fair share scheduling policy."
        )
    if queue.scheduling_policy is not None and draft.share_identifier is None:
        raise ClientException(
            f"shareIdentifier is required: job queue {queue.name} has a fair share scheduling policy."
        )
    shares = state.queues[queue.name].shares
    if (
        draft.share_identifier is not None
        and draft.share_identifier not in shares
        and len(shares) >= MAX_SHARES
    ):
        raise ClientException(
            f"shareIdentifier: {draft.share_identifier} would be one more than the {MAX_SHARES} active shares that "
            f"job queue {queue.name} may have; wait until others have had no job for the policy's shareDecaySeconds."
        )


def _what_runs(
    state: SchedulerState,
    queue: JobQueue,
    definition: JobDefinition,
    draft: JobDraft,
    parameters: dict[str, str],
) -> tuple[Container, Task | None, NodeProperties | None]:
    """Containers after overrides and parameters; of a multi-node job its main node's, and all nodes."""
    nodes = settle_nodes(state, queue, definition, draft, parameters)
    if nodes is None:
        return *settle_containers(definition, draft, parameters), None
    main = nodes.range_of(nodes.main)
    return main.container, main.task, nodes


def _settle_dependencies(
    state: SchedulerState, draft: JobDraft, finished: FinishedJobs
) -> tuple[FinishedDependency, ...]:
    """Check every dependency; tell how those ended that have ended."""
    gone: dict[JobId, FinishedDependency] = {}
    for dependency in draft.depends_on:
        _check_dependency(dependency, draft)
        if dependency.job_id is None:
            continue
        if not is_canonical(dependency.job_id):
            raise _unknown(dependency.job_id)
        if is_node_id(dependency.job_id):
            raise ClientException(
                f"dependsOn: {dependency.job_id} is a node; depend on the whole job "
                f"{split_child_id(dependency.job_id)[0]}."
            )
        size: int | None = None
        found = state.find(dependency.job_id)
        if found is not None and not state.status(*found).is_terminal:
            size = found[0].job.array_size if found[1] is None else None
        else:
            gone[dependency.job_id], size = _ended(state, dependency, finished)
        if dependency.type is DependencyType.N_TO_N and size != draft.array_size:
            raise ClientException(
                f"dependsOn: N_TO_N needs two arrays of one size; {dependency.job_id} has "
                f"{size or 'no array'}, this job has {draft.array_size}."
            )
    return tuple(gone.values())


def _check_dependency(dependency: Dependency, draft: JobDraft) -> None:
    match dependency.type:
        case DependencyType.SEQUENTIAL if draft.array_size is None:
            raise ClientException("dependsOn: type SEQUENTIAL is only for array jobs.")
        case DependencyType.SEQUENTIAL if dependency.job_id is not None:
            raise ClientException("dependsOn: type SEQUENTIAL is about the array itself and takes no jobId.")
        case DependencyType.N_TO_N if draft.array_size is None:
            raise ClientException("dependsOn: type N_TO_N is only for array jobs.")
        case DependencyType.N_TO_N | None if dependency.job_id is None:
            raise ClientException("dependsOn: jobId is required, unless type is SEQUENTIAL.")


def _ended(
    state: SchedulerState, dependency: Dependency, finished: FinishedJobs
) -> tuple[FinishedDependency, int | None]:
    """How a dependency ended and its array size; a job that ended in this very tick has no row yet."""
    job_id = dependency.job_id or JobId("")
    parent, index = split_child_id(job_id)
    recent = state.jobs.get(parent) or state.changes.jobs.get(parent)
    if recent is not None:
        ended = _ended_recently(job_id, recent, index)
        size = recent.job.array_size if index is None else None
    else:
        ended = finished.finished_dependency(job_id)
        is_array = ended is not None and dependency.type is DependencyType.N_TO_N
        size = finished.find([job_id])[job_id].job.array_size if is_array and index is None else None
    if ended is None:
        raise _unknown(job_id)
    return ended, size


def _unknown(job_id: JobId) -> ClientException:
    return ClientException(f"dependsOn: job {job_id} does not exist.")


def _ended_recently(job_id: JobId, live: LiveJob, index: int | None) -> FinishedDependency | None:
    if index is None:
        failed = live.children.in_status(JobStatus.FAILED) if live.children is not None else []
        succeeded = live.run.status is JobStatus.SUCCEEDED
        return FinishedDependency(job_id=job_id, succeeded=succeeded, failed_children=tuple(failed))
    if live.children is None or index >= len(live.children.statuses):
        return None
    return FinishedDependency(job_id=job_id, succeeded=live.children.status(index) is JobStatus.SUCCEEDED)
