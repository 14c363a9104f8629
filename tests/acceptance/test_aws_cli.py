"""AWS Batch as the real aws command sees it."""

import json

import pytest

pytestmark = pytest.mark.acceptance


def test_the_way_of_a_job_by_the_aws_command(aws, image, reached):
    """Register, submit, array, describe, list, logs and terminate, each by `aws batch` or `aws logs`."""
    container = {
        "image": image,
        "command": ["sh", "-c", 'echo child $AWS_BATCH_JOB_ARRAY_INDEX; exec sleep "$0"', "Ref::seconds"],
        "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "128"}],
        "linuxParameters": {"initProcessEnabled": True},
    }
    registered = aws(
        "batch", "register-job-definition", "--job-definition-name", "cli", "--type", "container",
        "--container-properties", json.dumps(container), "--parameters", "seconds=0",
    )  # fmt: skip
    assert registered["revision"] == 1

    submit = ("batch", "submit-job", "--job-queue", "default", "--job-definition", "cli")
    job = aws(*submit, "--job-name", "one")["jobId"]
    array = aws(*submit, "--job-name", "three", "--array-properties", "size=3")["jobId"]
    endless = aws(*submit, "--job-name", "endless", "--parameters", "seconds=600")["jobId"]
    assert reached(job, "SUCCEEDED", "FAILED")["status"] == "SUCCEEDED"
    assert reached(array, "SUCCEEDED", "FAILED")["status"] == "SUCCEEDED"

    (described,) = aws("batch", "describe-jobs", "--jobs", job)["jobs"]
    assert described["container"]["command"][-1] == "0"
    listed = aws("batch", "list-jobs", "--array-job-id", array, "--job-status", "SUCCEEDED")["jobSummaryList"]
    assert sorted(child["jobId"] for child in listed) == [f"{array}:{i}" for i in range(3)]

    stream = aws("batch", "describe-jobs", "--jobs", f"{array}:2")["jobs"][0]["container"]["logStreamName"]
    page = aws("logs", "get-log-events", "--log-group-name", "/aws/batch/job", "--log-stream-name", stream)
    assert [event["message"] for event in page["events"]] == ["child 2"]

    reached(endless, "RUNNING")
    aws("batch", "terminate-job", "--job-id", endless, "--reason", "enough")
    assert reached(endless, "FAILED")["statusReason"] == "enough"


def test_a_refusal_reaches_the_shell(aws, executor):
    """The aws command exits with an error that has our message."""
    done = aws(
        "batch",
        "submit-job",
        "--job-name",
        "x",
        "--job-queue",
        "nosuch",
        "--job-definition",
        "cli",
        check=False,
    )
    assert done.returncode != 0
    assert "ClientException" in done.stderr
    assert "nosuch" in done.stderr


def test_a_wrong_key_is_refused(aws, exports, executor):
    """Nothing answers without the daemon's own key."""
    exports["AWS_SECRET_ACCESS_KEY"] = "wrong"
    done = aws("batch", "describe-job-queues", check=False)
    assert done.returncode != 0
    assert "InvalidSignatureException" in done.stderr
