"""Log streams on disk, and GetLogEvents' pages of them.

A stream is one file of the raw bytes that an attempt wrote; a line is an event. Tokens are byte
offsets: `f/<offset>` goes on behind it, `b/<offset>` goes back before it. Files hold no times, so
each look at a growing stream notes how long it was when it was last written to (beside the file, at
most once a second); a line's time is interpolated between the notes around it and never runs
backwards. Lines that are empty are kept, unlike in CloudWatch: a notebook shows them.
"""

from __future__ import annotations

import logging
import os
import time
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nbbatch.daemon.ports import LogEvent, LogPage
from nbbatch.errors import ClientException, UnknownNameError

MOST_EVENTS = 10_000
MOST_BYTES = 1 << 20
LONGEST_LINE = 256 << 10
"""CloudWatch Logs' quotas: events and bytes of a page, bytes of an event."""

_NOTE_EVERY_MS = 1000
_LONGEST_PART = 240
_REMEMBERED = 4096
_log = logging.getLogger(__name__)

Note = tuple[int, int]
"""A length in bytes and the epoch ms at which the stream had it."""

Span = tuple[int, int]
"""Where a line begins and where the next one does."""


@dataclass(frozen=True, slots=True)
class _Window:
    """The stretch of a stream that a request may see, and its times."""

    descriptor: int
    start: int
    end: int
    notes: tuple[Note, ...]

    def read(self, start: int, end: int) -> bytes:
        return os.pread(self.descriptor, end - start, start)

    def time_at(self, offset: int) -> tuple[int, int]:
        """When the byte before this offset was written, and when it was seen at the latest."""
        place = bisect_left(self.notes, (offset, 0))
        if place == 0:
            return self.notes[0][1], self.notes[0][1]
        if place == len(self.notes):
            return self.notes[-1][1], self.notes[-1][1]
        (low, before), (high, after) = self.notes[place - 1], self.notes[place]
        return before + (after - before) * (offset - low) // (high - low), after

    def offset_at(self, moment: int) -> int:
        """Bytes before this offset were written before this moment, to within one line."""
        place = next((number for number, note in enumerate(self.notes) if note[1] >= moment), None)
        if place is None:
            return self.notes[-1][0]
        if place == 0:
            return 0
        (low, before), (high, after) = self.notes[place - 1], self.notes[place]
        return low + (high - low) * (moment - before) // (after - before)


class LogStore:
    """The streams of one daemon.

    Parameters
    ----------
    folder : Path
        Holds `<stream>.log`, and `<stream>.times` for its notes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: set[str] = set()
        self._notes: OrderedDict[str, list[Note]] = OrderedDict()

    @property
    def folder(self) -> Path:
        """Where the streams are."""
        return self._folder

    def path(self, stream: str) -> str:
        """Absolute path of the file behind a stream; its folder exists afterwards.

        Raises
        ------
        ClientException
            When the name is not one of a stream.
        """
        path = self._path(stream)
        parent = path.rpartition("/")[0]
        if parent not in self._made:
            _make_private(Path(parent))
            self._made.add(parent)
        if stream not in self._notes and not Path(path).exists():
            self._keep(stream, [(0, time.time_ns() // 1_000_000)])
        return path

    def size(self, stream: str) -> int:
        """Bytes written so far; 0 when nothing was written yet."""
        try:
            status = Path(self._path(stream)).stat()
        except FileNotFoundError:
            return 0
        self._note(stream, status)
        return status.st_size

    def page(
        self,
        stream: str,
        *,
        token: str | None = None,
        start_from_head: bool = False,
        limit: int = MOST_EVENTS,
        start_time: int | None = None,
        end_time: int | None = None,
        is_complete: bool = True,
        started_at: int | None = None,
    ) -> LogPage:
        """Lines of a stream, oldest first, as GetLogEvents returns them.

        Parameters
        ----------
        stream : str
            Its name.
        token : str, optional
            `f/<offset>` or `b/<offset>` of an earlier page; it tells the direction.
        start_from_head : bool
            Without a token: the first lines, not the last ones.
        limit : int
            At most so many lines, 1..10,000; never more than 1 MiB.
        start_time, end_time : int, optional
            Epoch ms; lines from `start_time` on and before `end_time`.
        is_complete : bool
            Whether nothing more will be written. Until then a last line without its end is held back.
        started_at : int, optional
            Epoch ms at which its attempt started, where the caller knows.

        Returns
        -------
        LogPage
            `end` is where the next forward token stands, `start` where the next backward one does.

        Raises
        ------
        UnknownNameError
            When there is no such stream.
        ClientException
            When the name or the token is malformed.
        """
        with self._opened(stream) as descriptor:
            status = os.fstat(descriptor)
            notes = self._note(stream, status, started_at)
            window = _Window(descriptor, 0, status.st_size, _with_last(notes, status))
            window = _in_time(window, start_time, end_time)
            return _page(
                window,
                token=_parse_token(token, status.st_size),
                forward=start_from_head,
                limit=max(1, min(limit, MOST_EVENTS)),
                is_complete=is_complete or window.end < status.st_size,
                times=(start_time, end_time),
            )

    def times(self, stream: str) -> tuple[int, int, int]:
        """When a stream was empty and when it was last written to, in epoch ms, and its bytes.

        Raises
        ------
        UnknownNameError
            When there is no such stream.
        """
        try:
            status = Path(self._path(stream)).stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UnknownNameError("The specified log stream does not exist.") from error
        return self._note(stream, status)[0][1], _written_at(status), status.st_size

    def lines(
        self, stream: str, *, offset: int | None, since: int | None, most_bytes: int, is_complete: bool
    ) -> tuple[list[LogEvent], int]:
        """Some lines, oldest first, and the offset behind them, which repeats itself at the end.

        Parameters
        ----------
        offset : int or None
            Begin there; None begins near the first line that was written at `since` or later.
        since : int or None
            Epoch ms; from the start when None.
        most_bytes : int
            How much to read; a line that is longer is read all the same.
        is_complete : bool
            As for `page`.
        """
        with self._opened(stream) as descriptor:
            status = os.fstat(descriptor)
            notes = _with_last(self._note(stream, status), status)
            window = _Window(descriptor, 0, status.st_size, notes)
            start = _in_time(window, since, None).start if offset is None else offset
            spans: list[Span] = []
            for most in (most_bytes, MOST_BYTES):
                spans = spans or list(
                    _forward(window, start, MOST_EVENTS, is_complete=is_complete, most_bytes=most)
                )
            end = spans[-1][1] if spans else start
            data = window.read(start, end)
        return [_event(window, data, start, span) for span in spans], end

    @contextmanager
    def _opened(self, stream: str) -> Iterator[int]:
        try:
            descriptor = os.open(self._path(stream), os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise UnknownNameError("The specified log stream does not exist.") from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _path(self, stream: str) -> str:
        if not is_stream_name(stream):
            raise ClientException(f"Log stream name {stream!r} should match a valid pattern.")
        return f"{self._folder}/{stream}.log"

    def _note(self, stream: str, status: os.stat_result, started_at: int | None = None) -> list[Note]:
        """Note a length that is new, and when the stream got it."""
        notes = self._known_notes(stream, started_at, _written_at(status))
        length, noted_at = notes[-1]
        if status.st_size > length and _written_at(status) >= noted_at + _NOTE_EVERY_MS:
            note = (status.st_size, _written_at(status))
            try:
                _append_note(self._path(stream), notes, note)
            except OSError as error:
                _log.warning("Times of a log stream could not be noted: %s", error)
            notes.append(note)
        return notes

    def _known_notes(self, stream: str, started_at: int | None, written_at: int) -> list[Note]:
        """Notes of a stream; the first one tells when it was empty."""
        notes = self._notes.get(stream)
        if notes is None:
            born = written_at if started_at is None else min(started_at, written_at)
            notes = _read_notes(self._path(stream)) or [(0, born)]
        self._keep(stream, notes)
        return notes

    def _keep(self, stream: str, notes: list[Note]) -> None:
        self._notes[stream] = notes
        self._notes.move_to_end(stream)
        if len(self._notes) > _REMEMBERED:
            self._notes.popitem(last=False)


def is_stream_name(name: str) -> bool:
    """Whether a name, or its beginning up to a slash, stays in the folder of the streams."""
    return "\0" not in name and all(_is_plain(part) for part in name.split("/"))


def _is_plain(part: str) -> bool:
    return part not in ("", ".", "..") and len(os.fsencode(part)) <= _LONGEST_PART


def _page(
    window: _Window,
    *,
    token: tuple[str, int] | None,
    forward: bool,
    limit: int,
    is_complete: bool,
    times: tuple[int | None, int | None],
) -> LogPage:
    direction, offset = token or (("f", window.start) if forward else ("b", window.end))
    if direction == "f":
        start = max(offset, window.start)
        spans = list(_forward(window, start, limit, is_complete=is_complete))
        end = spans[-1][1] if spans else start
    else:
        end = _last_line_end(window, min(offset, window.end), is_complete=is_complete)
        spans = _backward(window, end, limit)
        start = spans[0][0] if spans else end
    data = window.read(start, end)
    events = (_event(window, data, start, span) for span in spans)
    first, last = times
    kept = (
        event
        for event in events
        if (first is None or event.timestamp >= first) and (last is None or event.timestamp < last)
    )
    return LogPage(events=tuple(kept), start=start, end=end)


def _event(window: _Window, data: bytes, start: int, span: Span) -> LogEvent:
    """The line of a span in data that was read from `start` on."""
    low, high = span
    written, seen = window.time_at(high)
    text = data[low - start : high - start].removesuffix(b"\n").decode("utf-8", errors="replace")
    return LogEvent(timestamp=written, message=text, ingestion_time=seen, offset=low)


def _forward(
    window: _Window, start: int, limit: int, *, is_complete: bool, most_bytes: int = MOST_BYTES
) -> Iterator[Span]:
    """Lines from `start` on that make a page; a line that is too long comes in pieces."""
    data = window.read(start, min(window.end, start + most_bytes))
    reaches_end = start + len(data) >= window.end
    low = 0
    for _ in range(limit):
        high = data.find(b"\n", low, low + LONGEST_LINE) + 1
        if not high and low + LONGEST_LINE < len(data):
            high = _whole_characters(data, low, low + LONGEST_LINE)
        if not high:
            high = len(data)
            is_line = (reaches_end and is_complete) or high - low >= LONGEST_LINE
            if low == high or not is_line:
                return
        yield start + low, start + high
        low = high


def _backward(window: _Window, end: int, limit: int) -> list[Span]:
    """The last lines before `end` that make a page, oldest first."""
    floor = max(window.start, end - MOST_BYTES)
    data = window.read(floor, end)
    spans: list[Span] = []
    high = len(data)
    while high > 0 and len(spans) < limit:
        low = data.rfind(b"\n", 0, high - 1) + 1
        if low == 0 and floor > window.start and spans:
            break
        if high - low > LONGEST_LINE:
            low += (high - low - 1) // LONGEST_LINE * LONGEST_LINE
            low = _whole_characters(data, 0, low)
        spans.append((floor + low, floor + high))
        high = low
    return spans[::-1]


def _last_line_end(window: _Window, end: int, *, is_complete: bool) -> int:
    """Where the lines before `end` end that may be shown."""
    if is_complete or end <= window.start:
        return max(end, window.start)
    floor = max(window.start, end - LONGEST_LINE)
    newline = window.read(floor, end).rfind(b"\n")
    return floor + newline + 1 if newline >= 0 or floor == window.start else end


def _whole_characters(data: bytes, low: int, high: int) -> int:
    """The last place up to `high` that does not cut a UTF-8 character; `high` if there is none near."""
    for place in range(high, max(low, high - 4), -1):
        if place >= len(data) or data[place] & 0xC0 != 0x80:  # noqa: PLR2004 - a continuation byte of UTF-8
            return place
    return high


def _in_time(window: _Window, start_time: int | None, end_time: int | None) -> _Window:
    """The whole lines around a stretch of time."""
    start, end = window.start, window.end
    if start_time is not None:
        start = _line_start(window, window.offset_at(start_time))
    if end_time is not None:
        end = _line_end(window, window.offset_at(end_time))
    return _Window(window.descriptor, start, max(start, end), window.notes)


def _line_start(window: _Window, offset: int) -> int:
    floor = max(0, offset - LONGEST_LINE)
    return floor + window.read(floor, max(floor, offset - 1)).rfind(b"\n") + 1


def _line_end(window: _Window, offset: int) -> int:
    found = window.read(offset, min(window.end, offset + LONGEST_LINE)).find(b"\n")
    return min(window.end, offset + LONGEST_LINE) if found < 0 else offset + found + 1


def _parse_token(token: str | None, size: int) -> tuple[str, int] | None:
    if token is None:
        return None
    direction, slash, offset = token.partition("/")
    if direction not in ("f", "b") or not slash or not (offset.isascii() and offset.isdigit()):
        raise ClientException("The specified nextToken is invalid.")
    return direction, min(int(offset), size)


def _with_last(notes: list[Note], status: os.stat_result) -> tuple[Note, ...]:
    """The notes and the length now; times made monotonic."""
    points = [*notes, (status.st_size, _written_at(status))]
    kept = [points[0]]
    for length, moment in points[1:]:
        if length > kept[-1][0]:
            kept.append((length, max(moment, kept[-1][1])))
    return tuple(kept)


def _written_at(status: os.stat_result) -> int:
    return status.st_mtime_ns // 1_000_000


def _read_notes(path: str) -> list[Note]:
    """Notes beside a stream's file; a last one that a crash cut off is left out."""
    try:
        text = Path(_notes_path(path)).read_text(encoding="ascii")
    except FileNotFoundError:
        return []
    rows = [line.split() for line in text.splitlines(keepends=True) if line.endswith("\n")]
    return [(int(row[0]), int(row[1])) for row in rows]


def _append_note(path: str, known: list[Note], note: Note) -> None:
    """Write a note; with the first one, when the stream was empty."""
    new = [*known, note] if len(known) == 1 else [note]
    descriptor = os.open(_notes_path(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, "".join(f"{length} {moment}\n" for length, moment in new).encode("ascii"))
    finally:
        os.close(descriptor)


def _notes_path(path: str) -> str:
    return path.removesuffix(".log") + ".times"


def _make_private(folder: Path) -> None:
    """Make a folder and those above it that are missing, for their owner only."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
