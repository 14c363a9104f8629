"""The one door through which the state changes: `handle(state, event, now) -> effects`.

`react` is the same door for who does not carry effects out, and needs no orders. Each event has one
reaction, `on_<event>` in `reactions/`; after it, whatever became possible is placed. Time itself is an
event: a tick works off the deadlines that are due, each by its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop
from typing import Any

from nbbatch.model.events import (
    AttemptExited,
    AttemptStarted,
    AttemptVanished,
    BudgetChanged,
    CancelRequested,
    ComputeEnvironmentCreated,
    ComputeEnvironmentDeleted,
    ComputeEnvironmentUpdated,
    ConsumableResourceChanged,
    DefinitionDeregistered,
    DefinitionRegistered,
    Effect,
    Event,
    HostInterrupted,
    JobQueueCreated,
    JobQueueDeleted,
    JobQueueUpdated,
    JobSubmitted,
    NounDeleted,
    QuotaShareChanged,
    SchedulingPolicyChanged,
    ServiceEnvironmentChanged,
    TagsChanged,
    TerminateRequested,
    Ticked,
)
from nbbatch.scheduler.blocked import on_blocked_head
from nbbatch.scheduler.draining import on_host_interrupted, on_host_stops
from nbbatch.scheduler.fleet import on_capacity_wait, on_host_ready, on_idle_host
from nbbatch.scheduler.lookahead import on_look_ahead
from nbbatch.scheduler.orders import Placed, Step, start_order
from nbbatch.scheduler.placement import place, place_new
from nbbatch.scheduler.reactions.attempts import (
    on_attempt_exited,
    on_attempt_started,
    on_attempt_vanished,
    on_timeout,
)
from nbbatch.scheduler.reactions.budget import on_budget_changed, on_budget_due
from nbbatch.scheduler.reactions.environments import (
    on_compute_environment_created,
    on_compute_environment_deleted,
    on_compute_environment_updated,
)
from nbbatch.scheduler.reactions.queues import (
    on_consumable_resource_changed,
    on_job_queue_deleted,
    on_job_queue_updated,
    on_noun_deleted,
    on_quota_share_changed,
    on_scheduling_policy_changed,
    on_service_environment_changed,
    on_share_left,
)
from nbbatch.scheduler.reactions.stops import on_cancel_requested, on_job_submitted, on_terminate_requested
from nbbatch.scheduler.reactions.tags import on_tags_changed
from nbbatch.scheduler.reactions.world import (
    on_definition_deregistered,
    on_definition_registered,
    on_job_queue_created,
)
from nbbatch.scheduler.state import Deadline, DeadlineKind, SchedulerState

Reaction = Callable[[SchedulerState, Any, int], Sequence[Step]]
Reminder = Callable[[SchedulerState, Deadline, int], list[Effect]]


def handle(state: SchedulerState, event: Event, now: int) -> list[Effect]:
    """Let one event happen.

    Parameters
    ----------
    state : SchedulerState
        Changed in place.
    event : Event
        What happened; checked against the state before it became an event.
    now : int
        Epoch ms. Time does not run backwards: an earlier `now` counts as the latest one seen.

    Returns
    -------
    list of Effect
        What to carry out once the event is durable.
    """
    return [
        start_order(step.live, step.child, step.run) if isinstance(step, Placed) else step
        for step in react(state, event, now)
    ]


def react(state: SchedulerState, event: Event, now: int) -> Sequence[Step]:
    """Let one event happen, as `handle` does; what is placed is told without its orders."""
    state.now = max(state.now, now)
    steps = REACTIONS[type(event)](state, event, state.now)
    if isinstance(event, AttemptStarted):  # frees nothing and adds nothing: no job's chances have changed
        return steps
    if isinstance(event, JobSubmitted):  # frees nothing: only its own queue can have a new head
        placed = place_new(state, state.queues[event.job.queue], state.now)
    else:
        placed = place(state, state.now)
    return [*steps, *placed] if steps else placed


def on_ticked(state: SchedulerState, _event: Ticked, now: int) -> list[Effect]:
    """Work off every deadline that is due."""
    effects: list[Effect] = []
    while state.deadlines and state.deadlines[0].at <= now:
        deadline = heappop(state.deadlines)
        effects += REMINDERS[deadline.kind](state, deadline, now)
    return effects


REACTIONS: dict[type, Reaction] = {
    DefinitionRegistered: on_definition_registered,
    DefinitionDeregistered: on_definition_deregistered,
    ComputeEnvironmentCreated: on_compute_environment_created,
    ComputeEnvironmentUpdated: on_compute_environment_updated,
    ComputeEnvironmentDeleted: on_compute_environment_deleted,
    HostInterrupted: on_host_interrupted,
    JobQueueCreated: on_job_queue_created,
    JobQueueUpdated: on_job_queue_updated,
    JobQueueDeleted: on_job_queue_deleted,
    SchedulingPolicyChanged: on_scheduling_policy_changed,
    ConsumableResourceChanged: on_consumable_resource_changed,
    ServiceEnvironmentChanged: on_service_environment_changed,
    QuotaShareChanged: on_quota_share_changed,
    NounDeleted: on_noun_deleted,
    JobSubmitted: on_job_submitted,
    CancelRequested: on_cancel_requested,
    TerminateRequested: on_terminate_requested,
    TagsChanged: on_tags_changed,
    BudgetChanged: on_budget_changed,
    AttemptStarted: on_attempt_started,
    AttemptExited: on_attempt_exited,
    AttemptVanished: on_attempt_vanished,
    Ticked: on_ticked,
}

REMINDERS: dict[DeadlineKind, Reminder] = {
    DeadlineKind.TIMEOUT: on_timeout,
    DeadlineKind.IDLE_HOST: on_idle_host,
    DeadlineKind.HOST_READY: on_host_ready,
    DeadlineKind.HOST_STOPS: on_host_stops,
    DeadlineKind.CAPACITY_WAIT: on_capacity_wait,
    DeadlineKind.LOOK_AHEAD: on_look_ahead,
    DeadlineKind.BLOCKED_HEAD: on_blocked_head,
    DeadlineKind.SHARE_LEFT: on_share_left,
    DeadlineKind.BUDGET: on_budget_due,
}
