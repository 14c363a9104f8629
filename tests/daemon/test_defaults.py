"""The first world, for machines of any size."""

import pytest

from nbbatch.daemon.defaults import WHOLE_GPU_MACHINE, WHOLE_MACHINE, default_world, local_catalogue
from nbbatch.model.fleet import DEFAULT_FAMILIES
from nbbatch.model.resources import Resources
from nbbatch.scheduler.fleet import largest, usable
from nbbatch.scheduler.reactor import handle
from nbbatch.scheduler.state import SchedulerState

LAPTOP = Resources(vcpus=2, memory=7000)
WORKSTATION = Resources(vcpus=16, memory=120_000, gpus=1)
GIANT = Resources(vcpus=400, memory=9_000_000, gpus=16)
TINY = Resources(vcpus=1, memory=400)


def world_of(machine: Resources) -> SchedulerState:
    state = SchedulerState(catalogue=local_catalogue(machine))
    for event in default_world(machine, state.catalogue):
        handle(state, event, 0)
    state.validate()
    return state


@pytest.mark.parametrize("machine", [LAPTOP, WORKSTATION, GIANT, TINY], ids=str)
def test_a_job_as_large_as_the_machine_has_a_host(machine):
    """In `default` and `spot` all vCPUs and memory, in `gpu` all GPUs as well; never more than there is."""
    state = world_of(machine)
    assert set(state.queues) == {"default", "spot", "gpu"}
    plain = Resources(vcpus=machine.vcpus, memory=machine.memory)
    for name, wanted in (("default", plain), ("spot", plain), ("gpu", machine)):
        offers = largest(state.environments[name])
        assert all(offer.fits(machine) for offer in offers)
        assert any(wanted.fits(offer) for offer in offers) == (name != "gpu" or machine.gpus > 0)


def test_small_jobs_get_real_instance_types():
    """The types of the catalogue that fit come first, by price; GPUs are for those who ask for them."""
    state = world_of(WORKSTATION)
    plain = [kind for kind, _ in state.environments["default"].types]
    with_gpus = [kind for kind, _ in state.environments["gpu"].types]
    names = [kind.name for kind in plain]
    assert names[0] == "c6i.large"
    assert WHOLE_MACHINE in names
    assert not any(kind.resources.gpus for kind in plain)
    assert {"g4dn.xlarge", WHOLE_GPU_MACHINE} <= {kind.name for kind in with_gpus}
    assert all(kind.resources.gpus for kind in with_gpus)


def test_its_environments_have_identities_of_their_own():
    """DescribeComputeEnvironments tells a `uuid` of each, as of those that were asked for."""
    known = [one.environment.uuid for one in world_of(LAPTOP).environments.values()]
    assert all(known)
    assert len(set(known)) == len(known)


@pytest.mark.parametrize("machine", [LAPTOP, WORKSTATION, GIANT, TINY], ids=str)
def test_the_whole_machine_has_a_price(machine):
    """That of the cheapest type that would hold it; above all types, in proportion to one."""
    catalogue = local_catalogue(machine)
    whole = catalogue.types[WHOLE_MACHINE]
    usual = (*DEFAULT_FAMILIES["optimal"], "g4dn", "g5", "g6", "p3", "p4d", "p5")
    real = [kind for kind in catalogue.types.values() if kind.family in usual]
    holding = [kind.price for kind in real if whole.resources.fits(kind.resources)]
    assert (
        whole.price == min(holding)
        if holding
        else whole.price > max(kind.price for kind in real if not kind.resources.gpus)
    )
    assert 0 < whole.spot_price < whole.price


@pytest.mark.parametrize("memory", range(64, 30_000, 997))
def test_the_whole_machine_offers_what_the_machine_has(memory):
    """What a host keeps for itself is added to the type's nominal memory, to the MiB."""
    whole = local_catalogue(Resources(vcpus=1, memory=memory)).types[WHOLE_MACHINE]
    assert usable(whole.resources).memory == memory
