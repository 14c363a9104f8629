"""The spawner dies, its files are torn, the machine restarts: nothing is lost and nothing runs twice."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from executor_contract import Bench
from process_kind import runs, spawner_of

from nbbatch.daemon.processes import IS_LINUX
from nbbatch.daemon.spawner_attempts import Attempts
from nbbatch.daemon.spawner_journal import Journal, read_past
from nbbatch.daemon.spawner_launch import Launcher, Scratch
from nbbatch.daemon.spawner_protocol import Order, RunFiles
from nbbatch.model.events import AttemptExited

only_linux = pytest.mark.skipif(not IS_LINUX, reason="needs /proc")
only_linux = pytest.mark.skipif(not IS_LINUX, reason="needs /dev/full")
COUNTED = 'echo $ME >> "$COUNT"; '
"""Begins a script that writes down that it ran; who wrote twice has run twice."""


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


async def test_its_files_stay_small(bench):
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


@only_linux
def test_a_full_disk(home):
    """What cannot be written down is not begun, and says so; ends are told all the same."""
    files = RunFiles(str(home))
    Path(files.folder).mkdir()
    scratch, past = Scratch(files.scratch), read_past(files)
    journal, said = Journal(files, past), []
    attempts = Attempts(journal, past, Launcher("mark", scratch), scratch, said.append)
    attempts.on_hello({"expected": [], "environment": {}, "devices": [], "machine": [1, 100, 0]})
    with Path("/dev/full").open("wb") as full:
        os.dup2(full.fileno(), journal._journal._file)
        os.dup2(full.fileno(), journal._exits._file)
    attempts.on_start(Order("job", 1, ["/bin/true"], [], 1, 10, 0, 0, f"{home}/log", "scratch", []))
    attempts.admit()
    attempts.write_ends()
    assert attempts.is_idle
    starts, ends = attempts.take_reports(0.0)
    assert starts == []
    assert "No space left" in json.loads(ends[0])[5]
    assert len(said) == 2


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
