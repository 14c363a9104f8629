"""Queues, fair share and consumable resources as plain boto3 sees them."""

import re

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.acceptance

ONE_HOST = {
    "type": "EC2",
    "maxvCpus": 2,
    "instanceTypes": ["m6i.large"],
    "instanceRole": "role",
    "subnets": ["s"],
    "securityGroupIds": ["g"],
}
WAITS = 'trap "exit 0" TERM; while :; do sleep 0.05; done'


@pytest.fixture
def small(batch):
    """An environment with room for two jobs of one vCPU; gives its name."""
    batch.create_compute_environment(
        computeEnvironmentName="small", type="MANAGED", computeResources=ONE_HOST
    )
    return "small"


def make_queue(batch, name, *environments, **more):
    order = [{"order": n, "computeEnvironment": one} for n, one in enumerate(environments, start=1)]
    return batch.create_job_queue(jobQueueName=name, priority=1, computeEnvironmentOrder=order, **more)[
        "jobQueueArn"
    ]


def refusal(call, **arguments) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == "ClientException"
    return caught.value.response["Error"]["Message"]


def test_shares_take_turns_and_the_snapshot_says_who_is_next(batch, small, register, reached, ended):
    """The share that came second is not last; the snapshot has the order and each share's vCPUs."""
    policy = batch.create_scheduling_policy(
        name="fair", fairsharePolicy={"shareDistribution": [{"shareIdentifier": "A", "weightFactor": 1.0}]}
    )
    make_queue(batch, "fair", small, schedulingPolicyArn=policy["arn"])
    name = register(WAITS)

    def submit(share, **more):
        return batch.submit_job(
            jobName=share, jobQueue="fair", jobDefinition=name, shareIdentifier=share, **more
        )["jobId"]

    first = [submit("A"), submit("A")]
    for job in first:
        reached(job, "RUNNING")
    low, high, other = submit("A"), submit("A", schedulingPriorityOverride=9), submit("B")
    snapshot = batch.get_job_queue_snapshot(jobQueue="fair")
    front = [entry["jobArn"].rpartition("/")[2] for entry in snapshot["frontOfQueue"]["jobs"]]
    assert front == [other, high, low]
    use = snapshot["queueUtilization"]
    assert use["totalCapacityUsage"] == [{"capacityUnit": "VCPU", "quantity": 2.0}]
    assert use["fairshareUtilization"]["activeShareCount"] == 1
    (top,) = use["fairshareUtilization"]["topCapacityUtilization"]
    assert (top["shareIdentifier"], top["capacityUsage"][0]["quantity"]) == ("A", 2.0)
    batch.terminate_job(jobId=first[0], reason="enough")
    reached(other, "RUNNING")
    (waiting,) = batch.describe_jobs(jobs=[high])["jobs"]
    assert (waiting["status"], waiting["shareIdentifier"]) == ("RUNNABLE", "A")
    listed = batch.list_jobs(jobQueue="fair", filters=[{"name": "SHARE_IDENTIFIER", "values": ["B"]}])
    assert [job["jobId"] for job in listed["jobSummaryList"]] == [other]


def test_a_share_identifier_goes_with_a_fair_share_queue_only(batch, small, register):
    """Required there, forbidden elsewhere, in AWS's words."""
    policy = batch.create_scheduling_policy(name="fair")
    make_queue(batch, "fair", small, schedulingPolicyArn=policy["arn"])
    job = {"jobName": "x", "jobDefinition": register("exit 0")}
    assert refusal(batch.submit_job, **job, jobQueue="default", shareIdentifier="A") == (
        "Job with shareIdentifier or schedulingPriority can onlybe submitted to job queue with fair share "
        "scheduling policy."
    )
    assert "shareIdentifier is required" in refusal(batch.submit_job, **job, jobQueue="fair")


def test_scheduling_policies_come_and_go(batch, small):
    """Create, describe, list, update; delete only when no queue uses it."""
    arns = [batch.create_scheduling_policy(name=f"p{n}", tags={"n": str(n)})["arn"] for n in range(3)]
    assert re.fullmatch(r"arn:aws:batch:[^:]+:\d+:scheduling-policy/p0", arns[0])
    pages = batch.get_paginator("list_scheduling_policies").paginate(PaginationConfig={"PageSize": 2})
    assert [known["arn"] for page in pages for known in page["schedulingPolicies"]] == arns
    batch.update_scheduling_policy(arn=arns[0], fairsharePolicy={"shareDecaySeconds": 60})
    known = batch.describe_scheduling_policies(arns=[arns[0], f"{arns[0]}x"])["schedulingPolicies"]
    assert [one["fairsharePolicy"]["shareDecaySeconds"] for one in known] == [60]
    assert known[0]["tags"] == {"n": "0"}
    make_queue(batch, "fair", small, schedulingPolicyArn=arns[1])
    assert "found existing JobQueue relationship" in refusal(batch.delete_scheduling_policy, arn=arns[1])
    batch.delete_scheduling_policy(arn=arns[0])
    assert batch.describe_scheduling_policies(arns=[arns[0]])["schedulingPolicies"] == []
    queues = batch.describe_job_queues(jobQueues=["fair"])["jobQueues"]
    assert queues[0]["schedulingPolicyArn"] == arns[1]


def test_a_queue_is_updated_disabled_and_deleted_with_its_jobs(batch, small, register, reached, ended):
    """What runs and what waits ends as `JobQueue deleted`; then there is no such queue."""
    arn = make_queue(batch, "mine", small)
    name = register(WAITS)
    jobs = [batch.submit_job(jobName="x", jobQueue=arn, jobDefinition=name)["jobId"] for _ in range(3)]
    reached(jobs[0], "RUNNING")
    assert "state must be DISABLED" in refusal(batch.delete_job_queue, jobQueue="mine")
    limit = {
        "reason": "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
        "state": "RUNNABLE",
        "maxTimeSeconds": 600,
        "action": "CANCEL",
    }
    reply = batch.update_job_queue(
        jobQueue="mine", state="DISABLED", priority=7, jobStateTimeLimitActions=[limit]
    )
    assert reply["jobQueueArn"] == arn
    (queue,) = batch.describe_job_queues(jobQueues=[arn])["jobQueues"]
    assert (queue["state"], queue["status"], queue["priority"]) == ("DISABLED", "VALID", 7)
    assert queue["jobStateTimeLimitActions"] == [limit]
    assert "is DISABLED" in refusal(batch.submit_job, jobName="x", jobQueue="mine", jobDefinition=name)
    batch.delete_job_queue(jobQueue="mine")
    for job in jobs:
        detail = ended(job)
        assert (detail["status"], detail["statusReason"]) == ("FAILED", "JobQueue deleted")
    assert "startedAt" not in batch.describe_jobs(jobs=[jobs[2]])["jobs"][0]
    assert batch.describe_job_queues(jobQueues=["mine"])["jobQueues"] == []


def test_a_queue_falls_back_and_its_environments_can_be_changed(batch, small, register, reached):
    """The order counts; an update replaces it."""
    make_queue(batch, "two", small, "default")
    name = register(WAITS)
    jobs = [batch.submit_job(jobName="x", jobQueue="two", jobDefinition=name)["jobId"] for _ in range(3)]
    places = [reached(job, "STARTING", "RUNNING")["container"]["taskArn"] for job in jobs]
    assert ["cluster" in place or "small" in place for place in places] == [True, True, False]
    order = [{"order": 1, "computeEnvironment": "default"}, {"order": 2, "computeEnvironment": "small"}]
    batch.update_job_queue(jobQueue="two", computeEnvironmentOrder=order)
    (queue,) = batch.describe_job_queues(jobQueues=["two"])["jobQueues"]
    assert [one["computeEnvironment"].rpartition("/")[2] for one in queue["computeEnvironmentOrder"]] == [
        "default",
        "small",
    ]


def test_consumable_resources_are_taken_and_given_back(batch, register, reached, ended):
    """Totals while a job runs, jobs by resource, and an update that lets the next one start."""
    made = batch.create_consumable_resource(consumableResourceName="licence", totalQuantity=1)
    needs = {"consumableResourceList": [{"consumableResource": "licence", "quantity": 1}]}
    name = register(WAITS, consumableResourceProperties=needs)
    (definition,) = batch.describe_job_definitions(jobDefinitionName=name)["jobDefinitions"]
    assert definition["consumableResourceProperties"] == needs
    jobs = [
        batch.submit_job(jobName=f"n{n}", jobQueue="default", jobDefinition=name)["jobId"] for n in range(2)
    ]
    reached(jobs[0], "RUNNING")
    assert batch.describe_jobs(jobs=[jobs[1]])["jobs"][0]["status"] == "RUNNABLE"

    def totals():
        known = batch.describe_consumable_resource(consumableResource=made["consumableResourceArn"])
        return known["totalQuantity"], known["inUseQuantity"], known["availableQuantity"]

    assert totals() == (1, 1, 0)
    pages = batch.get_paginator("list_jobs_by_consumable_resource").paginate(
        consumableResource="licence", PaginationConfig={"PageSize": 1}
    )
    listed = [job for page in pages for job in page["jobs"]]
    assert [job["jobArn"].rpartition("/")[2] for job in listed] == jobs[::-1]
    assert listed[0]["consumableResourceProperties"]["consumableResourceList"][0]["quantity"] == 1
    filters = [{"name": "JOB_NAME", "values": ["N0*"]}, {"name": "JOB_STATUS", "values": ["RUNNING"]}]
    found = batch.list_jobs_by_consumable_resource(consumableResource="licence", filters=filters)["jobs"]
    assert [job["jobName"] for job in found] == ["n0"]
    for _ in range(2):
        batch.update_consumable_resource(
            consumableResource="licence", operation="ADD", quantity=1, clientToken="once"
        )
    reached(jobs[1], "RUNNING")
    assert totals() == (2, 2, 0)
    for job in jobs:
        batch.terminate_job(jobId=job, reason="enough")
        ended(job)
    assert totals() == (2, 0, 2)
    names = batch.list_consumable_resources(
        filters=[{"name": "CONSUMABLE_RESOURCE_NAME", "values": ["LIC*"]}]
    )["consumableResources"]
    assert [known["consumableResourceName"] for known in names] == ["licence"]
    batch.delete_consumable_resource(consumableResource="licence")
    assert "not found" in refusal(batch.describe_consumable_resource, consumableResource="licence")


def test_service_environments_and_quota_shares_are_kept_and_service_jobs_refused(batch):
    """Metadata comes back as it was sent; training jobs do not run here, and the error says where."""
    limits = [{"maxCapacity": 4, "capacityUnit": "NUM_INSTANCES"}]
    batch.create_service_environment(
        serviceEnvironmentName="se", serviceEnvironmentType="SAGEMAKER_TRAINING", capacityLimits=limits
    )
    policy = batch.create_scheduling_policy(
        name="quota", quotaSharePolicy={"idleResourceAssignmentStrategy": "FIFO"}
    )
    batch.create_job_queue(
        jobQueueName="sage",
        priority=1,
        serviceEnvironmentOrder=[{"order": 1, "serviceEnvironment": "se"}],
        schedulingPolicyArn=policy["arn"],
    )
    (queue,) = batch.describe_job_queues(jobQueues=["sage"])["jobQueues"]
    assert (queue["jobQueueType"], queue["computeEnvironmentOrder"]) == ("SAGEMAKER_TRAINING", [])
    share = batch.create_quota_share(
        quotaShareName="team",
        jobQueue="sage",
        capacityLimits=[{"maxCapacity": 2, "capacityUnit": "ml.m5.large"}],
        resourceSharingConfiguration={"strategy": "LEND_AND_BORROW"},
        preemptionConfiguration={"inSharePreemption": "DISABLED"},
    )
    known = batch.describe_quota_share(quotaShareArn=share["quotaShareArn"])
    assert known["resourceSharingConfiguration"] == {"strategy": "LEND_AND_BORROW", "borrowLimit": -1}
    assert "team" in batch.get_job_queue_snapshot(jobQueue="sage")["frontOfQuotaShares"]["quotaShares"]
    text = refusal(
        batch.submit_service_job,
        jobName="t",
        jobQueue="sage",
        serviceRequestPayload="{}",
        serviceJobType="SAGEMAKER_TRAINING",
    )
    assert "SageMaker AI, which nbbatch does not have on this machine" in text
    assert batch.list_service_jobs(jobQueue="sage")["jobSummaryList"] == []
    assert "does not exist" in refusal(batch.describe_service_job, jobId="j")
    assert "state must be DISABLED" in refusal(batch.delete_quota_share, quotaShareArn=share["quotaShareArn"])
    batch.update_quota_share(quotaShareArn=share["quotaShareArn"], state="DISABLED")
    batch.delete_quota_share(quotaShareArn=share["quotaShareArn"])
    assert batch.list_quota_shares(jobQueue="sage")["quotaShares"] == []
    batch.update_service_environment(serviceEnvironment="se", state="DISABLED")
    assert "found existing JobQueue relationship" in refusal(
        batch.delete_service_environment, serviceEnvironment="se"
    )
    batch.update_job_queue(jobQueue="sage", state="DISABLED")
    batch.delete_job_queue(jobQueue="sage")
    batch.delete_service_environment(serviceEnvironment="se")
    assert batch.describe_service_environments()["serviceEnvironments"] == []
