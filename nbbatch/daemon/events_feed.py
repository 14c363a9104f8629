"""Status changes as a stream of EventBridge events: read from any place, waited for, filtered.

An event's detail is put together when it is read, from the job's rows and the noted change. A read
is bounded in what it looks at and in what it gives, and says where to go on; an empty answer with a
new cursor is no end. A cursor is `tick.number`; ids of events are made of it, so that who gets an
event twice can tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import md5
from typing import NamedTuple
from uuid import UUID

from nbbatch.daemon.feed_rows import Change, FeedRows, Place, job_sequence_key
from nbbatch.errors import ClientException
from nbbatch.model.arns import Arns
from nbbatch.model.jobs import JobView
from nbbatch.scheduler.transitions import BLOCKED, WHOLE, run_at
from nbbatch.wire.encode_container import Json
from nbbatch.wire.encode_events import encode_event

MOST_EVENTS = 100
"""Events of one answer."""
_MOST_TICKS = 200  # at least 2: the first one may be read to its end already
_MOST_CHANGES = 10_000
"""How much is looked at for one answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events: of a job (an array with its children, or one child), of a queue, or all."""

    job_id: str | None = None
    queue: str | None = None


ALL = Wanted()


class Piece(NamedTuple):
    """Some events, where to go on, whether there is more now, and whether some were gone already."""

    events: list[Json]
    cursor: str
    has_more: bool
    missed: bool


class EventsFeed:
    """The stream of one home.

    Parameters
    ----------
    rows : FeedRows
        What was noted.
    seed : int
        The home's own number: ids of its events differ from another's.
    arns : Arns
        Region and account that events show.
    """

    def __init__(self, rows: FeedRows, seed: int, arns: Arns) -> None:
        self._rows = rows
        self._seed = seed
        self._arns = arns
        self._news = asyncio.Event()
        self._is_closed = False

    def note(self) -> None:
        """Something was committed: wake who waits."""
        self._news.set()
        self._news = asyncio.Event()

    def close(self) -> None:
        """Answer all who wait."""
        self._is_closed = True
        self.note()

    def place_of(self, cursor: str | None, since: int | None = None) -> Place:
        """The place that a question names.

        Parameters
        ----------
        cursor : str or None
            Of an earlier answer; `latest` is behind all that happened; None is the oldest event, or
            the first one at `since` (epoch ms).

        Raises
        ------
        ClientException
            When it is no cursor.
        """
        if cursor is None:
            return self._rows.start() if since is None else self._rows.since(since)
        if cursor == "latest":
            return self._rows.end()
        tick, dot, number = cursor.partition(".")
        if not (dot and tick.isdecimal() and number.isdecimal() and len(cursor) < 30):  # noqa: PLR2004
            raise ClientException(f"cursor: {cursor[:40]!r} is not one that an earlier answer gave.")
        return Place(int(tick), int(number))

    async def wait(
        self, place: Place, wanted: Wanted = ALL, *, limit: int = MOST_EVENTS, seconds: float
    ) -> Piece:
        """Events behind a place; when there are none, the next ones, or none after so long."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            news = self._news
            piece = self.read(place, wanted, limit)
            left = deadline - asyncio.get_running_loop().time()
            if piece.events or piece.has_more or piece.missed or left <= 0 or self._is_closed:
                return piece
            place = self.place_of(piece.cursor)
            await _wait(news, left)

    def read(self, place: Place, wanted: Wanted = ALL, limit: int = MOST_EVENTS) -> Piece:
        """Events behind a place, as many as a bounded look finds."""
        start = self._rows.start()
        missed = place < start and place.tick > 0
        place = max(place, start)
        is_wanted = self._filter(wanted)
        chosen: list[Change] = []
        last, is_cut = place, False
        for number, change in enumerate(self._rows.after(place, _MOST_TICKS), start=1):
            last = change.place
            if is_wanted(change):
                chosen.append(change)
            is_cut = len(chosen) == min(limit, MOST_EVENTS) or number == _MOST_CHANGES
            if is_cut:
                break
        has_more = is_cut or last.tick < self._rows.end().tick - 1
        return Piece(self._encode(chosen), f"{last.tick}.{last.number}", has_more, missed)

    def _filter(self, wanted: Wanted) -> Callable[[Change], bool]:
        tests: list[Callable[[Change], bool]] = []
        if wanted.job_id is not None:
            tests.append(self._of_job(wanted.job_id))
        if wanted.queue is not None:
            tests.append(self._of_queue(wanted.queue))
        return lambda change: all(test(change) for test in tests)

    def _of_job(self, job_id: str) -> Callable[[Change], bool]:
        parent, index = job_sequence_key(job_id)
        sequence = self._rows.sequence(parent)
        if sequence is None:
            raise ClientException(f"jobId: job {job_id} does not exist.")
        return lambda change: change.sequence == sequence and index in (WHOLE, change.child)

    def _of_queue(self, queue: str) -> Callable[[Change], bool]:
        known: dict[int, str] = {}

        def test(change: Change) -> bool:
            if change.sequence not in known:
                known.update(self._rows.queues([change.sequence]))
            return known.get(change.sequence) == queue

        return test

    def _encode(self, changes: list[Change]) -> list[Json]:
        views = self._rows.views(changes)
        return [
            self._event(change, views[change.sequence, change.child])
            for change in changes
            if (change.sequence, change.child) in views
        ]

    def _event(self, change: Change, view: JobView) -> Json:
        run = run_at(view.run, change.becomes, change.begun, change.reason)
        then = JobView(job=view.job, run=run, index=view.index, counts=view.counts)
        return encode_event(
            then,
            self._arns,
            event_id=self._id(change.place),
            at=change.at,
            is_blocked=change.becomes == BLOCKED,
        )

    def _id(self, place: Place) -> str:
        name = f"{self._seed}/{place.tick}/{place.number}".encode()
        return str(UUID(bytes=md5(name, usedforsecurity=False).digest(), version=4))


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
