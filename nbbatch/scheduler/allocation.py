"""Allocation strategies: which instance type is launched first. Pure functions over offers.

Source: AWS Batch user guide, "Allocation strategies", and the API reference's ComputeResource. An
offer is an instance type as one environment could launch it: its room, what it would cost there, how
often its pool is interrupted and how many hosts the pool has left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from math import inf

from nbbatch.model.fleet import AllocationStrategy, InstanceType
from nbbatch.model.resources import Resources

S = AllocationStrategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An instance type that an environment may launch.

    Parameters
    ----------
    kind : InstanceType
        The type.
    room : Resources
        What a host of it offers to jobs.
    price : float
        Dollars per hour that it would cost here: Spot in a Spot environment.
    place : int
        Where the environment's `instanceTypes` name it, by itself or by its family.
    interruptions : float
        Expected per hour and host, for Spot.
    left : float
        Hosts that its pool has left; infinite when nobody limits it.
    """

    kind: InstanceType
    room: Resources
    price: float
    place: int = 0
    interruptions: float = 0.0
    left: float = inf

    @property
    def vcpu_price(self) -> float:
        """Dollars per vCPU and hour."""
        return self.price / max(self.room.vcpus, 1)


Rank = tuple[float, ...]


def in_order(strategy: AllocationStrategy, offers: Iterable[Offer]) -> tuple[Offer, ...]:
    """All offers, the one to launch first in front; equals stay in the catalogue's order."""
    known = tuple(offers)
    if strategy is S.SPOT_PRICE_CAPACITY_OPTIMIZED:
        deepest = max((offer.left for offer in known), default=0.0)
        return tuple(sorted(known, key=lambda offer: _deep_and_cheap(offer, deepest)))
    return tuple(sorted(known, key=_RANKS[strategy]))


def to_try(strategy: AllocationStrategy, ordered: Sequence[Offer], wanted: Resources) -> list[Offer]:
    """The offers to try for a job, in order.

    BEST_FIT waits for the cheapest type that fits; the others go on to the next one when there is no
    capacity. Types that are too small are skipped.
    """
    fitting = (offer for offer in ordered if wanted.fits(offer.room))
    return list(islice(fitting, 1) if strategy is S.BEST_FIT else fitting)


def place_of(name: str, family: str, wanted: Sequence[str], families: Callable[[str], Sequence[str]]) -> int:
    """Where a list of `instanceTypes` names a type: an explicit size leaves its family's place."""
    if name in wanted:
        return wanted.index(name)
    return next((place for place, word in enumerate(wanted) if family in families(word)), len(wanted))


def _cheapest(offer: Offer) -> Rank:
    return offer.price, offer.room.vcpus


def _cheapest_vcpu(offer: Offer) -> Rank:
    return round(offer.vcpu_price, 6), offer.price


def _as_listed(offer: Offer) -> Rank:
    return float(offer.place), offer.price


def _least_interrupted(offer: Offer) -> Rank:
    """Fewest interruptions, then the deepest pool; price does not count (user guide)."""
    return offer.interruptions, -offer.left


def _deep_and_cheap(offer: Offer, deepest: float) -> Rank:
    """Pools that are deep enough go first, the cheapest vCPU among them.

    [?] AWS says "the deepest pools that are also the lowest priced" and not how it weighs the two. Here
    a pool is deep enough with half of what the deepest one has left, and an interruption per hour
    counts like doubling the price, for its work is done twice.
    """
    shallow = float(offer.left < deepest / 2) if deepest < inf else float(offer.left < inf)
    return shallow, round(offer.vcpu_price * (1 + offer.interruptions), 6), offer.price


_RANKS: dict[AllocationStrategy, Callable[[Offer], Rank]] = {
    S.BEST_FIT: _cheapest,
    S.BEST_FIT_PROGRESSIVE: _cheapest_vcpu,
    S.BEST_FIT_PROGRESSIVE_ORDERED: _as_listed,
    S.SPOT_CAPACITY_OPTIMIZED: lambda offer: (*_least_interrupted(offer), *_cheapest_vcpu(offer)),
    S.SPOT_CAPACITY_OPTIMIZED_PRIORITIZED: lambda offer: (*_least_interrupted(offer), *_as_listed(offer)),
}
