"""Definitions and queues: the world that jobs run in. Compute environments are in `environments`."""

from __future__ import annotations

from nbbatch.model.events import (
    DefinitionDeregistered,
    DefinitionRegistered,
    Effect,
    JobQueueCreated,
)
from nbbatch.model.jobs import DefinitionStatus
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


def on_job_queue_created(state: SchedulerState, event: JobQueueCreated, _now: int) -> list[Effect]:
    """Queues are kept in the order in which placement looks at them."""
    state.queues[event.queue.name] = open_queue(state, event.queue)
    sort_queues(state)
    state.changes.queues[event.queue.name] = event.queue
    return []


def sort_queues(state: SchedulerState) -> None:
    """Higher priority first, then by name."""
    state.queues = dict(sorted(state.queues.items(), key=lambda item: (-item[1].queue.priority, item[0])))
