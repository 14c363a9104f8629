"""Outcomes: what Batch's FAILED hides, told apart from real DescribeJobs answers."""

from __future__ import annotations

import pytest

from nbbatch.client.handles.outcome import (
    Outcome,
    duration_in_words,
    error_of,
    in_words,
    next_memory,
    outcome,
    short_id,
)
from nbbatch.errors import (
    CouldNotStartError,
    DependencyFailedError,
    HostLostError,
    JobCancelledError,
    JobFailedError,
    JobOutOfMemoryError,
    JobTerminatedError,
    JobTimedOutError,
)

ESSENTIAL = "Essential container in task exited"


def failed(reason: str = ESSENTIAL, *, container: dict | None = None, ran: bool = True, **more) -> dict:
    """A FAILED job's detail with one attempt of the same reason, if it ran."""
    container = container or {}
    attempt = {"statusReason": reason, "container": container, "startedAt": 1000, "stoppedAt": 13000}
    return {
        "jobId": "3f2a9c1e-0000-4000-8000-000000000000",
        "jobName": "train",
        "status": "FAILED",
        "statusReason": reason,
        "container": {"resourceRequirements": [{"type": "MEMORY", "value": "2048"}], **container},
        "attempts": [attempt] if ran else [],
        "stoppedAt": 13000,
        **({"startedAt": 1000} if ran else {}),
        **more,
    }


CASES = {
    "exit code": (
        failed(container={"exitCode": 3}),
        Outcome.EXITED,
        JobFailedError,
        "exit code 3 after 12 s",
    ),
    "signal": (failed(container={"exitCode": 139}), Outcome.EXITED, JobFailedError, r"139 \(signal 11\)"),
    "killed": (failed(container={"exitCode": 137}), Outcome.EXITED, JobFailedError, 'try memory="4G"'),
    "out of memory": (
        failed(
            container={"exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"}
        ),
        Outcome.OUT_OF_MEMORY,
        JobOutOfMemoryError,
        'more than its 2048 MiB.*memory="4G"',
    ),
    "timeout": (
        failed(
            "Job attempt duration exceeded timeout",
            container={"exitCode": 137},
            timeout={"attemptDurationSeconds": 60},
        ),
        Outcome.TIMED_OUT,
        JobTimedOutError,
        "timeout of 1 min.*timeout=120",
    ),
    "terminated": (
        failed("because I say so", container={"exitCode": 143}, isTerminated=True, isCancelled=False),
        Outcome.TERMINATED,
        JobTerminatedError,
        "terminated: because I say so",
    ),
    "cancelled": (
        failed("not needed", ran=False, isCancelled=True),
        Outcome.CANCELLED,
        JobCancelledError,
        "cancelled: not needed",
    ),
    "cancelled too late": (
        failed(container={"exitCode": 1}, isCancelled=True),
        Outcome.EXITED,
        JobFailedError,
        "exit code 1",
    ),
    "host": (
        failed("Host EC2 (instance i-0123) terminated."),
        Outcome.HOST_LOST,
        HostLostError,
        "lost its host.*retries=3",
    ),
    "fargate spot": (
        failed("Your Spot Task was interrupted.", container={"exitCode": 137}),
        Outcome.HOST_LOST,
        HostLostError,
        "Spot Task",
    ),
    "dependency": (
        failed("Dependent Job failed", ran=False, dependsOn=[{"jobId": "up"}]),
        Outcome.DEPENDENCY_FAILED,
        DependencyFailedError,
        "depends on: up",
    ),
    "image": (
        failed(
            "Task failed to start",
            container={"reason": "CannotPullContainerError: no such image: x"},
            ran=False,
        ),
        Outcome.COULD_NOT_START,
        CouldNotStartError,
        "no such image: x",
    ),
    "engine": (
        failed(container={"reason": "CannotStartContainerError: no"}, ran=False),
        Outcome.COULD_NOT_START,
        CouldNotStartError,
        "could not start",
    ),
    "queue deleted": (
        failed("JobQueue deleted", ran=False),
        Outcome.CANCELLED,
        JobCancelledError,
        "JobQueue deleted",
    ),
    "array": (
        failed("Array Child Job failed", ran=False)
        | {"arrayProperties": {"size": 20, "statusSummary": {"FAILED": 3, "SUCCEEDED": 17}}},
        Outcome.CHILDREN_FAILED,
        JobFailedError,
        "3 of 20.*retry_failed",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_failed_is_told_apart(case):
    """Each way to fail has its own word, its own error class, its sentence and its cure."""
    detail, ended, kind, text = CASES[case]
    assert outcome(detail) is ended
    with pytest.raises(kind, match=f"(?s){text}") as caught:
        raise error_of(detail, log_tail="last words")
    assert type(caught.value) is kind
    assert caught.value.job_id == detail["jobId"]
    assert "last words" in str(caught.value)


def test_a_live_job_has_no_outcome():
    """What runs has not ended, and asking for its error is a bug of the caller."""
    live = {"jobId": "1", "jobName": "n", "status": "RUNNABLE"}
    assert outcome(live) is None
    assert in_words(live) == "Job n (1) is RUNNABLE."
    with pytest.raises(ValueError, match="not a failed job"):
        error_of(live)


def test_success_is_success_even_after_a_cancellation():
    """A cancellation of a running job is accepted and does nothing."""
    detail = failed(container={"exitCode": 0}, isCancelled=True) | {"status": "SUCCEEDED"}
    assert outcome(detail) is Outcome.SUCCEEDED
    assert "succeeded after 12 s" in in_words(detail)


def test_a_summary_of_list_jobs_suffices():
    """ListJobs' rows have no attempts, and tell the same."""
    row = {
        "status": "FAILED",
        "statusReason": ESSENTIAL,
        "container": {"exitCode": 2},
        "startedAt": 1,
        "stoppedAt": 2,
    }
    assert outcome(row) is Outcome.EXITED
    assert outcome(row | {"isCancelled": True}) is Outcome.EXITED
    assert outcome(row | {"isTerminated": True, "statusReason": "enough"}) is Outcome.TERMINATED


@pytest.mark.parametrize(
    ("length", "words"),
    [(0.04, "0.0 s"), (6.23, "6.2 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations_are_for_people(length, words):
    """The larger the duration, the coarser its words."""
    assert duration_in_words(length) == words


@pytest.mark.parametrize(("mib", "text"), [(0, "8M"), (256, "512M"), (512, "1G"), (1500, "3G"), (4096, "8G")])
def test_the_next_size_of_memory_is_twice_as_much(mib, text):
    """The proposal is a value one can paste."""
    assert next_memory(mib) == text


def test_short_ids_keep_the_index_of_a_child():
    """Eight letters tell jobs apart in a line of text."""
    assert short_id("3f2a9c1e-0000-4000-8000-000000000000:7") == "3f2a9c1e:7"
