"""Snapshots: what lets the beginning of the event log go while a replay still leads to the state.

A snapshot is a copy of all rows that a state is made of, taken between two ticks. Once one is old
enough, the log is said to begin with it, and from then on nothing before it counts: neither events nor
earlier snapshots. These are deleted afterwards, piece by piece, so a daemon that is killed half-way
leaves rows that nobody reads, and the next one goes on with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from types import MappingProxyType
from typing import Any, TypeVar, get_args

from nbbatch.daemon.database import Database
from nbbatch.daemon.feed_rows import BATCH, INDEX_BITS
from nbbatch.daemon.rowcodec import decode
from nbbatch.model.fleet import ComputeEnvironment, Host, JobQueue, Noun
from nbbatch.model.jobs import Job, JobDefinition, Run
from nbbatch.scheduler.restore import Snapshot, StoredJob

NOUNS: Mapping[str, type[Noun]] = MappingProxyType({kind.__name__: kind for kind in get_args(Noun)})
_AT_ONCE = 5_000
_MOST_COPIED = 10_000
"""Unfinished jobs and children with a row, above which copying them (0.1 ms each) would hold up requests."""
_INDEX = (1 << INDEX_BITS) - 1

T = TypeVar("T")


class SnapshotRows:
    """The snapshots of one database, and where its event log begins."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_due(self, since: int) -> bool:
        """Whether something has happened since the last snapshot, that is as old as `since` (epoch ms), and little is under way."""
        ((_, _, newest, last, taken_at),) = self._database.read("log_bounds")
        if newest is None or newest <= (last or 0) or taken_at > since:
            return False
        ((copied,),) = self._database.read("count_copied", {"limit": _MOST_COPIED + 1})
        return bool(copied <= _MOST_COPIED)

    def take(self, spent_today: float) -> None:
        """Copy the rows as they are now.

        Parameters
        ----------
        spent_today : float
            Dollars that ended attempts were charged on the day of the last tick.
        """
        ((_, _, newest, _, _),) = self._database.read("log_bounds")
        with self._database.transaction():
            self._database.write("take_snapshot", [(spent_today,)])
            self._database.write("copy_rows", [{"tick": newest}])

    def base(self) -> Snapshot:
        """What the log begins with; empty but for the seed when it is whole."""
        rows = self._database.read("read_snapshot")
        if not rows:
            counters = self._database.read("read_last_tick") or self._database.read("read_first_state")
            return Snapshot(seed=counters[0][0])
        ((seed, now, sequence, host_count, spent),) = rows
        return Snapshot(
            seed=seed,
            now=now,
            sequence=sequence,
            host_count=host_count,
            definitions=self._values("definition", JobDefinition),
            environments=self._values("environment", ComputeEnvironment),
            queues=self._values("queue", JobQueue),
            hosts=self._values("host", Host),
            nouns=[decode(NOUNS[name], value) for _, name, value, _, _ in self._rows("noun")],
            jobs=self._jobs(),
            spent_today=spent,
        )

    def prune(self, before: int, at_once: int = _AT_ONCE) -> bool:
        """Let the log begin with the last snapshot that is so old, and delete a bounded part of what was before it.

        Parameters
        ----------
        before : int
            Epoch ms.
        at_once : int
            Most events, and most rows of snapshots, that are deleted.

        Returns
        -------
        bool
            Whether there is more to delete.
        """
        ((start, oldest, newest, _, _),) = self._database.read("log_bounds")
        ((found,),) = self._database.read("find_snapshot", {"before": before})
        if found is not None and found > start:
            start = found
            with self._database.transaction():
                self._database.write("begin_log", [(start,)])
        if not start:
            return False
        end = min(start, newest - BATCH)  # the last rows tell counters, and what is not filed yet
        last = min(oldest + at_once - 1, end)
        with self._database.transaction():
            self._database.write("prune_events", [(last,)])
            self._database.write("prune_snapshot_rows", [(at_once,)])
            self._database.write("prune_snapshots", [()])
        ((left,),) = self._database.read("old_snapshots")
        return bool(last < end or left)

    def _rows(self, kind: str) -> list[Any]:
        return self._database.read("read_snapshot_rows", {"kind": kind})

    def _values(self, kind: str, what: type[T]) -> list[T]:
        return [decode(what, value) for _, _, value, _, _ in self._rows(kind)]

    def _jobs(self) -> list[StoredJob]:
        children = {
            sequence: {row[0] & _INDEX: decode(Run, row[2]) for row in rows}
            for sequence, rows in groupby(self._rows("child"), key=lambda row: row[0] >> INDEX_BITS)
        }
        return [
            StoredJob(
                job=decode(Job, facts),
                run=decode(Run, run),
                sequence=sequence,
                children=children.get(sequence, {}),
                asked={} if asked is None else decode(dict[int, str], asked),
            )
            for sequence, _, facts, run, asked in self._rows("job")
        ]
