"""The model to AWS JSON: job definitions, job queues and compute environments; and the catalogue.

What a caller registered is shown unchanged, because clients that find or register compare the two;
only lists that are absent come back empty, as the service does it.
"""

from __future__ import annotations

from nbbatch.model.arns import Arns
from nbbatch.model.containers import Container
from nbbatch.model.fleet import Catalogue, ComputeEnvironment, JobQueue
from nbbatch.model.jobs import JobDefinition, NodeRange
from nbbatch.wire.decode_environment import UPDATE_POLICY
from nbbatch.wire.encode import encode_retry_strategy
from nbbatch.wire.encode_container import EMPTY_LISTS, Json
from nbbatch.wire.encode_nodes import encode_nodes
from nbbatch.wire.encode_task import encode_registered_task

_ECHOED = ("platformCapabilities", "propagateTags", "schedulingPriority", "consumableResourceProperties")


def encode_definition(definition: JobDefinition, arns: Arns) -> Json:
    """A revision as `JobDefinition`."""
    shown: Json = {
        "jobDefinitionName": definition.name,
        "jobDefinitionArn": arns.definition(definition.key),
        "revision": definition.revision,
        "status": definition.status,
        "type": definition.type,
        "parameters": definition.parameters,
        **_containers(definition),
        "tags": definition.tags,
        "containerOrchestrationType": "ECS",
    }
    shown |= {name: definition.request[name] for name in _ECHOED if name in definition.request}
    if definition.retry_strategy is not None:
        shown["retryStrategy"] = encode_retry_strategy(definition.retry_strategy)
    if definition.timeout is not None:
        shown["timeout"] = {"attemptDurationSeconds": definition.timeout}
    return shown


def _containers(definition: JobDefinition) -> Json:
    if definition.nodes is not None:
        return {"nodeProperties": encode_nodes(definition.nodes, _registered_range)}
    if definition.task is not None:
        return {"ecsProperties": {"taskProperties": [encode_registered_task(definition, definition.task)]}}
    container = _registered(definition.container)
    if definition.platform == "FARGATE":
        container.setdefault("fargatePlatformConfiguration", {"platformVersion": "LATEST"})
    return {"containerProperties": container}


def _registered_range(known: NodeRange) -> Json:
    if known.task is None:
        return {"container": _registered(known.container)}
    return {"ecsProperties": {"taskProperties": [encode_registered_task(known, known.task)]}}


def _registered(container: Container) -> Json:
    return {**EMPTY_LISTS, **container.as_registered}


def encode_queue(queue: JobQueue, arns: Arns, *, is_fargate: bool) -> Json:
    """A queue as `JobQueueDetail`; its type is derived where it was not given."""
    order = queue.request.get("computeEnvironmentOrder", ())
    places = sorted(entry["order"] for entry in order) or range(1, len(queue.environments) + 1)
    shown: Json = {
        "jobQueueName": queue.name,
        "jobQueueArn": arns.queue(queue.name),
        "state": queue.state,
        "status": queue.status,
        "statusReason": queue.status_reason,
        "priority": queue.priority,
        "computeEnvironmentOrder": [
            {"order": place, "computeEnvironment": arns.environment(name)}
            for place, name in zip(places, queue.environments, strict=True)
        ],
        "serviceEnvironmentOrder": [
            {"order": place, "serviceEnvironment": arns.service_environment(name)}
            for place, name in enumerate(queue.service_environments, start=1)
        ],
        "jobQueueType": queue.request.get("jobQueueType", "ECS_FARGATE" if is_fargate else "ECS"),
        "tags": queue.tags,
        "jobStateTimeLimitActions": [
            {
                "reason": limit.reason,
                "state": limit.state,
                "maxTimeSeconds": limit.max_seconds,
                "action": limit.action,
            }
            for limit in queue.time_limits
        ],
    }
    if queue.scheduling_policy is not None:
        shown["schedulingPolicyArn"] = arns.policy(queue.scheduling_policy)
    return shown


def encode_environment(environment: ComputeEnvironment, arns: Arns, desired_vcpus: float) -> Json:
    """An environment as `ComputeEnvironmentDetail`, with the vCPUs of the hosts it has now."""
    request = environment.request
    shown: Json = {
        "computeEnvironmentName": environment.name,
        "computeEnvironmentArn": arns.environment(environment.name),
        "ecsClusterArn": arns.cluster(environment.name),
        "tags": environment.tags,
        "type": environment.type,
        "state": environment.state,
        "status": environment.status,
        "statusReason": environment.status_reason,
        "serviceRole": request.get("serviceRole", _service_role(arns)),
        "containerOrchestrationType": "ECS",
    }
    if environment.uuid:
        shown["uuid"] = environment.uuid
    shown |= {name: request[name] for name in ("unmanagedvCpus", "context") if name in request}
    if environment.type == "MANAGED":
        shown["computeResources"] = _resources(environment, desired_vcpus)
        shown["updatePolicy"] = {**UPDATE_POLICY, **request.get("updatePolicy", {})}
    return shown


def encode_catalogue(catalogue: Catalogue) -> Json:
    """Instance types as `parse_catalogue` reads them."""
    types = {
        name: [
            kind.resources.vcpus,
            kind.resources.memory,
            kind.resources.gpus,
            kind.price,
            kind.spot_price,
        ]
        for name, kind in catalogue.types.items()
    }
    return {
        "source": catalogue.source,
        "as_of": catalogue.as_of,
        "region": catalogue.region,
        "arm64": sorted({kind.family for kind in catalogue.types.values() if kind.architecture == "arm64"}),
        "fargate": {
            "usd_per_vcpu_hour": catalogue.fargate.vcpu_hour,
            "usd_per_gb_hour": catalogue.fargate.gb_hour,
            "spot_share": catalogue.fargate.spot_share,
        },
        "types": types,
    }


def _resources(environment: ComputeEnvironment, desired_vcpus: float) -> Json:
    shown: Json = {
        "type": environment.resource_type,
        "maxvCpus": environment.max_vcpus,
        "subnets": [],
        "securityGroupIds": [],
    }
    if not environment.resource_type.startswith("FARGATE"):
        shown |= {
            "minvCpus": environment.min_vcpus,
            "desiredvCpus": int(desired_vcpus),
            "instanceTypes": list(environment.instance_types),
        }
    given = environment.request.get("computeResources", {})
    return shown | {name: value for name, value in given.items() if name != "desiredvCpus"}


def _service_role(arns: Arns) -> str:
    """The service-linked role, which AWS takes where no other is given."""
    role = "role/aws-service-role/batch.amazonaws.com/AWSServiceRoleForBatch"
    return f"arn:{arns.partition}:iam::{arns.account}:{role}"
