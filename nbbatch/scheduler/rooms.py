"""The first host with room, without looking at every host: a tournament tree over what is free.

Hosts stand in the order in which they were launched, so jobs fill the eldest first and the youngest
fall idle. Each node holds the most of vCPU, memory and GPUs that a host below it has free; a search
goes down where all three suffice, and turns back where no single host has them together. Looking,
taking and giving back cost the logarithm of the number of hosts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbbatch.errors import NbbatchBugError
from nbbatch.model.resources import Resources

if TYPE_CHECKING:
    from nbbatch.scheduler.hosts import HostState

Room = tuple[float, int, int]
_NOTHING: Room = (-1.0, -1, -1)


class RoomIndex:
    """Hosts of one environment by what is free on them."""

    __slots__ = ("_hosts", "_tree", "_width")

    def __init__(self) -> None:
        self._width = 1
        self._hosts: list[HostState | None] = []
        self._tree: list[Room] = [_NOTHING, _NOTHING]

    def add(self, host: HostState) -> None:
        """Take a host in behind all others."""
        if len(self._hosts) == self._width:
            self._widen()
        host.rooms, host.slot = self, len(self._hosts)
        self._hosts.append(host)
        self.note(host)

    def remove(self, host: HostState) -> None:
        """Let a host go."""
        self._hosts[host.slot] = None
        self._set(host.slot, _NOTHING)
        host.rooms, host.slot = None, -1

    def note(self, host: HostState) -> None:
        """What is free on a host has changed."""
        self._set(host.slot, (host.vcpus, host.memory, host.gpus))

    def first(self, wanted: Resources) -> HostState | None:
        """The eldest host that has room for this; None when there is none."""
        vcpus, memory, gpus = wanted.vcpus, wanted.memory, wanted.gpus
        tree, width, node = self._tree, self._width, 1
        turns: list[int] = []
        while True:
            free = tree[node]
            if free[0] >= vcpus and free[1] >= memory and free[2] >= gpus:
                if node >= width:
                    return self._hosts[node - width]
                node *= 2
                turns.append(node + 1)
            elif turns:
                node = turns.pop()
            else:
                return None

    def check(self) -> None:
        """Compare every node with what it stands for.

        Raises
        ------
        NbbatchBugError
            When one is wrong.
        """
        rooms = [_NOTHING if one is None else (one.vcpus, one.memory, one.gpus) for one in self._hosts]
        rooms += [_NOTHING] * (self._width - len(rooms))
        nodes = [_most(*self._tree[2 * node : 2 * node + 2]) for node in range(1, self._width)]
        if self._tree[self._width :] != rooms or self._tree[1 : self._width] != nodes:
            raise NbbatchBugError("Invariant broken: the index of free room agrees with its hosts.")

    def _set(self, slot: int, room: Room) -> None:
        """Write a leaf, and every node above it that this changes."""
        tree, node = self._tree, self._width + slot
        tree[node] = room
        while node > 1:
            node //= 2
            most = _most(tree[2 * node], tree[2 * node + 1])
            if most == tree[node]:
                return
            tree[node] = most

    def _widen(self) -> None:
        """Close the gaps that hosts left, and make room for as many again."""
        alive = [host for host in self._hosts if host is not None]
        self._width = 1
        while self._width <= len(alive):
            self._width *= 2
        self._hosts = []
        self._tree = [_NOTHING] * (2 * self._width)
        for host in alive:
            self.add(host)


def _most(left: Room, right: Room) -> Room:
    if left[0] >= right[0] and left[1] >= right[1] and left[2] >= right[2]:
        return left
    return max(left[0], right[0]), max(left[1], right[1]), max(left[2], right[2])
