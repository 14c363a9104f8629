"""Spot under the virtual clock: notice, SIGTERM, the end, what AWS says of it, and what is lost."""

import pytest
from world import World

from nbbatch.model.fleet import HostStatus
from nbbatch.model.jobs import EvaluateOnExit, JobStatus
from nbbatch.scheduler.cost import charged, tally_of
from nbbatch.scheduler.draining import standing_stops
from nbbatch.scheduler.spot import interruption_time

SECOND, HOUR = 1000, 3_600_000


def spot(**more) -> World:
    return World(resource_type="SPOT", **more)


def test_the_notice_stops_attempts_and_takes_no_more_jobs():
    """SIGTERM with the notice as its grace; the host drains, and the next job gets another host."""
    world = spot()
    first = world.submit()
    (host,) = world.hosts()
    world.interrupt(first)
    assert world.stopping[first].grace_seconds == 120
    assert host.host.status is HostStatus.DRAINING
    second = world.submit()
    assert world.run_of(second).host != host.host.id


def test_an_interrupted_attempt_fails_as_aws_says_and_is_tried_again_in_front():
    """Host EC2 terminated, no exit code; RUNNABLE at the front of the queue."""
    world = spot(max_vcpus=2)
    first = world.submit(vcpus=2, attempts=2)
    world.submit(vcpus=2)
    lost = world.run_of(first).host
    world.interrupt(first)
    world.start(first)
    world.exit(first, 143)
    (attempt,) = world.run_of(first).attempts
    assert attempt.status_reason == f"Host EC2 (instance {lost}) terminated."
    assert attempt.exit_code is None
    assert attempt.is_lost
    assert attempt.is_spot
    assert world.status(first) is JobStatus.STARTING, "it is in front, and the lost host has made room"
    assert world.run_of(first).host != lost


def test_a_host_is_reclaimed_once_and_only_by_spot():
    """The notice is noted for whoever counts, also of an idle host; a second one and capacity on demand are not."""
    world = spot()
    job = world.submit()
    idle = world.submit(vcpus=2)
    world.exit(idle)
    for target in (job, job, next(host.host.id for host in world.hosts() if not host.occupants)):
        world.interrupt(target)
    assert len(world.reclaimed) == len({host.id for host in world.reclaimed}) == 2
    steady = World()
    steady.interrupt(steady.submit())
    assert steady.reclaimed == []


def test_success_after_the_notice_is_success():
    """A job that handles SIGTERM and exits 0 has SUCCEEDED."""
    world = spot()
    job = world.submit(attempts=3)
    world.interrupt(job)
    world.exit(job, 0)
    assert world.status(job) is JobStatus.SUCCEEDED
    assert not world.finished[job].attempts[0].is_lost
    assert not world.hosts()


def test_a_code_of_its_own_is_kept_beside_the_reason():
    """Only the codes that mean a signal are left out."""
    world = spot()
    job = world.submit()
    world.interrupt(job)
    world.exit(job, 3)
    run = world.finished[job]
    assert run.attempts[0].exit_code == 3
    assert run.status_reason.startswith("Host EC2 (instance i-")


def test_the_usual_retry_rule_tells_spot_from_failure():
    """OnStatusReason `Host EC2*` retries, everything else exits."""
    rules = (
        EvaluateOnExit(action="retry", on_status_reason="Host EC2*"),
        EvaluateOnExit(action="exit", on_reason="*"),
    )
    world = spot()
    lost, failed = world.submit(attempts=5, rules=rules), world.submit(attempts=5, rules=rules)
    world.exit(failed, 1)
    world.interrupt(lost)
    world.exit(lost, 137)
    assert world.status(failed) is JobStatus.FAILED
    assert world.status(lost) is JobStatus.STARTING


def test_fargate_spot_has_its_own_words():
    """Exit code 137 and the task's reason."""
    world = World(resource_type="FARGATE_SPOT", types=())
    job = world.submit()
    world.interrupt(job)
    world.exit(job, 143)
    run = world.finished[job]
    assert (run.status_reason, run.attempts[0].exit_code) == ("Your Spot Task was interrupted.", 137)


def test_a_callers_reason_stays_when_the_host_goes_too():
    """TerminateJob came first: its reason, and no retry."""
    world = spot()
    job = world.submit(attempts=3)
    world.terminate(job, "enough")
    world.interrupt(job)
    world.exit(job, 137)
    assert (world.status(job), world.finished[job].status_reason) == (JobStatus.FAILED, "enough")


def test_interruptions_come_at_their_rate_and_the_same_in_a_replay():
    """Drawn when the host is launched, by seed and id; about the rate's mean over many hosts."""
    times = [interruption_time(7, f"i-{number}", 2.0, 0) for number in range(4000)]
    assert times == [interruption_time(7, f"i-{number}", 2.0, 0) for number in range(4000)]
    assert sum(times) / len(times) == pytest.approx(HOUR / 2, rel=0.05)
    assert interruption_time(7, "i-1", 0.0, 0) is None


def test_a_rate_reclaims_hosts_by_itself():
    """The notice comes at the drawn time, to the millisecond, also for an idle host."""
    world = spot(interruptions={"*": 1.0}, notice_seconds=10, idle_seconds=10**6)
    job = world.submit()
    (host,) = world.hosts()
    due = host.host.stops_at
    world.pass_until(due - 1)
    assert not world.stopping
    world.pass_until(due)
    assert world.stopping[job].grace_seconds == 10
    assert host.host.ends_at == due + 10 * SECOND
    world.exit(job, 0)
    world.submit()
    world.run_all()
    (idle,) = world.hosts()
    world.pass_until(idle.host.stops_at)
    assert not world.hosts()


def test_on_demand_hosts_have_no_rate():
    """Interruptions are Spot's."""
    world = World(interruptions={"*": 1000.0})
    world.submit()
    assert world.hosts()[0].host.stops_at is None


def test_a_whole_pool_can_be_interrupted():
    """Named by its instance type: every Spot host of it, and no other."""
    world = spot(types=("m6i.large",), max_vcpus=100)
    world.add_environment("calm", max_vcpus=8, types=("m6i.large",))
    world.add_queue("on-demand", "calm")
    world.submit(size=6)
    other = world.submit(queue="on-demand")
    world.interrupt("m6i.large")
    assert len(world.stopping) == 6
    assert other not in world.stopping


def test_minimum_vcpus_are_warm_again_after_a_reclaim():
    """What Spot took is launched anew."""
    world = spot(min_vcpus=2)
    (host,) = world.hosts()
    world.interrupt(host.host.id)
    (again,) = world.hosts()
    assert again.host.id != host.host.id


def test_lost_work_is_in_the_tally():
    """Seconds and dollars of the attempt that went with its host, besides the sums that contain them."""
    world = spot()
    job = world.submit(attempts=2)
    world.start(job)
    begun = world.now
    world.now += HOUR // 2
    world.interrupt(job)
    world.exit(job, 143, started_at=begun)
    begun = world.now
    world.start(job)
    world.now += HOUR
    world.exit(job, 0, started_at=begun)
    tally = tally_of([world.finished[job]])
    assert tally.lost_milliseconds == HOUR // 2
    assert tally.lost_cost == pytest.approx(0.096 / 2 / 2)
    assert tally.cost == pytest.approx(tally.lost_cost * 3)
    assert 0 < tally.lost_spot_cost < tally.lost_cost
    first = world.finished[job].attempts[0]
    assert charged(first) == first.spot_price


def test_a_daemon_that_comes_back_repeats_the_stop_with_what_is_left_of_the_notice():
    """Whether the attempt was told nobody knows."""
    world = spot()
    job = world.submit()
    world.interrupt(job)
    world.now += 100 * SECOND
    (order,) = standing_stops(world.state, world.now)
    assert (order.job_id, order.attempt, order.grace_seconds) == (job, 1, 20)
