"""Which job of a queue is next: lanes of RUNNABLE jobs, and the shares of a fair-share queue.

A lane is a heap of (rank, sequence, job id). A first-in-first-out queue is one lane; a fair-share
queue has a lane per share, and its next job is the first of the share that has used least
(`fairshare`). Ranks up to `FRONT` are jobs to try again, which go before all others of their lane
(user guide, best practices); among shares a higher scheduling priority makes a lower rank. An entry
whose job is no longer RUNNABLE is dropped when it comes up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from heapq import heapify, heappop, heappush, heapreplace
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from nbbatch.model.fleet import FairSharePolicy, JobQueue, ResourceStatus, ShareUsage
from nbbatch.model.jobs import Job, JobId, JobStatus
from nbbatch.model.resources import Resources
from nbbatch.scheduler.fairshare import Ledger, units_of, usable_share, weight_of, window_of

if TYPE_CHECKING:
    from nbbatch.scheduler.hosts import EnvironmentState
    from nbbatch.scheduler.state import LiveJob, SchedulerState

FRONT, BACK = 0, 1
_RUNNABLE = JobStatus.RUNNABLE
Entry = tuple[int, int, JobId]
Place = tuple["LiveJob", int | None]
"""A job, or an array and the index of a child."""


class Blocked(Struct, frozen=True, kw_only=True):
    """The head of a queue that was last found not to start.

    Parameters
    ----------
    job_id, index : JobId, int or None
        Which job or child.
    reason : str or None
        AWS's text; None when it only has to wait.
    since : int
        Epoch ms at which it got that reason at the head.
    environments : tuple
        The queue's environments as they were looked at; other ones may change the reason.
    wanted : Resources or None
        What it wants, on which the reason depends, too; None for a multi-node job.
    """

    job_id: JobId
    index: int | None
    reason: str | None
    since: int
    environments: tuple[object, ...] = ()
    wanted: Resources | None = None


class Short(NamedTuple):
    """The head of a queue had all it needs but a host of this size.

    It has not changed since, or there would be another one of these, or none. `supply` is the state's
    count of changes to hosts and environments.
    """

    wanted: Resources
    environments: tuple[EnvironmentState, ...]
    supply: int


@dataclass(slots=True)
class Share:
    """A share with jobs in its queue, or with use that still counts.

    Parameters
    ----------
    entries : list of Entry
        Its lane.
    live : int
        Number of its jobs (an array is one) that are not terminal.
    is_watched : bool
        Whether a deadline will look at it again once its use no longer counts.
    """

    ledger: Ledger
    weight: float
    entries: list[Entry] = field(default_factory=list)
    live: int = 0
    is_watched: bool = False

    def load(self, now: int, more: int = 0) -> float:
        """What is compared between shares: use times weight, as if `more` hundredths ran as well."""
        if not more:
            return self.ledger.usage(now) * self.weight
        self.ledger.resume(more)
        load = self.ledger.usage(now) * self.weight
        self.ledger.resume(-more)
        return load


@dataclass(slots=True)
class QueueState:
    """A job queue, its RUNNABLE jobs in order, and the head that was last found not to start.

    Parameters
    ----------
    entries : list of Entry
        The lane of a first-in-first-out queue.
    live : int
        Number of its jobs that are not terminal.
    policy : FairSharePolicy or None
        What a fair-share queue follows.
    shares : dict of str to Share
        Active shares of a fair-share queue by identifier.
    busy : int
        Hundredths of a vCPU that the attempts of a fair-share queue have now.
    short : Short or None
        What the head is known to wait for; None when it may be anything.
    looked_at : tuple or None
        What `blocked` compares heads by, and the supply and queue for which it was put together.
    """

    queue: JobQueue
    policy: FairSharePolicy | None = None
    entries: list[Entry] = field(default_factory=list)
    live: int = 0
    blocked: Blocked | None = None
    shares: dict[str, Share] = field(default_factory=dict)
    busy: int = 0
    short: Short | None = field(default=None, compare=False)
    looked_at: tuple[tuple[int, JobQueue], tuple[object, ...]] | None = field(
        default=None, compare=False, repr=False
    )

    def lane(self, job: Job) -> list[Entry]:
        """Where a job of this queue waits."""
        return self.entries if self.policy is None else self.shares[job.share_identifier or ""].entries


def open_queue(state: SchedulerState, queue: JobQueue) -> QueueState:
    """A queue without jobs, by the rules of its policy."""
    policy = state.policies.get(queue.scheduling_policy or "")
    return QueueState(queue=queue, policy=policy.fair_share if policy is not None else None)


def join(state: SchedulerState, job: Job) -> None:
    """A job belongs to its queue, and to its share, until it is terminal."""
    queue = state.queues[job.queue]
    queue.live += 1
    if queue.policy is None:
        return
    share = _share(state, queue, job.share_identifier or "")
    share.live += 1
    if share.ledger.record.left_at is not None:
        share.ledger.record.left_at = None
        _keep(state, share)


def leave(state: SchedulerState, job: Job, now: int) -> None:
    """A job is terminal; a queue that shall go goes with its last one."""
    queue = state.queues[job.queue]
    queue.live -= 1
    if queue.policy is not None:
        share = queue.shares[job.share_identifier or ""]
        share.live -= 1
        if share.live == 0:
            share.ledger.record.left_at = now
            _keep(state, share)
            watch_share(state, share)
    if not queue.live:
        drop_if_empty(state, queue)


def drop_if_empty(state: SchedulerState, queue: QueueState) -> None:
    """End the life of a queue that is DELETING once it has no jobs."""
    if queue.live or queue.queue.status is not ResourceStatus.DELETING:
        return
    for share in queue.shares.values():
        state.changes.nouns[ShareUsage, share.ledger.record.name] = None
    del state.queues[queue.queue.name]
    state.changes.queues[queue.queue.name] = None


def restore_share(state: SchedulerState, record: ShareUsage) -> None:
    """Open the books of a share again, before its jobs come."""
    queue = state.queues[record.queue]
    if queue.policy is None:
        return
    ledger = Ledger.of(record, window_of(queue.policy))
    share = Share(ledger=ledger, weight=weight_of(queue.policy, record.share))
    queue.shares[record.share] = share
    if record.left_at is not None:
        watch_share(state, share)


def follow_policy(state: SchedulerState, queue: QueueState, policy: FairSharePolicy) -> None:
    """Share by another policy, or by a changed one, from the next decision on."""
    queue.policy, queue.short = policy, None
    window = window_of(policy)
    for identifier, share in queue.shares.items():
        share.weight = weight_of(policy, identifier)
        if window != share.ledger.window:
            share.ledger.rewindow(window)
            _keep(state, share)
            if share.live == 0:
                share.is_watched = False
                watch_share(state, share)


def watch_share(state: SchedulerState, share: Share) -> None:
    """Look at a share without jobs again when its use no longer counts."""
    record = share.ledger.record
    if not share.is_watched and record.left_at is not None:
        share.is_watched = True
        state.remind_share(record.left_at + share.ledger.window, record.name)


def forget_share(state: SchedulerState, name: str, now: int) -> None:
    """A share that has had no job for its window is active no more."""
    queue_name, _, identifier = name.partition("/")
    queue = state.queues.get(queue_name)
    share = queue.shares.get(identifier) if queue is not None else None
    if queue is None or share is None:
        return
    share.is_watched = False
    left_at = share.ledger.record.left_at
    if left_at is None:
        return
    if now < left_at + share.ledger.window:
        watch_share(state, share)
        return
    del queue.shares[identifier]
    state.changes.nouns[ShareUsage, name] = None


def note_use(state: SchedulerState, job: Job, vcpus: float, now: int) -> None:
    """An attempt took vCPUs (or gave them back, when negative): its share has used more from now on."""
    queue = state.queues[job.queue]
    if queue.policy is None:
        return
    share = queue.shares[job.share_identifier or ""]
    units = units_of(vcpus)
    share.ledger.change(units, now)
    queue.busy += units
    _keep(state, share)


def resume_use(state: SchedulerState, job: Job, vcpus: float) -> None:
    """An attempt that ran when the rows were written still runs."""
    queue = state.queues[job.queue]
    if queue.policy is not None:
        queue.shares[job.share_identifier or ""].ledger.resume(units_of(vcpus))
        queue.busy += units_of(vcpus)


def usable_vcpus(state: SchedulerState, queue: QueueState) -> float:
    """VCPUs that the shares of a queue may use now: maxvCpus less what is kept for new shares."""
    most = sum(
        state.environments[name].environment.max_vcpus
        for name in queue.queue.environments
        if name in state.environments
    )
    return most if queue.policy is None else most * usable_share(queue.policy, len(queue.shares))


def keeps_reserve(state: SchedulerState, queue: QueueState, job: Job) -> bool:
    """Whether the reserve for new shares stays untouched when this job starts."""
    if queue.policy is None or not queue.policy.compute_reservation:
        return True
    return queue.busy + units_of(job.gang_resources.vcpus) <= units_of(usable_vcpus(state, queue))


def enqueue(queue: QueueState, live: LiveJob, *, again: bool = False) -> None:
    """Put a job or array into its lane."""
    queue.short = None
    rank = FRONT if again else BACK
    if queue.policy is not None:
        rank = _rank(live.job.scheduling_priority or 0, again=again)
    heappush(queue.lane(live.job), (rank, live.sequence, live.job.id))


def heads(state: SchedulerState, queue: QueueState, now: int) -> Iterator[Place]:
    """The next job of a queue, again and again: whoever asks for another one has started the last."""
    if queue.policy is not None:
        return _fair_heads(state, queue, now)
    return iter(partial(lane_head, state, queue.entries), None)


def head(state: SchedulerState, queue: QueueState, now: int) -> Place | None:
    """The next job of a queue, still in its place."""
    return next(heads(state, queue, now), None)


def lane_head(state: SchedulerState, entries: list[Entry]) -> Place | None:
    """The first RUNNABLE job or child of a lane, still in its place."""
    while entries:
        rank, _, job_id = entries[0]
        live = state.jobs.get(job_id)
        if live is not None and live.children is not None:
            index = live.children.next_retried() if rank <= FRONT else live.children.next_ready()
            if index is not None:
                return live, index
            if rank > FRONT:
                live.children.queued = False
        elif live is not None and live.run.status is _RUNNABLE:
            return live, None
        heappop(entries)
    return None


def runnable(state: SchedulerState, queue: QueueState, limit: int) -> Iterator[Place]:
    """The first `limit` RUNNABLE jobs and children in the order in which they would start; reads only."""
    if queue.policy is None:
        return islice(_lane_order(state, queue.entries), limit)
    return islice(_fair_order(state, queue, state.now), limit)


def _fair_heads(state: SchedulerState, queue: QueueState, now: int) -> Iterator[Place]:
    """Heads of shares, least load first; at the same load in the order of submission."""
    waiting = [
        (share.load(now), share.entries[0][1], identifier)
        for identifier, share in queue.shares.items()
        if share.entries
    ]
    heapify(waiting)
    while waiting:
        load, sequence, identifier = waiting[0]
        share = queue.shares[identifier]
        place = lane_head(state, share.entries)
        if place is None:
            heappop(waiting)
            continue
        if place[0].sequence == sequence:
            yield place
            load = share.load(now)
        # the share's load is another one now, or another of its jobs is next: it finds its new place
        heapreplace(waiting, (load, share.entries[0][1], identifier))


def _fair_order(state: SchedulerState, queue: QueueState, now: int) -> Iterator[Place]:
    """As `_fair_heads` would give them, if there were room for all of them at once."""
    lanes = {identifier: _lane_order(state, share.entries) for identifier, share in queue.shares.items()}
    waiting: list[tuple[float, int, str, Place]] = []
    extra = dict.fromkeys(lanes, 0)

    def offer(identifier: str) -> None:
        place = next(lanes[identifier], None)
        if place is not None:
            load = queue.shares[identifier].load(now, extra[identifier])
            heappush(waiting, (load, place[0].sequence, identifier, place))

    for identifier in lanes:
        offer(identifier)
    while waiting:
        _, _, identifier, place = heappop(waiting)
        yield place
        extra[identifier] += units_of(place[0].job.resources.vcpus)
        offer(identifier)


def _lane_order(state: SchedulerState, entries: list[Entry]) -> Iterator[Place]:
    seen: set[tuple[JobId, bool]] = set()
    for rank, _, job_id in sorted(entries):
        live = state.jobs.get(job_id)
        if live is None or (job_id, rank <= FRONT) in seen:
            continue
        seen.add((job_id, rank <= FRONT))
        if live.children is not None:
            again = set(live.children.retried)
            for index in live.children.in_status(JobStatus.RUNNABLE):
                if (index in again) == (rank <= FRONT):
                    yield live, index
        elif live.run.status is JobStatus.RUNNABLE and (job_id, rank > FRONT) not in seen:
            yield live, None


def _rank(priority: int, *, again: bool) -> int:
    """Higher priority first (API reference, schedulingPriority: 0..9999); all retries before the rest."""
    return FRONT - priority if again else 10_000 - priority


def _share(state: SchedulerState, queue: QueueState, identifier: str) -> Share:
    """A share, made active if it is new."""
    known = queue.shares.get(identifier)
    if known is not None or queue.policy is None:
        return queue.shares[identifier]
    record = ShareUsage(queue=queue.queue.name, share=identifier)
    ledger = Ledger.of(record, window_of(queue.policy))
    share = queue.shares[identifier] = Share(ledger=ledger, weight=weight_of(queue.policy, identifier))
    _keep(state, share)
    return share


def _keep(state: SchedulerState, share: Share) -> None:
    record = share.ledger.record
    state.changes.nouns[ShareUsage, record.name] = record
