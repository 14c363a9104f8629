"""`nbbatch.simulate`: what it reads, what it answers, and that it agrees with what really happens."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import pandas as pd
import pytest

import nbbatch
from nbbatch.client.simulation.simulate import read_seeds
from nbbatch.client.simulation.workloads import read_row, read_workload
from nbbatch.client.simulation.worlds import describe_world, read_worlds, shipped_catalogue
from nbbatch.errors import OptionError, UnknownNameError, UserError
from nbbatch.model.resources import Resources
from nbbatch.scheduler.workload import Empirical, Exponential, Fixed, Lognormal, Measured, Uniform

DEADLINE = 120
SMALL = {"max_vcpus": 4, "instance_types": ["m6i.large"]}


def in_notebook(function):
    """As if it had been defined in a cell: it travels by value."""
    function.__module__ = "__main__"
    return function


@in_notebook
def nap(seconds):
    import time

    time.sleep(seconds)


def test_a_row_per_world_and_seed_with_its_figures():
    """Ten jobs of ten seconds on four and on ten vCPUs, known in advance."""
    answer = nbbatch.simulate(
        {"jobs": 10, "seconds": 10}, {"four": SMALL, "ten": {**SMALL, "max_vcpus": 10}}, seeds=2
    )
    assert list(zip(answer["world"], answer["seed"], answer["makespan"], strict=True)) == [
        ("four", 0, 30.0),
        ("four", 1, 30.0),
        ("ten", 0, 10.0),
        ("ten", 1, 10.0),
    ]
    assert answer["wait_max"].tolist() == [20.0, 20.0, 0.0, 0.0]
    assert (answer["cost"] > 0).all()
    assert isinstance(answer, pd.DataFrame)


def test_a_summary_shows_the_spread_over_the_seeds():
    """Median between least and most, one row per world; a filtered answer still has it."""
    work = {"jobs": 30, "seconds": {"lognormal": {"median": 60, "sigma": 1}}}
    answer = nbbatch.simulate(work, {"small": SMALL, "large": {"max_vcpus": 64}}, seeds=4)
    summary = answer[answer["seed"] > 0].summary()
    assert list(summary.index) == ["small", "large"]
    assert (summary["makespan", "min"] < summary["makespan", "max"]).all()
    assert summary["makespan", "median"].between(summary["makespan", "min"], summary["makespan", "max"]).all()


def test_groups_tell_queues_and_shares_apart():
    """Each world of settings has the queues that the workload names."""
    rows = [
        {"jobs": 3, "seconds": 5, "queue": "fast", "share": "ann"},
        {"jobs": 2, "seconds": 5, "queue": "slow"},
    ]
    groups = nbbatch.simulate(rows, {"small": SMALL}, seeds=1).groups
    assert list(zip(groups["queue"], groups["share"], groups["jobs"], strict=True)) == [
        ("fast", "ann", 3),
        ("slow", "", 2),
    ]


def test_interrupted_spot_is_cheaper_and_slower():
    """Work is lost with hosts, and told."""
    work = {"array": 50, "seconds": "20m", "retries": 9}
    worlds = {"od": SMALL, "spot": {**SMALL, "spot": True, "interruptions_per_hour": 1.0}}
    answer = nbbatch.simulate(work, worlds, seeds=3).summary()
    assert (answer.loc["od"]["lost"] == 0).all()
    assert answer.loc["spot"]["lost"]["min"] > 0
    assert answer.loc["spot"]["makespan"]["min"] > answer.loc["od"]["makespan"]["max"]
    assert answer.loc["spot"]["cost"]["max"] < answer.loc["od"]["cost"]["min"]


def test_hosts_that_take_time_to_come_delay_the_first_jobs():
    """Launching, starting and the work add up."""
    slow = {**SMALL, "launch_seconds": 100, "start_seconds": 20}
    assert nbbatch.simulate({"seconds": 3}, {"slow": slow}, seeds=1)["makespan"].tolist() == [123.0]


def test_a_table_is_read_row_by_row():
    """Words are those of `submit`; what a cell leaves empty is not said."""
    table = pd.DataFrame(
        {
            "seconds": [10, 20.5],
            "jobs": [2, math.nan],
            "memory": ["1G", None],
            "at": [0, 60],
            "share": [None, "a"],
            "retries": [math.nan, 2],
        }
    )
    first, second = read_workload(table)
    assert (first.durations, first.count, first.resources.memory) == (Fixed(seconds=10), 2, 1024)
    assert (first.share_identifier, first.attempts) == (None, 1)
    assert (second.at, second.count, second.share_identifier, second.attempts) == (60, 1, "a", 3)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ("2m", Fixed(seconds=120)),
        ([1, 2.5], Empirical(seconds=(1, 2.5))),
        ({"uniform": {"low": 1, "high": 2}}, Uniform(low=1, high=2)),
        ({"exponential": 30}, Exponential(mean=30)),
        ({"lognormal": {"median": 60, "sigma": 0.5}}, Lognormal(median=60, sigma=0.5)),
        ({"measured": (3, 4)}, Measured(seconds=(3, 4))),
    ],
)
def test_durations_are_numbers_texts_lists_and_distributions(seconds, expected):
    """Each way to say how long a job runs."""
    assert read_row({"seconds": seconds}).durations == expected


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({}, "Row 0 .* does not say how long"),
        ({"seconds": 1, "vcpu": 2}, "'vcpu', which means nothing. Did you mean 'vcpus'"),
        ({"seconds": -1}, "seconds = -1 in row 0"),
        ({"seconds": math.inf}, "seconds = inf"),
        ({"seconds": []}, "it is empty"),
        ({"seconds": {"normal": 3}}, "no distribution. Use one of: fixed"),
        ({"seconds": {"lognormal": 3}}, "lognormal needs median and sigma"),
        ({"seconds": {"exponential": 0}}, "more than 0"),
        ({"seconds": 1, "failure": 1.5}, "no probability"),
        ({"seconds": 1, "array": 1}, "no whole number from 2 to 10000"),
        ({"seconds": 1, "jobs": 2.5}, "no whole number from 1"),
        ({"seconds": 1, "memory": "lots"}, "Memory 'lots' is not an amount"),
        ({"seconds": 1, "queue": 3}, "queue = 3 .* no text"),
    ],
)
def test_a_row_that_cannot_be_says_which_word_and_value(row, told):
    """Nothing is simulated; the error names row, word and value."""
    with pytest.raises(OptionError, match=told):
        nbbatch.simulate(row, {"w": SMALL})


@pytest.mark.parametrize("workload", [[], 3, "job", ["job"], [3]])
def test_what_is_no_workload_is_refused(workload):
    """Only jobs, tables, mappings and lists of them are."""
    with pytest.raises(OptionError, match="workload"):
        nbbatch.simulate(workload, {"w": SMALL})


@pytest.mark.parametrize(
    ("worlds", "told"),
    [
        ({"w": {"max_vcpu": 3}}, "World 'w' has 'max_vcpu', which means nothing. Did you mean 'max_vcpus'"),
        ({"w": {"max_vcpus": "many"}}, "max_vcpus = 'many' of world 'w'"),
        ({"w": {"type": "EKS"}}, "none of EC2, SPOT"),
        ({"w": {"spot": "yes"}}, "neither True nor False"),
        ({"w": {"allocation_strategy": "CHEAPEST"}}, "none of BEST_FIT, BEST_FIT_PROGRESSIVE"),
        (
            {"w": {"instance_types": ["z9.huge"]}},
            "no instance type of simulated is in the catalogue: z9.huge",
        ),
        ({"w": {"machine": 3}}, "machine = 3"),
        ({"w": 3}, "World 'w' is 3"),
        ({}, "names no worlds"),
        (3, "names no worlds"),
        ([], "names no worlds"),
    ],
)
def test_a_world_that_cannot_be_says_which_setting_and_value(worlds, told):
    """The error names world, setting and value."""
    with pytest.raises(OptionError, match=told):
        nbbatch.simulate({"seconds": 1}, worlds)


def test_an_unknown_backend_is_no_world():
    """The nearest name is told."""
    with pytest.raises(UnknownNameError, match="Did you mean 'local'"):
        nbbatch.simulate({"seconds": 1}, "locale")


@pytest.mark.parametrize("seeds", [0, -1, [], "ab", True, 1.5])
def test_what_are_no_seeds_is_refused(seeds):
    """A number from 1, or whole numbers."""
    with pytest.raises(OptionError, match="no seeds"):
        read_seeds(seeds)


def test_fargate_has_its_spot_too():
    """`spot` and `type` decide what hosts cost."""
    names = {"plain": {"type": "FARGATE"}, "spot": {"type": "FARGATE_SPOT", "interruptions_per_hour": 2}}
    worlds = read_worlds(names, ["q"])
    assert worlds["spot"].events[0].environment.interruptions == {"*": 2.0}
    answer = nbbatch.simulate({"seconds": "1h"}, {"plain": {"type": "FARGATE"}}, seeds=1)
    assert answer["cost"].tolist() == [pytest.approx(0.04048 + 2 * 0.004445)]


def make_queue(backend, name, max_vcpus):
    """A queue of its own on hosts of two vCPUs."""
    backend.batch.create_compute_environment(
        computeEnvironmentName=name,
        type="MANAGED",
        computeResources={
            "type": "EC2",
            "minvCpus": 0,
            "maxvCpus": max_vcpus,
            "instanceTypes": ["m6i.large"],
            "subnets": ["subnet-1"],
            "securityGroupIds": ["sg-1"],
            "instanceRole": "ecsInstanceRole",
        },
    )
    backend.batch.create_job_queue(
        jobQueueName=name,
        priority=1,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": name}],
    )


def gaps_of(runs, slots):
    """Milliseconds in all for which those that ran one after the other waited for nothing but the machine."""
    free, waited = [min(start for start, _ in runs)] * slots, 0
    for start, stop in sorted(runs):
        since = min(free)
        waited += start - since
        free.remove(since)
        free.append(stop)
    return waited


def test_a_simulated_array_agrees_with_the_one_that_ran(shared_daemon):
    """Order of ends, makespan and waits of naps in a small queue are what the simulation said before."""
    make_queue(shared_daemon, "naps", 2)
    lengths = [0.9, 0.3, 0.6, 0.3, 0.9, 0.6, 0.3, 0.3]
    told = nbbatch.simulate(
        {"array": len(lengths), "seconds": {"measured": lengths}, "queue": "naps"}, "local", seeds=1
    ).iloc[0]
    array = nbbatch.map(nap, lengths, queue="naps", vcpus=1, memory="256M")
    assert array.wait(DEADLINE)
    detail = shared_daemon.batch.describe_jobs(jobs=[f"{array.id}:{index}" for index in range(len(lengths))])
    children = sorted(detail["jobs"], key=lambda one: one["arrayProperties"]["index"])
    began = min(one["startedAt"] for one in children)
    makespan = (max(one["stoppedAt"] for one in children) - began) / 1000
    overhead = sum(one["stoppedAt"] - one["startedAt"] for one in children) / 1000 - sum(lengths)
    gaps = gaps_of([(one["startedAt"], one["stoppedAt"]) for one in children], slots=2) / 1000
    assert told["makespan"] <= makespan <= told["makespan"] + overhead + gaps + 0.01
    assert told["makespan"] == pytest.approx(2.1)
    starts = [one["startedAt"] for one in children]
    assert starts == sorted(starts), "children start in the order of their index, as simulated"

    again = nbbatch.simulate(array, {"same": "local", "wide": {**SMALL, "max_vcpus": 16}}, seeds=1)
    same, wide = again["makespan"]
    assert makespan - gaps - 0.01 <= same <= makespan + 0.01
    assert max(lengths) <= wide <= same
    assert wide == pytest.approx(max(one["stoppedAt"] - one["startedAt"] for one in children) / 1000)


def test_a_fair_world_shares_between_identifiers():
    """The lighter share waits less, and fair-share words are checked as AWS checks them."""
    rows = [{"jobs": 40, "seconds": 10, "share": share} for share in ("heavy", "light")]
    world = {"max_vcpus": 4, "instance_types": ["m6i.xlarge"], "fair_share": {"light": 0.25}}
    groups = nbbatch.simulate(rows, {"fair": world}, seeds=1).groups.set_index("share")
    assert groups.loc["light", "wait_mean"] < groups.loc["heavy", "wait_mean"]
    first = nbbatch.simulate(rows, {"fifo": {**world, "fair_share": None}}, seeds=1).groups.set_index("share")
    assert first.loc["light", "wait_mean"] > first.loc["heavy", "wait_mean"]
    with pytest.raises(OptionError, match="Weight factor should be between"):
        nbbatch.simulate(rows, {"w": {"fair_share": {"light": 0}}})


def test_a_job_that_has_run_is_measured(shared_daemon):
    """Its queue, size and duration; and its durations can be drawn from."""
    job = nbbatch.submit(nap, 0.2, vcpus=1, memory="512M", retries=1)
    assert job.wait(DEADLINE)
    (submission,) = read_workload(job)
    assert (submission.queue, submission.size, submission.attempts) == ("default", None, 2)
    assert submission.resources == Resources(vcpus=1, memory=512)
    (length,) = submission.durations.seconds
    assert 0.2 <= length < 100
    assert read_row({"jobs": 5, "seconds": job}).durations == Empirical(seconds=(length,))


def test_a_job_that_has_not_run_cannot_be_measured(shared_daemon):
    """The error says what to do."""
    ahead = nbbatch.submit(nap, 60)
    job = nbbatch.submit(nap, 0.1, depends=[ahead.id])
    with pytest.raises(UserError, match=r"has not run.*wait\(\)"):
        nbbatch.simulate(job, {"w": SMALL})
    ahead.terminate("enough")


def test_the_local_world_is_what_the_daemon_has(shared_daemon):
    """Environments, queues, the catalogue with this machine's own type, and the machine itself."""
    world = read_worlds("local", [])["local"]
    told = shared_daemon.private("status", {})
    assert world.conditions.machine == Resources(**told["room"])
    assert "local.machine" in world.catalogue.types
    assert set(shipped_catalogue().types) < set(world.catalogue.types)
    described = describe_world("local")
    assert {"default", "spot", "gpu"} <= {one["jobQueueName"] for one in described["jobQueues"]}
    assert nbbatch.simulate({"seconds": 60}, seeds=1)["makespan"].tolist() == [60.0]


def test_a_backends_world_can_be_changed(shared_daemon):
    """`like` takes a backend's environments and queues, the other settings win."""
    make_queue(shared_daemon, "narrow", 2)
    worlds = {"now": "local", "wider": {"like": "local", "max_vcpus": 8, "machine": (8, "64G")}}
    answer = nbbatch.simulate({"jobs": 8, "seconds": 10, "queue": "narrow"}, worlds, seeds=1)
    assert answer["makespan"].tolist() == [40.0, 10.0]


def test_an_account_is_read_by_the_same_describe_calls(shared_daemon, monkeypatch, tmp_path):
    """A backend of kind aws is asked through boto3's own configuration; here its endpoint is a daemon."""
    endpoint = json.loads((Path(shared_daemon.home) / "endpoint.json").read_text())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nbbatch.toml").write_text('[backends.prod]\nkind = "aws"\nregion = "us-east-1"\n')
    monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", endpoint["url"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", endpoint["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", endpoint["secret_access_key"])
    described = describe_world("prod")
    assert set(described) == {"computeEnvironments", "jobQueues"}
    answer = nbbatch.simulate({"seconds": 60}, {"prod": {"like": "prod", "instance_types": "m6i"}}, seeds=1)
    assert answer["makespan"].tolist() == [60.0]


def test_a_simulation_starts_nothing(shared_daemon):
    """No job of it is ever seen by the daemon."""
    before = sum(shared_daemon.private("status", {})["jobs"].values())
    started = time.monotonic()
    nbbatch.simulate({"jobs": 50, "seconds": "1h"}, "local", seeds=1)
    assert sum(shared_daemon.private("status", {})["jobs"].values()) == before
    assert time.monotonic() - started < 60
