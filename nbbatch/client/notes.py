"""Notes: what running jobs tell the outside in lines of their logs, and logs without those lines.

The other end is `nbbatch.runner.notes`. Notes are read by FilterLogEvents, which CloudWatch has as
well: one stream of calls for a whole array, however many children it has. Whatever shows a log sends
its lines through a `Sieve`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nbbatch.client.backend import Backend
from nbbatch.client.checks import is_number, refusal
from nbbatch.client.handles.outcome import Detail
from nbbatch.runner.notes import MARK

_SLACK = 5000
"""Milliseconds by which a line's time in the log may be off the job's own word."""
_HEAD = frozenset(("kind", "job", "attempt", "time", "item"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something a job told.

    Parameters
    ----------
    kind : str
        `progress`, `metric`, `cell` or `checkpoint`.
    job_id : str
        The job that told it; of an array the child.
    attempt : int
        In which attempt, 1 for the first.
    time : int
        Epoch ms, by the job's clock.
    item : int or None
        Which item of an array it is about.
    body : mapping
        What else it says, by its kind.
    """

    kind: str
    job_id: str
    attempt: int
    time: int
    item: int | None
    body: Mapping[str, Any]


def split_line(line: str) -> tuple[str, Note | None]:
    """A line of a log as what is to be shown of it, and the note at its end if there is one."""
    place = line.rfind(MARK)
    note = _parse(line[place:]) if place >= 0 else None
    return (line, None) if note is None else (line[:place], note)


def _parse(text: str) -> Note | None:
    try:
        told = json.loads(text.partition(" ")[2])
        return Note(
            kind=told["kind"],
            job_id=told["job"],
            attempt=told["attempt"],
            time=told["time"],
            item=told.get("item"),
            body={name: value for name, value in told.items() if name not in _HEAD},
        )
    except (ValueError, KeyError, TypeError):  # the job printed something that only begins like a note
        return None


class Sieve:
    """Takes the notes out of a log's lines.

    A note may have come in the middle of a line: then what stood before it waits for the line's end.

    Attributes
    ----------
    notes : list of Note
        Those that were found; whoever reads them may clear the list.
    """

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self._begun = ""

    def shown(self, lines: Iterable[str]) -> list[str]:
        """What is to be shown of these lines and what still waited."""
        shown = []
        for line in lines:
            text, note = split_line(line)
            if note is not None:
                self.notes.append(note)
                self._begun += text
            else:
                shown.append(self._begun + text)
                self._begun = ""
        return shown

    def rest(self) -> list[str]:
        """At the end of the log: a line that was begun and never ended."""
        begun, self._begun = self._begun, ""
        return [begun] if begun else []


def without_notes(lines: Iterable[str]) -> list[str]:
    """A whole log's lines as they are to be shown."""
    sieve = Sieve()
    return [*sieve.shown(lines), *sieve.rest()]


def notes_of(backend: Backend, job_id: str, *, since: int | None = None) -> list[Note]:
    """What a job, or all children of an array, has told so far.

    Parameters
    ----------
    backend : Backend
        Where it is.
    job_id : str
        Of a job, an array or an array's child.
    since : int, optional
        Epoch ms: only notes from then on.

    Returns
    -------
    list of Note
        By time.
    """
    if since is not None and not is_number(since):
        raise refusal("since", since, "epoch milliseconds")
    with backend.errors():
        details = backend.batch.describe_jobs(jobs=[job_id])["jobs"]
        found = [note for detail in details for note in _search(backend, detail, since)]
    mine = [note for note in found if note.job_id.partition(":")[0] == job_id or note.job_id == job_id]
    return sorted((note for note in mine if since is None or note.time >= since), key=lambda note: note.time)


def _search(backend: Backend, detail: Detail, since: int | None) -> Iterator[Note]:
    """Notes in the streams where the job's may be."""
    from nbbatch.client.logs import group_of, streams_of  # noqa: PLC0415 - logs are shown through this module

    job_id = detail["jobId"]
    request = {
        "logGroupName": group_of(detail),
        "filterPattern": f'"@nbbatch" "{job_id}"',
        "startTime": max(0, (detail["createdAt"] if since is None else since) - _SLACK),
    }
    if "size" in (detail.get("arrayProperties") or {}):
        yield from _pages(backend, {**request, "logStreamNamePrefix": beginning_of(detail)})
        return
    for stream in streams_of(detail):
        yield from _pages(backend, {**request, "logStreamNames": [stream]})


def beginning_of(detail: Detail) -> str:
    """What the names of all streams of an array's children begin with."""
    configuration = (detail.get("container") or {}).get("logConfiguration") or {}
    prefix = (configuration.get("options") or {}).get("awslogs-stream-prefix")
    return f"{prefix or detail['jobDefinition'].rpartition('/')[2].partition(':')[0]}/"


def _pages(backend: Backend, request: Mapping[str, Any]) -> Iterator[Note]:
    """Every note that FilterLogEvents finds; none in a stream that is not there yet."""
    token: dict[str, str] = {}
    while True:
        try:
            page = backend.logs.filter_log_events(**request, **token)
        except backend.logs.exceptions.ResourceNotFoundException:
            return
        for event in page["events"]:
            note = split_line(event["message"])[1]
            if note is not None:
                yield note
        if not page.get("nextToken"):
            return
        token = {"nextToken": page["nextToken"]}
