"""A world of the scheduler's tests whose ticks are committed to a real SQLite file."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from nbbatch.daemon.store import Store
from nbbatch.model.events import Event
from nbbatch.scheduler.reactor import handle
from nbbatch.scheduler.restore import restore
from nbbatch.scheduler.state import SchedulerState

sys.path.insert(0, str(Path(__file__).parents[1] / "scheduler"))
from world import World, catalogue, nodes


class StoredWorld(World):
    """A world whose ticks are committed; `tick` events share a transaction."""

    def __init__(self, path: Path, tick: int = 1, **more):
        self.path = path
        self.store = Store.open(path)
        self.tick = tick
        self.pending: list[tuple[int, Event]] = []
        super().__init__(**more)

    def happen(self, event):
        effects = handle(self.state, event, self.now)
        self.log.append((self.now, event))
        self.pending.append((self.now, event))
        for effect in effects:
            self._keep(effect)
        changes = self.state.changes
        ended = {job_id: live.run for job_id, live in changes.jobs.items()} | changes.children
        self.finished |= {job_id: run for job_id, run in ended.items() if run.status.is_terminal}
        if len(self.pending) >= self.tick:
            self.commit()
        return effects

    def commit(self):
        if self.pending:
            self.store.commit(self.pending, self.state.drain_changes(), self.state)
            self.pending = []

    def reopen(self) -> SchedulerState:
        self.commit()
        self.store.close()
        self.store = Store.open(self.path)
        return restore(self.store.load(), catalogue())


def assert_same_jobs(known: SchedulerState, again: SchedulerState) -> None:
    again.validate()
    assert (again.seed, again.now, again.sequence, again.host_count) == (
        known.seed,
        known.now,
        known.sequence,
        known.host_count,
    )
    assert again.jobs.keys() == known.jobs.keys()
    for job_id, live in known.jobs.items():
        other = again.jobs[job_id]
        assert (other.job, other.run, other.sequence) == (live.job, live.run, live.sequence)
        assert other.nodes == live.nodes
        if live.children is not None:
            assert other.children.statuses == live.children.statuses
            assert other.children.asked == live.children.asked
            assert other.children.runs == live.children.runs
    for name, environment in known.environments.items():
        hosts = {key: host.occupants for key, host in environment.hosts.items()}
        assert {key: host.occupants for key, host in again.environments[name].hosts.items()} == hosts


def something_happens(world: StoredWorld, draw: random.Random, jobs: dict[str, int | None]) -> None:
    def any_id() -> str:
        job = draw.choice(list(jobs))
        return f"{job}:{draw.randrange(jobs[job])}" if jobs[job] and draw.random() < 0.5 else job

    def submit() -> None:
        size = draw.choice([None, None, 2, 5])
        after = [any_id()] if jobs and draw.random() < 0.4 else []
        job = world.submit(
            size=size, after=after, attempts=draw.randint(1, 3), timeout=draw.choice([None, 60])
        )
        jobs[job] = size

    def submit_nodes() -> None:
        count = draw.randint(1, 4)
        gang = nodes(count, draw.randrange(count))
        job = world.submit(nodes=gang, attempts=draw.randint(1, 3), timeout=draw.choice([None, 60]))
        jobs[job] = None

    deeds = [submit, submit_nodes, lambda: world.wait(draw.randint(1, 90))]
    if world.running:
        one = draw.choice(sorted(world.running))
        deeds += [lambda: world.start(one), lambda: world.exit(one, draw.choice([0, 0, 1, None]))] * 3
        deeds += [lambda: world.vanish(one)]
    if jobs:
        deeds += [lambda: world.cancel(any_id()), lambda: world.terminate(any_id())]
    draw.choice(deeds)()
