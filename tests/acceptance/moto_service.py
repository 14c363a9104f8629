"""Two servers that answer as AWS Batch, for the same boto3 scripts: nbbatch's daemon and moto's.

moto runs in this process on a port of its own, and marks jobs SUCCEEDED without running them, so it
needs no Docker. `Service` has what both scripts need: a client, an environment, a queue, a definition,
and the answer to a call in one line of words.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError
from moto_server import moto_server

DEADLINE = 120
TAKEN = "taken"
ACCOUNT = "arn:aws:batch:us-east-1:123456789012"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A server, and what an environment on it needs to name."""

    name: str
    batch: Any
    role: str
    instance_role: str
    subnet: str
    security_group: str

    def resources(self, **more: Any) -> dict[str, Any]:
        """The `computeResources` of an environment that both servers take."""
        return {
            "type": "EC2",
            "minvCpus": 0,
            "maxvCpus": 4,
            "instanceTypes": ["m6i.large"],
            "subnets": [self.subnet],
            "securityGroupIds": [self.security_group],
            "instanceRole": self.instance_role,
        } | more

    def environment(self, name: str, **more: Any) -> dict[str, Any]:
        """Create an environment; gives the reply."""
        request = {"type": "MANAGED", "serviceRole": self.role, "computeResources": self.resources()}
        return self.batch.create_compute_environment(computeEnvironmentName=name, **(request | more))

    def queue(self, name: str, **more: Any) -> dict[str, Any]:
        """Create a queue over the environment that is there; gives the reply."""
        order = [{"order": 1, "computeEnvironment": "beside"}]
        request = {"state": "ENABLED", "priority": 1, "computeEnvironmentOrder": order}
        return self.batch.create_job_queue(jobQueueName=name, **(request | more))

    def register(self, name: str, *, container: Mapping[str, Any] | None = None, **more: Any) -> Any:
        """Register a definition that runs a shell line; gives the reply."""
        properties = {
            "image": "busybox",
            "command": ["sh", "-c", "exit ${CODE:-0}"],
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "128"}],
        } | dict(container or {})
        request = {"type": "container", "containerProperties": properties} | more
        return self.batch.register_job_definition(jobDefinitionName=name, **request)

    def submit(self, **more: Any) -> str:
        """Submit a job; gives its id."""
        request = {"jobName": "job", "jobQueue": "beside", "jobDefinition": "beside"} | more
        job_id: str = self.batch.submit_job(**request)["jobId"]
        return job_id

    def describe(self, job_id: str) -> dict[str, Any]:
        """What DescribeJobs says of one job."""
        (job,) = self.batch.describe_jobs(jobs=[job_id])["jobs"]
        return dict(job)

    def ended(self, job_id: str) -> dict[str, Any]:
        """Poll until a job is terminal."""
        deadline = time.monotonic() + DEADLINE
        while (job := self.describe(job_id))["status"] not in ("SUCCEEDED", "FAILED"):
            assert time.monotonic() < deadline, f"{job_id} is still {job['status']}"
        return job

    def run(self, **more: Any) -> dict[str, Any]:
        """Submit a job and wait for its end."""
        return self.ended(self.submit(**more))


def answer(call: Callable[..., Any], **arguments: Any) -> str:
    """Whether a call is taken, or the words that it is refused with."""
    try:
        call(**arguments)
    except ClientError as error:
        return _words(error)
    return TAKEN


def _words(error: ClientError) -> str:
    code, text = error.response["Error"]["Code"], error.response["Error"]["Message"]
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    if status in (404, 500):
        return f"HTTP {status}"
    text = text.partition("; there are: ")[0].partition(", RequestId: ")[0]
    return f"refused: {text}" if code == "ClientException" else f"refused as {code}: {text}"


@contextmanager
def moto_service() -> Iterator[Service]:
    """The server of moto, with the role, subnet and group that its environments must name."""
    with moto_server() as url:
        before = _configure(url, {"batch": {"use_docker": False}})
        with _clients(url, "batch", "iam", "ec2") as (batch, iam, ec2):
            yield Service(
                name="moto",
                batch=batch,
                role=iam.create_role(RoleName="batch", AssumeRolePolicyDocument="{}")["Role"]["Arn"],
                instance_role=iam.create_instance_profile(InstanceProfileName="hosts")["InstanceProfile"][
                    "Arn"
                ],
                subnet=ec2.describe_subnets()["Subnets"][0]["SubnetId"],
                security_group=ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"],
            )
        _configure(url, {"batch": before["batch"]})


@contextmanager
def nbbatch_service(exports: Mapping[str, str]) -> Iterator[Service]:
    """The daemon behind these exported variables; it takes roles and subnets by any name."""
    keys = exports["AWS_ACCESS_KEY_ID"], exports["AWS_SECRET_ACCESS_KEY"]
    with _clients(exports["AWS_ENDPOINT_URL_BATCH"], "batch", keys=keys) as (batch,):
        yield Service(
            name="nbbatch",
            batch=batch,
            role="arn:aws:iam::123456789012:role/batch",
            instance_role="arn:aws:iam::123456789012:instance-profile/hosts",
            subnet="subnet-1",
            security_group="sg-1",
        )


@contextmanager
def _clients(url: str, *services: str, keys: tuple[str, str] = ("key", "secret")) -> Iterator[list[Any]]:
    where = {"endpoint_url": url, "region_name": "us-east-1"}
    signed = {"aws_access_key_id": keys[0], "aws_secret_access_key": keys[1]}
    made = [boto3.client(service, **where, **signed) for service in services]
    yield made
    for client in made:
        client.close()


def _configure(url: str, change: Mapping[str, Any]) -> dict[str, Any]:
    """Change moto's settings; gives those from before."""
    with urllib.request.urlopen(f"{url}/moto-api/config") as reply:
        before: dict[str, Any] = json.load(reply)
    request = urllib.request.Request(
        f"{url}/moto-api/config", data=json.dumps(change).encode(), method="POST",
        headers={"Content-Type": "application/json"},
    )  # fmt: skip
    urllib.request.urlopen(request).close()
    return before
