"""What is noted of status changes, and what a job looked like right after one."""

from hypothesis import given
from hypothesis import strategies as st
from world import World

from nbbatch.model.events import JobQueueDeleted
from nbbatch.model.fleet import TimeLimit
from nbbatch.model.jobs import JobStatus
from nbbatch.scheduler.transitions import BLOCKED, STATUSES, WHOLE, run_at, stretches


def noted(world, index=WHOLE):
    return [
        "BLOCKED" if becomes == BLOCKED else str(STATUSES[becomes])
        for _, first, count, _, becomes, _, _ in world.transitions
        if first <= index < first + count
    ]


def seen(world, job, index=WHOLE):
    """The job after each change, as it is told later."""
    run = world.run_of(job if index == WHOLE else f"{job}:{index}")
    return [
        run_at(run, becomes, begun, reason)
        for _, first, count, _, becomes, begun, reason in world.transitions
        if first <= index < first + count
    ]


def test_every_change_but_the_submission_is_noted():
    """A job without dependencies goes from SUBMITTED to RUNNABLE and on."""
    world = World()
    job = world.submit()
    world.start(job)
    world.exit(job)
    assert noted(world) == ["RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]


def test_a_job_looks_later_as_it_did_then():
    """Attempts, host, times and reasons are those of the moment of the change."""
    world = World()
    job = world.submit(attempts=2)
    world.now += 1000
    world.start(job)
    world.now += 1000
    world.exit(job, 1, started_at=world.now - 1000, reason="boom", status_reason="it ended")
    first_host = world.run_of(job).attempts[0].host
    world.now += 1000
    world.start(job)
    world.exit(job, 0)
    told = seen(world, job)
    assert [run.status for run in told] == [
        JobStatus.RUNNABLE,
        JobStatus.STARTING,
        JobStatus.RUNNING,
        JobStatus.RUNNABLE,
        JobStatus.STARTING,
        JobStatus.RUNNING,
        JobStatus.SUCCEEDED,
    ]
    assert [len(run.attempts) for run in told] == [0, 0, 0, 1, 1, 1, 2]
    assert [run.attempt for run in told] == [0, 1, 1, 1, 2, 2, 2]
    assert [run.host is not None for run in told] == [False, True, True, False, True, True, False]
    assert told[2].host == first_host
    assert [run.started_at for run in told[:6]] == [None, None, 1_001_000, None, None, 1_003_000]
    assert [run.status_reason for run in told[:4]] == [None, None, None, "it ended"]


def test_an_array_becomes_ready_in_one_stroke():
    """However many children there are, one change is noted for all of them."""
    world = World()
    job = world.submit(size=10_000)
    ready = [change for change in world.transitions if change[1] == 0 and change[2] == 10_000]
    assert len(ready) == 1
    assert noted(world, 9_999) == ["RUNNABLE"]
    world.exit(f"{job}:0")
    assert noted(world, 0) == ["RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]


def test_children_that_ended_before_are_not_in_the_stroke():
    """Only those that waited become ready; the others are passed over."""
    world = World()
    first = world.submit()
    array = world.submit(size=6, after=[first])
    world.terminate(f"{array}:2")
    world.terminate(f"{array}:3")
    world.exit(first)
    strokes = [
        change[1:3] for change in world.transitions if change[1] >= 0 and STATUSES[change[4]] == "RUNNABLE"
    ]
    assert strokes == [(0, 2), (4, 2)]


def test_a_blocked_head_is_told_once_with_its_reason():
    """A job that can never start is noted as blocking its queue, with AWS's text."""
    world = World()
    job = world.submit(vcpus=99)
    world.wait(1)
    assert noted(world) == ["RUNNABLE", "BLOCKED"]
    assert seen(world, job)[1].status_reason.startswith("MISCONFIGURATION:")
    assert seen(world, job)[1].status is JobStatus.RUNNABLE


def test_ends_by_a_queue_are_noted_with_those_before():
    """A head that its queue cancels, and a job whose queue goes, are told like any other end."""
    world = World()
    limit = TimeLimit(reason="MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE", max_seconds=600)
    world.add_queue("limited", "ce", time_limits=(limit,))
    head = world.submit(vcpus=99, queue="limited")
    world.wait(600)
    assert noted(world) == ["RUNNABLE", "BLOCKED", "FAILED"]
    assert seen(world, head)[-1].status_reason.startswith("Canceled by JobStateTimeLimit action")
    world.transitions.clear()
    world.add_consumable("licence", 0)
    waiting = world.submit(queue="limited", consumables={"licence": 1})
    world.happen(JobQueueDeleted(name="limited"))
    assert noted(world) == ["RUNNABLE", "FAILED"]
    assert seen(world, waiting)[-1].status_reason == "JobQueue deleted"


def test_a_consumable_resource_that_comes_back_is_a_start_like_any_other():
    """What waited for it is told as STARTING in the tick that gave it back."""
    world = World()
    world.add_consumable("licence", 1)
    first, second = (world.submit(consumables={"licence": 1}) for _ in range(2))
    world.transitions.clear()
    world.exit(first)
    told = [(live.job.id, STATUSES[becomes]) for live, _, _, _, becomes, _, _ in world.transitions]
    assert told[1:] == [(first, JobStatus.SUCCEEDED), (second, JobStatus.STARTING)]


@given(st.lists(st.integers(0, 30), unique=True).map(sorted))
def test_stretches_hold_the_same_indexes(indexes):
    """Nothing is lost or added, and no two stretches touch."""
    found = stretches(indexes)
    assert [index for first, count in found for index in range(first, first + count)] == indexes
    assert all(sum(found[number]) < found[number + 1][0] for number in range(len(found) - 1))
