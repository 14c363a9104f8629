"""`%batch events` and `%batch timeline`: what happened to a job, and when it was in which state."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import isnan
from typing import Any

from nbbatch.client.handles.outcome import duration_in_words, short_id
from nbbatch.client.tables import Table
from nbbatch.jupyter.cells import find_job
from nbbatch.jupyter.commands import Call


def show_events(shell: Any, call: Call, backend: str | None) -> Table:
    """`%batch events ID`: state changes, of an array those of its children too."""
    found = find_job(call.job, shell.user_ns, backend).events()
    rows = [_event(one["time"], one["detail"]) for one in found if "status" in one["detail"]]
    return Table(("when", "job", "status", "why"), rows, empty="no events are kept of it")


def show_timeline(shell: Any, call: Call, backend: str | None) -> Table:
    """`%batch timeline ID`: states with the time they were taken and how long they lasted."""
    frame = find_job(call.job, shell.user_ns, backend).timeline()
    rows = [_state(row) for row in frame.to_dict("records")]
    return Table(("child", "status", "from", "for"), rows)


def _event(when: str, detail: Mapping[str, Any]) -> tuple[str, ...]:
    reason = str(detail.get("statusReason", ""))
    return _clock(datetime.fromisoformat(when)), short_id(detail["jobId"]), str(detail["status"]), reason


def _state(row: Mapping[Any, Any]) -> tuple[str, ...]:
    child = row["child"]
    is_single = child is None or (isinstance(child, float) and isnan(child)) or str(child) == "<NA>"
    began = row["from"].to_pydatetime()
    lasted = duration_in_words(row["seconds"]) if row["seconds"] else ""
    return "" if is_single else str(int(child)), str(row["status"]), _clock(began), lasted


def _clock(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
