"""Nothing is lost: whatever is killed, each acknowledged job ends once, with its true exit code."""

import signal
import threading

import psutil
import pytest
from load import Load

from nbbatch.client.jobs import submit

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def rounds(executor) -> tuple[int, int]:
    """How often the daemon is killed, and how many jobs come each time: containers take their time."""
    return (20, 30) if executor == "process" else (5, 4)


def test_the_daemon_is_killed_again_and_again_under_load(load, rounds):
    """Arrays run, submissions arrive, SIGKILL at random moments: every acknowledged job ends exactly once."""
    kills, many = rounds
    for _ in range(kills):
        load.submit(seconds=0.05, size=load.random.randint(2, many))
        killer = threading.Timer(load.random.uniform(0, 0.1), load.kill_daemon)
        killer.start()
        for _ in range(load.random.randint(1, many)):
            load.submit(seconds=load.random.choice([0.0, 0.0, 0.02]))
        killer.join()
    load.submit()
    load.check()


def test_running_jobs_are_adopted_not_restarted(load):
    """A job that runs while its daemon is killed goes on, and its exit code arrives."""
    job_id = load.submit(seconds=1.5)
    trace = load.traces / job_id
    while not trace.exists():
        load.backend.batch.describe_jobs(jobs=[job_id])
    before = load.kill_daemon()
    load.check()
    assert load.daemon_pid() != before


def test_a_handle_goes_on_by_itself(load, executor):
    """A notebook that waits for a result gets it, though the daemon was killed meanwhile."""

    def slow(x):
        import time

        time.sleep(1.0)
        return x * 2

    job = submit(slow, 21)
    while job.status not in ("RUNNING", "SUCCEEDED"):
        pass
    load.kill_daemon()
    assert job.result(timeout=120) == 42


@pytest.fixture
def processes(monkeypatch):
    """Only the process executor has a spawner."""
    monkeypatch.setenv("NBBATCH_EXECUTOR", "process")


def test_the_spawner_is_killed(processes, tmp_path, home, daemon):
    """Its jobs end as on a lost host, their processes are gone before they are tried again, nothing doubles."""
    (tmp_path / "traces").mkdir()
    load = Load(daemon, home, tmp_path / "traces", "none", seed=1)
    lasting = load.submit(seconds=30)
    trace = load.traces / lasting
    while not trace.exists():
        daemon.batch.describe_jobs(jobs=[lasting])
    (spawner,) = spawners(home)
    (child,) = [one for one in spawner.children() if str(load.traces) in " ".join(one.cmdline())]
    spawner.send_signal(signal.SIGKILL)
    psutil.wait_procs([spawner, child], timeout=60)
    assert not child.is_running()
    del load.expected[lasting]
    (job,) = daemon.batch.describe_jobs(jobs=[lasting])["jobs"]
    while job["status"] not in ("FAILED", "SUCCEEDED"):
        (job,) = daemon.batch.describe_jobs(jobs=[lasting])["jobs"]
    assert job["statusReason"].startswith("Host EC2 (instance i-")
    load.submit()
    load.submit(size=5)
    load.check()


def spawners(home) -> list[psutil.Process]:
    """The spawner of this home, by the folder on its command line."""
    found = []
    for process in psutil.process_iter():
        try:
            words = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if "spawner" in words and str(home) in words:
            found.append(process)
    return found
