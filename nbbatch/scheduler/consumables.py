"""Consumable resources: licences, tokens and the like, which an attempt has while it runs.

Source: AWS Batch user guide, "Resource-aware scheduling". An attempt takes its quantities when it is
placed and gives them back when it ends; of a NON_REPLENISHABLE resource they are gone for good. A job
waits until all of them are there. What is in use is counted, not stored: it follows from the
attempts that run.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from nbbatch.model.fleet import ConsumableResource
from nbbatch.model.jobs import Job
from nbbatch.scheduler.state import SchedulerState


class Missing(NamedTuple):
    """A resource of which there is too little now; `have` is None when it does not exist."""

    name: str
    need: int
    have: int | None


def in_use(state: SchedulerState, resource: ConsumableResource) -> int:
    """Quantity that will come back when the attempts that have it end."""
    return state.in_use.get(resource.name, 0) if resource.is_replenishable else 0


def available(state: SchedulerState, resource: ConsumableResource) -> int:
    """Quantity that an attempt could take now; an update may have left less than is in use."""
    return max(0, resource.total - in_use(state, resource))


def missing(state: SchedulerState, job: Job) -> list[Missing]:
    """What a job still waits for."""
    short = []
    for name, need in job.consumables:
        resource = state.consumables.get(name)
        have = None if resource is None else available(state, resource)
        if have is None or have < need:
            short.append(Missing(name, need, have))
    return short


def take(state: SchedulerState, job: Job) -> None:
    """An attempt is placed: what it needs is its own now."""
    resume(state, job)
    for name, need in job.consumables:
        resource = state.consumables[name]
        if not resource.is_replenishable:
            state.keep_noun(replace(resource, total=resource.total - need))


def resume(state: SchedulerState, job: Job) -> None:
    """Count what an attempt has that was placed before the rows were read."""
    for name, need in job.consumables:
        state.in_use[name] = state.in_use.get(name, 0) + need


def give_back(state: SchedulerState, job: Job) -> None:
    """An attempt is over."""
    for name, need in job.consumables:
        state.in_use[name] -= need
        if not state.in_use[name]:
            del state.in_use[name]


def explain_missing(state: SchedulerState, job: Job) -> list[str]:
    """In words and numbers, what a job waits for."""
    return [
        f"Consumable resource {name} does not exist; the job needs {need} of it."
        if have is None
        else f"It needs {need} of consumable resource {name}, and {have} are available."
        for name, need, have in missing(state, job)
    ]
