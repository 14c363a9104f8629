"""Sums by day: what a world spends, to the cent, over midnights and on Spot."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import World

from nbbatch.model.events import JobSubmitted
from nbbatch.scheduler.ledger import DAY_MS, Sums, charges, days, host_costs, tick_sums

HOUR = 3600


def sums(world, ended=None):
    jobs = [event.job for _, event in world.log if isinstance(event, JobSubmitted)]
    return tick_sums(jobs, world.transitions, world.ended, world.now)


def total(ledger):
    whole = Sums()
    for known in ledger.values():
        whole.add(known)
    return whole


@given(st.integers(0, 10 * DAY_MS), st.integers(0, 10 * DAY_MS))
def test_pieces_of_days_add_up(start, length):
    """Nothing is lost at midnight, and each piece lies in its day."""
    pieces = list(days(start, start + length))
    assert sum(stop - begin for _, begin, stop in pieces) == length
    assert all(day * DAY_MS <= begin < stop <= (day + 1) * DAY_MS for day, begin, stop in pieces)


def test_jobs_and_children_are_counted_and_parents_are_not():
    """An array of three is three."""
    world = World()
    single, array = world.submit(), world.submit(size=3)
    world.exit(single)
    for index, code in enumerate((0, 0, 1)):
        world.exit(f"{array}:{index}", code)
    known = total(sums(world))
    assert (known.submitted, known.succeeded, known.failed, known.attempts) == (4, 3, 1, 4)


def test_on_demand_time_is_charged_as_it_is():
    """An hour of half a host is half its price; nothing is saved and nothing lost."""
    world = World()
    job = world.submit(vcpus=1)
    world.start(job)
    started, price = world.now, world.run_of(job).price
    world.now += HOUR * 1000
    world.exit(job, started_at=started)
    known = total(sums(world))
    assert known.charged == known.on_demand == pytest.approx(price)
    assert (known.lost, known.saved) == (0, 0)
    assert sum(charges(world.ended).values()) == pytest.approx(price)


@pytest.mark.parametrize("resource_type", ["SPOT", "FARGATE_SPOT"])
def test_spot_saves_net_of_the_work_it_loses(resource_type):
    """An interrupted attempt counts against the saving with its On-Demand equivalent."""
    world = World()
    world.add_environment("spot", max_vcpus=4, resource_type=resource_type)
    world.add_queue("s", "spot")
    job = world.submit(queue="s", attempts=2)
    price, spot = world.run_of(job).price, world.run_of(job).spot_price
    for is_lost in (True, False):
        started = world.now
        world.now += HOUR * 1000
        if is_lost:
            world.interrupt(job)
        world.exit(job, 137 if is_lost else 0, started_at=started)
    known = total(sums(world))
    assert known.charged == pytest.approx(2 * spot)
    assert known.on_demand == pytest.approx(2 * price)
    assert known.lost == pytest.approx(price)
    assert known.saved == pytest.approx(price - 2 * spot)


def test_what_lasts_over_midnight_is_split():
    """Each day holds what was spent in it; counts belong to the day of the end."""
    world = World()
    world.now = 5 * DAY_MS - HOUR * 1000
    job = world.submit()
    started, price = world.now, world.run_of(job).price
    world.now += 3 * HOUR * 1000
    world.exit(job, started_at=started)
    known = sums(world)
    assert known[4, "q"].charged == pytest.approx(price)
    assert known[5, "q"].charged == pytest.approx(2 * price)
    assert (known[4, "q"].attempts, known[5, "q"].attempts) == (0, 1)


def test_a_host_costs_from_its_launch_on():
    """Whole hosts by day and environment; Spot hosts at the Spot price."""
    world = World()
    world.submit()
    ((_, known),) = world.state.environments["ce"].hosts.items()
    until = world.now + 2 * HOUR * 1000
    assert sum(host_costs(known.host, until).values()) == pytest.approx(2 * known.host.price)
    spot = replace(known.host, is_spot=True)
    assert sum(host_costs(spot, until).values()) == pytest.approx(2 * known.host.spot_price)
