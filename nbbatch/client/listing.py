"""Find jobs that were submitted anywhere: the newest ones as a table, one by id or name.

ListJobs is asked once per queue, for one status or with a filter that makes it show every status;
parents of arrays are one row each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from nbbatch.client.arrays.array_jobs import ArrayJob
from nbbatch.client.arrays.indexes import INDEXES, bundle_of, environment_of
from nbbatch.client.arrays.shape import read_array
from nbbatch.client.backend import Backend, get_backend
from nbbatch.client.capacity import queue_names, unknown_queue
from nbbatch.client.checks import check_text
from nbbatch.client.files.script_arrays import ScriptArray
from nbbatch.client.files.scripts import ScriptJob
from nbbatch.client.handles.handle import describe
from nbbatch.client.handles.outcome import Detail, Outcome, exit_code, outcome, seconds, short_id
from nbbatch.client.jobs import Job
from nbbatch.client.moments import Moment, epoch_ms
from nbbatch.client.options import FULL_ID, suggestion
from nbbatch.client.packing.contents import KIND_VARIABLE
from nbbatch.client.spec import SCRIPT_VARIABLE
from nbbatch.client.summaries import EVERY_STATUS, IDS_PER_CALL, batches, describe_all, named, summaries
from nbbatch.client.tables import Table, TableOf
from nbbatch.errors import ClientException, OptionError, ResultLostError, UnknownNameError
from nbbatch.model.jobs import TERMINAL, JobStatus

_START_OF_ID = re.compile(r"[0-9a-f-]{4,36}([:#]\d+)?")
_TOLD = 5
_SAME_NAME = 20
"""How many of a queue's newest jobs of one name are looked at."""
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
    backend : str
        Where it is, by its name in the configuration.
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
    backend: str

    def handle(self) -> Job | ArrayJob:
        """The job's handle."""
        return find(self.id, backend=self.backend)


class JobTable(TableOf[JobRow]):
    """Jobs that a notebook shows as a table."""

    row_type = JobRow

    def table(self) -> Table:
        """As text in columns."""
        return Table(_TITLES, [_cells(row) for row in self], empty="no jobs")


_TITLES = ("id", "name", "status", "queue", "submitted", "ran", "children")


def _cells(row: JobRow) -> tuple[str, ...]:
    ended = f"{row.status} ({_how(row)})" if row.status == "FAILED" else row.status
    ran = "" if row.seconds is None else f"{row.seconds:.1f} s"
    size = "" if row.size is None else str(row.size)
    created = row.created.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return short_id(row.id), row.name, ended, row.queue, created, ran, size


def _how(row: JobRow) -> str:
    """Which kind of failure it was: `exit code 3`, `timed out`, `host lost`."""
    if row.outcome is Outcome.EXITED and row.exit_code is not None:
        return f"exit code {row.exit_code}"
    return str(row.outcome)


def jobs(
    *,
    queue: str | None = None,
    status: str | None = None,
    name: str | None = None,
    since: Moment | None = None,
    tag: str | None = None,
    limit: int = 100,
    backend: str | None = None,
) -> JobTable:
    """The newest jobs.

    Parameters
    ----------
    queue : str, optional
        Only of this job queue.
    status : str, optional
        Only in this one of AWS Batch's seven states, or, of failed ones, which ended like this:
        `"timed out"`, `"out of memory"`, `"cancelled"` and so on.
    name : str, optional
        Only of this name, or with a `*` at the end of a name that begins like this.
    since : str, datetime or float, optional
        Only submitted from then on: `"2h"` ago, a point in time, or epoch seconds.
    tag : str, optional
        Only with this tag, `key` or `key=value`.
    limit : int
        At most so many.
    backend : str, optional
        A configured backend; the default one otherwise.

    Returns
    -------
    JobTable
        A list of `JobRow` that shows itself as a table; `row.handle()` is a job's handle, `frame()`
        gives a DataFrame.

    Raises
    ------
    OptionError
        There is no such state, or the limit is no number from 1.
    UnknownNameError
        There is no such queue.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise OptionError(f"limit does not understand {limit!r}.", cure="It takes a whole number from 1.")
    check_text("queue", queue, "the name of a job queue")
    check_text("name", name, "a job's name, or the beginning of one and *")
    check_text("tag", tag, "key, or key=value")
    place = get_backend(backend)
    names = [queue] if queue else queue_names(place)
    wanted = Wanted.read(status=status, name=name, since=since, tag=tag)
    try:
        rows = [row for one in names for row in _rows(place, one, wanted, limit)]
    except ClientException:
        if queue and queue not in queue_names(place):
            raise unknown_queue(place, queue) from None
        raise
    return JobTable(sorted(rows, key=lambda row: row.created, reverse=True)[:limit])


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which jobs to list; ListJobs takes one condition, the others are looked at here."""

    status: str | None = None
    outcome: Outcome | None = None
    name: str = ""
    since: int | None = None
    tag: tuple[str, str | None] | None = None

    @classmethod
    def read(cls, *, status: str | None, name: str | None, since: Moment | None, tag: str | None) -> Wanted:
        """The conditions as a person gives them."""
        ended = _OUTCOMES.get(str(status or "").lower())
        state = str(status or "").upper().replace(" ", "_")
        if status and ended is None and state not in list(JobStatus):
            known = [*map(str, JobStatus), *_OUTCOMES]
            raise OptionError(f"Jobs have no status {status!r}.", cure=suggestion(str(status), known))
        key, equals, value = (tag or "").partition("=")
        return cls(
            status="FAILED" if ended else state or None,
            outcome=ended,
            name=name or "",
            since=None if since is None else epoch_ms(since),
            tag=(key, value if equals else None) if key else None,
        )

    @property
    def question(self) -> dict[str, Any]:
        """The one condition for ListJobs that leaves the fewest."""
        if self.name:
            return named(self.name)
        if self.since is not None:
            return {"filters": [{"name": "AFTER_CREATED_AT", "values": [str(max(0, self.since - 1))]}]}
        return {"jobStatus": self.status} if self.status else EVERY_STATUS

    def takes(self, summary: Detail) -> bool:
        """Whether a job is among them, but for its tags."""
        return (
            self.status in (None, summary["status"])
            and self.outcome in (None, outcome(summary))
            and (self.since is None or summary["createdAt"] >= self.since)
        )

    def has_tag(self, detail: Detail) -> bool:
        """Whether a job has the tag."""
        if self.tag is None:
            return True
        key, value = self.tag
        tags = detail.get("tags") or {}
        return key in tags and value in (None, tags[key])


_OUTCOMES = {str(one): one for one in Outcome if one is not Outcome.SUCCEEDED}


def _rows(backend: Backend, queue: str, wanted: Wanted, limit: int) -> list[JobRow]:
    now = datetime.now(UTC).timestamp()
    found: Iterator[Detail] = filter(wanted.takes, summaries(backend, jobQueue=queue, **wanted.question))
    if wanted.tag is not None:
        found = _tagged(backend, found, wanted)
    return [_row(one, queue, backend.name, now) for one in islice(found, limit)]


def _tagged(backend: Backend, found: Iterable[Detail], wanted: Wanted) -> Iterator[Detail]:
    """Those with the tag, which only DescribeJobs tells: a hundred a call, the newest ones."""
    for batch in batches(islice(found, _SEARCHED), IDS_PER_CALL):
        details = {one["jobId"]: one for one in describe_all(backend, [one["jobId"] for one in batch])}
        yield from (one for one in batch if wanted.has_tag(details.get(one["jobId"], {})))


def _row(summary: Detail, queue: str, backend: str, now: float) -> JobRow:
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
        backend=backend,
    )


def find(id_or_name: str, *, backend: str | None = None) -> Job | ArrayJob:
    """Handle of a job or node by its id, the id's first letters, or its name: the newest of that name.

    Raises
    ------
    UnknownNameError
        No job is meant, or more than one: several ids begin like this, or several jobs of that name
        have not ended.
    """
    if not isinstance(id_or_name, str) or not id_or_name.strip("… "):
        raise OptionError(
            f"{id_or_name!r} is no job's id or name.",
            cure="Give it as text; nbbatch.jobs() lists the newest.",
        )
    place = get_backend(backend)
    wanted = id_or_name.rstrip("…").strip()
    detail = describe(place, wanted if FULL_ID.fullmatch(wanted) else _search(place, wanted))
    return _kind_of(place, detail)(detail["jobId"], backend=place.name, name=detail["jobName"])


def _kind_of(backend: Backend, detail: Detail) -> type[Job | ArrayJob]:
    """The class of its handle."""
    is_array = _is_array(backend, detail)
    variables = environment_of(detail)
    if KIND_VARIABLE not in variables:
        is_script = SCRIPT_VARIABLE in variables
        array, single = (ScriptArray, ScriptJob) if is_script else (ArrayJob, Job)
        return array if is_array else single
    from nbbatch.client.notebooks.handles import NotebookJob  # noqa: PLC0415 - most jobs are no notebooks
    from nbbatch.client.notebooks.sweeps import Sweep  # noqa: PLC0415

    return Sweep if is_array else NotebookJob


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
    found = [
        one
        for queue in queues
        for one in islice(summaries(backend, jobQueue=queue, **named(wanted)), _SAME_NAME)
    ]
    if found:
        return _newest(wanted, found)
    start, mark, index = re.split("([:#]|$)", wanted, maxsplit=1)
    ids = []
    if _START_OF_ID.fullmatch(wanted):
        ids = [f"{job_id}{mark}{index}" for queue in queues for job_id in _ids_from(backend, queue, start)]
    if not ids:
        raise UnknownNameError(
            f"Backend {backend.name!r} knows no job {wanted!r}.", cure="nbbatch.jobs() lists the newest."
        )
    if len(ids) > 1:
        raise UnknownNameError(f"Several ids begin with {wanted!r}: {_listed(ids)}.", cure="Give more of it.")
    return ids[0]


def _newest(name: str, found: Sequence[Detail]) -> str:
    """Of jobs of one name the newest, unless several of them go on: whoever stops one must say which."""
    going = [one["jobId"] for one in found if one["status"] not in TERMINAL]
    if len(going) > 1:
        raise UnknownNameError(
            f"Several jobs that go on are called {name!r}.", cure=f"Use an id; the newest: {_listed(going)}."
        )
    return str(max(found, key=lambda one: one["createdAt"])["jobId"])


def _listed(ids: Sequence[str]) -> str:
    return ", ".join(short_id(job_id) for job_id in ids[:_TOLD])


def _ids_from(backend: Backend, queue: str, start: str) -> list[str]:
    newest = islice(summaries(backend, jobQueue=queue, **EVERY_STATUS), _SEARCHED)
    return [one["jobId"] for one in newest if one["jobId"].startswith(start)]
