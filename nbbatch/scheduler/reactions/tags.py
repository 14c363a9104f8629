"""Tags that change: on live and finished jobs, definitions, queues, environments and small nouns."""

from __future__ import annotations

from dataclasses import replace

from msgspec import structs

from nbbatch.model.events import Effect, TagsChanged
from nbbatch.model.fleet import TAGGED_NOUNS
from nbbatch.model.jobs import JobId
from nbbatch.scheduler.budget import watch_job
from nbbatch.scheduler.reactions.environments import retag_environment
from nbbatch.scheduler.state import SchedulerState


def on_tags_changed(state: SchedulerState, event: TagsChanged, now: int) -> list[Effect]:
    """The resource has these tags from now on; one that is gone meanwhile has none."""
    match event.kind:
        case "job":
            _tag_job(state, event, now)
        case "job-definition":
            _tag_definition(state, event)
        case "job-queue" if event.name in state.queues:
            queue = state.queues[event.name]
            queue.queue = replace(queue.queue, tags=event.tags)
            state.changes.queues[event.name] = queue.queue
        case "compute-environment" if event.name in state.environments:
            retag_environment(state, state.environments[event.name], event.tags)
        case kind if kind in TAGGED_NOUNS:
            noun = state.nouns(TAGGED_NOUNS[kind]).get(event.name)
            if noun is not None:
                state.keep_noun(replace(noun, tags=event.tags))
    return []


def _tag_job(state: SchedulerState, event: TagsChanged, now: int) -> None:
    """A finished job lives in the rows only; the cap of a live one may be another now."""
    job_id = JobId(event.name)
    live = state.jobs.get(job_id)
    if live is not None:
        live.job = structs.replace(live.job, tags=event.tags)
        watch_job(state, live, now)
    state.changes.tags[job_id] = event.tags


def _tag_definition(state: SchedulerState, event: TagsChanged) -> None:
    name, _, revision = event.name.partition(":")
    revisions = state.definitions.get(name, [])
    for place, known in enumerate(revisions):
        if str(known.revision) == revision:
            revisions[place] = replace(known, tags=event.tags)
            state.changes.definitions[known.key] = revisions[place]
