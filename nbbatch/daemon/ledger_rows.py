"""Rows of the ledger: sums by day and queue, hosts by day and environment, added to with each tick."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from operator import attrgetter

from nbbatch.daemon.database import Database
from nbbatch.daemon.rowcodec import decode
from nbbatch.model.events import Event, JobSubmitted
from nbbatch.model.fleet import Host
from nbbatch.scheduler.ledger import Ledger, Sums, charges, host_costs, tick_sums
from nbbatch.scheduler.state import Changes, SchedulerState

_AMOUNTS = attrgetter(*(field.name for field in fields(Sums)))
"""A row's numbers in the order of its columns; `astuple` would copy each of them deeply."""
HostSums = dict[tuple[int, str], tuple[float, float]]
"""What hosts cost, and what of it attempts were charged, by day and environment."""


class LedgerRows:
    """The ledger of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, events: Sequence[tuple[int, Event]], changes: Changes, state: SchedulerState) -> None:
        """Count one tick; inside its transaction, while hosts that go still have their rows."""
        submitted = [event.job for _, event in events if isinstance(event, JobSubmitted)]
        sums = tick_sums(submitted, changes.transitions, changes.ended, state.now)
        if sums:
            self._database.write("add_sums", [(*key, *_AMOUNTS(known)) for key, known in sums.items()])
        used = charges(changes.ended)
        if used:
            self._add_hosts([(*key, 0.0, amount) for key, amount in used.items()])
        for host_id in [key for key, host in changes.hosts.items() if host is None]:
            self._add_gone(host_id, state)

    def sums(self, first: int, last: int) -> Ledger:
        """Sums of days from `first` to `last`, both included."""
        rows = self._database.read("read_sums", {"first": first, "last": last})
        return {(day, queue): Sums(*known) for day, queue, *known in rows}

    def charged(self, day: int) -> float:
        """Dollars that ended attempts were charged on a day."""
        return sum(known.charged for known in self.sums(day, day).values())

    def totals(self) -> dict[str, Sums]:
        """Sums over all days, by queue."""
        return {queue: Sums(*known) for queue, *known in self._database.read("read_totals")}

    def hosts(self, first: int, last: int) -> HostSums:
        """Hosts that are gone and attempts that have ended, of days from `first` to `last`."""
        rows = self._database.read("read_hosts_sums", {"first": first, "last": last})
        return {(day, environment): (hosts, used) for day, environment, hosts, used in rows}

    def _add_gone(self, host_id: str, state: SchedulerState) -> None:
        """A host that came and went in one tick never had a row, and cost next to nothing."""
        for (row,) in self._database.read("read_host", {"id": host_id}):
            host = decode(Host, row)
            costs = host_costs(host, state.now)
            self._add_hosts([(*key, amount, 0.0) for key, amount in costs.items()])

    def _add_hosts(self, rows: Iterable[tuple[int, str, float, float]]) -> None:
        self._database.write("add_hosts_sums", rows)
