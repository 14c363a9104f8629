"""Rows of the list, from JobDetail or JobSummary: pure."""

from __future__ import annotations

import time

import msgspec

from nbbatch.client.arrays.indexes import INDEXES, environment_of
from nbbatch.client.handles.outcome import Detail, Outcome, exit_code, outcome, seconds
from nbbatch.client.packing.contents import KIND_VARIABLE, NOTEBOOK_VARIABLE
from nbbatch.client.spec import SCRIPT_VARIABLE
from nbbatch.jupyter.routes.shapes import JobKind, JobRow
from nbbatch.model.jobs import ACTIVE, TERMINAL, JobStatus

_WAITING = ("SUBMITTED", "PENDING", "RUNNABLE")


def row_of(detail: Detail, queue: str = "") -> JobRow:
    """A job as the list shows it.

    Parameters
    ----------
    detail : mapping
        What a Describe or List call told of it.
    queue : str
        Name of its queue, where that is not in the detail.
    """
    variables = environment_of(detail)
    counts = {name: count for name, count in _counts(detail).items() if count}
    array = detail.get("arrayProperties") or {}
    kind = kind_of(detail, variables)
    is_over = detail["status"] in TERMINAL
    has_waiting = any(map(counts.get, _WAITING)) if counts else detail["status"] not in ACTIVE
    return JobRow(
        id=detail["jobId"],
        name=detail["jobName"],
        queue=queue or str(detail["jobQueue"]).rpartition("/")[2],
        kind=kind,
        notebook=variables.get(NOTEBOOK_VARIABLE, ""),
        status=JobStatus(detail["status"]),
        reason=detail.get("statusReason") or "",
        outcome=outcome(detail),
        words=words_of(detail),
        created=int(detail["createdAt"]),
        started=detail.get("startedAt") or None,
        stopped=detail.get("stoppedAt") or None,
        seconds=seconds(detail, time.time()),
        exit_code=exit_code(detail),
        size=array.get("size"),
        counts=counts,
        can_cancel=not is_over and has_waiting and not _asked_to_end(detail),
        can_terminate=not is_over,
        can_retry=is_over and kind != "nodes" and ("size" not in array or detail["status"] == "FAILED"),
    )


def same(one: JobRow, other: JobRow) -> bool:
    """Whether two rows say the same, but for what passes by itself."""
    return msgspec.structs.replace(one, seconds=None, cost=None, failures={}) == msgspec.structs.replace(
        other, seconds=None, cost=None, failures={}
    )


def kind_of(detail: Detail, variables: dict[str, str]) -> JobKind:
    """What a job is to its user."""
    is_array = "size" in (detail.get("arrayProperties") or {}) or (
        INDEXES in variables and "index" not in (detail.get("arrayProperties") or {})
    )
    if KIND_VARIABLE in variables:
        return "sweep" if is_array else "notebook"
    if is_array:
        return "array"
    if "nodeProperties" in detail or "nodeDetails" in detail:
        return "nodes"
    return "script" if SCRIPT_VARIABLE in variables else "job"


def words_of(detail: Detail) -> str:
    """The status, and how it failed or will end: `FAILED (exit code 3)`, `PENDING (cancel asked)`."""
    ended, status = outcome(detail), str(detail["status"])
    if ended is None and (asked := _asked_to_end(detail)):
        return f"{status} ({asked})"
    if ended in (None, Outcome.SUCCEEDED):
        return status
    code = exit_code(detail)
    how = f"exit code {code}" if ended is Outcome.EXITED and code is not None else str(ended)
    return f"{status} ({how})"


def _asked_to_end(detail: Detail) -> str:
    """What was asked of a job that has not ended yet: one that depends on others stays PENDING until they end."""
    if detail.get("isTerminated"):
        return "terminate asked"
    return "cancel asked" if detail.get("isCancelled") and detail["status"] in _WAITING else ""


def _counts(detail: Detail) -> dict[str, int]:
    array = detail.get("arrayProperties") or {}
    return dict(array.get("statusSummary") or {}) if "size" in array else {}
