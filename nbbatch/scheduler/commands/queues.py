"""Operations on job queues, and which queue a reference means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nbbatch.errors import ClientException
from nbbatch.model.arns import name_of
from nbbatch.model.events import Event, JobQueueCreated, JobQueueDeleted, JobQueueUpdated
from nbbatch.model.fleet import JobQueue, ResourceStatus, SchedulingPolicy, Switch
from nbbatch.model.requests import QueueChanges
from nbbatch.scheduler.state import SchedulerState

MAX_QUEUES = 50


def create_queue(state: SchedulerState, queue: JobQueue) -> tuple[list[Event], JobQueue]:
    """Make a job queue over environments that exist; it is VALID at once.

    Raises
    ------
    ClientException
        In AWS's words where they are known.
    """
    if queue.name in state.queues:
        raise ClientException(f"Object already exists: job queue {queue.name}")
    if len(state.queues) >= MAX_QUEUES:
        raise ClientException(f"The limit of {MAX_QUEUES} job queues is reached.")
    _check_environments(state, queue.environments)
    _check_service_environments(state, queue.service_environments)
    if queue.scheduling_policy is not None:
        _check_policy(state, queue, queue.scheduling_policy)
    return [JobQueueCreated(queue=queue)], queue


def update_queue(state: SchedulerState, changes: QueueChanges) -> tuple[list[Event], JobQueue]:
    """Change a job queue; it is VALID again at once.

    Raises
    ------
    ClientException
        In AWS's words where they are known.
    """
    queue = _changeable(state, changes.queue)
    _check_kind(queue, changes)
    _check_environments(state, changes.environments or ())
    _check_service_environments(state, changes.service_environments or ())
    if changes.scheduling_policy is not None:
        if queue.scheduling_policy is None:
            raise ClientException(
                f"schedulingPolicyArn: job queue {queue.name} was made without a scheduling policy and cannot "
                "get one; create another job queue with it."
            )
        _check_policy(state, queue, changes.scheduling_policy)
    updated = _updated(queue, changes)
    return [JobQueueUpdated(queue=updated)], updated


def delete_queue(state: SchedulerState, reference: str) -> tuple[list[Event], None]:
    """Delete a job queue that is DISABLED; what is in it ends with it.

    Raises
    ------
    ClientException
        When it does not exist, or takes jobs.
    """
    queue = find_queue(state, reference)
    if queue is None:
        raise ClientException(f"Job Queue {reference} does not exist")
    if queue.status is ResourceStatus.DELETING:
        return [], None
    if queue.state is not Switch.DISABLED:
        raise ClientException(
            f"Cannot delete, state must be DISABLED: job queue {queue.name} is {queue.state}; "
            "disable it with UpdateJobQueue first."
        )
    return [JobQueueDeleted(name=queue.name)], None


def _updated(queue: JobQueue, changes: QueueChanges) -> JobQueue:
    """The queue as it is from now on.

    [?] AWS shows it as UPDATING for some seconds; here it is VALID again at once.
    """
    given = {
        "state": changes.state,
        "priority": changes.priority,
        "environments": changes.environments,
        "service_environments": changes.service_environments,
        "scheduling_policy": changes.scheduling_policy,
        "time_limits": changes.time_limits,
    }
    known = {name: value for name, value in given.items() if value is not None}
    return replace(queue, request={**queue.request, **changes.request}, **known)  # type: ignore[arg-type]


def _changeable(state: SchedulerState, reference: str) -> JobQueue:
    queue = find_queue(state, reference)
    if queue is None:
        raise ClientException(f"Job Queue {reference} does not exist")
    if queue.status is ResourceStatus.DELETING:
        raise ClientException(
            f"Cannot update, resource is being modified: job queue {queue.name} is DELETING."
        )
    return queue


def _check_kind(queue: JobQueue, changes: QueueChanges) -> None:
    """A queue stays one for jobs, or one for service jobs."""
    kind, others = ("ECS", changes.service_environments)
    if queue.service_environments:
        kind, others = ("SAGEMAKER_TRAINING", changes.environments)
    if others is not None:
        member = "computeEnvironmentOrder" if queue.service_environments else "serviceEnvironmentOrder"
        raise ClientException(f"{member} is not for job queues of type {kind}.")
    action = "TERMINATE" if queue.service_environments else "CANCEL"
    if any(limit.action != action for limit in changes.time_limits or ()):
        raise ClientException(f"Invalid job action. Valid job actions: [{action}]")


def _check_environments(state: SchedulerState, names: Sequence[str]) -> None:
    kinds = set()
    for name in names:
        known = state.environments.get(name)
        if known is None or known.environment.status is not ResourceStatus.VALID:
            raise ClientException(
                "Compute Environments must be created and valid before attaching them to a job queue: "
                f"{name} is {'not there' if known is None else known.environment.status}"
            )
        kinds.add(known.environment.resource_type.startswith("FARGATE"))
    if len(kinds) > 1:
        raise ClientException("Fargate and EC2 compute environments can not be mixed.")


def _check_service_environments(state: SchedulerState, names: Sequence[str]) -> None:
    for name in names:
        if name not in state.service_environments:
            raise ClientException(f"Service environment {name} does not exist; create it first.")


def _check_policy(state: SchedulerState, queue: JobQueue, name: str) -> None:
    """The policy is there and of the queue's kind, and stays so when it is replaced."""
    policy = state.policies.get(name)
    if policy is None:
        raise ClientException(f"SchedulingPolicy {name} not found.")
    if policy.quota_share != bool(queue.service_environments):
        what = "quotaSharePolicy" if policy.quota_share else "fairsharePolicy"
        raise ClientException(
            f"SchedulingPolicy {name} has a {what}, which job queue {queue.name} cannot use: quota shares are "
            "for queues of type SAGEMAKER_TRAINING, fair share is for all others."
        )


def queues_of(state: SchedulerState, policy: SchedulingPolicy) -> list[str]:
    """Names of the queues that follow a policy."""
    return [name for name, known in state.queues.items() if known.queue.scheduling_policy == policy.name]


def find_queue(state: SchedulerState, reference: str) -> JobQueue | None:
    """The queue that a name or ARN means."""
    found = state.queues.get(name_of(reference, "job-queue"))
    return found.queue if found is not None else None


def resolve_queue(state: SchedulerState, reference: str) -> JobQueue:
    """The queue that a name or ARN means, if it takes jobs.

    Raises
    ------
    ClientException
        When it does not exist, or is DISABLED or not VALID.
    """
    queue = find_queue(state, reference)
    if queue is None:
        known = ", ".join(sorted(state.queues)) or "none"
        raise ClientException(f"Job Queue {reference} does not exist; there are: {known}")
    if queue.state is not Switch.ENABLED:
        raise ClientException(f"Job Queue {reference} is {queue.state} and takes no jobs.")
    if queue.status is not ResourceStatus.VALID:
        raise ClientException(f"Job Queue {reference} is {queue.status} and takes no jobs.")
    return queue
