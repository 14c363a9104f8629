"""The model to AWS JSON: scheduling policies, consumable resources, service environments, quota shares.

What a caller registered is shown unchanged; numbers that change come with it.
"""

from __future__ import annotations

from nbbatch.model.arns import Arns
from nbbatch.model.fleet import ConsumableResource, QuotaShare, SchedulingPolicy, ServiceEnvironment
from nbbatch.model.jobs import JobView
from nbbatch.wire.encode import encode_needs
from nbbatch.wire.encode_container import Json


def encode_policy(policy: SchedulingPolicy, arns: Arns) -> Json:
    """A scheduling policy as `SchedulingPolicyDetail`."""
    shown: Json = {"name": policy.name, "arn": arns.policy(policy.name), "tags": policy.tags}
    if policy.quota_share:
        shown["quotaSharePolicy"] = policy.request["quotaSharePolicy"]
    elif policy.fair_share is not None:
        shown["fairsharePolicy"] = {
            "shareDecaySeconds": policy.fair_share.decay_seconds,
            "computeReservation": policy.fair_share.compute_reservation,
            "shareDistribution": [
                {"shareIdentifier": identifier, "weightFactor": weight}
                for identifier, weight in policy.fair_share.shares
            ],
        }
    return shown


def encode_consumable(resource: ConsumableResource, arns: Arns, *, in_use: int, available: int) -> Json:
    """A consumable resource as DescribeConsumableResource shows it."""
    return {
        **encode_consumable_summary(resource, arns, in_use=in_use),
        "availableQuantity": available,
        "createdAt": resource.created_at,
        "tags": resource.tags,
    }


def encode_consumable_summary(resource: ConsumableResource, arns: Arns, *, in_use: int) -> Json:
    """A consumable resource as ListConsumableResources shows it."""
    return {
        "consumableResourceName": resource.name,
        "consumableResourceArn": arns.consumable(resource.name),
        "totalQuantity": resource.total,
        "inUseQuantity": in_use,
        "resourceType": resource.type,
    }


def encode_needing_job(view: JobView, quantity: int, arns: Arns) -> Json:
    """A job as ListJobsByConsumableResource shows it."""
    job, run = view.job, view.run
    shown: Json = {
        "jobArn": arns.job(run.id),
        "jobQueueArn": arns.queue(job.queue),
        "jobName": job.name,
        "jobDefinitionArn": arns.definition(job.definition),
        "jobStatus": run.status,
        "quantity": quantity,
        "createdAt": run.created_at,
        "consumableResourceProperties": encode_needs(job, arns),
    }
    if job.share_identifier is not None:
        shown["shareIdentifier"] = job.share_identifier
    if run.status_reason:
        shown["statusReason"] = run.status_reason
    if run.started_at is not None:
        shown["startedAt"] = run.started_at
    return shown


def encode_service_environment(environment: ServiceEnvironment, arns: Arns) -> Json:
    """A service environment as `ServiceEnvironmentDetail`."""
    return {
        "serviceEnvironmentName": environment.name,
        "serviceEnvironmentArn": arns.service_environment(environment.name),
        "serviceEnvironmentType": environment.request["serviceEnvironmentType"],
        "state": environment.state,
        "status": "VALID",
        "capacityLimits": environment.request["capacityLimits"],
        "tags": environment.tags,
    }


def encode_quota_share(share: QuotaShare, arns: Arns) -> Json:
    """A quota share as `QuotaShareDetail`."""
    queue, _, name = share.name.rpartition("/")
    sharing = share.request["resourceSharingConfiguration"]
    if sharing["strategy"] == "LEND_AND_BORROW":
        sharing = {"borrowLimit": -1, **sharing}
    return {
        "quotaShareName": name,
        "quotaShareArn": arns.quota_share(queue, name),
        "jobQueueArn": arns.queue(queue),
        "capacityLimits": share.request["capacityLimits"],
        "resourceSharingConfiguration": sharing,
        "preemptionConfiguration": share.request["preemptionConfiguration"],
        "state": share.state,
        "status": "VALID",
        "tags": share.tags,
    }
