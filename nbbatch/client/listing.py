"""Find jobs that were submitted anywhere: the newest ones as a table, one by id or name.

ListJobs is asked once per queue, for one status or with a filter that makes it show every status;
parents of arrays are one row each.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from nbbatch.client.arrays import ArrayJob
from nbbatch.client.backend import Backend, get_backend
from nbbatch.client.bundle import KIND_VARIABLE
from nbbatch.client.capacity import queue_names
from nbbatch.client.handle import describe
from nbbatch.client.indexes import INDEXES, bundle_of, environment_of
from nbbatch.client.jobs import Job
from nbbatch.client.outcome import Detail, Outcome, exit_code, outcome, seconds, short_id
from nbbatch.client.scripts import ScriptJob
from nbbatch.client.shape import read_array
from nbbatch.client.spec import SCRIPT_VARIABLE
from nbbatch.errors import ResultLostError, UnknownNameError

_FULL_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}([:#]\d+)?")
_START_OF_ID = re.compile(r"[0-9a-f-]{4,36}([:#]\d+)?")
_EVERY_STATUS = {"filters": [{"name": "AFTER_CREATED_AT", "values": ["0"]}]}
_PAGE = 100
_TOLD = 5
_SEARCHED = 2000
"""How many of a queue's newest jobs are looked through for the first letters of an id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """One job of a listing.

    Parameters
    ----------
    id, name, queue, status, reason : str
        As ListJobs tells them; `queue` by its name.
    outcome : Outcome or None
        How it ended; None while it has not.
    created : datetime
        When it was submitted.
    seconds : float or None
        How long its last attempt ran, or has run until now; None before it started.
    exit_code, size : int or None
        Of the last attempt; number of children of an array.
    """

    id: str
    name: str
    queue: str
    status: str
    reason: str
    outcome: Outcome | None
    created: datetime
    seconds: float | None
    exit_code: int | None
    size: int | None


class JobTable(list[JobRow]):
    """Rows that a notebook shows as a table."""

    def frame(self) -> Any:
        """The rows as a DataFrame."""
        import pandas as pd  # noqa: PLC0415 - 0.2 s that only tables need

        return pd.DataFrame([asdict(row) for row in self], columns=list(JobRow.__dataclass_fields__))

    def __repr__(self) -> str:
        rows = [_TITLES, *(_cells(row) for row in self)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
        ]
        return "\n".join(line.rstrip() for line in lines)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{title}</th>" for title in _TITLES)
        rows = ("".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(row)) for row in self)
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


_TITLES = ("id", "name", "status", "queue", "submitted", "ran", "children")


def _cells(row: JobRow) -> tuple[str, ...]:
    ended = f"{row.status} ({row.outcome})" if row.status == "FAILED" else row.status
    ran = "" if row.seconds is None else f"{row.seconds:.1f} s"
    size = "" if row.size is None else str(row.size)
    created = row.created.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return short_id(row.id), row.name, ended, row.queue, created, ran, size


def jobs(
    *, queue: str | None = None, status: str | None = None, limit: int = 100, backend: str | None = None
) -> JobTable:
    """The newest jobs.

    Parameters
    ----------
    queue, status : str, optional
        Only of this job queue, only in this one of AWS Batch's seven states.
    limit : int
        At most so many.
    backend : str, optional
        A configured backend; the default one otherwise.
    """
    place = get_backend(backend)
    names = [queue] if queue else queue_names(place)
    rows = [row for name in names for row in _rows(place, name, status, limit)]
    return JobTable(sorted(rows, key=lambda row: row.created, reverse=True)[:limit])


def _rows(backend: Backend, queue: str, status: str | None, limit: int) -> list[JobRow]:
    now = datetime.now(UTC).timestamp()
    wanted = _summaries(backend, queue, **({"jobStatus": status} if status else _EVERY_STATUS))
    return [_row(one, queue, now) for one in islice(wanted, limit)]


def _row(summary: Detail, queue: str, now: float) -> JobRow:
    return JobRow(
        id=summary["jobId"],
        name=summary["jobName"],
        queue=queue,
        status=summary["status"],
        reason=summary.get("statusReason", ""),
        outcome=outcome(summary),
        created=datetime.fromtimestamp(summary["createdAt"] / 1000, UTC),
        seconds=seconds(summary, now),
        exit_code=exit_code(summary),
        size=summary.get("arrayProperties", {}).get("size"),
    )


def _summaries(backend: Backend, queue: str, **which: Any) -> Iterator[Detail]:
    """JobSummary of a queue's jobs, newest first, page by page as they are used."""
    token: dict[str, str] = {}
    while True:
        with backend.errors():
            page = backend.batch.list_jobs(jobQueue=queue, maxResults=_PAGE, **which, **token)
        yield from page["jobSummaryList"]
        if not page.get("nextToken"):
            return
        token = {"nextToken": page["nextToken"]}


def find(id_or_name: str, *, backend: str | None = None) -> Job | ArrayJob:
    """Handle of a job or node by its id, the id's first letters, or a name that only one job has.

    Raises
    ------
    UnknownNameError
        No job, or more than one, is meant.
    """
    place = get_backend(backend)
    wanted = id_or_name.rstrip("…").strip()
    detail = describe(place, wanted if _FULL_ID.fullmatch(wanted) else _search(place, wanted))
    return _kind_of(place, detail)(detail["jobId"], backend=place.name, name=detail["jobName"])


def _kind_of(backend: Backend, detail: Detail) -> type[Job | ArrayJob]:
    """The class of its handle."""
    is_array = _is_array(backend, detail)
    if KIND_VARIABLE not in environment_of(detail):
        return ArrayJob if is_array else _kind(detail)
    from nbbatch.client.notebook_jobs import NotebookJob  # noqa: PLC0415 - most jobs are no notebooks
    from nbbatch.client.sweeps import Sweep  # noqa: PLC0415

    return Sweep if is_array else NotebookJob


def _kind(detail: Detail) -> type[Job]:
    return ScriptJob if SCRIPT_VARIABLE in environment_of(detail) else Job


def _is_array(backend: Backend, detail: Detail) -> bool:
    """Whether a job has items: a parent, or an array of one, which runs as a plain job."""
    if "size" in detail.get("arrayProperties", {}):
        return True
    if INDEXES not in environment_of(detail) or "index" in detail.get("arrayProperties", {}):
        return False
    try:
        return read_array(backend.store, bundle_of(detail)) is not None
    except ResultLostError:
        return False


def _search(backend: Backend, wanted: str) -> str:
    """Full id of the one job that a name or the first letters of an id mean."""
    queues = queue_names(backend)
    named = [{"name": "JOB_NAME", "values": [wanted]}]
    found = [
        one["jobId"] for queue in queues for one in islice(_summaries(backend, queue, filters=named), _TOLD)
    ]
    start, mark, index = re.split("([:#]|$)", wanted, maxsplit=1)
    if not found and _START_OF_ID.fullmatch(wanted):
        found = [f"{job_id}{mark}{index}" for queue in queues for job_id in _ids_from(backend, queue, start)]
    if len(found) == 1:
        return str(found[0])
    if not found:
        raise UnknownNameError(
            f"Backend {backend.name!r} knows no job {wanted!r}.", cure="nbbatch.jobs() lists the newest."
        )
    newest = ", ".join(short_id(job_id) for job_id in found[:_TOLD])
    raise UnknownNameError(f"Several jobs are called {wanted!r}.", cure=f"Use an id; the newest: {newest}.")


def _ids_from(backend: Backend, queue: str, start: str) -> list[str]:
    newest = islice(_summaries(backend, queue, **_EVERY_STATUS), _SEARCHED)
    return [one["jobId"] for one in newest if one["jobId"].startswith(start)]
