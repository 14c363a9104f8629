"""What only the process executor does: sessions, limits, scratch folders, and a spawner that dies."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import stat
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from executor_contract import DEADLINE, Bench

from nbbatch.daemon.executors.process import ProcessExecutor
from nbbatch.daemon.processes import IS_LINUX
from nbbatch.daemon.spawner_link import mark_of
from nbbatch.daemon.spawner_peer import is_own_user
from nbbatch.daemon.spawner_protocol import MARKER, marker_of
from nbbatch.errors import ConfigurationError
from nbbatch.model.events import AttemptExited
from nbbatch.model.jobs import Ulimit, task_id
from nbbatch.model.resources import Resources

only_linux = pytest.mark.skipif(not IS_LINUX, reason="needs /proc")
COUNTED = 'echo $ME >> "$COUNT"; '
"""Begins a script that writes down that it ran; who wrote twice has run twice."""


class Processes:
    """How the bench makes and asks about processes."""

    keeps_order = True

    def __init__(self, idle_seconds: float = 0.2) -> None:
        self.idle_seconds = idle_seconds

    def make(self, home, machine, report, logs):
        return ProcessExecutor(home, machine, report, logs, idle_seconds=self.idle_seconds)

    def is_alive(self, home, order):
        wanted = marker_of(mark_of(home), (order.job_id, order.attempt))
        return any(value == wanted for value in markers().values())

    def remembers(self, home, order):
        return order.job_id in (home / "run" / "exits").read_text()

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
            if process.status() != psutil.STATUS_ZOMBIE and MARKER in process.environ():
                found[process.pid] = process.environ()[MARKER]
    return found


def spawner_of(home: Path) -> int:
    return int((home / "run" / "pid").read_text())


def runs(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


@pytest.fixture
async def bench(home: Path) -> AsyncIterator[Bench]:
    """The process executor, up, in an empty home."""
    bench = Bench(Processes(), home)
    await bench.up()
    yield bench
    await bench.down()
    bench.kind.clean(home)
    bench.check()


async def pid_of(bench: Bench, order) -> int:
    """The pid that a script wrote into its log."""
    await bench.until(lambda: bench.log(order).endswith("\n"), "a pid in the log")
    return int(bench.log(order).split()[-1])


# One attempt.


async def test_a_signal_that_kills_the_command_itself(bench):
    """The exit code is 128 plus the signal's number."""
    for number in (signal.SIGTERM, signal.SIGSEGV, signal.SIGKILL):
        end = await bench.run(bench.shell(f"kill -{number.value} $$"))
        assert end.exit_code == 128 + number


async def test_signals_have_their_default_meaning(bench):
    """What Python or the spawner ignores is not ignored by the job: a broken pipe ends it."""
    end = await bench.run(bench.shell("kill -PIPE $$; kill -INT $$; kill -HUP $$; exit 0"))
    assert end.exit_code == 128 + signal.SIGPIPE


async def test_it_runs_in_a_scratch_folder_of_its_own(bench):
    """The working directory is empty, private, named by the task, and removed afterwards."""
    order = bench.shell("pwd; ls -A; stat -c %a . 2>/dev/null || stat -f %Lp .; mkdir -p a/b; chmod 0 a")
    await bench.run(order)
    folder = bench.home / "scratch" / task_id(order.job_id, 1)
    assert bench.log(order).split() == [str(folder), "700"]
    await bench.until(lambda: not folder.exists(), "the folder is removed")


async def test_an_empty_scratch_folder_does_not_stay(bench):
    """Folders that are handed on from job to job are removed when none comes."""
    await asyncio.gather(*[bench.run(bench.shell("exit 0")) for _ in range(10)])
    await bench.until(lambda: not list((bench.home / "scratch").iterdir()), "all folders are removed")


async def test_a_changed_scratch_folder_is_not_handed_on(bench):
    """The next job finds neither files nor permissions of the one before it."""
    for script in (
        "touch mine",
        "chmod 777 .",
        "cd /; rmdir $OLDPWD",
        "d=$PWD; cd /; rmdir $d; ln -s /tmp $d",
    ):
        await bench.run(bench.shell(script))
    order = bench.shell("ls -A; stat -c %a . 2>/dev/null || stat -f %Lp .")
    await bench.run(order)
    assert bench.log(order).split() == ["700"]
    await bench.until(lambda: not list((bench.home / "scratch").iterdir()), "all folders are removed")
    assert os.listdir("/tmp")  # noqa: PTH208


async def test_a_program_is_looked_up_on_the_jobs_own_path(bench, tmp_path):
    """PATH of the order decides, and a file that is not executable is named as such."""
    tool = tmp_path / "some-tool"
    tool.write_text("#!/bin/sh\nexit 21\n")
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    end = await bench.run(bench.order("some-tool", environment=environment))
    assert end.reason == "CannotStartContainerError: Permission denied: 'some-tool'"
    tool.chmod(0o755)
    assert (await bench.run(bench.order("some-tool", environment=environment))).exit_code == 21


async def test_an_empty_command_says_that_it_needs_docker(bench):
    """There is no image whose default command could run."""
    end = await bench.run(bench.order())
    assert end.exit_code is None
    assert "image's default command needs Docker" in end.reason


@pytest.mark.parametrize("word", ["nul\0inside", "\udcff\ud800"])
async def test_a_command_that_no_system_takes(bench, word):
    """Characters that cannot be passed on end the attempt, and only this one."""
    bad, good = bench.order("/bin/echo", word), bench.shell("exit 0")
    bench.start(bad, good)
    end = await bench.end(bad)
    assert end.reason.startswith("CannotStartContainerError: ")
    assert (await bench.end(good)).exit_code == 0


async def test_a_log_that_cannot_be_written(bench):
    """The attempt ends before it starts, and the reason says that it was the log file."""
    order = bench.shell("exit 0")
    os.mkdir(bench.logs.path(order.log_stream))  # noqa: PTH102
    end = await bench.run(order)
    assert end.exit_code is None
    assert "log file" in end.reason


async def test_ulimits(bench):
    """Soft and hard limits hold in the job and not in the spawner or the next job."""
    limits = (Ulimit(name="nofile", soft=64, hard=128), Ulimit(name="core", soft=0, hard=0))
    order = bench.shell("ulimit -Sn; ulimit -Sc", ulimits=limits)
    await bench.run(order)
    assert bench.log(order).split() == ["64", "0"]
    after = bench.shell("ulimit -Sn")
    await bench.run(after)
    assert bench.log(after).split() != ["64"]


@only_linux
async def test_hard_ulimits(bench):
    """A job cannot go over its hard limit; the child may see it a moment after it has begun."""
    limits = (Ulimit(name="nofile", soft=64, hard=128),)
    order = bench.shell("until [ $(ulimit -Hn) = 128 ]; do sleep 0.01; done", ulimits=limits)
    assert (await bench.run(order)).exit_code == 0


async def test_ulimits_that_cannot_be(bench):
    """An unknown name, or one that is over the machine's, ends the attempt before it starts."""
    end = await bench.run(bench.shell("exit 0", ulimits=(Ulimit(name="patience", soft=1, hard=1),)))
    assert "'patience'" in end.reason
    if os.geteuid() != 0:
        limits = (Ulimit(name="nofile", soft=2**40, hard=2**40),)
        end = await bench.run(bench.shell("exit 0", ulimits=limits))
        assert "nofile" in end.reason


async def test_gpus_are_made_visible_one_by_one(home, monkeypatch):
    """Two jobs at once get different devices, one without gets none, by the daemon's own names."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    bench = Bench(Processes(), home, Resources(vcpus=4, memory=1000, gpus=2))
    await bench.up()
    orders = [bench.shell("echo [$CUDA_VISIBLE_DEVICES]; sleep 0.3", gpus=gpus) for gpus in (1, 1, 0)]
    bench.start(*orders)
    for order in orders:
        await bench.end(order)
    assert [bench.log(order) for order in orders] == ["[4]\n", "[7]\n", "[]\n"]
    await bench.down()


@only_linux
async def test_what_moved_to_another_session_ends_with_its_attempt(bench):
    """A process that made itself a daemon is killed, too; one of a running attempt is not."""
    keeper = bench.shell("setsid sh -c 'echo $$; exec sleep 300' & sleep 0.1; exec sleep 300")
    bench.start(keeper)
    kept = await pid_of(bench, keeper)
    order = bench.shell("(setsid sh -c 'echo $$; exec sleep 300' &) ; sleep 0.1; exit 0")
    await bench.run(order)
    stray = await pid_of(bench, order)
    await bench.until(lambda: not runs(stray), "the stray is gone")
    assert runs(kept)
    bench.stop(keeper, grace_seconds=0)
    await bench.end(keeper)
    await bench.until(lambda: not runs(kept), "the other one is gone with its attempt")


@only_linux
async def test_shared_memory_is_counted_once(bench):
    """Workers that share their parent's memory do not add up to more than there is."""
    script = (
        "import os, time\n"
        "data = bytearray(os.urandom(1)) * (60 << 20)\n"
        "children = [os.fork() for _ in range(1)]\n"
        "if 0 in children: time.sleep(2); os._exit(0)\n"
        "children += [os.fork()]\n"
        "if 0 in children: time.sleep(2); os._exit(0)\n"
        "[os.waitpid(child, 0) for child in children]\n"
    )
    end = await bench.run(bench.order(sys.executable, "-c", script, memory=120))
    assert (end.exit_code, end.reason) == (0, None)
    assert 60 <= end.usage.peak_memory <= 120


# The line, the folder, the process.


async def test_what_it_leaves_on_disk_is_private(bench):
    """Folders are 0700 and files 0600, whatever the umask is."""
    order = bench.shell("umask; echo x > file; ls -l file; sleep 0.2")
    bench.start(order)
    await bench.says(order, "file")
    for path in (bench.home / "run").iterdir():
        if not stat.S_ISSOCK(path.stat().st_mode):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE((bench.home / "run").stat().st_mode) == 0o700
    assert stat.S_IMODE(os.stat(bench.logs.path(order.log_stream)).st_mode) == 0o600  # noqa: PTH116
    assert "0022" in bench.log(order)
    await bench.end(order)


async def test_no_command_and_no_variable_on_a_command_line(bench):
    """The spawner's own command line and log tell nothing of the jobs."""
    order = bench.shell("echo hidden-word; sleep 0.3", environment={"SECRET": "secret-word"})
    bench.start(order)
    await bench.says(order, "hidden-word")
    told = " ".join(psutil.Process(spawner_of(bench.home)).cmdline())
    told += (bench.home / "run" / "spawner.log").read_text()
    told += (bench.home / "run" / "journal").read_text()
    await bench.end(order)
    assert "hidden-word" not in told
    assert "secret-word" not in told


async def test_a_home_with_a_long_name(home):
    """Where the socket's path would be too long, it is in a private folder elsewhere."""
    long = home / ("long-" * 30)
    long.mkdir()
    bench = Bench(Processes(), long)
    await bench.up()
    assert (await bench.run(bench.shell("exit 6"))).exit_code == 6
    order = bench.shell("sleep 0.2; exit 7")
    bench.start(order)
    await bench.restart(order)
    assert (await bench.end(order)).exit_code == 7
    await bench.down()
    folder = (long / "run" / "socket").resolve().parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    bench.kind.clean(long)


async def test_a_folder_for_the_socket_that_others_can_write(home, tmp_path, monkeypatch):
    """Somebody else may have put it there: it is refused, with the way out."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    long = home / ("long-" * 30)
    long.mkdir()
    trap = tmp_path / f"nbbatch-{mark_of(long)}"
    trap.mkdir()
    trap.chmod(0o777)
    with pytest.raises(ConfigurationError, match="NBBATCH_HOME"):
        await Bench(Processes(), long).up()


def test_the_other_end_is_asked_who_it_is():
    """A socket of this user's own process is let in."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert is_own_user(ours)


async def test_a_second_daemon_takes_over(bench):
    """The first connection is closed and does not come back; attempts go on with the second."""
    order = bench.shell("sleep 0.5; exit 8")
    bench.start(order)
    await bench.started(order)
    first = bench.executor
    await bench.up(order)
    assert (await bench.end(order)).exit_code == 8
    first.start([bench.shell("exit 1")])
    assert (await bench.run(bench.shell("exit 9"))).exit_code == 9
    await first.close()


async def test_one_spawner_serves_many_daemons(bench):
    """While attempts run, a new daemon finds the same process."""
    order = bench.shell("sleep 60")
    bench.start(order)
    await bench.started(order)
    before = spawner_of(bench.home)
    for _ in range(3):
        await bench.restart(order)
        assert spawner_of(bench.home) == before
    bench.stop(order, grace_seconds=0)
    await bench.end(order)


async def test_grace_ends_without_a_daemon(bench):
    """The spawner kills after the grace also when nobody is there any more."""
    order = bench.shell('trap "" TERM; echo ready; while :; do sleep 0.05; done')
    bench.start(order)
    await bench.says(order, "ready")
    bench.stop(order, grace_seconds=1)
    await bench.down()
    await bench.until(lambda: not bench.kind.is_alive(bench.home, order), "it is killed")
    await bench.up(order)
    assert (await bench.end(order)).exit_code == 137


async def test_nonsense_does_not_end_it(bench):
    """Lines that are no message leave the spawner and its attempts alone."""
    order = bench.shell("sleep 0.3; exit 5")
    bench.start(order)
    _, writer = await asyncio.open_unix_connection(bench.home / "run" / "socket")
    writer.write(b'nonsense\n[]\n["start",[[1]]]\n["hello",{}]\n["settled"]\n\xff\n')
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await bench.end(order)).exit_code == 5


# Death and memory.


async def test_a_killed_spawner_while_the_daemon_runs(bench):
    """What ran has vanished and is gone; what waited is begun by the next spawner, once."""
    running = bench.shell("setsid sleep 300 & echo begun; exec env -i sleep 300", vcpus=4)
    waiting = [bench.shell("echo ran; exit 4", vcpus=4) for _ in range(2)]
    bench.start(running, *waiting)
    await bench.says(running, "begun")
    await bench.started(running)
    old = spawner_of(bench.home)
    os.kill(old, signal.SIGKILL)
    await bench.vanished(running)
    assert not bench.kind.is_alive(bench.home, running)
    for order in waiting:
        assert (await bench.end(order)).exit_code == 4
        assert bench.log(order) == "ran\n"
    assert spawner_of(bench.home) != old


async def test_a_killed_spawner_without_a_daemon(bench):
    """At the next start: recorded ends are told truly, the rest has vanished and is gone."""
    bench.settles = False
    ended, running = bench.shell("exit 4"), bench.shell("echo begun; sleep 300")
    bench.start(running, ended)
    await bench.end(ended)
    await bench.says(running, "begun")
    await bench.started(running)
    await bench.down()
    os.kill(spawner_of(bench.home), signal.SIGKILL)
    bench.reports.clear()
    await bench.up(ended, running, running=True)
    assert (await bench.end(ended)).exit_code == 4
    await bench.vanished(running)
    assert not bench.kind.is_alive(bench.home, running)


async def test_stops_survive_the_spawner(bench):
    """A stop that was asked for holds after the spawner's death, also for one that waits."""
    running, waiting = bench.shell("sleep 300", vcpus=4), bench.shell("echo ran", vcpus=4)
    bench.start(running, waiting)
    await bench.started(running)
    os.kill(spawner_of(bench.home), signal.SIGSTOP)
    bench.stop(waiting)
    os.kill(spawner_of(bench.home), signal.SIGKILL)
    await bench.vanished(running)
    end = await bench.end(waiting)
    if end.started_at is None:
        assert bench.log(waiting) == ""


async def test_attempts_under_way_are_lost_when_the_machine_restarts(bench):
    """Files may be older than the last attempt then: nothing is begun twice, known ends stay."""
    bench.settles = False
    ended, unknown = bench.shell("exit 4"), bench.shell("echo ran")
    await bench.run(ended)
    await bench.down()
    bench.kind.clean(bench.home)
    journal = bench.home / "run" / "journal"
    lines = journal.read_text().splitlines()
    assert json.loads(lines[0])[0] == "boot"
    journal.write_text("\n".join(['["boot","another"]', *lines[1:]]) + "\n")
    bench.reports.clear()
    bench.orders.append(unknown)
    await bench.up(ended, unknown)
    assert (await bench.end(ended)).exit_code == 4
    await bench.vanished(unknown)
    await bench.run(bench.shell("exit 0"))
    assert bench.log(unknown) == ""


async def test_torn_lines_do_not_matter(bench):
    """What a crash left half written is skipped, and the lines around it count."""
    bench.settles = False
    ended = bench.shell("exit 4")
    await bench.run(ended)
    await bench.down()
    bench.kind.clean(bench.home)
    for name in ("journal", "exits"):
        with (bench.home / "run" / name).open("ab") as file:
            file.write(b'["begun",[["x",\n["pid",7]\nnull\n[1,2]\n{"a":1}\n\xff\0\n["begun",[["ha')
    bench.reports.clear()
    await bench.up(ended, running=True)
    assert (await bench.end(ended)).exit_code == 4


async def test_its_files_stay_small(bench, monkeypatch):
    """Thousands of settled attempts leave nothing behind."""
    bench.start(*[bench.order("/bin/no-such-program") for _ in range(4000)])
    await bench.until(lambda: len(bench.reports) == 4000, "all ends")
    await bench.run(bench.shell("exit 0"))
    for name in ("journal", "exits"):
        assert (bench.home / "run" / name).stat().st_size < 700_000


async def test_a_spawner_that_cannot_be_reached_is_replaced(bench):
    """Somebody removed its socket: its attempts have vanished and are gone, and work goes on."""
    order = bench.shell("sleep 300")
    bench.start(order)
    await bench.started(order)
    await bench.down()
    old = spawner_of(bench.home)
    (bench.home / "run" / "socket").unlink()
    await bench.up(order)
    await bench.vanished(order)
    assert not runs(old)
    assert (await bench.run(bench.shell("exit 3"))).exit_code == 3


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_is_lost_and_nothing_runs_twice(bench, seed):
    """Daemon and spawner die again and again under load: each attempt ends once and ran at most once."""
    chance = random.Random(seed)
    count = bench.home / "count"
    orders = []
    for index in range(150):
        environment = {"COUNT": str(count), "ME": str(index)}
        script = f"{COUNTED}sleep 0.0{chance.randrange(6)}; exit {index % 50}"
        orders.append(bench.shell(script, environment=environment))
    for first in range(0, 150, 30):
        bench.start(*orders[first : first + 30])
        await asyncio.sleep(chance.random() * 0.15)
        if chance.random() < 0.5:
            with suppress(ProcessLookupError, ValueError):  # it may be coming up just now
                os.kill(spawner_of(bench.home), signal.SIGKILL)
        else:
            known = {report.job_id for report in bench.reports if hasattr(report, "exit_code")}
            gone = {order.job_id for order in bench.orders if is_over(bench, order)}
            open_ones = [order for order in bench.orders if order.job_id not in known | gone]
            await bench.down()
            late = [order for order in open_ones if not is_over(bench, order)]
            await bench.up(*late)
    await bench.until(lambda: all(is_over(bench, order) for order in orders), "all are over")
    written = [int(line) for line in count.read_text().split()]
    assert len(written) == len(set(written))
    for index, order in enumerate(orders):
        end = bench.of(order)[-1]
        if isinstance(end, AttemptExited):
            assert end.exit_code == index % 50
            assert index in written


def is_over(bench: Bench, order) -> bool:
    return any(
        not hasattr(report, "started_at") or hasattr(report, "exit_code") for report in bench.of(order)
    )
