"""An AWS account for tests: moto's server in this process, with a bucket, and a queue where Batch is asked.

moto's Batch runs real containers, but leaves out what ECS and AWS Batch give to them and tell of them.
`complete_moto` adds just that: the job role's credentials, the array's index and the attempt in the
environment, exit codes, and the end of an array's parent.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from docker_image import IMAGE
from moto import settings
from moto.batch.models import Job
from moto_server import moto_server

KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
REGION = "us-east-1"
BUCKET = "research"
QUEUE = "analysis"


@dataclass(frozen=True, slots=True)
class Account:
    """Where the account answers."""

    url: str

    def client(self, service: str) -> Any:
        """A plain boto3 client."""
        names = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": REGION}
        return boto3.client(service, endpoint_url=self.url, **names)

    def settings(self, **more: str | None) -> str:
        """The configuration of a backend `prod` in this account."""
        keys = {
            "kind": "aws",
            "region": REGION,
            "store": f"s3://{BUCKET}/nb",
            "image": IMAGE,
            "endpoint_url": self.url,
        } | more
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in keys.items() if value is not None]
        return "[backends.prod]\n" + "".join(lines)

    def make_queue(self, name: str = QUEUE, **resources: Any) -> None:
        """A queue over an environment of its own."""
        iam, ec2, batch = (self.client(service) for service in ("iam", "ec2", "batch"))
        with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(RoleName="batch", AssumeRolePolicyDocument="{}")
            iam.create_instance_profile(InstanceProfileName="hosts")
        group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
        batch.create_compute_environment(
            computeEnvironmentName=f"{name}-hosts",
            type="MANAGED",
            state="ENABLED",
            serviceRole=iam.get_role(RoleName="batch")["Role"]["Arn"],
            computeResources={
                "type": "EC2",
                "minvCpus": 0,
                "maxvCpus": 4,
                "instanceTypes": ["m6i.large"],
                "subnets": [ec2.describe_subnets()["Subnets"][0]["SubnetId"]],
                "securityGroupIds": [group],
                "instanceRole": iam.get_instance_profile(InstanceProfileName="hosts")["InstanceProfile"][
                    "Arn"
                ],
            }
            | resources,
        )
        batch.create_job_queue(
            jobQueueName=name,
            state="ENABLED",
            priority=1,
            computeEnvironmentOrder=[{"order": 1, "computeEnvironment": f"{name}-hosts"}],
        )


@contextlib.contextmanager
def new_account(host: str = "127.0.0.1") -> Iterator[Account]:
    """An account that answers at this address of the machine, with an empty bucket."""
    with moto_server(host) as url:
        account = Account(url)
        account.client("s3").create_bucket(Bucket=BUCKET)
        yield account


def bridge_address() -> str:
    """Address of this machine in Docker's own network, where containers reach it."""
    command = ["docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def complete_moto(patch: pytest.MonkeyPatch) -> None:
    """Let moto's jobs have and tell what AWS's have and tell."""
    asked_property, describe, describe_short = Job._get_container_property, Job.describe, Job.describe_short
    terminate = Job.terminate

    def get_property(job: Job, name: str, default: Any) -> Any:
        return _full_environment(job) if name == "environment" else asked_property(job, name, default)

    def stop(job: Job, reason: str) -> None:
        job.is_terminated = True
        terminate(job, reason)

    patch.setattr(settings, "moto_server_host", lambda: "http://127.0.0.1")  # else it asks Docker by a pipe
    patch.setattr(Job, "is_terminated", False, raising=False)
    patch.setattr(Job, "terminate", stop)
    patch.setattr(Job, "_get_container_property", get_property)
    patch.setattr(Job, "describe", lambda job: _completed(job, describe(job)))
    patch.setattr(Job, "describe_short", lambda job: describe_short(job) | _index_of(job))


def _own_environment(job: Job) -> list[dict[str, str]]:
    """What the definition and the submission say, moto's additions left out."""
    given = [*job.job_definition.container_properties.get("environment", ())]
    given += job.container_overrides.get("environment", ())
    return [{"name": one["name"], "value": one["value"]} for one in given]


def _full_environment(job: Job) -> list[dict[str, str]]:
    """With what ECS and AWS Batch add."""
    added = {**KEYS, "AWS_BATCH_JOB_ID": job.job_id, "AWS_BATCH_JOB_ATTEMPT": "1"}
    if "index" in job.array_properties:
        added["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.array_properties["index"])
    return _own_environment(job) + [{"name": key, "value": value} for key, value in added.items()]


def _index_of(job: Job) -> dict[str, Any]:
    index = job.array_properties.get("index")
    return {} if index is None else {"arrayProperties": {"index": index}}


def _completed(job: Job, detail: dict[str, Any]) -> dict[str, Any]:
    """DescribeJobs' answer with exit code, index and who asked for the end; a parent ends when its children did."""
    if "container" in detail:
        ended = {} if job.exit_code is None else {"exitCode": job.exit_code}
        detail["container"] |= {"environment": _own_environment(job), **ended}
    detail |= _index_of(job) | ({"isTerminated": True} if job.is_terminated else {})
    array = detail.get("arrayProperties", {})
    summary = array.get("statusSummary", {})
    if summary.get("FAILED") and summary["FAILED"] + summary["SUCCEEDED"] == array["size"]:
        job.status = detail["status"] = "FAILED"
        detail["statusReason"] = "Array Child Job failed"
        detail["stoppedAt"] = int(datetime.now(UTC).timestamp() * 1000)
    return detail
