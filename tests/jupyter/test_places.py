"""What is said of a place before anything is packed: whether the job fits, and its price."""

import pytest

from nbbatch.client.capacity import Capacity, catalogue
from nbbatch.client.money.rates import price_of
from nbbatch.model.resources import Resources

MACHINE = Resources(vcpus=4, memory=8000)
JOB = Resources(vcpus=1, memory=2048)


def queue_of(**resources) -> Capacity:
    environment = {"computeResources": resources} if resources else {"type": "UNMANAGED"}
    return Capacity(queue="q", environments=[environment], machine=MACHINE, executor="process", asked=0.0)


@pytest.fixture(autouse=True)
def home_without_prices(home):
    catalogue.cache_clear()
    yield
    catalogue.cache_clear()


def test_fargate_takes_any_size_that_this_machine_has():
    """And costs by vCPU and gigabyte, less on Spot."""
    known = queue_of(type="FARGATE_SPOT", maxvCpus=16)
    assert known.refusal(JOB) == ""
    price, spot = price_of(known, JOB)
    assert price == pytest.approx(0.04048 + 2 * 0.004445)
    assert spot == pytest.approx(price * 0.3)


def test_an_unmanaged_environment_is_as_large_as_this_machine():
    """What is more than that does not fit."""
    known = queue_of()
    assert known.refusal(JOB) == ""
    assert "has 4 vCPU" in known.refusal(Resources(vcpus=8, memory=2048))


def test_an_environment_without_types_has_no_hosts():
    """As the default world's `gpu` on a machine that has none."""
    known = queue_of(type="EC2", instanceTypes=[], maxvCpus=16)
    assert "has no hosts" in known.refusal(JOB)


def test_refreshed_prices_are_used(home):
    """A file of the home folder goes before the shipped one."""
    (home / "prices.json").write_text(
        '{"source": "s", "as_of": "2030-01-01", "region": "r", "arm64": [],'
        ' "fargate": {"usd_per_vcpu_hour": 1, "usd_per_gb_hour": 1, "spot_share": 0.5},'
        ' "types": {"m6i.large": [2, 8192, 0, 10.0, 4.0]}}'
    )
    assert price_of(queue_of(type="EC2", instanceTypes=["m6i.large"], maxvCpus=16), JOB) == (5.0, 2.0)
