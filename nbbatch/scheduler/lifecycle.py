"""The transition table: which status follows which, and why. Nothing else changes a status.

Rows are AWS Batch's job states (user guide, "Job states"). A single job or an array child goes

    SUBMITTED -> PENDING -> RUNNABLE -> STARTING -> RUNNING -> SUCCEEDED or FAILED

and skips PENDING when it depends on nothing. A failed attempt with attempts left goes back to
RUNNABLE. An attempt that could not be started ends without having been RUNNING; one that was over
before its start was reported has been. An array parent never runs: it is SUBMITTED, then PENDING
from its first RUNNABLE child until all children are terminal. A multi-node job and each of its nodes
go the way of a single job; with each attempt of the job its nodes begin anew, from RUNNABLE.

The table is data: `docs/states.md` is drawn from it, and a test holds the two together.
"""

from __future__ import annotations

from enum import StrEnum

from nbbatch.errors import IllegalTransitionError
from nbbatch.model.jobs import JobStatus

S = JobStatus


class Signal(StrEnum):
    """Why a status changes."""

    HELD = "dependencies to wait for"
    READY = "dependencies met"
    PLACED = "placed on a host"
    STARTED = "container started"
    RETRIED = "attempt failed, attempts left"
    SUCCEEDED = "exit code 0"
    FAILED = "attempt failed, no retry"
    REFUSED = "refused when it was dispatched"
    CANCELLED = "cancelled or terminated before it started"
    DEPENDENCY_FAILED = "a dependency failed"
    CHILD_READY = "a child became RUNNABLE"
    CHILDREN_SUCCEEDED = "every child succeeded"
    CHILD_FAILED = "every child is terminal, one failed"

    __hash__ = str.__hash__  # as of `JobStatus`


TRANSITIONS: dict[tuple[JobStatus, Signal], JobStatus] = {
    (S.SUBMITTED, Signal.HELD): S.PENDING,
    (S.SUBMITTED, Signal.READY): S.RUNNABLE,
    (S.PENDING, Signal.READY): S.RUNNABLE,
    (S.RUNNABLE, Signal.PLACED): S.STARTING,
    (S.STARTING, Signal.STARTED): S.RUNNING,
    (S.STARTING, Signal.SUCCEEDED): S.SUCCEEDED,
    (S.STARTING, Signal.RETRIED): S.RUNNABLE,
    (S.STARTING, Signal.FAILED): S.FAILED,
    (S.RUNNING, Signal.SUCCEEDED): S.SUCCEEDED,
    (S.RUNNING, Signal.RETRIED): S.RUNNABLE,
    (S.RUNNING, Signal.FAILED): S.FAILED,
    (S.RUNNABLE, Signal.REFUSED): S.FAILED,
    (S.SUBMITTED, Signal.CANCELLED): S.FAILED,
    (S.PENDING, Signal.CANCELLED): S.FAILED,
    (S.RUNNABLE, Signal.CANCELLED): S.FAILED,
    (S.SUBMITTED, Signal.DEPENDENCY_FAILED): S.FAILED,
    (S.PENDING, Signal.DEPENDENCY_FAILED): S.FAILED,
    (S.SUBMITTED, Signal.CHILD_READY): S.PENDING,
    (S.PENDING, Signal.CHILD_READY): S.PENDING,
    (S.PENDING, Signal.CHILDREN_SUCCEEDED): S.SUCCEEDED,
    (S.PENDING, Signal.CHILD_FAILED): S.FAILED,
}


def advance(status: JobStatus, signal: Signal) -> JobStatus:
    """The status that follows.

    Raises
    ------
    IllegalTransitionError
        When the table has no such row; nothing has changed then.
    """
    following = TRANSITIONS.get((status, signal))
    if following is None:
        raise IllegalTransitionError(f"A job that is {status} cannot change because of: {signal}.")
    return following


def as_mermaid() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> SUBMITTED: SubmitJob"]
    lines += [f"    {source} --> {target}: {signal}" for (source, signal), target in TRANSITIONS.items()]
    lines += [f"    {status} --> [*]" for status in (S.SUCCEEDED, S.FAILED)]
    return "\n".join(lines) + "\n"
