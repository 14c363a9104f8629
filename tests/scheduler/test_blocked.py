from dataclasses import replace

from world import World

from nbbatch.model.containers import Container
from nbbatch.model.events import JobQueueUpdated
from nbbatch.model.fleet import ComputeEnvironment, TimeLimit
from nbbatch.model.jobs import Job, JobId, JobStatus
from nbbatch.model.resources import Resources
from nbbatch.scheduler.blocked import blocked_reason
from nbbatch.scheduler.fleet import add_environment
from nbbatch.scheduler.placement import explain

TOO_LARGE = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"
MAX_VCPUS = "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"
LIMITS = (TimeLimit(reason=TOO_LARGE, max_seconds=600), TimeLimit(reason=MAX_VCPUS, max_seconds=900))


def limited_world() -> World:
    world = World(max_vcpus=4)
    world.add_queue("limited", "ce", time_limits=LIMITS)
    return world


def update(world, name, **changes):
    world.happen(JobQueueUpdated(queue=replace(world.state.queues[name].queue, **changes)))


def test_a_blocked_head_is_cancelled_when_its_time_is_over():
    """Exactly maxTimeSeconds after it got the reason, with AWS's own words."""
    world = limited_world()
    job = world.submit(queue="limited", memory=100_000)
    assert world.state.next_deadline() == world.now + 600_000
    world.wait(599.999)
    assert world.status(job) is JobStatus.RUNNABLE
    world.wait(0.001)
    run = world.run_of(job)
    assert (run.status, run.attempts) == (JobStatus.FAILED, ())
    assert run.status_reason == f"Canceled by JobStateTimeLimit action due to reason: {TOO_LARGE}"


def test_the_next_head_has_a_clock_of_its_own():
    """It starts when the job comes to the head, not when it was submitted."""
    world = limited_world()
    first = world.submit(queue="limited", memory=100_000)
    second = world.submit(queue="limited", vcpus=50)
    third = world.submit(queue="limited")
    world.wait(600)
    assert world.status(first) is JobStatus.FAILED
    assert world.run_of(second).status_reason.startswith(MAX_VCPUS)
    world.wait(899)
    assert world.status(second) is JobStatus.RUNNABLE
    world.wait(1)
    assert world.status(second) is JobStatus.FAILED
    assert world.status(third) is JobStatus.STARTING


def test_a_blocked_head_is_told_what_its_queue_will_do():
    """How long it may be blocked, and for how long it has been; the job behind it has no clock."""
    world = limited_world()
    jobs = [world.submit(queue="limited", memory=100_000) for _ in range(2)]
    world.wait(42)
    told = [" ".join(explain(world.state, *world.state.find(job))) for job in jobs]
    assert "will cancel it after 600 s with this reason; 42 s have passed" in told[0]
    assert "will cancel it" not in told[1]


def test_only_a_limit_with_the_heads_reason_counts():
    """Another reason's limit does not touch it, nor does a queue without limits."""
    world = World(max_vcpus=4)
    world.add_queue("other", "ce", time_limits=LIMITS[1:])
    jobs = [world.submit(queue=queue, memory=100_000) for queue in ("other", "q")]
    world.wait(100_000)
    assert [world.status(job) for job in jobs] == [JobStatus.RUNNABLE] * 2


def test_a_head_that_only_waits_for_room_has_no_clock():
    """A full environment is no misconfiguration."""
    world = limited_world()
    running = world.submit(queue="limited", vcpus=2), world.submit(queue="limited", vcpus=2)
    head = world.submit(queue="limited", vcpus=2)
    world.wait(10_000)
    assert world.run_of(head).status_reason is None
    world.exit(running[0])
    assert world.status(head) is JobStatus.STARTING


def test_a_new_reason_starts_the_clock_again():
    """The queue gets other environments: the same head is blocked for another reason now."""
    world = limited_world()
    world.add_environment("tiny", max_vcpus=1)
    job = world.submit(queue="limited", memory=100_000, vcpus=2)
    world.wait(500)
    update(world, "limited", environments=("tiny",))
    assert world.run_of(job).status_reason.startswith(MAX_VCPUS)
    world.wait(899)
    assert world.status(job) is JobStatus.RUNNABLE
    world.wait(1)
    assert world.status(job) is JobStatus.FAILED


def test_environments_that_can_run_the_head_unblock_it():
    """The reason goes with the update, and the job starts."""
    world = limited_world()
    world.add_environment("big", max_vcpus=64, types=("m6i.16xlarge",))
    job = world.submit(queue="limited", memory=100_000)
    update(world, "limited", environments=("ce", "big"))
    assert world.status(job) is JobStatus.STARTING
    assert world.run_of(job).status_reason is None


def test_limits_that_come_later_count_from_when_the_head_was_blocked():
    """A queue without limits gets one while its head has been blocked for longer."""
    world = World(max_vcpus=4)
    job = world.submit(memory=100_000)
    world.wait(500)
    update(world, "q", time_limits=LIMITS)
    world.wait(100)
    assert world.status(job) is JobStatus.FAILED


def test_a_child_at_the_head_is_cancelled_by_itself():
    """Each child of an array comes to the head in its turn."""
    world = limited_world()
    array = world.submit(queue="limited", memory=100_000, size=2)
    world.wait(600)
    assert world.status(f"{array}:0") is JobStatus.FAILED
    assert world.status(f"{array}:1") is JobStatus.RUNNABLE
    world.wait(600)
    assert world.status(array) is JobStatus.FAILED


def test_the_reasons_are_awss_own():
    """Each text by the queue that brings it about."""
    world = World(max_vcpus=4)
    world.add_environment("far", max_vcpus=4, resource_type="FARGATE", types=())
    world.add_environment("off", max_vcpus=4, state="DISABLED")
    odd = ComputeEnvironment(name="odd", max_vcpus=8, instance_types=("z9.huge",))
    add_environment(world.state, odd)
    for name in ("far", "off", "odd"):
        world.add_queue(f"q-{name}", name)

    def reason(queue, **wanted):
        container = Container(image="i", resources=Resources(**wanted))
        job = Job(id=JobId("j"), name="n", queue=queue, definition="d:1", container=container, created_at=0)
        return blocked_reason(world.state, world.state.queues[queue], job) or ""

    assert reason("q", vcpus=5, memory=1).startswith(f"{MAX_VCPUS} - CE(s) associated")
    assert reason("q", vcpus=1, memory=99_999).startswith(f"{TOO_LARGE} - The job resource requirement")
    assert reason("q-far", vcpus=8, memory=1).startswith(MAX_VCPUS)
    assert reason("q-far", vcpus=4, memory=1) == ""
    assert reason("q-off", vcpus=1, memory=1).startswith("ACTION_REQUIRED - CE(s) associated")
    assert reason("q-odd", vcpus=1, memory=1).startswith(
        "MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED - "
    )


def test_in_a_fair_queue_the_clock_is_the_heads():
    """When another share's job comes before it, the first one's clock stops and its reason goes."""
    world = World(max_vcpus=2)
    world.add_fair_queue("fair", "ce")
    update(world, "fair", time_limits=LIMITS)
    blocked = world.submit(queue="fair", share="a", memory=100_000)
    world.wait(500)
    update(world, "fair", time_limits=LIMITS[1:])
    update(world, "fair", time_limits=LIMITS)
    world.submit(queue="fair", share="a", vcpus=2, priority=9)
    assert world.status(blocked) is JobStatus.RUNNABLE
    first = world.submit(queue="fair", share="b", memory=100_000)
    assert world.run_of(first).status_reason is not None
    assert world.run_of(blocked).status_reason is None
    world.wait(600)
    assert world.status(first) is JobStatus.FAILED
    assert world.status(blocked) is JobStatus.RUNNABLE
