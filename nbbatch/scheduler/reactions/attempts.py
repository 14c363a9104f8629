"""What executors report of attempts, and attempts that ran out of time.

A report about an attempt that is over already, or about a job that is gone, changes nothing:
reports may come twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from nbbatch.model.events import AttemptExited, AttemptStarted, AttemptVanished, Effect, StopAttempt
from nbbatch.model.fleet import Host, HostId
from nbbatch.model.jobs import ACTIVE, Attempt, Job, JobId, JobStatus, Run
from nbbatch.scheduler import consumables
from nbbatch.scheduler.budget import note_ended, note_started
from nbbatch.scheduler.cost import add_attempt
from nbbatch.scheduler.dependencies import end
from nbbatch.scheduler.fleet import vacated
from nbbatch.scheduler.lifecycle import Signal
from nbbatch.scheduler.orders import Placed
from nbbatch.scheduler.queueing import note_use
from nbbatch.scheduler.reactions.nodes import (
    MAIN_NODE_ENDED,
    on_node_ended,
    on_node_started,
    on_nodes_timeout,
    waiting_nodes,
)
from nbbatch.scheduler.retries import HOST_LOST_REASON, TIMEOUT_REASON, verdict
from nbbatch.scheduler.spot import as_interrupted
from nbbatch.scheduler.state import Deadline, DeadlineKind, EndedAttempt, LiveJob, SchedulerState

_STARTING = JobStatus.STARTING


def on_attempt_started(state: SchedulerState, event: AttemptStarted, now: int) -> Sequence[Placed]:
    """The container runs; its timeout counts from here (user guide, "Job timeouts")."""
    found = _attempt(state, event.job_id, event.attempt)
    if found is None:
        return []
    live, index, run = found
    if run.status is not _STARTING:
        return []
    state.move(live, index, Signal.STARTED)
    run.started_at = event.started_at
    note_started(state, live, run, now)
    if index is not None and live.nodes is not None:
        if live.run.stop_reason is not None:
            _end_waiting_nodes(state, live, now)
        return on_node_started(state, live, index, event.started_at)
    if live.job.timeout is not None:
        state.remind(event.started_at + live.job.timeout * 1000, DeadlineKind.TIMEOUT, run.id, run.attempt)
    return []


def on_attempt_exited(state: SchedulerState, event: AttemptExited, now: int) -> list[Effect]:
    """The attempt's host share is free again; the job is done, tried again, or failed."""
    found = _attempt(state, event.job_id, event.attempt)
    if found is None:
        return []
    live, index, run = found
    job = live.job
    host = state.environments[run.environment or ""].hosts[HostId(run.host or "")]
    event, is_lost = _as_its_host_ended_it(host.host, run, event)
    reason = run.stop_reason or event.status_reason
    run = state.begin(live, index)
    noted_start = run.started_at
    if event.started_at is not None:
        if run.status is _STARTING:  # it was over before its start was reported
            state.move(live, index, Signal.STARTED)
        run.started_at = event.started_at
    attempt = _attempt_record(run, event, reason, is_lost=is_lost and event.exit_code != 0)
    run.attempts += (attempt,)
    state.changes.ended.append(EndedAttempt(job, run.environment or "", attempt))
    note_ended(state, live, attempt, noted_start, now)
    if live.run.tally is not None:
        add_attempt(live.run.tally, attempt, run.id)
    host.vacate(run.id, now)
    vacated(state, host, now)
    run.host = None
    if index is not None and live.nodes is not None:
        return _end_node(state, live, index, now)
    if job.consumables or job.share_identifier is not None:
        _give_back(state, job, now)
    signal = verdict(run, live.job.retry_strategy, event)
    if signal is Signal.RETRIED:
        state.move(live, index, signal)
        run.started_at, run.status_reason = None, reason
        state.enqueue_again(live, index)
        return []
    run.stopped_at = event.stopped_at
    end(state, [(live, index, signal, reason)], now)
    return []


def on_attempt_vanished(state: SchedulerState, event: AttemptVanished, now: int) -> list[Effect]:
    """Nothing is known of the attempt any more: as when its EC2 host was terminated."""
    found = _attempt(state, event.job_id, event.attempt)
    if found is None:
        return []
    run = found[2]
    lost = AttemptExited(
        job_id=event.job_id,
        attempt=event.attempt,
        exit_code=None,
        started_at=run.started_at,
        stopped_at=now,
        status_reason=HOST_LOST_REASON.format(host=run.host),
    )
    return on_attempt_exited(state, lost, now)


def on_timeout(state: SchedulerState, deadline: Deadline, _now: int) -> list[Effect]:
    """An attempt that is still running is stopped, and its job is not tried again."""
    job_id, attempt = JobId(deadline.subject), deadline.number
    found = _attempt(state, job_id, attempt)
    if found is None or found[2].stop_reason is not None:
        return []
    if found[0].nodes is not None:
        return on_nodes_timeout(state, found[0])
    run = state.begin(found[0], found[1])
    run.stop_reason = TIMEOUT_REASON
    return [StopAttempt(job_id=run.id, attempt=run.attempt)]


def _end_node(state: SchedulerState, live: LiveJob, index: int, now: int) -> list[Effect]:
    run = live.own_run(index)
    run.stopped_at = run.attempts[-1].stopped_at
    if live.nodes is not None and live.nodes.holding == 1:  # with the last node the attempt is over
        _give_back(state, live.job, now)
    effects = on_node_ended(state, live, index, now)
    if live.job.nodes is not None and index == live.job.nodes.main:
        _end_waiting_nodes(state, live, now)
    return effects


def _end_waiting_nodes(state: SchedulerState, live: LiveJob, now: int) -> None:
    """Nodes whose main node will not run, or shall not, end without having begun."""
    for index in waiting_nodes(live):
        run = live.own_run(index)
        never = AttemptExited(
            job_id=run.id,
            attempt=run.attempt,
            exit_code=None,
            stopped_at=now,
            status_reason=live.run.stop_reason or MAIN_NODE_ENDED,
        )
        on_attempt_exited(state, never, now)


def _attempt(state: SchedulerState, job_id: JobId, attempt: int) -> tuple[LiveJob, int | None, Run] | None:
    """The run that stands at this very attempt; None when it is over."""
    found = state.find(job_id)
    if found is None:
        return None
    live, index = found
    run = live.run if index is None else state.run_of(live, index)
    return (live, index, run) if run.attempt == attempt and run.status in ACTIVE else None


def _as_its_host_ended_it(host: Host, run: Run, event: AttemptExited) -> tuple[AttemptExited, bool]:
    """The end as AWS tells it when the host was going, and whether the work went with the host."""
    if host.ends_at is not None and run.stop_reason is None:
        told = as_interrupted(host, event)
        return told, told is not event
    return event, event.exit_code is None and event.status_reason == HOST_LOST_REASON.format(host=run.host)


def _attempt_record(run: Run, event: AttemptExited, reason: str, *, is_lost: bool) -> Attempt:
    return Attempt(
        number=run.attempt,
        host=run.host,
        started_at=run.started_at,
        stopped_at=event.stopped_at,
        exit_code=event.exit_code,
        reason=event.reason,
        status_reason=reason,
        usage=event.usage,
        price=run.price,
        spot_price=run.spot_price,
        instance_type=run.instance_type,
        is_spot=run.is_spot,
        is_lost=is_lost,
        containers=event.containers,
    )


def _give_back(state: SchedulerState, job: Job, now: int) -> None:
    """What the attempt had besides its hosts."""
    if job.consumables:
        consumables.give_back(state, job)
    if job.share_identifier is not None:
        note_use(state, job, -job.gang_resources.vcpus, now)
