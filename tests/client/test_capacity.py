"""Jobs that their queue can never run are refused before anything is packed, whatever they are."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

import nbbatch
from nbbatch.client import capacity
from nbbatch.client.backend import get_backend
from nbbatch.client.capacity import capacity_of
from nbbatch.client.jobs import submit_packed
from nbbatch.client.options import Options
from nbbatch.client.packing.payloads import Call, Command
from nbbatch.client.spec import JobSpec
from nbbatch.client.submission import pack_for, resolve, submit_spec
from nbbatch.errors import DoesNotFitError, UnknownNameError
from nbbatch.model.resources import Resources

DEADLINE = 120
pytestmark = pytest.mark.usefixtures("shared_daemon")
MACHINE = Resources(vcpus=2, memory=4096)


def bundles():
    """Names of the bundles in the store."""
    folder = get_backend().home / "bundles"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def never_sent():
    """A value that cannot be packed: whoever tries fails otherwise."""
    return threading.Lock()


def environment(**resources):
    """As much of a ComputeEnvironmentDetail as is read."""
    return {"computeResources": {"type": "EC2", "maxvCpus": 64, **resources}}


def capacity_with(*environments, machine=MACHINE):
    """A queue as it would have been asked for."""
    return capacity.Capacity(
        queue="q", environments=environments, machine=machine, executor="process", asked=0.0
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"vcpus": 4096},
            "asks for 4096 vCPU, 2 GB, and on this machine the largest host of queue default has",
        ),
        ({"memory": "4000G"}, "asks for 1 vCPU, 4000 GB, and"),
        ({"queue": "spot", "memory": "4000G"}, "queue spot"),
        ({"vcpus": 4096, "image": "python:3.11-slim"}, "4096 vCPU"),
    ],
)
def test_a_function_that_fits_nowhere_is_refused(options, said):
    """What, which value, how much there is, and what to do; nothing is packed."""
    before = bundles()
    with pytest.raises(DoesNotFitError) as caught:
        nbbatch.submit(print, never_sent(), **options)
    assert said in str(caught.value)
    assert "Ask for less" in caught.value.cure
    with pytest.raises(DoesNotFitError):
        nbbatch.map(print, [never_sent()], **options)
    assert bundles() == before


def test_commands_are_refused_alike():
    """With a bundle or without one."""
    options = resolve({"memory": "4000G"})
    with pytest.raises(DoesNotFitError):
        pack_for(Command(argv=("true",)), options)
    with pytest.raises(DoesNotFitError):
        submit_spec(get_backend(), JobSpec(options=options, name="bare", command=("true",)))


def test_an_unknown_queue_is_named_with_the_nearest_one():
    """Before anything is packed; ARNs name queues, too."""
    with pytest.raises(UnknownNameError, match=r"no job queue 'defalt'. Did you mean default"):
        nbbatch.submit(print, never_sent(), queue="defalt")
    known = get_backend().batch.describe_job_queues(jobQueues=["default"])["jobQueues"][0]
    assert nbbatch.submit(abs, -1, queue=known["jobQueueArn"]).result(DEADLINE) == 1


def test_a_definition_says_what_the_options_do_not():
    """A registered definition's own requirements count, and what is asked for stands over them."""
    container = {
        "image": "none",
        "command": ["true"],
        "resourceRequirements": [
            {"type": "VCPU", "value": "1"},
            {"type": "MEMORY", "value": str(4000 << 10)},
        ],
    }
    get_backend().batch.register_job_definition(
        jobDefinitionName="huge", type="container", containerProperties=container
    )
    for definition in ("huge", "huge:1"):
        with pytest.raises(DoesNotFitError, match="4000 GB"):
            pack_for(Command(argv=("true",)), resolve({"definition": definition}))
    packed = pack_for(Command(argv=("true",)), resolve({"definition": "huge", "memory": "64M"}))
    assert submit_packed(packed, resolve({"definition": "huge", "memory": "64M"})).wait(DEADLINE)


def test_a_retry_is_checked_too():
    """The queue may have changed since; what it could give then is no matter."""
    job = nbbatch.submit(abs, -1)
    assert job.result(DEADLINE) == 1
    assert job.retry().result(DEADLINE) == 1
    detail = {**job.detail(), "container": {**job.detail()["container"]}}
    detail["container"]["resourceRequirements"] = [{"type": "VCPU", "value": "4096"}]
    job._final = detail
    with pytest.raises(DoesNotFitError, match="4096 vCPU"):
        job.retry()


def test_a_submission_asks_nothing_more():
    """Once the queue is known, SubmitJob is the only call."""
    backend = get_backend()
    capacity._known.clear()  # what another test has asked for may be too old a moment from now
    nbbatch.submit(abs, -1).result(DEADLINE)
    called, here = [], threading.get_ident()

    def note(model, **_context):
        if threading.get_ident() == here:  # and not the watcher, which may still look at earlier jobs
            called.append(model.name)

    backend.batch.meta.events.register("before-call.batch", note)
    try:
        nbbatch.submit(abs, -1)
    finally:
        backend.batch.meta.events.unregister("before-call.batch", note)
    assert called == ["SubmitJob"]


def test_nothing_is_refused_by_old_news():
    """What was too large when the queue was last looked at may fit now."""
    backend = get_backend()
    known = capacity_of(backend, "default")
    capacity._known[(*capacity._place(backend), "default")] = replace(known, environments=())
    assert nbbatch.submit(abs, -1).result(DEADLINE) == 1
    assert capacity_of(backend, "default").environments


def test_a_dry_run_keeps_nothing():
    """It is weighed and checked like any other."""
    before = bundles()
    packed = pack_for(Call(function=abs, args=(-1,)), Options(), is_dry=True)
    assert packed.url.startswith("dry:")
    assert bundles() == before
    with pytest.raises(DoesNotFitError):
        pack_for(Call(function=abs, args=(-1,)), Options(vcpus=4096), is_dry=True)


@pytest.mark.parametrize(
    ("known", "wanted", "fits"),
    [
        (environment(instanceTypes=["local.machine"]), MACHINE, True),
        (environment(instanceTypes=["local.machine"]), Resources(vcpus=1, memory=4097), False),
        (environment(instanceTypes=["m6i.4xlarge"]), Resources(vcpus=16, memory=4096), True),
        (environment(instanceTypes=["m6i.4xlarge"], maxvCpus=8), Resources(vcpus=8, memory=64), False),
        (environment(instanceTypes=["m6i.large"]), Resources(vcpus=2, memory=8192), False),
        (environment(instanceTypes=["optimal"]), Resources(vcpus=32, memory=4096), True),
        (environment(instanceTypes=["g5.xlarge"]), Resources(vcpus=1, memory=64, gpus=1), False),
        (environment(instanceTypes=["no.such"]), Resources(vcpus=1, memory=64), False),
        (environment(type="FARGATE"), Resources(vcpus=16, memory=4096), True),
        (environment(type="FARGATE"), Resources(vcpus=0.25, memory=512, gpus=1), False),
        (environment(type="FARGATE", maxvCpus=1), Resources(vcpus=2, memory=4096), False),
        ({}, Resources(vcpus=1, memory=64), False),
    ],
)
def test_a_host_offers_what_the_scheduler_says_and_this_machine_has(known, wanted, fits):
    """Less than its nominal memory, within maxvCpus; vCPUs are shares, memory and GPUs are real."""
    assert bool(capacity_with(known).refusal(wanted)) is not fits


def test_gpus_are_those_of_the_gpu_type():
    """The machine without its GPUs is a type of its own."""
    machine = Resources(vcpus=8, memory=4096, gpus=2)
    plain = capacity_with(environment(instanceTypes=["local.machine"]), machine=machine)
    assert "1 GPU, and" in plain.refusal(Resources(vcpus=1, memory=3969, gpus=1))
    assert "3969 MB" in plain.refusal(Resources(vcpus=1, memory=3969, gpus=1))
    both = capacity_with(environment(instanceTypes=["local.machine", "local.gpu"]), machine=machine)
    assert not both.refusal(Resources(vcpus=8, memory=4096, gpus=2))
    assert "has 8 vCPU, 4 GB, 2 GPUs" in both.refusal(Resources(vcpus=8, memory=4096, gpus=3))


def test_elsewhere_nothing_is_refused():
    """What an account can give, AWS tells."""
    assert not capacity_with(machine=None).refusal(Resources(vcpus=4096, memory=1 << 30))
