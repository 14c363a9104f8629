"""A multi-node job whose daemon is killed: no node is lost, none is begun twice, no network stays."""

from __future__ import annotations

import json
import subprocess
import time

import pytest
from docker_image import IMAGE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TRACE = 'echo "$AWS_BATCH_JOB_ATTEMPT" >> "$0/$AWS_BATCH_JOB_ID"; '
MAIN = TRACE + 'while [ ! -e "$0/go" ]; do sleep 0.05; done; exit "$1"'
OTHER = TRACE + "trap 'sleep 1; exit 143' TERM; while :; do sleep 0.05; done"


@pytest.fixture
def submit(load, executor):
    """Submit a gang of three whose main node ends, with this code, when the file `go` is there."""
    image = IMAGE if executor == "docker" else "none"

    def submit(code: int = 0, **more) -> str:
        batch = load.backend.batch
        batch.register_job_definition(
            jobDefinitionName="gang",
            type="multinode",
            nodeProperties={
                "numNodes": 3,
                "mainNode": 0,
                "nodeRangeProperties": [
                    {"targetNodes": target, "container": container(image, script, load.traces, code)}
                    for target, script in (("0", MAIN), ("1:", OTHER))
                ],
            },
        )
        reply = batch.submit_job(jobName="gang", jobQueue="default", jobDefinition="gang", **more)
        return reply["jobId"]

    return submit


def container(image, script, traces, code):
    return {
        "image": image,
        "command": ["sh", "-c", script, str(traces), str(code)],
        "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
        "volumes": [{"name": "traces", "host": {"sourcePath": str(traces)}}],
        "mountPoints": [{"sourceVolume": "traces", "containerPath": str(traces)}],
    }


def until(condition):
    deadline = time.monotonic() + 120
    while not (result := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return result


def traces_of(load, job_id):
    return {
        path.name.partition("#")[2]: path.read_text().split()
        for path in load.traces.iterdir()
        if path.name.startswith(job_id)
    }


def ended(load, job_id):
    def look():
        (job,) = load.backend.batch.describe_jobs(jobs=[job_id])["jobs"]
        return job if job["status"] in ("SUCCEEDED", "FAILED") else None

    return until(look)


def networks(home):
    identity = json.loads((home / "identity.json").read_text())
    label = f"label=nbbatch.daemon={identity['daemon_id']}"
    command = ["docker", "network", "ls", "-q", "--filter", label]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_a_gang_outlives_daemons_killed_in_each_phase(load, submit, executor, home):
    """Killed while it starts, while it runs and while it is stopped: every node ran once, and it succeeded."""
    job_id = submit()
    load.kill_daemon()
    load.backend.batch.describe_jobs(jobs=[job_id])
    until(lambda: len(traces_of(load, job_id)) == 3)
    load.kill_daemon()
    (load.traces / "go").touch()
    until(
        lambda: any(
            job["status"] == "SUCCEEDED"
            for job in load.backend.batch.describe_jobs(jobs=[f"{job_id}#0"])["jobs"]
        )
    )
    load.kill_daemon()
    job = ended(load, job_id)
    assert (job["status"], len(job["attempts"])) == ("SUCCEEDED", 1)
    assert traces_of(load, job_id) == {"0": ["1"], "1": ["1"], "2": ["1"]}
    if executor == "docker":
        until(lambda: not networks(home))


def test_a_gang_that_ended_without_its_daemon_is_settled_by_the_next_one(load, submit, home, executor):
    """The main node failed while nobody watched: its true code is found, and a new attempt follows."""
    job_id = submit(3, retryStrategy={"attempts": 2})
    until(lambda: len(traces_of(load, job_id)) == 3)
    load.kill_daemon()
    (load.traces / "go").touch()
    job = ended(load, job_id)
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [3, 3]
    assert traces_of(load, job_id)["0"] == ["1", "2"]
    if executor == "docker":
        until(lambda: not networks(home))
