from dataclasses import replace

import pytest
from msgspec import structs
from world import World

from nbbatch.errors import ClientException
from nbbatch.model.containers import Container
from nbbatch.model.events import DefinitionRegistered, FinishedDependency, JobQueueCreated
from nbbatch.model.fleet import JobQueue, ResourceStatus, Switch
from nbbatch.model.jobs import (
    Dependency,
    DependencyType,
    Job,
    JobDefinition,
    JobStatus,
    JobView,
    RetryStrategy,
    Run,
)
from nbbatch.model.requests import JobDraft, Overrides
from nbbatch.model.resources import Resources
from nbbatch.scheduler.commands.submit_job import submit_job

MODERN = Container(
    image="busybox",
    command=("echo", "Ref::word"),
    environment=(("A", "1"), ("B", "2")),
    resources=Resources(vcpus=1, memory=64),
    memory_swap=100,
)
LEGACY = replace(MODERN, as_registered={"vcpus": 1, "memory": 64})
DEFINITION = JobDefinition(
    name="def",
    revision=1,
    container=MODERN,
    parameters={"word": "hello"},
    retry_strategy=RetryStrategy(attempts=3),
    timeout=100,
    scheduling_priority=7,
)
DRAFT = JobDraft(name="n", queue="q", definition="def")
N_TO_N, SEQUENTIAL = DependencyType.N_TO_N, DependencyType.SEQUENTIAL


class Finished:
    """Rows of finished jobs: id -> (succeeded, array size)."""

    def __init__(self, **jobs):
        self.jobs = jobs

    def finished_dependency(self, job_id):
        if job_id not in self.jobs:
            return None
        return FinishedDependency(job_id=job_id, succeeded=self.jobs[job_id][0])

    def find(self, job_ids):
        run = Run(id="x", status=JobStatus.SUCCEEDED, created_at=0)
        job = Job(id="x", name="n", queue="q", definition="d:1", container=MODERN, created_at=0)
        return {
            key: JobView(job=structs.replace(job, array_size=self.jobs[key][1]), run=run) for key in job_ids
        }


def world_with(*definitions) -> World:
    world = World()
    for definition in definitions or (DEFINITION,):
        world.happen(DefinitionRegistered(definition=definition))
    return world


def submit(world, finished=None, **more):
    draft = replace(DRAFT, **more)
    return submit_job(world.state, draft, job_id="new", now=5, finished=finished or Finished())


def job_of(world, **more) -> Job:
    events, job = submit(world, **more)
    assert [event.job for event in events] == [job]
    return job


def refused(world, **more) -> str:
    with pytest.raises(ClientException) as caught:
        submit(world, **more)
    return caught.value.message


def test_a_job_takes_over_what_its_definition_says():
    """Without overrides everything is the definition's, with its parameters put in."""
    job = job_of(world_with())
    assert (job.definition, job.queue, job.created_at) == ("def:1", "q", 5)
    assert job.container.command == ("echo", "hello")
    assert (job.retry_strategy.attempts, job.timeout, job.scheduling_priority) == (3, 100, 7)


def test_submitting_changes_nothing_by_itself():
    """The command only names the event; what is refused leaves no trace either."""
    world = world_with()
    submit(world)
    refused(world, queue="nope")
    assert world.state.jobs == {}
    assert world.state.sequence == 0


def test_what_the_job_says_replaces_the_definition():
    """Retry strategy and timeout as a whole, parameters by name."""
    job = job_of(
        world_with(),
        retry_strategy=RetryStrategy(attempts=1),
        timeout=60,
        parameters={"word": "hi", "more": "x"},
        propagate_tags=True,
    )
    assert (job.retry_strategy.attempts, job.timeout, job.propagate_tags) == (1, 60, True)
    assert job.parameters == {"word": "hi", "more": "x"}
    assert job.container.command == ("echo", "hi")


def test_environment_merges_by_name():
    """Overrides win, the rest stays, in order."""
    job = job_of(world_with(), overrides=Overrides(environment=(("B", "3"), ("C", ""))))
    assert job.container.environment == (("A", "1"), ("B", "3"), ("C", ""))


def test_a_command_is_replaced_as_a_whole():
    """The definition's command is gone; parameters go into the new one."""
    job = job_of(world_with(), overrides=Overrides(command=("cat", "Ref::word")))
    assert job.container.command == ("cat", "hello")


def test_resources_are_replaced_type_by_type():
    """Memory alone leaves vCPUs; swap stays as much above memory as it was."""
    job = job_of(world_with(), overrides=Overrides(memory=128, gpus=1))
    assert job.resources == Resources(vcpus=1, memory=128, gpus=1)
    assert job.container.memory_swap == 164


def test_deprecated_overrides_lose_against_resource_requirements():
    """They only override a definition that used the deprecated members itself."""
    old = Overrides(legacy_vcpus=4, legacy_memory=256)
    assert job_of(world_with(), overrides=old).resources == Resources(vcpus=1, memory=64)
    world = world_with(replace(DEFINITION, container=LEGACY))
    assert job_of(world, overrides=old).resources == Resources(vcpus=4, memory=256)
    both = replace(old, memory=512)
    assert job_of(world, overrides=both).resources == Resources(vcpus=4, memory=512)


def test_a_missing_parameter_is_refused():
    """The text names the reference."""
    text = refused(world_with(replace(DEFINITION, parameters={})))
    assert text == "Unable to substitute value. No parameter found for reference word"


@pytest.mark.parametrize(
    "queue", [{"state": Switch.DISABLED}, {"status": ResourceStatus.INVALID}], ids=["disabled", "invalid"]
)
def test_a_queue_that_takes_no_jobs_refuses_them(queue):
    """DISABLED and INVALID queues are named in the message."""
    world = world_with()
    closed = JobQueue(name="closed", priority=1, environments=("ce",), **queue)
    world.happen(JobQueueCreated(queue=closed))
    assert refused(world, queue="closed").startswith("Job Queue closed is ")


def test_an_unknown_queue_is_refused_with_those_there_are():
    """The message helps to find the right one."""
    assert refused(world_with(), queue="nope") == "Job Queue nope does not exist; there are: q"


def test_queue_and_definition_may_be_arns():
    """Any region's ARN means the name in it."""
    job = job_of(
        world_with(),
        queue="arn:aws:batch:us-east-1:1:job-queue/q",
        definition="arn:aws:batch:us-east-1:1:job-definition/def:1",
    )
    assert (job.queue, job.definition) == ("q", "def:1")


def test_a_queue_without_a_policy_takes_no_shares():
    """AWS's own text, spelling included."""
    expected = (
        "Job with shareIdentifier or schedulingPriority can onlybe submitted to job queue with "
        "fair share scheduling policy."
    )
    assert refused(world_with(), share_identifier="a") == expected
    assert refused(world_with(), scheduling_priority=1) == expected


def test_a_queue_with_a_policy_needs_a_share():
    """The other way round as well."""
    world = world_with()
    shared = JobQueue(name="fair", priority=1, environments=("ce",), scheduling_policy="arn")
    world.happen(JobQueueCreated(queue=shared))
    assert "shareIdentifier is required" in refused(world, queue="fair")
    assert job_of(world, queue="fair", share_identifier="a").share_identifier == "a"


def test_platforms_must_match():
    """A Fargate definition does not go to an EC2 queue."""
    world = world_with(replace(DEFINITION, platform="FARGATE"))
    expected = "Job Queue is attached to Compute Environment that can not run Jobs with capability FARGATE."
    assert refused(world) == expected


def test_fargate_sizes_count_after_overrides():
    """An override may not leave Fargate's sizes."""
    world = world_with(replace(DEFINITION, platform="FARGATE"))
    world.add_environment("far", max_vcpus=16, resource_type="FARGATE")
    world.add_queue("fq", "far")
    job = job_of(world, queue="fq", overrides=Overrides(vcpus=0.25, memory=512))
    assert job.resources == Resources(vcpus=0.25, memory=512)
    text = refused(world, queue="fq", overrides=Overrides(vcpus=0.25, memory=500))
    assert text == "Fargate resource requirements (0.25 vCPU, 500 MiB) not valid."


@pytest.mark.parametrize("size", [0, 1, 10_001, -5])
def test_array_sizes_have_bounds(size):
    """2 to 10,000."""
    assert refused(world_with(), array_size=size) == (
        f"arrayProperties.size: {size} is not between 2 and 10000"
    )


@pytest.mark.parametrize(
    ("dependency", "text"),
    [
        (Dependency(type=SEQUENTIAL), "dependsOn: type SEQUENTIAL is only for array jobs."),
        (Dependency(job_id="x", type=N_TO_N), "dependsOn: type N_TO_N is only for array jobs."),
        (Dependency(), "dependsOn: jobId is required, unless type is SEQUENTIAL."),
        (Dependency(job_id="x"), "dependsOn: job x does not exist."),
        (Dependency(job_id="x:0"), "dependsOn: job x:0 does not exist."),
    ],
)
def test_dependencies_of_a_single_job_are_checked(dependency, text):
    """Types that need an array, missing ids, unknown ids."""
    assert refused(world_with(), depends_on=(dependency,)) == text


def test_a_live_dependency_is_simply_kept():
    """Nothing has to be told about it."""
    world = world_with()
    first = world.submit()
    events, job = submit(world, depends_on=(Dependency(job_id=first),))
    assert job.depends_on == (Dependency(job_id=first),)
    assert events[0].finished_dependencies == ()


def test_a_finished_dependency_comes_from_the_rows():
    """How it ended goes into the event, so that a replay needs no rows."""
    events, _ = submit(world_with(), Finished(old=(False, None)), depends_on=(Dependency(job_id="old"),))
    assert events[0].finished_dependencies == (FinishedDependency(job_id="old", succeeded=False),)


def test_a_dependency_that_ended_in_this_tick_is_known():
    """It has left the state and has no row yet."""
    world = world_with()
    first = world.submit(size=2)
    world.exit(f"{first}:0", 1)
    world.running.pop(f"{first}:1")
    live = world.state.jobs[first]
    live.children.set_status(1, JobStatus.SUCCEEDED)
    live.run.status = JobStatus.FAILED
    del world.state.jobs[first]
    world.state.changes.jobs[first] = live
    depends = (Dependency(job_id=first, type=N_TO_N),)
    events, _ = submit(world, depends_on=depends, array_size=2)
    assert events[0].finished_dependencies == (
        FinishedDependency(job_id=first, succeeded=False, failed_children=(0,)),
    )


def test_a_child_can_be_depended_on():
    """One that ended, in an array that goes on, counts as ended; only real indexes count."""
    world = world_with()
    array = world.submit(size=2)
    world.exit(f"{array}:0")
    events, _ = submit(world, depends_on=(Dependency(job_id=f"{array}:0"), Dependency(job_id=f"{array}:1")))
    assert events[0].finished_dependencies == (FinishedDependency(job_id=f"{array}:0", succeeded=True),)
    for odd in (f"{array}:2", f"{array}:00", f"{array}:01", f"{array}:-1"):
        assert refused(world, depends_on=(Dependency(job_id=odd),)) == f"dependsOn: job {odd} does not exist."


def test_n_to_n_needs_arrays_of_one_size():
    """Live or finished, the sizes must match."""
    world = world_with()
    array, single = world.submit(size=3), world.submit()
    rows = Finished(old=(True, 2))
    for job_id, size in ((array, 2), (single, 2), ("old", 3)):
        depends = (Dependency(job_id=job_id, type=N_TO_N),)
        text = refused(world, finished=rows, depends_on=depends, array_size=size)
        assert "N_TO_N needs two arrays of one size" in text
    for job_id, size in ((array, 3), ("old", 2)):
        depends = (Dependency(job_id=job_id, type=N_TO_N),)
        assert job_of(world, finished=rows, depends_on=depends, array_size=size).array_size == size


def test_a_chain_takes_no_job_id():
    """SEQUENTIAL is about the array itself."""
    world = world_with()
    other = world.submit()
    depends = (Dependency(job_id=other, type=SEQUENTIAL),)
    assert "takes no jobId" in refused(world, depends_on=depends, array_size=2)
    assert job_of(world, depends_on=(Dependency(type=SEQUENTIAL),), array_size=2).array_size == 2


def test_a_submitted_job_runs():
    """The event is good for the reactor."""
    world = world_with()
    world.happen(submit(world)[0][0])
    assert world.status("new") is JobStatus.STARTING
