"""Tasks of several containers under kills: each container runs once, in its order, with its true exit code."""

import random

import pytest
from docker_image import IMAGE
from load import Load

pytestmark = [pytest.mark.slow, pytest.mark.docker, pytest.mark.timeout(600)]

WRITE_A_LINE = 'echo "$1" >> "$0/$AWS_BATCH_JOB_ID"; sleep 0.1; exit "$2"'
KILLS = 6


@pytest.fixture
def executor(monkeypatch):
    monkeypatch.setenv("NBBATCH_EXECUTOR", "docker")
    return "docker"


@pytest.fixture
def load(executor, daemon, home, tmp_path):
    """The usual load, of tasks instead of single containers."""
    traces, image = tmp_path / "traces", IMAGE
    traces.mkdir()
    traces.chmod(0o777)
    load = Load(daemon, home, traces, image, seed=random.randrange(2**32))
    daemon.batch.register_job_definition(**definition(str(traces), image))
    return load


def definition(traces, image):
    def container(name, code, **more):
        return {
            "name": name,
            "image": image,
            "command": ["sh", "-c", WRITE_A_LINE, traces, name, code],
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "32"}],
            "mountPoints": [{"sourceVolume": "traces", "containerPath": traces}],
            **more,
        }

    task = {
        "containers": [
            container("main", "Ref::code", dependsOn=[{"containerName": "first", "condition": "COMPLETE"}]),
            container("first", "5", essential=False),
        ],
        "volumes": [{"name": "traces", "host": {"sourcePath": traces}}],
    }
    return {
        "jobDefinitionName": "trace",
        "type": "container",
        "parameters": {"code": "0"},
        "ecsProperties": {"taskProperties": [task]},
    }


def test_the_daemon_is_killed_between_containers(load):
    """SIGKILL at random moments of a task's life: nothing is begun twice, nothing out of order, nothing lost."""
    for _ in range(KILLS):
        load.submit()
        load.submit()
        load.backend.batch.describe_jobs(jobs=["wait"])
        for _ in range(load.random.randint(0, 60)):
            load.backend.batch.describe_jobs(jobs=["wait"])
        load.kill_daemon()
    details = load.wait_until_done()
    assert details
    assert sorted(details) == sorted(load.expected)
    for job_id, job in details.items():
        assert (load.traces / job_id).read_text().split() == ["first", "main"], job
        (task,) = job["ecsProperties"]["taskProperties"]
        codes = [known["exitCode"] for known in task["containers"]]
        assert codes == [load.expected[job_id], 5]
        assert len(job["attempts"]) == 1
