"""Where a RUNNABLE job stands in its queue, in words and numbers; reads only."""

from __future__ import annotations

from nbbatch.model.jobs import JobStatus
from nbbatch.scheduler.fairshare import UNIT
from nbbatch.scheduler.queueing import QueueState, Share, keeps_reserve, usable_vcpus
from nbbatch.scheduler.state import CODE, LiveJob, SchedulerState


def explain_standing(state: SchedulerState, queue: QueueState, live: LiveJob) -> list[str]:
    """Who goes before a job; empty when nobody does and nothing is shared."""
    head = state.head(queue)
    if queue.policy is None:
        if head is None or head[0] is live:
            return []
        told = f"Queue {live.job.queue} is first in, first out, and its head {_named(head[0])}"
        count = _ahead(state, queue, live)
        return [f"{told} does not start yet; {count} {'job is' if count == 1 else 'jobs are'} ahead."]
    return _explain_share(state, queue, live)


def _named(live: LiveJob) -> str:
    return f"{live.job.name} ({live.job.id[:8]})"


def _ahead(state: SchedulerState, queue: QueueState, live: LiveJob) -> int:
    """Number of jobs and arrays in the same lane that go before this one."""
    lane = queue.lane(live.job)
    mine = min((entry for entry in lane if entry[2] == live.job.id), default=None)
    ahead = {entry[2] for entry in lane if mine is not None and entry < mine}
    return sum(_waits(state.jobs[job_id]) for job_id in ahead if job_id in state.jobs)


def _waits(live: LiveJob) -> bool:
    if live.children is not None:
        return live.children.counts[CODE[JobStatus.RUNNABLE]] > 0
    return live.run.status is JobStatus.RUNNABLE


def _explain_share(state: SchedulerState, queue: QueueState, live: LiveJob) -> list[str]:
    own = live.job.share_identifier or ""
    share = queue.shares[own]
    count = _ahead(state, queue, live)
    ahead = f"{count} of its jobs {'is' if count == 1 else 'are'} ahead"
    told = [f"Share {own} has {_described(share, state.now)}; {ahead}."]
    head = state.head(queue)
    first = head[0].job.share_identifier or own if head is not None else own
    if first != own:
        told.append(f"Share {first} is before it, with {_described(queue.shares[first], state.now)}.")
    if head is not None and head[0] is not live:
        told.append(f"The head of queue {live.job.queue}, {_named(head[0])}, does not start yet.")
    if not keeps_reserve(state, queue, live.job):
        told.append(
            f"{len(queue.shares)} active shares may use {usable_vcpus(state, queue):g} vCPU, and use "
            f"{queue.busy / UNIT:g}: the rest is reserved for new shares."
        )
    return told


def _described(share: Share, now: int) -> str:
    """Weighted use in vCPU-seconds, and what it is made of."""
    ledger = share.ledger
    seconds = share.load(now) / (2 * ledger.window * UNIT * 1000)
    return (
        f"used {seconds:.1f} weighted vCPU-seconds (weight {share.weight:g}, {ledger.busy / UNIT:g} vCPU now)"
    )
