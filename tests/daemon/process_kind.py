"""How the executors' bench makes, asks about and cleans up after the process executor."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import psutil
from executor_contract import DEADLINE

from nbbatch.daemon.executors.process import ProcessExecutor
from nbbatch.daemon.spawner_link import mark_of
from nbbatch.daemon.spawner_protocol import MARKER, marker_of
from nbbatch.model.jobs import task_id


class ProcessKind:
    """Processes, told apart by the marker in their environment."""

    keeps_order = True

    def make(self, home, machine, report, logs):
        return ProcessExecutor(home, machine, report, logs, idle_seconds=0.2)

    def is_alive(self, home, order):
        return marker_of(mark_of(home), (order.job_id, order.attempt)) in markers().values()

    def remembers(self, home, order):
        return (home / "scratch" / task_id(order.job_id, order.attempt)).exists()

    def clean(self, home):
        """Wait until the spawner has ended by itself; nothing may carry the home's mark then."""
        deadline = time.monotonic() + DEADLINE
        while runs(spawner_of(home)):
            assert time.monotonic() < deadline, "the spawner stays"
            time.sleep(0.01)
        left = [pid for pid, value in markers().items() if value.startswith(f"{mark_of(home)}:")]
        assert not left


def markers() -> dict[int, str]:
    """Pid and marker of every process that has one."""
    found = {}
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            variables = process.environ() if process.status() != psutil.STATUS_ZOMBIE else {}
            if MARKER in variables:
                found[process.pid] = variables[MARKER]
    return found


def spawner_of(home: Path) -> int:
    """Pid of the home's spawner."""
    return int((home / "run" / "pid").read_text())


def runs(pid: int) -> bool:
    """Whether there is such a process, and it is not only waiting to be reaped."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False
