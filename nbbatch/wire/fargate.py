"""What Fargate accepts of a container (user guide, "Job definition parameters", and AWS's texts)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbbatch.errors import ClientException
from nbbatch.model.fargate import check_fargate_size
from nbbatch.model.resources import Resources

_LOG_DRIVERS = ("awslogs", "splunk")
_REFUSED_LINUX = ("devices", "maxSwap", "swappiness", "sharedMemorySize", "tmpfs")


def check_fargate(properties: Mapping[str, Any], resources: Resources) -> None:
    """Refuse what Fargate cannot run.

    Raises
    ------
    ClientException
        In AWS's words where they are known.
    """
    check_fargate_size(resources)
    if not properties.get("executionRoleArn"):
        raise ClientException("executionRoleArn is required for Fargate jobs.")
    if resources.gpus:
        raise ClientException("GPU is not applicable for Fargate.")
    if properties.get("ulimits"):
        raise ClientException("ulimits is not applicable for Fargate.")
    if properties.get("privileged"):
        raise ClientException("privileged is not applicable for Fargate.")
    for name in _REFUSED_LINUX:
        if properties.get("linuxParameters", {}).get(name):
            raise ClientException(f"linuxParameter.{name} is not allowed for Fargate.")
    if any("sourcePath" in volume.get("host", {}) for volume in properties.get("volumes", ())):
        raise ClientException("host.sourcePath is not allowed for Fargate.")
    driver = properties.get("logConfiguration", {}).get("logDriver", "awslogs")
    if driver not in _LOG_DRIVERS:
        raise ClientException(f"Log driver for Fargate is not valid: {driver}")
