from dataclasses import replace

import pytest
from world import World

from nbbatch.errors import ClientException
from nbbatch.model.containers import Container, Task
from nbbatch.model.jobs import JobDefinition, JobStatus
from nbbatch.model.requests import JobDraft, Overrides
from nbbatch.model.resources import Resources
from nbbatch.scheduler.commands.overrides import OVERRIDES_TOO_LONG, refusal, settle_containers

ONE = Container(
    image="busybox",
    name="main",
    command=("echo", "Ref::word"),
    environment=(("A", "1"),),
    resources=Resources(vcpus=0.25, memory=256),
)
PLAIN = JobDefinition(name="def", revision=1, container=ONE)
SIDE = replace(ONE, name="side", command=("run", "--x=Ref::word"))
SEVERAL = replace(PLAIN, task=Task(others=(SIDE,), ipc_mode="task"))
DRAFT = JobDraft(name="n", queue="q", definition="def")
WORDS = {"word": "hello"}


def test_every_container_gets_its_own_overrides():
    """Commands, variables and amounts by name; parameters reach them all."""
    overrides = (("side", Overrides(environment=(("B", "2"),), memory=512)),)
    first, task = settle_containers(SEVERAL, replace(DRAFT, task_overrides=overrides), WORDS)
    (side,) = task.others
    assert (first.command, side.command) == (("echo", "hello"), ("run", "--x=hello"))
    assert (first.environment, side.environment) == ((("A", "1"),), (("A", "1"), ("B", "2")))
    assert (first.resources.memory, side.resources.memory, task.ipc_mode) == (256, 512, "task")


@pytest.mark.parametrize(
    ("definition", "draft", "text"),
    [
        (SEVERAL, {"overrides": Overrides(command=("x",))}, "containerOverrides: job definition def:1 has ecsProperties; use ecsPropertiesOverride."),
        (PLAIN, {"task_overrides": (("main", Overrides()),)}, "ecsPropertiesOverride: job definition def:1 has no ecsProperties; use containerOverrides."),
        (SEVERAL, {"task_overrides": (("third", Overrides(memory=4)),)}, "ecsPropertiesOverride: job definition def:1 has no container third."),
        (replace(SEVERAL, platform="FARGATE"), {"task_overrides": (("side", Overrides(memory=300)),)}, "Fargate resource requirements (0.50 vCPU, 556 MiB) not valid."),
        (replace(PLAIN, platform="FARGATE"), {"overrides": Overrides(legacy_memory=512)}, "memory is not applicable for Fargate. Use resource requirements instead."),
    ],
)  # fmt: skip
def test_overrides_must_fit_the_definition(definition, draft, text):
    """Each kind of definition has its kind of overrides."""
    with pytest.raises(ClientException) as caught:
        settle_containers(definition, replace(DRAFT, **draft), WORDS)
    assert caught.value.message == text


def test_ecs_takes_8192_bytes_of_overrides():
    """The very byte is counted, in UTF-8, for all containers together."""
    frame = len('{"containerOverrides":[{"name":"default","command":[""],"environment":[]}]}')
    fits = Overrides(command=("x" * (8192 - frame),))
    over = Overrides(command=("x" * (8190 - frame) + "é€",))
    plain = replace(PLAIN, container=replace(ONE, command=()))
    assert refusal(plain, replace(DRAFT, overrides=fits), 0, plain.container) == ""
    assert refusal(plain, replace(DRAFT, overrides=over), 0, plain.container) == OVERRIDES_TOO_LONG
    half = Overrides(environment=(("A", "x" * 4_100),))
    both = replace(DRAFT, task_overrides=(("main", half), ("side", half)))
    assert refusal(SEVERAL, both, 0, ONE) == OVERRIDES_TOO_LONG


def test_parameters_count_as_overrides():
    """What is put into a definition's command is sent with each job."""
    container, _ = settle_containers(PLAIN, DRAFT, {"word": "x" * 9_000})
    assert refusal(PLAIN, DRAFT, 0, container) == OVERRIDES_TOO_LONG


def test_fifty_tags_fit_on_a_task():
    """More than that are refused when the job is dispatched."""
    assert refusal(PLAIN, DRAFT, 50, ONE) == ""
    assert "51 tags" in refusal(PLAIN, DRAFT, 51, ONE)


@pytest.mark.parametrize("size", [None, 3])
def test_a_refused_job_fails_when_its_turn_comes(size):
    """SubmitJob took it; it fails at the head of its queue, without an attempt, and holds nobody up."""
    world = World(max_vcpus=2)
    first, head = world.submit(vcpus=2), world.submit(vcpus=1)
    refused = world.submit(size=size, refusal=OVERRIDES_TOO_LONG, attempts=3)
    after, dependent = world.submit(), world.submit(after=[refused])
    assert world.status(refused) is (JobStatus.PENDING if size else JobStatus.RUNNABLE)
    world.exit(first)
    child = f"{refused}:2" if size else refused
    run = world.run_of(child)
    assert (run.status, run.status_reason, run.attempts) == (JobStatus.FAILED, OVERRIDES_TOO_LONG, ())
    assert (run.started_at, run.stopped_at) == (None, world.now)
    assert world.status(refused) is JobStatus.FAILED
    assert world.run_of(dependent).status_reason == "Dependent Job failed"
    assert {head, after} == world.running.keys()
    assert world.replay() == world.state


def test_a_task_takes_the_sum_of_its_containers():
    """Placement counts all containers, and each gets an order and a log stream of its own."""
    world = World(max_vcpus=2)
    job = world.submit(vcpus=1, memory=512, others=1)
    order = world.running[job]
    assert order.resources == Resources(vcpus=2, memory=640)
    (other,) = order.others
    assert (other.resources, other.container.name) == (Resources(vcpus=1, memory=128), "side-0")
    assert ("AWS_BATCH_JOB_ID", job) in other.environment
    assert order.log_stream.replace("/default/", "/side-0/") == other.log_stream
    assert world.submit(vcpus=1) not in world.running
