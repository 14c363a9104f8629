from world import World

from nbbatch.model.jobs import JobStatus
from nbbatch.scheduler.state import CODE

S = JobStatus


def counts(world, job):
    return {
        status: n for status, n in zip(JobStatus, world.state.jobs[job].children.counts, strict=True) if n
    }


def test_a_parent_is_pending_until_every_child_is_done():
    """The parent of an array is never RUNNING; it SUCCEEDs when all children did."""
    world = World(max_vcpus=2)
    job = world.submit(size=3)
    assert world.status(job) is S.PENDING
    assert counts(world, job) == {S.RUNNABLE: 1, S.STARTING: 2}
    world.run_all()
    assert world.finished[job].status is S.SUCCEEDED
    assert world.finished[job].attempts == ()
    assert {world.finished[f"{job}:{i}"].status for i in range(3)} == {S.SUCCEEDED}


def test_a_failed_child_fails_the_parent_only_at_the_end():
    """The others go on; then the parent is FAILED with AWS's reason."""
    world = World(max_vcpus=2)
    job = world.submit(size=4)
    world.exit(f"{job}:0", 1)
    assert world.status(job) is S.PENDING
    world.run_all()
    assert world.finished[job].status_reason == "Array Child Job failed"
    assert [world.finished[f"{job}:{i}"].status for i in range(4)] == [S.FAILED] + [S.SUCCEEDED] * 3


def test_children_are_started_in_order_and_told_their_index():
    """AWS_BATCH_JOB_ARRAY_INDEX is 0-based; the size is there too."""
    world = World(max_vcpus=2)
    job = world.submit(size=5)
    variables = dict(world.running[f"{job}:1"].environment)
    assert (variables["AWS_BATCH_JOB_ARRAY_INDEX"], variables["AWS_BATCH_JOB_ARRAY_SIZE"]) == ("1", "5")
    assert variables["AWS_BATCH_JOB_ID"] == f"{job}:1"
    world.run_all()
    assert world.order == [f"{job}:{i}" for i in range(5)]


def test_a_retried_child_does_not_bring_its_siblings_to_the_front():
    """Only the failed child goes to the front, not its array."""
    world = World(max_vcpus=2)
    early = world.submit(vcpus=2)
    other = world.submit(vcpus=2)
    array = world.submit(size=3, vcpus=2, attempts=2)
    world.exit(early)
    world.exit(other)
    late = world.submit(vcpus=2)
    world.exit(f"{array}:0", 1)
    assert world.order[-1] == f"{array}:0"
    world.exit(f"{array}:0")
    world.run_all()
    assert world.order[3:] == [f"{array}:0", f"{array}:1", f"{array}:2", late]


def test_ten_thousand_children_cost_a_byte_each_while_they_wait():
    """Children are lazy: only those that run have objects."""
    world = World(max_vcpus=4)
    job = world.submit(size=10_000)
    children = world.state.jobs[job].children
    assert len(children.statuses) == 10_000
    assert len(children.runs) == 4


def test_an_array_runs_to_its_end_with_failures_and_retries():
    """Every child ends exactly once, each with as many attempts as it needed."""
    world = World(max_vcpus=8)
    job = world.submit(size=50, attempts=2)
    while world.running:
        child = next(iter(world.running))
        index, attempt = int(child.partition(":")[2]), world.running[child].attempt
        world.exit(child, 1 if index % 7 == 0 and (attempt == 1 or index % 2) else 0)
    failed = [i for i in range(50) if world.finished[f"{job}:{i}"].status is S.FAILED]
    assert failed == [i for i in range(50) if i % 7 == 0 and i % 2]
    assert all(len(world.finished[f"{job}:{i}"].attempts) == 1 + (i % 7 == 0) for i in range(50))


def test_cancel_of_a_parent_ends_waiting_children_and_leaves_running_ones():
    """CancelJob fans out; STARTING and RUNNING children go on; the parent then fails with the reason."""
    world = World(max_vcpus=2)
    job = world.submit(size=5)
    world.cancel(job, "stop")
    assert counts(world, job) == {S.STARTING: 2, S.FAILED: 3}
    world.run_all()
    assert world.finished[job].status_reason == "stop"
    assert world.finished[job].is_cancelled
    assert world.finished[f"{job}:4"].status_reason == "stop"
    assert world.finished[f"{job}:0"].status is S.SUCCEEDED


def test_terminate_of_a_parent_stops_running_children_too():
    """TerminateJob fans out to all children."""
    world = World(max_vcpus=2)
    job = world.submit(size=5)
    world.terminate(job, "stop")
    assert set(world.stopping) == {f"{job}:0", f"{job}:1"}
    world.run_all(143)
    assert {run.status_reason for run in world.finished.values()} == {"stop"}


def test_one_child_can_be_cancelled_without_its_siblings():
    """The siblings go on; the parent fails in the end."""
    world = World(max_vcpus=2)
    job = world.submit(size=4)
    world.cancel(f"{job}:3", "not this one")
    world.run_all()
    assert [world.finished[f"{job}:{i}"].status for i in range(4)] == [S.SUCCEEDED] * 3 + [S.FAILED]
    assert world.finished[job].status is S.FAILED


def test_a_sequential_array_runs_one_child_after_the_other():
    """SEQUENTIAL without a job id: child i+1 waits for child i."""
    world = World()
    job = world.submit(size=4, sequential=True)
    assert counts(world, job) == {S.PENDING: 3, S.STARTING: 1}
    world.exit(f"{job}:0")
    assert world.order == [f"{job}:0", f"{job}:1"]
    world.run_all()
    assert world.finished[job].status is S.SUCCEEDED


def test_a_broken_chain_fails_all_later_children():
    """After a failure in a SEQUENTIAL array the rest fail without running."""
    world = World()
    job = world.submit(size=2_000, sequential=True)
    world.exit(f"{job}:0")
    world.exit(f"{job}:1", 1)
    assert world.finished[f"{job}:1999"].status_reason == "Dependent Job failed"
    assert world.finished[job].status is S.FAILED
    assert not world.running


def test_counts_of_children_are_kept_not_scanned():
    """The counts always equal a count of the bytes."""
    world = World(max_vcpus=4)
    job = world.submit(size=100)
    world.exit(f"{job}:0", 1)
    children = world.state.jobs[job].children
    assert children.counts[CODE[S.FAILED]] == 1
    assert sum(children.counts) == 100
