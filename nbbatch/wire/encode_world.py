"""The model to AWS JSON: job definitions, job queues and compute environments.

What a caller registered is shown unchanged, because clients that find or register compare the two;
only lists that are absent come back empty, as the service does it.
"""

from __future__ import annotations

from nbbatch.model.arns import Arns
from nbbatch.model.fleet import ComputeEnvironment, JobQueue
from nbbatch.model.jobs import JobDefinition
from nbbatch.wire.encode import EMPTY_LISTS, Json, encode_retry_strategy

_ECHOED = ("platformCapabilities", "propagateTags", "schedulingPriority", "consumableResourceProperties")


def encode_definition(definition: JobDefinition, arns: Arns) -> Json:
    """A revision as `JobDefinition`."""
    container = {**EMPTY_LISTS, **definition.container.as_registered}
    if definition.platform == "FARGATE":
        container.setdefault("fargatePlatformConfiguration", {"platformVersion": "LATEST"})
    shown: Json = {
        "jobDefinitionName": definition.name,
        "jobDefinitionArn": arns.definition(definition.key),
        "revision": definition.revision,
        "status": definition.status,
        "type": definition.type,
        "parameters": definition.parameters,
        "containerProperties": container,
        "tags": definition.tags,
        "containerOrchestrationType": "ECS",
    }
    shown |= {name: definition.request[name] for name in _ECHOED if name in definition.request}
    if definition.retry_strategy is not None:
        shown["retryStrategy"] = encode_retry_strategy(definition.retry_strategy)
    if definition.timeout is not None:
        shown["timeout"] = {"attemptDurationSeconds": definition.timeout}
    return shown


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
    if "unmanagedvCpus" in request:
        shown["unmanagedvCpus"] = request["unmanagedvCpus"]
    if environment.type == "MANAGED":
        shown["computeResources"] = _resources(environment, desired_vcpus)
        shown["updatePolicy"] = {"terminateJobsOnUpdate": False, "jobExecutionTimeoutMinutes": 30}
    return shown


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
