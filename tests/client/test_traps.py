"""Traps that other stand-ins for AWS Batch fell into, as a user of the client would notice them: one test each.

Those of a cell's line are in `tests/jupyter/test_traps.py`, those of the rules in `tests/scheduler`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

import nbbatch
from nbbatch.client.summaries import describe_all
from nbbatch.errors import JobTerminatedError, RemoteError

DEADLINE = 120


def environment_of_job():
    return {name: value for name, value in os.environ.items() if name.startswith(("AWS_BATCH", "OWN"))}


def sleep_long():
    time.sleep(600)


def print_and_make(size):
    sys.stdout.write("printed\n")
    return os.urandom(size)


def started(job):
    """Wait until the job runs."""
    running = threading.Event()
    watch = job.on_change(lambda detail: detail["status"] == "RUNNING" and running.set())
    assert running.wait(DEADLINE)
    watch.close()


def containers_of(job):
    """Ids of the job's containers, running or not."""
    listed = subprocess.run(
        ["docker", "ps", "-aq", "--no-trunc", "--filter", f"label=nbbatch.job-id={job.id}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return listed.stdout.split()


def test_what_batch_adds_to_the_environment_is_not_described(shared_daemon):
    """A job sees AWS_BATCH_JOB_ID and its like; DescribeJobs shows only what was asked for."""
    job = nbbatch.submit(environment_of_job, env={"OWN": "1"})
    seen = job.result(DEADLINE)
    assert seen["AWS_BATCH_JOB_ID"] == job.id
    assert seen["OWN"] == "1"
    described = {one["name"]: one["value"] for one in job.detail()["container"]["environment"]}
    assert described["OWN"] == "1"
    assert not [name for name in described if name.startswith("AWS_BATCH")]


def test_more_than_a_hundred_jobs_are_described(shared_daemon):
    """DescribeJobs takes a hundred ids; who asks for more gets them all the same."""
    before = nbbatch.submit(sleep_long)
    arr = nbbatch.map(abs, range(101), chunk=1, after=before)
    try:
        described = describe_all(shared_daemon, [f"{arr.id}:{index}" for index in range(101)])
        assert [one["arrayProperties"]["index"] for one in described] == list(range(101))
    finally:
        arr.terminate()
        before.terminate()


@pytest.fixture
def tight_home(home):
    """A home folder on a disk of its own of forty megabytes."""
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", home], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("only root can mount a small disk")
    yield home
    subprocess.run(["umount", "--lazy", home], check=True)


def test_a_full_disk_says_so_at_the_end_of_a_job(tight_home, monkeypatch):
    """What the job printed is kept, the error names the disk, and the next job that fits runs."""
    monkeypatch.setenv("NBBATCH_EXECUTOR", "process")
    job = nbbatch.submit(print_and_make, 60_000_000)
    with pytest.raises(RemoteError, match="results cannot be written: No space left on device") as caught:
        job.result(DEADLINE)
    assert "NBBATCH_HOME" in caught.value.cure
    assert "printed" in job.logs()
    assert len(nbbatch.submit(print_and_make, 10).result(DEADLINE)) == 10


@pytest.mark.docker
def test_no_container_outlives_a_terminated_job(home, monkeypatch):
    """When the job says that it was terminated, nothing of it runs any more."""
    monkeypatch.setenv("NBBATCH_EXECUTOR", "docker")
    job = nbbatch.submit(sleep_long)
    started(job)
    (container,) = containers_of(job)
    job.terminate()
    with pytest.raises(JobTerminatedError):
        job.result(DEADLINE)
    told = subprocess.run(
        ["docker", "inspect", "-f", "{{.State.Running}}", container],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.stdout.strip() != "true"
