"""Caps that are reached, and a day's cap that is set."""

from __future__ import annotations

from nbbatch.model.events import BudgetChanged, Effect, TerminateRequested
from nbbatch.model.fleet import DayBudget
from nbbatch.model.jobs import JobId
from nbbatch.scheduler.budget import DAY, due_day, due_job, watch_day
from nbbatch.scheduler.reactions.stops import on_terminate_requested
from nbbatch.scheduler.state import Deadline, SchedulerState


def on_budget_changed(state: SchedulerState, event: BudgetChanged, now: int) -> list[Effect]:
    """A day may spend so much from now on; a cap below what is spent stops what runs at once."""
    state.keep_noun(DayBudget(name=DAY, dollars=event.dollars))
    watch_day(state, now)
    return []


def on_budget_due(state: SchedulerState, deadline: Deadline, now: int) -> list[Effect]:
    """Stop the job whose cap is reached, or all attempts when the day's is."""
    if deadline.subject != DAY:
        reason = due_job(state, deadline.subject, now)
        return [] if reason is None else _terminate(state, [JobId(deadline.subject)], reason, now)
    reason = due_day(state, now)
    running = [
        job_id
        for environment in state.environments.values()
        for host in environment.hosts.values()
        for job_id in host.occupants
    ]
    return [] if reason is None else _terminate(state, running, reason, now)


def _terminate(state: SchedulerState, ids: list[JobId], reason: str, now: int) -> list[Effect]:
    effects: list[Effect] = []
    for job_id in ids:
        effects += on_terminate_requested(state, TerminateRequested(job_id=job_id, reason=reason), now)
    return effects
