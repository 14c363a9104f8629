"""When a job was in which state, as a table: from its events, or from the timestamps that AWS keeps.

DescribeJobs has three times (`createdAt`, `startedAt`, `stoppedAt`), in milliseconds; the events of
the local backend have all states, those without such a timestamp to the second.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from nbbatch.client.events import events
from nbbatch.client.handles.outcome import Detail
from nbbatch.client.summaries import summaries
from nbbatch.errors import NotOnAwsError
from nbbatch.model.jobs import TERMINAL, JobStatus

if TYPE_CHECKING:
    import pandas as pd

    from nbbatch.client.handles.handle import Handle

WAITING = "WAITING"
"""All states before RUNNING, where nobody noted them one by one."""
_COLUMNS = ("child", "status", "from", "to", "seconds")

Change = tuple[int | None, str, int]
"""Index of the child, the status it took, and when (epoch ms)."""


def timeline(handle: Handle) -> pd.DataFrame:
    """One row for each state that the job was in, in order; see `Handle.timeline`."""
    detail = handle.detail()
    if "size" in (detail.get("arrayProperties") or {}):
        changes = [change for child in _children(handle) for change in _changes_told(child)]
    else:
        changes = list(_changes_noted(handle)) or list(_changes_told(detail))
    return _frame(changes, round(1000 * time.time()))


def _children(handle: Handle) -> list[Detail]:
    """All children of an array; one that goes on while they are listed is as it was seen last."""
    found = (
        child
        for status in JobStatus
        for child in summaries(handle.backend, arrayJobId=handle.id, jobStatus=status.value)
    )
    return list({child["jobId"]: child for child in found}.values())


def _changes_noted(handle: Handle) -> Iterator[Change]:
    last = 0
    with suppress(NotOnAwsError):  # nobody keeps events there, unless the user had EventBridge do so
        for event in events(job=handle, backend=handle.backend_name):
            detail = event["detail"]
            if "status" in detail and detail["jobId"] == handle.id:
                last = max(last or detail["createdAt"], _since(detail, event["time"]))
                yield None, detail["status"], last


def _since(detail: Detail, told: str) -> int:
    """When the job came into its state: by its own timestamps, which are exact, else by the event's."""
    attempts = detail.get("attempts") or ()
    match detail["status"]:
        case "SUBMITTED":
            exact = detail.get("createdAt")
        case "RUNNING":
            exact = detail.get("startedAt")
        case "SUCCEEDED" | "FAILED":
            exact = detail.get("stoppedAt")
        case "RUNNABLE" if attempts:
            exact = attempts[-1].get("stoppedAt")
        case _:
            exact = None
    return int(exact if exact is not None else 1000 * datetime.fromisoformat(told).timestamp())


def _changes_told(detail: Detail) -> Iterator[Change]:
    """What the timestamps of DescribeJobs or ListJobs say."""
    child = (detail.get("arrayProperties") or {}).get("index")
    yield child, WAITING, detail["createdAt"]
    if detail.get("startedAt") is not None:
        yield child, "RUNNING", detail["startedAt"]
    if detail["status"] in TERMINAL and detail.get("stoppedAt") is not None:
        yield child, detail["status"], detail["stoppedAt"]


def _frame(changes: Sequence[Change], now: int) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - 0.2 s that only tables need

    table = pd.DataFrame(list(_rows(changes, now)), columns=list(_COLUMNS))
    for column in ("from", "to"):
        table[column] = pd.to_datetime(table[column], unit="ms", utc=True)
    return table.astype({"child": "Int64", "seconds": float}).sort_values(
        ["child", "from"], kind="stable", ignore_index=True
    )


def _rows(changes: Iterable[Change], now: int) -> Iterator[dict[str, Any]]:
    """A stretch lasts until the next change of the same job; a final state has no end."""
    pending = list(changes)
    for (child, status, since), follower in zip(pending, [*pending[1:], None], strict=True):
        is_over = status in TERMINAL
        until = now
        if follower is not None and follower[0] == child:
            until = follower[2]
        until = since if is_over else max(since, until)
        yield {
            "child": child,
            "status": status,
            "from": since,
            "to": until,
            "seconds": 0.0 if is_over else (until - since) / 1000,
        }
