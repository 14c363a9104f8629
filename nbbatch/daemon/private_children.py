"""Private route `children`: all children of an array in one answer, as columns.

ListJobs tells a thousand children a call, with some 400 bytes each; a picture of an array needs where
each child is and when its attempts ran, and nothing more. Ends that are alike are told once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import msgspec

from nbbatch.daemon.loop import Loop
from nbbatch.daemon.private import Route, read_body
from nbbatch.daemon.store import Store
from nbbatch.errors import ClientException
from nbbatch.model.jobs import JobId, JobStatus, Run
from nbbatch.scheduler.state import CODE
from nbbatch.wire.encode_container import Json

_STRETCH = 1000
"""Rows that are read at once: ten milliseconds."""
_FAILED = CODE[JobStatus.FAILED]


class _ArrayRequest(msgspec.Struct, rename="camel"):
    job_id: str


class ChildrenRoutes:
    """Answers of the routes about an array's children."""

    def __init__(self, loop: Loop, store: Store) -> None:
        self._loop = loop
        self._store = store

    @property
    def routes(self) -> Mapping[str, Route]:
        """By name."""
        return {"children": self.children}

    async def children(self, body: Any) -> Json:
        """Status of each child, its attempts and how it failed.

        `statuses` has a digit for each child by index, its place among the seven statuses. `attempts`
        has columns: `index`, `startedAt` and `stoppedAt` (epoch ms, null where not), `host` (place in
        `hosts`, -1 for none) and `isLost`. `failed` has `index`, `stoppedAt` and `end` (place in `ends`,
        which have the members of a JobSummary that say how).
        """
        job_id = JobId(read_body(_ArrayRequest, body).job_id)
        live = self._loop.state.jobs.get(job_id)
        if live is not None and live.children is not None:
            statuses = bytearray(live.children.statuses)
            runs = dict(live.children.runs)
        else:
            parent = self._store.find([job_id]).get(job_id)
            if parent is None or parent.counts is None:
                raise ClientException(f"jobId: there is no array job {job_id}.")
            statuses, runs = bytearray([_FAILED]) * sum(parent.counts.values()), {}
        async for index, run in self._rows(job_id):
            if index not in runs:
                runs[index] = run
                statuses[index] = CODE[run.status]
        return {"jobId": job_id, "statuses": "".join(map(str, statuses)), **_columns(sorted(runs.items()))}

    async def _rows(self, job_id: JobId) -> AsyncIterator[tuple[int, Run]]:
        """Children that have rows; between two stretches others get their turn."""
        last = -1
        while True:
            views = self._store.children(job_id, after_index=last, limit=_STRETCH)
            for view in views:
                if view.index is not None:
                    last = view.index
                    yield view.index, view.run
            if len(views) < _STRETCH:
                return
            await asyncio.sleep(0)


def _columns(runs: Iterable[tuple[int, Run]]) -> Json:
    hosts: dict[str, int] = {}
    ends: dict[tuple[Any, ...], int] = {}
    attempts: Json = {"index": [], "startedAt": [], "stoppedAt": [], "host": [], "isLost": []}
    failed: Json = {"index": [], "stoppedAt": [], "end": []}
    for index, run in runs:
        for host, started, stopped, is_lost in _attempts(run):
            place = -1 if host is None else hosts.setdefault(host, len(hosts))
            for column, value in zip(
                attempts.values(), (index, started, stopped, place, is_lost), strict=True
            ):
                column.append(value)
        if run.status is JobStatus.FAILED:
            end = ends.setdefault(_end(run), len(ends))
            for column, value in zip(failed.values(), (index, run.stopped_at, end), strict=True):
                column.append(value)
    return {
        "attempts": attempts,
        "failed": failed,
        "hosts": list(hosts),
        "ends": [_told(end) for end in ends],
    }


def _attempts(run: Run) -> Iterable[tuple[str | None, int | None, int | None, bool]]:
    """Host, start, stop, and whether the host was lost, of each attempt that began to run."""
    for one in run.attempts:
        if one.started_at is not None:
            yield one.host, one.started_at, one.stopped_at, one.is_lost
    if run.status is JobStatus.RUNNING and run.started_at is not None:
        yield run.host, run.started_at, None, False


def _end(run: Run) -> tuple[Any, ...]:
    last = run.attempts[-1] if run.attempts else None
    return (
        run.status_reason,
        None if last is None else last.exit_code,
        None if last is None else last.reason,
        last is not None and last.started_at is not None,
        run.is_cancelled,
        run.is_terminated,
    )


def _told(end: tuple[Any, ...]) -> Json:
    """As JobSummary tells it; `startedAt` only says that it began."""
    reason, code, container_reason, has_begun, is_cancelled, is_terminated = end
    container = {"exitCode": code, "reason": container_reason}
    told = {
        "status": JobStatus.FAILED,
        "statusReason": reason,
        "container": {name: value for name, value in container.items() if value is not None},
        "startedAt": 0 if has_begun else None,
        "isCancelled": is_cancelled,
        "isTerminated": is_terminated,
    }
    return {name: value for name, value in told.items() if value is not None}
