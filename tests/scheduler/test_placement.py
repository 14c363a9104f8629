from dataclasses import replace

from world import World

from nbbatch.model.events import CancelRequested, ComputeEnvironmentUpdated, Ticked
from nbbatch.scheduler.placement import explain, waits_as_before


def why(world, job_id):
    live, index = world.state.find(job_id)
    return " ".join(explain(world.state, live, index))


def test_a_job_too_large_is_told_what_would_fit():
    """Both AWS's text and the numbers: what it wants, what the largest host offers."""
    world = World()
    job = world.submit(memory=100_000)
    assert "higher than that can be met" in why(world, job)
    assert "100000 MiB" in why(world, job)
    assert "7953 MiB" in why(world, job)


def test_a_job_behind_the_head_is_told_who_blocks_it():
    """First in, first out: the blocking job is named."""
    world = World(max_vcpus=2)
    world.submit(vcpus=2)
    head = world.submit(vcpus=2)
    job = world.submit()
    assert head in why(world, job)


def test_a_pending_job_is_told_what_it_waits_for():
    """Each dependency is named."""
    world = World()
    first = world.submit()
    job = world.submit(after=[first])
    assert first in why(world, job)


def test_a_parent_is_told_how_far_its_children_are():
    """PENDING is normal for an array; the counts say so."""
    world = World(max_vcpus=2)
    array = world.submit(size=5)
    assert "3 RUNNABLE" in why(world, array)
    assert "2 of 2 vCPU" in why(world, array)


def test_a_disabled_environment_is_named():
    """A queue whose only environment takes no jobs says so in AWS's words."""
    world = World()
    world.add_environment("off", max_vcpus=4, state="DISABLED")
    world.add_queue("dead", "off", priority=3)
    job = world.submit(queue="dead")
    assert "ACTION_REQUIRED" in why(world, job)


def test_a_submission_starts_in_its_own_queue_though_another_queue_is_blocked():
    """A head that waits for room keeps no other queue from using what is left."""
    world = World(max_vcpus=2)
    world.add_queue("urgent", "ce", priority=9)
    world.submit(vcpus=1)
    blocked = world.submit(vcpus=2, queue="urgent")
    behind = world.submit(vcpus=1, queue="urgent")
    small = world.submit(vcpus=1)
    assert world.order == ["job-0001", small]
    world.run_all()
    assert world.order == ["job-0001", small, blocked, behind]


def test_submissions_behind_a_blocked_head_look_for_no_host():
    """What did not fit is not tried again until something was freed, however many jobs come behind it."""
    world = World(max_vcpus=2)
    world.submit(vcpus=2)
    head = world.submit(vcpus=2)
    asked = []

    class Watched(type(world.state.environments["ce"].rooms)):
        __slots__ = ()

        def first(self, wanted):
            asked.append(wanted)
            return super().first(wanted)

    world.state.environments["ce"].rooms.__class__ = Watched
    jobs = [world.submit() for _ in range(5)]
    assert asked == []
    world.run_all()
    assert world.order == ["job-0001", head, *jobs]


def test_a_queue_that_was_passed_over_goes_on_with_whatever_lets_it():
    """Room of its head's size, another head, a retry, and a larger environment each let a queue go on."""
    world = World(max_vcpus=2)
    world.add_queue("other", "ce", priority=0)
    first = world.submit(vcpus=2, attempts=2)
    large = world.submit(vcpus=2, queue="other")
    small = world.submit(vcpus=1, queue="other")
    waiting = world.submit(vcpus=2)
    world.happen(Ticked())
    assert [waits_as_before(world.state, queue) for queue in world.state.queues.values()] == [True, True]
    world.exit(first, 1)
    assert set(world.running) == {first}, "a retry goes before what waits in its queue"
    world.happen(CancelRequested(job_id=large, reason="enough"))
    assert set(world.running) == {first}
    world.exit(first)
    assert set(world.running) == {waiting}
    environment = world.state.environments["ce"].environment
    world.happen(ComputeEnvironmentUpdated(environment=replace(environment, max_vcpus=4)))
    assert set(world.running) == {waiting, small}
