"""Rows of the feed: status changes by tick, read back one by one with the job they are about.

A place in the feed is (tick, number within the tick); what follows it is read in bounded pieces. A
change of many children at once is one entry of a row and is spread out when it is read.

A tick's row is written into the log with the tick, and into the feed's own table with those of a
batch of ticks. Until then it is kept here, too: readers see no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from nbbatch.daemon.database import Database
from nbbatch.daemon.rowcodec import decode, decode_counts, encode
from nbbatch.model.jobs import Job, JobId, JobStatus, JobView, Run, child_id
from nbbatch.scheduler.transitions import WHOLE, Transition

INDEX_BITS = 14
_PRUNED_AT_ONCE = 5_000

BATCH = 64
"""Ticks after which what stands in the log alone is filed."""

Row = tuple[int, int, bytes]
"""A tick of the feed, its time, and its changes as entries."""
Entry = tuple[int, int, int, int, int, int, str]
"""As a Transition, with the job's sequence in place of the job."""


class Place(NamedTuple):
    """Where one is in the feed: behind change `number` of a tick."""

    tick: int
    number: int


class Change(NamedTuple):
    """One change of status of one job or child; codes and `begun` as in scheduler.transitions."""

    place: Place
    at: int
    sequence: int
    child: int
    was: int
    becomes: int
    begun: int
    reason: str


class FeedRows:
    """The feed of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._unfiled: list[Row] = list(database.read("unfiled_feed", {"batch": BATCH}))
        self._newest = self._unfiled[-1][0] if self._unfiled else self._newest_filed()

    def row(self, transitions: Sequence[Transition], now: int) -> Row | None:
        """A tick's row, to be written with it; None when nothing changed."""
        if not transitions:
            return None
        return self._newest + 1, now, encode([(live.sequence, *rest) for live, *rest in transitions])

    def note(self, row: Row | None, *, is_filed: bool) -> None:
        """A tick is written, and all rows are filed with it, or not yet."""
        if row is not None:
            self._newest = row[0]
        self._unfiled = [] if is_filed else self._unfiled if row is None else [*self._unfiled, row]

    def file(self, row: Row | None = None) -> None:
        """Bring all that is only in the log into the feed's table; inside a transaction."""
        self._database.write("append_feed", self._unfiled if row is None else [*self._unfiled, row])

    def end(self) -> Place:
        """Behind all that happened so far."""
        return Place(self._newest + 1, 0)

    def start(self) -> Place:
        """Before the oldest change that is kept."""
        ((tick,),) = self._database.read("feed_start")
        return Place(tick or (self._unfiled[0][0] if self._unfiled else 0), 0)

    def since(self, moment: int) -> Place:
        """Before the first change at or after a time (epoch ms)."""
        low, high = self.start().tick, self.end().tick
        while low < high:
            middle = (low + high) // 2
            at = self._time(middle, moment)
            low, high = (middle + 1, high) if at < moment else (low, middle)
        return Place(low, 0)

    def after(self, place: Place, ticks: int) -> Iterator[Change]:
        """Changes behind a place, of so many ticks at most."""
        filed = self._database.read("read_feed", {"tick": place.tick, "limit": ticks})
        unfiled = [row for row in self._unfiled if row[0] >= place.tick]
        for tick, at, changes in [*filed, *unfiled][:ticks]:
            number = 0
            for sequence, first, count, was, becomes, begun, reason in decode(list[Entry], changes):
                for index in range(first, first + count):
                    number += 1
                    if tick == place.tick and number <= place.number:
                        continue
                    place_of_it = Place(tick, number)
                    yield Change(place_of_it, at, sequence, index, was, becomes, begun, reason)

    def sequence(self, job_id: str) -> int | None:
        """The sequence of a job; None when there is none."""
        rows = self._database.read("find_parent", {"id": job_id})
        return rows[0][0] if rows else None

    def queues(self, sequences: Iterable[int]) -> dict[int, str]:
        """Names of the queues that jobs were submitted to."""
        wanted = encode(list(sequences)).decode()
        return dict(self._database.read("queues_of", {"sequences": wanted}))

    def views(self, changes: Iterable[Change]) -> dict[tuple[int, int], JobView]:
        """The jobs and children that changes are about, as they are now, by (sequence, index)."""
        keys = {(change.sequence, change.child) for change in changes}
        parents = self._parents({sequence for sequence, _ in keys})
        children = self._children([key for key in keys if key[1] != WHOLE])
        found: dict[tuple[int, int], JobView] = {}
        for sequence, index in keys:
            parent = parents.get(sequence)
            if parent is None:
                continue
            if index == WHOLE:
                found[sequence, index] = parent
                continue
            run = children.get((sequence, index)) or Run(
                id=child_id(parent.job.id, index),
                status=JobStatus.PENDING,
                created_at=parent.job.created_at,
            )
            found[sequence, index] = JobView(job=parent.job, run=run, index=index)
        return found

    def prune(self, before: int, most_rows: int) -> bool:
        """Delete a bounded number of rows that are too old or too many; whether there may be more."""
        with self._database.transaction():
            self.file()
        self._unfiled = []
        oldest, newest = self.start().tick, self.end().tick - 1
        if newest <= oldest:
            return False
        last = min(oldest + _PRUNED_AT_ONCE, newest)
        keep_from = newest - most_rows + 1
        with self._database.transaction():
            self._database.write("prune_feed", [(last, before, keep_from)])
        return self.start().tick == last

    def _newest_filed(self) -> int:
        ((tick,),) = self._database.read("feed_end")
        return tick or 0

    def _time(self, tick: int, default: int) -> int:
        """When a tick was, or the next one that is kept."""
        filed = self._database.read("feed_time", {"tick": tick})
        times = [at for (at,) in filed] or [at for known, at, _ in self._unfiled if known >= tick]
        return times[0] if times else default

    def _parents(self, sequences: set[int]) -> dict[int, JobView]:
        wanted = encode(sorted(sequences)).decode()
        return {
            sequence: JobView(job=decode(Job, facts), run=decode(Run, run), counts=decode_counts(counts))
            for sequence, run, counts, facts in self._database.read("listed", {"sequences": wanted})
        }

    def _children(self, keys: list[tuple[int, int]]) -> dict[tuple[int, int], Run]:
        ids = encode([sequence << INDEX_BITS | index for sequence, index in keys]).decode()
        rows = self._database.read("children_by_id", {"ids": ids}) if keys else []
        mask = (1 << INDEX_BITS) - 1
        return {(row >> INDEX_BITS, row & mask): decode(Run, run) for row, run in rows}


def job_sequence_key(job_id: str) -> tuple[JobId, int]:
    """Top-level id and child index (WHOLE without one) of an id."""
    parent, colon, index = job_id.partition(":")
    return JobId(parent), int(index) if colon and index.isdigit() else WHOLE
