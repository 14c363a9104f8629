import pytest
from world import World

from nbbatch.model.resources import Resources
from nbbatch.scheduler.cost import run_cost, share_of_host


def test_the_scarcest_share_is_what_an_attempt_pays():
    """Half the memory is half the host, even with a quarter of the vCPU."""
    host = Resources(vcpus=4, memory=8000)
    assert share_of_host(Resources(vcpus=1, memory=4000), host) == 0.5


def test_cost_is_share_times_price_times_time():
    """One of two vCPUs of an m6i.large for half an hour."""
    world = World()
    job = world.submit()
    world.start(job)
    started = world.now
    world.now += 1_800_000
    world.exit(job, started_at=started)
    on_demand, spot = run_cost(world.finished[job], world.now)
    assert on_demand == pytest.approx(0.096 / 2 / 2)
    assert spot < on_demand


def test_a_running_attempt_costs_up_to_now():
    """What runs is counted too; what never ran costs nothing."""
    world = World()
    job = world.submit()
    assert run_cost(world.run_of(job), world.now + 5)[0] == 0
    world.start(job)
    assert run_cost(world.run_of(job), world.now + 3_600_000)[0] == pytest.approx(0.048)
