"""AWS JSON to the model: CreateComputeEnvironment and UpdateComputeEnvironment.

Checks that need nothing but the JSON, and for an update the environment as it is, are made here; what
needs the scheduler's state is decided by its commands. An update that changes more than the scale of
an EC2 environment is an infrastructure update (user guide, "Updating compute environments").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from nbbatch.errors import ClientException
from nbbatch.model.events import ComputeEnvironmentUpdated
from nbbatch.model.fleet import (
    DEFAULT_FAMILIES,
    AllocationStrategy,
    ComputeEnvironment,
    ResourceStatus,
    Switch,
)
from nbbatch.model.rehearsal import read_rehearsal
from nbbatch.wire.decode import checked_name, decode_tags

MAX_SECURITY_GROUPS = 5
MAX_SUBNETS = 16
UPDATE_POLICY: Mapping[str, Any] = {"terminateJobsOnUpdate": False, "jobExecutionTimeoutMinutes": 30}
"""What holds where no `updatePolicy` was given."""
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
_SCALE = frozenset({"minvCpus", "maxvCpus", "desiredvCpus", "scalingPolicy"})
"""Members whose change replaces no host."""
_DELAY = range(20, 10_081)
"""minScaleDownDelayMinutes (API reference, ComputeScalingPolicy)."""
_TIMEOUT = range(1, 7_201)
"""jobExecutionTimeoutMinutes (API reference, UpdatePolicy)."""
_ARM = re.compile(r"(a1|t4g|[a-z]+\d+g[a-z]*|default_arm64)(\..*)?")
"""Graviton families carry a `g` right behind the generation."""
S = AllocationStrategy
_ORDERED = (S.BEST_FIT_PROGRESSIVE_ORDERED, S.SPOT_CAPACITY_OPTIMIZED_PRIORITIZED)


def decode_environment_request(request: Mapping[str, Any]) -> ComputeEnvironment:
    """Read CreateComputeEnvironment's input.

    Raises
    ------
    ClientException
        In AWS's words where they are known (aws_batch_semantics, section 27).
    """
    checked_name(request["computeEnvironmentName"], "Compute Environment")
    if request.get("state", "ENABLED") != "ENABLED":
        raise ClientException("Compute Environment must be created in ENABLED state.")
    _refuse_eks(request)
    _check_type(request, request.get("computeResources"))
    return read_environment(request)


def read_environment(request: Mapping[str, Any]) -> ComputeEnvironment:
    """Read an environment without checks: as it was asked for, or as Describe calls show it."""
    name, tags = request["computeEnvironmentName"], decode_tags(request.get("tags"))
    return ComputeEnvironment(
        name=name,
        type=request["type"],
        state=Switch(request.get("state", "ENABLED")),
        status=ResourceStatus(request.get("status", "VALID")),
        **_settings(request.get("computeResources") or {}),
        **read_rehearsal(tags),
        tags=tags,
        request=request,
        uuid=environment_uuid(name),
    )


def environment_uuid(name: str) -> str:
    """The `uuid` of the environment of this name."""
    return str(uuid5(NAMESPACE_URL, f"compute-environment/{name}"))


def decode_environment_update(
    known: ComputeEnvironment, request: Mapping[str, Any]
) -> ComputeEnvironmentUpdated:
    """Read UpdateComputeEnvironment's input against the environment as it is.

    Raises
    ------
    ClientException
        In AWS's words where they are known (aws_batch_semantics, sections 11 and 27).
    """
    _refuse_eks(request)
    given = request.get("computeResources", {})
    before = _resources_of(known)
    after = {**before, **given}
    _check_update(known, request, after)
    replaces = _replaces_hosts(known, before, given)
    if replaces:
        _check_replaceable(known)
    policy = {**UPDATE_POLICY, **known.request.get("updatePolicy", {}), **request.get("updatePolicy", {})}
    if policy["jobExecutionTimeoutMinutes"] not in _TIMEOUT:
        raise ClientException("updatePolicy.jobExecutionTimeoutMinutes must be between 1 and 7200.")
    job_seconds = 0 if policy["terminateJobsOnUpdate"] else policy["jobExecutionTimeoutMinutes"] * 60
    return ComputeEnvironmentUpdated(
        environment=_updated(known, request, after),
        replaces_hosts=replaces,
        job_seconds=job_seconds,
        desired_vcpus=given.get("desiredvCpus"),
    )


def _updated(
    known: ComputeEnvironment, request: Mapping[str, Any], resources: Mapping[str, Any]
) -> ComputeEnvironment:
    kept = {name: request[name] for name in ("serviceRole", "unmanagedvCpus", "context") if name in request}
    if "updatePolicy" in request:
        kept["updatePolicy"] = {**known.request.get("updatePolicy", {}), **request["updatePolicy"]}
    if known.is_managed:
        shown = ("desiredvCpus", "updateToLatestImageVersion")
        kept["computeResources"] = {name: value for name, value in resources.items() if name not in shown}
    return replace(
        known,
        **(_settings(resources) if known.is_managed else {}),
        state=Switch(request.get("state", known.state)),
        status=ResourceStatus.VALID,
        status_reason="ComputeEnvironment Healthy",
        request={**known.request, **kept},
    )


def _settings(resources: Mapping[str, Any]) -> dict[str, Any]:
    """What placement and scaling need of `computeResources`."""
    return {
        "resource_type": resources.get("type", "EC2"),
        "min_vcpus": resources.get("minvCpus", 0),
        "max_vcpus": resources.get("maxvCpus", 0),
        "instance_types": tuple(resources.get("instanceTypes", ())),
        "strategy": S(resources.get("allocationStrategy", S.BEST_FIT)),
        "bid_percentage": resources.get("bidPercentage") or _FULL_BID,
        "scale_down_minutes": resources.get("scalingPolicy", {}).get("minScaleDownDelayMinutes", 0),
    }


def _resources_of(known: ComputeEnvironment) -> dict[str, Any]:
    """`computeResources` as they are; those of the default world were never requested."""
    shown: dict[str, Any] = {"type": known.resource_type, "maxvCpus": known.max_vcpus}
    if not known.is_fargate:
        shown |= {"minvCpus": known.min_vcpus, "instanceTypes": list(known.instance_types)}
        shown["allocationStrategy"] = known.strategy
    return {**shown, **known.request.get("computeResources", {})}


def _replaces_hosts(known: ComputeEnvironment, before: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    if known.is_fargate:
        return False
    return any(value != before.get(name) for name, value in given.items() if name not in _SCALE)


def _check_replaceable(known: ComputeEnvironment) -> None:
    """Infrastructure updates need another strategy than BEST_FIT and the service-linked role."""
    if known.strategy is S.BEST_FIT:
        raise ClientException(
            "Only minvCpus, maxvCpus, desiredvCpus and scalingPolicy can be updated: allocationStrategy is "
            "BEST_FIT, which allows no infrastructure update. Create another compute environment."
        )
    role = known.request.get("serviceRole", "AWSServiceRoleForBatch")
    if not role.endswith("AWSServiceRoleForBatch"):
        raise ClientException(
            f"An infrastructure update needs the service-linked role AWSServiceRoleForBatch, not {role}."
        )


def _check_update(known: ComputeEnvironment, request: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    given = request.get("computeResources", {})
    if known.is_managed and "unmanagedvCpus" in request:
        raise ClientException("unmanagedvCpus is not applicable for managed Compute Environments")
    if not known.is_managed:
        if given:
            raise ClientException("computeResources is not applicable for unmanaged Compute Environments")
        return
    if given.get("type", known.resource_type).startswith("FARGATE") != known.is_fargate:
        raise ClientException("computeResources.type cannot be changed between Fargate and EC2.")
    if given.get("allocationStrategy") == S.BEST_FIT:
        raise ClientException("allocationStrategy cannot be updated to BEST_FIT.")
    if known.is_fargate:
        _check_fargate(given)
        return
    _check_scale(after)
    _check_types(after)


def _refuse_eks(request: Mapping[str, Any]) -> None:
    if request.get("eksConfiguration"):
        raise ClientException("eksConfiguration: nbbatch has no Kubernetes; without it, jobs run on ECS.")


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
            raise ClientException(
                f"computeResources.type: {other} is not there in nbbatch; EC2 runs the same jobs on hosts "
                "of the instance types that you name."
            )


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
    _check_scale(resources)
    _check_types(resources)
    if not resources.get("instanceRole"):
        raise ClientException("Instance role is required.")
    if not resources.get("securityGroupIds") and "launchTemplate" not in resources:
        raise ClientException("Security group ids are required.")
    strategy = resources.get("allocationStrategy", S.BEST_FIT)
    if resources["type"] == "SPOT" and strategy == S.BEST_FIT and not resources.get("spotIamFleetRole"):
        raise ClientException("compute resource spotIamFleetRole is required.")


def _check_scale(resources: Mapping[str, Any]) -> None:
    least, most = resources.get("minvCpus", 0), resources["maxvCpus"]
    if least < 0:
        raise ClientException("minvCpus should be greater than or equal to 0.")
    if most < least:
        raise ClientException("maxvCpus should be greater than or equal to minvCpus.")
    if not least <= resources.get("desiredvCpus", least) <= most:
        raise ClientException("desiredvCpus should be between minvCpus and maxvCpus.")
    if not 0 <= resources.get("bidPercentage", _FULL_BID) <= _FULL_BID:
        raise ClientException("Bid percentage must be between 0 to 100.")
    delay = resources.get("scalingPolicy", {}).get("minScaleDownDelayMinutes", 0)
    if delay and delay not in _DELAY:
        raise ClientException(f"minScaleDownDelayMinutes is {delay}; it must be 0 or between 20 and 10080.")


def _check_types(resources: Mapping[str, Any]) -> None:
    types = resources.get("instanceTypes", ())
    if not types:
        raise ClientException("Resource instanceTypes are required.")
    if len({_ARM.fullmatch(known) is not None for known in types}) > 1:
        raise ClientException("arm-based instance type cannot be used with other instance types")
    strategy = S(resources.get("allocationStrategy", S.BEST_FIT))
    if strategy.startswith("SPOT") and resources["type"] != "SPOT":
        raise ClientException(f"allocationStrategy: {strategy} is for compute environments of type SPOT.")
    if strategy is S.BEST_FIT_PROGRESSIVE_ORDERED and resources["type"] != "EC2":
        raise ClientException(f"allocationStrategy: {strategy} is for compute environments of type EC2.")
    bundles = [known for known in types if known in DEFAULT_FAMILIES]
    if strategy in _ORDERED and bundles:
        raise ClientException(
            f"allocationStrategy: {strategy} takes no {bundles[0]}; name the types in order."
        )
