"""The first host with room, without looking at every host: for each size of job, the hosts that may have it.

Hosts stand in the order in which they were launched, so jobs fill the eldest first and the youngest
fall idle. Jobs come in few sizes. For each size that was asked for lately there is a heap of places of
hosts, in which every host with room for it stands; one that has room no more is dropped when it comes
up, and comes back with what is given back. So taking costs nothing, and giving back one look a size.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

from nbbatch.errors import NbbatchBugError
from nbbatch.model.resources import Resources

if TYPE_CHECKING:
    from nbbatch.scheduler.hosts import HostState

MOST_SIZES = 64
"""Sizes that are kept; the one kept longest makes way for another, and costs a look at every host again."""
_FEW = 16
"""Gaps that are not worth closing."""


class _Lane:
    """Places of hosts that may have room for one size: a heap, and the same as a set."""

    __slots__ = ("places", "size", "standing")

    def __init__(self, size: Resources) -> None:
        self.size = size
        self.places: list[int] = []
        self.standing: set[int] = set()

    def offer(self, host: HostState) -> None:
        """Let a host stand here if it has room."""
        if host.slot not in self.standing and host.has_room(self.size):
            self.standing.add(host.slot)
            heappush(self.places, host.slot)


class RoomIndex:
    """Hosts of one environment by what is free on them."""

    __slots__ = ("_alive", "_hosts", "_lanes")

    def __init__(self) -> None:
        self._alive = 0
        self._hosts: list[HostState | None] = []
        self._lanes: dict[Resources, _Lane] = {}

    def add(self, host: HostState) -> None:
        """Take a host in behind all others."""
        if len(self._hosts) > 2 * self._alive + _FEW:
            self._close_gaps()
        host.rooms, host.slot = self, len(self._hosts)
        self._hosts.append(host)
        self._alive += 1
        self.note(host)

    def remove(self, host: HostState) -> None:
        """Let a host go."""
        self._hosts[host.slot] = None
        self._alive -= 1
        host.rooms, host.slot = None, -1

    def note(self, host: HostState) -> None:
        """More is free on a host."""
        slot = host.slot
        for lane in self._lanes.values():
            if slot not in lane.standing:
                lane.offer(host)

    def first(self, wanted: Resources) -> HostState | None:
        """The eldest host that has room for this; None when there is none."""
        lane = self._lanes.get(wanted) or self._open(wanted)
        places = lane.places
        if not places:
            return None
        hosts = self._hosts
        while places:
            host = hosts[places[0]]
            if host is not None and host.has_room(wanted):
                return host
            lane.standing.discard(heappop(places))
        return None

    def check(self) -> None:
        """Look whether every host stands wherever it has room.

        Raises
        ------
        NbbatchBugError
            When one does not.
        """
        alive = [host for host in self._hosts if host is not None]
        for lane in self._lanes.values():
            missing = [host for host in alive if host.has_room(lane.size) and host.slot not in lane.standing]
            if missing or lane.standing != set(lane.places):
                raise NbbatchBugError("Invariant broken: the index of free room agrees with its hosts.")
        if len(alive) != self._alive:
            raise NbbatchBugError("Invariant broken: the index of free room knows how many hosts it has.")

    def _open(self, size: Resources) -> _Lane:
        if len(self._lanes) >= MOST_SIZES:
            del self._lanes[next(iter(self._lanes))]
        lane = self._lanes[size] = _Lane(size)
        for host in self._hosts:
            if host is not None:
                lane.offer(host)
        return lane

    def _close_gaps(self) -> None:
        """Move up where hosts have gone."""
        alive = [host for host in self._hosts if host is not None]
        self._hosts, self._lanes, self._alive = [], {}, 0
        for host in alive:
            self.add(host)
