"""Rows of the ledger: sums by day and queue, hosts by day and environment, added to with each tick.

What ticks add stands in their rows of the log, summed up, until it is filed in the ledger's tables
with a batch of ticks. Until then it is kept here, too: readers see no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, NamedTuple

from nbbatch.daemon.database import Database
from nbbatch.daemon.rowcodec import decode, encode
from nbbatch.model.events import Event, JobSubmitted
from nbbatch.model.fleet import Host
from nbbatch.scheduler.ledger import Ledger, Sums, charges, host_costs, tick_sums
from nbbatch.scheduler.state import Changes, SchedulerState

_AMOUNTS = attrgetter(*(field.name for field in fields(Sums)))
"""A row's numbers in the order of its columns; `astuple` would copy each of them deeply."""
HostSums = dict[tuple[int, str], tuple[float, float]]
"""What hosts cost, and what of it attempts were charged, by day and environment."""


class Added(NamedTuple):
    """What ticks have added since the ledger was last filed."""

    sums: Ledger
    hosts: HostSums


class _Row(NamedTuple):
    """The same as JSON."""

    sums: list[tuple[int, str, list[Any]]]
    hosts: list[tuple[int, str, tuple[float, float]]]


NOTHING_ADDED = Added({}, {})


class LedgerRows:
    """The ledger of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._unfiled = _decode(next((sums for (sums,) in database.read("unfiled_sums")), None))

    def with_tick(
        self, events: Sequence[tuple[int, Event]], changes: Changes, state: SchedulerState
    ) -> Added:
        """What is unfiled after a tick, before it is written: hosts that go still have their rows."""
        submitted = [event.job for _, event in events if isinstance(event, JobSubmitted)]
        new = tick_sums(submitted, changes.transitions, changes.ended, state.now)
        sums, hosts = self._unfiled
        if new:
            sums = sums | new
            for key in new.keys() & self._unfiled.sums.keys():
                new[key].add(self._unfiled.sums[key])
        used = charges(changes.ended)
        gone = [host_id for host_id, host in changes.hosts.items() if host is None]
        if used or gone:
            hosts = dict(hosts)
            _add_hosts(hosts, {key: (0.0, amount) for key, amount in used.items()})
            for host_id in gone:
                _add_hosts(hosts, self._costs(host_id, state))
        return Added(sums, hosts)

    def note(self, unfiled: Added) -> None:
        """A tick is written."""
        self._unfiled = unfiled

    def file(self, added: Added) -> None:
        """Add to the ledger's tables; inside a transaction."""
        self._database.write("add_sums", [(*key, *_AMOUNTS(known)) for key, known in added.sums.items()])
        self._database.write("add_hosts_sums", [(*key, *known) for key, known in added.hosts.items()])

    def sums(self, first: int, last: int) -> Ledger:
        """Sums of days from `first` to `last`, both included."""
        rows = self._database.read("read_sums", {"first": first, "last": last})
        found = {(day, queue): Sums(*known) for day, queue, *known in rows}
        for (day, queue), known in self._unfiled.sums.items():
            if first <= day <= last:
                found.setdefault((day, queue), Sums()).add(known)
        return found

    def charged(self, day: int) -> float:
        """Dollars that ended attempts were charged on a day."""
        return sum(known.charged for known in self.sums(day, day).values())

    def totals(self) -> dict[str, Sums]:
        """Sums over all days, by queue."""
        found = {queue: Sums(*known) for queue, *known in self._database.read("read_totals")}
        for (_, queue), known in self._unfiled.sums.items():
            found.setdefault(queue, Sums()).add(known)
        return found

    def hosts(self, first: int, last: int) -> HostSums:
        """Hosts that are gone and attempts that have ended, of days from `first` to `last`."""
        rows = self._database.read("read_hosts_sums", {"first": first, "last": last})
        found: HostSums = {(day, environment): (hosts, used) for day, environment, hosts, used in rows}
        _add_hosts(
            found, {key: known for key, known in self._unfiled.hosts.items() if first <= key[0] <= last}
        )
        return found

    def _costs(self, host_id: str, state: SchedulerState) -> HostSums:
        """A host that came and went in one tick never had a row, and cost next to nothing."""
        rows = self._database.read("read_host", {"id": host_id})
        costs = [host_costs(decode(Host, row), state.now) for (row,) in rows]
        return {key: (amount, 0.0) for known in costs for key, amount in known.items()}


def _add_hosts(sums: HostSums, more: HostSums) -> None:
    for key, (hosts, used) in more.items():
        before = sums.get(key, (0.0, 0.0))
        sums[key] = before[0] + hosts, before[1] + used


def encode_added(added: Added) -> bytes | None:
    """As in a row of the log; None for nothing."""
    if not added.sums and not added.hosts:
        return None
    return encode(
        _Row(
            [(*key, list(_AMOUNTS(known))) for key, known in added.sums.items()],
            [(*key, known) for key, known in added.hosts.items()],
        )
    )


def _decode(row: bytes | None) -> Added:
    if row is None:
        return NOTHING_ADDED
    sums, hosts = decode(_Row, row)
    return Added(
        {(day, queue): Sums(*amounts) for day, queue, amounts in sums},
        {(day, environment): known for day, environment, known in hosts},
    )
