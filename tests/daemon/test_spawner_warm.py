"""Warm interpreters: a job that one of them starts is a job like any other."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
import venv
import zipfile
from contextlib import suppress

import pytest
from executor_contract import DEADLINE, Bench
from process_kind import ProcessKind, runs, spawner_of
from warm_cells import cell, interpreters, is_warm, run_warm, started_warm, warm_up

from nbbatch.client.packing.carried import runner_zip
from nbbatch.daemon.processes import IS_LINUX
from nbbatch.daemon.spawner_warm import MOST, WarmInterpreters
from nbbatch.model.containers import Ulimit
from nbbatch.model.jobs import task_id

pytestmark = pytest.mark.skipif(not IS_LINUX, reason="elsewhere every job starts afresh")


# It is a job like any other.


PROBE = """
import resource, signal, os, json, subprocess, threading, __main__
def read(name):
    with open("/proc/self/" + name) as file:
        return file.read()
here = {
    "session": os.getsid(0) == os.getpid(), "group": os.getpgid(0) == os.getpid(), "parent": os.getppid(),
    "folder": os.getcwd(), "files": os.listdir("."), "umask": os.umask(0o022), "nice": os.nice(0),
    "oom": read("oom_score_adj"), "affinity": sorted(os.sched_getaffinity(0)),
    "limits": {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name[:6] == "RLIMIT"},
    "signals": {int(n): str(signal.getsignal(n)).split(" at ")[0] for n in signal.valid_signals()},
    "status": [l for l in read("status").splitlines() if l.split(":")[0] in
               ("Name", "Umask", "Uid", "Groups", "NoNewPrivs", "SigBlk", "SigIgn", "SigCgt", "Threads", "CapEff")],
    "descriptors": {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in sorted(os.listdir("/proc/self/fd"))[:3]},
    "count": len(os.listdir("/proc/self/fd")), "threads": threading.active_count(),
    "argv": sys.argv, "orig": sys.orig_argv, "flags": str(sys.flags), "xoptions": sys._xoptions,
    "warnoptions": sys.warnoptions, "executable": sys.executable, "prefix": sys.prefix, "path": sys.path,
    "main": sorted(vars(__main__)), "recursion": sys.getrecursionlimit(), "builtins": len(dir(__builtins__)),
    "modules": sorted(name for name in sys.modules if name != "nbbatch_runner.warm"),
    "files of modules": sorted(str(getattr(m, "__file__", "")) for n, m in sys.modules.items() if n != "nbbatch_runner.warm"),
    "origins": sorted(str(m.__spec__.origin) for n, m in sys.modules.items() if n[:7] == "nbbatch" and n[-4:] != "warm"),
    "archives": sorted({m.__loader__.archive for n, m in sys.modules.items() if n[:7] == "nbbatch"}),
    "encoding": sys.getfilesystemencoding(),
    "streams": [(s.encoding, s.errors, s._real.line_buffering, s.isatty(), s.fileno(), s._real.write_through,
                 str(s.buffer), getattr(s.buffer, "raw", s.buffer)._blksize) for s in (sys.stdout, sys.stderr)],
    "input": (sys.stdin.read(), sys.stdin.isatty(), sys.stdin.seekable()),
    "environ": dict(os.environ), "order": list(os.environ),
    "inherited": sorted(subprocess.run(["env"], capture_output=True, text=True).stdout.split("\\n")),
    "shown": sorted(read("environ").strip("\\0").split("\\0")),
    "command": read("cmdline").strip("\\0").split("\\0"),
}
import socket, ssl, random, multiprocessing
print(json.dumps(here))
"""


async def probed(bench: Bench, environment) -> tuple[dict, bool]:
    order = cell(bench, PROBE, environment=environment)
    assert (await bench.run(order)).exit_code == 0, bench.log(order)
    text = bench.log(order).splitlines()[1]
    bundle = json.loads(text)["argv"][1].rpartition("/")[2]
    for own in (bundle, order.job_id, task_id(order.job_id, 1)):
        text = text.replace(own, "ITS OWN")
    return json.loads(text), is_warm(bench, order)


@pytest.mark.parametrize("variables", [{}, {"PYTHONUNBUFFERED": "1", "LC_ALL": "C", "EMPTY": ""}], ids=str)
async def test_nothing_tells_it_from_one_started_afresh(bench, variables):
    """Session, limits, signals, descriptors, variables, modules, streams: all that can be asked is the same."""
    fresh, was_warm = await probed(bench, {**variables, "AWS_BATCH_JOB_ARRAY_INDEX": "0"})
    assert not was_warm
    deadline = time.monotonic() + DEADLINE
    while not was_warm:
        assert time.monotonic() < deadline, "it does not stay warm"
        await warm_up(bench, environment=variables)
        warm, was_warm = await probed(bench, {**variables, "AWS_BATCH_JOB_ARRAY_INDEX": "0"})
    for fact, value in fresh.items():
        assert warm[fact] == value, fact
    assert warm["descriptors"]["0"] == "/dev/null"
    assert "NBBATCH_ROOM" not in str(warm)


async def test_long_variables(bench):
    """Thousands of bytes arrive whole; what other processes see of them names the attempt at least."""
    long = "ü" * 6000
    source = "import os; print(len(os.environ['NBBATCH_LONG'])); print('ready'); import time; time.sleep(300)"
    order = await started_warm(bench, source, environment={"NBBATCH_LONG": long})
    assert "6000" in bench.log(order)
    assert bench.kind.is_alive(bench.home, order)
    bench.stop(order, grace_seconds=0)
    await bench.end(order)


async def test_random_numbers_are_its_own(bench):
    """Two jobs of one interpreter draw different numbers and make different names."""
    source = "import random, uuid, tempfile; print(random.random(), uuid.uuid4(), next(tempfile._get_candidate_names()))"
    first, _ = await run_warm(bench, source)
    second, _ = await run_warm(bench, source)
    words = set(bench.log(first).split()[1:]) & set(bench.log(second).split()[1:])
    assert not words


async def test_what_a_job_does_to_its_interpreter_stays_with_it(bench):
    """Modules, variables and files of one job are not there in the next."""
    await run_warm(
        bench, "import os, decimal; os.environ['X'] = 'left'; sys.mine = 1; sys.stdout.write('half')"
    )
    order, _ = await run_warm(
        bench, "import os; print(os.environ.get('X'), 'decimal' in sys.modules, hasattr(sys, 'mine'))"
    )
    assert bench.log(order) == "warm\nNone False False\n"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("raise SystemExit(3)", 3),
        ("import os; os._exit(5)", 5),
        ("1 / 0", 1),
        ("import os; os.kill(os.getpid(), 9)", 137),
        ("import os; os.kill(os.getpid(), 11)", 139),
        ("import os; os.kill(os.getpid(), 15)", 143),
    ],
)
async def test_exit_codes(bench, source, code):
    """They are the job's own, signals included."""
    _, end = await run_warm(bench, source)
    assert (end.exit_code, end.reason) == (code, None)


async def test_sigterm_then_sigkill(bench):
    """A job that does not mind SIGTERM is killed with all of its group; one that does ends with 143."""
    # In short pieces: Python hears of a signal that comes just before a system call when that has ended.
    polite = await started_warm(bench, "import time; print('ready')\nwhile True: time.sleep(0.05)")
    bench.stop(polite)
    assert (await bench.end(polite)).exit_code == 143
    deaf = await started_warm(
        bench,
        "import os, signal, time\nsignal.signal(15, signal.SIG_IGN); os.fork(); print('ready'); time.sleep(300)",
    )
    bench.stop(deaf, grace_seconds=0)
    assert (await bench.end(deaf)).exit_code == 137
    await bench.until(lambda: not bench.kind.is_alive(bench.home, deaf), "the child is gone")


async def test_usage_is_the_jobs_own(bench):
    """CPU seconds and peak memory count this job, not its interpreter nor the jobs before it."""
    _, large = await run_warm(bench, "data = b'x' * (150 << 20); import time; time.sleep(0.7)")
    assert 150 <= large.usage.peak_memory <= 200
    _, busy = await run_warm(bench, "import time\nwhile time.process_time() < 0.4: pass")
    assert 0.35 <= busy.usage.cpu_seconds <= 1.0
    _, small = await run_warm(bench, "1 + 1")
    assert small.usage.cpu_seconds < 0.2
    assert 1 <= small.usage.peak_memory < 40


async def test_too_much_memory(bench):
    """It is killed over its limit as any other."""
    _, end = await run_warm(bench, "data = b'x' * (100 << 20); import time; time.sleep(300)", memory=60)
    assert (end.exit_code, end.reason) == (137, "OutOfMemoryError: Container killed due to memory usage")


async def test_what_left_the_session_ends_with_its_job(bench):
    """A process that only forked and made itself a daemon is known by its environment, and killed."""
    keeper = await started_warm(bench, "import time; print('ready'); time.sleep(300)")
    source = (
        "import os, time\n"
        "reading, writing = os.pipe()\n"
        "if not os.fork():\n"
        "    if not os.fork():\n"
        "        os.setsid(); print('stray', os.getpid(), flush=True); os.write(writing, b'!'); time.sleep(300)\n"
        "    os._exit(0)\n"
        "os.wait(); os.read(reading, 1)"
    )
    order, _ = await run_warm(bench, source)
    stray = int(re.search(r"stray (\d+)", bench.log(order))[1])
    await bench.until(lambda: not runs(stray), "the stray is gone")
    assert bench.kind.is_alive(bench.home, keeper)
    bench.stop(keeper, grace_seconds=0)
    await bench.end(keeper)


async def test_it_goes_on_without_its_interpreter_and_without_a_daemon(bench):
    """Killing the interpreter does not touch its jobs, and a new daemon finds them."""
    go = bench.home / "go"
    source = f"import os, time; print('ready')\nwhile not os.path.exists({str(go)!r}): time.sleep(0.02)\nraise SystemExit(6)"
    order = await started_warm(bench, source)
    for pid in interpreters(bench.home):
        os.kill(pid, signal.SIGKILL)
    await bench.restart(order)
    go.touch()
    assert (await bench.end(order)).exit_code == 6


async def test_a_killed_spawner_takes_them_along(bench):
    """Its warm interpreter ends by itself, and its warm job has vanished and is gone."""
    order = await started_warm(bench, "import time; print('ready'); time.sleep(300)")
    await bench.started(order)
    warm = interpreters(bench.home)
    os.kill(spawner_of(bench.home), signal.SIGKILL)
    await bench.vanished(order)
    assert not bench.kind.is_alive(bench.home, order)
    await bench.until(lambda: not any(map(runs, warm)), "they are gone")


# When there is one, and when not.


async def test_the_first_job_does_not_wait_for_one(bench):
    """It starts afresh, and nothing is started beside it."""
    order = cell(bench, "1 + 1")
    await bench.run(order)
    assert not is_warm(bench, order)


async def test_it_can_be_switched_off(home, monkeypatch):
    """With NBBATCH_WARM=0 in the daemon's environment every job starts afresh."""
    monkeypatch.setenv("NBBATCH_WARM", "0")
    bench = Bench(ProcessKind(), home)
    await bench.up()
    for _ in range(10):
        order = cell(bench, "import time; time.sleep(0.05)")
        await bench.run(order)
        assert not is_warm(bench, order)
    assert not interpreters(home)
    await bench.down()


async def test_other_variables_other_interpreter(bench):
    """A variable that an interpreter may look at when it starts is there when it does."""
    await warm_up(bench)
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": seed}
        source = "import os; print(hash('a'), sys.flags.hash_randomization, os.environ['OMP_NUM_THREADS'])"
        orders = [cell(bench, source, environment=environment)]
        await bench.run(orders[0])
        assert not is_warm(bench, orders[0])
        await warm_up(bench, environment=environment)
        orders.append(cell(bench, source, environment=environment))
        await bench.run(orders[1])
        assert [bench.log(order).splitlines()[1] for order in orders[:1]] == bench.log(
            orders[1]
        ).splitlines()[1:]
    assert len(interpreters(bench.home)) == 3


@pytest.mark.parametrize(
    "options",
    [
        {"environment": {"PYTHONPATH": "src:/tmp"}},
        {"ulimits": (Ulimit(name="nofile", soft=64, hard=128),)},
    ],
    ids=["relative folder", "limits"],
)
async def test_what_is_never_forked(bench, options):
    """What would depend on the folder it starts in, or needs limits from the first, starts afresh."""
    for _ in range(8):
        order = cell(bench, "import time; time.sleep(0.05)", **options)
        await bench.run(order)
        assert not is_warm(bench, order)
    assert not interpreters(bench.home)


async def test_a_new_package_is_seen(bench, tmp_path):
    """A `.pth` file that appears in site-packages, or changes there, holds for the next job."""
    venv.create(tmp_path / "env", symlinks=True)
    python = str(tmp_path / "env" / "bin" / "python")
    await warm_up(bench, python=python)
    (packages,) = (tmp_path / "env" / "lib").glob("*/site-packages")
    for word in ("one", "two"):
        (tmp_path / word).mkdir()
        (packages / "new.pth").write_text(f"{tmp_path / word}\n")
        order = cell(bench, f"print({str(tmp_path / word)!r} in sys.path)", python=python)
        await bench.run(order)
        assert bench.log(order) == "fresh\nTrue\n"
        await warm_up(bench, python=python)


async def test_a_python_that_starts_threads(bench, tmp_path):
    """An environment whose start-up leaves a thread is never forked from."""
    venv.create(tmp_path / "env", symlinks=True)
    (packages,) = (tmp_path / "env" / "lib").glob("*/site-packages")
    (packages / "sitecustomize.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    python = str(tmp_path / "env" / "bin" / "python")
    for _ in range(8):
        order = cell(bench, "import time; time.sleep(0.1)", python=python)
        await bench.run(order)
        assert not is_warm(bench, order)
    await bench.until(
        lambda: "starts threads" in (bench.home / "run" / "spawner.log").read_text(), "it says why"
    )


async def test_a_log_that_cannot_be_written(bench):
    """The attempt ends before it starts, with the same words."""
    await warm_up(bench)
    order = cell(bench, "1 + 1")
    os.mkdir(bench.logs.path(order.log_stream))  # noqa: PTH102
    end = await bench.run(order)
    assert end.exit_code is None
    assert "log file" in end.reason


async def test_somebody_elses_archive_is_left_alone(bench, tmp_path):
    """A program that only looks like a runner is never started by itself."""
    archive, started = tmp_path / "runner.pyz", tmp_path / "started"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("__main__.py", f"open({str(started)!r}, 'a').write('x')")
    for _ in range(8):
        environment = {"NBBATCH_BUNDLE": f"file://{tmp_path}"}
        await bench.run(bench.order(sys.executable, str(archive), str(tmp_path), environment=environment))
    assert not interpreters(bench.home)
    assert started.read_text() == "x" * 8


def test_there_are_few_and_they_end(tmp_path, monkeypatch):
    """A fifth environment takes the place of the oldest one that has rested; unused ones go."""
    monkeypatch.chdir(tmp_path)  # starting one changes the folder of the process
    begun: set[int] = set()
    archive, environment = tmp_path / "runner.pyz", {"PATH": os.environ["PATH"]}
    archive.write_bytes(runner_zip())
    pool, now = WarmInterpreters("mark"), time.monotonic()
    keys = [
        (sys.executable, sys.executable, 1, frozenset({**environment, "N": str(n)}.items())) for n in range(6)
    ]
    try:
        for key in keys[: MOST + 1]:
            pool._wish(key, str(archive))
        pool.on_time(now + 1)
        begun |= set(pool.pids)
        assert list(pool._ready) == keys[:MOST]
        pool._wish(keys[5], str(archive))
        pool.on_time(now + 60)
        begun |= set(pool.pids)
        assert list(pool._ready) == [*keys[1:MOST], keys[5]]
        assert pool.due <= now + 301
        pool.on_time(pool.due + 60)
        assert not pool.pids
    finally:
        pool.close()
        for pid in begun:  # and no other child of this process, which may live long
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)
