"""The store against real SQLite files, filled by the real scheduler."""

import random
import re
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from stored_world import StoredWorld, assert_same_jobs, something_happens
from world import catalogue

from nbbatch.daemon.database import _QUERIES
from nbbatch.daemon.feed_rows import BATCH, Place
from nbbatch.daemon.rowcodec import decode
from nbbatch.daemon.store import Store
from nbbatch.errors import StoreError
from nbbatch.model.containers import Container
from nbbatch.model.events import (
    ComputeEnvironmentDeleted,
    ComputeEnvironmentUpdated,
    DefinitionDeregistered,
    DefinitionRegistered,
    JobSubmitted,
    Ticked,
)
from nbbatch.model.fleet import AllocationStrategy, ResourceStatus
from nbbatch.model.jobs import JobDefinition, JobId, JobStatus, JobView, Run, child_id
from nbbatch.model.resources import Resources
from nbbatch.scheduler.reactor import handle
from nbbatch.scheduler.restore import restore
from nbbatch.scheduler.state import STATUSES, Changes, SchedulerState

S = JobStatus


@pytest.fixture
def make_world(tmp_path):
    worlds = []

    def make(**more):
        worlds.append(StoredWorld(tmp_path / f"rows-{len(worlds)}.db", **more))
        return worlds[-1]

    yield make
    for world in worlds:
        world.store.close()


@pytest.fixture
def world(make_world):
    return make_world()


@pytest.mark.parametrize("seed", range(12))
def test_load_holds_exactly_the_live_jobs_after_any_events(make_world, seed):
    """Whatever happened, in ticks of any size, a reopened store gives back the jobs of the state."""
    draw = random.Random(seed)
    world = make_world(tick=draw.choice([1, 3, 10]), max_vcpus=draw.choice([2, 8]))
    jobs: dict[str, int | None] = {}
    for _ in range(6):
        for _ in range(15):
            something_happens(world, draw, jobs)
        assert_same_jobs(world.state, world.reopen())
    assert [*world.store.events()] == world.log
    for job_id, run in world.finished.items():
        if not world.is_live(job_id):  # a node may have begun another attempt since
            assert world.store.find([job_id])[job_id].run == run
    alive = [live.run.status for live in world.state.jobs.values()]
    ended = [world.finished[job].status for job in jobs if job in world.finished]
    expected = {status: (alive + ended).count(status) for status in STATUSES}
    assert world.store.counts() == expected


def test_replay_of_the_log_gives_the_state(world):
    """The event log alone makes the same state again."""
    world.submit(size=3, attempts=2)
    world.exit(next(iter(world.running)), 1)
    world.submit()
    again = SchedulerState(catalogue=catalogue(), seed=7)
    for now, event in world.store.events():
        handle(again, event, now)
        again.drain_changes()
    assert again == world.state


def test_a_failed_commit_leaves_nothing(world, monkeypatch):
    """When the disk is full half-way, nothing of the tick is in the rows, and the next one works."""
    world.submit(job_id="before")
    limit = world.store._database._connection
    pages = limit.execute("PRAGMA page_count").fetchone()[0]
    limit.execute(f"PRAGMA max_page_count = {pages}")
    world.tick = 1000
    for _ in range(200):
        world.submit()
    with pytest.raises(StoreError, match=r"rows-0\.db.*disk is full.*MiB free there.*Make room"):
        world.commit()
    assert set(restore(world.store.load(), catalogue()).jobs) == {"before"}
    assert all(not isinstance(e, JobSubmitted) or e.job.id == "before" for _, e in world.store.events())
    limit.execute("PRAGMA max_page_count = 1000000")
    world.store.commit([], Changes(), world.state)


def test_children_are_read_by_index_and_status(world):
    """Children that have a row are listed by index, some statuses or some indexes only."""
    parent = world.submit(size=6, vcpus=2)
    world.run_all()
    other = world.submit(size=4)
    for index in range(3):
        world.exit(f"{other}:{index}", index % 2)
    assert [view.index for view in world.store.children(parent)] == [0, 1, 2, 3, 4, 5]
    assert [view.index for view in world.store.children(parent, after_index=2, limit=2)] == [3, 4]
    failed = world.store.children(other, statuses=[S.FAILED])
    assert [view.run.id for view in failed] == [child_id(other, 1)]
    assert world.store.children(JobId("unknown")) == []


def test_find_gives_jobs_and_children_and_leaves_unknown_ids_out(world):
    """Ids of jobs and children come back as views, ids without a row do not come back."""
    array = world.submit(size=2)
    world.run_all(3)
    found = world.store.find([array, f"{array}:1", f"{array}:7", "unknown", "unknown:1", "odd:x"])
    assert found.keys() == {array, f"{array}:1"}
    assert isinstance(found[array], JobView)
    assert found[array].counts == {**dict.fromkeys(STATUSES, 0), S.FAILED: 2}
    assert found[f"{array}:1"].index == 1
    assert found[f"{array}:1"].run.attempts[0].exit_code == 3


def test_counts_of_a_live_array_follow_its_children(world):
    """An array parent's row counts its children while they run."""
    array = world.submit(size=3)
    world.exit(f"{array}:0")
    counts = world.store.find([array])[array].counts
    assert counts[S.SUCCEEDED] == 1
    assert sum(counts.values()) == 3


def test_finished_dependencies_tell_how_a_job_ended(world):
    """A job that ended tells success and its failed children; a live or unknown one tells nothing."""
    array = world.submit(size=3)
    world.exit(f"{array}:0")
    assert world.store.finished_dependency(array) is None
    assert world.store.finished_dependency(f"{array}:0").succeeded
    world.exit(f"{array}:1", 1)
    world.exit(f"{array}:2")
    ended = world.store.finished_dependency(array)
    assert (ended.succeeded, ended.failed_children) == (False, (1,))
    assert world.store.finished_dependency("unknown") is None


def names(listed):
    return [entry.view.job.id for entry in listed]


def test_lists_are_newest_first_and_page_by_cursor(world):
    """Pages of a list follow each other without gaps or repeats, also within a millisecond."""
    jobs = [world.submit() for _ in range(7)]
    world.run_all()
    first = world.store.list_jobs(queue="q", statuses=[S.SUCCEEDED], limit=3)
    rest = world.store.list_jobs(queue="q", statuses=[S.SUCCEEDED], limit=9, before=first[-1].cursor)
    assert names(first) + names(rest) == jobs[::-1]
    everything = world.store.list_jobs(queue="q", limit=5)
    assert names(everything) == jobs[:1:-1]
    assert world.store.list_jobs(queue="other", limit=5) == []


def test_lists_merge_statuses(make_world):
    """Several statuses give one list, newest first."""
    world = make_world(max_vcpus=2)
    jobs = []
    for code in (0, 1, 0):
        jobs.append(world.submit())
        world.exit(jobs[-1], code)
        world.wait(1)
    jobs.append(world.submit())
    listed = world.store.list_jobs(queue="q", statuses=[S.FAILED, S.SUCCEEDED], limit=2)
    assert names(listed) == [jobs[2], jobs[1]]
    assert names(world.store.list_jobs(queue="q", statuses=[S.STARTING], limit=2)) == [jobs[3]]


def test_lists_filter_by_name_definition_and_time(world):
    """Names match without case, exactly or by prefix; definitions with case; times exclusively."""
    first = world.submit()
    world.wait(1)
    second = world.submit()
    third_at = world.now + 1000

    def found(**filters):
        return names(world.store.list_jobs(queue="q", limit=9, **filters))

    assert found(name="WORK") == found(name="Wo*") == found(name="*") == [second, first]
    assert found(name="wor") == found(name="work%*") == []
    assert found(definition="def") == found(definition="def:1") == found(definition="de*") == [second, first]
    assert found(definition="de") == found(definition="Def") == found(definition="def:2") == []
    assert found(created_after=world.now - 500) == [second]
    assert found(created_before=world.now) == [first]
    assert found(created_after=world.now, created_before=third_at) == []
    assert found(share_identifier="red") == []


def test_definitions_come_back_with_their_last_status(world):
    """A deregistered revision is INACTIVE after a restart."""
    definition = JobDefinition(
        name="d", revision=1, container=Container(image="busybox"), request={"a": [1, None]}
    )
    world.happen(DefinitionRegistered(definition=definition))
    world.happen(DefinitionDeregistered(name="d", revision=1))
    again = world.reopen()
    assert again.definitions == world.state.definitions


def test_a_new_database_gets_its_own_seed(tmp_path):
    """Two homes do not give their hosts the same ids."""
    seeds = set()
    for name in "abc":
        store = Store.open(tmp_path / name)
        seeds.add(store.load().seed)
        store.close()
    assert len(seeds) > 1


def test_the_file_is_for_its_owner_only(tmp_path):
    """Neither the database nor its log can be read by other users."""
    path = tmp_path / "rows.db"
    path.touch(0o644)
    store = Store.open(path)
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    store.close()


def downgrade(path: Path) -> None:
    """Give a closed file the schema that version 2 had."""
    connection = sqlite3.connect(path)
    counters = ("seed", "now", "sequence", "host_count", "succeeded", "failed")
    connection.execute(
        f"UPDATE meta SET ({', '.join(counters)}) ="
        f" (SELECT {', '.join(counters)} FROM events ORDER BY tick DESC LIMIT 1)"
    )
    for name in (*counters, "feed_tick", "changes", "sums"):
        connection.execute(f"ALTER TABLE events DROP COLUMN {name}")
    for table in (
        "needs",
        "feed",
        "deliveries",
        "samples",
        "ledger",
        "host_ledger",
        "snapshots",
        "snapshot_rows",
    ):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("DROP VIEW queues_of_jobs")
    connection.execute("DROP INDEX jobs_by_name")
    connection.execute("ALTER TABLE jobs DROP COLUMN named")
    connection.execute("ALTER TABLE meta DROP COLUMN named")
    connection.execute("ALTER TABLE meta DROP COLUMN log_start")
    connection.execute("CREATE INDEX jobs_by_name ON jobs (queue, name, created_at)")
    connection.execute("CREATE INDEX jobs_by_queue ON jobs (queue, created_at)")
    connection.execute("CREATE INDEX jobs_alive ON jobs (status) WHERE status < 5")
    connection.execute("PRAGMA user_version = 2")
    connection.commit()
    connection.close()


def test_an_older_schema_is_brought_up_to_date(world):
    """Jobs, counters and numbers of ended jobs are the same after it, and it goes on."""
    for code in (0, 1, 0):
        world.exit(world.submit(), code)
    waiting = world.submit()
    world.store.close()
    downgrade(world.path)
    world.store = Store.open(world.path)
    assert_same_jobs(world.state, restore(world.store.load(), catalogue()))
    assert world.store.counts()[S.SUCCEEDED] == 2
    assert world.store.counts()[S.FAILED] == 1
    world.exit(waiting)
    assert_same_jobs(world.state, world.reopen())
    assert world.store.counts()[S.SUCCEEDED] == 3


def test_a_list_by_name_looks_through_few_jobs_however_large_the_ticks_are(make_world):
    """Ticks that submit many jobs have the index of names brought up to date sooner."""
    world = make_world(tick=600)
    for _ in range(5 * world.tick):
        world.submit()
    world.commit()
    assert len(world.store.list_jobs(queue="q", limit=10_000, name="work")) == 5 * world.tick
    world.store.close()
    connection = sqlite3.connect(world.path)
    assert connection.execute("SELECT count(*) FROM jobs WHERE NOT named").fetchone() <= (1_000,)
    connection.close()


def test_what_is_filed_a_batch_later_is_never_missing(world):
    """Feed, ledger and names say the same whether a tick is filed or not, and whether the daemon died between."""
    seen, succeeded = [], 0
    for submitted in range(1, 3 * BATCH // 4):
        job = world.submit()
        if submitted % 12:
            world.exit(job)
            succeeded += 1
        if submitted % 11 == 0:
            world.reopen()
        (sums,) = world.store.ledger.totals().values()
        assert (sums.submitted, sums.succeeded, sums.attempts) == (submitted, succeeded, succeeded)
        assert type(sums.submitted) is int
        named = world.store.list_jobs(queue="q", limit=1000, name="work")
        assert [job.sequence for job in named] == list(range(submitted, 0, -1))
        assert [job.sequence for job in world.store.list_jobs(queue="q", limit=2, name="WORK")] == (
            list(range(submitted, 0, -1))[:2]
        )
        everything = list(world.store.feed.after(Place(0, 0), 1000))
        assert everything[: len(seen)] == seen
        assert everything[-1].place < world.store.feed.end()
        seen = everything
    ticks = [change.place.tick for change in seen]
    assert ticks == sorted(ticks)
    assert len(seen) > BATCH
    start = world.store.feed.start()
    assert start.tick == ticks[0]
    assert world.store.feed.since(seen[-1].at + 1) == world.store.feed.end()


def test_a_lengthened_log_holds_nothing_more(world):
    """Commits need not grow SQLite's log then, and no row is other than before."""
    world.exit(world.submit())
    world.store.lengthen_log()
    world.store.flush_log()
    log = world.path.with_name(f"{world.path.name}-wal")
    length = log.stat().st_size
    assert length > 4 << 20
    waiting = world.submit()
    assert log.stat().st_size == length
    assert_same_jobs(world.state, world.reopen())
    assert waiting in world.state.jobs
    assert world.store.samples.read(-1, 2**60) == []


def test_lists_and_counts_never_look_through_all_jobs(world):
    """Every query about jobs goes by an index, and no list has to be sorted."""
    connection = world.store._database._connection
    for name, query in _QUERIES.items():
        if not query.startswith(("SELECT", "WITH")):
            continue
        words = dict.fromkeys(re.findall(r":(\w+)", query), 0)
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", words)]
        scanned = [step for step in steps if re.match(r"SCAN (jobs|facts|children)\b", step)]
        assert all("USING COVERING INDEX" in step for step in scanned), (name, steps)
        if name.startswith("list_"):
            assert not any("ORDER BY" in step for step in steps), (name, steps)


def test_a_live_job_is_found_whatever_became_of_its_queue(make_world):
    """Live jobs are looked for in every queue that any job names."""
    world = make_world()
    ids = [world.submit(), world.submit()]
    connection = world.store._database._connection
    connection.execute("UPDATE jobs SET queue = 'gone' WHERE id = ?", (ids[0],))
    assert [stored.job.id for stored in world.store.load().jobs] == ids
    assert sum(world.store.counts().values()) == 2


def test_a_newer_schema_is_refused(tmp_path):
    """A database of a newer nbbatch is left alone, with what to do."""
    path = tmp_path / "rows.db"
    Store.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(StoreError, match=r"newer version \(999.*Upgrade"):
        Store.open(path)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    """A damaged file is named, with what to do."""
    path = tmp_path / "rows.db"
    path.write_bytes(b"not a database, but long enough to be taken for one" * 40)
    with pytest.raises(StoreError, match=r"rows\.db.*not a database.*Move the file away"):
        Store.open(path)


def test_a_damaged_row_is_a_store_error(world):
    """A row that cannot be read names itself instead of raising a codec's error."""
    world.submit(job_id="one")
    world.store._database._connection.execute("UPDATE jobs SET run = '{' WHERE id = 'one'")
    with pytest.raises(StoreError, match="row of the database cannot be read"):
        world.store.load()


def test_a_database_in_use_is_refused(world):
    """A second process cannot write the same rows."""
    with pytest.raises(StoreError, match=r"locked.*Another process"):
        Store.open(world.path)


def test_a_folder_that_is_not_there_is_a_store_error(tmp_path):
    """A path that cannot be made is named."""
    with pytest.raises(StoreError, match=r"rows\.db"):
        Store.open(tmp_path / "gone" / "rows.db")


def test_hosts_survive_in_every_stage_of_their_lives(make_world):
    """Coming up, running, idle, and going: each goes on to the millisecond where it stood."""
    world = make_world(
        resource_type="SPOT", launch_seconds=30, max_vcpus=100, interruptions={"*": 0.01}, idle_seconds=500
    )
    used, going = world.submit(vcpus=2), world.submit(vcpus=2)
    world.pass_until(world.now + 32_000)
    world.interrupt(going)
    world.exit(used)
    world.pass_until(world.now + 5_000)
    world.submit(size=3, vcpus=2)
    again = world.reopen()
    again.validate()
    known, other = world.state.environments["ce"], again.environments["ce"]
    assert [one.row for one in other.hosts.values()] == [one.row for one in known.hosts.values()]
    assert len({one.host.status for one in known.hosts.values()}) == 3
    ready = max(one.host.ready_at for one in known.hosts.values())
    for state in (world.state, again):
        handle(state, Ticked(), ready - 1)
        assert state.environments["ce"].arriving.first(Resources(vcpus=2)) is not None
        handle(state, Ticked(), ready)
        assert state.environments["ce"].arriving.first(Resources()) is None
    assert {one.host.id: one.occupants for one in other.hosts.values()} == {
        one.host.id: one.occupants for one in known.hosts.values()
    }


def test_a_shortage_of_capacity_is_waited_for_over_a_restart(make_world):
    """The minute goes on where it was."""
    world = make_world(pools={"*": 0})
    world.add_environment("next", max_vcpus=8)
    world.add_queue("both", "ce", "next")
    job = world.submit(queue="both")
    short_since = world.now
    world.pass_until(world.now + 20_000)
    again = world.reopen()
    handle(again, Ticked(), short_since + 59_999)
    assert again.jobs[job].run.status is S.RUNNABLE
    assert again.next_deadline() == short_since + 60_000
    handle(again, Ticked(), short_since + 60_000)
    assert again.jobs[job].run.environment == "next"


def test_a_changed_and_a_deleted_environment_are_so_in_the_rows(make_world):
    """UPDATING survives with its draining hosts; what is gone is gone."""
    world = make_world(strategy=AllocationStrategy.BEST_FIT_PROGRESSIVE)
    world.submit()
    world.add_environment("gone", max_vcpus=4, min_vcpus=2)
    known = world.state.environments["ce"].environment
    changed = replace(known, instance_types=("c6i.large",))
    world.happen(ComputeEnvironmentUpdated(environment=changed, replaces_hosts=True, job_seconds=60))
    world.happen(ComputeEnvironmentDeleted(name="gone"))
    again = world.reopen()
    again.validate()
    assert list(again.environments) == ["ce"]
    assert again.environments["ce"].environment.status is ResourceStatus.UPDATING
    assert again.environments["ce"].environment == world.state.environments["ce"].environment
    assert again.next_deadline() == world.state.next_deadline() == world.now + 60_000


def test_attempts_of_earlier_versions_can_be_read():
    """They had their log stream with them, which is told by the job's name and number now."""
    row = (
        b'{"id":"j","status":"FAILED","created_at":1,"attempts":[{"number":1,"host":"i-1","log_stream":"d/default/x",'
        b'"started_at":2,"stopped_at":3,"exit_code":1,"reason":null,"status_reason":"s"}]}'
    )
    (attempt,) = decode(Run, row).attempts
    assert (attempt.number, attempt.started_at, attempt.exit_code) == (1, 2, 1)
