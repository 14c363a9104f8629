"""The local daemon is AWS Batch to any boto3 program: nothing in this one knows of nbbatch.

Give a shell the daemon's address and key, then run it:

    eval "$(nbbatch local env)"
    python examples/any_aws_client.py

`IMAGE` names another container image; where jobs run as processes, the image does not matter.
"""

from __future__ import annotations

import os
import time
from typing import Any

import boto3

IMAGE = os.environ.get("IMAGE", "busybox")
TERMINAL = ("SUCCEEDED", "FAILED")


def submit(batch: Any) -> str:
    """Register a definition and submit one job of it; returns the job's id."""
    definition = batch.register_job_definition(
        jobDefinitionName="greeting",
        type="container",
        containerProperties={
            "image": IMAGE,
            "command": ["echo", "hello from", "Ref::who"],
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
        },
        parameters={"who": "a job"},
    )
    job = batch.submit_job(
        jobName="greeting",
        jobQueue="default",
        jobDefinition=definition["jobDefinitionArn"],
        parameters={"who": "AWS Batch on this machine"},
    )
    return str(job["jobId"])


def wait(batch: Any, job_id: str) -> dict[str, Any]:
    """Ask until the job is over, as every AWS client does."""
    while True:
        [job] = batch.describe_jobs(jobs=[job_id])["jobs"]
        if job["status"] in TERMINAL:
            return dict(job)
        time.sleep(0.5)


def main() -> None:
    """Run one job and print its log."""
    batch, logs = boto3.client("batch"), boto3.client("logs")
    job = wait(batch, submit(batch))
    print(job["status"], job.get("statusReason", ""))
    stream = job["container"]["logStreamName"]
    page = logs.get_log_events(logGroupName="/aws/batch/job", logStreamName=stream, startFromHead=True)
    for event in page["events"]:
        print(event["message"])


if __name__ == "__main__":
    main()
