"""Where a cell goes, in words and dollars, for its receipt.

The price is that of the cheapest instance type of the queue's environments on which the job fits,
for the share of the host that it holds, from the catalogue that the local daemon uses, too.
"""

from __future__ import annotations

from nbbatch.client.backend import Backend
from nbbatch.client.capacity import Capacity, capacity_of, catalogue
from nbbatch.client.options import Options
from nbbatch.client.spec import queue_of, resources_of
from nbbatch.jupyter.story import Place
from nbbatch.model.fleet import InstanceType
from nbbatch.model.resources import Resources


def place_of(backend: Backend, options: Options) -> Place:
    """Where a job with these options goes.

    Raises
    ------
    UnknownNameError
        When the backend has no such queue; names the nearest ones.
    """
    options = backend.suited(options)
    queue = queue_of(options)
    known = capacity_of(backend, queue)
    kind = backend.kind if backend.kind == backend.name else f"{backend.name}, {backend.kind}"
    price = None if options.definition else _price(known, resources_of(options))
    return Place(queue=queue, where=f"{kind}, {known.executor or backend.region}", price=price)


def _price(known: Capacity, wanted: Resources) -> tuple[float, float] | None:
    """Dollars per hour, on demand and Spot, of the cheapest share of a fitting host."""
    if known.is_fargate:
        fargate = catalogue().fargate
        return fargate.price(wanted), fargate.price(wanted) * fargate.spot_share
    kinds = catalogue().expand(known.instance_types)
    fitting = [kind for kind in kinds if wanted.fits(kind.resources)]
    prices = [
        (share * kind.price, share * kind.spot_price) for kind in fitting if (share := _share(wanted, kind))
    ]
    return min(prices, default=None)


def _share(wanted: Resources, kind: InstanceType) -> float:
    """The largest of the shares of vCPU, memory and GPUs: what a job holds keeps others out."""
    there = kind.resources
    pairs = ((wanted.vcpus, there.vcpus), (wanted.memory, there.memory), (wanted.gpus, there.gpus))
    return max(asked / have for asked, have in pairs if have)
