"""Warm interpreters die and hang, at each point: no attempt is lost, and none runs twice."""

from __future__ import annotations

import asyncio
import io
import os
import random
import signal
import sys
import time
import uuid
import zipfile
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from executor_contract import DEADLINE
from process_kind import runs
from warm_cells import cell, interpreters, is_warm, warm_up

from nbbatch.client.packing.carried import runner_zip
from nbbatch.daemon.processes import IS_LINUX
from nbbatch.daemon.spawner_interpreter import PATIENCE, Interpreter

pytestmark = pytest.mark.skipif(not IS_LINUX, reason="elsewhere every job starts afresh")


async def test_a_killed_interpreter(bench):
    """The next job starts all the same, and soon there is another one."""
    await warm_up(bench)
    for _ in range(3):
        for pid in interpreters(bench.home):
            os.kill(pid, signal.SIGKILL)
        order = cell(bench, "1 + 1")
        assert (await bench.run(order)).exit_code == 0
    await warm_up(bench)


async def test_a_stopped_interpreter(bench):
    """It is given up after a while: the job starts afresh, once, and no second one ever appears."""
    await warm_up(bench)
    count = bench.home / "count"
    (pid,) = interpreters(bench.home)
    os.kill(pid, signal.SIGSTOP)
    order = cell(bench, f"open({str(count)!r}, 'a').write('x')")
    assert (await bench.run(order)).exit_code == 0
    assert not is_warm(bench, order)
    await bench.until(lambda: not runs(pid), "it is gone")
    await warm_up(bench)
    assert count.read_text() == "x"


FAULTS = {
    "as it comes up": "die()",
    "with an order in its hands": "warm._is_job = die",
    "between the forks": "warm.os = Faulty(fork=lambda calls=[]: calls.append(1) or (os.fork() if len(calls) < 2 else die()))",
    "after the forks": "real = warm._is_job; warm._is_job = lambda: real() or die()",
    "as a job before it is one": "warm._take_variables = die",
    "as a job that fails to be one": "warm._rename = fail",
    "as a job that is too slow": "warm._rename = dawdle",
    "as a job that has said its pid": "warm.os = Faulty(read=die)",
    "as a job that has been told to go": "warm.usage = Faulty(start=die)",
}
FAULTY = """
import os, sys
class Faulty:
    def __init__(self, **patches):
        vars(self).update(patches)
    def __getattr__(self, name):
        return getattr(os, name)
def die(*_):
    with open(os.environ["NBBATCH_FAULTS"], "a") as file:
        file.write("x")
    os.kill(os.getpid(), 9)
def dawdle(*_):
    with open(os.environ["NBBATCH_FAULTS"], "a") as file:
        file.write("x")
    import time
    time.sleep(1.5 * PATIENCE)
def fail(*_):
    with open(os.environ["NBBATCH_FAULTS"], "a") as file:
        file.write("x")
    raise OSError("made to fail")
if sys.argv[1] == "--warm":
    from nbbatch_runner import warm
    FAULT
    warm.serve(int(sys.argv[2]))
with open(os.environ["COUNT"], "a") as file:
    file.write(os.environ["NBBATCH_ME"] + " ")
"""


@pytest.mark.parametrize("fault", FAULTS)
async def test_death_at_each_point(bench, tmp_path, fault):
    """Wherever it dies: the attempt runs once and succeeds, or it had begun, ran nothing and says 137."""
    faulty_runner(tmp_path / "runner.pyz", FAULTS[fault], tmp_path / "faults")
    count, faults = tmp_path / "count", tmp_path / "faults"
    environment = {"NBBATCH_BUNDLE": f"file://{tmp_path}", "COUNT": str(count)}
    orders = []
    deadline = time.monotonic() + DEADLINE
    while not faults.exists() or len(orders) < 5:
        assert time.monotonic() < deadline, "the fault never came"
        own = {**environment, "NBBATCH_ME": str(len(orders))}
        orders.append(bench.order(sys.executable, f"{tmp_path}/runner.pyz", str(tmp_path), environment=own))
        end = await bench.run(orders[-1])
        ran = count.read_text().split().count(str(len(orders) - 1)) if count.exists() else 0
        assert (end.exit_code, ran) in [(0, 1), (137, 0)], bench.log(orders[-1])
        if fault != "as a job that has been told to go" and "pid" not in fault:
            assert end.exit_code == 0
        assert bench.log(orders[-1]) == ""


def faulty_runner(path: Path, fault: str, faults: Path) -> None:
    """The runner with another first module, which breaks it."""
    source = (
        FAULTY.replace("FAULT\n", f"{fault}\n")
        .replace("PATIENCE", str(PATIENCE))
        .replace('os.environ["NBBATCH_FAULTS"]', repr(str(faults)))
    )
    with zipfile.ZipFile(io.BytesIO(runner_zip())) as real, zipfile.ZipFile(path, "w") as made:
        for name in real.namelist():
            if not name.startswith("__main__"):
                made.writestr(name, real.read(name))
        made.writestr("__main__.py", source)


@pytest.mark.parametrize("seed", range(2))
async def test_nothing_is_lost_and_nothing_runs_twice(bench, seed):
    """Interpreters are killed again and again under load: each attempt runs once, with its own exit code."""
    chance = random.Random(seed)
    count = bench.home / "count"
    orders = [
        cell(bench, f"open({str(count)!r}, 'a').write('{n} '); raise SystemExit({n % 50})") for n in range(60)
    ]
    ends = []
    for first in range(0, 60, 10):
        await warm_up(bench)
        warm = interpreters(bench.home)  # while nothing starts, or a job that is not named yet is among them
        bench.start(*orders[first : first + 10])
        await asyncio.sleep(chance.random() * 0.06)
        for pid in warm:
            with suppress(ProcessLookupError):  # given up already
                os.kill(pid, signal.SIGKILL)
        ends += [await bench.end(order) for order in orders[first : first + 10]]
    assert [end.exit_code for end in ends] == [n % 50 for n in range(60)]
    assert sorted(map(int, count.read_text().split())) == list(range(60))


def test_an_interpreter_that_cannot_be_started(tmp_path, monkeypatch):
    """There is no such program: an error, and no descriptor is left open."""
    monkeypatch.chdir(tmp_path)  # starting one changes the folder of the process
    before = psutil.Process().num_fds()
    with pytest.raises(OSError, match="No such file"):
        Interpreter(str(tmp_path / uuid.uuid4().hex), "python", "archive", {}, "mark")
    assert psutil.Process().num_fds() <= before, "other threads may close theirs meanwhile"
