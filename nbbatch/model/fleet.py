"""Queues, compute environments, hosts and the instance types they are made of.

Instance types and prices are data in `instance_types.json` with their source and date. A price is
dollars per hour of the whole host; Spot is what the pool last cost in that file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NewType

from nbbatch.model.resources import Resources

HostId = NewType("HostId", str)

AGENT_RESERVE = 32
"""MiB the ECS agent keeps for itself on each host (ECS_RESERVED_MEMORY's default in Batch)."""


class Switch(StrEnum):
    """`state` of a queue or environment."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"


class ResourceStatus(StrEnum):
    """`status` of a queue or environment."""

    CREATING = "CREATING"
    UPDATING = "UPDATING"
    DELETING = "DELETING"
    DELETED = "DELETED"
    VALID = "VALID"
    INVALID = "INVALID"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceType:
    """One row of the catalogue: nominal size and dollars per hour, on demand and Spot."""

    name: str
    resources: Resources
    price: float
    spot_price: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeEnvironment:
    """A MANAGED or UNMANAGED compute environment; `request` is CreateComputeEnvironment's input.

    `resource_type` is `computeResources.type` (EC2, SPOT, FARGATE, FARGATE_SPOT). `idle_seconds`
    is how long a host without a job stays.
    """

    name: str
    type: str = "MANAGED"
    resource_type: str = "EC2"
    state: Switch = Switch.ENABLED
    status: ResourceStatus = ResourceStatus.VALID
    status_reason: str = "ComputeEnvironment Healthy"
    min_vcpus: int = 0
    max_vcpus: int = 0
    instance_types: tuple[str, ...] = ()
    idle_seconds: int = 60
    tags: Mapping[str, str] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)
    uuid: str = ""

    @property
    def accepts(self) -> bool:
        """Whether new attempts may be placed here."""
        return self.state is Switch.ENABLED and self.status is ResourceStatus.VALID


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimit:
    """One of `jobStateTimeLimitActions`: what happens to a head that is blocked for too long.

    `reason` is the code before ` - ` of a blocked reason, `max_seconds` counts from when the job at
    the head got that reason.
    """

    reason: str
    max_seconds: int
    action: str = "CANCEL"
    state: str = "RUNNABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQueue:
    """A job queue over one to three environments, in order of preference.

    First in, first out without `scheduling_policy`, the name of a policy; with one, by fair share.
    Queues of service jobs have `service_environments` instead of environments.
    """

    name: str
    priority: int
    environments: tuple[str, ...]
    state: Switch = Switch.ENABLED
    status: ResourceStatus = ResourceStatus.VALID
    status_reason: str = "JobQueue Healthy"
    scheduling_policy: str | None = None
    time_limits: tuple[TimeLimit, ...] = ()
    service_environments: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FairSharePolicy:
    """How vCPUs are shared between share identifiers (API reference, FairsharePolicy).

    `shares` holds (share identifier or prefix ending in `*`, weight); a lower weight gets more, and
    1.0 holds for what is not listed. `decay_seconds` 0 means AWS's default of 600.
    `compute_reservation` is a percentage, 0..99.
    """

    decay_seconds: int = 0
    compute_reservation: int = 0
    shares: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulingPolicy:
    """A scheduling policy, for fair share or for quota shares; `request` is what it was made of."""

    name: str
    fair_share: FairSharePolicy | None = None
    quota_share: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumableResource:
    """A rate-limited resource that jobs take while they run; `total` shrinks when not REPLENISHABLE.

    `updates` holds (client token, epoch ms until which it counts, what it asked for) of recent updates.
    """

    name: str
    total: int
    created_at: int
    type: str = "REPLENISHABLE"
    tags: Mapping[str, str] = field(default_factory=dict)
    updates: tuple[tuple[str, int, str], ...] = ()

    @property
    def is_replenishable(self) -> bool:
        """Whether an attempt gives back what it took."""
        return self.type == "REPLENISHABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEnvironment:
    """A service environment, kept as metadata; `request` is what it was made of."""

    name: str
    state: Switch = Switch.ENABLED
    tags: Mapping[str, str] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaShare:
    """A quota share of a queue, kept as metadata; `name` is `queue/share`."""

    name: str
    state: Switch = Switch.ENABLED
    tags: Mapping[str, str] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class ShareUsage:
    """What a share of a queue has used lately; only the scheduler changes it.

    Parameters
    ----------
    left_at : int or None
        Epoch ms at which its last job ended; None while it has jobs.
    slices : dict of int to list of int
        By the start of a slice of time (epoch ms): by how many hundredths of a vCPU its use changed in
        it, and the first and second moment of these changes about that start, in ms.
    """

    queue: str
    share: str
    left_at: int | None = None
    slices: dict[int, list[int]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`queue/share`."""
        return f"{self.queue}/{self.share}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DayBudget:
    """Dollars that a day (UTC) may cost; None: as many as it takes. There is one, named `day`."""

    name: str
    dollars: float | None


Noun = SchedulingPolicy | ConsumableResource | ServiceEnvironment | QuotaShare | ShareUsage | DayBudget
"""What shares one table of the store, by class and name."""

TAGGED_NOUNS: Mapping[str, type[SchedulingPolicy | ConsumableResource | ServiceEnvironment | QuotaShare]] = {
    "scheduling-policy": SchedulingPolicy,
    "consumable-resource": ConsumableResource,
    "service-environment": ServiceEnvironment,
    "quota-share": QuotaShare,
}
"""Nouns that callers make, tag and delete, by the word for them in ARNs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host of an environment: an accounting box with an instance type's size and price."""

    id: HostId
    environment: str
    instance_type: str
    capacity: Resources
    price: float
    spot_price: float
    launched_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Instance types by name, in the order of the data file, and where the numbers come from."""

    types: Mapping[str, InstanceType]
    source: str
    as_of: str

    def expand(self, names: tuple[str, ...]) -> tuple[InstanceType, ...]:
        """Types meant by sizes (`m6i.large`), families (`m6i`) and `optimal`; unknown names drop out.

        `optimal` is AWS's `default_x86_64`: m6i, c6i, r6i, c7i (user guide, "Instance types").
        """
        wanted: list[InstanceType] = []
        for name in names:
            families = ("m6i", "c6i", "r6i", "c7i") if name in ("optimal", "default_x86_64") else (name,)
            wanted += [
                known
                for known in self.types.values()
                if known.name == name or known.name.partition(".")[0] in families
            ]
        return tuple(dict.fromkeys(wanted))


def parse_catalogue(text: str) -> Catalogue:
    """Read a catalogue in the format of `instance_types.json`."""
    data = json.loads(text)
    types = {
        name: InstanceType(
            name=name,
            resources=Resources(vcpus=vcpus, memory=memory, gpus=gpus),
            price=price,
            spot_price=spot,
        )
        for name, (vcpus, memory, gpus, price, spot) in data["types"].items()
    }
    return Catalogue(types=types, source=data["source"], as_of=data["as_of"])
