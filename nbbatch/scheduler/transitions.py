"""Status changes as they are noted: what events, metrics and sums are made of, at next to no cost.

A change is a plain tuple, noted where the status changes and handed to the rows with the tick. An
array whose children all become RUNNABLE in one stroke notes one change for all of them. Nothing that
the job's own record can tell later is noted; `run_at` puts the two together again.

Source of what is told: EventBridge events of AWS Batch (user guide): every status change but the
initial submission.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from msgspec.structs import replace

from nbbatch.model.jobs import JobStatus, Run

if TYPE_CHECKING:
    from nbbatch.scheduler.state import LiveJob

STATUSES = tuple(JobStatus)
BLOCKED = len(STATUSES)
"""In place of a status: the job stays RUNNABLE and blocks its queue."""
WHOLE = -1
"""In place of a child's index: the job itself, or an array's parent."""

Transition: TypeAlias = "tuple[LiveJob, int, int, int, int, int, str]"
"""Job; first child (or WHOLE) and number of children; codes of the old and new status; number of
attempts that had begun before; for BLOCKED, the reason. Codes are places in `JobStatus`."""


def stretches(indexes: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending indexes as stretches without gaps: first index and count."""
    found: list[tuple[int, int]] = []
    for index in indexes:
        if found and index == sum(found[-1]):
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((index, 1))
    return found


def run_at(run: Run, code: int, begun: int, reason: str) -> Run:
    """What a job's progress was right after a change.

    Parameters
    ----------
    run : Run
        Its progress later.
    code, begun, reason : int, int, str
        Of the change, as noted.

    Returns
    -------
    Run
        Exact once the job is terminal; before, whether a stop was asked for is not told.
    """
    if code == BLOCKED:
        ended = tuple(known for known in run.attempts if known.number <= begun)
        waiting = replace(_waiting(run, JobStatus.RUNNABLE), attempt=begun, attempts=ended)
        waiting.status_reason = reason
        return waiting
    status = STATUSES[code]
    if status.is_terminal:
        return run
    number = begun + 1 if status is JobStatus.STARTING else begun
    is_active = status in (JobStatus.STARTING, JobStatus.RUNNING)
    then = _waiting(run, status)
    then.attempt = number
    then.attempts = tuple(known for known in run.attempts if known.number < number + (not is_active))
    if is_active:
        _place(then, run, number)
    elif then.attempts:
        then.status_reason = then.attempts[-1].status_reason
    return then


def _waiting(run: Run, status: JobStatus) -> Run:
    """The job before anything had become of it."""
    return Run(id=run.id, status=status, created_at=run.created_at, environment=run.environment)


def _place(then: Run, run: Run, number: int) -> None:
    """Where attempt `number` was, from the attempt if it has ended, else from the job."""
    ended = next((known for known in run.attempts if known.number == number), None)
    source = ended or run
    then.host, then.instance_type = source.host, source.instance_type
    then.price, then.spot_price = source.price, source.spot_price
    if then.status is JobStatus.RUNNING:
        then.started_at = source.started_at
