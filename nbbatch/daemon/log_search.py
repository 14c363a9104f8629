"""FilterLogEvents: the lines of many streams as one, by time, a bounded piece of work at a time.

Lines are in order of (time, stream, offset), and a page's position is its last line in that order, so
a token stays small however many streams there are. A stream is opened only when its time has come,
and only a piece of it is in memory. A page ends early when enough was looked at, as CloudWatch's do;
between pieces other requests have their turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heapreplace
from typing import NamedTuple

from nbbatch.daemon.logs import MOST_BYTES, LogStore
from nbbatch.daemon.ports import LogEvent
from nbbatch.errors import UnknownNameError
from nbbatch.wire.filter_pattern import Matcher

MOST_LOOKED_AT = 16 << 20
"""Bytes that are read for one page."""
_IN_MEMORY = 32 << 20
_PIECE = (16 << 10, 1 << 20)
"""Least and most bytes that are read of a stream at once."""
_YIELD_EVERY = 64
"""Streams looked at before others have their turn."""
_EVENT_OVERHEAD = 26
"""What CloudWatch counts for an event besides its bytes (quotas of PutLogEvents)."""


class Place(NamedTuple):
    """Where a line stands among the lines of all streams."""

    timestamp: int
    stream: str
    offset: int


class Found(NamedTuple):
    """A line that matches."""

    stream: str
    event: LogEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is looked for: epoch ms, lines from `start` on and before `end`; at most `limit` lines."""

    matches: Matcher
    start: int | None = None
    end: int | None = None
    limit: int = 10_000


@dataclass(slots=True)
class _Stream:
    """A stream under the reading: a piece of its lines, and where the next piece begins."""

    name: str
    is_complete: bool
    offset: int | None = None
    lines: list[LogEvent] = field(default_factory=list)
    next: int = 0


async def search(
    logs: LogStore, names: Iterable[str], asked: Search, after: Place | None, may_grow: Callable[[str], bool]
) -> tuple[list[Found], Place | None]:
    """One page of matching lines.

    Parameters
    ----------
    names : iterable of str
        Streams to look at; one that is gone meanwhile is left out.
    after : Place or None
        Go on behind this line.
    may_grow : callable
        Whether a stream's last line may be unfinished.

    Returns
    -------
    tuple of (list of Found, Place or None)
        The page, and where the next one begins; None when everything was looked at.
    """
    since = max((at for at in (asked.start, after and after.timestamp) if at is not None), default=None)
    heap = await _candidates(logs, names, since, asked.end)
    piece = max(_PIECE[0], min(_PIECE[1], _IN_MEMORY // (len(heap) or 1)))
    reader = _Reader(logs, piece, since, after, may_grow)
    found: list[Found] = []
    size = 0
    while heap:
        at, name, offset = heap[0]
        if asked.end is not None and at >= asked.end:
            return found, None
        line = reader.current(name) if offset >= 0 else None
        if line is not None and asked.matches(line.message):
            length = len(line.message.encode()) + _EVENT_OVERHEAD
            if found and (len(found) == asked.limit or size + length > MOST_BYTES):
                return found, reader.last
            size += length
            found.append(Found(name, line))
        if line is not None:
            reader.last = Place(at, name, offset)
        if reader.read > MOST_LOOKED_AT and reader.last != after and not reader.has_more(name):
            return found, reader.last
        following = reader.following(name)
        if following is None:
            heappop(heap)
        else:
            heapreplace(heap, Place(following.timestamp, name, following.offset))
        if reader.pieces % _YIELD_EVERY == 0 and not reader.has_more(name):
            await asyncio.sleep(0)
    return found, None


class _Reader:
    """Reads pieces of streams as they are needed."""

    def __init__(
        self,
        logs: LogStore,
        piece: int,
        since: int | None,
        after: Place | None,
        may_grow: Callable[[str], bool],
    ) -> None:
        self._logs, self._piece, self._since, self._after = logs, piece, since, after
        self._may_grow = may_grow
        self._streams: dict[str, _Stream] = {}
        self.last = after
        self.read = 0
        self.pieces = 0

    def current(self, name: str) -> LogEvent:
        """The line a stream stands at."""
        stream = self._streams[name]
        return stream.lines[stream.next - 1]

    def has_more(self, name: str) -> bool:
        """Whether the next line of a stream is in memory."""
        stream = self._streams.get(name)
        return stream is not None and stream.next < len(stream.lines)

    def following(self, name: str) -> LogEvent | None:
        """Step to the next line of a stream; None at its end."""
        stream = self._streams.get(name)
        if stream is None:
            offset = self._after.offset if self._after is not None and self._after.stream == name else None
            stream = self._streams[name] = _Stream(name, not self._may_grow(name), offset)
        while True:
            while stream.next < len(stream.lines):
                line = stream.lines[stream.next]
                stream.next += 1
                if self._is_wanted(name, line):
                    return line
            if not self._refill(stream):
                return None

    def _is_wanted(self, name: str, line: LogEvent) -> bool:
        if self._since is not None and line.timestamp < self._since:
            return False
        return self._after is None or Place(line.timestamp, name, line.offset) > self._after

    def _refill(self, stream: _Stream) -> bool:
        try:
            lines, end = self._logs.lines(
                stream.name,
                offset=stream.offset,
                since=self._since,
                most_bytes=self._piece,
                is_complete=stream.is_complete,
            )
        except UnknownNameError:
            return False
        self.pieces += 1
        self.read += end - (lines[0].offset if lines else end)
        stream.lines, stream.next, stream.offset = lines, 0, end
        return bool(lines)


async def _candidates(
    logs: LogStore, names: Iterable[str], since: int | None, end: int | None
) -> list[Place]:
    """Streams with lines in a stretch of time, each at its beginning, before any of its lines."""
    heap = []
    for number, name in enumerate(names):
        if number % _YIELD_EVERY == 0:
            await asyncio.sleep(0)
        try:
            first, last, size = logs.times(name)
        except UnknownNameError:
            continue
        if size and (since is None or last >= since) and (end is None or first < end):
            heap.append(Place(first, name, -1))
    heapify(heap)
    return heap
