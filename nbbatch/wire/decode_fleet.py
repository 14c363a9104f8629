"""AWS JSON to the model: CreateJobQueue. Compute environments are in `decode_environment`.

Checks that need nothing but the JSON are made here; whether an environment exists and may join a
queue is decided by the scheduler's commands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbbatch.errors import ClientException
from nbbatch.model.arns import name_of
from nbbatch.model.fleet import JobQueue, Switch
from nbbatch.wire.decode import checked_name, decode_tags

MAX_ENVIRONMENTS = 3


def decode_queue_request(request: Mapping[str, Any]) -> JobQueue:
    """Read CreateJobQueue's input; environments may be named by ARN.

    Raises
    ------
    ClientException
        In AWS's words where they are known (aws_batch_semantics, section 27).
    """
    checked_name(request["jobQueueName"], "Job Queue")
    for member in ("serviceEnvironmentOrder", "jobStateTimeLimitActions", "schedulingPolicyArn"):
        if request.get(member):
            raise ClientException(f"{member} is not there yet in nbbatch.")
    if request.get("jobQueueType", "ECS") not in ("ECS", "ECS_FARGATE"):
        raise ClientException(f"jobQueueType: {request['jobQueueType']} is not there yet in nbbatch.")
    order = request.get("computeEnvironmentOrder", ())
    if not order:
        raise ClientException("computeEnvironmentOrder is required.")
    if len(order) > MAX_ENVIRONMENTS:
        raise ClientException("Only 3 environments are allowed in job queue request.")
    by_order = {
        entry["order"]: name_of(entry["computeEnvironment"], "compute-environment") for entry in order
    }
    if len(by_order) != len(order):
        raise ClientException("Duplicate ComputeEnvironment order values.")
    if len(set(by_order.values())) != len(order):
        raise ClientException("Duplicate ComputeEnvironments within order list.")
    return read_queue(request)


def read_queue(request: Mapping[str, Any]) -> JobQueue:
    """Read a queue without checks: as it was asked for, or as Describe calls show it."""
    order = sorted(request["computeEnvironmentOrder"], key=lambda entry: int(entry["order"]))
    return JobQueue(
        name=request["jobQueueName"],
        priority=request["priority"],
        environments=tuple(name_of(entry["computeEnvironment"], "compute-environment") for entry in order),
        state=Switch(request.get("state", "ENABLED")),
        tags=decode_tags(request.get("tags")),
        request=request,
    )
