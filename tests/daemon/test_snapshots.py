"""The event log cut at a snapshot: what is left of it still leads to the state."""

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys

import pytest
from stored_world import StoredWorld, assert_same_jobs, something_happens
from world import catalogue

from nbbatch.daemon import snapshot_rows
from nbbatch.daemon.feed_rows import BATCH
from nbbatch.daemon.housekeeping import Housekeeping
from nbbatch.errors import ConfigurationError
from nbbatch.model.events import BudgetChanged
from nbbatch.scheduler.restore import restore
from nbbatch.scheduler.simulate import replay

DAY_MS = 86_400_000
_PRUNE = """
import sys
from pathlib import Path
from nbbatch.daemon.store import Store
store = Store.open(Path(sys.argv[1]))
while store.snapshots.prune(before=int(sys.argv[2]), at_once=1):
    print("piece".ljust(4096), flush=True)  # a full pipe holds it back, so that it is never done before the kill
"""


@pytest.fixture
def world(tmp_path):
    world = StoredWorld(tmp_path / "rows.db", max_vcpus=8)
    yield world
    world.store.close()


def replayed(world):
    state = restore(world.store.snapshots.base(), catalogue())
    replay(state, world.store.events())
    state.validate()
    return state


def length(world) -> int:
    return sum(1 for _ in world.store.events())


def live_for(world, draw, jobs, deeds):
    for _ in range(deeds):
        something_happens(world, draw, jobs)


def counts(path) -> tuple[int, int, int]:
    """Rows of a closed file: events, snapshots, rows of snapshots."""
    connection = sqlite3.connect(path)
    tables = ("events", "snapshots", "snapshot_rows")
    found = tuple(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables)
    connection.close()
    return found


@pytest.mark.parametrize("seed", range(12))
def test_a_replay_from_a_snapshot_gives_the_state(world, seed):
    """Whatever happened before and after it, the snapshot and the rest of the log lead to the jobs of the state."""
    draw = random.Random(seed)
    jobs: dict[str, int | None] = {}
    for _ in range(3):
        live_for(world, draw, jobs, 40)
        world.commit()
        world.store.take_snapshot()
        assert_same_jobs(world.state, restore(world.store.load(), catalogue()))
        before = world.now
        live_for(world, draw, jobs, 40)
        world.commit()
        whole = length(world)
        while world.store.snapshots.prune(before=before, at_once=draw.choice([1, 7, 5000])):
            pass
        assert length(world) < whole
        assert_same_jobs(world.state, replayed(world))
        assert_same_jobs(world.state, world.reopen())
        assert_same_jobs(world.state, replayed(world))


def test_a_whole_log_begins_with_nothing(world):
    """Before anything was cut a replay starts from an empty state, with this home's seed."""
    world.exit(world.submit())
    assert world.store.snapshots.base().queues == ()
    assert_same_jobs(world.state, replayed(world))
    assert not world.store.snapshots.prune(before=world.now)
    assert [*world.store.events()] == world.log


def test_the_spending_of_the_day_is_in_the_snapshot(world):
    """A replay stops what the day's cap stopped, counting what was spent before the log begins."""
    world.happen(BudgetChanged(dollars=100.0))
    job = world.submit()
    began = world.now
    world.start(job)
    world.wait(3600)
    world.exit(job, started_at=began)
    world.store.take_snapshot()
    before = world.now
    world.submit()
    world.store.snapshots.prune(before=before)
    spent = world.state.day_spending.at(world.now)
    assert spent > 0
    assert replayed(world).day_spending.at(world.now) == pytest.approx(spent)


def test_a_kill_in_the_middle_of_pruning_loses_nothing(world):
    """The log is cut at once and emptied bit by bit: a killed daemon's successor replays as before, and goes on."""
    draw = random.Random(1)
    jobs: dict[str, int | None] = {}
    live_for(world, draw, jobs, 200)
    world.store.take_snapshot()
    live_for(world, draw, jobs, 60)
    world.store.take_snapshot()
    before, after = world.now, len(world.log)
    live_for(world, draw, jobs, BATCH + 20)
    kept = len(world.log) - after
    world.store.close()
    start = counts(world.path)
    for pieces in (1, 9, 30):
        killed = subprocess.Popen(
            [sys.executable, "-c", _PRUNE, str(world.path), str(before)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(pieces):
            assert killed.stdout.readline().startswith("piece")
        killed.kill()
        assert killed.wait(60) == -signal.SIGKILL
        killed.stdout.close()
        assert_same_jobs(world.state, world.reopen())
        assert_same_jobs(world.state, replayed(world))
        world.store.close()
    left = counts(world.path)
    assert start[0] > left[0] > kept, "it was killed in the middle"
    world.reopen()
    while world.store.snapshots.prune(before=before):
        pass
    assert_same_jobs(world.state, replayed(world))
    world.store.close()
    assert counts(world.path)[:2] == (kept, 1)
    world.reopen()


def test_the_log_reaches_back_as_long_as_is_said(world, monkeypatch):
    """A snapshot every quarter of that time; once one is so old, what was before it goes, and no more."""
    monkeypatch.setenv("NBBATCH_LOG_DAYS", "4")
    housekeeping = Housekeeping(world.store, lambda: world.now)
    oldest = []
    for _ in range(12):
        for _ in range(BATCH // 4):
            world.exit(world.submit())
        asyncio.run(housekeeping.tidy())
        oldest.append(world.store.snapshots.base().now or world.log[0][0])
        assert_same_jobs(world.state, replayed(world))
        world.now += DAY_MS
    ages = [(world.log[0][0] + day * DAY_MS - first) / DAY_MS for day, first in enumerate(oldest)]
    assert ages[:4] == pytest.approx([0, 1, 2, 3], abs=0.1)
    assert all(3.9 <= age <= 5.1 for age in ages[5:])


def test_a_quiet_home_takes_no_snapshots(world):
    """Without news the last one is enough."""
    world.exit(world.submit())
    assert world.store.snapshots.is_due(world.now)
    world.store.take_snapshot()
    assert not world.store.snapshots.is_due(world.now + DAY_MS)


def test_a_snapshot_waits_while_much_is_under_way(world, monkeypatch):
    """Copying many rows would hold up requests; it is due again when most have finished."""
    monkeypatch.setattr(snapshot_rows, "_MOST_COPIED", 10)
    for _ in range(8):
        world.submit()
    array = world.submit(size=40)
    assert world.store.snapshots.is_due(world.now)
    for _ in range(8):
        world.exit(next(iter(world.running)))
    while sum(child.startswith(array) for child in world.running) + len(world.finished) < 20:
        world.exit(next(iter(world.running)))
    assert not world.store.snapshots.is_due(world.now)
    while world.running:
        world.exit(next(iter(world.running)))
    assert world.store.snapshots.is_due(world.now)


@pytest.mark.parametrize("text", ["0", "-1", "x", "1.5"])
def test_the_days_of_the_log_are_a_whole_number(world, monkeypatch, text):
    """Anything else is refused when the daemon starts."""
    monkeypatch.setenv("NBBATCH_LOG_DAYS", text)
    with pytest.raises(ConfigurationError, match="NBBATCH_LOG_DAYS is"):
        Housekeeping(world.store, lambda: 0)
