from dataclasses import replace

import pytest
from world import World

from nbbatch.errors import ClientException
from nbbatch.model.events import ComputeEnvironmentCreated
from nbbatch.model.fleet import ComputeEnvironment, JobQueue, ResourceStatus
from nbbatch.scheduler.commands.environments import create_environment
from nbbatch.scheduler.commands.queues import create_queue, find_queue

ENVIRONMENT = ComputeEnvironment(name="new", max_vcpus=4, instance_types=("m6i",))
QUEUE = JobQueue(name="nq", priority=1, environments=("ce",))


def refused(command, state, thing) -> str:
    with pytest.raises(ClientException) as caught:
        command(state, thing)
    return caught.value.message


def test_environment_and_queue_are_made():
    """Both are known from the next tick on."""
    world = World()
    for event in create_environment(world.state, ENVIRONMENT)[0]:
        world.happen(event)
    for event in create_queue(world.state, replace(QUEUE, environments=("new", "ce")))[0]:
        world.happen(event)
    assert find_queue(world.state, "nq").environments == ("new", "ce")
    assert find_queue(world.state, "arn:aws:batch:us-east-1:1:job-queue/nq").name == "nq"
    assert find_queue(world.state, "arn:aws:batch:us-east-1:1:compute-environment/nq") is None


def test_names_are_taken_once():
    """AWS says that the object already exists."""
    world = World()
    assert "already exists" in refused(create_environment, world.state, replace(ENVIRONMENT, name="ce"))
    assert "already exists" in refused(create_queue, world.state, replace(QUEUE, name="q"))


def test_an_environment_needs_a_type_that_is_known():
    """Else no job could ever run there."""
    text = refused(create_environment, World().state, replace(ENVIRONMENT, instance_types=("z9.huge",)))
    assert "nbbatch knows none of z9.huge" in text


def test_a_queue_needs_environments_that_are_there_and_valid():
    """AWS's text, and which one it is about."""
    world = World()
    invalid = replace(ENVIRONMENT, name="sick", status=ResourceStatus.INVALID)
    world.happen(ComputeEnvironmentCreated(environment=invalid))
    for name in ("nope", "sick"):
        text = refused(create_queue, world.state, replace(QUEUE, environments=(name,)))
        assert text.startswith("Compute Environments must be created and valid before attaching them")
        assert name in text


def test_fargate_and_ec2_do_not_mix():
    """AWS's own text."""
    world = World()
    world.add_environment("far", max_vcpus=4, resource_type="FARGATE")
    text = refused(create_queue, world.state, replace(QUEUE, environments=("ce", "far")))
    assert text == "Fargate and EC2 compute environments can not be mixed."


def test_there_is_room_for_fifty_queues():
    """AWS's quota."""
    world = World()
    for number in range(49):
        world.add_queue(f"q{number}", "ce")
    assert "limit of 50" in refused(create_queue, world.state, QUEUE)
