"""What does a child of an array cost beside other schedulers on this machine?

Each runs `true` as a process of its own, two at a time, and is up and warm before it is measured.
The peers are not dependencies: Python ones are taken from the environment that `NBBATCH_PEERS`
names (with dask[distributed], ray and hyperqueue in it), GNU parallel, xargs and Slurm from PATH;
what is missing is named and left out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from benchmarks.driven import UP_SECONDS, driven
from benchmarks.floor import spawner
from benchmarks.harness import Bench, CannotRunError, Side, local_daemon, register, tell, timed
from benchmarks.m1_array import array

TRIAL, UNFAIR_MS = 4, 500
_SLURM = """
ClusterName=bench
SlurmctldHost={host}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_min_interval=1
EpilogMsgTime=0
CompleteWait=0
KillWait=1
MaxArraySize=10001
MaxJobCount=30000
ReturnToService=2
NodeName={host} CPUs=2 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def run(bench: Bench) -> None:
    with ExitStack() as stack:
        backend = stack.enter_context(local_daemon("process"))
        spawn = stack.enter_context(spawner())
        definition = register(backend)
        peers = dict(_peers(stack))
        for size in (1_000, 10_000) if bench.full else (1_000,):
            sides: dict[str, Side] = {
                "nbbatch, process executor": timed(partial(array, backend, definition, size), per=size)
            }
            sides |= {name: timed(partial(work, size), per=size) for name, work in peers.items()}
            sides["C posix_spawn, two in flight"] = timed(partial(spawn, size), per=size)
            bench.compare(f"array of {size:,} `true`, submitted until all ends are known, per task", sides)


def _peers(stack: ExitStack) -> Iterator[tuple[str, Callable[[int], None]]]:
    """Whatever of them is on this machine, up and warm."""
    for name, start in {
        "xargs -P2": _xargs,
        "GNU parallel -j2": _parallel,
        "HyperQueue": partial(_driven, "hyperqueue"),
        "Dask, processes": partial(_driven, "dask"),
        "Ray": partial(_driven, "ray"),
        "Slurm": _slurm,
    }.items():
        try:
            yield name, stack.enter_context(start())
        except CannotRunError as reason:
            tell(f"{name} is left out", str(reason))


@contextmanager
def _xargs() -> Iterator[Callable[[int], None]]:
    command = [_found("xargs"), "-P2", "-n1", "true"]
    yield lambda size: subprocess.run(command, input=_numbers(size), check=True) and None


@contextmanager
def _parallel() -> Iterator[Callable[[int], None]]:
    command = [_found("parallel"), "-j2", "true"]
    quiet = {"stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    yield lambda size: subprocess.run(command, input=_numbers(size), check=True, **quiet) and None


@contextmanager
def _driven(package: str) -> Iterator[Callable[[int], None]]:
    """A peer with a Python interface, in a process and an environment of its own."""
    environment = os.environ.get("NBBATCH_PEERS")
    if not environment:
        raise CannotRunError("NBBATCH_PEERS names no environment")
    python = Path(environment) / "bin" / "python"
    if subprocess.run([python, "-c", f"import {package}"], capture_output=True, check=False).returncode:
        raise CannotRunError(f"{environment} has no {package}")
    with driven(f"{package}_tasks.py", python=python) as work:
        yield work


@contextmanager
def _slurm() -> Iterator[Callable[[int], None]]:
    """One node with two CPUs; array tasks are batch scripts that run `true`."""
    if os.geteuid() != 0:
        raise CannotRunError("Slurm's daemons want to be root")
    programs = [_found(name) for name in ("munged", "slurmctld", "slurmd", "sbatch", "sinfo")]
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, host = Path(name), os.uname().nodename.partition(".")[0]
        for part in ("state", "spool"):
            (folder / part).mkdir()
        (folder / "slurm.conf").write_text(_SLURM.format(folder=folder, host=host))
        (folder / "munge.key").write_bytes(os.urandom(128))
        (folder / "munge.key").chmod(0o600)
        script = folder / "true.sh"
        script.write_text("#!/bin/sh\ntrue\n")
        os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
        places = ["key-file", "socket", "pid-file", "log-file", "seed-file"]
        munge = [f"--{place}={folder}/munge.{place.partition('-')[0]}" for place in places]
        for command in ([programs[0], "-F", "-f", *munge], [programs[1], "-D"], [programs[2], "-D"]):
            stack.enter_context(_running([str(word) for word in command], folder))
        _until_idle(programs[4])
        work = partial(_sbatch, programs[3], script)
        _refuse_the_unfair(timed(partial(work, TRIAL), per=TRIAL)())
        yield work


def _refuse_the_unfair(milliseconds: float) -> None:
    """Slurm waits until a task's processes are reaped, for which it depends on the machine's init."""
    if milliseconds > UNFAIR_MS:
        raise CannotRunError(
            f"a task takes {milliseconds:.0f} ms, most of it until this machine's init reaps it"
        )


def _sbatch(program: str, script: Path, size: int) -> None:
    command = [program, "--wait", "-Q", f"--array=0-{size - 1}", "-o", "/dev/null", str(script)]
    subprocess.run(command, check=True)


def _until_idle(sinfo: str) -> None:
    ends = time.monotonic() + UP_SECONDS
    while time.monotonic() < ends:
        told = subprocess.run([sinfo, "-h", "-o", "%T"], capture_output=True, text=True, check=False)
        if told.stdout.strip() == "idle":
            return
        time.sleep(0.2)
    raise CannotRunError("Slurm did not come up")


@contextmanager
def _running(command: list[str], folder: Path) -> Iterator[None]:
    with (folder / f"{Path(command[0]).name}.out").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            yield
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            if process.poll() is None:
                process.kill()
                process.wait()


def _found(program: str) -> str:
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if found is None:
        raise CannotRunError(f"no {program} on PATH")
    return found


def _numbers(size: int) -> bytes:
    return b"".join(b"%d\n" % number for number in range(size))
