"""Mistakes that only the service notices: told with what to do, like all others."""

from __future__ import annotations

import pytest

import nbbatch
from nbbatch.client.cures import cure_of
from nbbatch.errors import ClientException, OptionError, UnknownNameError

pytestmark = pytest.mark.usefixtures("shared_daemon")
GONE = "3f2a0000-0000-4000-8000-000000000000"


def same(x):
    return x


@pytest.mark.parametrize(
    ("call", "kind", "said", "cure"),
    [
        (lambda: nbbatch.submit(same, 1, after="nope"), UnknownNameError, "no job 'nope'", "nbbatch.jobs"),
        (lambda: nbbatch.submit(same, 1, after=GONE), ClientException, GONE, "nbbatch.jobs"),
        (lambda: nbbatch.submit(same, 1, after="SEQUENTIAL"), OptionError, "for arrays", "Name the job"),
        (lambda: nbbatch.submit(same, 1, share="x"), ClientException, "shareIdentifier", "nbbatch.queues"),
        (lambda: nbbatch.submit(same, 1, priority=3), ClientException, "Priority", "nbbatch.queues"),
        (lambda: nbbatch.submit(same, 1, tags={"aws:x": 1}), OptionError, "'aws:x'", "do not begin with aws"),
        (lambda: nbbatch.submit(same, 1, tags={"k": "v" * 300}), OptionError, r"tags \(k\)", "up to 256"),
        (lambda: nbbatch.submit(same, 1, image="no image"), OptionError, "'no image'", "name of one image"),
        (lambda: nbbatch.jobs(limit=-1), OptionError, "-1", "from 1"),
        (lambda: nbbatch.job(GONE), UnknownNameError, GONE, "nbbatch.jobs"),
    ],
)
def test_a_mistake_says_which_value_and_what_to_do(call, kind, said, cure):
    """Whether it is noticed here or by the service."""
    with pytest.raises(kind, match=said) as caught:
        call()
    assert cure in caught.value.cure
    assert caught.value.cure


def test_reasons_and_tails_are_brought_to_what_the_service_takes():
    """A long reason is shortened, an empty one is the usual one, a long tail takes several pages."""
    job = nbbatch.submit(same, 1)
    assert job.result(120) == 1
    assert job.logs(tail=20_000) == ""
    with pytest.raises(OptionError, match="tail does not understand -1"):
        job.logs(tail=-1)
    nbbatch.job(job.id[:8], backend=job.backend_name).terminate("x" * 5000)
    nbbatch.submit(same, 2).cancel("")


def test_names_and_beginnings_of_ids_can_be_waited_for():
    """As in a cell."""
    job = nbbatch.submit(same, 1, name="waited-for")
    for after in ("waited-for", job.id[:13]):
        assert nbbatch.submit(same, 2, after=after).detail()["dependsOn"][0]["jobId"] == job.id


@pytest.mark.parametrize(
    "message",
    [
        "JobQueue arn:aws:batch:us-east-1:1:job-queue/q is DISABLED",
        "Job queue q not found",
        "tags.k: has 300 characters, and may have at most 256",
        "'reason' is a required field (cannot be an empty string)",
        "limit: 20001 is not between 1 and 10000",
    ],
)
def test_what_the_service_says_has_a_cure_of_its_own(message):
    """And everything else has one for all."""
    assert cure_of(message) != cure_of("something new")
    assert "doctor" in cure_of("something new")
