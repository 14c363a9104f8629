"""The loop with real rows and a scripted executor: decide, commit, carry out."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

import nbbatch.model
from nbbatch.daemon.executors.scripted import ScriptedExecutor
from nbbatch.daemon.loop import Loop
from nbbatch.daemon.store import Store
from nbbatch.errors import ClientException, NbbatchBugError, StoreError
from nbbatch.model.containers import Container
from nbbatch.model.events import (
    ComputeEnvironmentCreated,
    HostInterrupted,
    JobQueueCreated,
    JobSubmitted,
    TerminateRequested,
)
from nbbatch.model.fleet import ComputeEnvironment, JobQueue, parse_catalogue
from nbbatch.model.jobs import Job, JobId, JobStatus, NodeProperties, NodeRange
from nbbatch.model.resources import Resources
from nbbatch.scheduler.restore import restore

CATALOGUE = parse_catalogue(Path(nbbatch.model.__file__).with_name("instance_types.json").read_text())


class SteadyClock:
    """A clock that a test moves."""

    def __init__(self):
        self.at = 1_700_000_000_000

    def now(self) -> int:
        return self.at


class FlakyStore:
    """The real store, but commits fail while `broken`."""

    def __init__(self, store):
        self.store = store
        self.broken = None
        self.commits = 0

    def commit(self, events, changes, state):
        if self.broken is not None:
            raise self.broken
        self.commits += 1
        self.store.commit(events, changes, state)

    def load(self):
        return self.store.load()


@pytest.fixture
def store(tmp_path):
    opened = Store.open(tmp_path / "rows.db")
    yield FlakyStore(opened)
    opened.close()


class Running:
    """A loop with its executor."""

    def __init__(self, store):
        self.changed = []
        self.clock = SteadyClock()
        self.loop = Loop(
            restore=lambda: restore(store.load(), CATALOGUE),
            store=store,
            clock=self.clock,
            on_commit=lambda _events, changes: self.changed.append(changes.touched),
        )
        self.executor = ScriptedExecutor(self.loop.report, self.clock.now)

    async def up(self):
        await self.loop.start(self.executor)
        return self

    def job(self, job_id, **more):
        return Job(
            id=JobId(job_id),
            name="x",
            queue="q",
            definition="d:1",
            container=Container(image="i", resources=Resources(vcpus=1, memory=64)),
            created_at=self.clock.now(),
            **more,
        )

    async def submit(self, job_id, **more):
        return await self.apply(JobSubmitted(job=self.job(job_id, **more)), reply=job_id)

    async def apply(self, *events, reply=None):
        """The reply, once what follows behind it has happened, too."""
        given = await self.loop.apply(lambda _state, _now: (events, reply))
        await asyncio.sleep(0)
        return given

    async def world(self):
        environment = ComputeEnvironment(name="ce", max_vcpus=4, instance_types=("m6i.large",))
        queue = JobQueue(name="q", priority=1, environments=("ce",))
        events = [ComputeEnvironmentCreated(environment=environment), JobQueueCreated(queue=queue)]
        await self.apply(*events)
        return self


@pytest.fixture
async def running(store):
    made = await (await Running(store).up()).world()
    yield made
    await made.loop.close()


async def test_many_requests_share_one_commit(running, store):
    """What comes in together is made durable together."""
    before = store.commits
    await asyncio.gather(*(running.submit(f"job-{n}") for n in range(50)))
    assert store.commits == before + 1
    assert len(running.executor.take_starts()) == 4


async def test_effects_follow_the_commit(running, store):
    """A job that could not be made durable is not started, and its caller is told."""
    store.broken = StoreError("The disk is full.")
    with pytest.raises(StoreError, match="disk is full"):
        await running.submit("lost")
    store.broken = None
    assert running.executor.take_starts() == []
    assert "lost" not in running.loop.state.jobs
    assert await running.submit("kept") == "kept"
    assert [order.job_id for order in running.executor.take_starts()] == ["kept"]


async def test_a_loop_that_closes_still_carries_out_what_it_decided(running):
    """Between an answer and its effects nothing is lost, not even when the daemon is told to go."""
    event = JobSubmitted(job=running.job("last"))
    await running.loop.apply(lambda _state, _now: ([event], None))
    assert names(running.executor.take_starts()) == []
    await running.loop.close()
    assert names(running.executor.take_starts()) == ["last"]


async def test_an_exit_waits_for_the_disk(running, store, monkeypatch):
    """Reports are kept while rows cannot be written, and settled once they can."""
    monkeypatch.setattr("nbbatch.daemon.loop.RETRY_SECONDS", 0.01)
    await running.submit("job")
    running.executor.take_starts()
    store.broken = StoreError("The disk is full.")
    running.executor.exited(JobId("job"))
    await asyncio.sleep(0)
    assert running.executor.take_settled() == []
    store.broken = None
    async with asyncio.timeout(60):
        while not running.executor.take_settled():
            await asyncio.sleep(0)
    assert store.store.find(["job"])[JobId("job")].run.status is JobStatus.SUCCEEDED


async def test_a_refused_command_changes_nothing(running, store):
    """A ClientException reaches its caller only; others in the same tick go on."""

    def refuse(_state, _now):
        raise ClientException("no")

    refused, kept = await asyncio.gather(
        running.loop.apply(refuse), running.submit("kept"), return_exceptions=True
    )
    assert isinstance(refused, ClientException)
    assert kept == "kept"
    running.executor.take_starts()


async def test_a_bug_in_one_request_harms_no_other(running):
    """The bad one is told so; the rest of its tick is done as if it had not been there."""

    def broken(_state, _now):
        raise ZeroDivisionError

    answers = await asyncio.gather(
        running.submit("a"), running.loop.apply(broken), running.submit("b"), return_exceptions=True
    )
    assert [answers[0], answers[2]] == ["a", "b"]
    assert isinstance(answers[1], NbbatchBugError)
    assert [order.job_id for order in running.executor.take_starts()] == ["a", "b"]


async def test_a_new_loop_goes_on_where_the_old_one_was_killed(running, store):
    """What ran is expected again, what waited waits, and a stop that was decided is ordered again."""
    await running.submit("array", array_size=10)
    running.executor.started(JobId("array:0"))
    await running.apply(TerminateRequested(job_id=JobId("array:1"), reason="enough"))
    again = await Running(store).up()
    expected = again.executor.take_expected()
    assert sorted((one.order.job_id, one.was_running) for one in expected) == [
        ("array:0", True),
        ("array:1", False),
        ("array:2", False),
        ("array:3", False),
    ]
    assert expected[0].order == next(
        order for order in running.executor.take_starts() if order.job_id == expected[0].order.job_id
    )
    assert [order.job_id for order in again.executor.take_stops()] == ["array:1"]
    again.executor.exited(JobId("array:0"))
    async with asyncio.timeout(60):
        while not (starts := again.executor.take_starts()):
            await asyncio.sleep(0)
    assert [order.job_id for order in starts] == ["array:4"]
    again.executor.check()
    await again.loop.close()


async def test_a_new_loop_repeats_the_notice_of_a_host_that_is_going(running, store):
    """The daemon was killed between the notice and the end; what is left of it is the grace now."""
    await running.submit("job")
    (order,) = running.executor.take_starts()
    event = HostInterrupted(host=order.host, notice_seconds=100)
    await running.apply(event)
    assert [stop.grace_seconds for stop in running.executor.take_stops()] == [100]
    after = Running(store)
    after.clock.at += 70_000
    await after.up()
    assert [(stop.job_id, stop.grace_seconds) for stop in after.executor.take_stops()] == [("job", 30)]
    after.executor.take_expected()
    await after.loop.close()


async def gang(running, job_id="gang"):
    """Two nodes, of which the second is the main one."""
    container = Container(image="i", resources=Resources(vcpus=1, memory=64))
    everywhere = NodeRange(target="0:", first=0, last=None, container=container)
    await running.submit(job_id, nodes=NodeProperties(count=2, main=1, ranges=(everywhere,)))


def names(orders):
    return [order.job_id for order in orders]


async def test_a_gang_goes_on_in_whatever_phase_the_daemon_was_killed(running, store):
    """Nodes that wait for their main node are not expected before it runs, and are begun once."""
    await gang(running)
    running.executor.take_starts()
    starting = await Running(store).up()
    expected = starting.executor.take_expected()
    assert [(one.order.job_id, one.was_running) for one in expected] == [("gang#1", False)]
    assert expected[0].order.gang.others == Resources(vcpus=1, memory=64)
    starting.executor.started(JobId("gang#1"))
    await settle(starting, starting.executor.take_starts)
    running_now = await Running(store).up()
    expected = running_now.executor.take_expected()
    assert [(one.order.job_id, one.was_running) for one in expected] == [("gang#1", True), ("gang#0", False)]
    running_now.executor.started(JobId("gang#0"))
    running_now.executor.exited(JobId("gang#1"))
    assert names(await settle(running_now, running_now.executor.take_stops)) == ["gang#0"]
    ending = await Running(store).up()
    assert names(one.order for one in ending.executor.take_expected()) == ["gang#0"]
    assert names(ending.executor.take_stops()) == ["gang#0"]
    ending.executor.exited(JobId("gang#0"), exit_code=143)
    await settle(ending, lambda: not ending.loop.state.jobs)
    assert store.store.find(["gang"])[JobId("gang")].run.status is JobStatus.SUCCEEDED
    for one in (starting, running_now, ending):
        one.executor.check()
        await one.loop.close()


async def settle(running, condition):
    """Let the loop tick until something is so."""
    async with asyncio.timeout(60):
        while not (result := condition()):
            await asyncio.sleep(0)
    return result


async def test_a_timeout_rings_by_itself(running):
    """The loop wakes at the next deadline without being asked."""
    await running.submit("job", timeout=60)
    running.executor.take_starts()
    running.executor.started(JobId("job"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.clock.at += 60_000
    running.loop._ring()
    async with asyncio.timeout(60):
        while not (stops := running.executor.take_stops()):
            await asyncio.sleep(0)
    assert stops[0].job_id == "job"


async def test_rows_and_state_agree_after_every_commit(running, store):
    """Loading the rows gives the live jobs of the state, children included."""
    await running.submit("array", array_size=6)
    for child in ("array:0", "array:1", "array:2"):
        running.executor.started(JobId(child))
        running.executor.exited(JobId(child), exit_code=1 if child == "array:1" else 0)
    await running.submit("single")
    again = restore(store.load(), CATALOGUE)
    again.validate()
    children = running.loop.state.jobs[JobId("array")].children
    assert again.jobs[JobId("array")].children.statuses == children.statuses
    assert again.jobs[JobId("array")].children.runs == children.runs
    assert again.jobs[JobId("single")].run == running.loop.state.jobs[JobId("single")].run
    assert replace(again.environments["ce"].environment) == running.loop.state.environments["ce"].environment
    running.executor.take_starts()
