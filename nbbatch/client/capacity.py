"""What a job queue can give, and the refusal of what it never can, before anything is packed.

A job larger than every host of its queue would wait for ever, and those behind it, too. What hosts
offer is computed by the scheduler's own rules, so client and daemon agree. What is known of a queue
is believed for a while, because jobs are submitted in a row, but no job is refused by old news. An
AWS account is believed to have any size: it is not asked.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from typing import Any

from nbbatch.client.backend import Backend
from nbbatch.client.config import home
from nbbatch.client.handles.outcome import requirement
from nbbatch.client.money import prices
from nbbatch.client.options import Options
from nbbatch.client.spec import queue_of, resources_of
from nbbatch.errors import (
    AccessDeniedError,
    BackendUnreachableError,
    DoesNotFitError,
    NbbatchError,
    UnknownNameError,
)
from nbbatch.model.fleet import Catalogue
from nbbatch.model.resources import NOTHING, Resources

_FRESH = 30.0
"""Seconds for which what is known is believed."""
_WHOLE, _WHOLE_WITH_GPUS = "local.machine", "local.gpu"
"""Types that are this machine; only its daemon knows them."""
_MIB_PER_GIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What is known of a queue.

    Parameters
    ----------
    queue : str
        As it was asked for.
    environments : sequence of mapping
        DescribeComputeEnvironments' details, in the queue's order of preference.
    machine : Resources or None
        What this machine gives to jobs; None where jobs run elsewhere.
    executor : str
        What runs jobs there: `docker` or `process`; empty elsewhere.
    asked : float
        When, by the monotonic clock.
    """

    queue: str
    environments: Sequence[Mapping[str, Any]]
    machine: Resources | None
    executor: str
    asked: float

    @property
    def instance_types(self) -> tuple[str, ...]:
        """Of all its environments, as they name them."""
        return tuple(name for one in self.environments for name in _resources(one).get("instanceTypes") or ())

    @property
    def max_vcpus(self) -> int:
        """That all its environments together may have."""
        return sum(int(_resources(one).get("maxvCpus") or 0) for one in self.environments)

    @property
    def is_fargate(self) -> bool:
        """Whether its jobs run on Fargate; a queue does not mix it with EC2."""
        return any(str(_resources(one).get("type", "")).startswith("FARGATE") for one in self.environments)

    @property
    def is_spot(self) -> bool:
        """Whether all its hosts are Spot capacity."""
        kinds = [str(_resources(one).get("type", "")) for one in self.environments]
        return bool(kinds) and all(kind.endswith("SPOT") for kind in kinds)

    @property
    def largest(self) -> Resources | None:
        """What its largest host has for one job, as far as that is known; None where it is not."""
        rooms = self._rooms() if self.machine is not None else self._kinds()
        return max(rooms, key=lambda room: (room.gpus, room.vcpus, room.memory), default=None)

    def _rooms(self) -> list[Resources]:
        here = self.machine
        if here is None:
            return []
        return [_on(here, room) for one in self.environments for room in _rooms(one, here)]

    def _kinds(self) -> list[Resources]:
        """Of the instance types that its environments name."""
        return [kind.resources for kind in catalogue().expand(self.instance_types)]

    def refusal(self, wanted: Resources) -> str:
        """Why no host of it can ever give this to one attempt, in words; empty when one can."""
        if self.machine is None:
            return ""
        rooms = self._rooms()
        if any(wanted.fits(room) for room in rooms):
            return ""
        asks = f"The job asks for {in_words(wanted)}, and"
        if not rooms:
            return f"{asks} queue {self.queue} has no hosts on this machine."
        return f"{asks} on this machine the largest host of queue {self.queue} has {in_words(self.largest or NOTHING)}."


_known: dict[tuple[str, ...], Capacity] = {}
UNANSWERED = (AccessDeniedError, BackendUnreachableError)
"""Errors of a backend that cannot be asked, for want of credentials or of a network."""
_unchecked: ContextVar[list[str] | None] = ContextVar("unchecked", default=None)
_definitions: dict[tuple[str, ...], tuple[float, Mapping[str, Any] | None]] = {}


def check_fits(backend: Backend, options: Options) -> None:
    """Refuse a job that no host of its queue can ever give what it asks for.

    Parameters
    ----------
    backend : Backend
        Where the job goes.
    options : Options
        With defaults; what they leave to a named job definition is read from that.

    Raises
    ------
    UnknownNameError
        When the backend has no such queue or job definition; names the nearest one.
    DoesNotFitError
        Names what is asked for, how much there is, and what to do.
    """
    wanted = _wanted_of_definition(backend, options) if options.definition else resources_of(options)
    if wanted is not None:
        check_room(backend, queue_of(options), wanted)


def check_room(backend: Backend, queue: str, wanted: Resources) -> None:
    """The same for a queue, by name or ARN, and the resources of one attempt."""
    if capacity_of(backend, queue).refusal(wanted):
        refusal = capacity_of(backend, queue, is_fresh=True).refusal(wanted)
        if refusal:
            raise DoesNotFitError(
                refusal, cure="Ask for less (vcpus, memory, gpus), or name another queue or backend."
            )


def capacity_of(backend: Backend, queue: str, *, is_fresh: bool = False) -> Capacity:
    """What is known of a queue; asked again when that is old or has to be fresh.

    Raises
    ------
    UnknownNameError
        When the backend has no such queue; names the nearest one.
    """
    key = (*_place(backend), queue)
    known = _known.get(key)
    if known is None or is_fresh or time.monotonic() - known.asked > _FRESH:
        try:
            known = _known[key] = _ask(backend, queue)
        except UNANSWERED as error:
            excuse(f"queue {queue}, so prices are those of any EC2 host of the catalogue", error)
            return _assumed(queue)
    return known


def _assumed(queue: str) -> Capacity:
    """Any hosts of EC2, where nobody can be asked."""
    hosts = {"type": "EC2", "instanceTypes": ["optimal"]}
    return Capacity(
        queue=queue, environments=({"computeResources": hosts},), machine=None, executor="", asked=0.0
    )


@contextmanager
def as_far_as_known() -> Iterator[list[str]]:
    """What a backend does not answer, for want of credentials or of a network, is left out; gives what.

    For a dry run, which sends nothing and must not need an account.
    """
    unchecked: list[str] = []
    token = _unchecked.set(unchecked)
    try:
        yield unchecked
    finally:
        _unchecked.reset(token)


def excuse(what: str, error: NbbatchError) -> None:
    """Note what could not be asked, where that is allowed; else raise the error."""
    unchecked = _unchecked.get()
    if unchecked is None:
        raise error
    said = f"{what} ({error.message.rstrip('.')})"
    if said not in unchecked:
        unchecked.append(said)


def requirements_of(container: Mapping[str, Any]) -> Resources:
    """What a job's, a definition's or an override's container asks for; zero where it does not say."""
    detail = {"container": container}
    return Resources(
        vcpus=requirement(detail, "VCPU") or 0,
        memory=int(requirement(detail, "MEMORY") or 0),
        gpus=int(requirement(detail, "GPU") or 0),
    )


def queue_names(backend: Backend) -> list[str]:
    """All job queues of a backend."""
    with backend.errors():
        pages = backend.batch.get_paginator("describe_job_queues").paginate()
        return [queue["jobQueueName"] for page in pages for queue in page["jobQueues"]]


@cache
def catalogue() -> Catalogue:
    """Instance types and prices: the shipped ones, or newer ones of the home folder."""
    return prices.catalogue(home())


def _place(backend: Backend) -> tuple[str, str]:
    return backend.name, backend.identity


def _ask(backend: Backend, queue: str) -> Capacity:
    machine = backend.machine()
    return Capacity(
        queue=queue,
        environments=_environments(backend, queue),
        machine=None if machine is None else machine.resources,
        executor="" if machine is None else machine.executor,
        asked=time.monotonic(),
    )


def _environments(backend: Backend, queue: str) -> list[Mapping[str, Any]]:
    with backend.errors():
        found = backend.batch.describe_job_queues(jobQueues=[queue])["jobQueues"]
        if not found:
            raise unknown_queue(backend, queue)
        order = sorted(found[0].get("computeEnvironmentOrder", []), key=lambda one: one["order"])
        names = [one["computeEnvironment"] for one in order]
        reply = backend.batch.describe_compute_environments(computeEnvironments=names)
    details = reply["computeEnvironments"]
    by_name = {
        one[key]: one for one in details for key in ("computeEnvironmentArn", "computeEnvironmentName")
    }
    return [by_name[name] for name in names if name in by_name]


def unknown_queue(backend: Backend, queue: str) -> UnknownNameError:
    """The error for a queue that a backend does not have; names the nearest one."""
    names = queue_names(backend)
    near = get_close_matches(queue, names, n=1)
    cure = f"Did you mean {near[0]}?" if near else f"It has {', '.join(names) or 'none'}."
    return UnknownNameError(f"Backend {backend.name} has no job queue {queue!r}.", cure=cure)


def _rooms(environment: Mapping[str, Any], machine: Resources) -> Iterator[Resources]:
    """What hosts that a local environment may ever have offer to one job."""
    from nbbatch.scheduler.fleet import usable  # noqa: PLC0415 - 15 ms that only a first submission needs

    if environment.get("type") == "UNMANAGED":  # this machine is its host
        yield machine
        return
    resources = _resources(environment)
    most = resources.get("maxvCpus", 0)
    if str(resources.get("type", "")).startswith("FARGATE"):
        yield Resources(vcpus=most, memory=machine.memory)
        return
    names = tuple(resources.get("instanceTypes") or ())
    own = {_WHOLE: replace(machine, gpus=0), _WHOLE_WITH_GPUS: machine}
    rooms = [usable(kind.resources) for kind in catalogue().expand(names)]
    rooms += [room for name, room in own.items() if name in names]
    yield from (room for room in rooms if room.vcpus <= most)


def _on(machine: Resources, room: Resources) -> Resources:
    """As much of a host as there really is here; vCPUs are shares, so there may be more of them than cores."""
    return replace(room, memory=min(room.memory, machine.memory), gpus=min(room.gpus, machine.gpus))


def _resources(environment: Mapping[str, Any]) -> Mapping[str, Any]:
    return environment.get("computeResources") or {}


def _wanted_of_definition(backend: Backend, options: Options) -> Resources | None:
    """What the options ask for, and for the rest the definition; None where it says nothing."""
    try:
        definition = definition_of(backend, str(options.definition))
    except UNANSWERED as error:
        excuse(f"definition {options.definition}", error)
        return None
    if definition is None:
        raise _unknown_definition(backend, str(options.definition))
    container = definition.get("containerProperties")
    if container is None:
        return None
    named = {name: getattr(options, name) for name in ("vcpus", "memory", "gpus")}
    return replace(
        requirements_of(container), **{name: value for name, value in named.items() if value is not None}
    )


def definition_of(backend: Backend, definition: str) -> Mapping[str, Any] | None:
    """An active job definition by name, name:revision or ARN; None for one that is not there."""
    key = (*_place(backend), definition)
    asked, found = _definitions.get(key, (-_FRESH, None))
    if found is None or time.monotonic() - asked > _FRESH:
        found = _find_definition(backend, definition)
        _definitions[key] = time.monotonic(), found
    return found


def _find_definition(backend: Backend, definition: str) -> Mapping[str, Any] | None:
    which: dict[str, Any] = {"jobDefinitionName": definition, "status": "ACTIVE"}
    with backend.errors():
        reply = backend.batch.describe_job_definitions(
            **({"jobDefinitions": [definition]} if ":" in definition else which)
        )
    active = [one for one in reply["jobDefinitions"] if one.get("status") == "ACTIVE"]
    newest: Mapping[str, Any] | None = max(active, key=lambda one: one["revision"], default=None)
    return newest


def _unknown_definition(backend: Backend, definition: str) -> UnknownNameError:
    with backend.errors():
        pages = backend.batch.get_paginator("describe_job_definitions").paginate(status="ACTIVE")
        known = {one["jobDefinitionName"] for page in pages for one in page["jobDefinitions"]}
    near = get_close_matches(definition.partition(":")[0], known, n=1)
    return UnknownNameError(
        f"Backend {backend.name} has no active job definition {definition!r}.",
        cure=f"Did you mean {near[0]}?" if near else "Name one that is registered, as NAME or NAME:REVISION.",
    )


def in_words(amount: Resources) -> str:
    """Exact, and in the words of the options: `2 vCPU, 4 GB`, `1 vCPU, 3968 MB, 1 GPU`."""
    whole, rest = divmod(amount.memory, _MIB_PER_GIB)
    memory = f"{amount.memory} MB" if rest else f"{whole} GB"
    gpus = f", {amount.gpus} GPU{'s' if amount.gpus != 1 else ''}" if amount.gpus else ""
    return f"{amount.vcpus:g} vCPU, {memory}{gpus}"
