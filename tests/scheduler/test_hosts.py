"""Hosts under the virtual clock: launched, warm, ready, idle, gone; and what maxvCpus allows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import World, hosts

from nbbatch.model.events import ComputeEnvironmentUpdated
from nbbatch.model.fleet import AllocationStrategy as S
from nbbatch.model.fleet import HostStatus
from nbbatch.model.jobs import JobStatus
from nbbatch.model.resources import Resources
from nbbatch.scheduler.fleet import choose, may_launch
from nbbatch.scheduler.placement import explain

SECOND = 1000


def why(world, job_id):
    return " ".join(explain(world.state, *world.state.find(job_id)))


def test_minimum_vcpus_are_warm_before_the_first_job():
    """Hosts for minvCpus are there at once, and never go."""
    world = World(min_vcpus=4)
    assert world.environment().provisioned == 4
    world.pass_until(world.now + 3600 * SECOND)
    assert world.environment().provisioned == 4


def test_a_launch_delay_keeps_jobs_runnable_until_the_host_is_ready():
    """To the millisecond: RUNNABLE before, STARTING at the time it said."""
    world = World(launch_seconds=90)
    job = world.submit()
    assert world.status(job) is JobStatus.RUNNABLE
    assert world.environment().provisioned == 2
    ready = world.now + 90 * SECOND
    assert "1 host is coming up, the first is ready in 90 s" in why(world, job)
    world.pass_until(ready - 1)
    assert world.status(job) is JobStatus.RUNNABLE
    world.pass_until(ready)
    assert world.status(job) is JobStatus.STARTING


def test_a_hundred_waiting_jobs_come_up_in_one_delay():
    """The look-ahead launches for all of them, not for the head alone."""
    world = World(max_vcpus=1000, launch_seconds=90)
    array = world.submit(size=100)
    assert world.environment().provisioned == 100
    world.pass_until(world.now + 90 * SECOND)
    assert len(world.running) == 100
    assert world.status(array) is JobStatus.PENDING


def test_single_submissions_are_gathered_for_a_second():
    """The first one has its host at once, the rest a second later: the work stays linear."""
    world = World(max_vcpus=1000, launch_seconds=90)
    for _ in range(50):
        world.submit()
    assert world.environment().provisioned == 2
    world.pass_until(world.now + 1 * SECOND)
    assert world.environment().provisioned == 50
    world.pass_until(world.now + 90 * SECOND)
    assert len(world.running) == 50


def test_hosts_that_come_up_are_not_launched_twice():
    """Waiting longer does not ask for more."""
    world = World(max_vcpus=1000, launch_seconds=90)
    world.submit(size=10)
    for _ in range(20):
        world.pass_until(world.now + 2 * SECOND)
        world.submit(memory=100_000, queue="q")
    assert world.environment().provisioned == 10


def test_two_queues_share_what_comes_up():
    """The room of a host on its way is given to one queue only."""
    world = World(max_vcpus=1000, launch_seconds=60)
    world.add_queue("other", "ce")
    world.submit(size=4)
    world.submit(size=4, queue="other")
    world.pass_until(world.now + 1 * SECOND)
    assert world.environment().provisioned == 8


def test_jobs_beyond_the_first_environment_come_up_in_the_next():
    """Both are ready after the same delay."""
    world = World(max_vcpus=4, launch_seconds=60)
    world.add_environment("more", max_vcpus=100, launch_seconds=60)
    world.add_queue("both", "ce", "more")
    world.submit(size=10, queue="both")
    assert (world.environment().provisioned, world.environment("more").provisioned) == (4, 6)
    world.pass_until(world.now + 60 * SECOND)
    assert len(world.running) == 10


@pytest.mark.parametrize(
    ("strategy", "spot", "vcpus"),
    [
        (S.BEST_FIT, False, 4),
        (S.BEST_FIT, True, 6),
        (S.BEST_FIT_PROGRESSIVE, False, 6),
        (S.SPOT_PRICE_CAPACITY_OPTIMIZED, True, 6),
    ],
)
def test_max_vcpus_is_exceeded_by_one_instance_at_most(strategy, spot, vcpus):
    """And never with BEST_FIT on demand."""
    world = World(max_vcpus=5, strategy=strategy, resource_type="SPOT" if spot else "EC2")
    world.submit(size=20)
    assert world.environment().provisioned == vcpus


def test_a_smaller_type_is_taken_when_it_stays_below_the_maximum():
    """Exceeding is for want of anything else."""
    world = World(max_vcpus=6, types=("c6i.xlarge", "m6i.large"), strategy=S.BEST_FIT_PROGRESSIVE_ORDERED)
    world.submit(size=20)
    assert sorted(world.environment().by_type) == ["c6i.xlarge", "m6i.large"]
    assert world.environment().provisioned == 6


def test_an_idle_host_goes_after_its_time_and_not_before():
    """Sixty seconds after its last job's end."""
    world = World()
    world.submit()
    world.run_all()
    end = world.now
    world.pass_until(end + 60 * SECOND - 1)
    assert hosts(world) == 1
    world.pass_until(end + 60 * SECOND)
    assert hosts(world) == 0


def test_the_scale_down_delay_counts_from_the_last_job_of_each_host():
    """A host that never had a job goes by the plain idle time."""
    world = World(scale_down_minutes=20, launch_seconds=10, max_vcpus=100)
    first, second = world.submit(), world.submit(vcpus=2)
    world.pass_until(world.now + 1 * SECOND)
    world.terminate(second)
    world.pass_until(world.now + 10 * SECOND)
    assert hosts(world) == 2
    world.exit(first)
    end = world.now
    world.pass_until(end + 61 * SECOND)
    assert hosts(world) == 1
    world.pass_until(end + 20 * 60 * SECOND - 1)
    assert hosts(world) == 1
    world.pass_until(end + 20 * 60 * SECOND)
    assert hosts(world) == 0


def test_a_fargate_task_ends_with_its_host():
    """Nothing idles, and the capacity is free at once."""
    world = World(max_vcpus=1, resource_type="FARGATE", types=())
    first, second = world.submit(), world.submit()
    assert (world.status(first), world.status(second)) == (JobStatus.STARTING, JobStatus.RUNNABLE)
    world.exit(first)
    assert world.status(second) is JobStatus.STARTING
    world.exit(second)
    assert hosts(world) == 0


def test_fargate_provisioning_takes_its_delay():
    """About thirty seconds in AWS; here the environment's setting."""
    world = World(max_vcpus=10, resource_type="FARGATE", types=(), launch_seconds=30)
    world.submit(size=3, vcpus=0.25)
    assert not world.running
    world.pass_until(world.now + 30 * SECOND)
    assert len(world.running) == 3


def test_desired_vcpus_by_hand_bring_hosts_that_idle_away_again():
    """Up at once; down again by the environment itself."""
    world = World()
    known = world.environment().environment
    world.happen(ComputeEnvironmentUpdated(environment=known, desired_vcpus=8))
    assert world.environment().provisioned == 8
    world.pass_until(world.now + 60 * SECOND)
    assert world.environment().provisioned == 0


def test_an_unmanaged_environment_has_this_machine_as_its_host():
    """It is there from the start, takes jobs as far as it goes, and never leaves."""
    from dataclasses import replace

    from nbbatch.model.fleet import InstanceType
    from nbbatch.model.resources import Resources

    world = World()
    machine = InstanceType(
        name="local.machine", resources=Resources(vcpus=4, memory=8192), price=0.2, spot_price=0.1
    )
    catalogue = world.state.catalogue
    world.state.catalogue = replace(catalogue, types={**catalogue.types, machine.name: machine})
    world.add_environment("mine", max_vcpus=0, types=(), type="UNMANAGED")
    world.add_queue("own", "mine")
    jobs = [world.submit(queue="own") for _ in range(5)]
    assert [world.status(job) for job in jobs].count(JobStatus.STARTING) == 4
    world.run_all()
    world.pass_until(world.now + 3600 * SECOND)
    assert [one.host.status for one in world.hosts("mine")] == [HostStatus.ACTIVE]


def test_a_pool_without_capacity_blocks_with_aws_reason_and_then_falls_back():
    """The next environment is used once this one has been waited for."""
    world = World(pools={"m6i.large": 1})
    world.add_environment("next", max_vcpus=8)
    world.add_queue("both", "ce", "next")
    first, second = world.submit(vcpus=2, queue="both"), world.submit(vcpus=2, queue="both")
    assert world.status(first) is JobStatus.STARTING
    assert world.run_of(second).status_reason == (
        "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested for "
        "instance type [m6i.large]"
    )
    assert "there is no capacity for m6i.large (1 of them run)" in why(world, second)
    world.pass_until(world.now + 60 * SECOND - 1)
    assert world.status(second) is JobStatus.RUNNABLE
    world.pass_until(world.now + 1)
    assert world.run_of(second).environment == "next"


def test_other_types_are_tried_when_a_pool_is_empty():
    """All strategies but BEST_FIT go on to the next type at once."""
    world = World(types=("m6i.large", "c6i.large"), strategy=S.BEST_FIT_PROGRESSIVE, pools={"c6i": 1, "*": 5})
    world.submit(size=3, vcpus=2)
    assert world.environment().by_type == {"c6i.large": 1, "m6i.large": 2}


def test_a_bid_below_the_spot_price_launches_nothing():
    """BidPercentage is a share of the on-demand price."""
    world = World(resource_type="SPOT", bid_percentage=10)
    job = world.submit()
    assert world.status(job) is JobStatus.RUNNABLE
    assert hosts(world) == 0
    assert "no instance type that it could launch" in why(world, job)


@given(
    max_vcpus=st.integers(1, 12),
    resource_type=st.sampled_from(["EC2", "SPOT", "FARGATE"]),
    strategy=st.sampled_from([S.BEST_FIT, S.BEST_FIT_PROGRESSIVE]),
    pools=st.sampled_from([{}, {"*": 1}, {"m6i.large": 0}, {"m6i": 2}]),
    sizes=st.lists(st.sampled_from([1, 2, 4]), max_size=4),
)
def test_a_host_may_come_where_there_is_a_job_that_one_would_be_launched_for(
    max_vcpus, resource_type, strategy, pools, sizes
):
    """The short answer, which spares plans for hosts, agrees with trying each size."""
    is_fargate = resource_type == "FARGATE"
    world = World(
        max_vcpus=max_vcpus,
        resource_type=resource_type,
        strategy=strategy,
        types=() if is_fargate else ("m6i",),
        pools={} if is_fargate else pools,
        launch_seconds=60,
    )
    for vcpus in sizes:
        world.submit(vcpus=vcpus)
    known = world.environment()
    tried = [Resources(vcpus=vcpus, memory=64) for vcpus in (0.25, 1, 2, 4, 8, 16)]
    found = any(choose(known, wanted) is not None for wanted in tried)
    assert may_launch(known) or not found
    assert found or pools or not may_launch(known), (
        "only BEST_FIT, which waits for one type's pool, finds less"
    )
