"""AWS JSON to the model: job queues, scheduling policies, service environments and quota shares.

Checks that need nothing but the JSON are made here; whether an environment or a policy exists and
may be joined to a queue is decided by the scheduler's commands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from nbbatch.errors import ClientException
from nbbatch.model.arns import name_of
from nbbatch.model.fleet import (
    FairSharePolicy,
    JobQueue,
    QuotaShare,
    SchedulingPolicy,
    ServiceEnvironment,
    Switch,
    TimeLimit,
)
from nbbatch.model.requests import QueueChanges
from nbbatch.wire.decode import checked_name, decode_tags

MAX_ENVIRONMENTS = 3
MIN_LIMIT_SECONDS, MAX_LIMIT_SECONDS = 600, 86_400
MAX_DISTRIBUTION = 500
MIN_WEIGHT, MAX_WEIGHT = 0.0001, 999.9999
MAX_DECAY, MAX_RESERVATION = 604_800, 99
MAX_LIMITS = 5
_SERVICE = "SAGEMAKER_TRAINING"
_TYPES = ("ECS", "ECS_FARGATE", _SERVICE)
_SHARE = re.compile(r"[A-Za-z0-9]{1,255}|[A-Za-z0-9]{0,254}\*")
_REASONS = {
    "CANCEL": (
        "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
        "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
        "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
        "MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED",
    ),
    "TERMINATE": (
        "MISCONFIGURATION:SERVICE_ENVIRONMENT_MAX_RESOURCE",
        "MISCONFIGURATION:QUOTA_MANAGEMENT_LIMIT_EXCEEDED",
    ),
}


def decode_queue_request(request: Mapping[str, Any]) -> JobQueue:
    """Read CreateJobQueue's input; environments may be named by ARN.

    Raises
    ------
    ClientException
        In AWS's words where they are known (aws_batch_semantics, section 27).
    """
    name = checked_name(request["jobQueueName"], "Job Queue")
    kind = request.get("jobQueueType", _SERVICE if request.get("serviceEnvironmentOrder") else "ECS")
    if kind not in _TYPES:
        raise ClientException(f"jobQueueType: {kind} is not there yet in nbbatch.")
    environments, services = _orders(request, kind)
    return JobQueue(
        name=name,
        priority=request["priority"],
        environments=environments,
        service_environments=services,
        state=Switch(request.get("state", "ENABLED")),
        scheduling_policy=_policy_name(request),
        time_limits=_time_limits(request.get("jobStateTimeLimitActions", ()), kind),
        tags=decode_tags(request.get("tags")),
        request={**request, "jobQueueType": kind} if kind == _SERVICE else request,
    )


def read_queue(shown: Mapping[str, Any]) -> JobQueue:
    """Read what DescribeJobQueues shows, of any account and without judging it."""
    order = sorted(shown.get("computeEnvironmentOrder", ()), key=lambda entry: entry["order"])
    policy = shown.get("schedulingPolicyArn")
    return JobQueue(
        name=shown["jobQueueName"],
        priority=shown["priority"],
        environments=tuple(name_of(entry["computeEnvironment"], "compute-environment") for entry in order),
        state=Switch(shown.get("state", "ENABLED")),
        scheduling_policy=None if policy is None else name_of(policy, "scheduling-policy"),
        tags=decode_tags(shown.get("tags")),
        request=shown,
    )


def decode_queue_update(request: Mapping[str, Any]) -> QueueChanges:
    """Read UpdateJobQueue's input.

    Raises
    ------
    ClientException
        In AWS's words where they are known (aws_batch_semantics, section 27).
    """
    order, services = request.get("computeEnvironmentOrder"), request.get("serviceEnvironmentOrder")
    limits = request.get("jobStateTimeLimitActions")
    # a queue's kind is not in the request, but each kind of queue has its own action
    kind = _SERVICE if limits and limits[0]["action"] == "TERMINATE" else "ECS"
    state = request.get("state")
    return QueueChanges(
        queue=request["jobQueue"],
        state=None if state is None else Switch(state),
        priority=request.get("priority"),
        environments=None if order is None else _compute_order(order),
        service_environments=None if services is None else _service_order(services),
        scheduling_policy=_policy_name(request),
        time_limits=None if limits is None else _time_limits(limits, kind),
        request={name: value for name, value in request.items() if name != "jobQueue"},
    )


def decode_policy(request: Mapping[str, Any]) -> SchedulingPolicy:
    """Read CreateSchedulingPolicy's input; without a policy it is fair share with AWS's defaults."""
    name = checked_name(request["name"], "Scheduling policy")
    made = decode_policy_update(name, request)
    return made or SchedulingPolicy(name=name, fair_share=FairSharePolicy(), request=request)


def decode_policy_update(name: str, request: Mapping[str, Any]) -> SchedulingPolicy | None:
    """Read what a scheduling policy shall be; None where nothing is said.

    Raises
    ------
    ClientException
        In AWS's words where they are known (aws_batch_semantics, section 27).
    """
    fair, quota = request.get("fairsharePolicy"), request.get("quotaSharePolicy")
    if fair is not None and quota is not None:
        raise ClientException("A scheduling policy can have either fairsharePolicy or quotaSharePolicy")
    tags = decode_tags(request.get("tags"))
    kept = {key: value for key, value in request.items() if key in ("fairsharePolicy", "quotaSharePolicy")}
    if quota is not None:
        return SchedulingPolicy(name=name, quota_share=True, tags=tags, request=kept)
    if fair is None and not tags:
        return None
    return SchedulingPolicy(name=name, fair_share=_fair_share(fair or {}), tags=tags, request=kept)


def decode_service_environment(request: Mapping[str, Any]) -> ServiceEnvironment:
    """Read CreateServiceEnvironment's input."""
    name = checked_name(request["serviceEnvironmentName"], "Service environment")
    check_limits(request["capacityLimits"])
    return ServiceEnvironment(
        name=name,
        state=Switch(request.get("state", "ENABLED")),
        tags=decode_tags(request.get("tags")),
        request=request,
    )


def decode_quota_share(request: Mapping[str, Any]) -> QuotaShare:
    """Read CreateQuotaShare's input."""
    name = checked_name(request["quotaShareName"], "Quota share")
    check_limits(request["capacityLimits"])
    check_sharing(request["resourceSharingConfiguration"])
    return QuotaShare(
        name=name,
        state=Switch(request.get("state", "ENABLED")),
        tags=decode_tags(request.get("tags")),
        request=request,
    )


def check_limits(limits: Sequence[Mapping[str, Any]]) -> None:
    """Check `capacityLimits` of a service environment or quota share."""
    if not limits:
        raise ClientException("Capacitylimits are required.")
    if len(limits) > MAX_LIMITS:
        raise ClientException(f"capacityLimits: has {len(limits)} entries, and may have at most {MAX_LIMITS}")
    if any(limit.get("maxCapacity", 0) <= 0 for limit in limits):
        raise ClientException("Max capacity must be more than 0.")


def check_sharing(sharing: Mapping[str, Any]) -> None:
    """Check `resourceSharingConfiguration`: only borrowers have a limit, -1 is none."""
    limit = sharing.get("borrowLimit")
    if limit is None:
        return
    if sharing["strategy"] != "LEND_AND_BORROW":
        raise ClientException(
            f"borrowLimit: is only for strategy LEND_AND_BORROW, not {sharing['strategy']}."
        )
    if limit < -1:
        raise ClientException(f"borrowLimit: {limit} is neither a percentage nor -1.")


def _orders(request: Mapping[str, Any], kind: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    order, services = request.get("computeEnvironmentOrder", ()), request.get("serviceEnvironmentOrder", ())
    if kind == _SERVICE:
        if order:
            raise ClientException("computeEnvironmentOrder is not for job queues of type SAGEMAKER_TRAINING.")
        return (), _service_order(services)
    if services:
        raise ClientException(f"serviceEnvironmentOrder is not for job queues of type {kind}.")
    return _compute_order(order), ()


def _compute_order(order: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
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
    return tuple(by_order[place] for place in sorted(by_order))


def _service_order(order: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    if len(order) != 1:
        raise ClientException(f"serviceEnvironmentOrder: has {len(order)} entries, and must have 1.")
    return (name_of(order[0]["serviceEnvironment"], "service-environment"),)


def _policy_name(request: Mapping[str, Any]) -> str | None:
    arn: str | None = request.get("schedulingPolicyArn")
    if arn is None:
        return None
    name = name_of(arn, "scheduling-policy")
    if name == arn:
        raise ClientException("Only scheduling policy Arn can be allowed.")
    return name


def _time_limits(entries: Sequence[Mapping[str, Any]], kind: str) -> tuple[TimeLimit, ...]:
    limits = tuple(_time_limit(entry, kind) for entry in entries)
    if len({(limit.state, limit.reason) for limit in limits}) < len(limits):
        raise ClientException("Duplicate job state limit actions are not allowed.")
    return limits


def _time_limit(entry: Mapping[str, Any], kind: str) -> TimeLimit:
    action = "TERMINATE" if kind == _SERVICE else "CANCEL"
    if entry["action"] != action:
        raise ClientException(f"Invalid job action. Valid job actions: [{action}]")
    code = entry["reason"].partition(" - ")[0]
    if code not in _REASONS[action]:
        raise ClientException(
            f"jobStateTimeLimitActions.reason: {code!r} is not one of {', '.join(_REASONS[action])}"
        )
    seconds = entry["maxTimeSeconds"]
    if not MIN_LIMIT_SECONDS <= seconds <= MAX_LIMIT_SECONDS:
        raise ClientException(
            f"jobStateTimeLimitActions.maxTimeSeconds: {seconds} is not between {MIN_LIMIT_SECONDS} and "
            f"{MAX_LIMIT_SECONDS}"
        )
    return TimeLimit(reason=code, max_seconds=seconds, action=action, state=entry["state"])


def _fair_share(policy: Mapping[str, Any]) -> FairSharePolicy:
    decay, reservation = policy.get("shareDecaySeconds", 0), policy.get("computeReservation", 0)
    if not 0 <= decay <= MAX_DECAY:
        raise ClientException(f"shareDecaySeconds: {decay} is not between 0 and {MAX_DECAY}")
    if not 0 <= reservation <= MAX_RESERVATION:
        raise ClientException(f"computeReservation: {reservation} is not between 0 and {MAX_RESERVATION}")
    return FairSharePolicy(
        decay_seconds=decay,
        compute_reservation=reservation,
        shares=_distribution(policy.get("shareDistribution", ())),
    )


def _distribution(entries: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, float], ...]:
    if len(entries) > MAX_DISTRIBUTION:
        raise ClientException("ShareDistribution size cannot be greater than 500.")
    shares = tuple((entry["shareIdentifier"], float(entry.get("weightFactor", 1.0))) for entry in entries)
    for identifier, weight in shares:
        if _SHARE.fullmatch(identifier) is None:
            raise ClientException(
                f"shareIdentifier: {identifier[:80]!r} is not 1 to 255 letters and digits, or a prefix ending in *."
            )
        if not MIN_WEIGHT <= weight <= MAX_WEIGHT:
            raise ClientException("Weight factor should be between 0.0001 and 999.9999.")
    _check_overlap([identifier for identifier, _ in shares])
    return shares


def _check_overlap(identifiers: list[str]) -> None:
    """Entries may neither repeat nor match one another; sorted, a match stands next to its prefix."""
    if len(set(identifiers)) < len(identifiers):
        raise ClientException("Cannot have two or more identical shareIdentifiers.")
    prefix: str | None = None
    for identifier in sorted(identifiers, key=lambda known: (known.rstrip("*"), not known.endswith("*"))):
        if prefix is not None and identifier.startswith(prefix):
            raise ClientException(f"Share identifier {identifier} matches another share identifier {prefix}*")
        if identifier.endswith("*"):
            prefix = identifier[:-1]
