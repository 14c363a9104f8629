"""Simulations: exact where nothing is random, and sound in random worlds."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import World as DrivenWorld
from world import catalogue

from nbbatch.errors import OptionError
from nbbatch.model.containers import Container
from nbbatch.model.events import BudgetChanged, ComputeEnvironmentCreated, JobQueueCreated, StopAttempt
from nbbatch.model.fleet import AllocationStrategy, ComputeEnvironment, JobQueue
from nbbatch.model.jobs import Job, JobStatus, Run
from nbbatch.model.resources import Resources
from nbbatch.scheduler.figures import Figures
from nbbatch.scheduler.orders import Placed
from nbbatch.scheduler.simulate import World, replay, simulate
from nbbatch.scheduler.state import LiveJob, SchedulerState
from nbbatch.scheduler.virtual import Conditions, VirtualExecutor
from nbbatch.scheduler.workload import (
    Empirical,
    Exponential,
    Fixed,
    Lognormal,
    Measured,
    Submission,
    Uniform,
    Work,
    sampler,
    workload_of,
)


def world(max_vcpus=4, types=("m6i.large",), conditions=None, **more) -> World:
    """One queue `q` over one environment `ce`, whose hosts go after a minute."""
    environment = ComputeEnvironment(name="ce", max_vcpus=max_vcpus, instance_types=types, **more)
    queue = JobQueue(name="q", priority=1, environments=("ce",))
    return World(
        events=(ComputeEnvironmentCreated(environment=environment), JobQueueCreated(queue=queue)),
        catalogue=catalogue(),
        conditions=conditions or Conditions(),
    )


def run(place: World, *workload: Submission, seed: int = 1, watch=SchedulerState.validate) -> Figures:
    return simulate(place, workload, work=Random(f"{seed}/work"), chance=Random(f"{seed}/world"), watch=watch)


def jobs(seconds: float, **more) -> Submission:
    return Submission(queue="q", durations=Fixed(seconds=seconds), **more)


def test_equal_jobs_run_in_waves():
    """Ten jobs of ten seconds, four at once: three waves, and each waits for those before it."""
    figures = run(world(max_vcpus=4), jobs(10, count=10))
    assert figures.makespan == 30
    assert (figures.jobs, figures.succeeded, figures.unfinished, figures.stuck) == (10, 10, 0, "")
    assert (figures.wait.p50, figures.wait.longest, figures.wait.mean) == (10, 20, 8)
    assert (figures.hosts, figures.peak_hosts) == (2, 2)


def test_an_array_is_the_same_as_as_many_jobs():
    """Children wait, run and cost what single jobs would."""
    assert run(world(), jobs(10, size=10)) == run(world(), jobs(10, count=10))


def test_hosts_are_paid_while_they_are_there_and_idle_time_is_shown_apart():
    """One host of 2 vCPUs, half used for an hour, then a minute idle until it is given back."""
    figures = run(world(max_vcpus=2), jobs(3600))
    assert figures.cost == pytest.approx(0.096 * 3660 / 3600)
    assert figures.idle_cost == pytest.approx(0.096 / 2 + 0.096 * 60 / 3600)
    assert figures.vcpu_hours == pytest.approx(2 * 3660 / 3600)
    assert figures.used_vcpu_hours == pytest.approx(1)


def test_spot_hosts_cost_what_spot_costs():
    """The same work is paid at the Spot price; both prices are told in both worlds."""
    spot, on_demand = (
        run(world(resource_type="SPOT"), jobs(3600)),
        run(world(resource_type="EC2"), jobs(3600)),
    )
    assert spot.cost == spot.spot == on_demand.spot < on_demand.cost == on_demand.on_demand == spot.on_demand


def test_fargate_is_paid_by_the_task():
    """A Fargate task costs from its start to its end; nothing is idle."""
    figures = run(
        world(resource_type="FARGATE", types=()), jobs(3600, resources=Resources(vcpus=1, memory=2048))
    )
    assert figures.cost == pytest.approx(0.04048 + 2 * 0.004445)
    assert figures.idle_cost == 0


def test_a_host_takes_its_time_to_come():
    """With a launch delay the first wave starts late; later ones find the host there."""
    figures = run(world(max_vcpus=2, launch_seconds=90, conditions=Conditions(start=5)), jobs(10, count=4))
    assert figures.makespan == 90 + 5 + 10 + 5 + 10
    assert figures.wait.longest == 110


def test_what_is_behind_all_hosts_lets_only_so_many_run():
    """Hosts for four, a machine for one: one after the other, in order."""
    machine = Conditions(machine=Resources(vcpus=1, memory=4096))
    assert run(world(max_vcpus=4, conditions=machine), jobs(10, count=4)).makespan == 40


def test_reclaimed_hosts_lose_their_attempts_and_jobs_are_tried_again():
    """Work is lost, jobs end all the same, and the run takes longer than without interruptions."""
    work = jobs(600, count=40, attempts=10)
    figures = run(world(resource_type="SPOT", interruptions={"*": 2.0}), work)
    assert figures.lost > 0
    assert 0 < figures.lost_seconds <= figures.lost * 600
    assert (figures.failed, figures.attempts) == (0, 40 + figures.lost)
    assert figures.makespan > run(world(resource_type="SPOT"), work).makespan


def test_a_failure_probability_of_one_fails_every_attempt():
    """Every job uses up its attempts and fails."""
    figures = run(world(), jobs(1, count=5, failure=1.0, attempts=3))
    assert (figures.failed, figures.attempts) == (5, 15)


def test_a_timeout_cuts_an_attempt_short():
    """An attempt that would run an hour is stopped after its minute."""
    figures = run(world(), jobs(3600, timeout=60))
    assert (figures.makespan, figures.failed) == (60, 1)


def test_a_days_budget_holds_in_a_simulation():
    """Two of four jobs are stopped when the day's cap is reached, and the other two on the next day."""
    place = world(max_vcpus=2)
    capped = replace(place, events=(*place.events, BudgetChanged(dollars=0.06)))
    figures = run(capped, jobs(3600, count=4))
    assert (figures.failed, figures.succeeded) == (4, 0)
    assert figures.makespan > 24 * 3600
    assert figures.cost - figures.idle_cost == pytest.approx(2 * 0.06, abs=1e-4)
    assert run(place, jobs(3600, count=4)).succeeded == 4


def virtual_attempt(**conditions) -> tuple[VirtualExecutor, StopAttempt]:
    """An attempt of ten seconds that was placed at 0, and the order to stop it."""
    submission = jobs(10)
    job = Job(id="j", name="n", queue="q", definition="d:1", container=Container(image=""), created_at=0)
    executor = VirtualExecutor(Conditions(**conditions), Random(1))
    executor.work["j"] = Work(submission, 0, sampler(submission.durations), (10_000,))
    run = Run(id="j", status=JobStatus.STARTING, created_at=0, attempt=1)
    executor.carry_out([Placed(LiveJob(job=job, run=run, sequence=1), None, run)], 0)
    return executor, StopAttempt(job_id="j", attempt=1)


def test_the_end_of_a_virtual_attempt_tells_its_start():
    """As executors' reports do; nothing else happens."""
    executor, _ = virtual_attempt(start=5)
    assert executor.next_time() == 15_000
    end = executor.happen()
    assert (end.started_at, end.stopped_at, end.exit_code) == (5_000, 15_000, 0)
    assert executor.next_time() is None


@pytest.mark.parametrize(("asked_at", "started_at"), [(4_999, None), (5_000, 5_000)])
def test_a_virtual_attempt_that_is_stopped_before_it_began_has_no_start(asked_at, started_at):
    """To the millisecond."""
    executor, stop = virtual_attempt(start=5)
    executor.carry_out([stop], asked_at)
    assert executor.next_time() == asked_at
    end = executor.happen()
    assert (end.started_at, end.stopped_at, end.exit_code) == (started_at, asked_at, 143)
    assert executor.next_time() is None


def test_a_job_that_fits_nowhere_is_told():
    """The run ends, the job is unfinished, and AWS's reason is in the figures."""
    figures = run(world(), jobs(1, resources=Resources(vcpus=1, memory=999_999)))
    assert figures.unfinished == 1
    assert "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT" in figures.stuck


def test_jobs_wait_for_those_they_come_after():
    """A chain takes as long as its links, also when the first ended before the last was submitted."""
    assert run(world(), jobs(10), jobs(20, after=(0,)), jobs(5, at=60, after=(0, 1))).makespan == 65
    assert run(world(), jobs(10), jobs(20, after=(0,))).makespan == 30


def test_a_dependency_that_failed_fails_its_dependents():
    """Also one that had failed before its dependent was submitted."""
    figures = run(world(), jobs(1, failure=1.0), jobs(1, after=(0,)), jobs(1, at=100, after=(0,)))
    assert figures.failed == 3


def test_a_submission_cannot_wait_for_a_later_one():
    """The error names both."""
    with pytest.raises(OptionError, match="Submission 0 waits for 1"):
        run(world(), jobs(1, after=(1,)), jobs(1, at=5))


def test_an_unknown_queue_is_refused():
    """The error names the queues there are."""
    with pytest.raises(OptionError, match=r"no job queue .Q.\. There are: q"):
        run(world(), Submission(queue="Q", durations=Fixed(seconds=1)))


def test_figures_are_told_by_queue_and_share():
    """Groups add up to the whole."""
    figures = run(world(), jobs(10, count=4, share_identifier="a"), jobs(10, count=2, share_identifier="b"))
    assert [(group.queue, group.share, group.jobs) for group in figures.groups] == [
        ("q", "a", 4),
        ("q", "b", 2),
    ]
    assert figures.groups[1].wait.mean == 10
    assert sum(group.cost for group in figures.groups) == pytest.approx(figures.cost - figures.idle_cost)


DURATIONS = st.one_of(
    st.builds(Fixed, seconds=st.floats(0, 500)),
    st.builds(Uniform, low=st.floats(0, 10), high=st.floats(10, 500)),
    st.builds(Exponential, mean=st.floats(0.1, 300)),
    st.builds(Lognormal, median=st.floats(0.1, 300), sigma=st.floats(0, 1)),
    st.builds(Empirical, seconds=st.lists(st.floats(0, 500), min_size=1).map(tuple)),
    st.builds(Measured, seconds=st.lists(st.floats(0, 500), min_size=1).map(tuple)),
)
WORKLOADS = st.lists(
    st.builds(
        Submission,
        queue=st.just("q"),
        durations=DURATIONS,
        at=st.floats(0, 1000),
        count=st.integers(1, 4),
        every=st.floats(0, 100),
        size=st.sampled_from([None, None, 2, 5]),
        resources=st.builds(
            Resources, vcpus=st.sampled_from([1.0, 2.0]), memory=st.sampled_from([512, 6000])
        ),
        attempts=st.integers(1, 3),
        timeout=st.sampled_from([None, 60]),
        failure=st.sampled_from([0.0, 0.3]),
        share_identifier=st.sampled_from([None, "a", "b"]),
    ),
    min_size=1,
    max_size=5,
)
WORLDS = st.builds(
    world,
    max_vcpus=st.integers(2, 9),
    types=st.sampled_from([("m6i.large",), ("optimal",)]),
    resource_type=st.sampled_from(["EC2", "SPOT"]),
    idle_seconds=st.integers(1, 300),
    launch_seconds=st.sampled_from([0, 40]),
    interruptions=st.sampled_from([{}, {"*": 5.0}]),
    strategy=st.sampled_from(["BEST_FIT", "BEST_FIT_PROGRESSIVE"]).map(AllocationStrategy),
    conditions=st.builds(
        Conditions,
        start=st.sampled_from([0.0, 2.5]),
        stop=st.sampled_from([0.0, 10.0]),
        machine=st.sampled_from([None, Resources(vcpus=2, memory=8000)]),
    ),
)


@settings(max_examples=60, deadline=None)
@given(place=WORLDS, workload=WORKLOADS, seed=st.integers(0, 9))
def test_random_worlds_end_every_job_once_within_their_capacity(place, workload, seed):
    """The state's invariants hold after each event, every job ends once, and the numbers can be."""
    figures = run(place, *workload, seed=seed)
    assert figures.jobs == sum(submission.tasks for submission in workload)
    assert figures.succeeded + figures.failed == figures.jobs
    assert (figures.unfinished, figures.stuck) == (0, "")
    assert figures.attempts >= figures.jobs
    assert 0 <= figures.idle_cost <= figures.cost <= figures.on_demand
    assert figures.used_vcpu_hours <= figures.vcpu_hours + 1e-9
    assert figures.peak_hosts <= figures.hosts
    assert run(place, *workload, seed=seed, watch=None) == figures
    told = replace(place, events=(*place.events, BudgetChanged(dollars=1e9)))
    assert run(told, *workload, seed=seed) == figures, "where every start is reported by itself"


@settings(max_examples=40, deadline=None)
@given(lengths=st.lists(st.integers(1, 900), min_size=1, max_size=12), vcpus=st.integers(2, 9))
def test_no_run_is_shorter_than_its_critical_path_or_its_work(lengths, vcpus):
    """A chain takes at least its sum, independent jobs at least the work over the vCPUs."""
    chain = [jobs(length, after=(place - 1,) if place else ()) for place, length in enumerate(lengths)]
    assert run(world(max_vcpus=vcpus), *chain).makespan == sum(lengths)
    spread = run(world(max_vcpus=vcpus), *map(jobs, lengths))
    assert spread.makespan >= max(*lengths, sum(lengths) / vcpus)
    assert spread.makespan <= sum(lengths)


def test_every_world_gets_the_same_work_from_a_seed():
    """What is drawn for the jobs does not depend on where they run."""
    work = Submission(queue="q", durations=Lognormal(median=60, sigma=1), count=50, failure=0.2)
    small, large = run(world(max_vcpus=2), work), run(world(max_vcpus=32), work)
    assert small.used_vcpu_hours == pytest.approx(large.used_vcpu_hours)
    assert small.failed == large.failed
    assert run(world(), work, seed=2).used_vcpu_hours != small.used_vcpu_hours


def driven() -> DrivenWorld:
    """A real run's events: two jobs and an array on one host of two vCPUs."""
    real = DrivenWorld(max_vcpus=2)
    for job in (real.submit(), real.submit()):
        real.start(job)
    array = real.submit(size=2)
    real.wait(30)
    real.exit("job-0001", started_at=None)
    real.exit("job-0002", started_at=None)
    real.start(f"{array}:0")
    real.start(f"{array}:1")
    real.wait(10)
    real.exit(f"{array}:0", started_at=None)
    real.wait(5)
    real.exit(f"{array}:1", started_at=None)
    return real


def test_a_recorded_run_is_replayed_to_the_same_state_and_told_in_figures():
    """The event log leads to the same state, and answers what a simulation answers."""
    real = driven()
    state = SchedulerState(catalogue=catalogue(), seed=7)
    figures = replay(state, real.log)
    assert state == real.state
    assert (figures.jobs, figures.makespan, figures.wait.longest) == (4, 45, 30)


def test_a_recorded_run_is_a_workload_for_other_worlds():
    """Its jobs with their measured durations run again: the same here, faster in a larger world."""
    workload = workload_of(driven().log)
    assert [(known.size, known.durations) for known in workload] == [
        (None, Measured(seconds=(30.0,))),
        (None, Measured(seconds=(30.0,))),
        (2, Measured(seconds=(10.0, 15.0))),
    ]
    assert run(world(max_vcpus=2), *workload).makespan == 45
    assert run(world(max_vcpus=4), *workload).makespan == 30
