"""Tags by ARN over HTTP: seen in Describe calls, durable, on live and finished jobs."""

import pytest
from botocore.exceptions import ClientError

from nbbatch.daemon.store import Store


def described(batch, arn):
    kind = arn.split(":")[5].partition("/")[0]
    match kind:
        case "job":
            return batch.describe_jobs(jobs=[arn.rpartition("/")[2]])["jobs"][0]
        case "job-queue":
            return batch.describe_job_queues(jobQueues=[arn])["jobQueues"][0]
        case "job-definition":
            return batch.describe_job_definitions(jobDefinitions=[arn])["jobDefinitions"][0]
        case _:
            return batch.describe_compute_environments(computeEnvironments=[arn])["computeEnvironments"][0]


def test_tags_of_everything_that_has_an_arn(served, batch):
    """TagResource, ListTagsForResource, Describe and UntagResource agree."""
    job = batch.submit_job(jobName="x", jobQueue="q", jobDefinition="true", tags={"own": "1"})
    arns = [
        job["jobArn"],
        batch.describe_job_queues()["jobQueues"][0]["jobQueueArn"],
        batch.describe_job_definitions()["jobDefinitions"][0]["jobDefinitionArn"],
        batch.describe_compute_environments()["computeEnvironments"][0]["computeEnvironmentArn"],
    ]
    for arn in arns:
        before = described(batch, arn)["tags"]
        batch.tag_resource(resourceArn=arn, tags={"team": "a b/c:d", "empty": ""})
        assert batch.list_tags_for_resource(resourceArn=arn)["tags"] == before | {
            "team": "a b/c:d",
            "empty": "",
        }
        assert described(batch, arn)["tags"] == before | {"team": "a b/c:d", "empty": ""}
        batch.untag_resource(resourceArn=arn, tagKeys=["empty", "none"])
        assert described(batch, arn)["tags"] == before | {"team": "a b/c:d"}


def test_a_finished_job_can_be_tagged_and_a_restart_keeps_it(served, batch):
    """Facts of a job in the rows take new tags."""
    done, live = (batch.submit_job(jobName="x", jobQueue="q", jobDefinition="true") for _ in range(2))
    served.exit(done["jobId"])
    for job in (done, live):
        batch.tag_resource(resourceArn=job["jobArn"], tags={"a": "1"})
        assert described(batch, job["jobArn"])["tags"] == {"a": "1"}
    home, ids = served.home, [done["jobId"], live["jobId"]]
    served.close()
    store = Store.open(home / "nbbatch.db")
    assert [view.job.tags for view in store.find(ids).values()] == [{"a": "1"}] * 2
    assert [row.job.tags for row in store.load().jobs] == [{"a": "1"}]
    store.close()
    served.close = lambda: None


def test_small_nouns_keep_their_tags(served, batch):
    """Policies, consumable resources, service environments and quota shares: changed, updated, restarted."""
    limits = [{"maxCapacity": 4, "capacityUnit": "NUM_INSTANCES"}]
    fifo = {"idleResourceAssignmentStrategy": "FIFO"}
    policy = batch.create_scheduling_policy(name="quota", quotaSharePolicy=fifo, tags={"old": "1"})["arn"]
    consumable = batch.create_consumable_resource(consumableResourceName="licence", totalQuantity=1)
    environment = batch.create_service_environment(
        serviceEnvironmentName="se", serviceEnvironmentType="SAGEMAKER_TRAINING", capacityLimits=limits
    )
    batch.create_job_queue(
        jobQueueName="sage",
        priority=1,
        serviceEnvironmentOrder=[{"order": 1, "serviceEnvironment": "se"}],
        schedulingPolicyArn=policy,
    )
    share = batch.create_quota_share(
        quotaShareName="team",
        jobQueue="sage",
        capacityLimits=[{"maxCapacity": 2, "capacityUnit": "ml.m5.large"}],
        resourceSharingConfiguration={"strategy": "RESERVE"},
        preemptionConfiguration={"inSharePreemption": "DISABLED"},
    )
    arns = [
        policy,
        consumable["consumableResourceArn"],
        environment["serviceEnvironmentArn"],
        share["quotaShareArn"],
    ]
    for arn in arns:
        batch.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
        batch.untag_resource(resourceArn=arn, tagKeys=["b", "old"])
        assert batch.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "1"}
    batch.update_quota_share(quotaShareArn=share["quotaShareArn"], state="DISABLED")
    batch.update_consumable_resource(consumableResource="licence", operation="ADD", quantity=1)
    assert batch.describe_scheduling_policies(arns=[policy])["schedulingPolicies"][0]["tags"] == {"a": "1"}
    assert batch.describe_quota_share(quotaShareArn=share["quotaShareArn"])["tags"] == {"a": "1"}
    home = served.home
    served.close()
    store = Store.open(home / "nbbatch.db")
    assert [noun.tags for noun in store.load().nouns] == [{"a": "1"}] * 4
    store.close()
    served.close = lambda: None


def test_an_arn_may_come_raw_in_the_path(served, batch):
    """Colons and slashes of the ARN need not be percent-encoded."""
    arn = "arn:aws:batch:eu-central-1:123456789012:job-queue/q"
    assert served.send_signed("POST", f"/v1/tags/{arn}", b'{"tags": {"a": "1"}}')[0] == 200
    assert served.send_signed("GET", f"/v1/tags/{arn}")[2] == {"tags": {"a": "1"}}
    assert served.send_signed("DELETE", f"/v1/tags/{arn}?tagKeys=a")[0] == 200
    assert batch.list_tags_for_resource(resourceArn=arn)["tags"] == {}


def test_what_cannot_be_tagged_is_refused(served, batch):
    """Reserved keys, children, what is not there, and too many."""
    job = batch.submit_job(jobName="x", jobQueue="q", jobDefinition="true", arrayProperties={"size": 2})
    for arn, tags, problem in (
        (job["jobArn"], {"aws:x": "1"}, "the prefix aws: is reserved"),
        (job["jobArn"] + ":0", {"a": "1"}, "child"),
        (job["jobArn"][:-1] + "x", {"a": "1"}, "does not exist"),
        (job["jobArn"], {str(number): "" for number in range(51)}, "50"),
        (job["jobArn"], {"a" * 129: "1"}, "128"),
        (job["jobArn"], {"a": "1" * 257}, "256"),
    ):
        with pytest.raises(ClientError, match=problem) as caught:
            batch.tag_resource(resourceArn=arn, tags=tags)
        assert caught.value.response["Error"]["Code"] == "ClientException"
