"""Logs, tags, bulk operations and events of a real daemon, as boto3, the SDK and the terminal see them."""

import json
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

import nbbatch
from nbbatch.cli.main import main

GROUP = "/aws/batch/job"
pytestmark = pytest.mark.acceptance


@pytest.fixture
def submit(batch):
    return lambda definition, **more: batch.submit_job(
        jobName="work", jobQueue="default", jobDefinition=definition, **more
    )["jobId"]


def test_logs_are_searched_over_streams(batch, logs, register, submit, ended):
    """FilterLogEvents finds a line in any of an array's streams; DescribeLogStreams lists them."""
    register('echo "hello from $AWS_BATCH_JOB_ARRAY_INDEX"; echo done')
    ended(submit("work", arrayProperties={"size": 3}))
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, filterPattern="hello")
    found = [event for page in pages for event in page["events"]]
    assert {event["message"] for event in found} == {f"hello from {index}" for index in range(3)}
    streams = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="work/default/")["logStreams"]
    assert {stream["logStreamName"] for stream in streams} == {event["logStreamName"] for event in found}
    assert GROUP in [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]


def test_tags_of_a_finished_job(batch, register, submit, ended):
    """A job can be tagged after its end."""
    register("true")
    job = ended(submit("work"))
    batch.tag_resource(resourceArn=job["jobArn"], tags={"reviewed": "yes"})
    assert batch.list_tags_for_resource(resourceArn=job["jobArn"])["tags"] == {"reviewed": "yes"}
    assert batch.describe_jobs(jobs=[job["jobId"]])["jobs"][0]["tags"] == {"reviewed": "yes"}


def test_many_jobs_are_terminated(batch, register, submit, ended):
    """TerminateJobs stops them all with the caller's reason."""
    register("exec sleep 600")
    ids = [submit("work") for _ in range(3)]
    reply = batch.terminate_jobs(jobs=[*ids, "unknown"], reason="enough")
    assert (reply["successful"], reply["errors"]) == ([*ids, "unknown"], [])
    assert {ended(job_id)["statusReason"] for job_id in ids} == {"enough"}


def test_events_are_followed_and_delivered(batch, register, submit, ended, tmp_path):
    """The SDK's iterator, the terminal and a command see the same events of a job."""
    target = tmp_path / "delivered"
    run = CliRunner().invoke
    pattern = json.dumps({"detail": {"status": ["SUCCEEDED"]}})
    added = run(
        main, ["local", "events", "add", "keep", "--command", f"cat >> {target}", "--pattern", pattern]
    )
    assert added.exit_code == 0, added.output
    register("true")
    heard, ready = [], threading.Event()

    def follow():
        stream = nbbatch.events(follow=True, since=0)
        ready.set()
        for event in stream:
            heard.append(event)
            if event["detail"]["status"] == "SUCCEEDED":
                return

    listener = threading.Thread(target=follow)
    listener.start()
    assert ready.wait(60)
    job_id = submit("work")
    ended(job_id)
    listener.join(120)
    assert not listener.is_alive()
    statuses = [event["detail"]["status"] for event in heard]
    assert statuses == ["RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]
    assert [event["id"] for event in nbbatch.events(job=job_id)] == [event["id"] for event in heard]
    told = run(main, ["events", "--job", job_id, "--json"]).output
    assert [json.loads(line)["id"] for line in told.splitlines()] == [event["id"] for event in heard]
    assert f"SUCCEEDED  {job_id}  work" in run(main, ["events", "--queue", "default"]).output
    assert "keep" in run(main, ["local", "events", "list"]).output
    _wait_for(target)
    assert json.loads(target.read_text())["id"] == heard[-1]["id"]
    assert run(main, ["local", "events", "remove", "keep"]).exit_code == 0


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
