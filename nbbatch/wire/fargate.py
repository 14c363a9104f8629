"""What Fargate accepts, and what only Fargate accepts (user guide, "Job definition parameters").

AWS's texts where they are known. A container is one thing and its task another: `containerProperties`
are both in one, `ecsProperties` keep them apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbbatch.errors import ClientException
from nbbatch.model.fargate import check_fargate_size
from nbbatch.model.resources import Resources

_LOG_DRIVERS = ("awslogs", "splunk")
_TASK_LOG_DRIVERS = (*_LOG_DRIVERS, "awsfirelens")
"""[?] What the containers of an `ecsProperties` task may use."""
_REFUSED_LINUX = ("devices", "maxSwap", "swappiness", "sharedMemorySize", "tmpfs")
_STORAGE = (21, 200)
"""GiB."""
_MOST_SUBNETS, _MOST_GROUPS = 16, 5
_ARCHITECTURES = ("X86_64", "ARM64")
_FARGATE_ONLY = {
    "networkConfiguration": "networkConfiguration not applicable for EC2.",
    "fargatePlatformConfiguration": "fargatePlatformConfiguration not applicable for EC2.",
    "platformVersion": "platformVersion not applicable for EC2.",
    "runtimePlatform": "runtimePlatform is not applicable for EC2.",
    "ephemeralStorage": "ephemeralStorage is not applicable for EC2.",
}


def check_fargate(properties: Mapping[str, Any], resources: Resources) -> None:
    """Refuse a task that Fargate cannot run.

    Parameters
    ----------
    properties : mapping
        `containerProperties`, or an entry of `taskProperties`.
    resources : Resources
        Of all containers together.

    Raises
    ------
    ClientException
        In AWS's words where they are known.
    """
    check_fargate_size(resources)
    if not properties.get("executionRoleArn"):
        raise ClientException("executionRoleArn is required for Fargate jobs.")
    if any("sourcePath" in volume.get("host", {}) for volume in properties.get("volumes", ())):
        raise ClientException("host.sourcePath is not allowed for Fargate.")
    size = properties.get("ephemeralStorage", {}).get("sizeInGiB", _STORAGE[0])
    if not _STORAGE[0] <= size <= _STORAGE[1]:
        raise ClientException(
            f"ephemeralStorage.sizeInGiB: {size} is not between {_STORAGE[0]} and {_STORAGE[1]}"
        )
    _check_network(properties.get("networkConfiguration", {}))
    _check_runtime(properties.get("runtimePlatform", {}))


def check_fargate_container(
    properties: Mapping[str, Any], resources: Resources, *, in_task: bool = False
) -> None:
    """Refuse a container that Fargate cannot run, whatever its task.

    Raises
    ------
    ClientException
        In AWS's words where they are known.
    """
    if resources.gpus:
        raise ClientException("GPU is not applicable for Fargate.")
    if properties.get("ulimits"):
        raise ClientException("ulimits is not applicable for Fargate.")
    if properties.get("privileged"):
        raise ClientException("privileged is not applicable for Fargate.")
    for name in _REFUSED_LINUX:
        given = properties.get("linuxParameters", {}).get(name)
        if given is not None and given != []:
            raise ClientException(f"linuxParameter.{name} is not allowed for Fargate.")
    driver = properties.get("logConfiguration", {}).get("logDriver", "awslogs")
    if driver not in (_TASK_LOG_DRIVERS if in_task else _LOG_DRIVERS):
        raise ClientException(f"Log driver for Fargate is not valid: {driver}")


def check_ec2(properties: Mapping[str, Any]) -> None:
    """Refuse what only Fargate has.

    Raises
    ------
    ClientException
        In AWS's words where they are known.
    """
    for member, text in _FARGATE_ONLY.items():
        if member in properties:
            raise ClientException(text)


def _check_network(network: Mapping[str, Any]) -> None:
    if len(network.get("subnets", ())) > _MOST_SUBNETS:
        raise ClientException(f"Fargate supports a maximum of {_MOST_SUBNETS} subnets.")
    if len(network.get("securityGroups", ())) > _MOST_GROUPS:
        raise ClientException(f"Fargate supports a maximum of {_MOST_GROUPS} security groups.")
    assign = network.get("assignPublicIp", "DISABLED")
    if assign not in ("ENABLED", "DISABLED"):
        raise ClientException(f"networkConfiguration.assignPublicIp: {assign!r} is not ENABLED or DISABLED")


def _check_runtime(runtime: Mapping[str, str]) -> None:
    """Windows is refused here although Fargate has it: no engine of this backend can run it."""
    architecture = runtime.get("cpuArchitecture", _ARCHITECTURES[0])
    if architecture not in _ARCHITECTURES:
        raise ClientException(
            f"runtimePlatform.cpuArchitecture: {architecture!r} is not one of {', '.join(_ARCHITECTURES)}"
        )
    system = runtime.get("operatingSystemFamily", "LINUX")
    if system != "LINUX":
        raise ClientException(
            f"runtimePlatform.operatingSystemFamily: {system} cannot run on this machine; use LINUX, or AWS."
        )
