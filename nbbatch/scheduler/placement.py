"""Which RUNNABLE job starts where, and in words why every other one still waits.

Queues are looked at by descending priority, environments of a queue in their order, jobs of a queue
in the order of `queueing`; the head that does not fit blocks those behind it (AWS Batch user guide,
"Job scheduling"; blocked reasons: `blocked`).
"""

from __future__ import annotations

from nbbatch.model.jobs import Job, JobStatus
from nbbatch.model.resources import Resources
from nbbatch.scheduler import consumables
from nbbatch.scheduler.blocked import (
    blocked_reason,
    clear_blocked,
    environments_of,
    explain_limit,
    note_blocked,
)
from nbbatch.scheduler.budget import explain_cap, explain_day, is_day_spent
from nbbatch.scheduler.capacity import explain_environment
from nbbatch.scheduler.cost import attempt_prices
from nbbatch.scheduler.dependencies import end
from nbbatch.scheduler.fleet import find_host
from nbbatch.scheduler.gang import explain_gang, place_gang
from nbbatch.scheduler.hosts import HostState
from nbbatch.scheduler.lifecycle import Signal
from nbbatch.scheduler.lookahead import look_ahead
from nbbatch.scheduler.orders import Placed
from nbbatch.scheduler.queueing import Place, QueueState, Short, heads, keeps_reserve, lane_head, note_use
from nbbatch.scheduler.standing import explain_standing
from nbbatch.scheduler.state import LiveJob, SchedulerState

_PLACED = Signal.PLACED


def place(state: SchedulerState, now: int) -> list[Placed]:
    """Start every job that is next in its queue and fits."""
    placed: list[Placed] = []
    is_open = state.day_budget is None or not is_day_spent(state, now)
    waiting = [
        queue
        for queue in state.queues.values()
        if waits_as_before(state, queue) or _start_heads(state, queue, placed, now, is_open=is_open)
    ]
    if waiting and is_open:
        look_ahead(state, waiting, now)
    return placed


def place_new(state: SchedulerState, queue: QueueState, now: int) -> list[Placed]:
    """The same after a job was submitted: the head of a FIFO queue that did not fit does not fit now.

    Where a policy keeps capacity back for new shares, a submission may let the head start.
    """
    placed: list[Placed] = []
    is_open = state.day_budget is None or not is_day_spent(state, now)
    waits = _is_still_blocked(state, queue) or _start_heads(state, queue, placed, now, is_open=is_open)
    if waits and is_open:
        look_ahead(state, [queue], now)
    return placed


def _is_still_blocked(state: SchedulerState, queue: QueueState) -> bool:
    if queue.blocked is None or queue.policy is not None:
        return False
    head = lane_head(state, queue.entries)
    return head is not None and (queue.blocked.job_id, queue.blocked.index) == (head[0].job.id, head[1])


def waits_as_before(state: SchedulerState, queue: QueueState) -> bool:
    """Whether the head waits for a host still: so most queues are passed over at most events."""
    short = queue.short
    if short is None or short.supply != state.supply:
        return False
    return all(known.rooms.first(short.wanted) is None for known in short.environments)


def _short(state: SchedulerState, queue: QueueState, job: Job) -> Short | None:
    """What to remember of a head that found no host; None where time or others' use may let it start."""
    if len(state.queues) == 1 or queue.policy is not None or job.nodes is not None:
        return None
    known = environments_of(state, queue)
    if any(one.environment.pools or one.environment.launch_seconds for one in known):
        return None
    return Short(job.resources, tuple(known), state.supply)


def _start_heads(
    state: SchedulerState, queue: QueueState, placed: list[Placed], now: int, *, is_open: bool
) -> bool:
    """Start what is next in a queue and fits; whether a head is left that does not."""
    for place in heads(state, queue, now):
        job = place[0].job
        if job.refusal:
            end(state, [(*place, Signal.REFUSED, job.refusal)], now)
            continue
        is_plain = queue.policy is None and not job.consumables
        may_start = is_open and (is_plain or _may_start(state, queue, job))
        started = _try_start(state, queue, place, now) if may_start else None
        if started is None:
            note_blocked(state, queue, place, now)
            queue.short = _short(state, queue, job) if may_start else None
            return True
        if job.consumables or job.share_identifier is not None:
            _take(state, job, now)
        placed.append(started)
    if queue.blocked is not None:
        clear_blocked(state, queue)
    return False


def _try_start(state: SchedulerState, queue: QueueState, place: Place, now: int) -> Placed | None:
    """Give a job its host; of a multi-node job all nodes have one, or none, and the main one starts."""
    live, index = place
    if live.job.nodes is not None:
        main = place_gang(state, queue, live, now)
        return None if main is None else Placed(live, live.job.nodes.main, main)
    wanted = live.job.resources
    host = find_host(state, queue.queue.environments, wanted, now)
    return None if host is None else _start(state, live, index, host, wanted)


def explain(state: SchedulerState, live: LiveJob, index: int | None) -> list[str]:
    """Why a job or child is not running, in words and numbers; the most important reason first."""
    return [*_explain_status(state, live, index), *explain_cap(state, live)]


def _explain_status(state: SchedulerState, live: LiveJob, index: int | None) -> list[str]:
    match state.status(live, index):
        case JobStatus.SUBMITTED | JobStatus.PENDING:
            return _explain_pending(state, live, index)
        case JobStatus.RUNNABLE:
            return _explain_runnable(state, live, index)
        case JobStatus.STARTING:
            run = state.run_of(live, index)
            if live.nodes is not None:
                return _explain_nodes(live)
            return [
                f"It has a place on {run.instance_type} ({run.host}) and starts as soon as this machine has room."
            ]
        case status:
            return [f"It is {status}."]


def _may_start(state: SchedulerState, queue: QueueState, job: Job) -> bool:
    """Whether all but the host is there: consumable resources, and what is kept for new shares."""
    if job.consumables and consumables.missing(state, job):
        return False
    return queue.policy is None or keeps_reserve(state, queue, job)


def _take(state: SchedulerState, job: Job, now: int) -> None:
    """What an attempt has besides its hosts."""
    if job.consumables:
        consumables.take(state, job)
    if job.share_identifier is not None:
        note_use(state, job, job.gang_resources.vcpus, now)


def _start(
    state: SchedulerState, live: LiveJob, index: int | None, room: HostState, wanted: Resources
) -> Placed:
    run, host = state.begin(live, index), room.host
    state.move(live, index, _PLACED)
    room.occupy(run.id, wanted)
    run.attempt += 1
    run.host = host.id
    run.environment = host.environment
    run.instance_type = host.instance_type
    run.price, run.spot_price = attempt_prices(host, wanted)
    run.is_spot = host.is_spot
    run.status_reason = run.blocked_since = None
    return Placed(live, index, run)


def _explain_pending(state: SchedulerState, live: LiveJob, index: int | None) -> list[str]:
    reasons = [f"It waits for job {awaited} to succeed." for awaited in sorted(live.waits_for)]
    if index is not None and live.sequential and index > 0:
        reasons.append(f"It waits for child {index - 1} of its own array.")
    if index is not None:
        reasons += [f"It waits for child {index} of {awaited}." for awaited in live.item_by_item]
    if index is None and live.children is not None and not reasons:
        counts = {status: live.children.counts[code] for code, status in enumerate(JobStatus)}
        told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        reasons.append(f"An array stays PENDING until all of its children are done: {told}.")
        if counts[JobStatus.RUNNABLE]:
            again = live.children.next_retried()
            child = live.children.next_ready() if again is None else again
            reasons += _explain_runnable(state, live, child)
    return reasons or [f"It is {state.status(live, index)}."]


def _explain_runnable(state: SchedulerState, live: LiveJob, index: int | None) -> list[str]:
    queue = state.queues[live.job.queue]
    never = blocked_reason(state, queue, live.job)
    if never is not None:
        clock = explain_limit(queue, (live, index), state.now)
        return [never, *_explain_room(state, queue, live), *clock]
    standing = explain_standing(state, queue, live)
    spent = explain_day(state)
    if spent:
        return [*spent, *standing]
    head = state.head(queue)
    if head is not None and head[0] is not live:
        return standing
    short = consumables.explain_missing(state, live.job)
    return [*short, *standing] if short else [*_explain_room(state, queue, live), *standing]


def _explain_nodes(live: LiveJob) -> list[str]:
    told = (
        f"Its nodes have places on {len(live.under_way())} hosts. The main node starts as soon as this "
        "machine has room for all of them, the others once it runs."
    )
    return [told]


def _explain_room(state: SchedulerState, queue: QueueState, live: LiveJob) -> list[str]:
    if live.job.nodes is not None:
        return explain_gang(state, queue, live.job.nodes)
    known = environments_of(state, queue)
    return [explain_environment(state, one, live.job.resources) for one in known]
