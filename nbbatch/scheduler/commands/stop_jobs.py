"""CancelJob and TerminateJob: both succeed on jobs that are unknown or over, and change nothing then.

[?] Whether AWS stops a single node of a multi-node job is not documented; here the job is stopped as
a whole or not at all, because its main node alone may decide how it ends.
"""

from __future__ import annotations

from nbbatch.errors import ClientException
from nbbatch.model.events import CancelRequested, Event, TerminateRequested
from nbbatch.model.jobs import JobId, is_node_id, split_child_id
from nbbatch.scheduler.state import SchedulerState


def cancel_job(state: SchedulerState, job_id: str, reason: str) -> tuple[list[Event], None]:
    """Ask a job that has not started to end."""
    if not _can_change(state, job_id):
        return [], None
    _check_whole(job_id)
    return [CancelRequested(job_id=JobId(job_id), reason=reason)], None


def terminate_job(state: SchedulerState, job_id: str, reason: str) -> tuple[list[Event], None]:
    """Ask a job to end, wherever it has got to."""
    if not _can_change(state, job_id):
        return [], None
    _check_whole(job_id)
    return [TerminateRequested(job_id=JobId(job_id), reason=reason)], None


def _check_whole(job_id: str) -> None:
    if is_node_id(job_id):
        raise ClientException(f"{job_id} is a node; stop the whole job {split_child_id(job_id)[0]}.")


def _can_change(state: SchedulerState, job_id: str) -> bool:
    found = state.find(job_id)
    return found is not None and not state.status(*found).is_terminal
