from world import World, hosts

from nbbatch.model.events import AttemptExited
from nbbatch.model.jobs import EvaluateOnExit, JobStatus

S = JobStatus


def test_a_job_goes_through_starting_and_running_to_succeeded():
    """Exit code 0 makes a job SUCCEEDED, with one attempt on record."""
    world = World()
    job = world.submit()
    assert world.status(job) is S.STARTING
    world.start(job)
    assert world.status(job) is S.RUNNING
    world.now += 5_000
    world.exit(job, started_at=world.now - 5_000)
    run = world.finished[job]
    assert run.status is S.SUCCEEDED
    assert [(a.number, a.exit_code, a.stopped_at - a.started_at) for a in run.attempts] == [(1, 0, 5_000)]
    assert run.status_reason == "Essential container in task exited"
    assert job not in world.state.jobs


def test_another_exit_code_fails_the_job():
    """Without retries one bad exit is the end, with the true exit code on the attempt."""
    world = World()
    job = world.submit()
    world.exit(job, 3)
    assert world.finished[job].status is S.FAILED
    assert world.finished[job].attempts[0].exit_code == 3


def test_attempts_left_mean_runnable_again_at_the_front():
    """A failed attempt goes back in front of jobs that wait longer (best practices)."""
    world = World(max_vcpus=2)
    first = world.submit(vcpus=2, attempts=2)
    waiting = world.submit(vcpus=2)
    world.exit(first, 1)
    assert world.order == [first, first]
    assert world.status(waiting) is S.RUNNABLE
    world.exit(first, 1)
    assert world.finished[first].status is S.FAILED
    assert [attempt.number for attempt in world.finished[first].attempts] == [1, 2]
    assert world.status(waiting) is S.STARTING


def test_evaluate_on_exit_takes_the_first_rule_that_matches():
    """Rules are tried in order; none matching means retry (user guide, job retries)."""
    rules = (
        EvaluateOnExit(action="retry", on_status_reason="Host EC2*"),
        EvaluateOnExit(action="exit", on_reason="*"),
    )
    world = World()
    job = world.submit(attempts=5, rules=rules)
    world.vanish(job)
    assert world.status(job) is S.STARTING
    world.exit(job, 1)
    assert world.finished[job].status is S.FAILED
    assert [attempt.exit_code for attempt in world.finished[job].attempts] == [None, 1]


def test_a_second_report_of_the_same_end_changes_nothing():
    """Reports may come twice; the attempt ends once."""
    world = World()
    job = world.submit(attempts=3)
    world.exit(job, 1)
    world.happen(AttemptExited(job_id=job, attempt=1, exit_code=0, stopped_at=world.now))
    assert world.status(job) is S.STARTING
    assert world.run_of(job).attempt == 2


def test_a_vanished_attempt_counts_as_a_lost_host():
    """What no executor knows any more ends like a terminated EC2 host."""
    world = World()
    job = world.submit()
    world.start(job)
    host = world.run_of(job).host
    world.vanish(job)
    assert world.finished[job].status_reason == f"Host EC2 (instance {host}) terminated."


def test_fifo_head_blocks_those_behind_it():
    """A job that does not fit yet keeps its place; nothing overtakes it."""
    world = World(max_vcpus=4, types=("m6i.xlarge",))
    running = world.submit(vcpus=3)
    large = world.submit(vcpus=4)
    small = world.submit(vcpus=1)
    assert (world.status(large), world.status(small)) == (S.RUNNABLE, S.RUNNABLE)
    world.exit(running)
    assert world.order == [running, large]
    world.exit(large)
    assert world.order == [running, large, small]


def test_higher_priority_queue_goes_first():
    """Queues that share an environment are served by descending priority."""
    world = World(max_vcpus=2)
    world.add_queue("urgent", "ce", priority=10)
    first = world.submit(vcpus=2)
    ordinary = world.submit(vcpus=2)
    urgent = world.submit(vcpus=2, queue="urgent")
    world.exit(first)
    assert world.status(urgent) is S.STARTING
    assert world.status(ordinary) is S.RUNNABLE


def test_second_environment_takes_what_the_first_cannot():
    """Environments of a queue are tried in their order."""
    world = World(max_vcpus=2)
    world.add_environment("overflow", max_vcpus=8, types=("c6i.large",))
    world.add_queue("both", "ce", "overflow", priority=5)
    jobs = [world.submit(vcpus=2, queue="both") for _ in range(2)]
    assert [world.run_of(job).instance_type for job in jobs] == ["m6i.large", "c6i.large"]


def test_the_cheapest_type_that_fits_is_launched():
    """BEST_FIT: the job's size picks the type, the price picks among those."""
    world = World(types=("optimal",), max_vcpus=64)
    small, big = world.submit(memory=512), world.submit(memory=12_000)
    assert [world.run_of(job).instance_type for job in (small, big)] == ["c6i.large", "r6i.large"]


def test_nominal_memory_of_a_host_is_not_all_for_jobs():
    """A job that asks for the whole 8 GiB of an m6i.large does not fit on it."""
    world = World()
    job = world.submit(memory=8192)
    assert world.status(job) is S.RUNNABLE
    assert world.run_of(job).status_reason.startswith("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT")


def test_gpus_are_given_to_one_job_each():
    """A host's GPUs are counted like its vCPUs."""
    world = World(types=("g4dn.xlarge",), max_vcpus=4)
    first, second = world.submit(gpus=1), world.submit(gpus=1)
    assert (world.status(first), world.status(second)) == (S.STARTING, S.RUNNABLE)


def test_idle_hosts_go_after_their_time_and_not_before():
    """Scale to zero: a host without jobs is given back after idle_seconds."""
    world = World(idle_seconds=60)
    job = world.submit()
    world.exit(job)
    world.wait(59)
    assert hosts(world) == 1
    world.wait(1)
    assert hosts(world) == 0


def test_a_timeout_stops_the_attempt_and_is_never_retried():
    """After attemptDurationSeconds from startedAt the attempt is stopped; the job FAILS."""
    world = World()
    job = world.submit(timeout=60, attempts=3)
    world.start(job)
    world.wait(59)
    assert not world.stopping
    world.wait(1)
    assert world.stopping[job].grace_seconds == 30
    world.exit(job, 143)
    run = world.finished[job]
    assert (run.status, run.status_reason) == (S.FAILED, "Job attempt duration exceeded timeout")


def test_the_clock_of_a_timeout_starts_anew_with_each_attempt():
    """A retried attempt has its full time."""
    world = World()
    job = world.submit(timeout=60, attempts=2)
    world.start(job)
    world.wait(50)
    world.exit(job, 1)
    world.start(job)
    world.wait(50)
    assert not world.stopping
    world.wait(10)
    assert job in world.stopping


def test_cancel_ends_what_waits_and_leaves_what_runs():
    """CancelJob on a RUNNABLE job fails it with the caller's reason; on a RUNNING job it does nothing."""
    world = World(max_vcpus=2)
    running, waiting = world.submit(vcpus=2), world.submit(vcpus=2)
    world.start(running)
    world.cancel(waiting, "changed my mind")
    world.cancel(running, "changed my mind")
    assert world.finished[waiting].status_reason == "changed my mind"
    assert world.finished[waiting].is_cancelled
    assert world.finished[waiting].attempts == ()
    assert world.status(running) is S.RUNNING
    assert not world.stopping


def test_terminate_stops_a_running_job_for_good():
    """The caller's reason stays, whatever the container's death says, and nothing is retried."""
    world = World()
    job = world.submit(attempts=5)
    world.start(job)
    world.terminate(job, "enough")
    assert job in world.stopping
    world.exit(job, 137)
    run = world.finished[job]
    assert (run.status, run.status_reason, run.is_terminated) == (S.FAILED, "enough", True)


def test_terminate_of_a_finished_job_changes_nothing():
    """Terminating what is over is no error."""
    world = World()
    job = world.submit()
    world.exit(job)
    world.terminate(job)
    assert world.finished[job].status is S.SUCCEEDED
