"""Definitions, compute environments and queues: the world that jobs run in."""

from __future__ import annotations

from nbbatch.model.events import (
    ComputeEnvironmentCreated,
    DefinitionDeregistered,
    DefinitionRegistered,
    Effect,
    JobQueueCreated,
)
from nbbatch.model.jobs import DefinitionStatus
from nbbatch.scheduler.fleet import add_environment
from nbbatch.scheduler.queueing import open_queue
from nbbatch.scheduler.state import SchedulerState


def on_definition_registered(state: SchedulerState, event: DefinitionRegistered, _now: int) -> list[Effect]:
    """A new revision is the latest one from now on."""
    definition = event.definition
    state.definitions.setdefault(definition.name, []).append(definition)
    state.changes.definitions[definition.key] = definition
    return []


def on_definition_deregistered(
    state: SchedulerState, event: DefinitionDeregistered, _now: int
) -> list[Effect]:
    """The revision takes no more jobs; those submitted go on."""
    revisions = state.definitions.get(event.name, [])
    for position, known in enumerate(revisions):
        if known.revision == event.revision:
            revisions[position] = known.with_status(DefinitionStatus.INACTIVE)
            state.changes.definitions[known.key] = revisions[position]
    return []


def on_compute_environment_created(
    state: SchedulerState, event: ComputeEnvironmentCreated, _now: int
) -> list[Effect]:
    """Its hosts come with the first job."""
    add_environment(state, event.environment)
    state.changes.environments[event.environment.name] = event.environment
    return []


def on_job_queue_created(state: SchedulerState, event: JobQueueCreated, _now: int) -> list[Effect]:
    """Queues are kept in the order in which placement looks at them."""
    state.queues[event.queue.name] = open_queue(state, event.queue)
    sort_queues(state)
    state.changes.queues[event.queue.name] = event.queue
    return []


def sort_queues(state: SchedulerState) -> None:
    """Higher priority first, then by name."""
    state.queues = dict(sorted(state.queues.items(), key=lambda item: (-item[1].queue.priority, item[0])))
