import pytest
from world import World

from nbbatch.model.jobs import Attempt, JobStatus, Run, Usage
from nbbatch.model.resources import Resources
from nbbatch.scheduler.cost import cost_under_way, share_of_host, tally_of


def test_the_scarcest_share_is_what_an_attempt_pays():
    """Half the memory is half the host, even with a quarter of the vCPU."""
    host = Resources(vcpus=4, memory=8000)
    assert share_of_host(Resources(vcpus=1, memory=4000), host) == 0.5


def run_for(world, job, seconds, code=0, usage=None):
    world.start(job)
    started = world.now
    world.now += int(seconds * 1000)
    world.exit(job, code, started_at=started, usage=usage or Usage())


def test_cost_is_share_times_price_times_time():
    """One of two vCPUs of an m6i.large for half an hour."""
    world = World()
    job = world.submit()
    run_for(world, job, 1800)
    tally = tally_of([world.finished[job]])
    assert tally.cost == pytest.approx(0.096 / 2 / 2)
    assert 0 < tally.spot_cost < tally.cost


def test_a_running_attempt_costs_up_to_now():
    """What runs is counted by the clock; what never ran costs nothing."""
    world = World()
    job = world.submit()
    assert cost_under_way(world.run_of(job), world.now + 5)[0] == 0
    world.start(job)
    assert cost_under_way(world.run_of(job), world.now + 3_600_000)[0] == pytest.approx(0.048)
    world.exit(job, 1, started_at=None)
    assert cost_under_way(world.finished[job], world.now + 3_600_000) == (0.0, 0.0)


def test_an_array_is_counted_as_its_children_end():
    """The parent's tally equals the sum over all attempts of its children, retried ones included."""
    world = World(max_vcpus=2)
    job = world.submit(size=4, attempts=2)
    usage = Usage(cpu_seconds=0.5, peak_memory=100)
    run_for(world, f"{job}:0", 10, code=1, usage=usage)
    while world.running:
        run_for(world, next(iter(world.running)), 20, usage=usage)
    counted = world.finished[job].tally
    again = tally_of(world.finished[f"{job}:{index}"] for index in range(4))
    assert counted.cost == pytest.approx(again.cost)
    assert counted.milliseconds == again.milliseconds == 90_000
    assert (counted.cpu_seconds, counted.peak_memory) == (2.5, 100)


def test_the_last_of_attempts_that_ended_together_is_the_same_in_any_order():
    """A daemon that counts its rows again tells the same host as before."""
    ends = [
        Run(
            id=f"j:{index}",
            status=JobStatus.SUCCEEDED,
            created_at=0,
            attempts=(
                Attempt(
                    number=1,
                    host=f"i-{index}",
                    started_at=1,
                    stopped_at=9,
                    exit_code=0,
                    reason=None,
                    status_reason="",
                ),
            ),
        )
        for index in range(3)
    ]
    assert tally_of(ends) == tally_of(reversed(ends))
    assert tally_of(ends).last == ends[2].attempts[0]
