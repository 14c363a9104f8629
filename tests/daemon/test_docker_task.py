"""Several containers as one attempt, against a real engine: order, essential, localhost, restarts."""

from __future__ import annotations

import subprocess
import uuid
from dataclasses import replace

import pytest
from docker_image import IMAGE
from docker_kind import DockerKind, has_image
from executor_contract import Bench

from nbbatch.daemon.executors.docker_spec import container_name
from nbbatch.model.containers import Container, ContainerCondition, ContainerDependency, Mount, Task
from nbbatch.model.resources import Resources

pytestmark = pytest.mark.docker

SMALL = Resources(vcpus=0.25, memory=64)


@pytest.fixture
async def bench(tmp_path):
    if not has_image():
        pytest.skip(f"no Docker Engine with the image {IMAGE}; scripts/docker-test-image makes it")
    kind = DockerKind()
    bench = Bench(kind, tmp_path)
    await bench.up()
    yield bench
    await bench.down()
    kind.clean(tmp_path)
    bench.check()


def shell(name, script, *waits, essential=True, mounts=(), **more) -> Container:
    """A container; `waits` are texts like `init SUCCESS`."""
    pairs = [wait.split() for wait in waits]
    return Container(
        name=name,
        image=more.pop("image", IMAGE),
        command=("/bin/sh", "-c", script),
        resources=SMALL,
        essential=essential,
        depends_on=tuple(
            ContainerDependency(name=other, condition=ContainerCondition(condition))
            for other, condition in pairs
        ),
        mounts=mounts,
        **more,
    )


def until(file: str) -> str:
    """A line that waits for a file that another container makes."""
    return f"while [ ! -e {file} ]; do sleep 0.05; done"


def task(bench, *containers, **of_task):
    """An order of several containers."""
    first = bench.order("true")
    orders = [
        replace(
            first,
            container=container,
            resources=container.resources,
            log_stream=f"def/{container.name}/{uuid.uuid4().hex}",
        )
        for container in containers
    ]
    total = sum((order.resources for order in orders[1:]), orders[0].resources)
    shared = Task(others=tuple(containers[1:]), **of_task)
    others = tuple(replace(order, task=shared) for order in orders[1:])
    return replace(orders[0], resources=total, others=others, task=shared)


def logs(bench, order) -> dict[str, str]:
    return {known.container.name: bench.log(known) for known in (order, *order.others)}


def codes(end) -> dict[str, int | None]:
    return {known.name: known.exit_code for known in end.containers}


async def test_containers_begin_in_their_order(bench):
    """Who waits for SUCCESS sees the files that the other left in the volume they share."""
    work = (Mount(target="/work", volume="work"),)
    order = task(
        bench,
        shell("main", "cat /work/made", "init SUCCESS", mounts=work),
        shell("init", "sleep 0.2; echo ready > /work/made", essential=False, mounts=work),
    )
    end = await bench.run(order)
    assert (end.exit_code, end.reason, codes(end)) == (0, None, {"main": 0, "init": 0})
    assert logs(bench, order) == {"main": "ready\n", "init": ""}
    assert end.containers[1].stopped_at <= end.containers[0].started_at == end.started_at


async def test_an_essential_end_stops_the_others_and_decides(bench):
    """The first essential container that ends takes the rest along; its code is the attempt's."""
    work = (Mount(target="/work", volume="work"),)
    helping = "trap 'echo told; exit 0' TERM; touch /work/up; while :; do sleep 0.05; done"
    order = task(
        bench,
        shell("helper", helping, essential=False, mounts=work),
        shell("main", f"{until('/work/up')}; exit 7", "helper START", mounts=work),
    )
    end = await bench.run(order)
    assert (end.exit_code, end.status_reason) == (7, "Essential container in task exited")
    assert codes(end) == {"helper": 0, "main": 7}
    assert logs(bench, order)["helper"] == "told\n"
    assert not bench.kind.is_alive(bench.home, order)


async def test_who_ignores_the_stop_is_killed_after_its_own_timeout(bench):
    """A container's stopTimeout is its grace."""
    order = task(
        bench,
        shell("deaf", "trap '' TERM; while :; do sleep 0.05; done", essential=False, stop_timeout=2),
        shell("main", "exit 0", "deaf START"),
    )
    end = await bench.run(order)
    assert (end.exit_code, codes(end)) == (0, {"deaf": 137, "main": 0})
    deaf, main = end.containers
    assert 1_500 <= deaf.stopped_at - main.stopped_at < 20_000


async def test_a_container_that_is_not_essential_may_fail(bench):
    """Its code is told, and does not count."""
    work = (Mount(target="/work", volume="work"),)
    order = task(
        bench,
        shell("main", until("/work/done"), mounts=work),
        shell("extra", "touch /work/done; exit 3", essential=False, mounts=work),
    )
    end = await bench.run(order)
    assert (end.exit_code, codes(end)) == (0, {"main": 0, "extra": 3})


async def test_what_cannot_start_any_more_fails_the_attempt(bench):
    """A dependency that failed keeps its dependant from starting, and the attempt from running."""
    order = task(bench, shell("main", "true", "init SUCCESS"), shell("init", "exit 4", essential=False))
    end = await bench.run(order)
    assert (end.exit_code, end.status_reason) == (None, "Task failed to start")
    assert end.reason == (
        "CannotStartContainerError: dependency on container init cannot become SUCCESS: it ended with exit code 4"
    )
    assert codes(end) == {"main": None, "init": 4}


async def test_a_start_timeout_ends_the_waiting(bench):
    """Who is not done within its startTimeout takes the attempt with it."""
    order = task(
        bench,
        shell("main", "true", "init COMPLETE"),
        shell("init", "exec sleep 100", essential=False, start_timeout=2, init=True),
    )
    end = await bench.run(order)
    assert end.reason.endswith("dependency on container init did not become COMPLETE within 2 seconds")
    assert codes(end) == {"main": None, "init": 143}


async def test_an_image_that_cannot_be_had_fails_the_attempt(bench):
    """The engine's words are the attempt's reason, and the other container is stopped."""
    order = task(
        bench,
        shell("main", "exec sleep 100", init=True),
        shell("bad", "true", image="nbbatch-test/there-is-no:such", essential=False),
    )
    end = await bench.run(order)
    assert (end.exit_code, end.status_reason) == (None, "Task failed to start")
    assert end.reason.startswith("CannotPullContainerError: ")


async def test_a_stop_reaches_every_container(bench):
    """TerminateJob ends all of them, and those whose turn had not come never begin."""
    order = task(
        bench,
        shell("one", "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.05; done"),
        shell("two", "true", "three COMPLETE"),
        shell("three", "exec sleep 100", essential=False, init=True),
    )
    bench.start(order)
    await bench.says(order, "up")
    bench.stop(order)
    end = await bench.end(order)
    assert end.exit_code == 5
    assert codes(end)["two"] is None
    assert logs(bench, order)["one"] == "up\nbye\n"


async def test_nothing_is_left_once_the_end_is_settled(bench):
    """Containers, the one that holds them together, and shared volumes go."""
    work = (Mount(target="/work", volume="work"),)
    order = task(bench, shell("a", "true", mounts=work), shell("b", "true", mounts=work, essential=False))
    await bench.run(order)
    name = container_name(order.job_id, order.attempt)

    def left() -> str:
        containers = docker("ps", "-aq", "--filter", f"name={name}")
        return containers + docker("volume", "ls", "-q", "--filter", f"label=nbbatch.task={name}")

    await bench.until(lambda: not left(), "nothing is left")


async def test_a_running_task_is_adopted(bench):
    """A daemon that comes back goes on with the containers that run, and starts none again."""
    order = task(
        bench,
        shell("main", "echo begun; while [ ! -e /gate/go ]; do sleep 0.05; done; exit 6", mounts=gate(bench)),
        shell("side", "echo begun; exec sleep 100", essential=False, init=True),
    )
    bench.start(order)
    await bench.started(order)
    await bench.until(lambda: logs(bench, order)["side"], "the side has begun")
    await bench.restart(order)
    (bench.home / "gate" / "go").touch()
    end = await bench.end(order)
    assert (end.exit_code, codes(end)) == (6, {"main": 6, "side": 143})
    assert logs(bench, order) == {"main": "begun\n", "side": "begun\n"}


async def test_an_end_while_nobody_watched_has_its_true_codes(bench):
    """What ended without a daemon is told with its own exit codes, and what it took along is stopped."""
    order = task(
        bench,
        shell("main", "while [ ! -e /gate/go ]; do sleep 0.05; done; exit 6", mounts=gate(bench)),
        shell("side", "exec sleep 100", essential=False, init=True),
    )
    bench.start(order)
    await bench.started(order)
    await bench.down()
    (bench.home / "gate" / "go").touch()
    name = f"{container_name(order.job_id, 1)}-main"
    await bench.until(lambda: docker("inspect", "-f", "{{.State.Running}}", name) == "false\n", "main ends")
    await bench.up(order)
    assert codes(await bench.end(order)) == {"main": 6, "side": 143}


async def test_a_start_goes_on_where_a_daemon_left_it(bench):
    """Between two containers of a task the daemon may go: the first is not begun twice, the second once."""
    order = task(
        bench,
        shell("main", "echo main", "init SUCCESS"),
        shell(
            "init",
            "echo init; while [ ! -e /gate/go ]; do sleep 0.05; done",
            essential=False,
            mounts=gate(bench),
        ),
    )
    bench.start(order)
    await bench.until(lambda: logs(bench, order)["init"] == "init\n", "init runs")
    assert not bench.of(order), "a task runs when all of it does"
    await bench.down()
    (bench.home / "gate" / "go").touch()
    await bench.up(order, running=False)
    assert (await bench.end(order)).exit_code == 0
    assert logs(bench, order) == {"main": "main\n", "init": "init\n"}


async def test_a_container_that_is_gone_is_a_lost_host(bench):
    """A running task that lost a container while nobody watched has vanished, and nothing of it runs on."""
    order = task(
        bench, shell("main", "exec sleep 100", init=True), shell("side", "exec sleep 100", init=True)
    )
    bench.start(order)
    await bench.started(order)
    await bench.down()
    name = container_name(order.job_id, 1)
    docker("rm", "-f", f"{name}-side")
    await bench.up(order)
    await bench.vanished(order)
    assert not docker("ps", "-q", "--filter", f"name={name}")


async def test_an_unsettled_end_is_told_again(bench):
    """A daemon that went before the end was durable learns the same end."""
    bench.settles = False
    order = task(bench, shell("main", "exit 3"), shell("late", "true", "main START"))
    end = await bench.run(order)
    bench.reports.clear()
    await bench.restart(order, running=False)
    again = await bench.end(order)
    assert (again.exit_code, codes(again)) == (end.exit_code, codes(end))
    bench.executor.settled([again])


async def test_volumes_that_were_left_behind_go_at_the_next_start(bench):
    """A daemon that was killed between a task's containers and its volume leaves none to the next one."""
    label = f"nbbatch.daemon={bench.kind._daemon_id(bench.home)}"
    name = docker("volume", "create", "--label", label).strip()
    await bench.restart()
    await bench.until(lambda: not docker("volume", "ls", "-q", "--filter", f"name={name}"), "the volume goes")


class Bridged(DockerKind):
    """With a network namespace for each job."""

    network = "bridge"


async def test_containers_meet_on_localhost(tmp_path):
    """On Docker's own network, one task is one host: one localhost, one set of ports, one shared memory."""
    kind = Bridged()
    bench = Bench(kind, tmp_path)
    await bench.up()
    serve = "import http.server as h; print('up', flush=True); h.HTTPServer(('127.0.0.1', 8123), h.BaseHTTPRequestHandler).serve_forever()"
    ask = (
        "import time, urllib.request as u, urllib.error as e\n"
        "for _ in range(2000):\n"
        "    try: u.urlopen('http://127.0.0.1:8123')\n"
        "    except e.HTTPError as error: print(error.code); break\n"
        "    except e.URLError: time.sleep(.05)\n"
    )
    order = task(
        bench,
        shell("ask", f'python3 -c "{ask}"; test -e /dev/shm/seen', "serve START"),
        shell("serve", f'touch /dev/shm/seen; exec python3 -c "{serve}"', essential=False),
        ipc_mode="task",
        pid_mode="task",
    )
    end = await bench.run(order)
    log = logs(bench, order)
    await bench.down()
    kind.clean(tmp_path)
    assert (log["ask"], end.exit_code) == ("501\n", 0), log


def gate(bench) -> tuple[Mount, ...]:
    """A folder in which the test says when to go on."""
    folder = bench.home / "gate"
    folder.mkdir(exist_ok=True)
    return (Mount(target="/gate", source=str(folder), read_only=True),)


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False).stdout
