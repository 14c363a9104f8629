"""A host and a compute environment as they are now: what is free, what is placed, what may come.

Parts of the scheduler's state; `scheduler/fleet.py` brings hosts up and lets them go.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from nbbatch.model.fleet import ComputeEnvironment, FargatePrices, Host, HostId, InstanceType
from nbbatch.model.jobs import JobId
from nbbatch.model.resources import Resources
from nbbatch.scheduler.allocation import Offer
from nbbatch.scheduler.rooms import RoomIndex


@dataclass(slots=True)
class HostState:
    """A host, what is free on it, and the attempts placed on it.

    Parameters
    ----------
    used_until : int or None
        When its last job ended; None before the first.
    is_watched : bool
        Whether a deadline looks at its idling already.
    rooms, slot : RoomIndex or None, int
        The index that finds it by its free room, and its place there.
    """

    host: Host
    vcpus: float
    memory: int
    gpus: int
    occupants: dict[JobId, Resources] = field(default_factory=dict)
    used_until: int | None = None
    is_watched: bool = False
    rooms: RoomIndex | None = field(default=None, compare=False, repr=False)
    slot: int = field(default=-1, compare=False)

    @property
    def row(self) -> Host:
        """The host as it is to be remembered."""
        return replace(self.host, used_until=self.used_until)

    @property
    def idle_since(self) -> int:
        """When it fell idle, for a host without a job."""
        return self.host.ready_at if self.used_until is None else self.used_until

    def has_room(self, wanted: Resources) -> bool:
        """Whether an attempt of this size fits now."""
        return wanted.vcpus <= self.vcpus and wanted.memory <= self.memory and wanted.gpus <= self.gpus

    def occupy(self, job_id: JobId, amount: Resources) -> None:
        """Place an attempt."""
        self.occupants[job_id] = amount
        self.vcpus -= amount.vcpus
        self.memory -= amount.memory
        self.gpus -= amount.gpus

    def vacate(self, job_id: JobId, now: int) -> None:
        """Give an attempt's share back."""
        amount = self.occupants.pop(job_id)
        self.vcpus += amount.vcpus
        self.memory += amount.memory
        self.gpus += amount.gpus
        self.used_until = now
        if self.rooms is not None:
            self.rooms.note(self)


@dataclass(slots=True)
class EnvironmentState:
    """A compute environment, its hosts, and the instance types it may launch.

    Parameters
    ----------
    offers, largest : tuple of Offer, tuple of Resources
        The types in the order of its allocation strategy, and what each may ever offer to one job.
    provisioned : float
        vCPUs of all its hosts, also of those that are coming or going.
    by_type : dict of str to int
        Number of its hosts by instance type.
    fargate : FargatePrices
        What a task's host costs, in a Fargate environment.
    rooms, arriving : RoomIndex
        ACTIVE and REGISTERING hosts by what is free on them.
    """

    environment: ComputeEnvironment
    offers: tuple[Offer, ...] = ()
    largest: tuple[Resources, ...] = ()
    hosts: dict[HostId, HostState] = field(default_factory=dict)
    provisioned: float = 0.0
    by_type: dict[str, int] = field(default_factory=dict)
    fargate: FargatePrices = field(default_factory=FargatePrices)
    rooms: RoomIndex = field(default_factory=RoomIndex, compare=False, repr=False)
    arriving: RoomIndex = field(default_factory=RoomIndex, compare=False, repr=False)

    @property
    def types(self) -> tuple[tuple[InstanceType, Resources], ...]:
        """Each type with what a host of it offers to jobs, in the order in which they are tried."""
        return tuple((offer.kind, offer.room) for offer in self.offers)
