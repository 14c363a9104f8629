"""Queues that change or go, scheduling policies, consumable resources, and the other small nouns."""

from __future__ import annotations

from dataclasses import replace

from nbbatch.model.events import (
    ConsumableResourceChanged,
    Effect,
    JobQueueDeleted,
    JobQueueUpdated,
    NounDeleted,
    QuotaShareChanged,
    SchedulingPolicyChanged,
    ServiceEnvironmentChanged,
)
from nbbatch.model.fleet import (
    ConsumableResource,
    Noun,
    QuotaShare,
    ResourceStatus,
    SchedulingPolicy,
    ServiceEnvironment,
)
from nbbatch.scheduler.blocked import watch_blocked
from nbbatch.scheduler.queueing import drop_if_empty, follow_policy, forget_share
from nbbatch.scheduler.reactions.stops import stop_whole
from nbbatch.scheduler.reactions.world import sort_queues
from nbbatch.scheduler.state import Deadline, SchedulerState

QUEUE_DELETED = "JobQueue deleted"
_DELETABLE: dict[str, type[Noun]] = {
    kind.__name__: kind for kind in (SchedulingPolicy, ConsumableResource, ServiceEnvironment, QuotaShare)
}


def on_job_queue_updated(state: SchedulerState, event: JobQueueUpdated, _now: int) -> list[Effect]:
    """What waits in the queue is judged anew; what runs goes on."""
    queue = state.queues[event.queue.name]
    queue.queue, queue.short = event.queue, None
    policy = state.policies.get(event.queue.scheduling_policy or "")
    if policy is not None and policy.fair_share is not None and policy.fair_share != queue.policy:
        follow_policy(state, queue, policy.fair_share)
    watch_blocked(state, queue)
    sort_queues(state)
    state.changes.queues[event.queue.name] = event.queue
    return []


def on_job_queue_deleted(state: SchedulerState, event: JobQueueDeleted, now: int) -> list[Effect]:
    """Its jobs end; the queue is DELETING until the last one is gone, then it is no more.

    [?] AWS shows DELETING for some seconds and DELETED for a while after it; here it takes as long as
    the jobs take to stop.
    """
    queue = state.queues[event.name]
    queue.queue = replace(queue.queue, status=ResourceStatus.DELETING)
    state.changes.queues[event.name] = queue.queue
    for name in [name for name in state.quota_shares if name.rpartition("/")[0] == event.name]:
        state.drop_noun(QuotaShare, name)
    effects: list[Effect] = []
    for live in [live for live in state.jobs.values() if live.job.queue == event.name]:
        if live.job.id in state.jobs:
            effects += stop_whole(state, live, QUEUE_DELETED, now)
    if event.name in state.queues:
        drop_if_empty(state, queue)
    return effects


def on_scheduling_policy_changed(
    state: SchedulerState, event: SchedulingPolicyChanged, _now: int
) -> list[Effect]:
    """Queues that follow the policy share by it from the next decision on."""
    state.keep_noun(event.policy)
    for queue in state.queues.values():
        if queue.queue.scheduling_policy == event.policy.name and event.policy.fair_share is not None:
            follow_policy(state, queue, event.policy.fair_share)
    return []


def on_consumable_resource_changed(
    state: SchedulerState, event: ConsumableResourceChanged, _now: int
) -> list[Effect]:
    """Attempts keep what they have."""
    state.keep_noun(event.resource)
    return []


def on_service_environment_changed(
    state: SchedulerState, event: ServiceEnvironmentChanged, _now: int
) -> list[Effect]:
    """Metadata: nothing runs there."""
    state.keep_noun(event.environment)
    return []


def on_quota_share_changed(state: SchedulerState, event: QuotaShareChanged, _now: int) -> list[Effect]:
    """Metadata: service jobs do not run here."""
    state.keep_noun(event.share)
    return []


def on_noun_deleted(state: SchedulerState, event: NounDeleted, _now: int) -> list[Effect]:
    """Commands have seen to it that nobody needs it."""
    state.drop_noun(_DELETABLE[event.kind], event.name)
    return []


def on_share_left(state: SchedulerState, deadline: Deadline, now: int) -> list[Effect]:
    """A share without jobs is forgotten once its use does not count any more."""
    forget_share(state, deadline.subject, now)
    return []
