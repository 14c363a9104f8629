"""Invariants of queues, shares and consumable resources, checked from scratch: meant for tests."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from nbbatch.errors import NbbatchBugError
from nbbatch.model.fleet import ResourceStatus
from nbbatch.model.jobs import ACTIVE, JobStatus
from nbbatch.scheduler.fairshare import Ledger, units_of

if TYPE_CHECKING:
    from nbbatch.scheduler.queueing import QueueState
    from nbbatch.scheduler.state import LiveJob, SchedulerState


def check_queue(state: SchedulerState, queue: QueueState) -> None:
    """A queue's lanes, shares and blocked head agree with its jobs."""
    name = queue.queue.name
    mine = [live for live in state.jobs.values() if live.job.queue == name]
    _require(
        bool(mine) or queue.queue.status is not ResourceStatus.DELETING, f"{name} goes with its last job"
    )
    _require((queue.policy is None) or not queue.entries, f"{name} has one kind of lanes")
    _check_blocked(state, queue)
    _check_looked_at(state, queue)
    _require(queue.policy is not None or not queue.shares, f"{name} has no shares")
    if queue.policy is None:
        return
    live = Counter(one.job.share_identifier for one in mine)
    busy: Counter[str | None] = Counter()
    for one in mine:
        busy[one.job.share_identifier] += _active(one) * units_of(one.job.gang_resources.vcpus)
    _require(set(live) <= set(queue.shares), f"{name} knows its shares")
    for identifier, share in queue.shares.items():
        ledger, record = share.ledger, share.ledger.record
        _require(share.live == live[identifier], f"count of {name}/{identifier}")
        _require(
            (record.left_at is None) == (share.live > 0), f"{name}/{identifier} has left iff it has no job"
        )
        _require(share.live > 0 or share.is_watched, f"{name}/{identifier} will be forgotten")
        _require(ledger.busy == busy[identifier], f"{name}/{identifier} counts its vCPUs")
        _require(ledger.moments == Ledger.of(record, ledger.window).moments, f"books of {name}/{identifier}")
    _require(queue.busy == sum(busy.values()), f"{name} counts its vCPUs")


def check_consumables(state: SchedulerState) -> None:
    """What is in use is what active attempts have."""
    used: Counter[str] = Counter()
    for live in state.jobs.values():
        for name, need in live.job.consumables:
            used[name] += need * _active(live)
    _require(state.in_use == {name: amount for name, amount in used.items() if amount}, "consumables in use")
    for resource in state.consumables.values():
        _require(resource.total >= 0, f"{resource.name} is not below zero")


def _check_blocked(state: SchedulerState, queue: QueueState) -> None:
    """Exactly the blocked head has a clock."""
    blocked = queue.blocked
    clocks = []
    for live in state.jobs.values():
        if live.job.queue != queue.queue.name:
            continue
        runs = [live.run] if live.children is None else list(live.children.runs.values())
        clocks += [(run.id, run.blocked_since) for run in runs if run.blocked_since is not None]
    if blocked is None or blocked.reason is None:
        _require(not clocks, f"{queue.queue.name} has no clock that nobody watches")
        return
    live = state.jobs[blocked.job_id]
    run = state.run_of(live, blocked.index)
    _require(run.status is JobStatus.RUNNABLE and run.status_reason == blocked.reason, f"{run.id} is blocked")
    _require(clocks == [(run.id, blocked.since)], f"only {run.id} has a clock")


def _check_looked_at(state: SchedulerState, queue: QueueState) -> None:
    """What heads are compared by is put together anew whenever it may be another."""
    if queue.looked_at is None or queue.looked_at[0] != (state.supply, queue.queue):
        return
    known = [state.environments[name] for name in queue.queue.environments if name in state.environments]
    now = (*[one.environment for one in known], *[one.offers for one in known if one.environment.pools])
    _require(queue.looked_at[1] == now, f"{queue.queue.name} knows its environments")


def _active(live: LiveJob) -> int:
    """Number of attempts that a job or its children have under way."""
    if live.children is None:
        return int(live.run.status in ACTIVE)
    return len(live.children.in_status(*ACTIVE))


def _require(holds: bool, invariant: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise NbbatchBugError(f"Invariant broken: {invariant}.")
