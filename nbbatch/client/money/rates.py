"""Dollars per hour while an attempt runs: its share of the hosts of a queue, from the catalogue. Pure.

The share is the largest of those of vCPU, memory and GPUs, because what a job holds of the scarcest
keeps others out (`nbbatch.scheduler.cost` charges in the same way); Fargate charges by size.
"""

from __future__ import annotations

from nbbatch.client.capacity import Capacity, catalogue
from nbbatch.model.fleet import InstanceType
from nbbatch.model.resources import Resources

Rate = tuple[float, float]
"""Dollars per hour: on demand, Spot."""


def price_of(known: Capacity, wanted: Resources) -> Rate | None:
    """The cheapest share of a fitting host; None where no host is known on which it fits."""
    return min(prices_of(known, wanted), default=None)


def prices_of(known: Capacity, wanted: Resources) -> list[Rate]:
    """Of each instance type of the queue's environments on which it fits."""
    if known.is_fargate:
        fargate = catalogue().fargate
        return [(fargate.price(wanted), fargate.price(wanted) * fargate.spot_share)]
    kinds = catalogue().expand(known.instance_types)
    shares = [(kind, _share(wanted, kind)) for kind in kinds if wanted.fits(kind.resources)]
    return [(share * kind.price, share * kind.spot_price) for kind, share in shares if share]


def _share(wanted: Resources, kind: InstanceType) -> float:
    there = kind.resources
    pairs = ((wanted.vcpus, there.vcpus), (wanted.memory, there.memory), (wanted.gpus, there.gpus))
    return max(asked / have for asked, have in pairs if have)
