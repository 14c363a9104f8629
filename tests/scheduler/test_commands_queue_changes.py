from dataclasses import replace

import pytest
from world import World

from nbbatch.errors import ClientException
from nbbatch.model.fleet import (
    FairSharePolicy,
    JobQueue,
    SchedulingPolicy,
    ServiceEnvironment,
    Switch,
    TimeLimit,
)
from nbbatch.model.jobs import JobStatus
from nbbatch.model.requests import JobDraft, QueueChanges
from nbbatch.scheduler.commands.policies import (
    create_policy,
    create_service_environment,
    delete_policy,
    update_policy,
)
from nbbatch.scheduler.commands.queues import create_queue, delete_queue, update_queue
from nbbatch.scheduler.commands.submit_job import submit_job

CANCEL = TimeLimit(reason="MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT", max_seconds=600)
POLICY_ARN = "arn:aws:batch:us-east-1:1:scheduling-policy/"


def apply(world, command, *args):
    events, reply = command(world.state, *args)
    for event in events:
        world.happen(event)
    return reply


def refused(command, *args) -> str:
    with pytest.raises(ClientException) as caught:
        command(*args)
    return caught.value.message


def disable(world, name):
    apply(world, update_queue, QueueChanges(queue=name, state=Switch.DISABLED))


def test_a_disabled_queue_takes_no_jobs_and_finishes_those_it_has():
    """Queued jobs go on; SubmitJob is refused until it is ENABLED again."""
    world = World(max_vcpus=2)
    world.register("d")
    jobs = [world.submit(vcpus=2), world.submit(vcpus=2)]
    disable(world, "q")
    draft = JobDraft(name="n", queue="q", definition="d")
    with pytest.raises(ClientException, match="is DISABLED and takes no jobs"):
        submit_job(world.state, draft, job_id="j", now=1, finished=None)
    world.run_all()
    assert [world.status(job) for job in jobs] == [JobStatus.SUCCEEDED] * 2
    apply(world, update_queue, QueueChanges(queue="q", state=Switch.ENABLED))
    submit_job(world.state, draft, job_id="j", now=1, finished=None)


def test_priority_decides_between_queues_that_share_an_environment():
    """The higher queue's jobs start first; a change counts at once."""
    world = World(max_vcpus=2)
    world.add_queue("other", "ce", priority=5)
    block = world.submit(vcpus=2)
    low, high = world.submit(vcpus=2), world.submit(vcpus=2, queue="other")
    apply(world, update_queue, QueueChanges(queue="q", priority=9))
    world.exit(block)
    assert (world.status(low), world.status(high)) == (JobStatus.STARTING, JobStatus.RUNNABLE)


def test_a_higher_queue_that_cannot_start_its_head_does_not_hold_the_lower_one():
    """Priority is preference, not reservation: the cycle goes on to the next queue."""
    world = World(max_vcpus=4)
    world.add_queue("high", "ce", priority=9)
    world.submit(vcpus=2)
    head = world.submit(vcpus=2, memory=99_999, queue="high")
    low = world.submit(vcpus=2)
    assert (world.status(head), world.status(low)) == (JobStatus.RUNNABLE, JobStatus.STARTING)


def test_a_job_falls_back_to_the_next_environment_in_order():
    """Full, DISABLED or without a type that is large enough: the next one is taken."""
    world = World(max_vcpus=2)
    world.add_environment("off", max_vcpus=8, state="DISABLED")
    world.add_environment("big", max_vcpus=64, types=("m6i.16xlarge",))
    world.add_queue("three", "off", "ce", "big")
    jobs = [world.submit(queue="three", vcpus=2) for _ in range(2)]
    large = world.submit(queue="three", memory=100_000)
    assert [world.run_of(job).environment for job in (*jobs, large)] == ["ce", "big", "big"]


def test_environments_of_a_queue_may_be_changed():
    """The same checks as when it was made; what runs goes on where it is."""
    world = World(max_vcpus=2)
    world.add_environment("far", max_vcpus=4, resource_type="FARGATE")
    world.add_environment("more", max_vcpus=2)
    running, waiting = world.submit(vcpus=2), world.submit(vcpus=2)
    assert "must be created and valid" in refused(
        update_queue, world.state, QueueChanges(queue="q", environments=("nope",))
    )
    assert "can not be mixed" in refused(
        update_queue, world.state, QueueChanges(queue="q", environments=("ce", "far"))
    )
    apply(world, update_queue, QueueChanges(queue="q", environments=("more",)))
    assert world.run_of(running).environment == "ce"
    assert world.run_of(waiting).environment == "more"


def test_a_scheduling_policy_is_replaced_but_never_added():
    """A first-in-first-out queue stays one; the new policy must exist."""
    world = World()
    world.add_fair_queue("fair", "ce")
    assert "cannot get one" in refused(
        update_queue, world.state, QueueChanges(queue="q", scheduling_policy="fair")
    )
    assert refused(update_queue, world.state, QueueChanges(queue="fair", scheduling_policy="nope")) == (
        "SchedulingPolicy nope not found."
    )
    apply(world, update_queue, QueueChanges(queue="fair", priority=3))
    assert world.state.queues["fair"].queue.scheduling_policy == "fair"


def test_only_a_disabled_queue_can_be_deleted():
    """AWS asks to disable it first; an unknown one is told."""
    world = World()
    assert "state must be DISABLED" in refused(delete_queue, world.state, "q")
    assert refused(delete_queue, world.state, "nope") == "Job Queue nope does not exist"
    assert refused(update_queue, world.state, QueueChanges(queue="nope")) == "Job Queue nope does not exist"
    disable(world, "q")
    apply(world, delete_queue, "q")
    assert "q" not in world.state.queues


def test_jobs_of_a_deleted_queue_end_with_it():
    """Waiting ones at once, running ones when they have stopped; then the queue is gone."""
    world = World(max_vcpus=4)
    running = world.submit(vcpus=2, attempts=3)
    array = world.submit(size=3, vcpus=2)
    pending = world.submit(after=[array])
    disable(world, "q")
    apply(world, delete_queue, "q")
    assert world.state.queues["q"].queue.status == "DELETING"
    assert set(world.stopping) == {running, f"{array}:0"}
    assert "being modified" in refused(update_queue, world.state, QueueChanges(queue="q", priority=2))
    assert delete_queue(world.state, "q") == ([], None)
    for job in list(world.running):
        world.exit(job, 143)
    assert "q" not in world.state.queues
    for job in (running, array, f"{array}:2", pending):
        assert world.status(job) is JobStatus.FAILED
    assert [world.run_of(job).status_reason for job in (running, array, f"{array}:2")] == [
        "JobQueue deleted"
    ] * 3


def test_a_deleted_fair_queue_takes_its_shares_along():
    """A queue of the same name starts with empty books."""
    world = World()
    world.add_fair_queue("fair", "ce")
    world.exit(world.submit(queue="fair", share="a"))
    disable(world, "fair")
    apply(world, delete_queue, "fair")
    world.add_queue("fair", "ce", scheduling_policy="fair")
    assert world.state.queues["fair"].shares == {}
    world.wait(10_000)


def test_a_policy_in_use_cannot_be_deleted():
    """It can once its queue is gone; only ARNs are taken."""
    world = World()
    world.add_fair_queue("fair", "ce")
    assert "found existing JobQueue relationship" in refused(delete_policy, world.state, f"{POLICY_ARN}fair")
    assert refused(delete_policy, world.state, "fair") == "Only scheduling policy Arn can be allowed."
    assert "not found" in refused(delete_policy, world.state, f"{POLICY_ARN}nope")
    disable(world, "fair")
    apply(world, delete_queue, "fair")
    apply(world, delete_policy, f"{POLICY_ARN}fair")
    assert world.state.policies == {}


def test_a_policy_keeps_its_kind_while_it_is_used():
    """A fair-share queue cannot become one of quota shares."""
    world = World()
    world.add_fair_queue("fair", "ce")
    other = SchedulingPolicy(name="fair", quota_share=True)
    assert refused(update_policy, world.state, f"{POLICY_ARN}fair", other) == (
        "A scheduling policy can have either fairsharePolicy or quotaSharePolicy"
    )
    assert "already exists" in refused(create_policy, world.state, other)
    changed = SchedulingPolicy(name="fair", fair_share=FairSharePolicy(decay_seconds=9))
    apply(world, update_policy, f"{POLICY_ARN}fair", changed)
    assert world.state.queues["fair"].policy.decay_seconds == 9


def test_a_queue_for_service_jobs_takes_no_others():
    """It has a service environment and may have a policy of quota shares; SubmitJob is refused."""
    world = World()
    world.register("d")
    apply(world, create_service_environment, ServiceEnvironment(name="se"))
    apply(world, create_policy, SchedulingPolicy(name="quota", quota_share=True))
    queue = JobQueue(
        name="sage", priority=1, environments=(), service_environments=("se",), scheduling_policy="quota"
    )
    apply(world, create_queue, queue)
    draft = JobDraft(name="n", queue="sage", definition="d")
    assert "takes service jobs only" in refused(
        lambda: submit_job(world.state, draft, job_id="j", now=1, finished=None)
    )
    assert refused(update_queue, world.state, QueueChanges(queue="sage", environments=("ce",))) == (
        "computeEnvironmentOrder is not for job queues of type SAGEMAKER_TRAINING."
    )
    assert refused(update_queue, world.state, QueueChanges(queue="sage", time_limits=(CANCEL,))) == (
        "Invalid job action. Valid job actions: [TERMINATE]"
    )
    assert "does not exist" in refused(
        create_queue, world.state, replace(queue, name="x", service_environments=("nope",))
    )
    assert "which job queue y cannot use" in refused(
        create_queue,
        world.state,
        JobQueue(name="y", priority=1, environments=("ce",), scheduling_policy="quota"),
    )
