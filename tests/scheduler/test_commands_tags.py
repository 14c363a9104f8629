"""Which resource an ARN means, what tags it gets, and where they end up."""

import pytest
from world import World

from nbbatch.errors import ClientException
from nbbatch.model.events import TagsChanged
from nbbatch.model.fleet import ConsumableResource, QuotaShare, SchedulingPolicy, ServiceEnvironment
from nbbatch.model.jobs import JobStatus, JobView
from nbbatch.scheduler.commands.tags import tag_resource, tags_of, untag_resource

PREFIX = "arn:aws:batch:us-east-1:123456789012:"


class Finished:
    """Jobs the world has let go."""

    def __init__(self, world):
        self.world = world

    def find(self, job_ids):
        return {
            job_id: JobView(job=self.world.jobs_seen[job_id], run=self.world.finished[job_id])
            for job_id in job_ids
            if job_id in self.world.finished
        }

    def finished_dependency(self, job_id):
        raise AssertionError(job_id)


@pytest.fixture
def world():
    world = World()
    world.jobs_seen = {}
    world.state.keep_noun(SchedulingPolicy(name="p"))
    world.state.keep_noun(ConsumableResource(name="c", total=1, created_at=0))
    world.state.keep_noun(ServiceEnvironment(name="se"))
    world.state.keep_noun(QuotaShare(name="q/team"))
    world.state.drain_changes()
    return world


def apply(world, command):
    for event in command[0]:
        world.happen(event)


@pytest.mark.parametrize(
    "name",
    [
        "job-queue/q",
        "compute-environment/ce",
        "scheduling-policy/p",
        "consumable-resource/c",
        "service-environment/se",
        "job-queue/q/quota-share/team",
    ],
)
def test_tags_are_merged_and_taken_away(world, name):
    """What is not named stays; keys that are not there are passed over."""
    arn, gone = PREFIX + name, Finished(world)
    apply(world, tag_resource(world.state, arn, {"a": "1", "b": "2"}, gone))
    apply(world, tag_resource(world.state, arn, {"b": "3"}, gone))
    assert tags_of(world.state, arn, gone) == {"a": "1", "b": "3"}
    apply(world, untag_resource(world.state, arn, ["a", "x"], gone))
    assert tags_of(world.state, arn, gone) == {"b": "3"}
    assert world.replay().queues == world.state.queues


def test_what_changes_nothing_is_no_event(world):
    """The same tags again leave no trace in the event log."""
    gone = Finished(world)
    apply(world, tag_resource(world.state, PREFIX + "job-queue/q", {"a": "1"}, gone))
    assert tag_resource(world.state, PREFIX + "job-queue/q", {"a": "1"}, gone) == ([], None)
    assert untag_resource(world.state, PREFIX + "job-queue/q", ["z"], gone) == ([], None)


def test_a_live_job_keeps_its_new_tags(world):
    """The job in the state and what the rows learn agree."""
    job, gone = world.submit(), Finished(world)
    ((event,), _) = tag_resource(world.state, f"{PREFIX}job/{job}", {"a": "1"}, gone)
    assert event == TagsChanged(kind="job", name=job, tags={"a": "1"})
    world.happen(event)
    assert world.state.jobs[job].job.tags == {"a": "1"}
    assert world.replay().jobs == world.state.jobs


def test_two_changes_of_a_finished_job_in_one_tick_add_up(world):
    """The second one does not start from the rows, which do not know of the first yet."""
    from nbbatch.scheduler.reactor import handle

    job = world.submit()
    world.jobs_seen[job] = world.state.jobs[job].job
    world.run_all()
    arn, gone = f"{PREFIX}job/{job}", Finished(world)
    for tags in ({"a": "1"}, {"b": "2"}):
        for event in tag_resource(world.state, arn, tags, gone)[0]:
            handle(world.state, event, world.now)
    assert world.state.drain_changes().tags == {job: {"a": "1", "b": "2"}}


def test_a_resource_has_at_most_50_tags(world):
    """AWS's limit counts what is there already."""
    gone, arn = Finished(world), PREFIX + "job-queue/q"
    apply(world, tag_resource(world.state, arn, {str(number): "" for number in range(50)}, gone))
    apply(world, tag_resource(world.state, arn, {"7": "changed"}, gone))
    with pytest.raises(ClientException, match="would have 51 tags, and may have at most 50"):
        tag_resource(world.state, arn, {"more": ""}, gone)


@pytest.mark.parametrize(
    ("arn", "problem"),
    [
        ("q", "is not an ARN"),
        ("arn:aws:s3:::bucket/x", "is not an ARN of AWS Batch"),
        (PREFIX + "cluster/x", "is not one of job, job-definition"),
        (PREFIX + "job-queue/", "is not one of"),
        (PREFIX + "job/x:3", "child"),
        (PREFIX + "job/x#0", "child"),
        (PREFIX + "job/none", "does not exist"),
        (PREFIX + "job-queue/none", "does not exist"),
        (PREFIX + "job-definition/none:1", "does not exist"),
        (PREFIX + "job-definition/none", "does not exist"),
        (PREFIX + "compute-environment/none", "does not exist"),
        (PREFIX + "scheduling-policy/none", "does not exist"),
        (PREFIX + "consumable-resource/none", "does not exist"),
        (PREFIX + "service-environment/none", "does not exist"),
        (PREFIX + "job-queue/q/quota-share/none", "does not exist"),
        (PREFIX + "job-queue/q/else/none", "is not one of"),
    ],
)
def test_other_arns_are_refused(world, arn, problem):
    """Children, other services and what is not there."""
    with pytest.raises(ClientException, match=problem):
        tags_of(world.state, arn, Finished(world))


def test_tags_of_an_environment_are_settings_of_a_rehearsal(world):
    """A launch delay that comes by a tag holds for the next host, and goes with the tag."""
    arn, gone = PREFIX + "compute-environment/ce", Finished(world)
    with pytest.raises(ClientException, match="nbbatch:launchSeconds is 'soon'"):
        tag_resource(world.state, arn, {"nbbatch:launchSeconds": "soon"}, gone)
    apply(world, tag_resource(world.state, arn, {"nbbatch:launchSeconds": "30"}, gone))
    job = world.submit()
    assert world.status(job) is JobStatus.RUNNABLE
    world.pass_until(world.now + 30_000)
    assert world.status(job) is JobStatus.STARTING
    apply(world, untag_resource(world.state, arn, ["nbbatch:launchSeconds"], gone))
    assert world.status(world.submit(vcpus=2)) is JobStatus.STARTING
    assert world.replay().environments == world.state.environments
