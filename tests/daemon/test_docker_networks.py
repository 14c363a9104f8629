"""The private network of a gang, against a real engine: made once, found again, never left behind."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from docker_kind import SYSTEM_DOCKER, has_image
from test_docker_executor import World, order

from nbbatch.daemon.executors.docker_engine import Engine
from nbbatch.daemon.executors.docker_networks import GangNetworks, enter_gang, gang_network_of
from nbbatch.daemon.executors.docker_spec import DAEMON_LABEL, Placement
from nbbatch.daemon.ports import ExpectedAttempt
from nbbatch.errors import CouldNotStartError
from nbbatch.model.events import AttemptExited, AttemptStarted, Gang, StopAttempt
from nbbatch.model.jobs import JobId
from nbbatch.model.resources import Resources

ENDLESS = ("sh", "-c", "trap 'exit 143' TERM; sleep 600 & wait")
ECHO = ("sh", "-c", "echo at $AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS; ip=$(hostname -i); echo me $ip")


def gang_of(*commands, memory=64):
    """Orders of a gang, the main node's first."""
    job_id = str(uuid.uuid4())
    main = JobId(f"{job_id}#0")
    orders = [
        replace(
            order(*command, job_id=f"{job_id}#{index}", memory=memory),
            gang=Gang(
                main=main,
                others=Resources(vcpus=len(commands) - 1, memory=memory * (len(commands) - 1))
                if index == 0
                else Resources(),
            ),
        )
        for index, command in enumerate(commands)
    ]
    return orders[0], orders[1:]


def test_a_network_is_in_use_until_its_last_attempt_is_forgotten():
    """Attempts without a gang have none."""
    main, (one, two) = gang_of(ENDLESS, ENDLESS, ENDLESS)
    networks = GangNetworks()
    for node in (main, one, two):
        networks.enter(node)
    assert gang_network_of(main) in networks
    assert [networks.leave(node) for node in (one, main)] == [None, None]
    assert networks.leave(two) == gang_network_of(main)
    assert gang_network_of(main) not in networks
    assert gang_network_of(order("true")) is None
    assert networks.leave(order("true")) is None


@pytest.fixture
def engine():
    if not has_image():
        pytest.skip("no Docker Engine with the test's image")
    engine = Engine(SYSTEM_DOCKER)
    yield engine
    engine.close()


@pytest.fixture
async def world(tmp_path, engine):
    world = World(tmp_path, network="bridge", machine=Resources(vcpus=8, memory=1024))
    yield world
    if world.executor is not None:
        await world.executor.close()
    label = f"{DAEMON_LABEL}={world.daemon_id}"
    for entry in engine.containers(label):
        engine.remove(entry["Id"])
    for name in engine.networks(label):
        engine.remove_network(name)


def kinds(world, kind):
    return {report.job_id: report for report in world.reports if isinstance(report, kind)}


def networks_of(world, engine):
    return engine.networks(f"{DAEMON_LABEL}={world.daemon_id}")


async def gone(world, engine):
    async with asyncio.timeout(120):
        while networks_of(world, engine):
            await asyncio.sleep(0.02)


@pytest.mark.docker
async def test_nodes_are_told_the_main_nodes_real_address(world, engine):
    """It is the one the main node has in their network, which goes with the last node."""
    executor = await world.open()
    main, (child,) = gang_of(ENDLESS, ECHO)
    executor.start([main])
    await world.until(lambda: main.job_id in kinds(world, AttemptStarted))
    assert networks_of(world, engine) == [gang_network_of(main)]
    executor.start([child])
    await world.until(lambda: child.job_id in kinds(world, AttemptExited))
    address = engine.inspect(gang_network_of(main))["NetworkSettings"]["Networks"][gang_network_of(main)][
        "IPAddress"
    ]
    told, mine = log_of(world, child)
    assert told == f"at {address}"
    assert mine.split()[1].rpartition(".")[0] == address.rpartition(".")[0]
    executor.settled([kinds(world, AttemptExited)[child.job_id]])
    executor.stop([StopAttempt(job_id=main.job_id, attempt=1)])
    await world.until(lambda: main.job_id in kinds(world, AttemptExited))
    executor.settled([kinds(world, AttemptExited)[main.job_id]])
    await gone(world, engine)


def log_of(world, node):
    lines = Path(world.logs.path(node.log_stream)).read_text(encoding="utf-8").splitlines()
    return [line.split("\t")[-1].strip() for line in lines]


@pytest.mark.docker
async def test_an_adopted_gang_keeps_its_network_and_strangers_lose_theirs(world, engine):
    """After a restart a node that was never begun still finds its main node; what is not expected goes."""
    executor = await world.open()
    main, (child,) = gang_of(ENDLESS, ECHO)
    stranger, _ = gang_of(ENDLESS)
    executor.start([main, stranger])
    await world.until(lambda: {main.job_id, stranger.job_id} <= kinds(world, AttemptStarted).keys())
    await executor.close()
    executor = await world.open(
        ExpectedAttempt(order=main, was_running=True), ExpectedAttempt(order=child, was_running=False)
    )
    end = await world.until(lambda: kinds(world, AttemptExited).get(child.job_id))
    assert end.exit_code == 0
    async with asyncio.timeout(120):
        while networks_of(world, engine) != [gang_network_of(main)]:
            await asyncio.sleep(0.02)


@pytest.mark.docker
async def test_a_gang_waits_until_the_machine_has_room_for_all_of_it(world, engine):
    """Two gangs of which only one fits run one after the other; one that never fits is refused."""
    executor = await world.open()
    first, (child,) = gang_of(ENDLESS, ENDLESS, memory=300)
    second, _ = gang_of(("true",), ENDLESS, memory=300)
    huge, _ = gang_of(("true",), ENDLESS, memory=600)
    executor.start([first, second, huge])
    await world.until(lambda: first.job_id in kinds(world, AttemptStarted))
    refused = await world.until(lambda: kinds(world, AttemptExited).get(huge.job_id))
    assert "with its other nodes it asks for 1200 MiB" in refused.reason
    executor.start([child])
    await world.until(lambda: child.job_id in kinds(world, AttemptStarted))
    assert second.job_id not in kinds(world, AttemptStarted)
    executor.stop([StopAttempt(job_id=node.job_id, attempt=1) for node in (first, child)])
    end = await world.until(lambda: kinds(world, AttemptExited).get(second.job_id))
    assert end.exit_code == 0


@pytest.mark.docker
def test_a_node_whose_main_node_is_gone_cannot_start(engine, tmp_path):
    """It says so; on the host's network it is this very machine that it is told."""
    _, (child,) = gang_of(ENDLESS, ECHO)
    with pytest.raises(CouldNotStartError, match="main node of the job is gone"):
        enter_gang(engine, child, Placement(daemon_id="x", home=tmp_path))
    told, placement = enter_gang(engine, child, Placement(daemon_id="x", home=tmp_path, network="host"))
    assert dict(told.environment)["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"] == "127.0.0.1"
    assert placement.gang_network is None
