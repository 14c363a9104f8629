"""Which host has room for this? A tree over hosts, so that nobody looks through all of them per job.

Hosts stand in the order they came. A node knows the most that any host below it has free of each
resource, so a search goes straight to the first host with room, and stops at the root when there is
none. Both a search and a change cost the logarithm of the number of hosts; a search costs more only
where one host has the vCPUs and its neighbour the memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

Free = tuple[float, int, int]
"""vCPUs, MiB of memory, GPUs."""

NOTHING_FREE: Free = (-1.0, -1, -1)


class Roomy(Protocol):
    """What stands in the tree; `slot` is the tree's own, and changes when it grows."""

    slot: int

    @property
    def free(self) -> Free:
        """What is free now."""
        ...


T = TypeVar("T", bound=Roomy)


class RoomIndex(Generic[T]):
    """Hosts by what is free on them. Whoever changes what is free calls `update`."""

    __slots__ = ("_hosts", "_leaves", "_tree")

    def __init__(self) -> None:
        self._leaves = 1
        self._tree: list[Free] = [NOTHING_FREE] * 2
        self._hosts: list[T | None] = []

    def __iter__(self) -> Iterator[T]:
        return (host for host in self._hosts if host is not None)

    def add(self, host: T) -> None:
        """Put a host behind all others."""
        if len(self._hosts) == self._leaves:
            self._grow()
        host.slot = len(self._hosts)
        self._hosts.append(host)
        self.update(host)

    def remove(self, host: T) -> None:
        """Take a host out."""
        self._hosts[host.slot] = None
        self._set(host.slot, NOTHING_FREE)

    def update(self, host: T) -> None:
        """Note what is free on a host now."""
        self._set(host.slot, host.free)

    def noted(self, host: T) -> Free:
        """What the tree believes to be free on a host."""
        return self._tree[self._leaves + host.slot]

    def fitting(self, vcpus: float, memory: int, gpus: int) -> Iterator[T]:
        """Hosts with room for this much, in their order; nothing may be changed while this is used."""
        tree, todo = self._tree, [1]
        while todo:
            node = todo.pop()
            free = tree[node]
            if vcpus > free[0] or memory > free[1] or gpus > free[2]:
                continue
            if node < self._leaves:
                todo += (2 * node + 1, 2 * node)
            elif (host := self._hosts[node - self._leaves]) is not None:
                yield host

    def _set(self, slot: int, free: Free) -> None:
        tree, node = self._tree, self._leaves + slot
        tree[node] = free
        while node > 1:
            one, other = tree[node], tree[node ^ 1]
            most = (  # three calls of max() would take three times as long, twice per attempt
                one[0] if one[0] > other[0] else other[0],  # noqa: FURB136
                one[1] if one[1] > other[1] else other[1],  # noqa: FURB136
                one[2] if one[2] > other[2] else other[2],  # noqa: FURB136
            )
            node >>= 1
            if tree[node] == most:
                return
            tree[node] = most

    def _grow(self) -> None:
        """Close the gaps of hosts that went, and make room for as many again."""
        known = list(self)
        self._leaves = 1 << (2 * len(known)).bit_length()
        self._tree = [NOTHING_FREE] * (2 * self._leaves)
        self._hosts = []
        for host in known:
            self.add(host)
