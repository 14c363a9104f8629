"""Physical admission: what runs at once fits this machine, and attempts begin in the order they came.

Hosts are accounting boxes and may add up to more than this machine has; this is the last gate
before anything really starts. The queue is strictly first in, first out: a large attempt at its
head is not overtaken, so it cannot starve. The nodes of a multi-node job get in together: the main
node brings room for all of them, so that two such jobs never wait for each other half begun. vCPUs are shares (AWS gives `--cpu-shares`), so an
attempt that asks for more than there are runs when it has all of them; memory and GPUs are hard.
GPUs are handed out as device indices, each to one attempt at a time.

The spawner holds one of these for processes, the Docker executor another one for containers. No
I/O, and nothing imported that would slow down the spawner's start.
"""

from __future__ import annotations

from collections import OrderedDict

Name = tuple[str, int]
"""Job id and number of an attempt."""

Amount = tuple[float, int, int]
"""vCPUs, MiB of memory, GPUs."""

NO_AMOUNT: Amount = (0.0, 0, 0)

Devices = tuple[int, ...]
"""Indices of the GPUs that an attempt has to itself."""


class Admission:
    """A first in, first out queue in front of a fixed amount of vCPUs, memory and GPUs.

    Invariants: what is held never exceeds the capacity (except by `occupy`), a device index is
    held by at most one attempt, and a name is either waiting, holding, or unknown.

    Parameters
    ----------
    vcpus : float
        Cores times oversubscription.
    memory : int
        MiB; never oversubscribed.
    gpus : int
        Number of devices; their indices are 0 .. gpus - 1.
    """

    __slots__ = ("_capacity", "_devices", "_held", "_memory", "_vcpus", "_waiting")

    def __init__(self, vcpus: float, memory: int, gpus: int = 0) -> None:
        self._capacity = (vcpus, memory, gpus)
        self._vcpus = vcpus
        self._memory = memory
        self._devices = list(range(gpus))
        self._waiting: OrderedDict[Name, tuple[Amount, Amount]] = OrderedDict()
        self._held: dict[Name, tuple[float, int, Devices]] = {}

    def __len__(self) -> int:
        """Number of attempts that wait."""
        return len(self._waiting)

    def __contains__(self, name: Name) -> bool:
        return name in self._waiting or name in self._held

    @property
    def waiting(self) -> tuple[Name, ...]:
        """Names of those that wait, in order."""
        return tuple(self._waiting)

    @property
    def room(self) -> Amount:
        """What is free now; vCPUs and memory may be negative after `occupy`."""
        return (self._vcpus, self._memory, len(self._devices))

    def refusal(self, amount: Amount, others: Amount = NO_AMOUNT) -> str:
        """Why this amount can never be admitted here, in words; empty when it can.

        A main node's job has to fit as a whole: `others` is what its other nodes ask for.
        """
        _, memory, gpus = together(amount, others)
        who = "it" if others == NO_AMOUNT else "with its other nodes it"
        if memory > self._capacity[1]:
            return f"{who} asks for {memory} MiB of memory and this machine has {self._capacity[1]} MiB"
        if gpus > self._capacity[2]:
            return f"{who} asks for {gpus} GPUs and this machine has {self._capacity[2]}"
        return ""

    def wait(self, name: Name, amount: Amount, others: Amount = NO_AMOUNT) -> None:
        """Join the end of the queue; ask `refusal` before, or it blocks those behind it for ever.

        A main node waits until there is room for its `others` as well, and keeps it for them.
        """
        self._waiting[name] = (amount, others)

    def admit(self) -> tuple[Name, Devices] | None:
        """Let the first one in if there is room for it now.

        Returns
        -------
        tuple of (Name, Devices) or None
            Whom, and its GPUs; None when nobody waits or the first one does not fit yet.
        """
        if not self._waiting:
            return None
        name = next(iter(self._waiting))
        amount, others = self._waiting[name]
        vcpus, memory, gpus = together(amount, others)
        vcpus = min(vcpus, self._capacity[0])
        if vcpus > self._vcpus or memory > self._memory or gpus > len(self._devices):
            return None
        del self._waiting[name]
        own = min(amount[0], vcpus)
        devices = self._take(name, own, amount[1], tuple(self._devices[: amount[2]]))
        if others != NO_AMOUNT:
            self.keep(name, (vcpus - own, others[1], others[2]))
        return name, devices

    def keep(self, name: Name, others: Amount) -> None:
        """Keep room for the other nodes of a main node that runs, whether or not there is any."""
        self._take(_others_of(name), others[0], others[1], tuple(self._devices[: others[2]]))

    def draw(self, name: Name, main: Name, amount: Amount) -> Devices | None:
        """Let a node in at once, on the room that its main node has kept.

        Returns
        -------
        tuple of int or None
            Its GPUs; None when there is not as much left of that.
        """
        kept = self._held.get(_others_of(main))
        if kept is None or amount[1] > kept[1] or amount[2] > len(kept[2]):
            return None
        vcpus = min(amount[0], kept[0])
        mine, left = kept[2][: amount[2]], kept[2][amount[2] :]
        self._held[_others_of(main)] = (kept[0] - vcpus, kept[1] - amount[1], left)
        self._held[name] = (vcpus, amount[1], mine)
        return mine

    def occupy(self, name: Name, amount: Amount, devices: Devices = ()) -> None:
        """Count an attempt that runs already, whether or not there is room for it.

        Parameters
        ----------
        devices : tuple of int
            The GPUs it was given; those that are still free are taken from the rest.
        """
        if name not in self._held:
            self._take(name, min(amount[0], self._capacity[0]), amount[1], devices)

    def withdraw(self, name: Name) -> bool:
        """Leave the queue.

        Returns
        -------
        bool
            Whether it was waiting.
        """
        return self._waiting.pop(name, None) is not None

    def release(self, name: Name) -> None:
        """Give back what an attempt holds or keeps for others; nothing happens when it holds nothing."""
        for held in (self._held.pop(name, None), self._held.pop(_others_of(name), None)):
            if held is not None:
                vcpus, memory, devices = held
                self._vcpus += vcpus
                self._memory += memory
                if devices:
                    self._devices = self._free_devices()

    def resize(self, vcpus: float, memory: int, gpus: int = 0) -> None:
        """Change the capacity under what is held; the queue and its order stay."""
        self._capacity = (vcpus, memory, gpus)
        self._vcpus = vcpus - sum(held[0] for held in self._held.values())
        self._memory = memory - sum(held[1] for held in self._held.values())
        self._devices = self._free_devices()

    def _take(self, name: Name, vcpus: float, memory: int, devices: Devices) -> Devices:
        self._vcpus -= vcpus
        self._memory -= memory
        self._held[name] = (vcpus, memory, devices)
        if devices:
            self._devices = self._free_devices()
        return devices

    def _free_devices(self) -> list[int]:
        taken = {device for _, _, devices in self._held.values() for device in devices}
        return [device for device in range(self._capacity[2]) if device not in taken]


def together(one: Amount, other: Amount) -> Amount:
    """The sum."""
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


def _others_of(main: Name) -> Name:
    """Under which name room is kept for the other nodes of a main node."""
    return f"{main[0]} and others", main[1]
