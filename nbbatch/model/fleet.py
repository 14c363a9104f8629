"""Queues, compute environments, hosts and the instance types they are made of.

Instance types and prices are data in `instance_types.json` with their source and date; a file of the
same format that `nbbatch prices refresh` wrote goes before them. A price is dollars per hour of the
whole host; Spot is what the pool last cost when the file was written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NewType

from nbbatch.model.resources import Resources

HostId = NewType("HostId", str)

AGENT_RESERVE = 32
"""MiB the ECS agent keeps for itself on each host (ECS_RESERVED_MEMORY's default in Batch)."""

DEFAULT_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "optimal": ("m6i", "c6i", "r6i", "c7i"),
    "default_x86_64": ("m6i", "c6i", "r6i", "c7i"),
    "default_arm64": ("m6g", "c6g", "r6g", "c7g"),
}
"""What AWS means by these words (user guide, "Instance types")."""


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


_ENABLED, _VALID = Switch.ENABLED, ResourceStatus.VALID
"""By name: an Enum's members are found by code in Python, which each placement would pay for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceType:
    """One row of the catalogue: nominal size and dollars per hour, on demand and Spot."""

    name: str
    resources: Resources
    price: float
    spot_price: float
    architecture: str = "x86_64"

    @property
    def family(self) -> str:
        """`m6i` of `m6i.large`."""
        return self.name.partition(".")[0]


class AllocationStrategy(StrEnum):
    """Which instance types of an environment are launched first."""

    BEST_FIT = "BEST_FIT"
    BEST_FIT_PROGRESSIVE = "BEST_FIT_PROGRESSIVE"
    BEST_FIT_PROGRESSIVE_ORDERED = "BEST_FIT_PROGRESSIVE_ORDERED"
    SPOT_CAPACITY_OPTIMIZED = "SPOT_CAPACITY_OPTIMIZED"
    SPOT_PRICE_CAPACITY_OPTIMIZED = "SPOT_PRICE_CAPACITY_OPTIMIZED"
    SPOT_CAPACITY_OPTIMIZED_PRIORITIZED = "SPOT_CAPACITY_OPTIMIZED_PRIORITIZED"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeEnvironment:
    """A MANAGED or UNMANAGED compute environment; `request` is CreateComputeEnvironment's input.

    `resource_type` is `computeResources.type` (EC2, SPOT, FARGATE, FARGATE_SPOT), `bid_percentage`
    the most a Spot host may cost of its on-demand price. `idle_seconds` is how long a host without a
    job stays; `scale_down_minutes` is `minScaleDownDelayMinutes`, 0 when unset. `short_since` is when
    its pools were first found empty (epoch ms), None while they are not.

    What AWS has no member for and a rehearsal needs comes by tags (`model/rehearsal.py`):
    `launch_seconds` until a host is ready; `interruptions` per hour of a Spot host by pool;
    `notice_seconds` between a Spot host's notice and its end; `pools`, the number of hosts that a
    pool has. A pool is an instance type, its family, or `*` for all others.
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
    strategy: AllocationStrategy = AllocationStrategy.BEST_FIT
    bid_percentage: int = 100
    idle_seconds: float = 60
    scale_down_minutes: int = 0
    launch_seconds: float = 0
    interruptions: Mapping[str, float] = field(default_factory=dict)
    notice_seconds: float = 120
    pools: Mapping[str, int] = field(default_factory=dict)
    short_since: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)
    uuid: str = ""

    @property
    def accepts(self) -> bool:
        """Whether new attempts may be placed here."""
        return self.state is _ENABLED and self.status is _VALID

    @property
    def is_managed(self) -> bool:
        """Whether its hosts come and go by themselves."""
        return self.type == "MANAGED"

    @property
    def is_fargate(self) -> bool:
        """Whether each attempt gets a host of its own size."""
        return self.resource_type.startswith("FARGATE")

    @property
    def is_spot(self) -> bool:
        """Whether its hosts cost the Spot price and may be reclaimed."""
        return self.resource_type in ("SPOT", "FARGATE_SPOT")


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


class HostStatus(StrEnum):
    """Where a host is in its life, in the words of ECS for container instances."""

    REGISTERING = "REGISTERING"
    ACTIVE = "ACTIVE"
    DRAINING = "DRAINING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host of an environment: an accounting box with an instance type's size and price.

    Times are epoch ms. `ready_at` is when it may take its first job, `used_until` when its last job
    ended (None before), `stops_at` when its attempts are asked to stop (None: never), with
    `grace_seconds` from there until it is gone, and `ends_at` that end once they have been asked.
    """

    id: HostId
    environment: str
    instance_type: str
    capacity: Resources
    price: float
    spot_price: float
    launched_at: int
    status: HostStatus = HostStatus.ACTIVE
    is_spot: bool = False
    ready_at: int = 0
    used_until: int | None = None
    stops_at: int | None = None
    grace_seconds: float = 0
    ends_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FargatePrices:
    """Dollars per vCPU and per GB for an hour, and what Spot costs of that."""

    vcpu_hour: float = 0.0
    gb_hour: float = 0.0
    spot_share: float = 1.0

    def price(self, wanted: Resources) -> float:
        """Dollars per hour of a task of this size, on demand."""
        return wanted.vcpus * self.vcpu_hour + wanted.memory / 1024 * self.gb_hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Instance types by name, in the order of the data file, and where the numbers come from."""

    types: Mapping[str, InstanceType]
    source: str
    as_of: str
    region: str = "us-east-1"
    fargate: FargatePrices = field(default_factory=FargatePrices)

    def expand(self, names: tuple[str, ...]) -> tuple[InstanceType, ...]:
        """Types meant by sizes (`m6i.large`), families (`m6i`) and `optimal`; unknown names drop out."""
        wanted: list[InstanceType] = []
        for name in names:
            families = DEFAULT_FAMILIES.get(name, (name,))
            wanted += [
                known for known in self.types.values() if known.name == name or known.family in families
            ]
        return tuple(dict.fromkeys(wanted))

    def updated(self, newer: Catalogue) -> Catalogue:
        """The prices of a newer catalogue, and its types besides the ones that are here."""
        return replace(newer, types={**self.types, **newer.types})


def parse_catalogue(text: str) -> Catalogue:
    """Read a catalogue in the format of `instance_types.json`.

    Raises
    ------
    ValueError, KeyError, TypeError
        When the text has another format.
    """
    data = json.loads(text)
    arm, fargate = frozenset(data.get("arm64", ())), data["fargate"]
    types = {
        name: InstanceType(
            name=name,
            resources=Resources(vcpus=vcpus, memory=memory, gpus=gpus),
            price=price,
            spot_price=spot,
            architecture="arm64" if name.partition(".")[0] in arm else "x86_64",
        )
        for name, (vcpus, memory, gpus, price, spot) in data["types"].items()
    }
    return Catalogue(
        types=types,
        source=data["source"],
        as_of=data["as_of"],
        region=data["region"],
        fargate=FargatePrices(
            vcpu_hour=fargate["usd_per_vcpu_hour"],
            gb_hour=fargate["usd_per_gb_hour"],
            spot_share=fargate["spot_share"],
        ),
    )
