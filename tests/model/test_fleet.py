from pathlib import Path

import pytest

import nbbatch.model
from nbbatch.model.fleet import parse_catalogue


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
