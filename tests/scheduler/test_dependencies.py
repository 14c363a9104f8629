from world import World

from nbbatch.model.jobs import JobStatus

S = JobStatus


def test_a_job_waits_for_all_it_depends_on():
    """PENDING until every dependency SUCCEEDED."""
    world = World()
    first, second = world.submit(), world.submit()
    job = world.submit(after=[first, second])
    world.exit(first)
    assert world.status(job) is S.PENDING
    world.exit(second)
    assert world.status(job) is S.STARTING


def test_a_failed_dependency_fails_the_whole_chain_without_an_attempt():
    """AWS's reason, no attempts, through any number of steps."""
    world = World()
    first = world.submit()
    chain = [first]
    for _ in range(150):
        chain.append(world.submit(after=[chain[-1]]))
    world.exit(first, 1)
    assert world.finished[chain[-1]].status_reason == "Dependent Job failed"
    assert world.finished[chain[-1]].attempts == ()
    assert not world.state.jobs


def test_a_dependency_that_succeeded_before_is_met_at_once():
    """What has already SUCCEEDED holds nobody up."""
    world = World()
    first = world.submit()
    world.exit(first)
    assert world.status(world.submit(after=[first])) is S.STARTING


def test_a_dependency_that_failed_before_fails_the_job():
    """What has already FAILED fails its new dependent."""
    world = World()
    first = world.submit()
    world.exit(first, 1)
    assert world.status(world.submit(after=[first])) is S.FAILED
    assert world.status(world.submit(after=[first], size=3)) is S.FAILED


def test_a_dependency_on_an_array_waits_for_all_its_children():
    """A plain dependency on a parent is on the whole array."""
    world = World()
    array = world.submit(size=2)
    job = world.submit(after=[array])
    world.exit(f"{array}:0")
    assert world.status(job) is S.PENDING
    world.exit(f"{array}:1")
    assert world.status(job) is S.STARTING


def test_an_array_waits_as_a_whole():
    """All children are PENDING until the dependency is met, then all are RUNNABLE."""
    world = World(max_vcpus=2)
    first = world.submit(vcpus=2)
    array = world.submit(after=[first], size=3, vcpus=2)
    assert world.status(f"{array}:2") is S.PENDING
    world.exit(first)
    assert [world.status(f"{array}:{i}") for i in range(3)] == [S.STARTING, S.RUNNABLE, S.RUNNABLE]


def test_a_dependency_on_one_child_is_allowed():
    """`<id>:<index>` can be waited for like a job."""
    world = World()
    array = world.submit(size=2)
    job = world.submit(after=[f"{array}:1"])
    world.exit(f"{array}:1")
    assert world.status(job) is S.STARTING


def test_n_to_n_goes_item_by_item():
    """Child i waits for child i only, not for the whole other array."""
    world = World(max_vcpus=4)
    first = world.submit(size=4)
    second = world.submit(size=4, n_to_n=[first])
    world.exit(f"{first}:2")
    assert world.order[-1] == f"{second}:2"
    assert world.status(f"{second}:0") is S.PENDING
    world.exit(f"{first}:0", 1)
    assert world.finished[f"{second}:0"].status_reason == "Dependent Job failed"
    world.run_all()
    assert [world.finished[f"{second}:{i}"].status for i in range(4)] == [S.FAILED] + [S.SUCCEEDED] * 3


def test_n_to_n_on_a_finished_array_takes_its_failed_items_over():
    """Counterparts of children that failed before fail; the others run."""
    world = World()
    first = world.submit(size=3)
    world.exit(f"{first}:1", 1)
    world.run_all()
    second = world.submit(size=3, n_to_n=[first])
    world.run_all()
    assert [world.finished[f"{second}:{i}"].status for i in range(3)] == [S.SUCCEEDED, S.FAILED, S.SUCCEEDED]


def test_cancel_of_a_pending_job_takes_effect_when_its_dependencies_are_done():
    """A cancellation is seen at once, the end comes later (API reference, CancelJob)."""
    world = World()
    first = world.submit()
    job = world.submit(after=[first])
    array = world.submit(after=[first], size=2)
    world.cancel(job, "no")
    world.cancel(array, "no")
    assert world.status(job) is S.PENDING
    assert world.run_of(job).is_cancelled
    world.exit(first)
    assert world.finished[job].status_reason == "no"
    assert world.finished[array].status_reason == "no"
    assert not world.running


def test_a_cancelled_jobs_reason_outlives_a_failed_dependency():
    """Jobs, arrays and single children that were to be cancelled end with their caller's reason."""
    world = World()
    first = world.submit()
    job = world.submit(after=[first])
    array = world.submit(after=[first], size=2)
    partly = world.submit(after=[first], size=2)
    for cancelled in (job, array, f"{partly}:1"):
        world.cancel(cancelled, "no")
    world.exit(first, 1)
    assert {world.finished[one].status_reason for one in (job, f"{array}:0", f"{array}:1")} == {"no"}
    assert world.finished[f"{partly}:0"].status_reason == "Dependent Job failed"
    assert world.finished[f"{partly}:1"].status_reason == "no"
    assert world.finished[array].status is world.finished[partly].status is S.FAILED
    assert not world.running


def test_terminate_of_a_pending_job_is_immediate():
    """TerminateJob does not wait for dependencies."""
    world = World()
    first = world.submit()
    job = world.submit(after=[first])
    world.terminate(job, "no")
    assert world.finished[job].status_reason == "no"
    assert world.state.dependents == {}


def test_n_to_n_on_a_live_array_takes_its_failed_items_over():
    """A child that failed while its array goes on fails its counterpart at once."""
    world = World(max_vcpus=2)
    first = world.submit(size=3)
    world.exit(f"{first}:0", 1)
    second = world.submit(size=3, n_to_n=[first])
    assert world.finished[f"{second}:0"].status_reason == "Dependent Job failed"
    world.run_all()
    assert world.finished[second].status is S.FAILED
