import pytest

from nbbatch.errors import ClientException
from nbbatch.model.fleet import FairSharePolicy, Switch, TimeLimit
from nbbatch.wire.decode import decode_job
from nbbatch.wire.decode_consumable import decode_consumable, decode_consumable_update, decode_needs
from nbbatch.wire.decode_queue import (
    decode_policy,
    decode_queue_request,
    decode_queue_update,
    decode_quota_share,
    decode_service_environment,
)

POLICY = "arn:aws:batch:us-east-1:1:scheduling-policy/p"
LIMIT = {
    "reason": "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
    "state": "RUNNABLE",
    "maxTimeSeconds": 600,
    "action": "CANCEL",
}
SHARE = {
    "quotaShareName": "s",
    "jobQueue": "q",
    "capacityLimits": [{"maxCapacity": 2, "capacityUnit": "ml.m5.large"}],
    "resourceSharingConfiguration": {"strategy": "RESERVE"},
    "preemptionConfiguration": {"inSharePreemption": "DISABLED"},
}


def queue(**more):
    order = [{"order": 1, "computeEnvironment": "ce"}]
    return decode_queue_request(
        {"jobQueueName": "q", "priority": 5, "computeEnvironmentOrder": order, **more}
    )


def policy(*entries, **more):
    distribution = [{"shareIdentifier": name, "weightFactor": weight} for name, weight in entries]
    return decode_policy({"name": "p", "fairsharePolicy": {"shareDistribution": distribution, **more}})


def refused(decode, *args, **more) -> str:
    with pytest.raises(ClientException) as caught:
        decode(*args, **more)
    return caught.value.message


def test_a_queue_with_a_policy_and_time_limits():
    """The policy by ARN, reasons by their codes."""
    made = queue(schedulingPolicyArn=POLICY, jobStateTimeLimitActions=[LIMIT])
    assert made.scheduling_policy == "p"
    assert made.time_limits == (TimeLimit(reason=LIMIT["reason"], max_seconds=600),)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"schedulingPolicyArn": "p"}, "Only scheduling policy Arn can be allowed."),
        (
            {"jobStateTimeLimitActions": [LIMIT, {**LIMIT, "maxTimeSeconds": 700}]},
            "Duplicate job state limit actions are not allowed.",
        ),
        (
            {"jobStateTimeLimitActions": [{**LIMIT, "action": "TERMINATE"}]},
            "Invalid job action. Valid job actions: [CANCEL]",
        ),
        (
            {"jobStateTimeLimitActions": [{**LIMIT, "maxTimeSeconds": 599}]},
            "jobStateTimeLimitActions.maxTimeSeconds: 599 is not between 600 and 86400",
        ),
        (
            {"serviceEnvironmentOrder": [{"order": 1, "serviceEnvironment": "s"}], "jobQueueType": "ECS"},
            "serviceEnvironmentOrder is not for job queues of type ECS.",
        ),
        ({"jobQueueType": "EKS"}, "jobQueueType: EKS is not there yet in nbbatch."),
    ],
)
def test_a_queue_is_refused_in_aws_words(more, text):
    """Each rule has its text."""
    assert refused(queue, **more) == text


def test_a_reason_must_be_one_that_can_be_acted_on():
    """The codes that may be named are listed."""
    text = refused(queue, jobStateTimeLimitActions=[{**LIMIT, "reason": "ACTION_REQUIRED"}])
    assert "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY" in text


def test_a_queue_for_service_jobs():
    """One service environment, no compute environments."""
    made = decode_queue_request(
        {
            "jobQueueName": "q",
            "priority": 1,
            "serviceEnvironmentOrder": [{"order": 1, "serviceEnvironment": "se"}],
            "jobStateTimeLimitActions": [
                {
                    **LIMIT,
                    "action": "TERMINATE",
                    "reason": "MISCONFIGURATION:SERVICE_ENVIRONMENT_MAX_RESOURCE",
                }
            ],
        }
    )
    assert (made.environments, made.service_environments) == ((), ("se",))
    assert made.request["jobQueueType"] == "SAGEMAKER_TRAINING"


def test_an_update_says_only_what_changes():
    """Everything else is None; an empty list of actions clears them."""
    changes = decode_queue_update({"jobQueue": "q", "state": "DISABLED", "jobStateTimeLimitActions": []})
    assert (changes.state, changes.time_limits) == (Switch.DISABLED, ())
    assert (changes.priority, changes.environments, changes.scheduling_policy) == (None, None, None)
    assert refused(decode_queue_update, {"jobQueue": "q", "computeEnvironmentOrder": []}) == (
        "computeEnvironmentOrder is required."
    )


def test_a_fair_share_policy():
    """Weights default to 1; without anything it is AWS's default policy."""
    made = decode_policy(
        {
            "name": "p",
            "fairsharePolicy": {"shareDecaySeconds": 60, "shareDistribution": [{"shareIdentifier": "a*"}]},
        }
    )
    assert made.fair_share == FairSharePolicy(decay_seconds=60, shares=(("a*", 1.0),))
    assert decode_policy({"name": "p"}).fair_share == FairSharePolicy()


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ([("a", 0.00001)], "Weight factor should be between 0.0001 and 999.9999."),
        ([("a", 1000)], "Weight factor should be between 0.0001 and 999.9999."),
        ([("a", 1), ("a", 2)], "Cannot have two or more identical shareIdentifiers."),
        (
            [("UserA1", 1), ("b", 1), ("UserA*", 2)],
            "Share identifier UserA1 matches another share identifier UserA*",
        ),
        ([("ab*", 1), ("a*", 2)], "Share identifier ab* matches another share identifier a*"),
        ([(f"s{n}", 1) for n in range(501)], "ShareDistribution size cannot be greater than 500."),
    ],
)
def test_a_share_distribution_is_refused_in_aws_words(entries, text):
    """Repeated, overlapping, too many, out of range."""
    assert refused(policy, *entries) == text


@pytest.mark.parametrize("name", ["a-b", "a*b", ""])
def test_a_share_identifier_is_letters_and_digits(name):
    """With `*` at the end for a prefix only."""
    assert "letters and digits" in refused(policy, (name, 1))


def test_a_policy_is_for_fair_share_or_for_quota_shares():
    """Never both; numbers within AWS's bounds."""
    both = {
        "name": "p",
        "fairsharePolicy": {},
        "quotaSharePolicy": {"idleResourceAssignmentStrategy": "FIFO"},
    }
    assert refused(decode_policy, both) == (
        "A scheduling policy can have either fairsharePolicy or quotaSharePolicy"
    )
    assert "604800" in refused(policy, shareDecaySeconds=604_801)
    assert "99" in refused(policy, computeReservation=100)
    assert refused(decode_policy, {"name": "a b"}) == "Scheduling policy name should match a valid pattern."


def test_needs_of_a_job():
    """Names or ARNs with quantities, at most five, none twice."""
    arn = "arn:aws:batch:us-east-1:1:consumable-resource/lic"

    def needs(*names):
        return {"consumableResourceList": [{"consumableResource": name, "quantity": 2} for name in names]}

    assert decode_needs(needs(arn, "gpu")) == (("lic", 2), ("gpu", 2))
    assert decode_needs(None) is None
    assert refused(decode_needs, needs(*"abcdef")) == (
        "Each ConsumableResourceProperty can have at most 5 consumableResources"
    )
    assert refused(decode_needs, needs("lic", arn)) == (
        "Cannot have duplicate consumableResource in consumableResourceProperties"
    )
    job = decode_job(
        {
            "jobName": "n",
            "jobQueue": "q",
            "jobDefinition": "d",
            "consumableResourcePropertiesOverride": needs("x"),
        }
    )
    assert job.consumables == (("x", 2),)


def test_a_consumable_resource_is_refused_in_aws_words():
    """Negative totals, unknown kinds and operations."""
    assert refused(decode_consumable, "n", {"totalQuantity": -1}, {}) == (
        "totalQuantity cannot be a negative number."
    )
    assert "REPLENISHABLE" in refused(decode_consumable, "n", {"resourceType": "FOREVER"}, {})
    assert "SET, ADD, REMOVE" in refused(decode_consumable_update, {"operation": "TAKE"})


def test_service_environments_and_quota_shares_need_capacity():
    """AWS's words."""
    environment = {"serviceEnvironmentName": "s", "serviceEnvironmentType": "SAGEMAKER_TRAINING"}
    assert refused(decode_service_environment, {**environment, "capacityLimits": []}) == (
        "Capacitylimits are required."
    )
    assert refused(decode_quota_share, {**SHARE, "capacityLimits": [{"maxCapacity": 0}]}) == (
        "Max capacity must be more than 0."
    )
    sharing = {"strategy": "LEND", "borrowLimit": 5}
    assert "LEND_AND_BORROW" in refused(
        decode_quota_share, {**SHARE, "resourceSharingConfiguration": sharing}
    )
