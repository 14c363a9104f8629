"""A job's log as text: what is there, and what comes while it runs.

Every attempt has a stream of its own; a reader goes through them in order and never shows a line
twice. On the local backend a follower sleeps until the daemon says that the stream has grown; on AWS
it looks again every now and then.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, Self

from nbbatch.client.backend import Backend
from nbbatch.client.handles.outcome import Detail
from nbbatch.client.notes import Note, Sieve, without_notes
from nbbatch.client.watch import StreamWatch, Watch, watcher_of
from nbbatch.errors import NbbatchError
from nbbatch.model.jobs import TERMINAL

LOG_GROUP = "/aws/batch/job"
LOOK_AGAIN = 1.0
"""Seconds between two looks at a stream of which nobody tells when it grows, or that has half a line."""
_SHORT = 2000
_PAGE = 10_000
"""Lines in a page, at most: GetLogEvents allows no more."""
GATHER = 0.03
"""Seconds in which lines are gathered before a follower shows them: nobody reads faster."""


def streams_of(detail: Detail) -> list[str]:
    """Log streams of a job's attempts, oldest first; those that never ran have none."""
    containers = [attempt.get("container") or {} for attempt in detail.get("attempts") or ()]
    names = [one.get("logStreamName") for one in [*containers, detail.get("container") or {}]]
    return list(dict.fromkeys(name for name in names if name))


def group_of(detail: Detail) -> str:
    """Log group of a job: its definition's, else AWS Batch's own."""
    settings = (detail.get("container") or {}).get("logConfiguration") or {}
    return str((settings.get("options") or {}).get("awslogs-group") or LOG_GROUP)


def tail(backend: Backend, detail: Detail, lines: int) -> str:
    """The last lines of the last attempt's log; empty where it has none."""
    streams = streams_of(detail)
    if not streams:
        return ""
    found, shown = _Backwards(backend, group_of(detail), streams[-1]), list[str]()
    while len(shown) <= lines and found.more(lines + 1):  # the first one may be the end of a broken line
        shown = without_notes(found.lines)
    return "\n".join(shown[-lines:])


@dataclass(slots=True)
class _Backwards:
    """Reads a stream from its end, as far as it is needed: lines with notes do not count."""

    backend: Backend
    group: str
    stream: str
    lines: list[str] = field(default_factory=list, init=False)
    _token: str | None = field(default=None, init=False)

    def more(self, wanted: int) -> bool:
        """Put the lines before those read so far in front of them; False when there are none."""
        wanted = min(wanted, _PAGE)
        given = {"nextToken": self._token} if self._token else {"startFromHead": False}
        many = wanted if self._token is None else max(wanted, _SHORT)
        page, _, self._token = _page(self.backend, self.group, self.stream, limit=many, **given)
        self.lines[:0] = page
        return bool(page)


@dataclass(slots=True)
class StreamReader:
    """Reads one stream from its beginning, or from `since` (epoch ms), each line once."""

    backend: Backend
    stream: str
    group: str = LOG_GROUP
    since: int | None = None
    token: str | None = field(default=None, init=False)
    _sieve: Sieve = field(default_factory=Sieve, init=False)

    def read(self, *, is_over: bool = False) -> list[str]:
        """Lines that came since the last call, without notes; at the end also one that never ended."""
        lines = self._sieve.shown(self._read())
        return [*lines, *self._sieve.rest()] if is_over else lines

    def take_notes(self) -> list[Note]:
        """Notes that came since the last call."""
        notes, self._sieve.notes = self._sieve.notes, []
        return notes

    def _read(self) -> list[str]:
        lines: list[str] = []
        while True:
            given: dict[str, object] = {"nextToken": self.token} if self.token else {}
            given |= {} if self.since is None else {"startTime": self.since}
            page, token, _ = _page(self.backend, self.group, self.stream, startFromHead=True, **given)
            lines += page
            is_last = token is None or token == self.token or self._is_short(page)
            self.token = token or self.token
            if is_last:
                return lines

    def _is_short(self, page: list[str]) -> bool:
        """Whether the daemon had nothing more to say; CloudWatch's pages may be short in between."""
        return self.backend.tells_changes and len(page) < _SHORT and sum(map(len, page)) < _SHORT * 64

    @property
    def seen(self) -> int:
        """Bytes of the stream behind the reader, by the local daemon's token."""
        return _offset(self.token)


def read_lines(
    backend: Backend, detail: Detail, streams: Iterable[str], *, since: int | None = None
) -> list[str]:
    """All lines of these of a job's streams by now, without notes, or those from `since` (epoch ms) on."""
    readers = [StreamReader(backend, stream, group_of(detail), since) for stream in streams]
    return [line for reader in readers for line in reader.read(is_over=True)]


def _page(
    backend: Backend, group: str, stream: str, **how: object
) -> tuple[list[str], str | None, str | None]:
    """Lines of one page, and the tokens of the next and the one before; nothing where there is no stream yet."""
    with backend.errors():
        try:
            page = backend.logs.get_log_events(logGroupName=group, logStreamName=stream, **how)
        except backend.logs.exceptions.ResourceNotFoundException:
            return [], None, None
    lines = [event["message"] for event in page["events"]]
    return lines, page.get("nextForwardToken"), page.get("nextBackwardToken")


def _offset(token: str | None) -> int:
    digits = "".join(letter for letter in (token or "") if letter.isdigit())
    return int(digits or 0)


class Following(Protocol):
    """What a follower needs of a handle."""

    id: str

    @property
    def backend(self) -> Backend:
        """Where the job is."""
        ...


class LogReader:
    """Reads all attempts' logs of a job in order, each line once, from the caller's thread.

    Parameters
    ----------
    job : Job
        A handle; its changes are told by the shared watcher until `close()`.
    since : int, optional
        Epoch ms: older lines are left out.
    """

    def __init__(self, job: Following, *, since: int | None = None) -> None:
        self._backend = job.backend
        self._since = since
        self._watcher = watcher_of(self._backend)
        self._news = threading.Condition()
        self._detail: Detail | None = None
        self._error: NbbatchError | None = None
        self._is_news = False
        self._has_grown = self._was_fruitless = False
        self._readers: dict[str, StreamReader] = {}
        self._notes: list[Note] = []
        self._watch: Watch = self._watcher.watch(job.id, self)

    def on_change(self, detail: Detail) -> None:
        """The job changed (called by the watcher)."""
        self._ring(detail=detail)

    def on_failure(self, error: NbbatchError) -> None:
        """The job cannot be watched (called by the watcher)."""
        self._ring(error=error)

    def read(self) -> list[str]:
        """Lines that came since the last call, without waiting."""
        with self._news:
            detail, self._is_news = self._detail or {}, False
            has_grown, self._has_grown = self._has_grown, False
            is_over = self.is_over
        lines, streams, told = [], streams_of(detail), len(self._notes)
        for stream in streams:
            fresh = StreamReader(self._backend, stream, group_of(detail), self._since)
            reader = self._readers.setdefault(stream, fresh)
            lines += reader.read(is_over=is_over or stream != streams[-1])
            self._notes += reader.take_notes()
        self._was_fruitless = has_grown and not lines and len(self._notes) == told
        return lines

    def take_notes(self) -> list[Note]:
        """Notes among what was read since the last call."""
        notes, self._notes = self._notes, []
        return notes

    @property
    def is_over(self) -> bool:
        """Whether the job has ended, so that nothing comes after the next `read`."""
        return self._error is not None or (self._detail or {}).get("status") in TERMINAL

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the job changed or its log grew since the last `read`.

        Returns
        -------
        bool
            False when the time was up first.
        """
        watch = self._watch_stream()
        pause = timeout
        if watch is None and self._readers and not self.is_over:
            pause = LOOK_AGAIN if timeout is None else min(LOOK_AGAIN, timeout)
        try:
            with self._news:
                return self._news.wait_for(lambda: self._is_news, pause)
        finally:
            if watch is not None:
                self._watcher.forget_stream(watch)

    def follow(self, *, tail: int | None = None) -> Iterator[str]:
        """Lines as they come, until the job has ended; of those already there only the last `tail`.

        Raises
        ------
        NbbatchError
            When the job cannot be watched any more.
        """
        is_last = False
        self.wait()
        while not is_last:
            is_last = self.is_over
            lines = self.read()
            yield from lines if tail is None else lines[max(0, len(lines) - tail) :]
            tail = None
            if not is_last:
                self.wait()
                self._gather()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Lose interest."""
        self._watch.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _gather(self) -> None:
        """Let a fast writer write a little more; the end of the job is not waited for."""
        with self._news:
            self._news.wait_for(lambda: self.is_over, GATHER)

    def _grow(self) -> None:
        with self._news:
            self._has_grown = self._is_news = True
            self._news.notify_all()

    def _ring(self, *, detail: Detail | None = None, error: NbbatchError | None = None) -> None:
        with self._news:
            self._detail = detail or self._detail
            self._error = error or self._error
            self._is_news = True
            self._news.notify_all()

    def _watch_stream(self) -> StreamWatch | None:
        """Ask to be woken when the newest stream grows."""
        if not self._backend.tells_changes or not self._readers or self.is_over or self._was_fruitless:
            return None
        newest = list(self._readers.values())[-1]
        watch = StreamWatch(stream=newest.stream, seen=newest.seen, wake=self._grow)
        self._watcher.watch_stream(watch)
        return watch
