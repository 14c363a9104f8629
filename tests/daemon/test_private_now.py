"""How things are now: hosts with what runs on them, and what jobs of a name cost."""

import time

import pytest
from served import submit

from nbbatch.daemon import private_now


def hosts_of(told, environment="ce"):
    return [host for host in told["hosts"] if host["environment"] == environment]


def test_a_host_tells_what_runs_on_it_and_when_it_goes(served, batch):
    """Names of its jobs, what is used and paid; once idle it says until when it stays."""
    job = submit(batch, jobName="a-name")
    served.start(job)
    told = served.private("fleet", {})
    (host,) = hosts_of(told)
    assert host["jobs"] == [{"id": job, "name": "a-name"}]
    assert (host["running"], host["status"], "goesAt" in host) == (1, "ACTIVE", False)
    assert 0 < host["usedVcpus"] <= host["vcpus"]
    assert host["usdPerHour"] > 0
    (environment,) = [one for one in told["environments"] if one["name"] == "ce"]
    assert (environment["hosts"], environment["used"]) == (1, host["usedVcpus"])
    served.exit(job)
    (host,) = hosts_of(served.private("fleet", {}))
    assert (host["running"], host["jobs"]) == (0, [])
    assert host["idleSince"] <= time.time() * 1000 < host["goesAt"]


def test_a_host_under_notice_says_when_it_is_gone(served, batch):
    """As Spot's interruption does."""
    job = submit(batch)
    served.start(job)
    served.private("interrupt", {"target": job, "noticeSeconds": 90})
    (host,) = hosts_of(served.private("fleet", {}))
    assert host["status"] == "DRAINING"
    assert host["endsAt"] - time.time() * 1000 == pytest.approx(90_000, abs=15_000)


def test_a_large_fleet_is_cut(served, batch, monkeypatch):
    """Used hosts are told before idle ones, and how many are not told."""
    monkeypatch.setattr(private_now, "MOST_HOSTS", 1)
    for _ in range(12):
        served.start(submit(batch))
    told = served.private("fleet", {})
    count = sum(one["hosts"] for one in told["environments"])
    assert (len(told["hosts"]), told["more"]) == (1, count - 1)


def test_costs_are_summed_up_by_name(served, batch):
    """Over arrays and single jobs, what is under way too; dearest first."""
    array = submit(batch, jobName="sweep", arrayProperties={"size": 3})
    served.start(f"{array}:0")
    served.exit(f"{array}:1")
    for _ in range(2):
        served.exit(submit(batch, jobName="single"))
    (before,) = served.private("accounts", {"jobIds": [array]})["jobs"]
    told = served.private("names", {"days": 2})
    (after,) = served.private("accounts", {"jobIds": [array]})["jobs"]
    assert told["isAll"]
    assert told["jobs"] == 3
    rows = {row["name"]: row for row in told["names"]}
    assert (rows["sweep"]["jobs"], rows["single"]["jobs"]) == (1, 2)
    assert before["cost"] <= rows["sweep"]["onDemand"] * (1 + 1e-9)
    assert rows["sweep"]["onDemand"] <= after["cost"] * (1 + 1e-9)
    assert [row["onDemand"] for row in told["names"]] == sorted(
        (row["onDemand"] for row in told["names"]), reverse=True
    )


def test_series_end_with_how_things_are_now(served, batch):
    """Without waiting for the next sample."""
    served.start(submit(batch))
    now = int(time.time() * 1000) + 1000
    told = served.private("metrics", {"start": now - 10_000, "end": now, "step": 1000})
    assert told["queues"]["q"]["JobsRunning"][-1] == 1
