"""What short jobs used is known, although nobody was looking while they ran."""

from __future__ import annotations

import pytest

import nbbatch
from nbbatch.client.arrays.indexes import bundle_of
from nbbatch.client.backend import get_backend
from nbbatch.client.handles.handle import Account
from nbbatch.client.handles.usage import own_usage
from nbbatch.client.options import Options
from nbbatch.client.results import Usage
from nbbatch.client.spec import JobSpec
from nbbatch.client.submission import submit_spec

DEADLINE = 120
ACCOUNT = Account(
    on_demand=1.0, spot=0.5, seconds=2.0, cpu_seconds=0.5, peak_memory=64, instance_type="m6i.large"
)


def fill(mib):
    """Touch so much memory, shortly."""
    return len(bytearray(mib << 20))


fill.__module__ = "__main__"


def test_what_a_short_job_used_is_its_own_word(executor, daemon):
    """Peak memory and CPU time of a job of a tenth of a second, whoever ran it."""
    job = nbbatch.submit(fill, 200)
    assert job.result(DEADLINE) == 200 << 20
    used = job.account()
    assert used.peak_memory >= 200
    assert used.cpu_seconds >= job.load().usage.cpu_seconds * 0.9


def test_children_count_together_in_their_array(executor, daemon):
    """The largest peak and the sum of CPU time; a retry has its own."""
    array = nbbatch.map(fill, [8, 120])
    assert array.wait(DEADLINE)
    own = own_usage(daemon.store, array.detail())
    assert len(own) == 2
    used = array.account()
    assert used.peak_memory >= 120
    assert used.cpu_seconds >= sum(one.cpu_seconds for one in own) * 0.9


@pytest.mark.usefixtures("shared_daemon")
def test_a_retry_and_its_array_do_not_mix():
    """Results of the same bundle belong to the job that made them."""
    array = nbbatch.map(fill, [8, -1])
    array.wait(DEADLINE)
    again = array.retry_failed()
    again.wait(DEADLINE)
    store = again.backend.store
    assert len(own_usage(store, again.detail())) == 1
    assert len(own_usage(store, array.detail())) == 1


@pytest.mark.usefixtures("shared_daemon")
def test_a_job_without_results_has_no_word_of_its_own():
    """Neither a command without a bundle nor a bundle that is gone is an error."""
    backend = get_backend()
    spec = JobSpec(options=Options(), name="bare", command=("true",))
    bare = nbbatch.Job(submit_spec(backend, spec), backend=backend.name)
    assert bare.wait(DEADLINE)
    assert own_usage(backend.store, bare.detail()) == []
    for job in (nbbatch.submit(fill, 1), nbbatch.map(fill, [1, 2])):
        job.wait(DEADLINE)
        backend.store.delete(bundle_of(job.detail()))
        assert own_usage(backend.store, job.detail()) == []
        assert job.account().seconds > 0


def test_the_larger_number_is_the_better_one():
    """Both are lower bounds; bytes become MiB, rounded up."""
    used = [
        Usage(cpu_seconds=0.4, peak_memory=(100 << 20) + 1, seconds=1.0),
        Usage(cpu_seconds=0.3, peak_memory=1, seconds=1.0),
    ]
    better = ACCOUNT.at_least(used)
    assert (better.cpu_seconds, better.peak_memory) == (pytest.approx(0.7), 101)
    assert (better.on_demand, better.seconds) == (1.0, 2.0)
    kept = ACCOUNT.at_least(used[1:])
    assert (kept.cpu_seconds, kept.peak_memory) == (0.5, 64)
    assert ACCOUNT.at_least([]) is ACCOUNT
