"""What really happened to a job that DescribeJobs calls FAILED: pure.

Batch has one failed state and several texts. Here the texts of the service (user guide, "Job states"
and "Troubleshooting"; ECS's container reasons) become one word that panels can group by, one
sentence for people, and one error class with what to do next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from nbbatch.errors import (
    CouldNotStartError,
    DependencyFailedError,
    HostLostError,
    JobCancelledError,
    JobError,
    JobFailedError,
    JobOutOfMemoryError,
    JobTerminatedError,
    JobTimedOutError,
)
from nbbatch.model.jobs import TERMINAL

Detail = Mapping[str, Any]
"""DescribeJobs' JobDetail, or ListJobs' JobSummary, which has fewer members."""

_NOT_STARTED_REASONS = ("Cannot", "DockerTimeoutError", "ResourceInitializationError", "TaskFailedToStart")
_SIGNAL_BASE = 128
_KILLED = 137


class Outcome(StrEnum):
    """How a job ended."""

    SUCCEEDED = "succeeded"
    EXITED = "exited"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    HOST_LOST = "host lost"
    DEPENDENCY_FAILED = "dependency failed"
    COULD_NOT_START = "could not start"
    CHILDREN_FAILED = "children failed"


_EXITED = "Essential container in task exited"
_TEXTS = {
    "Array Child Job failed": Outcome.CHILDREN_FAILED,
    "Dependent Job failed": Outcome.DEPENDENCY_FAILED,
    "Job attempt duration exceeded timeout": Outcome.TIMED_OUT,
}
_STARTS = {
    "Host EC2": Outcome.HOST_LOST,
    "Your Spot Task was interrupted": Outcome.HOST_LOST,
    "Task failed to start": Outcome.COULD_NOT_START,
    "Container Overrides length": Outcome.COULD_NOT_START,
    "JobQueue deleted": Outcome.CANCELLED,
    "Canceled by JobStateTimeLimit": Outcome.CANCELLED,
}
"""Status reasons of the service itself, whole or by their beginning."""


def outcome(detail: Detail) -> Outcome | None:
    """How the job ended, None while it has not.

    Who asked for the end comes before what the container said about it: a terminated container's
    exit code 143 is no failure of the program.
    """
    status = detail.get("status")
    if status not in TERMINAL:
        return None
    if status == "SUCCEEDED":
        return Outcome.SUCCEEDED
    return _asked_for(detail) or _from_texts(detail) or _from_container(detail)


def _asked_for(detail: Detail) -> Outcome | None:
    if detail.get("isTerminated"):
        return Outcome.TERMINATED
    if detail.get("isCancelled") and not _ended_by_itself(detail):
        return Outcome.CANCELLED
    return None


def _ended_by_itself(detail: Detail) -> bool:
    """Whether a cancellation came too late: an attempt's own reason became the job's."""
    own = {attempt.get("statusReason") for attempt in detail.get("attempts") or ()}
    return detail.get("statusReason") in own | {_EXITED}


def _from_texts(detail: Detail) -> Outcome | None:
    text = str(detail.get("statusReason", ""))
    if text in _TEXTS:
        return _TEXTS[text]
    return next((ended for start, ended in _STARTS.items() if text.startswith(start)), None)


def _from_container(detail: Detail) -> Outcome:
    container = detail.get("container") or {}
    reason = container.get("reason") or ""
    if reason.startswith("OutOfMemory"):
        return Outcome.OUT_OF_MEMORY
    if reason.startswith(_NOT_STARTED_REASONS) or (exit_code(detail) is None and "startedAt" not in detail):
        return Outcome.COULD_NOT_START
    return Outcome.EXITED


def exit_code(detail: Detail) -> int | None:
    """Exit code of the last attempt, None where none was reported."""
    code = (detail.get("container") or {}).get("exitCode")
    return None if code is None else int(code)


def seconds(detail: Detail, now: float | None = None) -> float | None:
    """How long the last attempt ran, or has run until `now` (epoch seconds); None before it started."""
    started, stopped = detail.get("startedAt"), detail.get("stoppedAt")
    if started is None or (stopped is None and now is None):
        return None
    end = stopped / 1000 if stopped is not None else float(now or 0)
    return max(0.0, float(end) - float(started) / 1000)


def seconds_of_all(detail: Detail) -> float | None:
    """How long all its attempts ran, also those that failed or were interrupted; None before one ended."""
    ended = [one for one in detail.get("attempts") or () if "startedAt" in one and "stoppedAt" in one]
    if not ended:
        return seconds(detail)
    return sum(max(0.0, float(one["stoppedAt"] - one["startedAt"])) for one in ended) / 1000


def duration_in_words(length: float) -> str:
    """A duration for people: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `1 h`."""
    minute, hour = 60, 3600
    if length < minute:
        return f"{length:.1f} s" if length < minute / 6 else f"{length:.0f} s"
    if length < hour:
        return f"{int(length // minute)} min {int(length % minute)} s".removesuffix(" 0 s")
    return f"{int(length // hour)} h {int(length % hour // minute)} min".removesuffix(" 0 min")


def short_id(job_id: str) -> str:
    """The first eight letters of an id, with the index of a child or node: `3f2a9c1e`, `3f2a9c1e:7`."""
    mark = "#" if "#" in job_id else ":"
    parent, found, index = job_id.partition(mark)
    return parent[:8] + found + index


@dataclass(frozen=True, slots=True)
class _Story:
    """How an outcome is told: the error it becomes, what happened, what to do; filled from `_facts`."""

    error: type[JobError]
    sentence: str
    cure: str


_STORIES = {
    Outcome.EXITED: _Story(
        JobFailedError, "failed: {exit}{after}", "nbbatch.job({id!r}).logs() has its whole log."
    ),
    Outcome.TIMED_OUT: _Story(
        JobTimedOutError,
        "ran longer than its timeout of {timeout}",
        "Give it longer, e.g. timeout={next_timeout}; a timeout is never retried.",
    ),
    Outcome.OUT_OF_MEMORY: _Story(
        JobOutOfMemoryError,
        "was killed for using more than its {memory} MiB of memory",
        'Ask for more, e.g. memory="{next_memory}".',
    ),
    Outcome.CANCELLED: _Story(
        JobCancelledError, "was cancelled: {reason}", "nbbatch.job({id!r}).retry() submits it again."
    ),
    Outcome.TERMINATED: _Story(
        JobTerminatedError, "was terminated: {reason}", "nbbatch.job({id!r}).retry() submits it again."
    ),
    Outcome.HOST_LOST: _Story(
        HostLostError, "lost its host: {reason}", "Submit it again with retries=3, or without Spot."
    ),
    Outcome.DEPENDENCY_FAILED: _Story(
        DependencyFailedError,
        "did not start because a job it depends on failed",
        "Look at the jobs it depends on: {dependencies}.",
    ),
    Outcome.COULD_NOT_START: _Story(
        CouldNotStartError,
        "could not start: {container_reason}",
        "Check the image's name and what the container asks for, then submit it again.",
    ),
    Outcome.CHILDREN_FAILED: _Story(
        JobFailedError,
        "has failed children: {children}",
        "nbbatch.job({id!r}).failed() lists them, .retry_failed() submits only those again.",
    ),
}


def _facts(detail: Detail) -> dict[str, Any]:
    reason = detail.get("statusReason") or "no reason given"
    limit = (detail.get("timeout") or {}).get("attemptDurationSeconds") or 0
    memory = int(requirement(detail, "MEMORY") or 0)
    return {
        "id": detail.get("jobId", ""),
        "exit": _exit_in_words(detail),
        "after": _after(detail),
        "timeout": duration_in_words(limit),
        "next_timeout": 2 * limit,
        "memory": memory,
        "next_memory": next_memory(memory),
        "reason": reason,
        "container_reason": (detail.get("container") or {}).get("reason") or reason,
        "dependencies": ", ".join(_dependencies(detail)) or "see dependsOn",
        "children": _children(detail),
    }


def in_words(detail: Detail) -> str:
    """One sentence on how the job ended, or what its status is."""
    name = f"Job {detail.get('jobName', '')} ({short_id(detail.get('jobId', ''))})"
    ended = outcome(detail)
    if ended is None:
        return f"{name} is {detail.get('status')}."
    if ended is Outcome.SUCCEEDED:
        return f"{name} succeeded{_after(detail)}."
    return f"{name} {_STORIES[ended].sentence.format_map(_facts(detail)).removesuffix('.')}."


def _exit_in_words(detail: Detail) -> str:
    code = exit_code(detail)
    if code is None:
        return str(detail.get("statusReason") or "no exit code was reported")
    signal = f" (signal {code - _SIGNAL_BASE})" if _SIGNAL_BASE < code <= _SIGNAL_BASE + 64 else ""
    return f"exit code {code}{signal}"


def _after(detail: Detail) -> str:
    ran = seconds(detail)
    attempts = len(detail.get("attempts") or ())
    tried = f" in attempt {attempts}" if attempts > 1 else ""
    return tried if ran is None else f"{tried} after {duration_in_words(ran)}"


def _children(detail: Detail) -> str:
    array = detail.get("arrayProperties") or {}
    return f"{(array.get('statusSummary') or {}).get('FAILED', 0)} of {array.get('size', 0)}"


def requirement(detail: Detail, kind: str) -> float | None:
    """Amount of VCPU, MEMORY (MiB) or GPU that the job asked for; None where it is not said."""
    container = detail.get("container") or {}
    listed: Sequence[Mapping[str, str]] = container.get("resourceRequirements") or ()
    amounts = [float(one["value"]) for one in listed if one["type"] == kind]
    legacy = container.get({"VCPU": "vcpus", "MEMORY": "memory"}.get(kind, ""))
    return amounts[0] if amounts else (None if legacy is None else float(legacy))


def error_of(detail: Detail, *, log_tail: str = "") -> JobError:
    """The error to raise for a job that ended FAILED, with its log tail and what to do next.

    Raises
    ------
    ValueError
        When the job has not failed.
    """
    ended = outcome(detail)
    if ended is None or ended is Outcome.SUCCEEDED:
        raise ValueError(f"not a failed job: {detail.get('jobId')} is {detail.get('status')}")
    error = _STORIES[ended].error(
        in_words(detail), job_id=detail.get("jobId", ""), log_tail=log_tail, cure=cure(detail, ended)
    )
    if isinstance(error, JobFailedError):
        error.exit_code = exit_code(detail)
    return error


def cure(detail: Detail, ended: Outcome) -> str:
    """What to do next about a failed job, one sentence."""
    if ended is Outcome.EXITED and exit_code(detail) == _KILLED:
        memory = next_memory(int(requirement(detail, "MEMORY") or 0))
        return f'It was killed, perhaps for memory: try memory="{memory}".'
    return _STORIES[ended].cure.format_map(_facts(detail))


def _dependencies(detail: Detail) -> list[str]:
    return [one["jobId"] for one in detail.get("dependsOn") or () if one.get("jobId")]


def next_memory(mib: int) -> str:
    """Twice as much memory, rounded up to whole GiB from one GiB on: `1536` becomes `3G`."""
    doubled = max(8, 2 * mib)
    return f"{-(-doubled // 1024)}G" if doubled >= 1024 else f"{doubled}M"  # noqa: PLR2004 - MiB per GiB
