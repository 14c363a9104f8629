"""Where a cell goes, in words and dollars, for its receipt.

The price is that of the cheapest instance type of the queue's environments on which the job fits,
for the share of the host that it holds, from the catalogue that the local daemon uses, too.
"""

from __future__ import annotations

from nbbatch.client.backend import Backend
from nbbatch.client.capacity import capacity_of
from nbbatch.client.money.estimate import plan_of
from nbbatch.client.money.rates import price_of
from nbbatch.client.options import Options
from nbbatch.client.spec import queue_of
from nbbatch.jupyter.story import Place


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
    wanted = plan_of(backend, options).wanted
    price = None if wanted is None else price_of(known, wanted)
    where = f"{kind}, {known.executor or backend.region}"
    return Place(queue=queue, where=where, price=price, aside=_aside(known.executor, options))


def _aside(executor: str, options: Options) -> str:
    """Processes of this machine have its Python and files, whatever image is named."""
    if executor != "process" or not options.image:
        return ""
    return f"image {options.image} is not used: without Docker, jobs here are processes of this machine"
