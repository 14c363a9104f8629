"""Shares, consumable resources and clocks over a restart: real SQLite files, filled by the real scheduler."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nbbatch.daemon.store import Store
from nbbatch.model.events import JobQueueDeleted, JobQueueUpdated, NounDeleted
from nbbatch.model.fleet import TimeLimit
from nbbatch.model.jobs import JobStatus
from nbbatch.scheduler.reactor import handle
from nbbatch.scheduler.restore import restore

sys.path.insert(0, str(Path(__file__).parents[1] / "scheduler"))
from world import World, catalogue

TOO_LARGE = TimeLimit(reason="MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT", max_seconds=600)


class StoredWorld(World):
    """A world whose ticks are committed, and that can go on from its rows."""

    def __init__(self, path: Path):
        self.path = path
        self.store = Store.open(path)
        super().__init__(max_vcpus=4)

    def happen(self, event):
        effects = handle(self.state, event, self.now)
        for effect in effects:
            self._keep(effect)
        ended = {job: live.run for job, live in self.state.changes.jobs.items()} | self.state.changes.children
        self.finished |= {job: run for job, run in ended.items() if run.status.is_terminal}
        self.store.commit([(self.now, event)], self.state.drain_changes(), self.state)
        return effects

    def restart(self):
        self.store.close()
        self.store = Store.open(self.path)
        self.state = restore(self.store.load(), catalogue())
        self.state.validate()


@pytest.fixture
def world(tmp_path):
    world = StoredWorld(tmp_path / "rows.db")
    yield world
    world.store.close()


def test_what_shares_have_used_survives(world):
    """Running and recent use, the policy, and when a share left are as they were."""
    world.add_fair_queue("fair", "ce", decay_seconds=300, shares=(("a", 0.5),))
    jobs = [world.submit(queue="fair", share=share) for share in ("a", "a", "b", "c", "a", "b")]
    world.now += 50_000
    world.exit(jobs[3])
    world.now += 7_000
    before = world.state.queues["fair"]
    world.restart()
    after = world.state.queues["fair"]
    assert after is not before
    assert {name: share.load(world.now) for name, share in after.shares.items()} == {
        name: share.load(world.now) for name, share in before.shares.items()
    }
    assert after.shares["c"].ledger.record.left_at == world.now - 7_000
    world.wait(293)
    assert "c" not in after.shares
    world.restart()
    assert "c" not in world.state.queues["fair"].shares


def test_the_clock_of_a_blocked_head_survives(world):
    """It fires at the time it would have fired at."""
    queue = world.state.queues["q"].queue
    world.happen(JobQueueUpdated(queue=replace(queue, time_limits=(TOO_LARGE,))))
    job = world.submit(memory=100_000)
    child = f"{world.submit(size=2, memory=100_000)}:0"
    world.wait(400)
    world.restart()
    world.wait(199)
    assert world.status(job) is JobStatus.RUNNABLE
    world.wait(1)
    assert world.status(job) is JobStatus.FAILED
    world.restart()
    world.wait(600)
    assert world.status(child) is JobStatus.FAILED


def test_consumable_resources_survive(world):
    """What runs still has its quantity; what is gone for good stays gone; deleted ones stay deleted."""
    world.add_consumable("licence", 3)
    world.add_consumable("token", 5, "NON_REPLENISHABLE")
    world.add_consumable("gone", 5)
    world.happen(NounDeleted(kind="ConsumableResource", name="gone"))
    running = world.submit(consumables={"licence": 2, "token": 4})
    waiting = world.submit(consumables={"licence": 2})
    world.restart()
    assert world.state.in_use == {"licence": 2, "token": 4}
    assert {name: known.total for name, known in world.state.consumables.items()} == {
        "licence": 3,
        "token": 1,
    }
    world.exit(running)
    assert world.status(waiting) is JobStatus.STARTING


def test_jobs_are_listed_by_what_they_need(world):
    """Newest first, with their quantity, by status and by name in any case."""
    world.add_consumable("licence", 1)
    jobs = [world.submit(consumables={"licence": number}) for number in (1, 2, 3)]
    world.submit()
    world.exit(jobs[0])

    def listed(**more):
        rows = world.store.list_needing("licence", limit=10, **more)
        return [(row.view.job.id, quantity) for row, quantity in rows]

    assert listed() == [(jobs[2], 3), (jobs[1], 2), (jobs[0], 1)]
    assert listed(statuses=[JobStatus.SUCCEEDED]) == [(jobs[0], 1)]
    assert listed(names=["WORK"], before=3) == [(jobs[1], 2), (jobs[0], 1)]
    assert [len(listed(names=names)) for names in (["wo*"], ["x", "w*"], ["wor"], ["%"])] == [3, 3, 0, 0]


def test_a_queue_that_is_going_goes_after_a_restart(world):
    """DELETING is in the rows; the last attempt's end drops the queue for good."""
    job = world.submit()
    world.happen(JobQueueDeleted(name="q"))
    world.restart()
    assert world.state.queues["q"].queue.status == "DELETING"
    world.exit(job, 143)
    assert "q" not in world.state.queues
    world.restart()
    assert world.state.queues == {}
