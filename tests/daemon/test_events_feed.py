"""The stream of events over HTTP: complete, in order, filtered, waited for, durable, bounded."""

import json
import threading
import time

from served import submit

from nbbatch.daemon import events_feed
from nbbatch.daemon.feed_rows import Place

ARN = "arn:aws:batch:eu-central-1:123456789012:"


def everything(served, **asked):
    """All events there are now, page by page."""
    found, cursor = [], asked.pop("cursor", None)
    while True:
        reply = served.private("events", {"cursor": cursor, "timeoutMs": 0, **asked})
        found += reply["events"]
        cursor = reply["cursor"]
        if not reply["hasMore"]:
            return found, cursor


def told(events):
    return [(event["detail"]["jobId"], event["detail"]["status"]) for event in events]


def test_a_jobs_life_as_events(served, batch):
    """Each event is EventBridge's envelope around what DescribeJobs says."""
    job_id = submit(batch, tags={"team": "blue"})
    served.start(job_id)
    served.exit(job_id, 3)
    events, _ = everything(served)
    assert told(events) == [(job_id, status) for status in ("RUNNABLE", "STARTING", "RUNNING", "FAILED")]
    last = events[-1]
    (described,) = batch.describe_jobs(jobs=[job_id])["jobs"]
    del described["parameters"]
    assert {name: last["detail"][name] for name in described} == described
    assert last["resources"] == [f"{ARN}job/{job_id}"]
    assert (last["version"], last["source"], last["detail-type"]) == (
        "0",
        "aws.batch",
        "Batch Job State Change",
    )
    assert (last["account"], last["region"]) == ("123456789012", "eu-central-1")
    assert (
        abs(time.time() - time.mktime(time.strptime(last["time"], "%Y-%m-%dT%H:%M:%SZ")) + time.timezone) < 60
    )
    assert len({event["id"] for event in events}) == 4
    assert everything(served)[0] == events, "reading changes nothing, ids included"


def test_a_blocked_queue_is_an_event(served, batch):
    """Job and queue are the resources; the reason is the job's."""
    job_id = submit(batch, containerOverrides={"resourceRequirements": [{"type": "VCPU", "value": "900"}]})
    blocked = everything(served)[0][-1]
    assert blocked["detail-type"] == "Batch Job Queue Blocked"
    assert blocked["resources"] == [f"{ARN}job/{job_id}", f"{ARN}job-queue/q"]
    assert blocked["detail"]["status"] == "RUNNABLE"
    assert blocked["detail"]["statusReason"].startswith("MISCONFIGURATION:")


def test_events_of_a_queue_that_is_gone_stay(served, batch):
    """A deleted queue's jobs end like others, and its name still finds them."""
    order = [{"order": 1, "computeEnvironment": "ce"}]
    batch.create_job_queue(jobQueueName="brief", priority=1, computeEnvironmentOrder=order)
    job_id = batch.submit_job(jobName="x", jobQueue="brief", jobDefinition="true")["jobId"]
    submit(batch)
    batch.update_job_queue(jobQueue="brief", state="DISABLED")
    batch.delete_job_queue(jobQueue="brief")
    served.exit(job_id, 143)
    assert "brief" not in served.on_loop(lambda: list(served.loop.state.queues))
    events, _ = everything(served, queue="brief")
    assert told(events) == [(job_id, status) for status in ("RUNNABLE", "STARTING", "RUNNING", "FAILED")]
    assert events[-1]["detail"]["statusReason"] == "JobQueue deleted"


def test_events_of_an_array_come_per_child(served, batch, monkeypatch):
    """A stroke of many children is an event for each; pages of any size hold each event once."""
    job_id = submit(batch, arrayProperties={"size": 7})
    served.exit(f"{job_id}:3")
    events, _ = everything(served, jobId=job_id)
    assert [status for one, status in told(events) if one == f"{job_id}:3"] == [
        "RUNNABLE",
        "STARTING",
        "RUNNING",
        "SUCCEEDED",
    ]
    assert told(events).count((job_id, "PENDING")) == 1
    assert told(everything(served, jobId=f"{job_id}:3")[0]) == [
        one for one in told(events) if one[0].endswith(":3")
    ]
    for limit in (1, 2, 5):
        assert everything(served, limit=limit)[0] == events
    monkeypatch.setattr(events_feed, "_MOST_CHANGES", 3)
    monkeypatch.setattr(events_feed, "_MOST_TICKS", 2)
    assert everything(served)[0] == events


def test_events_are_filtered_by_queue_and_time(served, batch):
    """A queue's events, and those from a time on."""
    batch.create_job_queue(
        jobQueueName="other", priority=1, computeEnvironmentOrder=[{"order": 1, "computeEnvironment": "ce"}]
    )
    first = submit(batch)
    second = batch.submit_job(jobName="x", jobQueue="other", jobDefinition="true")["jobId"]
    assert {one for one, _ in told(everything(served, queue="q")[0])} == {first}
    assert {one for one, _ in told(everything(served, queue="other")[0])} == {second}
    assert everything(served, queue="none")[0] == []
    assert len(everything(served, since=0)[0]) == len(everything(served)[0])
    assert everything(served, since=int(time.time() * 1000) + 60_000)[0] == []


def test_who_waits_is_told_at_once(served, batch):
    """`latest` skips what was; the next change ends the wait."""
    submit(batch)
    cursor = served.private("events", {"cursor": "latest", "timeoutMs": 0})["cursor"]
    heard = []
    listener = threading.Thread(
        target=lambda: heard.append(served.private("events", {"cursor": cursor, "timeoutMs": 15_000}))
    )
    listener.start()
    job_id = submit(batch)
    listener.join(60)
    assert {one for one, _ in told(heard[0]["events"])} == {job_id}


def test_a_cursor_that_is_none_is_refused(served, batch):
    """So is a job that is not there."""
    for body in (
        {"cursor": "x"},
        {"cursor": "1.x"},
        {"cursor": "9" * 40 + ".1"},
        {"jobId": "none"},
        {"limit": 0},
    ):
        status, _, reply = served.send_signed("POST", "/nbbatch/v1/events", json.dumps(body).encode())
        assert (status, "message" in reply) == (400, True)


def test_old_events_go_and_who_comes_late_is_told(served, batch):
    """Pruning by age or number keeps the newest row; a cursor from before says that events are missing."""
    for _ in range(4):
        submit(batch)
    oldest = everything(served, limit=1)[0][0]
    feed = served.store.feed
    assert served.private("events", {"cursor": "1.0", "timeoutMs": 0})["missed"] is False

    def prune():
        while feed.prune(before=0, most_rows=2):
            pass

    served.on_loop(prune)
    events, _ = everything(served)
    assert oldest["id"] not in {event["id"] for event in events}
    assert served.private("events", {"cursor": "1.0", "timeoutMs": 0})["missed"] is True
    served.on_loop(lambda: feed.prune(before=2**60, most_rows=100))
    assert len(everything(served)[0]) >= 1, "the newest row stays, so places never repeat"
    assert served.on_loop(feed.end) > Place(3, 0)
