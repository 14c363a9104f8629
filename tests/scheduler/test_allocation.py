"""Allocation strategies as the user guide tells them, over offers made by hand."""

from math import inf

import pytest

from nbbatch.model.fleet import AllocationStrategy as S
from nbbatch.model.fleet import InstanceType
from nbbatch.model.resources import Resources
from nbbatch.scheduler.allocation import Offer, in_order, place_of, to_try

ONE = Resources(vcpus=1, memory=512)


def offer(name, vcpus, price, *, memory=None, **more) -> Offer:
    room = Resources(vcpus=vcpus, memory=memory or 2000 * vcpus)
    kind = InstanceType(name=name, resources=room, price=price, spot_price=price / 3)
    return Offer(kind=kind, room=room, price=price, **more)


def names(strategy, offers, wanted=ONE):
    return [one.kind.name for one in to_try(strategy, in_order(strategy, offers), wanted)]


def test_best_fit_takes_the_cheapest_that_fits_and_waits_for_it():
    """No other type is tried, whatever there is."""
    offers = [offer("big", 8, 0.4), offer("small", 2, 0.1), offer("tiny", 1, 0.01, memory=100)]
    assert names(S.BEST_FIT, offers) == ["small"]
    assert names(S.BEST_FIT, offers, Resources(vcpus=4, memory=1)) == ["big"]
    assert names(S.BEST_FIT, offers, Resources(vcpus=99, memory=1)) == []


def test_progressive_goes_by_the_price_of_a_vcpu():
    """The cheapest vCPU first, the smaller host among equals, and the others behind."""
    offers = [offer("dear", 2, 0.3), offer("large", 8, 0.4), offer("equal", 2, 0.1)]
    assert names(S.BEST_FIT_PROGRESSIVE, offers) == ["equal", "large", "dear"]


def test_ordered_keeps_to_the_list_and_skips_what_is_too_small():
    """A family's own types go by price at its place in the list."""
    offers = [
        offer("c.big", 8, 0.4, place=0),
        offer("c.small", 2, 0.1, place=0),
        offer("m.cheap", 4, 0.01, place=1),
    ]
    assert names(S.BEST_FIT_PROGRESSIVE_ORDERED, offers) == ["c.small", "c.big", "m.cheap"]
    four = Resources(vcpus=4, memory=1)
    assert names(S.BEST_FIT_PROGRESSIVE_ORDERED, offers, four) == ["c.big", "m.cheap"]


def test_an_explicit_size_leaves_its_family():
    """Its place in the list is its own."""
    listed = ("c6i", "m6i.large", "c6i.large")
    assert place_of("c6i.large", "c6i", listed, lambda word: (word,)) == 2
    assert place_of("c6i.xlarge", "c6i", listed, lambda word: (word,)) == 0
    assert place_of("r6i.large", "r6i", ("optimal",), lambda _word: ("r6i",)) == 0


def test_capacity_optimized_takes_the_pool_least_likely_interrupted():
    """Price does not count; the deepest pool among equals does."""
    offers = [
        offer("cheap", 2, 0.01, interruptions=2.0),
        offer("shallow", 2, 0.1, interruptions=0.1, left=3),
        offer("deep", 2, 0.2, interruptions=0.1, left=30),
    ]
    assert names(S.SPOT_CAPACITY_OPTIMIZED, offers) == ["deep", "shallow", "cheap"]


def test_prioritized_uses_the_list_between_equal_pools():
    """Capacity first, the list's order next, whatever the price."""
    offers = [
        offer("second", 2, 0.01, place=1),
        offer("first", 2, 0.5, place=0),
        offer("risky", 2, 0.001, place=0, interruptions=1.0),
    ]
    assert names(S.SPOT_CAPACITY_OPTIMIZED_PRIORITIZED, offers) == ["first", "second", "risky"]


@pytest.mark.parametrize("deepest", [100, inf])
def test_price_capacity_takes_the_cheapest_of_the_deep_pools(deepest):
    """A cheap pool that is nearly empty goes behind."""
    offers = [
        offer("empty", 2, 0.01, left=2),
        offer("dear", 2, 0.3, left=deepest),
        offer("good", 2, 0.1, left=deepest),
    ]
    assert names(S.SPOT_PRICE_CAPACITY_OPTIMIZED, offers) == ["good", "dear", "empty"]


def test_price_capacity_counts_interruptions_as_a_price():
    """Work that is lost is paid twice."""
    offers = [offer("risky", 2, 0.1, interruptions=3.0), offer("calm", 2, 0.2)]
    assert names(S.SPOT_PRICE_CAPACITY_OPTIMIZED, offers) == ["calm", "risky"]
