"""CancelJob and TerminateJob: both succeed on jobs that are unknown or over, and change nothing then."""

from __future__ import annotations

from nbbatch.model.events import CancelRequested, Event, TerminateRequested
from nbbatch.model.jobs import JobId
from nbbatch.scheduler.state import SchedulerState


def cancel_job(state: SchedulerState, job_id: str, reason: str) -> tuple[list[Event], None]:
    """Ask a job that has not started to end."""
    if not _can_change(state, job_id):
        return [], None
    return [CancelRequested(job_id=JobId(job_id), reason=reason)], None


def terminate_job(state: SchedulerState, job_id: str, reason: str) -> tuple[list[Event], None]:
    """Ask a job to end, wherever it has got to."""
    if not _can_change(state, job_id):
        return [], None
    return [TerminateRequested(job_id=JobId(job_id), reason=reason)], None


def _can_change(state: SchedulerState, job_id: str) -> bool:
    found = state.find(job_id)
    return found is not None and not state.status(*found).is_terminal
