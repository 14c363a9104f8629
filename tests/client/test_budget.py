"""Submissions that would pass a cap, refused before they are sent."""

from __future__ import annotations

import pytest

import nbbatch
from nbbatch.errors import ClientException, OverBudgetError

pytestmark = pytest.mark.usefixtures("shared_daemon")
DEADLINE = 120


def nap(seconds=0.3):
    import time

    time.sleep(seconds)


def never_run():
    return 0


def first():
    return 1


def of_a_day():
    return 2


def of_a_spent_day():
    return 3


for _function in (nap, never_run, first, of_a_day, of_a_spent_day):
    _function.__module__ = "__main__"


@pytest.fixture
def day(shared_daemon):
    """Sets what is left of the day's budget, in dollars; in the end there is none."""

    def leave(dollars):
        spent = shared_daemon.private("budget", {})["spentToday"]
        shared_daemon.private("set-budget", {"perDay": spent + dollars})

    yield leave
    shared_daemon.private("set-budget", {"perDay": None})


def count():
    return len(list(nbbatch.jobs()))


def test_a_first_run_with_a_timeout_is_refused_by_its_worst_case():
    """Nothing is sent; the numbers say why, and what to do."""
    before = count()
    with pytest.raises(OverBudgetError) as caught:
        nbbatch.submit(first, timeout="10h", max_cost=0.001)
    assert "It may cost $" in str(caught.value)
    assert "timeout of 10 h" in str(caught.value)
    assert "max_cost is $0.001" in str(caught.value)
    assert "shorter timeout" in caught.value.cure
    assert count() == before
    assert nbbatch.submit(first, timeout="10h", max_cost=100).wait(DEADLINE)


def test_without_a_timeout_nobody_knows_and_the_daemon_watches():
    """A cap alone refuses nothing: the job is stopped when it has cost so much."""
    assert nbbatch.submit(never_run, max_cost=0.001).wait(DEADLINE)


def test_measured_runs_tell_what_it_will_cost():
    """All items of an array together, by what an item took; a timeout then does not matter."""
    nbbatch.map(nap, [0.3, 0.3], chunk=1).wait(DEADLINE)
    one = nbbatch.estimate(nap).expected
    assert nbbatch.map(nap, [0.3] * 2, max_cost=20 * one, timeout="10h").wait(DEADLINE)
    with pytest.raises(OverBudgetError, match=r"It will cost about .* x 200 items.* and max_cost is"):
        nbbatch.map(nap, [0.0] * 200, chunk=100, max_cost=20 * one)


def test_what_is_left_of_the_day_is_not_passed(day):
    """Worst cases count, too; what fits goes through, and the cure says what would help."""
    day(0.01)
    with pytest.raises(OverBudgetError, match=r"of today's budget of \$.* \$0.01\d* are left") as caught:
        nbbatch.submit(of_a_day, timeout="100h")
    assert "--per-day" in caught.value.cure
    assert "midnight" not in caught.value.cure, "it would not fit into a whole day either"
    assert nbbatch.submit(of_a_day, timeout="1m").wait(DEADLINE)
    assert nbbatch.submit(of_a_day).wait(DEADLINE)


def test_commands_are_looked_at_as_well(day):
    """A command has no bundle, but a timeout and a price."""
    day(0.01)
    with pytest.raises(OverBudgetError):
        nbbatch.command(["true"], timeout="100h")
    assert nbbatch.command(["true"], timeout="1m").wait(DEADLINE)


def test_a_spent_day_is_the_daemons_to_refuse(day):
    """Where no cost is known, its own words come."""
    day(0)
    with pytest.raises(ClientException, match="the day's cap of"):
        nbbatch.submit(of_a_spent_day)
