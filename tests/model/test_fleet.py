from dataclasses import replace
from pathlib import Path

import pytest

import nbbatch.model
from nbbatch.model.fleet import parse_catalogue
from nbbatch.model.resources import Resources


@pytest.fixture
def catalogue():
    return parse_catalogue(Path(nbbatch.model.__file__).with_name("instance_types.json").read_text())


def test_the_catalogue_says_where_its_prices_come_from(catalogue):
    """Source and date ship with the numbers."""
    assert "price list" in catalogue.source
    assert catalogue.as_of


def test_sizes_families_and_optimal_expand(catalogue):
    """`optimal` means the four current x86 families (user guide)."""
    assert [known.name for known in catalogue.expand(("m6i.large",))] == ["m6i.large"]
    assert {known.name.partition(".")[0] for known in catalogue.expand(("optimal",))} == {
        "m6i",
        "c6i",
        "r6i",
        "c7i",
    }
    assert all(known.resources.gpus for known in catalogue.expand(("g5", "p3")))
    assert catalogue.expand(("nosuch",)) == ()


def test_prices_are_sound(catalogue):
    """Spot costs less than on demand, everything costs something."""
    assert all(0 < known.spot_price < known.price for known in catalogue.types.values())


def test_graviton_is_arm(catalogue):
    """`default_arm64` means the four current families of it, and x86 none of them."""
    arm = catalogue.expand(("default_arm64",))
    assert {known.family for known in arm} == {"m6g", "c6g", "r6g", "c7g"}
    assert {known.architecture for known in arm} == {"arm64"}
    assert {known.architecture for known in catalogue.expand(("optimal", "t3", "p5"))} == {"x86_64"}


def test_fargate_has_a_price_per_vcpu_and_gigabyte(catalogue):
    """As data, with its region."""
    assert catalogue.region == "us-east-1"
    wanted = Resources(vcpus=0.5, memory=2048)
    assert catalogue.fargate.price(wanted) == pytest.approx(0.04048 / 2 + 0.004445 * 2)


def test_newer_prices_go_before_older_ones(catalogue):
    """Types that the newer catalogue does not have stay."""
    dearer = replace(catalogue.types["m6i.large"], price=1.0)
    newer = replace(catalogue, types={"m6i.large": dearer}, as_of="2030-01")
    both = catalogue.updated(newer)
    assert (both.types["m6i.large"].price, both.as_of) == (1.0, "2030-01")
    assert both.types["c6i.large"] == catalogue.types["c6i.large"]
