"""Where a job will go, in words and dollars, checked before anything is packed.

The price is that of the cheapest instance type of the queue's environments on which the job fits,
for the share of the host that it holds, from the catalogue that the local daemon uses, too.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

from nbbatch.client import prices
from nbbatch.client.backend import Backend
from nbbatch.client.config import home
from nbbatch.client.listing import queue_names
from nbbatch.client.options import Options
from nbbatch.client.spec import queue_of, resources_of
from nbbatch.errors import DoesNotFitError, UnknownNameError
from nbbatch.jupyter.format import memory, plural
from nbbatch.jupyter.story import Place
from nbbatch.model.fleet import Catalogue, InstanceType
from nbbatch.model.resources import Resources

_FRESH = 30.0
"""Seconds for which what is known of a queue is believed: cells are run in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a queue: its environments, the backend in words, and the local machine."""

    environments: Sequence[Mapping[str, Any]]
    where: str
    machine: Mapping[str, Any] | None
    asked: float

    @property
    def instance_types(self) -> list[str]:
        """Of all its environments; where the job makes its own host, or brings none, this machine's name."""
        resources = [one.get("computeResources") or {"type": "UNMANAGED"} for one in self.environments]
        sized = [one.get("instanceTypes") or _ANY_SIZE.get(str(one.get("type")), ()) for one in resources]
        return [name for names in sized for name in names]

    @property
    def is_fargate(self) -> bool:
        """Whether its jobs run on Fargate; a queue does not mix it with EC2."""
        kinds = [(one.get("computeResources") or {}).get("type", "") for one in self.environments]
        return any(kind.startswith("FARGATE") for kind in kinds)


_ANY_SIZE: Mapping[str, Sequence[str]] = dict.fromkeys(
    ("FARGATE", "FARGATE_SPOT", "UNMANAGED"), ("this machine",)
)
_known: dict[tuple[str, ...], Facts] = {}


def place_of(backend: Backend, options: Options) -> Place:
    """Where a job with these options goes.

    Raises
    ------
    UnknownNameError
        When the backend has no such queue; names the nearest ones.
    DoesNotFitError
        When the local machine is smaller than what is asked for.
    """
    queue, wanted = queue_of(options), resources_of(options)
    facts = _facts_of(backend, queue)
    if options.definition:
        return Place(queue=queue, where=facts.where)
    if facts.machine is not None:
        check_fits(wanted, queue, facts.instance_types, facts.machine)
    return Place(queue=queue, where=facts.where, price=_price(facts, wanted))


def _facts_of(backend: Backend, queue: str) -> Facts:
    key = (backend.name, str(backend.home or backend.region), queue)
    facts = _known.get(key)
    if facts is None or time.monotonic() - facts.asked > _FRESH:
        facts = _known[key] = _ask(backend, queue)
    return facts


def _ask(backend: Backend, queue: str) -> Facts:
    environments = environments_of(backend, queue)
    where = backend.kind if backend.kind == backend.name else f"{backend.name}, {backend.kind}"
    status = backend.private("status", {}) if backend.kind == "local" else None
    place = backend.region if status is None else status["executor"]["name"]
    return Facts(
        environments=environments,
        where=f"{where}, {place}",
        machine=None if status is None else status["machine"],
        asked=time.monotonic(),
    )


def environments_of(backend: Backend, queue: str) -> list[Mapping[str, Any]]:
    """DescribeComputeEnvironments' details of a queue, in its order of preference."""
    with backend.errors():
        found = backend.batch.describe_job_queues(jobQueues=[queue])["jobQueues"]
        if not found:
            raise _unknown_queue(backend, queue)
        order = sorted(found[0].get("computeEnvironmentOrder", []), key=lambda one: one["order"])
        names = [one["computeEnvironment"] for one in order]
        details = backend.batch.describe_compute_environments(computeEnvironments=names)[
            "computeEnvironments"
        ]
    by_name = {
        key: detail
        for detail in details
        for key in (detail["computeEnvironmentArn"], detail["computeEnvironmentName"])
    }
    return [by_name[name] for name in names if name in by_name]


def check_fits(wanted: Resources, queue: str, types: Sequence[str], machine: Mapping[str, Any]) -> None:
    """Refuse what no host of a local queue can ever give: it would wait forever, and others behind it.

    Parameters
    ----------
    wanted : Resources
        Of one attempt.
    queue : str
        The job queue.
    types : sequence of str
        Instance types of its environments; the one that is not in the catalogue is this machine.
    machine : mapping
        What this machine has: `vcpus`, `memory` (MiB), `gpus`.

    Raises
    ------
    DoesNotFitError
        Names what is short, how much there is, and what to do.
    """
    here = Resources(vcpus=machine["vcpus"], memory=machine["memory"], gpus=machine["gpus"])
    known = catalogue().types
    rooms = [known[name].resources if name in known else here for name in types]
    if any(wanted.fits(room) and wanted.memory <= here.memory for room in rooms):
        return
    largest = max(rooms, key=lambda room: (room.gpus, room.vcpus, room.memory), default=None)
    there = (
        f"the largest host of queue {queue} has {_in_words(largest)}"
        if largest
        else f"queue {queue} has no hosts"
    )
    raise DoesNotFitError(
        f"The job asks for {_in_words(wanted)}, and on this machine {there}.",
        cure="Ask for less with --vcpus, --memory or --gpus, or name another place with --queue or --backend.",
    )


def _in_words(amount: Resources) -> str:
    gpus = f", {plural(amount.gpus, 'GPU')}" if amount.gpus else ""
    return f"{amount.vcpus:g} vCPU, {memory(amount.memory)}{gpus}"


def _unknown_queue(backend: Backend, queue: str) -> UnknownNameError:
    names = queue_names(backend)
    near = get_close_matches(queue, names, n=1)
    cure = f"Did you mean {near[0]}?" if near else f"It has {', '.join(names) or 'none'}."
    return UnknownNameError(f"Backend {backend.name} has no job queue {queue!r}.", cure=cure)


def _price(facts: Facts, wanted: Resources) -> tuple[float, float] | None:
    """Dollars per hour, on demand and Spot, of the cheapest share of a fitting host."""
    if facts.is_fargate:
        fargate = catalogue().fargate
        return fargate.price(wanted), fargate.price(wanted) * fargate.spot_share
    kinds = catalogue().expand(tuple(facts.instance_types))
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


@cache
def catalogue() -> Catalogue:
    """Instance types and prices: the shipped ones, or newer ones of the home folder."""
    return prices.catalogue(home())
