"""A job's log by pages, one attempt at a time, and waiting for a line that comes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from nbbatch.client.backend import Backend
from nbbatch.client.handles.handle import describe
from nbbatch.client.handles.outcome import Detail
from nbbatch.client.logs import group_of, streams_of
from nbbatch.client.notes import split_line
from nbbatch.client.watch import StreamWatch, watcher_of
from nbbatch.errors import NbbatchError, OptionError
from nbbatch.jupyter.routes.asked import Asked
from nbbatch.jupyter.routes.follow import Ear
from nbbatch.jupyter.routes.listing import LONGEST_WAIT
from nbbatch.jupyter.routes.problems import NotFoundError, at
from nbbatch.jupyter.routes.shapes_job import LogLine, LogPage
from nbbatch.model.jobs import TERMINAL

MOST_LINES = 10_000
_LINES = 1000
_LOOK_AGAIN = 1.0


async def logs(asked: Asked) -> LogPage:
    """GET `jobs/<id>/logs`."""
    wait = asked.number("wait", 0.0, lowest=0, highest=LONGEST_WAIT)
    limit = int(asked.number("limit", _LINES, lowest=1, highest=MOST_LINES))
    attempt = int(asked.number("attempt", 0, lowest=1, highest=1000))
    is_head, token = asked.flag("head"), asked.query.get("page", "")
    with at("page"):
        attempt, token = _read_token(token) if token else (attempt, "")
    backend, deadline = asked.lane.backend, time.monotonic() + wait

    def read() -> _Found:
        return read_page(describe(backend, asked.target), backend, attempt, token, limit, is_head=is_head)

    while True:
        found = await asked.lane.run(asked.folder, read)
        left = deadline - time.monotonic()
        if found.page.lines or found.page.is_over or left <= 0:
            return found.page
        with _woken(backend, asked.target, found) as ear:
            await ear.wait(left if backend.tells_changes else min(left, _LOOK_AGAIN))
            if ear.error is not None:
                raise ear.error


class _Found(NamedTuple):
    """A page, and the stream it is of; empty where there is none yet."""

    page: LogPage
    stream: str


def read_page(
    told: Detail, backend: Backend, attempt: int, token: str, limit: int, *, is_head: bool
) -> _Found:
    """One page of an attempt's log.

    Parameters
    ----------
    attempt : int
        From 1; 0 is the last one.
    token : str
        CloudWatch's; empty for the first page, which is the end unless `is_head`.
    """
    if "size" in (told.get("arrayProperties") or {}):
        raise OptionError(
            "An array has no log of its own.", cure="Ask for that of a child: jobs/<id>:<index>."
        )
    streams, is_done = streams_of(told), told["status"] in TERMINAL
    if not streams:
        return _Found(LogPage(lines=[], is_over=is_done), "")
    number = attempt or len(streams)
    if number > len(streams):
        with at("attempt"):
            raise NotFoundError(f"The job has no log of an attempt {number}.", cure=f"It has {len(streams)}.")
    how: dict[str, Any] = {"nextToken": token} if token else {}
    how |= {"limit": limit, "startFromHead": is_head or bool(token)}
    stream = streams[number - 1]
    reply = _ask(backend, group_of(told), stream, how)
    forward = reply.get("nextForwardToken", "")
    is_tail = not token.startswith("f/") and len(reply["events"]) < limit
    backward = _before(backend, group_of(told), stream, reply) if is_tail else reply["nextBackwardToken"]
    lines = [line for event in reply["events"] if (line := _line(event)) is not None]
    is_over = is_done or number < len(streams)
    found = LogPage(
        lines=lines,
        forward=f"{number}~{forward}" if forward else "",
        backward=f"{number}~{backward}" if reply["events"] and backward else "",
        attempt=number,
        attempts=len(streams),
        is_over=is_over and (not reply["events"] or not (token or is_head)),
    )
    return _Found(found, stream)


def _ask(backend: Backend, group: str, stream: str, how: dict[str, Any]) -> Any:
    with backend.errors():
        try:
            return backend.logs.get_log_events(logGroupName=group, logStreamName=stream, **how)
        except backend.logs.exceptions.ResourceNotFoundException:
            return {"events": []}


def _before(backend: Backend, group: str, stream: str, reply: Any) -> str:
    """Token of what was before a page that is not full; empty at the beginning, which only another look tells."""
    token = reply.get("nextBackwardToken", "")
    if not (reply["events"] and token):
        return ""
    before = _ask(backend, group, stream, {"nextToken": token, "limit": 1, "startFromHead": True})
    is_beginning = not before["events"] and before.get("nextBackwardToken") == token
    return "" if is_beginning else str(token)


def _line(event: Any) -> LogLine | None:
    """A line as it is shown: nbbatch's own notes are none."""
    text, note = split_line(event["message"])
    if note is not None and not text:
        return None
    return LogLine(time=int(event["timestamp"]), text=event["message"] if note is None else text)


def _read_token(token: str) -> tuple[int, str]:
    number, mark, rest = token.partition("~")
    if not (mark and number.isdecimal() and rest and len(token) < 1000 and number != "0"):  # noqa: PLR2004
        raise OptionError(f"page: {token[:60]!r} is not one that an earlier page gave.")
    return int(number[:6]), rest


class _Changes:
    """Rings when the job has another log, or has ended: a listener of the shared watcher."""

    def __init__(self, ear: Ear, known: LogPage) -> None:
        self._ear = ear
        self._known = known

    def on_change(self, detail: Detail) -> None:
        """Told on the watcher's thread."""
        if detail["status"] in TERMINAL or len(streams_of(detail)) > self._known.attempts:
            self._ear.ring()

    def on_failure(self, error: NbbatchError) -> None:
        """The job cannot be watched any more."""
        self._ear.ring(error)


@contextmanager
def _woken(backend: Backend, job_id: str, found: _Found) -> Iterator[Ear]:
    """An ear that the process's shared watcher rings when the log grows or the job changes."""
    ear, watcher = Ear(is_hidden=False), watcher_of(backend)
    watch = watcher.watch(job_id, _Changes(ear, found.page))
    grown = None
    if backend.tells_changes and found.stream:
        grown = StreamWatch(stream=found.stream, seen=_seen(found.page), wake=ear.ring)
        watcher.watch_stream(grown)
    try:
        yield ear
    finally:
        watch.close()
        if grown is not None:
            watcher.forget_stream(grown)


def _seen(page: LogPage) -> int:
    """Bytes of the stream up to here, by the daemon's token."""
    digits = "".join(filter(str.isdigit, page.forward.partition("~")[2]))
    return int(digits or 0)
