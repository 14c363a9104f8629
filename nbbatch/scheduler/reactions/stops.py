"""Jobs that come in and jobs that somebody stops: SubmitJob, CancelJob, TerminateJob."""

from __future__ import annotations

from nbbatch.model.events import CancelRequested, Effect, JobSubmitted, StopAttempt, TerminateRequested
from nbbatch.model.jobs import ACTIVE, JobStatus
from nbbatch.scheduler.dependencies import BEFORE_READY, BEFORE_START, admit, end, ends_of_children
from nbbatch.scheduler.lifecycle import Signal
from nbbatch.scheduler.reactions.nodes import stop_nodes
from nbbatch.scheduler.state import LiveJob, SchedulerState


def on_job_submitted(state: SchedulerState, event: JobSubmitted, now: int) -> list[Effect]:
    """The job waits for its dependencies, or for room."""
    admit(state, event, now)
    return []


def on_cancel_requested(state: SchedulerState, event: CancelRequested, now: int) -> list[Effect]:
    """What has not started ends; what is STARTING or RUNNING goes on (API reference, CancelJob)."""
    found = state.find(event.job_id)
    if found is None:
        return []
    live, index = found
    if live.children is not None and index is None:
        _cancel_array(state, live, event.reason, now)
    elif state.status(live, index) is JobStatus.RUNNABLE:
        _mark_cancelled(state, live, index)
        end(state, [(live, index, Signal.CANCELLED, event.reason)], now)
    elif state.status(live, index) in BEFORE_READY:
        _cancel_later(state, live, index, event.reason)
    return []


def on_terminate_requested(state: SchedulerState, event: TerminateRequested, now: int) -> list[Effect]:
    """What has not started ends, what runs is stopped; either way with the caller's reason."""
    found = state.find(event.job_id)
    if found is None:
        return []
    live, index = found
    if index is not None:
        return _terminate(state, live, index, event.reason, now)
    return stop_whole(state, live, event.reason, now)


def stop_whole(state: SchedulerState, live: LiveJob, reason: str, now: int) -> list[Effect]:
    """End a job, or an array with all of its children, wherever it has got to."""
    if live.children is None:
        return _terminate(state, live, None, reason, now)
    live.run.is_terminated = True
    live.run.stop_reason = live.run.stop_reason or reason
    state.changes.jobs[live.job.id] = live
    effects = []
    for active in live.children.in_status(*ACTIVE):
        effects += _terminate(state, live, active, reason, now)
    for child in live.children.in_status(*BEFORE_START):
        state.begin(live, child).is_terminated = True
    end(state, ends_of_children(live, BEFORE_START, Signal.CANCELLED, reason), now)
    return effects


def _cancel_array(state: SchedulerState, live: LiveJob, reason: str, now: int) -> None:
    if live.children is None:
        return
    waiting = live.children.in_status(*BEFORE_READY)
    ready = live.children.in_status(JobStatus.RUNNABLE)
    if waiting or ready:
        live.run.is_cancelled = True
        live.run.stop_reason = live.run.stop_reason or reason
        state.changes.jobs[live.job.id] = live
    for index in waiting:
        live.children.asked.setdefault(index, reason)
    for index in ready:
        _mark_cancelled(state, live, index)
    end(state, [(live, index, Signal.CANCELLED, reason) for index in ready], now)


def _cancel_later(state: SchedulerState, live: LiveJob, index: int | None, reason: str) -> None:
    """A PENDING job is cancelled once its dependencies are done (API reference, CancelJob)."""
    if index is not None and live.children is not None:
        live.children.asked.setdefault(index, reason)
    else:
        live.run.is_cancelled = True
        live.run.stop_reason = live.run.stop_reason or reason
    state.changes.jobs[live.job.id] = live


def _mark_cancelled(state: SchedulerState, live: LiveJob, index: int | None) -> None:
    state.begin(live, index).is_cancelled = True


def _terminate(
    state: SchedulerState, live: LiveJob, index: int | None, reason: str, now: int
) -> list[Effect]:
    if state.status(live, index).is_terminal:
        return []
    run = state.begin(live, index)
    run.is_terminated = True
    if run.status not in ACTIVE:
        end(state, [(live, index, Signal.CANCELLED, reason)], now)
        return []
    if run.stop_reason is not None:
        return []
    if live.nodes is not None:
        return stop_nodes(state, live, reason)
    run.stop_reason = reason
    return [StopAttempt(job_id=run.id, attempt=run.attempt)]
