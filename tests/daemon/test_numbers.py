"""Metrics and costs over HTTP: kept counts agree with what is there, and outlive a restart."""

import time

import pytest
from served import submit

from nbbatch.daemon.metrics import Metrics, Sample, time_series
from nbbatch.errors import ClientException
from nbbatch.scheduler.ledger import DAY_MS

TOKEN = "a-token-of-this-test-only"


def busy(served, batch):
    """One job of each kind: running, done, failed, waiting, and an array with one child done."""
    running, done, failed = (submit(batch) for _ in range(3))
    served.start(running)
    served.exit(done)
    served.exit(failed, 1)
    submit(batch, dependsOn=[{"jobId": running}])
    array = submit(batch, arrayProperties={"size": 3})
    served.exit(f"{array}:0")


def test_counts_follow_every_tick(served, batch):
    """Jobs and children by status; counted anew from the state they are the same."""
    busy(served, batch)
    counts = served.on_loop(lambda: served.metrics.sample().queues["q"])
    assert counts == [0, 1, 0, 2, 1, 7, 2, 1]
    anew = served.on_loop(
        lambda: Metrics(served.store.samples, served.loop.state, served.store.ledger.totals()).sample()
    )
    assert anew == served.on_loop(served.metrics.sample)


def test_a_deleted_queue_leaves_the_metrics(served, batch):
    """It is gone with its last job, from the text for Prometheus too; its costs and totals stay."""
    order = [{"order": 1, "computeEnvironment": "ce"}]
    batch.create_job_queue(jobQueueName="brief", priority=1, computeEnvironmentOrder=order)
    job = batch.submit_job(jobName="x", jobQueue="brief", jobDefinition="true")["jobId"]
    batch.update_job_queue(jobQueue="brief", state="DISABLED")
    batch.delete_job_queue(jobQueue="brief")
    counts = served.on_loop(lambda: served.metrics.sample().queues["brief"])
    assert (counts[3], counts[5]) == (1, 1)
    served.exit(job, 143)
    assert list(served.on_loop(served.metrics.sample).queues) == ["q"]
    text = served.get_text("/nbbatch/v1/metrics", served.signed_headers("GET", "/nbbatch/v1/metrics", b""))[2]
    assert "brief" not in text
    assert "brief" in [row["queue"] for row in served.private("costs", {"days": 1})["queues"]]
    batch.create_job_queue(jobQueueName="brief", priority=1, computeEnvironmentOrder=order)
    assert served.on_loop(lambda: served.metrics.sample().queues["brief"]) == [0, 0, 0, 0, 0, 1, 0, 1]


def test_a_series_holds_the_last_sample(served, batch):
    """At each time the value that held then; before the first sample there is none."""
    start = int(time.time() * 1000)
    busy(served, batch)
    served.on_loop(served.metrics.flush)
    end = int(time.time() * 1000) + 5000
    reply = served.private("metrics", {"start": start - 10_000, "end": end, "step": 1000})
    submitted = reply["queues"]["q"]["JobsSubmittedTotal"]
    assert len(submitted) == len(reply["times"])
    assert (submitted[0], submitted[-1]) == (None, 7)
    assert reply["environments"]["ce"]["UsedvCpus"][-1] == 3
    assert reply["environments"]["ce"]["ActualvCpus"][-1] >= 3


def test_what_spot_takes_back_is_counted_and_outlives_a_restart(served, batch):
    """Hosts and the attempts that went with them; a daemon that begins goes on counting from there."""
    job = on_spot(served, batch)
    served.private("interrupt", {"target": job})
    served.exit(job, 143)

    def taken_back(metrics):
        return metrics.sample().environments["spot"][-2:]

    assert served.on_loop(lambda: taken_back(served.metrics)) == [1, 1]
    text = served.get_text("/nbbatch/v1/metrics", served.signed_headers("GET", "/nbbatch/v1/metrics", b""))[2]
    assert 'nbbatch_spot_interruptions_total{environment="spot"} 1' in text.splitlines()
    written = until(lambda: served.on_loop(lambda: served.store.samples.read(0, 1 << 50)), 1, 1)
    assert written[-1][1].environments["spot"][-2:] == [1, 1]
    anew = served.on_loop(
        lambda: taken_back(Metrics(served.store.samples, served.loop.state, served.store.ledger.totals()))
    )
    assert anew == [1, 1]


def on_spot(served, batch) -> str:
    """A job that runs in an environment `spot`."""
    size = {"type": "SPOT", "maxvCpus": 8, "instanceTypes": ["m6i.large"], "instanceRole": "ecsInstanceRole"}
    place = {
        "subnets": ["subnet-1"],
        "securityGroupIds": ["sg-1"],
        "allocationStrategy": "BEST_FIT_PROGRESSIVE",
    }
    batch.create_compute_environment(
        computeEnvironmentName="spot", type="MANAGED", computeResources={**size, **place}
    )
    order = [{"order": 1, "computeEnvironment": "spot"}]
    batch.create_job_queue(jobQueueName="spare", priority=1, computeEnvironmentOrder=order)
    job = batch.submit_job(jobName="x", jobQueue="spare", jobDefinition="true")["jobId"]
    served.start(job)
    return job


def until(samples, hosts, attempts):
    """Samples, once one of them has counted so many: they are written behind the tick."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = samples()
        if found and found[-1][1].environments.get("spot", [])[-2:] == [hosts, attempts]:
            break
        time.sleep(0.01)
    return found


def test_a_sample_of_an_older_version_has_not_counted_it():
    """Unknown then, and not an error."""
    series = time_series([(100, Sample(environments={"ce": [1.0] * 5}))], 100, 100, 100)
    assert series["environments"]["ce"]["UsedvCpus"] == [1.0]
    assert series["environments"]["ce"]["SpotInterruptionsTotal"] == [None]


def test_values_are_carried_forward():
    """Between samples the last one holds."""
    samples = [(100, Sample(queues={"q": [1] * 8})), (250, Sample(queues={"q": [2] * 8}))]
    series = time_series(samples, 0, 400, 100)
    assert series["queues"]["q"]["JobsRunning"] == [None, 1, 1, 2, 2]
    with pytest.raises(ClientException, match="may ask for 1 to 11000"):
        time_series(samples, 0, 10**9, 1)


def test_old_samples_are_thinned_out(served, batch):
    """One in five minutes after a day, one an hour after a month."""
    now = 500 * DAY_MS
    rows = served.store.samples

    def work():
        for age in (DAY_MS * 2, DAY_MS * 40, DAY_MS * 450, 0):
            for second in range(0, 7200, 60):
                rows.write(now - age - second * 1000, Sample())
        rows.thin(now)
        return [(now - at) // DAY_MS for at, _ in rows.read(0, now)]

    ages = served.on_loop(work)
    assert ages.count(0) == 120
    assert 24 <= ages.count(2) <= 26
    assert 2 <= ages.count(40) <= 4
    assert not any(age > 400 for age in ages)


def test_prometheus_reads_with_a_signature_or_a_private_token(served, batch):
    """The token file must be there, long enough, and closed to others."""
    busy(served, batch)
    path = "/nbbatch/v1/metrics"
    token = served.home / "metrics.token"

    def scrape(authorization="Bearer " + TOKEN):
        return served.get_text(path, {"Host": f"127.0.0.1:{served.port}", "Authorization": authorization})

    assert scrape()[0] == 403
    token.write_text(TOKEN + "\n")
    token.chmod(0o644)
    assert scrape()[0] == 403
    token.chmod(0o600)
    status, kind, text = scrape()
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    lines = text.splitlines()
    assert 'nbbatch_jobs{queue="q",status="RUNNING"} 1' in lines
    assert 'nbbatch_jobs_submitted_total{queue="q"} 7' in lines
    assert 'nbbatch_jobs_ended_total{queue="q",status="FAILED"} 1' in lines
    assert 'nbbatch_environment_vcpus{environment="ce",kind="used"} 3' in lines
    assert scrape("Bearer wrong")[0] == 403
    assert scrape(TOKEN)[0] == 403
    token.write_text("short")
    assert scrape("Bearer short")[0] == 403
    assert served.get_text(path, served.signed_headers("GET", path, b""))[2].startswith("# HELP")
    assert served.get_text(path, {"Host": "evil.example", "Authorization": "Bearer " + TOKEN})[0] == 403


def test_costs_are_kept_by_day_and_queue(served, batch):
    """Ended attempts, what is under way, and the idle rest of hosts."""
    running = submit(batch)
    done = submit(batch)
    now = int(time.time() * 1000)
    served.start(running)
    before = served.private("costs", {"days": 1})
    served.exit(done, started_at=now - 1000)
    (earlier,) = served.private("accounts", {"jobIds": [running]})["jobs"]
    reply = served.private("costs", {"days": 1})
    (today,) = [row for row in reply["queues"] if row["queue"] == "q"]
    (account,) = served.private("accounts", {"jobIds": [done]})["jobs"]
    (still,) = served.private("accounts", {"jobIds": [running]})["jobs"]
    assert (today["submitted"], today["succeeded"], today["attempts"]) == (2, 1, 1)
    assert account["cost"] + earlier["cost"] <= today["charged"] * (1 + 1e-9)
    assert today["charged"] <= (account["cost"] + still["cost"]) * (1 + 1e-9)
    assert account["cost"] > 0
    assert today["saved"] == pytest.approx(0)
    (environment,) = reply["environments"]
    assert environment["hosts"] >= 0
    assert environment["idle"] == pytest.approx(max(0, environment["hosts"] - environment["used"]))
    assert before["queues"][0]["attempts"] == 0
    totals = served.on_loop(served.store.ledger.totals)
    assert totals["q"].charged == pytest.approx(account["cost"])
