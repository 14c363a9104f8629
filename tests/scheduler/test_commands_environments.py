"""Updating and deleting compute environments: what is refused, and what becomes of hosts and jobs."""

from dataclasses import replace

import pytest
from world import World

from nbbatch.errors import ClientException
from nbbatch.model.events import ComputeEnvironmentUpdated
from nbbatch.model.fleet import AllocationStrategy as S
from nbbatch.model.fleet import ComputeEnvironment, ResourceStatus, Switch
from nbbatch.model.jobs import JobStatus
from nbbatch.scheduler.commands.environments import (
    create_environment,
    delete_environment,
    interrupt,
    update_environment,
)

SECOND = 1000


def update(world, name="ce", *, replaces=False, job_seconds=1800, desired=None, **changed):
    events, _ = update_environment(
        world.state,
        name,
        lambda known: ComputeEnvironmentUpdated(
            environment=replace(known, **changed),
            replaces_hosts=replaces,
            job_seconds=job_seconds,
            desired_vcpus=desired,
        ),
    )
    for event in events:
        world.happen(event)


def delete(world, name="ce"):
    for event in delete_environment(world.state, name)[0]:
        world.happen(event)


def refused(call, *given, **more) -> str:
    with pytest.raises(ClientException) as caught:
        call(*given, **more)
    return caught.value.message


def test_a_disabled_environment_places_nothing_and_lets_jobs_go_on():
    """Running jobs end as they would; minvCpus stay warm."""
    world = World(min_vcpus=2)
    running = world.submit(vcpus=2)
    update(world, state=Switch.DISABLED)
    waiting = world.submit()
    assert world.status(waiting) is JobStatus.RUNNABLE
    world.exit(running)
    assert world.status(running) is JobStatus.SUCCEEDED
    world.pass_until(world.now + 3600 * SECOND)
    assert world.environment().provisioned == 2
    update(world, state=Switch.ENABLED)
    assert world.status(waiting) is JobStatus.STARTING


def test_a_higher_maximum_takes_effect_at_once():
    """A scaling update: the waiting job starts."""
    world = World(max_vcpus=2)
    world.submit(vcpus=2)
    job = world.submit(vcpus=2)
    update(world, max_vcpus=4)
    assert world.status(job) is JobStatus.STARTING


def test_a_lower_minimum_lets_idle_hosts_go():
    """They are looked at again."""
    world = World(min_vcpus=8)
    world.pass_until(world.now + 600 * SECOND)
    update(world, min_vcpus=2)
    world.pass_until(world.now + 60 * SECOND)
    assert world.environment().provisioned == 2


def test_desired_vcpus_go_up_only():
    """AWS's own text for the other way."""
    world = World()
    update(world, desired=6)
    assert world.environment().provisioned == 6
    assert refused(update, world, desired=4) == (
        "Manually scaling down compute environment is not supported.  Disconnecting job queues from "
        "compute environment will cause it to scale-down to minvCpus."
    )


def test_the_maximum_stays_above_what_there_is():
    """Hosts are not taken away by hand."""
    world = World()
    world.submit(size=4)
    text = refused(update, world, max_vcpus=2)
    assert text == "desiredvCpus should be between minvCpus and maxvCpus."


def test_an_infrastructure_update_replaces_hosts_when_their_jobs_end():
    """UPDATING while old hosts have jobs, VALID with the last of them; new jobs get the new type."""
    world = World(strategy=S.BEST_FIT_PROGRESSIVE)
    old, waiting = world.submit(), None
    update(world, replaces=True, instance_types=("c6i.large",))
    waiting = world.submit()
    assert world.environment().environment.status is ResourceStatus.UPDATING
    assert world.status(waiting) is JobStatus.RUNNABLE
    assert "Cannot update" in refused(update, world, max_vcpus=99)
    world.exit(old)
    assert world.environment().environment.status is ResourceStatus.VALID
    assert world.run_of(waiting).instance_type == "c6i.large"


def test_an_infrastructure_update_stops_jobs_that_take_too_long():
    """At jobExecutionTimeoutMinutes, as a terminated host; the retry strategy decides."""
    world = World(strategy=S.BEST_FIT_PROGRESSIVE)
    job = world.submit(attempts=2)
    update(world, replaces=True, job_seconds=300, instance_types=("c6i.large",))
    world.pass_until(world.now + 300 * SECOND - 1)
    assert not world.stopping
    world.pass_until(world.now + 1)
    assert world.stopping[job].grace_seconds == 30
    world.exit(job, 143)
    assert world.run_of(job).attempts[0].status_reason.startswith("Host EC2 (instance i-")
    assert world.run_of(job).instance_type == "c6i.large"


def test_terminate_jobs_on_update_stops_them_at_once():
    """No time is given but that between the signals."""
    world = World(strategy=S.BEST_FIT_PROGRESSIVE)
    job = world.submit()
    update(world, replaces=True, job_seconds=0)
    assert world.stopping[job].grace_seconds == 30


def test_an_update_without_hosts_is_over_at_once():
    """There is nothing to replace."""
    world = World(strategy=S.BEST_FIT_PROGRESSIVE)
    update(world, replaces=True, instance_types=("c6i.large",))
    assert world.environment().environment.status is ResourceStatus.VALID


def test_deleting_needs_a_disabled_environment_that_no_queue_has():
    """AWS's texts."""
    world = World()
    assert "ENABLED" in refused(delete, world)
    update(world, state=Switch.DISABLED)
    assert refused(delete, world) == "Cannot delete, found existing JobQueue relationship"


def test_a_deleted_environment_goes_with_its_hosts():
    """Idle ones go at once, and its name is free again."""
    world = World()
    world.add_environment("gone", max_vcpus=8, min_vcpus=4)
    update(world, "gone", state=Switch.DISABLED)
    delete(world, "gone")
    assert "gone" not in world.state.environments
    delete(world, "gone")
    world.add_environment("gone", max_vcpus=8)


def test_jobs_of_a_deleted_environment_are_stopped_with_their_hosts():
    """DELETING until the last one has ended."""
    world = World()
    job = world.submit()
    queue = world.state.queues["q"]
    queue.queue = replace(queue.queue, environments=())
    update(world, state=Switch.DISABLED)
    delete(world)
    assert world.environment().environment.status is ResourceStatus.DELETING
    assert "being modified" in refused(delete, world)
    world.exit(job, 143)
    assert "ce" not in world.state.environments
    assert world.finished[job].status_reason.startswith("Host EC2")


def test_a_fargate_environment_with_tasks_becomes_invalid():
    """The user guide: its jobs must be over first. Enabling makes it VALID again."""
    world = World(resource_type="FARGATE", types=())
    world.submit()
    queue = world.state.queues["q"]
    queue.queue = replace(queue.queue, environments=())
    update(world, state=Switch.DISABLED)
    delete(world)
    assert world.environment().environment.status is ResourceStatus.INVALID
    assert world.environment().environment.status_reason.startswith("CLIENT_ERROR - ")


def test_unknown_names_are_told_with_those_that_are_there():
    """Nothing is changed by a slip of the pen."""
    assert refused(update, World(), "nope").endswith("does not exist; there are: ce")
    assert "is no host" in refused(interrupt, World().state, "i-nope")


def test_architectures_do_not_mix_whatever_the_names_say():
    """AWS's own text."""
    mixed = ComputeEnvironment(name="x", max_vcpus=4, instance_types=("m6g", "m6i"))
    text = refused(create_environment, World().state, mixed)
    assert text == "arm-based instance type cannot be used with other instance types"
