"""Every sentence of `ports.Executor`, tried on each executor."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from docker_image import IMAGE
from docker_kind import DockerKind, has_image
from executor_contract import Bench, Kind
from process_kind import ProcessKind

from nbbatch.model.containers import Mount

NOT_STARTED = "Task failed to start"


KINDS = [
    pytest.param(ProcessKind(), id="process"),
    pytest.param(DockerKind(), id="docker", marks=pytest.mark.docker),
]


@pytest.fixture(params=KINDS)
async def bench(request, home: Path) -> AsyncIterator[Bench]:
    """The executor, up, in an empty home."""
    kind: Kind = request.param
    if isinstance(kind, DockerKind) and not has_image():
        pytest.skip(f"no Docker Engine holds the image {IMAGE}")
    bench = Bench(kind, home)
    await bench.up()
    yield bench
    await bench.down()
    kind.clean(home)
    bench.check()


async def test_it_reports_the_exit_code_and_the_times(bench):
    """A command's own exit code comes back, with when it started and stopped."""
    before = time.time() * 1000 - 1000
    end = await bench.run(bench.shell("exit 3"))
    assert (end.exit_code, end.reason) == (3, None)
    assert end.status_reason == "Essential container in task exited"
    assert before <= end.started_at <= end.stopped_at <= time.time() * 1000 + 1000


async def test_it_says_that_a_longer_attempt_has_started(bench):
    """AttemptStarted comes before the end, with the same time."""
    script = 'read never < /dev/zero & while [ ! -e "$FLAG" ]; do sleep 0.05; done; exit 0'
    order = bench.shell(script, memory=128, **flag(bench))
    bench.start(order)
    started = await bench.started(order)
    raise_flag(bench)
    end = await bench.end(order)
    assert end.started_at == started.started_at
    assert end.exit_code == 0


async def test_it_reports_what_was_used(bench, monkeypatch):
    """CPU seconds and the peak of the memory belong to the end of a longer attempt."""
    monkeypatch.setattr("nbbatch.daemon.executors.docker._SAMPLE_EVERY", 0.02)
    end = await bench.run(bench.shell("i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; sleep 0.7"))
    assert end.usage.cpu_seconds > 0.05
    assert end.usage.peak_memory >= 1


async def test_a_signal_is_128_plus_its_number(bench):
    """What died of SIGKILL has exit code 137."""
    end = await bench.run(bench.shell("sh -c 'kill -9 $$'; exit $?"))
    assert end.exit_code == 137


async def test_it_gives_exactly_the_orders_environment(bench, monkeypatch):
    """The order's variables are there and the daemon's own are not."""
    monkeypatch.setenv("NBBATCH_TEST_SECRET", "of the daemon")
    await bench.restart()
    value = "a b=c\n'ü'"
    order = bench.shell(
        'printf "%s|%s|%s" "$GIVEN" "$AWS_BATCH_JOB_ID" "$NBBATCH_TEST_SECRET"',
        environment={"GIVEN": value, "AWS_BATCH_JOB_ID": "x:3"},
    )
    await bench.run(order)
    await bench.says(order, f"{value}|x:3|")
    assert "daemon" not in bench.log(order)


async def test_output_and_errors_are_one_log_in_order(bench):
    """Standard output and standard error arrive in the order in which they were written."""
    order = bench.shell("for i in 1 2 3; do echo out $i; echo err $i >&2; done")
    await bench.run(order)
    await bench.says(order, "err 3\n")
    lines = bench.log(order).splitlines()
    if bench.kind.keeps_order:
        assert lines == ["out 1", "err 1", "out 2", "err 2", "out 3", "err 3"]
    for stream in ("out", "err"):
        assert [line for line in lines if line.startswith(stream)] == [f"{stream} {n}" for n in (1, 2, 3)]


async def test_standard_input_is_empty(bench):
    """A command that reads its input comes to its end at once."""
    end = await bench.run(bench.shell("cat; exit 4"))
    assert end.exit_code == 4


async def test_arguments_are_not_interpreted(bench):
    """Spaces, quotes, variables and newlines in a command stay what they are."""
    words = ["a b", "$HOME", "'q\"", "line\nbreak", "", "*"]
    order = bench.order("/bin/sh", "-c", 'for word; do printf "<%s>" "$word"; done', "sh", *words)
    await bench.run(order)
    await bench.says(order, "".join(f"<{word}>" for word in words))


async def test_stop_sends_sigterm_first(bench):
    """An attempt that handles SIGTERM ends by itself, with its own exit code."""
    order = bench.shell('trap "echo bye; exit 7" TERM; echo ready; while :; do sleep 0.05; done')
    bench.start(order)
    await bench.says(order, "ready")
    bench.stop(order)
    end = await bench.end(order)
    assert end.exit_code == 7
    await bench.says(order, "bye")


async def test_stop_kills_after_the_grace(bench):
    """An attempt that ignores SIGTERM is killed when its grace is over, not before."""
    order = bench.shell('trap "" TERM; echo ready; while :; do sleep 0.05; done')
    bench.start(order)
    await bench.says(order, "ready")
    asked = time.monotonic()
    bench.stop(order, grace_seconds=1)
    end = await bench.end(order)
    assert end.exit_code == 137
    assert time.monotonic() - asked >= 0.9


async def test_a_stopped_attempt_that_waits_never_runs(bench):
    """Stop, while there is no room yet: it ends without an exit code and without having run."""
    first, waiting = bench.shell("echo ready; sleep 60", vcpus=4), bench.shell("echo ran")
    bench.start(first, waiting)
    await bench.says(first, "ready")
    bench.stop(waiting)
    end = await bench.end(waiting)
    assert (end.exit_code, end.started_at) == (None, None)
    assert end.status_reason
    bench.stop(first, grace_seconds=0)
    await bench.end(first)
    assert bench.log(waiting) == ""


async def test_stop_of_one_that_has_ended_changes_nothing(bench):
    """A stop that comes too late is left alone."""
    order = bench.shell("exit 0")
    await bench.run(order)
    bench.stop(order)
    await bench.run(bench.shell("exit 0"))
    assert len([report for report in bench.of(order) if hasattr(report, "exit_code")]) == 1


async def test_nothing_of_an_attempt_outlives_it(bench):
    """Background processes end with the command that started them."""
    order = bench.shell("sleep 300 & sleep 301 & echo ready; exit 0")
    await bench.run(order)
    await bench.until(lambda: not bench.kind.is_alive(bench.home, order), "nothing of it runs")


async def test_a_command_that_is_not_there(bench):
    """It ends without exit code and start; the reason names the word."""
    end = await bench.run(bench.order("no-such-program-here", "x"))
    assert (end.exit_code, end.started_at, end.status_reason) == (None, None, NOT_STARTED)
    assert end.reason.startswith("CannotStartContainerError: ")
    assert "no-such-program-here" in end.reason


async def test_a_failed_start_gives_its_room_back(bench):
    """After attempts that could not start, there is room for the next."""
    bad = [bench.order("no-such-program-here", vcpus=4) for _ in range(3)]
    good = bench.shell("exit 5", vcpus=4)
    bench.start(*bad, good)
    assert (await bench.end(good)).exit_code == 5
    for order in bad:
        await bench.end(order)


async def test_attempts_begin_in_the_order_they_were_given(bench):
    """A small one does not overtake a large one that came first."""
    first, large, small = (bench.shell("sleep 0.2", vcpus=vcpus) for vcpus in (3, 4, 1))
    bench.start(first, large, small)
    ends = [await bench.end(order) for order in (first, large, small)]
    assert ends[0].stopped_at <= ends[1].started_at
    assert ends[1].stopped_at <= ends[2].started_at


async def test_what_runs_at_once_fits_the_machine(bench):
    """Never more vCPUs at once than the machine has."""
    orders = [bench.shell("sleep 0.1", vcpus=2) for _ in range(6)]
    bench.start(*orders)
    ends = [await bench.end(order) for order in orders]
    for end in ends:
        at_once = [other for other in ends if other.started_at < end.stopped_at <= other.stopped_at]
        assert len(at_once) <= 2


async def test_more_memory_than_the_machine_has(bench):
    """It can never run here, says so, and blocks nobody."""
    too_large, good = bench.shell("exit 0", memory=1_000_000), bench.shell("exit 0")
    bench.start(too_large, good)
    end = await bench.end(too_large)
    assert end.exit_code is None
    assert "1000000 MiB" in end.reason
    assert (await bench.end(good)).exit_code == 0


async def test_more_vcpus_than_the_machine_has(bench):
    """Since vCPUs are shares, such an attempt runs when it has them all."""
    assert (await bench.run(bench.shell("exit 0", vcpus=64))).exit_code == 0


async def test_the_same_name_starts_once(bench):
    """Starting an attempt twice starts it once."""
    order = bench.shell("echo ran; sleep 0.2")
    bench.start(order)
    bench.executor.start([order, order])
    await bench.end(order)
    await bench.run(bench.shell("exit 0"))
    assert bench.log(order) == "ran\n"


async def test_it_is_killed_over_its_memory(bench):
    """An attempt that holds more than it asked for ends with AWS's words for it."""
    order = bench.shell(
        "(sleep 60 & exec head -c 300000000 /dev/zero) | tail -c 290000000; exit $?", memory=64
    )
    end = await bench.run(order)
    assert end.exit_code == 137
    assert end.reason == "OutOfMemoryError: Container killed due to memory usage"


async def test_an_attempt_outlives_the_daemon(bench):
    """A new daemon adopts what runs, without starting it again, and learns its true exit code."""
    order = bench.shell('echo begun; while [ ! -e "$FLAG" ]; do sleep 0.05; done; exit 9', **flag(bench))
    bench.start(order)
    await bench.started(order)
    await bench.restart(order)
    assert bench.kind.is_alive(bench.home, order)
    raise_flag(bench)
    assert (await bench.end(order)).exit_code == 9
    await bench.until(lambda: bench.log(order), "the log is there")
    assert bench.log(order) == "begun\n"


async def test_the_start_is_reported_after_a_restart(bench):
    """When the rows do not know yet that it runs, adopting it says so."""
    order = bench.shell('echo begun; while [ ! -e "$FLAG" ]; do sleep 0.05; done', **flag(bench))
    bench.start(order)
    await bench.until(lambda: bench.kind.is_alive(bench.home, order), "it runs")
    await bench.down()
    bench.reports.clear()
    await bench.up(order)
    await bench.started(order)
    raise_flag(bench)
    assert (await bench.end(order)).exit_code == 0


async def test_an_end_while_there_is_no_daemon(bench):
    """What ended meanwhile is reported with its true exit code."""
    order = bench.shell('while [ ! -e "$FLAG" ]; do sleep 0.05; done; exit 11', **flag(bench))
    bench.start(order)
    await bench.started(order)
    await bench.down()
    raise_flag(bench)
    await bench.until(lambda: not bench.kind.is_alive(bench.home, order), "it has ended")
    await bench.up(order)
    assert (await bench.end(order)).exit_code == 11


async def test_an_end_that_was_not_settled_is_reported_again(bench):
    """A daemon that died before its rows knew an end gets it once more after a restart."""
    bench.settles = False
    order = bench.shell("exit 12")
    await bench.run(order)
    await bench.down()
    bench.reports.clear()
    await bench.up(order, running=True)
    assert (await bench.end(order)).exit_code == 12


async def test_waiting_attempts_outlive_the_daemon(bench):
    """Orders that waited for room begin once, in their order, whoever is there."""
    first = bench.shell('while [ ! -e "$FLAG" ]; do sleep 0.05; done', vcpus=4, **flag(bench))
    rest = [bench.shell(f"echo ran; exit {code}", vcpus=4) for code in (1, 2, 3)]
    bench.start(first, *rest)
    await bench.started(first)
    await bench.down()
    await bench.up(first, *rest)
    raise_flag(bench)
    ends = [await bench.end(order) for order in rest]
    assert [end.exit_code for end in ends] == [1, 2, 3]
    assert [end.started_at for end in ends] == sorted(end.started_at for end in ends)
    for order in rest:
        await bench.until(lambda order=order: bench.log(order), "the log is there")
        assert bench.log(order) == "ran\n"


async def test_one_that_was_never_begun_is_begun(bench):
    """Decided before the crash and never carried out: adopting it starts it, once."""
    order = bench.shell("echo ran; exit 13")
    bench.orders.append(order)
    await bench.restart(order)
    assert (await bench.end(order)).exit_code == 13
    await bench.until(lambda: bench.log(order), "the log is there")
    assert bench.log(order) == "ran\n"


async def test_one_that_has_vanished(bench):
    """The rows say it runs and nothing knows it: AttemptVanished, and it is not started again."""
    order = bench.shell("echo ran")
    bench.orders.append(order)
    await bench.restart(order, running=True)
    await bench.vanished(order)
    await bench.run(bench.shell("exit 0"))
    assert bench.log(order) == ""


async def test_what_nobody_expects_is_stopped(bench):
    """An attempt whose end is in the rows already does not go on after a restart."""
    order = bench.shell("echo begun; sleep 300")
    bench.start(order)
    await bench.started(order)
    await bench.restart()
    await bench.until(lambda: not bench.kind.is_alive(bench.home, order), "it was killed")
    assert len(bench.of(order)) == 1


async def test_settled_attempts_are_forgotten(bench):
    """When an end is durable, nothing of the attempt is kept but its log."""
    order = bench.shell("echo kept; echo x > file-in-the-working-directory")
    await bench.run(order)
    await bench.until(lambda: not bench.kind.remembers(bench.home, order), "it is forgotten")
    await bench.says(order, "kept")


async def test_many_short_attempts_end_once_each(bench):
    """A batch of short commands: each ends exactly once, with its own code."""
    orders = [bench.shell(f"exit {index % 100}") for index in range(30)]
    bench.start(*orders)
    ends = [await bench.end(order) for order in orders]
    assert [end.exit_code for end in ends] == [index % 100 for index in range(30)]


def flag(bench: Bench) -> dict[str, object]:
    """Options of an attempt that waits for a file; where it is, both sides can see it."""
    home = str(bench.home)
    return {"environment": {"FLAG": f"{home}/flag"}, "mounts": (Mount(source=home, target=home),)}


def raise_flag(bench: Bench) -> None:
    (bench.home / "flag").touch()
