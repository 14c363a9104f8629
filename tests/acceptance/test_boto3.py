"""AWS Batch as plain boto3 sees it."""

import re
import time
from collections import Counter

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.acceptance


def statuses(batch, parent, status):
    pages = batch.get_paginator("list_jobs").paginate(arrayJobId=parent, jobStatus=status)
    return [job["jobId"] for page in pages for job in page["jobSummaryList"]]


def test_a_job_runs_and_its_detail_is_as_aws_shows_it(batch, register, ended):
    """Register, submit, describe: ARNs, integers, attempts, nothing null, no AWS_BATCH_ variables."""
    submitted = batch.submit_job(
        jobName="hello",
        jobQueue="default",
        jobDefinition=register("exit 0"),
        containerOverrides={"environment": [{"name": "COLOUR", "value": "green"}]},
    )
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", submitted["jobId"])
    job = ended(submitted["jobId"])
    assert job["status"] == "SUCCEEDED"
    assert job["jobArn"] == submitted["jobArn"]
    assert job["jobQueue"].endswith(":job-queue/default")
    assert job["jobDefinition"].endswith(":job-definition/work:1")
    assert job["createdAt"] <= job["startedAt"] <= job["stoppedAt"]
    assert job["statusReason"] == "Essential container in task exited"
    assert job["container"]["exitCode"] == 0
    assert job["container"]["environment"] == [{"name": "COLOUR", "value": "green"}]
    (attempt,) = job["attempts"]
    assert attempt["container"]["exitCode"] == 0
    assert attempt["container"]["logStreamName"].startswith("work/default/")
    assert job["retryStrategy"] == {"attempts": 1, "evaluateOnExit": []}


def test_the_job_sees_awss_environment_and_its_output_is_in_the_logs(batch, logs, register, ended):
    """Stdout and stderr in one stream, one event a line, in order; the variables are AWS's."""
    line = "exec 2>&1; echo id=$AWS_BATCH_JOB_ID; echo oops >&2; echo q=$AWS_BATCH_JQ_NAME n=$AWS_BATCH_JOB_ATTEMPT"
    job_id = batch.submit_job(jobName="say", jobQueue="default", jobDefinition=register(line))["jobId"]
    job = ended(job_id)
    page = logs.get_log_events(
        logGroupName="/aws/batch/job", logStreamName=job["container"]["logStreamName"], startFromHead=True
    )
    assert [event["message"] for event in page["events"]] == [f"id={job_id}", "oops", "q=default n=1"]
    again = logs.get_log_events(
        logGroupName="/aws/batch/job",
        logStreamName=job["container"]["logStreamName"],
        nextToken=page["nextForwardToken"],
    )
    assert again["events"] == []
    assert again["nextForwardToken"] == page["nextForwardToken"]


def test_an_unknown_log_stream_is_not_found(logs, batch):
    """ResourceNotFoundException, as CloudWatch says it."""
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.get_log_events(logGroupName="/aws/batch/job", logStreamName="no/such/stream")


def test_an_array_rolls_up_to_its_parent(batch, register, ended):
    """Children run with their index; one failure fails the parent when all are done."""
    definition = register('test "$AWS_BATCH_JOB_ARRAY_INDEX" != 3')
    submitted = batch.submit_job(
        jobName="many", jobQueue="default", jobDefinition=definition, arrayProperties={"size": 6}
    )
    parent = ended(submitted["jobId"])
    assert (parent["status"], parent["statusReason"]) == ("FAILED", "Array Child Job failed")
    assert parent["arrayProperties"]["size"] == 6
    summary = parent["arrayProperties"]["statusSummary"]
    assert Counter({k: v for k, v in summary.items() if v}) == {"SUCCEEDED": 5, "FAILED": 1}
    assert statuses(batch, submitted["jobId"], "FAILED") == [f"{submitted['jobId']}:3"]
    (child,) = batch.describe_jobs(jobs=[f"{submitted['jobId']}:3"])["jobs"]
    assert child["container"]["exitCode"] == 1
    assert child["arrayProperties"]["index"] == 3


def test_retries_run_again_until_one_succeeds(batch, register, ended):
    """Each attempt is on record; AWS_BATCH_JOB_ATTEMPT counts from 1."""
    definition = register("exit $((3 - AWS_BATCH_JOB_ATTEMPT))", retryStrategy={"attempts": 5})
    job = ended(batch.submit_job(jobName="again", jobQueue="default", jobDefinition=definition)["jobId"])
    assert job["status"] == "SUCCEEDED"
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [2, 1, 0]


def test_dependencies_hold_a_job_until_the_other_succeeded(batch, register, ended):
    """A dependent starts after its dependency, and fails with it."""
    good = batch.submit_job(jobName="good", jobQueue="default", jobDefinition=register("exit 0"))["jobId"]
    bad = batch.submit_job(jobName="bad", jobQueue="default", jobDefinition=register("exit 1", "fail"))[
        "jobId"
    ]
    after = {
        name: batch.submit_job(
            jobName=name, jobQueue="default", jobDefinition="work", dependsOn=[{"jobId": job}]
        )
        for name, job in {"after-good": good, "after-bad": bad}.items()
    }
    ran = ended(after["after-good"]["jobId"])
    assert ran["status"] == "SUCCEEDED"
    assert ran["startedAt"] >= ended(good)["stoppedAt"]
    failed = ended(after["after-bad"]["jobId"])
    assert (failed["status"], failed["statusReason"]) == ("FAILED", "Dependent Job failed")
    assert "startedAt" not in failed


def test_terminate_stops_a_running_job_with_the_callers_reason(batch, register, ended, reached):
    """SIGTERM reaches the job; the reason stays."""
    definition = register("trap 'exit 9' TERM; while :; do sleep 0.05; done")
    job_id = batch.submit_job(jobName="endless", jobQueue="default", jobDefinition=definition)["jobId"]
    reached(job_id, "RUNNING")
    batch.terminate_job(jobId=job_id, reason="seen enough")
    job = ended(job_id)
    assert (job["status"], job["statusReason"], job["isTerminated"]) == ("FAILED", "seen enough", True)


def test_cancel_ends_what_has_not_started(batch, register, ended, tmp_path):
    """A job behind a running dependency is cancelled once that is done; it never runs."""
    shared = {
        "volumes": [{"name": "here", "host": {"sourcePath": str(tmp_path)}}],
        "mountPoints": [{"sourceVolume": "here", "containerPath": str(tmp_path)}],
    }
    register("exit 0")
    waits = register(f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done", "waits", container=shared)
    first = batch.submit_job(jobName="first", jobQueue="default", jobDefinition=waits)["jobId"]
    held = batch.submit_job(
        jobName="held", jobQueue="default", jobDefinition="work", dependsOn=[{"jobId": first}]
    )["jobId"]
    batch.cancel_job(jobId=held, reason="no longer")
    (tmp_path / "go").touch()
    assert ended(first)["status"] == "SUCCEEDED"
    job = ended(held)
    assert (job["status"], job["statusReason"]) == ("FAILED", "no longer")
    assert job["attempts"] == []


def test_unknown_jobs_are_left_out_and_stopping_them_is_no_error(batch):
    """Describe gives an empty list; cancel and terminate answer 200."""
    unknown = "00000000-0000-0000-0000-000000000000"
    assert batch.describe_jobs(jobs=[unknown])["jobs"] == []
    assert batch.cancel_job(jobId=unknown, reason="x")["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert batch.terminate_job(jobId=unknown, reason="x")["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"jobQueue": "nosuch"}, "nosuch"),
        ({"jobDefinition": "nosuch"}, "JobDefinition name nosuch does not exist or is not in ACTIVE status"),
        ({"jobName": "-bad name"}, "Job name should match valid pattern"),
        ({"arrayProperties": {"size": 1}}, "size"),
        ({"arrayProperties": {"size": 10_001}}, "size"),
        ({"retryStrategy": {"attempts": 11}}, "attempts|RetryAttempts must be between 1 and 10"),
        (
            {"timeout": {"attemptDurationSeconds": 59}},
            "AttemptDurationSeconds in Timeout must be at least 60",
        ),
        ({"dependsOn": [{"jobId": "00000000-0000-0000-0000-000000000000"}]}, "00000000-0000"),
        ({"containerOverrides": {"environment": [{"name": "AWS_BATCH_X", "value": "1"}]}}, "AWS_BATCH"),
        ({"shareIdentifier": "me"}, "fair share scheduling policy"),
    ],
)
def test_a_wrong_request_is_a_client_exception_that_names_it(batch, register, change, text):
    """HTTP 400 with the field or value at fault; nothing was submitted."""
    request = {"jobName": "x", "jobQueue": "default", "jobDefinition": register("exit 0")} | change
    with pytest.raises(ClientError, match=text) as caught:
        batch.submit_job(**request)
    assert caught.value.response["Error"]["Code"] == "ClientException"
    assert batch.list_jobs(jobQueue="default", jobStatus="SUCCEEDED")["jobSummaryList"] == []


def test_an_operation_that_is_not_there_says_so(clients):
    """All of AWS Batch is there; of CloudWatch Logs the rest answers in AWS's shape, too."""
    with pytest.raises(ClientError, match="DescribeQueries") as caught:
        clients("logs").describe_queries()
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"


def test_definitions_get_revisions_and_can_be_retired(batch, register):
    """Each registration is revision n+1; a deregistered one is INACTIVE and takes no jobs."""
    name = register("exit 0")
    register("exit 1")
    pages = batch.get_paginator("describe_job_definitions").paginate(jobDefinitionName=name)
    found = [definition for page in pages for definition in page["jobDefinitions"]]
    assert [definition["revision"] for definition in found] == [2, 1]
    batch.deregister_job_definition(jobDefinition=f"{name}:2")
    active = batch.describe_job_definitions(jobDefinitionName=name, status="ACTIVE")["jobDefinitions"]
    assert [definition["revision"] for definition in active] == [1]
    with pytest.raises(ClientError, match=r"not in ACTIVE status|not found"):
        batch.submit_job(jobName="x", jobQueue="default", jobDefinition=f"{name}:2")


def test_a_queue_over_an_environment_of_ones_own(batch, register, ended):
    """Environments and queues that a client creates take jobs like the default ones."""
    environment = batch.create_compute_environment(
        computeEnvironmentName="mine",
        type="MANAGED",
        computeResources={
            "type": "EC2",
            "minvCpus": 0,
            "maxvCpus": 4,
            "instanceTypes": ["m6i.large"],
            "subnets": ["subnet-1"],
            "securityGroupIds": ["sg-1"],
            "instanceRole": "ecsInstanceRole",
        },
    )
    batch.create_job_queue(
        jobQueueName="mine",
        priority=5,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": environment["computeEnvironmentArn"]}],
    )
    (queue,) = batch.describe_job_queues(jobQueues=["mine"])["jobQueues"]
    assert (queue["state"], queue["status"], queue["priority"]) == ("ENABLED", "VALID", 5)
    job = ended(batch.submit_job(jobName="x", jobQueue="mine", jobDefinition=register("exit 0"))["jobId"])
    assert job["status"] == "SUCCEEDED"


def test_list_jobs_pages_newest_first(batch, register, ended):
    """MaxResults and nextToken walk through all, without a gap or a double; a bad token is refused."""
    name = register("exit 0")
    jobs = []
    for number in range(5):
        jobs.append(batch.submit_job(jobName=f"n{number}", jobQueue="default", jobDefinition=name)["jobId"])
        ended(jobs[-1])
    pages = batch.get_paginator("list_jobs").paginate(
        jobQueue="default", jobStatus="SUCCEEDED", PaginationConfig={"PageSize": 2}
    )
    assert [job["jobId"] for page in pages for job in page["jobSummaryList"]] == jobs[::-1]
    with pytest.raises(ClientError):
        batch.list_jobs(jobQueue="default", jobStatus="SUCCEEDED", nextToken="made-up")


def test_more_than_a_hundred_ids_are_refused_in_awss_words(batch):
    """DescribeJobs takes 100 ids."""
    with pytest.raises(ClientError, match="Maximum number of jobs supported is  100"):
        batch.describe_jobs(jobs=[f"00000000-0000-0000-0000-{n:012d}" for n in range(101)])


def test_too_much_memory_waits_with_awss_reason(batch, register):
    """A job that can never fit stays RUNNABLE and says why."""
    job_id = batch.submit_job(
        jobName="huge",
        jobQueue="default",
        jobDefinition=register("exit 0"),
        containerOverrides={"resourceRequirements": [{"type": "MEMORY", "value": "99999999"}]},
    )["jobId"]
    deadline = time.monotonic() + 60
    while True:
        (job,) = batch.describe_jobs(jobs=[job_id])["jobs"]
        if "statusReason" in job or time.monotonic() > deadline:
            break
    assert job["status"] == "RUNNABLE"
    assert job["statusReason"].startswith("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT")
