"""SubmitJob: resolve the definition and the queue, merge overrides, check dependencies.

Sources: API reference, SubmitJob and ContainerOverrides; user guide, "Job dependencies". What comes
out is the whole job: later changes of its definition or queue do not touch it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, TypeVar

from nbbatch.errors import ClientException
from nbbatch.model.events import Event, FinishedDependency, JobSubmitted
from nbbatch.model.fargate import check_fargate_size
from nbbatch.model.fleet import JobQueue
from nbbatch.model.jobs import (
    Container,
    Dependency,
    DependencyType,
    Job,
    JobDefinition,
    JobId,
    JobStatus,
    JobView,
    RetryStrategy,
    is_canonical,
    split_child_id,
)
from nbbatch.model.requests import NO_OVERRIDES, JobDraft, Overrides
from nbbatch.model.resources import Resources
from nbbatch.scheduler.budget import cap_of, check_day
from nbbatch.scheduler.commands.consumables import resolve_consumables
from nbbatch.scheduler.commands.definitions import resolve_definition
from nbbatch.scheduler.commands.parameters import substitute
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
    parameters = {**definition.parameters, **draft.parameters}
    job = Job(
        id=job_id,
        name=draft.name,
        queue=queue.name,
        definition=definition.key,
        container=_merge(definition, draft.overrides, parameters),
        created_at=now,
        parameters=parameters,
        depends_on=draft.depends_on,
        array_size=draft.array_size,
        retry_strategy=draft.retry_strategy or definition.retry_strategy or ONCE,
        timeout=draft.timeout or definition.timeout,
        share_identifier=draft.share_identifier,
        scheduling_priority=_first(draft.scheduling_priority, definition.scheduling_priority),
        propagate_tags=_first(draft.propagate_tags, definition.propagate_tags) or False,
        platform=definition.platform,
        consumables=resolve_consumables(state, _first(draft.consumables, definition.consumables) or ()),
        tags=draft.tags,
    )
    gone = _settle_dependencies(state, draft, finished) if draft.depends_on else ()
    return [JobSubmitted(job=job, finished_dependencies=gone)], job


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


def _merge(definition: JobDefinition, overrides: Overrides, parameters: dict[str, str]) -> Container:
    """The definition's container with the caller's command, environment and resources."""
    container = definition.container
    if overrides is NO_OVERRIDES and not _has_references(container.command):
        return container
    resources = _merge_resources(container, overrides)
    if resources is not container.resources and definition.platform == "FARGATE":
        check_fargate_size(resources)
    command = container.command if overrides.command is None else overrides.command
    swap = container.memory_swap
    return replace(
        container,
        command=substitute(command, parameters),
        environment=tuple({**dict(container.environment), **dict(overrides.environment)}.items()),
        resources=resources,
        memory_swap=None if swap is None else swap - container.resources.memory + resources.memory,
    )


def _has_references(command: tuple[str, ...]) -> bool:
    return any("Ref::" in element for element in command)


def _merge_resources(container: Container, overrides: Overrides) -> Resources:
    """Each type by itself; the deprecated members only override deprecated members."""
    registered, own = container.as_registered, container.resources
    vcpus, memory = overrides.vcpus, overrides.memory
    if vcpus is None and "vcpus" in registered:
        vcpus = overrides.legacy_vcpus
    if memory is None and "memory" in registered:
        memory = overrides.legacy_memory
    if vcpus is None and memory is None and overrides.gpus is None:
        return own
    return Resources(
        vcpus=own.vcpus if vcpus is None else float(vcpus),
        memory=own.memory if memory is None else memory,
        gpus=own.gpus if overrides.gpus is None else overrides.gpus,
    )


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
