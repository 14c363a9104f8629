"""What a job will cost: ranges from measured or given durations, and never from a guess."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import nbbatch
from nbbatch.client import capacity
from nbbatch.client.backend import get_backend
from nbbatch.client.daemon_process import stop_by_signal
from nbbatch.client.money.estimate import Basis
from nbbatch.client.money.history import Measured, Runs, measured
from nbbatch.client.packing.digest import digest, function_digest, manifest_digest
from nbbatch.errors import OptionError, UnknownNameError

DEADLINE = 120
pytestmark = pytest.mark.usefixtures("shared_daemon")


def in_notebook(function):
    """As if it had been defined in a cell."""
    function.__module__ = "__main__"
    return function


@in_notebook
def nap(seconds=0.05):
    import time

    time.sleep(seconds)
    return seconds


@in_notebook
def never_run():
    return None


@pytest.fixture
def fresh_prices():
    """Nothing is known of prices or queues from another test."""
    capacity.catalogue.cache_clear()
    yield
    capacity.catalogue.cache_clear()


def test_watched_runs_are_known_to_the_next_kernel(tmp_path):
    """By backend and code, the newest twenty; a file that is no such file is as none."""
    backend = get_backend("local")
    for number in range(25):
        Runs(tmp_path).note(backend, "abc", f"job{number}", number / 4)
    known = Runs(tmp_path).get(backend, "abc")
    assert known is not None
    assert known.jobs == tuple(f"job{number}" for number in range(5, 25))
    assert known.seconds[-1] == 6
    assert known.is_same_code
    assert Runs(tmp_path).get(backend, "abd") is None
    (tmp_path / "runs.json").write_text("[1")
    assert Runs(tmp_path).get(backend, "abc") is None


def test_of_a_first_run_only_the_price_per_hour_is_known():
    """Not one hour, not one minute: no duration is assumed."""
    told = nbbatch.estimate(never_run, vcpus=1)
    assert told.basis is Basis.UNKNOWN
    assert told.low is told.expected is told.high is told.worst is None
    assert told.per_hour > 0
    assert "/h" in str(told)
    assert "no upper limit" in str(told)


def test_the_worst_case_is_what_timeout_attempts_and_items_allow():
    """Every attempt of every child runs until its timeout, on the dearest host."""
    one = nbbatch.estimate(never_run, timeout="1h")
    assert one.expected is None
    assert one.worst >= one.per_hour
    most = nbbatch.estimate(never_run, timeout="1h", retries=2, items=10)
    assert most.worst == pytest.approx(30 * one.worst)


def test_a_cap_bounds_the_worst_case_and_the_range():
    """Nothing costs more than `max_cost`."""
    told = nbbatch.estimate(never_run, hours=100, timeout="200h", max_cost=0.5)
    assert told.worst == 0.5
    assert told.high == 0.5
    assert nbbatch.estimate(never_run, max_cost=0.25).worst == 0.25


def test_a_given_duration_is_priced_on_demand_and_spot():
    """Two hours cost twice the hourly price; the queue says which of both prices it will be."""
    told = nbbatch.estimate(hours=2, vcpus=2)
    assert told.basis is Basis.GIVEN
    assert told.expected == pytest.approx(2 * told.per_hour)
    assert not told.is_spot
    assert 0 < told.spot.expected < told.on_demand.expected
    spot = nbbatch.estimate(seconds=7200, vcpus=2, spot=True)
    assert spot.is_spot
    assert spot.expected == pytest.approx(told.spot.expected)
    assert nbbatch.estimate(hours=2, vcpus=2, items=range(7)).expected == pytest.approx(7 * told.expected)


def test_earlier_runs_of_the_function_tell_how_long_it_takes(shared_daemon):
    """Single runs and arrays both count, per item; the estimate names what it stands on."""
    nbbatch.submit(nap).wait(DEADLINE)
    told = nbbatch.estimate(nap, items=100)
    assert told.basis is Basis.MEASURED
    assert told.low < told.expected < told.high
    seconds = 3600 * told.expected / told.per_hour / 100
    assert 0.05 <= seconds < 30
    before = len(measured(shared_daemon, name="nap").jobs)
    nbbatch.map(nap, [0.01] * 3).wait(DEADLINE)
    assert f"{before + 1} earlier runs" in nbbatch.estimate(nap).because


def test_a_changed_function_is_measured_by_its_name_and_says_so():
    """Its old duration is the best there is, but it is another code."""
    nbbatch.submit(nap).wait(DEADLINE)

    @in_notebook
    def changed():
        return 1

    changed.__name__ = "nap"
    assert "whose code was another" in nbbatch.estimate(changed).because


def test_a_job_is_estimated_as_it_ran_and_with_other_options():
    """Resources, queue and limits are the job's own where nothing else is said."""
    job = nbbatch.submit(nap, vcpus=1, memory="1G", timeout="10m", retries=1)
    job.wait(DEADLINE)
    again = nbbatch.estimate(job)
    assert again.basis is Basis.MEASURED
    assert again.worst is not None
    assert nbbatch.estimate(job, vcpus=2, memory="2G").per_hour > again.per_hour
    assert nbbatch.estimate(job.id, items=5).expected == pytest.approx(5 * again.expected)


def test_a_run_keeps_the_price_it_was_placed_with(shared_daemon, fresh_prices):
    """Newer prices change what the next run will cost, and not what the last one has cost."""
    job = nbbatch.submit(nap, 0.2)
    job.wait(DEADLINE)
    before, spent = nbbatch.estimate(job), job.cost()
    prices = shared_daemon.home / "prices.json"
    prices.write_text(json.dumps(_ten_times_dearer()))
    capacity.catalogue.cache_clear()
    try:
        assert nbbatch.estimate(job).expected == pytest.approx(10 * before.expected)
        assert job.cost() == spent
        assert nbbatch.job(job.id).cost() == spent
    finally:
        prices.unlink()


def test_a_daemon_with_newer_prices_leaves_old_costs_as_they_were(home, monkeypatch, fresh_prices):
    """Last month's job is priced by its own catalogue, also by a daemon that has started with today's."""
    monkeypatch.setenv("NBBATCH_EXECUTOR", "process")
    job = nbbatch.submit(nap, 0.2)
    job.wait(DEADLINE)
    spent, account = job.cost(), nbbatch.costs()["charged"].sum()
    assert stop_by_signal(home)
    (home / "prices.json").write_text(json.dumps(_ten_times_dearer()))
    again = nbbatch.job(job.id)
    assert again.cost() == pytest.approx(spent)
    assert nbbatch.costs()["charged"].sum() == pytest.approx(account)


def _ten_times_dearer():
    from importlib.resources import files

    data = json.loads(files("nbbatch.model").joinpath("instance_types.json").read_text())
    data["types"] = {
        name: [*size, 10 * price, 10 * spot] for name, (*size, price, spot) in data["types"].items()
    }
    return data


def test_a_fargate_queue_is_priced_by_size(shared_daemon):
    """By vCPUs and gigabytes for an hour."""
    batch = shared_daemon.batch
    batch.create_compute_environment(
        computeEnvironmentName="fargate",
        type="MANAGED",
        computeResources={
            "type": "FARGATE",
            "maxvCpus": 4,
            "subnets": ["subnet-1"],
            "securityGroupIds": ["sg-1"],
        },
    )
    batch.create_job_queue(
        jobQueueName="fargate",
        priority=1,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": "fargate"}],
    )
    told = nbbatch.estimate(hours=1, vcpus=1, memory="2G", queue="fargate")
    assert told.expected == pytest.approx(0.04048 + 2 * 0.004445)


def test_nonsense_is_refused():
    """Before anybody is asked."""
    with pytest.raises(OptionError, match="twice"):
        nbbatch.estimate(nap, hours=1, seconds=1)
    with pytest.raises(OptionError, match="cannot be priced"):
        nbbatch.estimate(nap, hours=-1)
    with pytest.raises(OptionError, match="0 items"):
        nbbatch.estimate(nap, items=0)
    with pytest.raises(OptionError, match="no option 'vcpu'"):
        nbbatch.estimate(nap, vcpu=1)
    with pytest.raises(UnknownNameError):
        nbbatch.estimate(nap, queue="nowhere")


def test_the_span_of_many_items_grows_slower_than_their_number():
    """Long and short items even out, except for what is not known of their average."""
    known = Measured(seconds=(8.0, 10.0, 12.0, 10.0) * 5, jobs=("a",), is_same_code=True)
    low, expected, high = known.span(1)
    assert expected == pytest.approx(10.0)
    assert low < expected < high
    many = known.span(100)
    assert many[1] == pytest.approx(1000.0)
    assert (many[2] - many[0]) / many[1] < (high - low) / expected
    once = Measured(seconds=(10.0,), jobs=("a",), is_same_code=True).span(1)
    assert once[0] == pytest.approx(5.0)
    assert once[2] > 15


def test_the_digest_of_a_function_is_the_same_in_every_kernel():
    """File name, lines and hash seed do not count; what it does, its defaults and closure do."""
    source = "def f(x, k={k}):\n    return x in {{'a', 'b', 'c'}} and k\n"

    def made(text, label):
        namespace: dict[str, object] = {"__name__": "__main__"}
        exec(compile(text, label, "exec"), namespace)
        return function_digest(namespace["f"])

    here = made(source.format(k=1), "cell 1")
    assert here == made("\n\n" + source.format(k=1), "cell 9")
    assert here != made(source.format(k=2), "cell 1")
    code = (
        "from nbbatch.client.packing.digest import function_digest\n"
        f"exec({source.format(k=1)!r})\nprint(function_digest(f))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == here


def test_what_cannot_be_told_apart_by_text_has_no_digest():
    """A closure over an object might be over another one next time."""
    held = object()
    assert function_digest(lambda: held) == ""
    assert function_digest(len) == ""


def test_labels_and_sources_do_not_tell_payloads_apart():
    """The fifth cell does what the third did, if it has the same text and values."""
    same = {"kind": "cell", "source": "1", "inputs": {"a": {"data": "AA"}}}
    assert manifest_digest({**same, "label": "In [3]"}, {}) == manifest_digest(
        {**same, "label": "In [5]"}, {}
    )
    assert manifest_digest({**same, "source": "2"}, {}) != manifest_digest(same, {})
    assert manifest_digest(same, {"AA": "f"}) == manifest_digest(
        {**same, "inputs": {"a": {"data": "BB"}}}, {"BB": "f"}
    )
    assert digest([1]) != digest([2])
