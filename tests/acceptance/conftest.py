"""Clients that are not ours against the daemon: they get what `nbbatch local env` prints, no more."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from docker_image import IMAGE

sys.path.insert(0, str(Path(__file__).parent))
DEADLINE = 120


@pytest.fixture
def image(executor) -> str:
    """An image that is there: real for Docker, any name for processes."""
    return IMAGE if executor == "docker" else "busybox"


@pytest.fixture
def exports(executor, daemon) -> dict[str, str]:
    """The variables that `nbbatch local env` sets, as a shell would see them."""
    return _exported()


@pytest.fixture(scope="module")
def shared_exports(shared_daemon) -> dict[str, str]:
    """The same of the one daemon that a file's tests share."""
    return _exported()


def _exported() -> dict[str, str]:
    command = [sys.executable, "-m", "nbbatch.cli", "local", "env"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ).stdout
    words = [shlex.split(line) for line in printed.splitlines()]
    return dict(word.split("=", 1) for line in words if line and line[0] == "export" for word in line[1:])


@pytest.fixture
def clients(exports) -> Iterator[Callable[[str], Any]]:
    """Plain boto3 clients, made from the exported variables only."""
    made = []

    def client(service: str) -> Any:
        variable = {"batch": "AWS_ENDPOINT_URL_BATCH", "logs": "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"}[service]
        made.append(
            boto3.client(
                service,
                endpoint_url=exports[variable],
                region_name=exports["AWS_DEFAULT_REGION"],
                aws_access_key_id=exports["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=exports["AWS_SECRET_ACCESS_KEY"],
            )
        )
        return made[-1]

    yield client
    for one in made:
        one.close()


@pytest.fixture
def batch(clients) -> Any:
    return clients("batch")


@pytest.fixture
def logs(clients) -> Any:
    return clients("logs")


@pytest.fixture
def aws(exports) -> Callable[..., Any]:
    """The aws command, as in a shell after `eval "$(nbbatch local env)"`; gives its parsed output."""
    program = Path(sys.executable).with_name("aws")

    def run(*words: str, check: bool = True) -> Any:
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_PAGER": "", **exports}
        done = subprocess.run(
            [program, *words, "--output", "json"],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout) if done.stdout.strip() else None
        return done

    return run


@pytest.fixture
def register(batch, image) -> Callable[..., str]:
    """Register a definition that runs a shell line; gives its name."""

    def register(line: str, name: str = "work", container: dict[str, Any] | None = None, **more: Any) -> str:
        batch.register_job_definition(
            jobDefinitionName=name,
            type="container",
            containerProperties={
                "image": image,
                "command": ["sh", "-c", line],
                "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "128"}],
                **(container or {}),
            },
            **more,
        )
        return name

    return register


@pytest.fixture
def reached(batch) -> Callable[..., dict[str, Any]]:
    """Poll DescribeJobs, as other clients do, until a job is in one of these statuses."""

    def wait(job_id: str, *statuses: str) -> dict[str, Any]:
        deadline = time.monotonic() + DEADLINE
        while True:
            (job,) = batch.describe_jobs(jobs=[job_id])["jobs"]
            if job["status"] in statuses:
                return job
            assert time.monotonic() < deadline, (
                f"{job_id} is still {job['status']}: {job.get('statusReason')}"
            )

    return wait


@pytest.fixture
def ended(reached) -> Callable[[str], dict[str, Any]]:
    """Poll until a job is terminal."""
    return lambda job_id: reached(job_id, "SUCCEEDED", "FAILED")
