"""The long poll behind `/nbbatch/v1/watch`: who waits is woken by a change, nobody asks in a loop.

Changes are numbered; for each job the number of its last change is kept, for a bounded number of
jobs. Who comes with a number from before that (or from before a restart) is told that all of its
jobs changed, so nothing is ever missed. Logs grow without the loop knowing: only while somebody
waits for them, the lengths of the streams waited for are looked at, twenty times a second at most.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

from nbbatch.model.jobs import JobId

REMEMBERED = 100_000
"""Jobs whose last change is known."""
LOOK_SECONDS = 0.05
"""How often lengths of log streams are looked at."""


class News(NamedTuple):
    """What changed: jobs as they were named in the question, streams, and where to go on."""

    cursor: int
    changed: list[str]
    grown: list[str]


class Changes(NamedTuple):
    """Top-level jobs that changed, where to go on, and whether there may have been others."""

    cursor: int
    changed: list[str]
    missed: bool


@dataclass(eq=False, slots=True)
class _Waiter:
    """Somebody who waits for any of these top-level jobs; None: for whichever."""

    jobs: frozenset[str] | None
    woken: asyncio.Event


class Watch:
    """Numbers changes and wakes waiters.

    Parameters
    ----------
    start : int
        First number; larger than any that an earlier daemon of this home gave, such as a time in
        microseconds.
    size : callable
        Bytes of a log stream so far.
    """

    def __init__(self, start: int, size: Callable[[str], int]) -> None:
        self._oldest = start
        self._number = start
        self._size = size
        self._changes: OrderedDict[str, int] = OrderedDict()
        self._waiters: set[_Waiter] = set()
        self._closed = False

    def note(self, changed: AbstractSet[JobId]) -> None:
        """These top-level jobs changed, in themselves or in a child; wakes who waits for them."""
        self._number += 1
        for job_id in changed:
            self._changes[job_id] = self._number
            self._changes.move_to_end(job_id)
        while len(self._changes) > REMEMBERED:
            _, self._oldest = self._changes.popitem(last=False)
        for waiter in self._waiters:
            if waiter.jobs is None or not waiter.jobs.isdisjoint(changed):
                waiter.woken.set()

    async def wait(
        self, cursor: int | None, job_ids: Sequence[str], streams: Mapping[str, int], seconds: float
    ) -> News:
        """Wait for a change after `cursor`, or for a stream longer than given.

        Parameters
        ----------
        cursor : int or None
            What an earlier answer gave; None counts every job as changed, and is answered at once.
        job_ids : sequence of str
            Jobs, array parents or children; a child changes with its array.
        streams : mapping of str to int
            Bytes already seen, by stream.
        seconds : float
            After these the answer is that nothing happened.
        """
        tops = {job_id: _top(job_id) for job_id in job_ids}
        waiter = _Waiter(jobs=frozenset(tops.values()), woken=asyncio.Event())
        self._waiters.add(waiter)
        try:
            deadline = asyncio.get_running_loop().time() + seconds
            is_first = cursor is None
            while True:
                news = self._news(cursor, tops, streams)
                left = deadline - asyncio.get_running_loop().time()
                if is_first or news.changed or news.grown or left <= 0 or self._closed:
                    return news
                cursor = news.cursor
                await _wait(waiter.woken, min(left, LOOK_SECONDS) if streams else left)
                waiter.woken.clear()
        finally:
            self._waiters.discard(waiter)

    async def changes(self, cursor: int | None, seconds: float) -> Changes:
        """Wait until any job changed after `cursor`; what changed often is told once.

        None, and a cursor from before a restart or from too long ago, is answered at once, with
        nothing but where to go on.
        """
        waiter = _Waiter(jobs=None, woken=asyncio.Event())
        self._waiters.add(waiter)
        try:
            deadline = asyncio.get_running_loop().time() + seconds
            while True:
                news = self._changes_after(cursor)
                left = deadline - asyncio.get_running_loop().time()
                if news.changed or news.missed or left <= 0 or self._closed:
                    return news
                await _wait(waiter.woken, left)
                waiter.woken.clear()
        finally:
            self._waiters.discard(waiter)

    def _changes_after(self, cursor: int | None) -> Changes:
        if cursor is None or not self._oldest <= cursor <= self._number:
            return Changes(self._number, [], missed=True)
        newer = takewhile(lambda job_id: self._changes[job_id] > cursor, reversed(self._changes))
        return Changes(self._number, list(newer), missed=False)

    def close(self) -> None:
        """Answer all who wait."""
        self._closed = True
        for waiter in self._waiters:
            waiter.woken.set()

    def _news(self, cursor: int | None, tops: Mapping[str, str], streams: Mapping[str, int]) -> News:
        if cursor is None or not self._oldest <= cursor <= self._number:
            changed = list(tops)
        elif cursor == self._number:
            changed = []
        else:
            changed = [job_id for job_id, top in tops.items() if self._changes.get(top, 0) > cursor]
        grown = [stream for stream, seen in streams.items() if self._size(stream) > seen]
        return News(self._number, changed, grown)


def _top(job_id: str) -> str:
    return job_id.partition(":")[0].partition("#")[0]


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
