"""AWS JSON to the model: CreateComputeEnvironment.

Checks that need nothing but the JSON are made here; whether an environment exists and may join a
queue is decided by the scheduler's commands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from nbbatch.errors import ClientException
from nbbatch.model.fleet import ComputeEnvironment
from nbbatch.wire.decode import checked_name, decode_tags

IDLE_SECONDS = 60
"""How long an idle host stays where the environment says nothing; AWS does not tell its own number."""
MAX_SECURITY_GROUPS = 5
MAX_SUBNETS = 16
_FULL_BID = 100
_NOT_FOR_FARGATE = (
    "allocationStrategy",
    "minvCpus",
    "desiredvCpus",
    "instanceTypes",
    "imageId",
    "ec2KeyPair",
    "instanceRole",
    "tags",
    "placementGroup",
    "bidPercentage",
    "spotIamFleetRole",
    "launchTemplate",
    "ec2Configuration",
    "scalingPolicy",
)
_ARM = re.compile(r"(a1|t4g|[a-z]+\d+g[a-z]*|default_arm64)(\..*)?")
"""Graviton families carry a `g` right behind the generation."""


def decode_environment_request(request: Mapping[str, Any]) -> ComputeEnvironment:
    """Read CreateComputeEnvironment's input.

    Raises
    ------
    ClientException
        In AWS's words where they are known (aws_batch_semantics, section 27).
    """
    name = checked_name(request["computeEnvironmentName"], "Compute Environment")
    if request.get("state", "ENABLED") != "ENABLED":
        raise ClientException("Compute Environment must be created in ENABLED state.")
    if request.get("eksConfiguration"):
        raise ClientException("eksConfiguration: EKS is not there yet in nbbatch.")
    resources = request.get("computeResources")
    _check_type(request, resources)
    resources = resources or {}
    delay = resources.get("scalingPolicy", {}).get("minScaleDownDelayMinutes", 0)
    return ComputeEnvironment(
        name=name,
        type=request["type"],
        resource_type=resources.get("type", "EC2"),
        min_vcpus=resources.get("minvCpus", 0),
        max_vcpus=resources.get("maxvCpus", 0),
        instance_types=tuple(resources.get("instanceTypes", ())),
        idle_seconds=delay * 60 if delay else IDLE_SECONDS,
        tags=decode_tags(request.get("tags")),
        request=request,
        uuid=str(uuid5(NAMESPACE_URL, f"compute-environment/{name}")),
    )


def _check_type(request: Mapping[str, Any], resources: Mapping[str, Any] | None) -> None:
    if request["type"] == "UNMANAGED":
        if resources is not None and resources["type"].startswith("FARGATE"):
            raise ClientException("Cannot create an UNMANAGED Fargate Compute Environment.")
        if not request.get("serviceRole"):
            raise ClientException("ServiceRole is required.")
        return
    if "unmanagedvCpus" in request:
        raise ClientException("unmanagedvCpus is not applicable for managed Compute Environments")
    if resources is None:
        raise ClientException("computeResources must be provided for a MANAGED compute environment")
    match resources["type"]:
        case "FARGATE" | "FARGATE_SPOT":
            _check_fargate(resources)
        case "EC2" | "SPOT":
            _check_ec2(resources)
        case other:
            raise ClientException(f"computeResources.type: {other} is not there yet in nbbatch.")


def _check_fargate(resources: Mapping[str, Any]) -> None:
    for member in _NOT_FOR_FARGATE:
        if resources.get(member):
            raise ClientException(f"{member} is not applicable for Fargate.")
    if len(resources.get("securityGroupIds", ())) > MAX_SECURITY_GROUPS:
        raise ClientException("Fargate supports a maximum of 5 security groups.")
    if len(resources.get("subnets", ())) > MAX_SUBNETS:
        raise ClientException("Fargate supports a maximum of 16 subnets.")


def _check_ec2(resources: Mapping[str, Any]) -> None:
    """Bounds of vCPUs, Spot, and what an EC2 instance cannot be started without."""
    least, most = resources.get("minvCpus", 0), resources["maxvCpus"]
    if least < 0:
        raise ClientException("minvCpus should be greater than or equal to 0.")
    if most < least:
        raise ClientException("maxvCpus should be greater than or equal to minvCpus.")
    if not least <= resources.get("desiredvCpus", least) <= most:
        raise ClientException("desiredvCpus should be between minvCpus and maxvCpus.")
    if not 0 <= resources.get("bidPercentage", _FULL_BID) <= _FULL_BID:
        raise ClientException("Bid percentage must be between 0 to 100.")
    types = resources.get("instanceTypes", ())
    if not types:
        raise ClientException("Resource instanceTypes are required.")
    if len({_ARM.fullmatch(known) is not None for known in types}) > 1:
        raise ClientException("arm-based instance type cannot be used with other instance types")
    if not resources.get("instanceRole"):
        raise ClientException("Instance role is required.")
    if not resources.get("securityGroupIds") and "launchTemplate" not in resources:
        raise ClientException("Security group ids are required.")
    strategy = resources.get("allocationStrategy", "BEST_FIT")
    if resources["type"] == "SPOT" and strategy == "BEST_FIT" and not resources.get("spotIamFleetRole"):
        raise ClientException("compute resource spotIamFleetRole is required.")
