"""CancelJobs, TerminateJobs and TerminateServiceJobs over HTTP."""

import pytest
from botocore.exceptions import ClientError
from served import submit


def states(batch, *ids):
    return {
        job["jobId"]: (job["status"], job.get("statusReason"))
        for job in batch.describe_jobs(jobs=list(ids))["jobs"]
    }


def test_many_jobs_are_terminated_at_once(served, batch):
    """What runs is stopped, what waits ends, unknown and finished ids are successful and unchanged."""
    running, done = submit(batch), submit(batch)
    waiting = submit(batch, dependsOn=[{"jobId": running}])
    served.start(running)
    served.exit(done)
    ids = [running, waiting, done, "unknown", f"{running}:007"]
    reply = batch.terminate_jobs(jobs=[*ids, "not/an id"], reason="enough")
    assert reply["successful"] == ids
    assert [(error["job"], error["code"]) for error in reply["errors"]] == [
        ("not/an id", "ValidationException")
    ]
    assert served.stops() == [running]
    assert states(batch, waiting, done) == {
        waiting: ("FAILED", "enough"),
        done: ("SUCCEEDED", "Essential container in task exited"),
    }


def test_many_jobs_are_cancelled_at_once(served, batch):
    """What runs goes on."""
    running = submit(batch)
    served.start(running)
    waiting = submit(batch, dependsOn=[{"jobId": running}])
    reply = batch.cancel_jobs(jobs=[running, waiting], reason="not needed")
    assert reply["successful"] == [running, waiting]
    served.exit(running)
    assert states(batch, running, waiting)[waiting] == ("FAILED", "not needed")
    assert states(batch, running)[running][0] == "SUCCEEDED"


def test_service_jobs_are_unknown_here(batch):
    """No service job exists, so every id is one that is over."""
    assert batch.terminate_service_jobs(jobs=["a"], reason="r")["successful"] == ["a"]


@pytest.mark.parametrize("operation", ["cancel_jobs", "terminate_jobs", "terminate_service_jobs"])
def test_too_many_ids_and_long_reasons_are_refused(batch, operation):
    """50 ids and 1,024 characters are AWS's limits."""
    call = getattr(batch, operation)
    with pytest.raises(ClientError, match="may have 1 to 50") as caught:
        call(jobs=[str(number) for number in range(51)], reason="r")
    assert caught.value.response["Error"]["Code"] == "ClientException"
    with pytest.raises(ClientError, match="at most 1024"):
        call(jobs=["a"], reason="r" * 1025)
