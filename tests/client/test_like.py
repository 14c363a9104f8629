"""`like=job`: where and how an earlier job ran holds for the next one."""

from __future__ import annotations

import pytest

import nbbatch
from nbbatch.client.submission import resolve
from nbbatch.errors import OptionError, UnknownNameError

DEADLINE = 120
pytestmark = pytest.mark.usefixtures("shared_daemon")


@pytest.fixture(scope="module")
def earlier(shared_daemon):
    """A job that was given much."""
    job = nbbatch.submit(
        pow,
        2,
        3,
        queue="spot",
        vcpus=2,
        memory="1G",
        timeout="10m",
        retries=2,
        env={"A": "1"},
        tags={"team": "x"},
        max_cost=2,
        name="earlier",
    )
    assert job.result(DEADLINE) == 8
    return job


def test_a_job_like_another_one_has_its_options(earlier):
    """By handle, by id and by name; not what the job itself was."""
    for like in (earlier, earlier.id[:8], "earlier"):
        job = nbbatch.submit(pow, 3, 2, like=like)
        assert job.result(DEADLINE) == 9
        now, then = job.detail(), earlier.detail()
        same = ("jobQueue", "jobDefinition", "timeout", "retryStrategy", "tags")
        assert [now[part] for part in same] == [then[part] for part in same]
        assert now["container"]["resourceRequirements"] == then["container"]["resourceRequirements"]
        assert {"name": "A", "value": "1"} in now["container"]["environment"]
        assert job.name == "pow"


def test_what_is_said_counts_before_what_it_is_like(earlier):
    """Env and tags are merged; asking for other capacity leaves the queue open."""
    options = resolve({"like": earlier, "memory": "2G", "env": {"B": "2"}, "spot": False})
    assert (options.memory, options.vcpus, options.queue) == (2048, 2, None)
    assert dict(options.env) == {"A": "1", "B": "2"}
    assert options.like is None


def test_right_sized_means_by_what_it_used(earlier):
    """The memory that its use advises, the rest as it was; also by the id alone."""
    advice = earlier.resize_advice()
    for like in (earlier.resized(), f"{earlier.id}.resized()"):
        options = resolve({"like": like})
        assert (options.memory, options.vcpus) == (advice.memory, advice.vcpus)
        assert options.queue == "spot"
    assert advice.memory < 1024
    assert str(advice.memory) in repr(earlier.resized())


def test_a_job_that_is_nowhere_is_told():
    """Before anything is packed."""
    with pytest.raises(UnknownNameError, match="knows no job 'nobody'"):
        nbbatch.submit(pow, 1, 1, like="nobody")
    with pytest.raises(OptionError, match="Option like does not understand 3"):
        nbbatch.submit(pow, 1, 1, like=3)
