"""How the executors' bench makes, asks about and cleans up after the Docker executor."""

from __future__ import annotations

import shutil
import subprocess
import uuid

from docker_image import IMAGE

from nbbatch.daemon.executors.docker import DockerExecutor
from nbbatch.daemon.executors.docker_spec import container_name

SYSTEM_DOCKER = "unix:///var/run/docker.sock"


def has_image() -> bool:
    """Whether an engine answers here that holds the tests' image."""
    if shutil.which("docker") is None:
        return False
    return not _run("image", "inspect", IMAGE).returncode


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["docker", "-H", SYSTEM_DOCKER, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


class DockerKind:
    """Containers of the system's engine, told apart by their daemon's label."""

    keeps_order = False
    network = "host"

    def make(self, home, machine, report, logs):
        return DockerExecutor(
            home, machine, report, logs, self._daemon_id(home), network=self.network, address=SYSTEM_DOCKER
        )

    def is_alive(self, home, order):
        name = container_name(order.job_id, order.attempt)
        return _run("container", "inspect", "-f", "{{.State.Running}}", name).stdout.strip() == "true"

    def remembers(self, home, order):
        return not _run("container", "inspect", container_name(order.job_id, order.attempt)).returncode

    def clean(self, home):
        left = _run("ps", "-aq", "--filter", f"label=nbbatch.daemon={self._daemon_id(home)}").stdout.split()
        if left:
            _run("rm", "-fv", *left)
        volumes = _run("volume", "ls", "-q", "--filter", f"label=nbbatch.daemon={self._daemon_id(home)}")
        if volumes.stdout.split():
            _run("volume", "rm", *volumes.stdout.split())

    def _daemon_id(self, home):
        return uuid.uuid5(uuid.NAMESPACE_URL, str(home)).hex
