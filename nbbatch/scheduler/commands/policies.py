"""Scheduling policies, service environments and quota shares: create, update, delete.

Service environments and quota shares are metadata here: service jobs are SageMaker's, and it does not
run on this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nbbatch.errors import ClientException
from nbbatch.model.arns import name_of, quota_share_of
from nbbatch.model.events import (
    Event,
    NounDeleted,
    QuotaShareChanged,
    SchedulingPolicyChanged,
    ServiceEnvironmentChanged,
)
from nbbatch.model.fleet import QuotaShare, SchedulingPolicy, ServiceEnvironment, Switch
from nbbatch.scheduler.commands.queues import find_queue, queues_of
from nbbatch.scheduler.state import SchedulerState

MAX_SERVICE_ENVIRONMENTS = 50
MAX_QUOTA_SHARES = 20


def create_policy(state: SchedulerState, policy: SchedulingPolicy) -> tuple[list[Event], SchedulingPolicy]:
    """Make a scheduling policy."""
    if policy.name in state.policies:
        raise ClientException(f"Object already exists: scheduling policy {policy.name}")
    return [SchedulingPolicyChanged(policy=policy)], policy


def update_policy(
    state: SchedulerState, reference: str, changed: SchedulingPolicy | None
) -> tuple[list[Event], None]:
    """Put another fair-share or quota-share policy in the place of the one that was; None changes nothing.

    Raises
    ------
    ClientException
        When there is none, or the kind would change under queues that follow it.
    """
    known = resolve_policy(state, reference)
    if changed is None:
        return [], None
    if known.quota_share != changed.quota_share and queues_of(state, known):
        raise ClientException("A scheduling policy can have either fairsharePolicy or quotaSharePolicy")
    updated = replace(
        known,
        fair_share=changed.fair_share,
        quota_share=changed.quota_share,
        request={**known.request, **changed.request},
    )
    return [SchedulingPolicyChanged(policy=updated)], None


def delete_policy(state: SchedulerState, reference: str) -> tuple[list[Event], None]:
    """Delete a scheduling policy that no queue follows."""
    policy = resolve_policy(state, reference)
    used_by = queues_of(state, policy)
    if used_by:
        raise ClientException(
            f"Cannot delete, found existing JobQueue relationship: {policy.name} is used by {', '.join(used_by)}."
        )
    return [NounDeleted(kind=SchedulingPolicy.__name__, name=policy.name)], None


def resolve_policy(state: SchedulerState, reference: str) -> SchedulingPolicy:
    """The scheduling policy that an ARN means.

    Raises
    ------
    ClientException
        When it is no ARN, or there is none.
    """
    if not reference.startswith("arn:"):
        raise ClientException("Only scheduling policy Arn can be allowed.")
    found = state.policies.get(name_of(reference, "scheduling-policy"))
    if found is None:
        raise ClientException(f"SchedulingPolicy {reference} not found.")
    return found


def create_service_environment(
    state: SchedulerState, environment: ServiceEnvironment
) -> tuple[list[Event], ServiceEnvironment]:
    """Make a service environment."""
    if environment.name in state.service_environments:
        raise ClientException(f"Object already exists: service environment {environment.name}")
    if len(state.service_environments) >= MAX_SERVICE_ENVIRONMENTS:
        raise ClientException(f"The limit of {MAX_SERVICE_ENVIRONMENTS} service environments is reached.")
    return [ServiceEnvironmentChanged(environment=environment)], environment


def update_service_environment(
    state: SchedulerState, reference: str, request: Mapping[str, Any]
) -> tuple[list[Event], ServiceEnvironment]:
    """Change state or capacity limits."""
    known = _service_environment(state, reference)
    updated = replace(
        known,
        state=Switch(request.get("state", known.state)),
        request={**known.request, **request},
    )
    return [ServiceEnvironmentChanged(environment=updated)], updated


def delete_service_environment(state: SchedulerState, reference: str) -> tuple[list[Event], None]:
    """Delete a service environment that is DISABLED and in no queue."""
    known = _service_environment(state, reference)
    if known.state is not Switch.DISABLED:
        raise ClientException(f"Cannot delete, state must be DISABLED: service environment {known.name}.")
    if any(known.name in queue.queue.service_environments for queue in state.queues.values()):
        raise ClientException("Cannot delete, found existing JobQueue relationship")
    return [NounDeleted(kind=ServiceEnvironment.__name__, name=known.name)], None


def create_quota_share(
    state: SchedulerState, queue_reference: str, share: QuotaShare
) -> tuple[list[Event], QuotaShare]:
    """Make a quota share of a queue with a quota-share policy; `share.name` is its name in the queue."""
    queue = find_queue(state, queue_reference)
    if queue is None:
        raise ClientException(f"Job Queue {queue_reference} does not exist")
    policy = state.policies.get(queue.scheduling_policy or "")
    if policy is None or not policy.quota_share:
        raise ClientException(f"Job Queue {queue.name} has no scheduling policy with a quotaSharePolicy.")
    made = replace(share, name=f"{queue.name}/{share.name}")
    if made.name in state.quota_shares:
        raise ClientException(f"Object already exists: quota share {share.name} of job queue {queue.name}")
    if len(quota_shares_of(state, queue.name)) >= MAX_QUOTA_SHARES:
        raise ClientException(f"The limit of {MAX_QUOTA_SHARES} quota shares per job queue is reached.")
    return [QuotaShareChanged(share=made)], made


def update_quota_share(
    state: SchedulerState, arn: str, request: Mapping[str, Any]
) -> tuple[list[Event], QuotaShare]:
    """Change state, limits, sharing or preemption."""
    known = resolve_quota_share(state, arn)
    updated = replace(
        known, state=Switch(request.get("state", known.state)), request={**known.request, **request}
    )
    return [QuotaShareChanged(share=updated)], updated


def delete_quota_share(state: SchedulerState, arn: str) -> tuple[list[Event], None]:
    """Delete a quota share that is DISABLED."""
    known = resolve_quota_share(state, arn)
    if known.state is not Switch.DISABLED:
        raise ClientException(f"Cannot delete, state must be DISABLED: quota share {arn}.")
    return [NounDeleted(kind=QuotaShare.__name__, name=known.name)], None


def resolve_quota_share(state: SchedulerState, arn: str) -> QuotaShare:
    """The quota share that an ARN means."""
    found = state.quota_shares.get(quota_share_of(arn))
    if found is None:
        raise ClientException(f"Quota share {arn} does not exist.")
    return found


def quota_shares_of(state: SchedulerState, queue: str) -> list[QuotaShare]:
    """Quota shares of a queue, by name."""
    return sorted(
        (known for name, known in state.quota_shares.items() if name.rpartition("/")[0] == queue),
        key=lambda known: known.name,
    )


def _service_environment(state: SchedulerState, reference: str) -> ServiceEnvironment:
    found = state.service_environments.get(name_of(reference, "service-environment"))
    if found is None:
        raise ClientException(f"Service environment {reference} does not exist.")
    return found
