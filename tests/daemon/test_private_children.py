"""All children of an array in one answer, while it goes on and when it is over."""

import json

from served import submit


def test_each_child_is_where_listjobs_says(served, batch):
    """Statuses by index, attempts with their hosts, ends that are alike told once."""
    array = submit(batch, arrayProperties={"size": 6}, retryStrategy={"attempts": 2})
    served.start(f"{array}:1")
    served.exit(f"{array}:0")
    for _ in range(2):
        served.exit(f"{array}:2", 7)
        served.exit(f"{array}:4", 7)
    served.exit(f"{array}:5", 3)
    told = served.private("children", {"jobId": array})
    listed = {
        one["arrayProperties"]["index"]: status
        for status in ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")
        for one in batch.list_jobs(arrayJobId=array, jobStatus=status)["jobSummaryList"]
    }
    codes = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")
    assert [codes[int(digit)] for digit in told["statuses"]] == [listed[index] for index in range(6)]
    assert sorted(told["attempts"]["index"]) == [0, 1, 2, 2, 4, 4, 5]
    running = told["attempts"]["index"].index(1)
    assert told["attempts"]["stoppedAt"][running] is None
    assert told["attempts"]["stoppedAt"].count(None) == 1
    assert all(0 <= host < len(told["hosts"]) for host in told["attempts"]["host"])
    assert told["failed"]["index"] == [2, 4]
    assert told["failed"]["end"] == [0, 0]
    assert told["ends"][0]["container"]["exitCode"] == 7


def test_an_array_that_is_over_is_told_as_before(served, batch):
    """From the rows alone, a cancelled child without an attempt among them."""
    array = submit(batch, arrayProperties={"size": 3})
    served.exit(f"{array}:0")
    batch.terminate_job(jobId=f"{array}:2", reason="enough")
    served.exit(f"{array}:1", 1)
    served.exit(f"{array}:2", 143)
    told = served.private("children", {"jobId": array})
    assert told["statuses"] == "566"
    assert told["failed"]["index"] == [1, 2]
    assert len(told["ends"]) == 2
    assert told["ends"][told["failed"]["end"][1]]["isTerminated"]


def test_what_is_no_array_is_refused(served, batch):
    """A single job, and an id that nobody knows."""
    for job_id in (submit(batch), "3f2a9c1e-0000-4000-8000-000000000000"):
        body = json.dumps({"jobId": job_id}).encode()
        status, _, reply = served.send_signed("POST", "/nbbatch/v1/children", body)
        assert status == 400
        assert reply["message"] == f"jobId: there is no array job {job_id}."
