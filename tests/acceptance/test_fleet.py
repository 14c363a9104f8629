"""Compute environments, Spot and hosts as plain boto3 sees them, on real processes and containers."""

import subprocess
import sys
import time

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.acceptance
DEADLINE = 120


def resources(kind="SPOT", **more):
    return {
        "type": kind,
        "allocationStrategy": "BEST_FIT_PROGRESSIVE",
        "maxvCpus": 8,
        "instanceTypes": ["m6i.large", "c6i.large"],
        "instanceRole": "ecsInstanceRole",
        "subnets": ["subnet-1"],
        "securityGroupIds": ["sg-1"],
        **more,
    }


@pytest.fixture
def world(batch):
    """An environment and a queue over it; gives a function that makes them."""

    def make(name="reclaimed", tags=None, **more):
        batch.create_compute_environment(
            computeEnvironmentName=name, type="MANAGED", computeResources=resources(**more), tags=tags or {}
        )
        order = [{"order": 1, "computeEnvironment": name}]
        batch.create_job_queue(jobQueueName=f"q-{name}", priority=1, computeEnvironmentOrder=order)
        return f"q-{name}"

    return make


@pytest.fixture
def detail(batch):
    """One environment as DescribeComputeEnvironments shows it."""

    def describe(name="reclaimed"):
        found = batch.describe_compute_environments(computeEnvironments=[name])["computeEnvironments"]
        return found[0] if found else None

    return describe


def until(condition):
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it does not come true"
        time.sleep(0.05)


def interrupt(*words):
    command = [sys.executable, "-m", "nbbatch.cli", "local", "interrupt", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_reclaimed_job_is_tried_again_and_says_why(batch, world, register, reached, ended):
    """`nbbatch local interrupt JOB`: SIGTERM, AWS's statusReason, and the next attempt succeeds."""
    queue = world(tags={"nbbatch:noticeSeconds": "20"})
    line = 'trap "exit 143" TERM; if [ $AWS_BATCH_JOB_ATTEMPT = 2 ]; then exit 0; fi; while :; do sleep 0.1; done'
    job = batch.submit_job(
        jobName="spot",
        jobQueue=queue,
        jobDefinition=register(line),
        retryStrategy={
            "attempts": 3,
            "evaluateOnExit": [
                {"onStatusReason": "Host EC2*", "action": "RETRY"},
                {"onReason": "*", "action": "EXIT"},
            ],
        },
    )["jobId"]
    reached(job, "RUNNING")
    told = interrupt(job)
    assert told.returncode == 0, told.stderr
    assert "Notice is given to i-" in told.stdout
    known = ended(job)
    assert known["status"] == "SUCCEEDED"
    lost, done = known["attempts"]
    assert lost["statusReason"].startswith("Host EC2 (instance i-")
    assert "exitCode" not in lost["container"]
    assert done["container"]["exitCode"] == 0


def test_a_job_that_ignores_the_notice_is_killed_when_it_is_over(batch, world, register, reached, ended):
    """SIGKILL at its end; without attempts left the job has FAILED."""
    queue = world()
    job = batch.submit_job(
        jobName="deaf", jobQueue=queue, jobDefinition=register('trap "" TERM; while :; do sleep 0.1; done')
    )["jobId"]
    reached(job, "RUNNING")
    begun = time.monotonic()
    assert interrupt(job, "--notice", "1").returncode == 0
    known = ended(job)
    assert 1 <= time.monotonic() - begun < 100, "Spot's own notice is two minutes"
    assert known["status"] == "FAILED"
    assert known["statusReason"].startswith("Host EC2 (instance i-")


def test_interrupting_what_does_not_run_says_so(batch, world):
    """A line, no traceback."""
    world()
    told = interrupt("i-nope")
    assert told.returncode == 1
    assert "i-nope is no host" in told.stderr
    assert "Traceback" not in told.stderr


def test_an_environment_is_updated_disabled_and_deleted(batch, world, detail):
    """The way of every clean-up script, with AWS's texts where it is too early."""
    world("short-lived", kind="EC2", minvCpus=2)
    known = detail("short-lived")
    assert known["computeResources"]["desiredvCpus"] == 2
    assert known["containerOrchestrationType"] == "ECS"
    assert ":cluster/short-lived_Batch_" in known["ecsClusterArn"]
    assert known["updatePolicy"] == {"terminateJobsOnUpdate": False, "jobExecutionTimeoutMinutes": 30}
    arn = known["computeEnvironmentArn"]
    changed = batch.update_compute_environment(
        computeEnvironment=arn,
        computeResources={"maxvCpus": 16, "desiredvCpus": 4, "instanceTypes": ["c6i.large"]},
        updatePolicy={"terminateJobsOnUpdate": True},
    )
    assert changed["computeEnvironmentArn"] == arn
    known = detail("short-lived")
    assert known["computeResources"]["instanceTypes"] == ["c6i.large"]
    assert known["computeResources"]["desiredvCpus"] == 4
    assert (known["status"], known["updatePolicy"]["terminateJobsOnUpdate"]) == ("VALID", True)
    with pytest.raises(ClientError, match="Manually scaling down compute environment is not supported"):
        batch.update_compute_environment(computeEnvironment=arn, computeResources={"desiredvCpus": 2})
    batch.update_compute_environment(computeEnvironment=arn, state="DISABLED")
    with pytest.raises(ClientError, match="Cannot delete, found existing JobQueue relationship"):
        batch.delete_compute_environment(computeEnvironment=arn)
    batch.create_compute_environment(
        computeEnvironmentName="alone", type="MANAGED", computeResources=resources("EC2")
    )
    batch.update_compute_environment(computeEnvironment="alone", state="DISABLED")
    batch.delete_compute_environment(computeEnvironment="alone")
    until(lambda: detail("alone") is None)


def test_a_launch_delay_holds_jobs_runnable(batch, world, register, reached, ended, detail):
    """The job waits for its host, desiredvCpus has it already."""
    slow, soon = (
        world(name, tags={"nbbatch:launchSeconds": seconds})
        for name, seconds in (("slow", "600"), ("soon", "2"))
    )
    waiting, coming = (
        batch.submit_job(jobName="wait", jobQueue=queue, jobDefinition=register("exit 0"))["jobId"]
        for queue in (slow, soon)
    )
    reached(waiting, "RUNNABLE")
    assert detail("slow")["computeResources"]["desiredvCpus"] == 2
    known = ended(coming)
    assert known["status"] == "SUCCEEDED"
    assert known["startedAt"] - known["createdAt"] >= 2000
    assert batch.describe_jobs(jobs=[waiting])["jobs"][0]["status"] == "RUNNABLE"


def test_an_unmanaged_environment_runs_jobs_on_this_machine(batch, register, ended):
    """The machine is its host; unmanagedvCpus are shown as given."""
    batch.create_compute_environment(
        computeEnvironmentName="own", type="UNMANAGED", unmanagedvCpus=4, serviceRole="AWSBatchServiceRole"
    )
    order = [{"order": 1, "computeEnvironment": "own"}]
    batch.create_job_queue(jobQueueName="own", priority=1, computeEnvironmentOrder=order)
    job = batch.submit_job(jobName="here", jobQueue="own", jobDefinition=register("exit 0"))["jobId"]
    assert ended(job)["status"] == "SUCCEEDED"
    (known,) = batch.describe_compute_environments(computeEnvironments=["own"])["computeEnvironments"]
    assert (known["type"], known["unmanagedvCpus"]) == ("UNMANAGED", 4)


@pytest.mark.parametrize(
    ("tags", "text"),
    [
        (
            {"nbbatch:launchSecond": "3"},
            "nbbatch:launchSecond is no setting of nbbatch; there are nbbatch:launchS",
        ),
        ({"nbbatch:capacity": "m6i=many"}, "nbbatch:capacity is 'many'; it takes a number"),
    ],
)
def test_a_wrong_setting_names_itself(batch, tags, text):
    """Which tag, which value, what it takes."""
    with pytest.raises(ClientError, match=text):
        batch.create_compute_environment(
            computeEnvironmentName="x", type="MANAGED", computeResources=resources(), tags=tags
        )
