"""Where a simulated workload runs: from settings, from the local daemon, from an AWS account.

All of them go one way: environments and queues in AWS's own words, as Describe calls show them, and
from there to the events that would create them. So a setting means what it means to the daemon.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from importlib import resources
from types import MappingProxyType
from typing import Any

from nbbatch.client.backend import get_backend, translate
from nbbatch.client.simulation.workloads import read_amount, read_whole
from nbbatch.errors import OptionError, UserError
from nbbatch.model.events import ComputeEnvironmentCreated, Event, JobQueueCreated, SchedulingPolicyChanged
from nbbatch.model.fleet import (
    AllocationStrategy,
    Catalogue,
    ComputeEnvironment,
    SchedulingPolicy,
    parse_catalogue,
)
from nbbatch.model.rehearsal import PREFIX
from nbbatch.model.resources import Resources, parse_memory, parse_vcpus
from nbbatch.scheduler.simulate import World
from nbbatch.scheduler.virtual import Conditions
from nbbatch.wire.decode_environment import read_environment
from nbbatch.wire.decode_queue import decode_policy, read_queue

DEFAULT_VCPUS = 256
"""AWS Batch's console suggests this maxvCpus."""
_ENVIRONMENT = "simulated"
_TYPES = ("EC2", "SPOT", "FARGATE", "FARGATE_SPOT")

Description = dict[str, Any]
"""`computeEnvironments` and `jobQueues` as Describe calls show them, `machine` and `catalogue`."""


def read_worlds(worlds: Any, queues: Iterable[str]) -> dict[str, World]:
    """Bring candidate worlds to what the simulator takes.

    Parameters
    ----------
    worlds : str, mapping, or list of str
        A backend's name, or several; or settings (or a backend's name) by the world's own name.
    queues : iterable of str
        The workload's: a world of settings has them all.

    Raises
    ------
    OptionError
        When a setting is unknown or cannot be; names the world, the setting and the value.
    """
    wanted = sorted(set(queues))
    return {name: _read(name, settings, wanted) for name, settings in named_worlds(worlds).items()}


def named_worlds(worlds: Any) -> Mapping[str, Any]:
    """Settings, or a backend's name, by the world's own name.

    Raises
    ------
    OptionError
        There are none.
    """
    if isinstance(worlds, str):
        return {worlds: worlds}
    if isinstance(worlds, Mapping) and worlds:
        return {str(name): settings for name, settings in worlds.items()}
    if isinstance(worlds, Iterable) and not isinstance(worlds, Mapping):
        listed = list(worlds)
        if listed and all(isinstance(name, str) for name in listed):
            return {name: name for name in listed}
    raise OptionError(
        f"{worlds!r} names no worlds.", cure="Give a backend's name, or a mapping of names to settings."
    )


def _read(name: str, settings: Any, queues: list[str]) -> World:
    if isinstance(settings, str):
        settings = {"like": settings}
    if not isinstance(settings, Mapping):
        raise OptionError(f"World {name!r} is {settings!r}.", cure="Give a mapping or a backend's name.")
    given = {word: _value(name, word, value) for word, value in settings.items() if value is not None}
    like = given.get("like")
    described = _invented(queues) if like is None else describe_world(like)
    return _world(name, described, given)


def _value(world: str, word: str, value: Any) -> Any:
    reader = _READERS.get(word)
    if reader is None:
        close = get_close_matches(word, _READERS, n=1)
        cure = f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(_READERS)}."
        raise OptionError(f"World {world!r} has {word!r}, which means nothing.", cure=cure)
    try:
        return reader(value)
    except (UserError, TypeError, ValueError) as error:
        told = error.message if isinstance(error, UserError) else str(error)
        raise OptionError(f"{word} = {value!r} of world {world!r}: {told}") from error


def _invented(queues: list[str]) -> Description:
    """One environment of today's general-purpose types, and the workload's queues on it."""
    order = [{"order": 1, "computeEnvironment": _ENVIRONMENT}]
    return {
        "computeEnvironments": [
            {
                "computeEnvironmentName": _ENVIRONMENT,
                "type": "MANAGED",
                "computeResources": {
                    "type": "EC2",
                    "maxvCpus": DEFAULT_VCPUS,
                    "instanceTypes": ["optimal"],
                },
            }
        ],
        "jobQueues": [
            {"jobQueueName": queue, "priority": 1, "computeEnvironmentOrder": order} for queue in queues
        ],
    }


def _world(name: str, described: Description, given: Mapping[str, Any]) -> World:
    catalogue = described.get("catalogue") or shipped_catalogue()
    environments = [_environment(shown, given) for shown in described["computeEnvironments"]]
    for environment in environments:
        _check_types(name, environment, catalogue)
    created: list[Event] = [ComputeEnvironmentCreated(environment=known) for known in environments]
    policies = _policies(described, given)
    created += [SchedulingPolicyChanged(policy=policy) for policy in policies]
    shared = policies[0].name if _shares(given) else None
    queues = [read_queue(shown) for shown in described["jobQueues"]]
    created += [
        JobQueueCreated(queue=replace(queue, scheduling_policy=shared or queue.scheduling_policy))
        for queue in queues
    ]
    return World(events=tuple(created), catalogue=catalogue, conditions=_conditions(described, given))


def _environment(shown: Mapping[str, Any], given: Mapping[str, Any]) -> ComputeEnvironment:
    """An environment as it is shown, with what this world has otherwise."""
    members = {member: given[word] for word, member in _MEMBERS.items() if word in given}
    tags = {PREFIX + tag: f"{given[word]:g}" for word, tag in _TAGS.items() if word in given}
    if given.get("spot") is not None and "type" not in members:
        members["type"] = _spot(shown.get("computeResources", {}).get("type", "EC2"), wanted=given["spot"])
    changed = {**(shown.get("computeResources") or {}), **members}
    return read_environment({**shown, "computeResources": changed, "tags": {**shown.get("tags", {}), **tags}})


def _policies(described: Description, given: Mapping[str, Any]) -> list[SchedulingPolicy]:
    """The policies of the queues as they are; with settings for fair share, the one that all queues get."""
    if _shares(given):
        shown = [{"name": "simulated", "fairsharePolicy": _fair_share(given)}]
    else:
        shown = described.get("schedulingPolicies", [])
    return [
        decode_policy({"name": one["name"], "fairsharePolicy": one.get("fairsharePolicy", {})})
        for one in shown
    ]


def _shares(given: Mapping[str, Any]) -> bool:
    return not given.keys().isdisjoint(_SHARE_SETTINGS)


def _fair_share(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as `fairsharePolicy`."""
    weights = given.get("fair_share", {})
    return {
        "shareDecaySeconds": int(given.get("share_decay_seconds", 0)),
        "computeReservation": given.get("compute_reservation", 0),
        "shareDistribution": [
            {"shareIdentifier": share, "weightFactor": weight} for share, weight in weights.items()
        ],
    }


def _spot(kind: str, *, wanted: bool) -> str:
    if kind.startswith("FARGATE"):
        return "FARGATE_SPOT" if wanted else "FARGATE"
    return "SPOT" if wanted else "EC2"


def _conditions(described: Description, given: Mapping[str, Any]) -> Conditions:
    return Conditions(
        start=given.get("start_seconds", 0.0),
        stop=given.get("stop_seconds", 0.0),
        machine=given.get("machine", described.get("machine")),
    )


def _check_types(world: str, environment: ComputeEnvironment, catalogue: Catalogue) -> None:
    """Types that the catalogue does not have are left out; an environment with none of them says so."""
    wanted = environment.instance_types
    if wanted and not catalogue.expand(wanted) and not environment.resource_type.startswith("FARGATE"):
        raise OptionError(
            f"World {world!r}: no instance type of {environment.name} is in the catalogue: {', '.join(wanted)}.",
            cure=f"Use sizes or families such as m6i.large, c6i or optimal ({catalogue.source}).",
        )


def shipped_catalogue() -> Catalogue:
    """The instance types and prices that come with nbbatch."""
    return parse_catalogue(
        resources.files("nbbatch.model").joinpath("instance_types.json").read_text("utf-8")
    )


def describe_world(name: str) -> Description:
    """Ask a backend by Describe calls what it is made of.

    Raises
    ------
    UnknownNameError
        When there is no backend of that name.
    BackendError
        When it does not answer.
    """
    backend = get_backend(name)
    described, machine = _described(backend.batch), backend.machine()
    if machine is not None:
        described["catalogue"] = parse_catalogue(json.dumps(backend.private("catalogue", {})))
        described["machine"] = machine.room
    return described


def _described(batch: Any) -> Description:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - boto3 is slow to import

    try:
        described: Description = {
            shown: [one for page in batch.get_paginator(operation).paginate() for one in page[shown]]
            for shown, operation in _DESCRIBED.items()
        }
        named = {one.get("schedulingPolicyArn") for one in described["jobQueues"]} - {None}
        if named:
            reply = batch.describe_scheduling_policies(arns=sorted(named))
            described["schedulingPolicies"] = reply["schedulingPolicies"]
    except (BotoCoreError, ClientError) as error:
        raise translate(error) from error
    return described


_DESCRIBED = MappingProxyType(
    {"computeEnvironments": "describe_compute_environments", "jobQueues": "describe_job_queues"}
)
"""What Describe calls show, and the calls."""
_SHARE_SETTINGS = frozenset({"fair_share", "share_decay_seconds", "compute_reservation"})
"""Settings that make every queue a fair-share queue."""
_MEMBERS = MappingProxyType(
    {
        "type": "type",
        "min_vcpus": "minvCpus",
        "max_vcpus": "maxvCpus",
        "instance_types": "instanceTypes",
        "allocation_strategy": "allocationStrategy",
    }
)
"""Settings that are members of `computeResources`."""
_TAGS = MappingProxyType(
    {
        "launch_seconds": "launchSeconds",
        "idle_seconds": "idleSeconds",
        "notice_seconds": "noticeSeconds",
        "interruptions_per_hour": "interruptionsPerHour",
    }
)
"""Settings that AWS has no member for: the tags that a rehearsal takes them from."""


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("it is no text.")
    return value


def _type(value: Any) -> str:
    if value not in _TYPES:
        raise ValueError(f"it is none of {', '.join(_TYPES)}.")
    return str(value)


def _strategy(value: Any) -> str:
    if value not in tuple(AllocationStrategy):
        raise ValueError(f"it is none of {', '.join(AllocationStrategy)}.")
    return str(value)


def _names(value: Any) -> list[str]:
    return [_text(value)] if isinstance(value, str) else [_text(name) for name in value]


def _weights(value: Any) -> dict[str, float]:
    """Weights by share identifier, checked as AWS checks them."""
    weights = {_text(share): float(weight) for share, weight in dict(value).items()}
    decode_policy({"name": "simulated", "fairsharePolicy": _fair_share({"fair_share": weights})})
    return weights


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("it is neither True nor False.")
    return value


def _machine(value: Any) -> Resources:
    vcpus, memory = value
    return Resources(vcpus=parse_vcpus(vcpus), memory=parse_memory(memory))


_READERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "like": _text,
        "type": _type,
        "spot": _bool,
        "max_vcpus": read_whole(0),
        "min_vcpus": read_whole(0),
        "instance_types": _names,
        "allocation_strategy": _strategy,
        "fair_share": _weights,
        "share_decay_seconds": read_amount,
        "compute_reservation": read_whole(0),
        "interruptions_per_hour": read_amount,
        "launch_seconds": read_amount,
        "notice_seconds": read_amount,
        "start_seconds": read_amount,
        "stop_seconds": read_amount,
        "idle_seconds": read_amount,
        "machine": _machine,
    }
)
