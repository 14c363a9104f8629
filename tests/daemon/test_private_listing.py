"""Lists of jobs: large pages of a queue, and what changed among all jobs."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from served import submit


def queue_of(batch):
    return batch.describe_job_queues()["jobQueues"][0]["jobQueueName"]


def test_a_page_has_every_status_and_says_where_the_next_one_begins(served, batch):
    """Newest first, with the same members as ListJobs, and nbbatch's own variables only."""
    own = [{"name": "NBBATCH_KIND", "value": "notebook"}, {"name": "SECRET", "value": "x"}]
    ids = [submit(batch, containerOverrides={"environment": own}) for _ in range(3)]
    served.start(ids[0])
    served.exit(ids[0])
    first = served.private("listing", {"jobQueue": queue_of(batch), "limit": 2})
    assert [one["jobId"] for one in first["jobs"]] == [ids[2], ids[1]]
    assert first["jobs"][0]["container"]["environment"] == own[:1]
    second = served.private("listing", {"jobQueue": queue_of(batch), "limit": 2, "before": first["next"]})
    assert [(one["jobId"], one["status"]) for one in second["jobs"]] == [(ids[0], "SUCCEEDED")]
    assert second["next"] is None


def test_a_queue_that_is_not_there_is_refused(served, batch):
    """As ListJobs does."""
    body = json.dumps({"jobQueue": "nowhere"}).encode()
    status, _, reply = served.send_signed("POST", "/nbbatch/v1/listing", body)
    assert (status, reply["message"]) == (400, "Job Queue nowhere does not exist")


def test_changes_name_each_job_once(served, batch):
    """Without a cursor only where to go on; then the jobs that changed since, arrays by their own id."""
    start = served.private("changes", {"timeoutMs": 0})
    assert (start["changed"], start["missed"]) == ([], True)
    array = submit(batch, arrayProperties={"size": 3})
    served.start(f"{array}:1")
    single = submit(batch)
    told = served.private("changes", {"cursor": start["cursor"], "timeoutMs": 0})
    assert (sorted(told["changed"]), told["missed"]) == (sorted([array, single]), False)
    again = served.private("changes", {"cursor": told["cursor"], "timeoutMs": 0})
    assert (again["changed"], again["cursor"]) == ([], told["cursor"])


def test_who_waits_for_changes_is_woken(served, batch):
    """By the first change of any job."""
    cursor = served.private("changes", {"timeoutMs": 0})["cursor"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(served.private, "changes", {"cursor": cursor, "timeoutMs": 20_000})
        job = submit(batch)
        assert waiting.result(60)["changed"] == [job]


def test_a_cursor_of_another_time_is_told(served, batch):
    """One from before a restart, or from nowhere, is answered at once."""
    now = served.private("changes", {"timeoutMs": 0})["cursor"]
    for cursor in (1, now + 10_000_000):
        assert served.private("changes", {"cursor": cursor, "timeoutMs": 20_000})["missed"]
