import pytest
from world import World

from nbbatch.model.events import CancelRequested, TerminateRequested
from nbbatch.scheduler.commands.stop_jobs import cancel_job, terminate_job


@pytest.mark.parametrize("command", [cancel_job, terminate_job])
def test_jobs_that_cannot_change_are_left_alone(command):
    """Unknown and finished jobs: success, and no event."""
    world = World()
    job, array = world.submit(), world.submit(size=2)
    world.exit(job)
    world.exit(f"{array}:0")
    for gone in ("unknown", job, f"{array}:0", f"{array}:7", "", "x" * 1000, f"{array}:{'9' * 9999}"):
        assert command(world.state, gone, "why") == ([], None)


def test_a_live_job_is_asked_to_end():
    """With the caller's reason, whatever it is: parent, child, single job."""
    world = World()
    job, array = world.submit(), world.submit(size=2)
    for job_id in (job, array, f"{array}:1"):
        assert cancel_job(world.state, job_id, "r")[0] == [CancelRequested(job_id=job_id, reason="r")]
        assert terminate_job(world.state, job_id, "r")[0] == [TerminateRequested(job_id=job_id, reason="r")]
