"""Why the head of a queue can never start as things are, and what a queue does about it in time.

Sources: AWS Batch user guide, "Jobs stuck in RUNNABLE" (the texts), and API reference,
JobStateTimeLimitAction. The reason stands in the head's status reason, with the time it got there;
a queue's time limit cancels a head that has had the limit's reason for too long. The next head has a
clock of its own.
"""

from __future__ import annotations

from msgspec.structs import replace

from nbbatch.model.events import Effect
from nbbatch.model.fleet import TimeLimit
from nbbatch.model.jobs import Job, JobStatus, Run
from nbbatch.model.resources import Resources
from nbbatch.scheduler.capacity import blocking_shortage
from nbbatch.scheduler.dependencies import end
from nbbatch.scheduler.fleet import largest
from nbbatch.scheduler.gang import gang_blocked_reason
from nbbatch.scheduler.hosts import EnvironmentState
from nbbatch.scheduler.lifecycle import Signal
from nbbatch.scheduler.queueing import Blocked, Place, QueueState
from nbbatch.scheduler.reasons import (
    BLOCKED_INSTANCE_TYPES,
    BLOCKED_MAX_VCPUS,
    BLOCKED_NO_ENVIRONMENT,
    BLOCKED_TOO_LARGE,
    TIME_LIMIT_REASON,
    code_of,
)
from nbbatch.scheduler.state import CODE, Deadline, DeadlineKind, SchedulerState
from nbbatch.scheduler.transitions import BLOCKED


def environments_of(state: SchedulerState, queue: QueueState) -> list[EnvironmentState]:
    """A queue's environments in its order."""
    return [state.environments[name] for name in queue.queue.environments if name in state.environments]


def blocked_reason(state: SchedulerState, queue: QueueState, job: Job) -> str | None:
    """AWS's text for a head that cannot start as things are; None when it only has to wait."""
    if job.nodes is not None:
        return gang_blocked_reason(state, queue, job.nodes)
    reachable = [known for known in environments_of(state, queue) if known.environment.accepts]
    return _reason_in(reachable, job.resources) if reachable else BLOCKED_NO_ENVIRONMENT


def _reason_in(reachable: list[EnvironmentState], wanted: Resources) -> str | None:
    too_many = all(wanted.vcpus > known.environment.max_vcpus for known in reachable)
    if any(known.environment.is_fargate for known in reachable):
        return BLOCKED_MAX_VCPUS if too_many else blocking_shortage(reachable, wanted)
    if any(wanted.fits(room) for known in reachable for room in largest(known)):
        return blocking_shortage(reachable, wanted)
    if too_many:
        return BLOCKED_MAX_VCPUS
    if all(known.environment.instance_types and not known.offers for known in reachable):
        return BLOCKED_INSTANCE_TYPES
    return BLOCKED_TOO_LARGE


def note_blocked(state: SchedulerState, queue: QueueState, place: Place, now: int) -> None:
    """Write the reason of a head that does not start into its status, once for each reason."""
    live, index = place
    was, looked_at = queue.blocked, _looked_at(state, queue)
    is_same_head = was is not None and (was.job_id, was.index) == (live.job.id, index)
    if was is not None and is_same_head and was.environments == looked_at:
        return
    wanted = live.job.resources if live.job.nodes is None else None
    is_alike = (
        was is not None and wanted is not None and was.wanted == wanted and was.environments == looked_at
    )
    reason = was.reason if was is not None and is_alike else blocked_reason(state, queue, live.job)
    if was is not None and is_same_head and was.reason == reason:
        queue.blocked = replace(was, environments=looked_at)
        return
    clear_blocked(state, queue)
    queue.blocked = Blocked(
        job_id=live.job.id, index=index, reason=reason, since=now, environments=looked_at, wanted=wanted
    )
    if reason is not None:
        run = state.begin(live, index)
        state.note(live, index, CODE[JobStatus.RUNNABLE], BLOCKED, reason)
        run.status_reason, run.blocked_since = reason, now
        watch_blocked(state, queue)


def clear_blocked(state: SchedulerState, queue: QueueState) -> None:
    """What was the head is not blocked any more, or not the head any more: its clock stops."""
    was, queue.blocked = queue.blocked, None
    if was is None or was.reason is None:
        return
    live = state.jobs.get(was.job_id)
    if live is not None and state.status(live, was.index) is JobStatus.RUNNABLE:
        run = state.begin(live, was.index)
        run.status_reason = run.blocked_since = None


def restore_blocked(state: SchedulerState, queue: QueueState, place: Place, run: Run) -> None:
    """A head that was blocked when the rows were written goes on with its clock."""
    if run.blocked_since is not None:
        queue.blocked = Blocked(
            job_id=place[0].job.id, index=place[1], reason=run.status_reason, since=run.blocked_since
        )
        watch_blocked(state, queue)


def watch_blocked(state: SchedulerState, queue: QueueState) -> None:
    """Look at a blocked head again when its time limit is over."""
    limit = _limit_of(queue)
    if queue.blocked is not None and limit is not None:
        at = queue.blocked.since + limit.max_seconds * 1000
        state.remind(at, DeadlineKind.BLOCKED_HEAD, queue.queue.name)


def on_blocked_head(state: SchedulerState, deadline: Deadline, now: int) -> list[Effect]:
    """Cancel a head that has been blocked for the queue's time limit; its own clock counts."""
    queue = state.queues.get(deadline.subject)
    if queue is None or queue.blocked is None:
        return []
    limit, blocked = _limit_of(queue), queue.blocked
    live = state.jobs.get(blocked.job_id)
    if limit is None or live is None or now < blocked.since + limit.max_seconds * 1000:
        return []
    if state.status(live, blocked.index) is JobStatus.RUNNABLE:
        reason = TIME_LIMIT_REASON.format(code=limit.reason)
        end(state, [(live, blocked.index, Signal.CANCELLED, reason)], now)
    return []


def explain_limit(queue: QueueState, place: Place, now: int) -> list[str]:
    """What the queue's time limit will do to its head."""
    limit, blocked = _limit_of(queue), queue.blocked
    if limit is None or blocked is None or (blocked.job_id, blocked.index) != (place[0].job.id, place[1]):
        return []
    passed = (now - blocked.since) // 1000
    return [f"Its queue will cancel it after {limit.max_seconds} s with this reason; {passed} s have passed."]


def _limit_of(queue: QueueState) -> TimeLimit | None:
    """The time limit that counts for the head's reason."""
    if queue.blocked is None or queue.blocked.reason is None:
        return None
    code = code_of(queue.blocked.reason)
    return next((limit for limit in queue.queue.time_limits if limit.reason == code), None)


def _looked_at(state: SchedulerState, queue: QueueState) -> tuple[object, ...]:
    """All that a head's reason depends on besides the head: quick to compare when nothing has changed."""
    if queue.looked_at is None or queue.looked_at[0] != (state.supply, queue.queue):
        known = environments_of(state, queue)
        found = (*[one.environment for one in known], *[one.offers for one in known if one.environment.pools])
        queue.looked_at = (state.supply, queue.queue), found
    return queue.looked_at[1]
