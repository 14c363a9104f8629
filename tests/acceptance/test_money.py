"""Costs and budgets of a real daemon, as boto3, the SDK and the terminal see them."""

import json
import urllib.request
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

import nbbatch
from nbbatch.cli.main import main

pytestmark = pytest.mark.acceptance


@pytest.fixture
def submit(batch):
    return lambda definition, **more: batch.submit_job(
        jobName="work", jobQueue="default", jobDefinition=definition, **more
    )["jobId"]


def run(*words):
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_job_is_stopped_at_its_cap(batch, register, submit, ended):
    """A tag in dollars; the reason says so in words and numbers."""
    register("exec sleep 600")
    job = ended(submit("work", tags={"nbbatch:maxCost": "0.000001"}))
    assert job["status"] == "FAILED"
    assert job["statusReason"].startswith(
        "Budget: the job's cap of $0.000001 (tag nbbatch:maxCost) is reached"
    )
    with pytest.raises(ClientError, match="must be a number of dollars above 0"):
        submit("work", tags={"nbbatch:maxCost": "much"})


def test_a_spent_day_takes_nothing_in(batch, register, submit, ended):
    """`nbbatch local budget` sets the day's cap; SubmitJob is refused until it is higher or gone."""
    register("true")
    ended(submit("work"))
    assert "there is no cap" in run("local", "budget")
    assert "of $0 a day" in run("local", "budget", "--per-day", "0")
    with pytest.raises(ClientError, match="the day's cap of") as caught:
        submit("work")
    assert caught.value.response["Error"]["Code"] == "ClientException"
    run("local", "budget", "--none")
    assert ended(submit("work"))["status"] == "SUCCEEDED"


def test_costs_are_a_table(batch, register, submit, ended):
    """By day and queue, and by environment with the idle rest; usage is counted on either executor."""
    register("i=0; while [ $i -lt 600000 ]; do i=$((i+1)); done")
    ended(submit("work", arrayProperties={"size": 2}))
    (today,) = nbbatch.costs(days=1).to_dict("records")
    assert (today["queue"], today["submitted"], today["succeeded"], today["attempts"]) == ("default", 2, 2, 2)
    assert today["charged"] == pytest.approx(today["on_demand"])
    assert today["charged"] > 0
    assert today["cpu_seconds"] > 0
    (hosts,) = nbbatch.costs(days=1, hosts=True).to_dict("records")
    assert hosts["environment"] == "default"
    assert hosts["idle"] == pytest.approx(hosts["hosts"] - hosts["used"])
    assert json.loads(run("costs", "--json"))["queues"][0]["queue"] == "default"
    assert run("costs").splitlines()[0].split() == [
        "day", "queue", "attempts", "seconds", "charged", "on_demand", "lost", "saved",
    ]  # fmt: skip
    assert "$0.00" in run("costs").splitlines()[1].split()[4]


def test_metrics_are_for_those_with_the_token(batch, register, submit, ended):
    """`nbbatch local token` prints what Prometheus needs."""
    register("true")
    ended(submit("work"))
    words = dict(line.split(maxsplit=1) for line in run("local", "token").splitlines())
    token = Path(words["credentials_file"]).read_text()
    request = urllib.request.Request(words["url"], headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        assert 'nbbatch_jobs_ended_total{queue="default",status="SUCCEEDED"} 1' in reply.read().decode()
