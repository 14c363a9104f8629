"""The daemon as a process: its lock, its files, its first world, its end."""

import json
import os
import signal
import socket
import subprocess
import sys

import psutil
import pytest

from nbbatch.client.backend import get_backend


@pytest.fixture
def processes(monkeypatch):
    monkeypatch.setenv("NBBATCH_EXECUTOR", "process")


def run_daemon(home, *words):
    command = [sys.executable, "-m", "nbbatch.daemon", "--home", str(home), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_second_daemon_of_a_home_goes_at_once(daemon, home):
    """It says who has the home."""
    done = run_daemon(home)
    assert done.returncode == 1
    assert str(daemon.private("status", {})["pid"]) in done.stderr


def test_a_port_that_is_taken_is_told(home, processes):
    """A port that was asked for is not exchanged for another one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_daemon(home, "--port", str(port))
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in (home / "daemon.log").read_text() + done.stderr
    assert not (home / "endpoint.json").exists()


def test_the_first_world_needs_no_set_up(daemon):
    """Three queues, each over an environment that is VALID and sized to this machine."""
    queues = {queue["jobQueueName"]: queue for queue in daemon.batch.describe_job_queues()["jobQueues"]}
    assert set(queues) == {"default", "spot", "gpu"}
    environments = daemon.batch.describe_compute_environments()["computeEnvironments"]
    kinds = {one["computeEnvironmentName"]: one["computeResources"]["type"] for one in environments}
    assert (kinds["default"], kinds["spot"]) == ("EC2", "SPOT")
    assert {one["status"] for one in [*queues.values(), *environments]} == {"VALID"}
    assert min(one["computeResources"]["maxvCpus"] for one in environments) >= (os.cpu_count() or 1)


def test_a_restart_keeps_key_port_and_world(daemon, home):
    """Clients that hold the old address go on."""
    before = json.loads((home / "endpoint.json").read_text())
    process = psutil.Process(before["pid"])
    process.send_signal(signal.SIGKILL)
    psutil.wait_procs([process], timeout=60)
    get_backend("local")
    after = json.loads((home / "endpoint.json").read_text())
    same = ("url", "access_key_id", "secret_access_key", "region", "account")
    assert [before[name] for name in same] == [after[name] for name in same]
    assert before["pid"] != after["pid"]
    assert len(daemon.batch.describe_job_queues()["jobQueues"]) == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_daemon_go_in_peace(daemon, home, number):
    """The endpoint file goes first; jobs are left alone."""
    process = psutil.Process(json.loads((home / "endpoint.json").read_text())["pid"])
    process.send_signal(number)
    psutil.wait_procs([process], timeout=60)
    assert not process.is_running()
    assert not (home / "endpoint.json").exists()
    assert "jobs go on" in (home / "daemon.log").read_text()


def test_starting_imports_nothing_that_only_notebooks_need(tmp_path):
    """The first job must not wait for pandas."""
    code = "import sys, nbbatch.daemon.app, nbbatch.daemon.front; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    loaded = set(done.stdout.split())
    notebooks = {"pandas", "numpy", "IPython", "plotly", "ipywidgets"}
    assert not loaded & {*notebooks, "boto3", "botocore", "urllib3", "docker"}
