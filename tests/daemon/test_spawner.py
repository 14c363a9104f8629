"""What only the process executor does: sessions, limits, scratch folders, and its private line."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import sys

import psutil
import pytest
from executor_contract import Bench
from process_kind import ProcessKind, runs, spawner_of

from nbbatch.daemon.processes import IS_LINUX
from nbbatch.daemon.spawner_link import mark_of
from nbbatch.daemon.spawner_peer import is_own_user
from nbbatch.errors import ConfigurationError
from nbbatch.model.containers import Ulimit
from nbbatch.model.jobs import task_id
from nbbatch.model.resources import Resources

only_linux = pytest.mark.skipif(not IS_LINUX, reason="needs /proc")


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
    bench = Bench(ProcessKind(), home, Resources(vcpus=4, memory=1000, gpus=2))
    await bench.up()
    script = f"echo [$CUDA_VISIBLE_DEVICES]; while [ ! -e {home}/go ]; do sleep 0.02; done"
    orders = [bench.shell(script, gpus=gpus) for gpus in (1, 1, 0)]
    bench.start(*orders)
    for order in orders:
        await bench.says(order, "]")
    (home / "go").touch()
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
    script = "(setsid sh -c 'echo $$; touch told; exec sleep 300' &); until [ -e told ]; do sleep 0.02; done"
    order = bench.shell(script)
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
    bench = Bench(ProcessKind(), long)
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
        await Bench(ProcessKind(), long).up()


def test_the_other_end_is_asked_who_it_is():
    """A socket of this user's own process is let in."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert is_own_user(ours)


async def test_a_second_daemon_takes_over(bench):
    """The first connection is closed and does not come back; attempts go on with the second."""
    order = bench.shell(f"while [ ! -e {bench.home}/go ]; do sleep 0.02; done; exit 8")
    bench.start(order)
    await bench.started(order)
    first = bench.executor
    await bench.up(order)
    (bench.home / "go").touch()
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
