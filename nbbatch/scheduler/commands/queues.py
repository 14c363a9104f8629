"""CreateJobQueue, and which queue a reference means."""

from __future__ import annotations

from nbbatch.errors import ClientException
from nbbatch.model.arns import name_of
from nbbatch.model.events import Event, JobQueueCreated
from nbbatch.model.fleet import JobQueue, ResourceStatus, Switch
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
    kinds = set()
    for name in queue.environments:
        known = state.environments.get(name)
        if known is None or known.environment.status is not ResourceStatus.VALID:
            raise ClientException(
                "Compute Environments must be created and valid before attaching them to a job queue: "
                f"{name} is {'not there' if known is None else known.environment.status}"
            )
        kinds.add(known.environment.resource_type.startswith("FARGATE"))
    if len(kinds) > 1:
        raise ClientException("Fargate and EC2 compute environments can not be mixed.")
    return [JobQueueCreated(queue=queue)], queue


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
