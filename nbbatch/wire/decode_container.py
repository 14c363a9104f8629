"""`containerProperties` and `containerOverrides`: AWS JSON to `Container` and `Overrides`.

Checks that need nothing but the JSON are made here, with AWS's texts where they are known; what
Fargate wants of a container is in `fargate`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from nbbatch.errors import ClientException
from nbbatch.model.containers import Container, Device, Tmpfs, Ulimit
from nbbatch.model.requests import Overrides
from nbbatch.wire.decode_resources import (
    decode_amounts,
    decode_gpus,
    decode_memory,
    decode_resources,
    decode_vcpus,
)
from nbbatch.wire.decode_volumes import decode_mounts
from nbbatch.wire.fargate import check_ec2, check_fargate, check_fargate_container

RESERVED_PREFIX = "AWS_BATCH"
_USER = re.compile(r"[a-z0-9_][a-z0-9_-]{0,30}(:[a-z0-9_][a-z0-9_-]{0,30})?")
_AWSLOGS_OPTIONS = frozenset(
    {
        "awslogs-create-group",
        "awslogs-datetime-format",
        "awslogs-group",
        "awslogs-multiline-pattern",
        "awslogs-region",
        "awslogs-stream-prefix",
        "max-buffer-size",
        "mode",
    }
)


def decode_container(properties: Mapping[str, Any], platform: str) -> Container:
    """Read `containerProperties` of a job definition: a task's one container and the task in one.

    Parameters
    ----------
    properties : mapping
        Validated and cleaned AWS JSON.
    platform : str
        `EC2`, `FARGATE` or `MANAGED_INSTANCES`.

    Raises
    ------
    ClientException
        In AWS's words where they are known.
    """
    container = read_container(properties, platform)
    if platform == "FARGATE":
        check_fargate(properties, container.resources)
    else:
        check_ec2(properties)
    return replace(container, as_registered=as_registered(properties))


def read_container(properties: Mapping[str, Any], platform: str, *, in_task: bool = False) -> Container:
    """What one container is told, wherever it stands; `volumes` and roles are those of its task.

    Raises
    ------
    ClientException
        In AWS's words where they are known.
    """
    if not properties.get("image"):
        raise ClientException("ECS Container Image must be provided.")
    resources = decode_resources(properties, platform)
    if platform == "FARGATE":
        check_fargate_container(properties, resources, in_task=in_task)
    linux = properties.get("linuxParameters", {})
    swap = linux.get("maxSwap")
    return Container(
        image=properties["image"],
        command=tuple(properties.get("command", ())),
        environment=tuple(
            (name, value) for name, value in decode_environment(properties.get("environment", ())) if value
        ),
        resources=resources,
        mounts=decode_mounts(properties),
        ulimits=tuple(
            Ulimit(name=known["name"], soft=known["softLimit"], hard=known["hardLimit"])
            for known in properties.get("ulimits", ())
        ),
        tmpfs=tuple(
            Tmpfs(
                target=known["containerPath"],
                size=known["size"],
                options=tuple(known.get("mountOptions", ())),
            )
            for known in linux.get("tmpfs", ())
        ),
        devices=tuple(_device(known) for known in linux.get("devices", ())),
        secrets=_secrets(properties),
        user=_user(properties),
        privileged=properties.get("privileged", False),
        read_only_root=properties.get("readonlyRootFilesystem", False),
        init=linux.get("initProcessEnabled", False),
        shm_size=linux.get("sharedMemorySize"),
        memory_swap=None if swap is None else resources.memory + swap,
        swappiness=None if swap is None else _swappiness(linux),
        log_options=_log_options(properties),
    )


def decode_overrides(overrides: Mapping[str, Any]) -> Overrides:
    """Read `containerOverrides` of SubmitJob.

    Raises
    ------
    ClientException
        In AWS's words where they are known.
    """
    if "instanceType" in overrides:
        raise ClientException("instanceType can only be overridden for multi-node parallel jobs.")
    command = overrides.get("command")
    if command is not None and "" in command:
        raise ClientException("containerOverrides.command may not contain an empty string.")
    amounts = decode_amounts(overrides.get("resourceRequirements", ()))
    return Overrides(
        command=tuple(command) if command else None,
        environment=decode_environment(overrides.get("environment", ())),
        vcpus=decode_vcpus(amounts["VCPU"]) if "VCPU" in amounts else None,
        memory=decode_memory(amounts["MEMORY"]) if "MEMORY" in amounts else None,
        gpus=decode_gpus(amounts["GPU"]) if "GPU" in amounts else None,
        legacy_vcpus=int(decode_vcpus(str(overrides["vcpus"]))) if "vcpus" in overrides else None,
        legacy_memory=decode_memory(str(overrides["memory"])) if "memory" in overrides else None,
    )


def decode_environment(entries: Sequence[Mapping[str, str]]) -> tuple[tuple[str, str], ...]:
    """Read a list of environment variables; names that belong to AWS Batch are refused."""
    variables = []
    for entry in entries:
        name = entry.get("name")
        if not name:
            raise ClientException("Environment variable name is required.")
        if name.startswith(RESERVED_PREFIX):
            raise ClientException(
                f"Environment variable {name} cannot be set: names that start with {RESERVED_PREFIX} are reserved."
            )
        variables.append((name, entry.get("value", "")))
    return tuple(variables)


def _device(entry: Mapping[str, Any]) -> Device:
    device = Device(source=entry["hostPath"], target=entry.get("containerPath", entry["hostPath"]))
    if not entry.get("permissions"):
        return device
    return Device(source=device.source, target=device.target, permissions=tuple(entry["permissions"]))


def _secrets(properties: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    secrets = properties.get("secrets", ())
    options = properties.get("logConfiguration", {}).get("secretOptions", ())
    if (secrets or options) and not properties.get("executionRoleArn"):
        raise ClientException("executionRoleArn cannot be empty when using secrets or secretOptions")
    return tuple((known["name"], known["valueFrom"]) for known in secrets)


def _user(properties: Mapping[str, Any]) -> str | None:
    """A name or number, and (as ECS and Docker take it, beyond AWS Batch's pattern) a group."""
    user: str | None = properties.get("user")
    if user and _USER.fullmatch(user) is None:
        raise ClientException(f"User '{user}' does not match regex ^{_USER.pattern}$")
    return user or None


def _swappiness(linux: Mapping[str, Any]) -> int | None:
    swappiness: int | None = linux.get("swappiness")
    if swappiness is None and linux["maxSwap"] > 0:
        raise ClientException("When container specified swap memory, swappiness value is required.")
    if swappiness is not None and not 0 <= swappiness <= 100:  # noqa: PLR2004 - AWS's text names them
        raise ClientException(f"Invalid swappiness: {swappiness}, must be between 0 and 100.")
    return swappiness


def _log_options(properties: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Options of the awslogs driver; other drivers are taken, and logged in the same way locally."""
    configuration = properties.get("logConfiguration", {})
    if configuration.get("logDriver") != "awslogs":
        return ()
    options: dict[str, str] = configuration.get("options", {})
    unknown = sorted(options.keys() - _AWSLOGS_OPTIONS)
    if unknown:
        raise ClientException(f"Log driver awslogs disallows options: {', '.join(unknown)}")
    prefix = options.get("awslogs-stream-prefix", "x")
    if any(part in ("", ".", "..") for part in prefix.split("/")) or re.search(r"[:*\\\x00-\x1f]", prefix):
        raise ClientException(f"awslogs-stream-prefix {prefix!r} cannot be part of a log stream's name.")
    return tuple(options.items())


def as_registered(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """The JSON for Describe calls: registering drops environment entries with an empty value."""
    entries = properties.get("environment")
    if not entries or all(entry.get("value") for entry in entries):
        return properties
    return {**properties, "environment": [entry for entry in entries if entry.get("value")]}
