"""What every benchmark shares: a daemon of its own, turns A B A B, medians with spread, one table.

A benchmark is a module with a docstring, whose first line is its question, and `run(bench)`. It
measures by calling both sides in turn, so that a noisy machine disturbs both alike, and reports the
ratio, which is all that means anything elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ENOUGH_FOR_P95 = 20
"""Turns below which a 95th percentile means nothing."""

Side = Callable[[], float]
"""Does the work once and returns what it took, in the unit of the comparison."""


class CannotRunError(Exception):
    """What the benchmark needs is not on this machine; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """How to measure: `rounds` turns of each side; `full` asks for the long ones too."""

    rounds: int = 5
    full: bool = False

    def compare(
        self, title: str, sides: Mapping[str, Side], *, unit: str = "ms", warm: bool = True
    ) -> list[float]:
        """Run the sides in turn and print a table; the last one is what the others are compared with.

        Returns the medians.
        """
        if warm:
            for side in sides.values():
                side()
        taken: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(self.rounds):
            for name, side in sides.items():
                taken[name].append(side())
        print_table(title, taken, unit)
        return [statistics.median(values) for values in taken.values()]


def print_table(title: str, taken: Mapping[str, list[float]], unit: str) -> None:
    """One line a side: median, spread, and the ratio of its median to the last one's.

    Where there are enough turns, the 95th percentile follows in the same way.
    """
    turns = len(next(iter(taken.values())))
    print(f"\n  {title}, medians of {turns}")
    _print_lines(taken, unit, statistics.median)
    if turns >= ENOUGH_FOR_P95:
        print("  the same, 95th percentiles")
        _print_lines(taken, unit, lambda values: statistics.quantiles(values, n=20)[-1])


def _print_lines(taken: Mapping[str, list[float]], unit: str, of: Callable[[list[float]], float]) -> None:
    base = of(list(taken.values())[-1])
    for name, values in taken.items():
        value = of(values)
        spread = f"{min(values):.3f} .. {max(values):.3f}"
        ratio = f"{value / base:.2f}x" if base else ""
        print(f"    {name:<52} {value:>10.3f} {unit:<3} {spread:>22} {ratio:>9}", flush=True)


def tell(name: str, value: str) -> None:
    """One measured fact that has nothing beside it."""
    print(f"    {name:<52} {value:>14}", flush=True)


def timed(work: Callable[[], Any], *, per: int = 1) -> Side:
    """A side that takes the wall time of `work` in milliseconds, divided by `per`."""

    def side() -> float:
        started = time.perf_counter()
        work()
        return (time.perf_counter() - started) * 1000 / per

    return side


def processor_time(pid: int, work: Callable[[], Any], *, per: int = 1) -> Side:
    """A side that takes the processor time of a process during `work` in milliseconds, divided by `per`."""
    process = psutil.Process(pid)

    def spent() -> float:
        times = process.cpu_times()
        return float(times.user + times.system)

    def side() -> float:
        before = spent()
        work()
        return (spent() - before) * 1000 / per

    return side


@contextlib.contextmanager
def home_folder() -> Iterator[Path]:
    """An empty home for a daemon, as `$NBBATCH_HOME`; whatever was started for it ends with it."""
    folder = Path(tempfile.mkdtemp(prefix="nbbatch-bench-")).resolve()
    before = os.environ.get("NBBATCH_HOME")
    os.environ["NBBATCH_HOME"] = str(folder)
    try:
        yield folder
    finally:
        end_processes_of(folder)
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.pop("NBBATCH_HOME")
        if before is not None:
            os.environ["NBBATCH_HOME"] = before


def end_processes_of(folder: Path) -> None:
    """End the daemon and the spawner of a home: the processes whose command line names it."""
    family = [process for process in psutil.process_iter() if _is_of(process, str(folder))]
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=10)


def _is_of(process: psutil.Process, folder: str) -> bool:
    try:
        return process.pid != os.getpid() and any(folder in word for word in process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


@contextlib.contextmanager
def local_daemon(executor: str = "process") -> Iterator[Any]:
    """The client's backend of a fresh daemon with this executor, its home thrown away at the end."""
    from nbbatch.client.backend import get_backend

    if executor == "docker":
        need_docker()
    os.environ["NBBATCH_EXECUTOR"] = executor
    with home_folder():
        yield get_backend("local")


def need_docker() -> None:
    """Refuse to go on without a Docker Engine."""
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        raise CannotRunError("no Docker Engine answers")


def register(backend: Any, name: str = "true", *, image: str = "none", memory: int = 32) -> str:
    """A job definition that runs `true` with one vCPU; returns its `name:revision`."""
    properties = {
        "image": image,
        "command": ["true"],
        "resourceRequirements": [
            {"type": "VCPU", "value": "1"},
            {"type": "MEMORY", "value": str(memory)},
        ],
    }
    reply = backend.batch.register_job_definition(
        jobDefinitionName=name, type="container", containerProperties=properties
    )
    return f"{reply['jobDefinitionName']}:{reply['revision']}"


def submit(backend: Any, definition: str, *, size: int = 1) -> str:
    """Submit a job, or an array of `size`; returns its id."""
    array = {"arrayProperties": {"size": size}} if size > 1 else {}
    reply = backend.batch.submit_job(jobName="bench", jobQueue="default", jobDefinition=definition, **array)
    return str(reply["jobId"])


def wait(backend: Any, job_id: str) -> None:
    """Wait as a notebook does, until the job's end is known here."""
    from nbbatch.client.jobs import Job

    job = Job(job_id, backend=backend.name)
    job.wait()
    if job.status != "SUCCEEDED":
        raise CannotRunError(f"job {job_id} is {job.status}: {job.status_reason}")


def python(program: str) -> Callable[[], None]:
    """Work: a fresh interpreter runs this program."""

    def work() -> None:
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)

    return work
