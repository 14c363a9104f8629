"""`containerProperties` and `containerOverrides`: AWS JSON to `Container` and `Overrides`.

Checks that need nothing but the JSON are made here, with AWS's texts where they are known; what
Fargate wants of a container is in `fargate`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from nbbatch.errors import ClientException
from nbbatch.model.jobs import Container, Device, Mount, Tmpfs, Ulimit
from nbbatch.model.requests import Overrides
from nbbatch.model.resources import Resources
from nbbatch.wire.fargate import check_fargate

RESERVED_PREFIX = "AWS_BATCH"
MIN_MEMORY = 4
"""MiB; EC2's minimum, which is Docker's."""

_USER = re.compile(r"[a-z0-9_][a-z0-9_-]{0,30}(:[a-z0-9_][a-z0-9_-]{0,30})?")
_LEGACY = {"VCPU": "vcpus", "MEMORY": "memory"}
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
    """Read `containerProperties` of a job definition.

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
    if not properties.get("image"):
        raise ClientException("ECS Container Image must be provided.")
    resources = _resources(properties, platform)
    if platform == "FARGATE":
        check_fargate(properties, resources)
    else:
        _check_ec2(properties)
    linux = properties.get("linuxParameters", {})
    swap = linux.get("maxSwap")
    return Container(
        image=properties["image"],
        command=tuple(properties.get("command", ())),
        environment=tuple(
            (name, value) for name, value in decode_environment(properties.get("environment", ())) if value
        ),
        resources=resources,
        mounts=_mounts(properties),
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
        as_registered=_as_registered(properties),
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
    amounts = _requirements(overrides.get("resourceRequirements", ()))
    return Overrides(
        command=tuple(command) if command else None,
        environment=decode_environment(overrides.get("environment", ())),
        vcpus=_vcpus(amounts["VCPU"]) if "VCPU" in amounts else None,
        memory=_memory(amounts["MEMORY"]) if "MEMORY" in amounts else None,
        gpus=_gpus(amounts["GPU"]) if "GPU" in amounts else None,
        legacy_vcpus=int(_vcpus(str(overrides["vcpus"]))) if "vcpus" in overrides else None,
        legacy_memory=_memory(str(overrides["memory"])) if "memory" in overrides else None,
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


def _resources(properties: Mapping[str, Any], platform: str) -> Resources:
    amounts = _requirements(properties.get("resourceRequirements", ()))
    for kind, legacy in _LEGACY.items():
        if legacy in properties:
            if kind in amounts:
                raise ClientException(
                    f"Cannot use both ECS containerProperties {legacy} and resourceRequirement {kind}."
                )
            amounts[kind] = str(properties[legacy])
    if "VCPU" not in amounts:
        raise ClientException("vCPU is required.")
    if "MEMORY" not in amounts:
        raise ClientException("Memory is required.")
    vcpus = _vcpus(amounts["VCPU"])
    if platform != "FARGATE" and not vcpus.is_integer():
        raise ClientException(f"vCPU must be a whole number on {platform}, got {amounts['VCPU']}.")
    return Resources(
        vcpus=vcpus,
        memory=_memory(amounts["MEMORY"]),
        gpus=_gpus(amounts["GPU"]) if "GPU" in amounts else 0,
    )


def _requirements(entries: Sequence[Mapping[str, str]]) -> dict[str, str]:
    amounts = {entry["type"]: entry["value"] for entry in entries}
    if len(amounts) != len(entries):
        raise ClientException("Cannot provide duplicates in resourceRequirements.")
    return amounts


def _vcpus(text: str) -> float:
    """Whole vCPUs, or a quarter or half of one, which only Fargate gives."""
    try:
        vcpus = float(text)
    except ValueError:
        raise ClientException(f"resourceRequirements: VCPU {text!r} is not a number.") from None
    if vcpus in (0.25, 0.5):
        return vcpus
    if not vcpus >= 1:
        raise ClientException(f"vCPU must be at least 1, got {text}.")
    if not vcpus.is_integer():
        raise ClientException(f"vCPU must be a whole number, got {text}.")
    return vcpus


def _memory(text: str) -> int:
    memory = _whole("MEMORY", text)
    if memory < MIN_MEMORY:
        raise ClientException(f"Memory must be at least {MIN_MEMORY} Mib, got {memory} Mib.")
    return memory


def _gpus(text: str) -> int:
    gpus = _whole("GPU", text)
    if gpus < 1:
        raise ClientException(f"GPU must be at least 1, got {gpus}.")
    return gpus


def _whole(kind: str, text: str) -> int:
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 12):  # noqa: PLR2004
        raise ClientException(f"resourceRequirements: {kind} {text[:40]!r} is not a whole number.")
    return int(text)


def _mounts(properties: Mapping[str, Any]) -> tuple[Mount, ...]:
    sources: dict[str, str | None] = {}
    for volume in properties.get("volumes", ()):
        kinds = [
            kind
            for kind in ("host", "efsVolumeConfiguration", "s3filesVolumeConfiguration")
            if kind in volume
        ]
        if len(kinds) > 1:
            raise ClientException(
                "When the volume parameter is specified, only one volume configuration type should be used."
            )
        if kinds and kinds[0] != "host":
            raise ClientException(f"volumes: {kinds[0]} is not there yet in nbbatch; use host.sourcePath.")
        sources[volume.get("name", "")] = volume.get("host", {}).get("sourcePath")
    mounts = []
    for point in properties.get("mountPoints", ()):
        name, target = point.get("sourceVolume", ""), point.get("containerPath", "")
        if name not in sources:
            raise ClientException(f"mountPoints: there is no volume {name!r} among the definition's volumes.")
        if not target.startswith("/"):
            raise ClientException(f"mountPoints: containerPath {target!r} is not an absolute path.")
        mounts.append(Mount(target=target, source=sources[name], read_only=point.get("readOnly", False)))
    return tuple(mounts)


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


def _check_ec2(properties: Mapping[str, Any]) -> None:
    if "networkConfiguration" in properties:
        raise ClientException("networkConfiguration not applicable for EC2.")
    if "fargatePlatformConfiguration" in properties:
        raise ClientException("fargatePlatformConfiguration not applicable for EC2.")
    if "runtimePlatform" in properties:
        raise ClientException("runtimePlatform is not applicable for EC2.")


def _as_registered(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """The JSON for Describe calls: registering drops environment entries with an empty value."""
    entries = properties.get("environment")
    if not entries or all(entry.get("value") for entry in entries):
        return properties
    return {**properties, "environment": [entry for entry in entries if entry.get("value")]}
