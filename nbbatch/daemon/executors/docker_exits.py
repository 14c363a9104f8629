"""From Docker's account of an ended container to AWS Batch's; pure.

Reasons are ECS's own (aws: "Stopped task error messages"). A container that dies together with its
engine counts as one whose host was lost, not as a failed job: `died_with_engine` says when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nbbatch.model.events import AttemptExited, StartAttempt
from nbbatch.model.jobs import Usage

OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
FAILED_TO_START = "Task failed to start"

_SIGNALLED = frozenset({128 + 9, 128 + 15})
"""Exit codes of a container that dockerd stops when it goes down or comes up again."""
_UNKNOWN = 255
"""What dockerd writes when it comes up and finds nothing left of a container, as after a reboot."""
SUSPICIOUS = _SIGNALLED | {_UNKNOWN}

_SHUTDOWN_MS = 30_000
"""A dockerd that is told to stop may take this long over its containers before it lets go."""
_RESTORE_MS = 15_000
"""A dockerd that comes up looks through its containers for at most this long before it answers."""
_SLACK_MS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """The engine was away: it went at `since`, began again at `back`, answered by `until`; epoch ms."""

    since: int
    back: int
    until: int


def outage_before(engine_started: int | None) -> Outage | None:
    """All the time before the engine that a new daemon finds, as far as its start is known."""
    if engine_started is None:
        return None
    return Outage(since=0, back=engine_started, until=engine_started + _RESTORE_MS)


def epoch_ms(stamp: str) -> int | None:
    """Docker's RFC 3339 time as epoch milliseconds; None for its zero, year 1."""
    when = datetime.fromisoformat(stamp)
    return None if when.year == 1 else round(when.timestamp() * 1000)


def has_begun(state: Mapping[str, Any]) -> bool:
    """Whether a container's `State` tells of a process that has run."""
    return epoch_ms(state["StartedAt"]) is not None


def exited(
    order: StartAttempt,
    *,
    code: int,
    started_at: int | None,
    stopped_at: int,
    usage: Usage,
    out_of_memory: bool,
) -> AttemptExited:
    """The end of an attempt whose container ran.

    Parameters
    ----------
    order : StartAttempt
        What ran.
    code : int
        The container's exit code.
    started_at, stopped_at : int
        Epoch ms.
    usage : Usage
        What was seen of it.
    out_of_memory : bool
        Whether the engine told of an out-of-memory kill inside the container; one that went on to
        exit with 0 got over it.
    """
    return AttemptExited(
        job_id=order.job_id,
        attempt=order.attempt,
        exit_code=code,
        started_at=started_at,
        stopped_at=max(stopped_at, started_at or 0),
        reason=OUT_OF_MEMORY if out_of_memory and code != 0 else None,
        usage=usage,
    )


def never_ran(order: StartAttempt, now: int, reason: str | None = None) -> AttemptExited:
    """The end of an attempt whose container never ran a process."""
    return AttemptExited(
        job_id=order.job_id,
        attempt=order.attempt,
        exit_code=None,
        stopped_at=now,
        reason=reason,
        status_reason=FAILED_TO_START,
    )


def died_with_engine(end: AttemptExited, outage: Outage | None) -> bool:
    """Whether a container was ended by its engine's going down or coming up.

    Without live restore dockerd stops its containers then, by SIGTERM and SIGKILL; those that were
    gone already it calls exited with 255. Any other exit code is the job's own, whenever it came.
    """
    if outage is None or end.reason is not None:
        return False
    if end.exit_code == _UNKNOWN:
        return outage.back - _SLACK_MS <= end.stopped_at <= outage.until
    return end.exit_code in _SIGNALLED and outage.since - _SHUTDOWN_MS <= end.stopped_at <= outage.until
