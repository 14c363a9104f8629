"""The shared watcher: who waits is woken, by as few calls as possible, whatever else happens."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import warnings
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from nbbatch.client import watch
from nbbatch.client.watch import Watcher
from nbbatch.errors import BackendUnreachableError, UnknownNameError

DEADLINE = 60


class FakeBatch:
    """DescribeJobs over a dict of statuses; notes what it was asked."""

    def __init__(self, statuses: dict[str, str]) -> None:
        self.statuses = statuses
        self.asked: list[list[str]] = []
        self.failures = 0

    def describe_jobs(self, *, jobs: list[str]) -> dict:
        if self.failures:
            self.failures -= 1
            raise BackendUnreachableError("gone for now")
        assert len(jobs) <= 100, "Maximum number of jobs supported is  100"
        self.asked.append(list(jobs))
        known = [job_id for job_id in jobs if job_id in self.statuses]
        return {"jobs": [{"jobId": job_id, "status": self.statuses[job_id]} for job_id in known]}


class Ear:
    """A listener that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.end: Future[str] = Future()
        self.first = threading.Event()

    def on_change(self, detail) -> None:
        self.told.append(detail["status"])
        self.first.set()
        if detail["status"] in ("SUCCEEDED", "FAILED"):
            self.end.set_result(detail["status"])

    def on_failure(self, error) -> None:
        self.end.set_exception(error)


@pytest.fixture
def remote(monkeypatch):
    """A watcher of a backend that can only be asked, its jobs, and pauses that take no time."""
    batch = FakeBatch({})
    backend = SimpleNamespace(
        name="far",
        identity="r",
        tells_changes=False,
        batch=batch,
        errors=contextlib.nullcontext,
        renew=lambda start: None,
    )
    monkeypatch.setattr(watch, "SHORTEST_PAUSE", 0.01)
    monkeypatch.setattr(watch, "LINGER", 0.01)
    watcher = Watcher(backend)
    yield SimpleNamespace(backend=backend, watcher=watcher, batch=batch, statuses=batch.statuses)
    deadline = time.monotonic() + DEADLINE
    while watcher.is_awake and time.monotonic() < deadline:
        time.sleep(0.001)
    assert not watcher.is_awake, "the thread outlived those who waited"


def test_a_listener_is_told_at_once_and_last_at_the_end(remote):
    """First what the job is now, then each change, and nothing after the end."""
    remote.statuses["a"] = "RUNNABLE"
    ear = Ear()
    remote.watcher.watch("a", ear)
    assert ear.first.wait(DEADLINE)
    remote.statuses["a"] = "SUCCEEDED"
    assert ear.end.result(DEADLINE) == "SUCCEEDED"
    assert ear.told == ["RUNNABLE", "SUCCEEDED"]


def test_more_than_a_hundred_jobs_are_asked_for_a_hundred_at_a_time(remote):
    """DescribeJobs takes no more; 250 waiters need three calls a round, not 250."""
    ears = {f"job{number}": Ear() for number in range(250)}
    remote.statuses.update(dict.fromkeys(ears, "SUCCEEDED"))
    for job_id, ear in ears.items():
        remote.watcher.watch(job_id, ear)
    assert all(ear.end.result(DEADLINE) == "SUCCEEDED" for ear in ears.values())
    assert len(remote.batch.asked) < 100


def test_all_handles_share_one_thread(remote):
    """However many wait, one thread asks."""
    before = set(threading.enumerate())
    remote.statuses.update({"a": "RUNNING", "b": "RUNNING"})
    ears = [Ear() for _ in range(20)]
    for number, ear in enumerate(ears):
        remote.watcher.watch("ab"[number % 2], ear)
    assert all(ear.first.wait(DEADLINE) for ear in ears)
    assert [thread.name for thread in set(threading.enumerate()) - before] == ["nbbatch-watch"]
    remote.statuses.update({"a": "SUCCEEDED", "b": "FAILED"})
    assert {ear.end.result(DEADLINE) for ear in ears} == {"SUCCEEDED", "FAILED"}


def test_an_unchanged_job_is_told_only_once(remote):
    """Listeners hear of changes, not of looks."""
    remote.statuses["a"] = "RUNNING"
    ear = Ear()
    held = remote.watcher.watch("a", ear)
    deadline = time.monotonic() + DEADLINE
    while len(remote.batch.asked) < 5 and time.monotonic() < deadline:
        time.sleep(0.001)
    held.close()
    assert ear.told == ["RUNNING"]


def test_a_listener_that_raises_harms_nobody_else(remote, caplog):
    """Its error is logged; the others of the same job are told."""

    class Clumsy(Ear):
        def on_change(self, detail):
            raise ZeroDivisionError

    remote.statuses["a"] = "SUCCEEDED"
    ear = Ear()
    remote.watcher.watch("a", Clumsy())
    remote.watcher.watch("a", ear)
    assert ear.end.result(DEADLINE) == "SUCCEEDED"
    assert "ZeroDivisionError" in caplog.text


def test_nobody_is_told_after_closing(remote):
    """Who loses interest is left alone, and the thread ends when nobody is left."""
    remote.statuses["a"] = "RUNNING"
    ear, other = Ear(), Ear()
    held = remote.watcher.watch("a", ear)
    remote.watcher.watch("a", other)
    assert ear.first.wait(DEADLINE)
    held.close()
    remote.statuses["a"] = "SUCCEEDED"
    assert other.end.result(DEADLINE) == "SUCCEEDED"
    assert ear.told == ["RUNNING"]


def test_a_backend_that_goes_away_for_a_while_is_borne(remote):
    """Waiting goes on by itself when the service answers again."""
    remote.statuses["a"] = "SUCCEEDED"
    remote.batch.failures = 3
    ear = Ear()
    remote.watcher.watch("a", ear)
    assert ear.end.result(DEADLINE) == "SUCCEEDED"


def test_a_backend_that_stays_away_is_told_to_those_who_wait(remote, monkeypatch):
    """After long enough, waiting ends with the backend's own error."""
    monkeypatch.setattr(watch, "PATIENCE", 0.05)
    remote.batch.failures = 10**9
    ear = Ear()
    remote.watcher.watch("a", ear)
    with pytest.raises(BackendUnreachableError, match="gone for now"):
        ear.end.result(DEADLINE)


def test_a_job_that_never_appears_is_unknown(remote, monkeypatch):
    """A new job may take a while to appear on AWS, but not for ever."""
    ear, late = Ear(), Ear()
    remote.watcher.watch("late", late)
    deadline = time.monotonic() + DEADLINE
    while len(remote.batch.asked) < 3 and time.monotonic() < deadline:
        time.sleep(0.001)
    remote.statuses["late"] = "SUCCEEDED"
    assert late.end.result(DEADLINE) == "SUCCEEDED"
    monkeypatch.setattr(watch, "APPEARANCE", 0.05)
    remote.watcher.watch("nowhere", ear)
    with pytest.raises(UnknownNameError, match="nowhere"):
        ear.end.result(DEADLINE)


def test_a_bug_in_the_watcher_ends_the_waiting(remote, monkeypatch, caplog):
    """Nobody waits for a thread that died."""
    monkeypatch.setattr(remote.batch, "describe_jobs", lambda **_: {})
    ear = Ear()
    remote.watcher.watch("a", ear)
    with pytest.raises(Exception, match="watcher failed"):
        ear.end.result(DEADLINE)
    assert "KeyError" in caplog.text


def test_a_forked_child_watches_by_itself(remote, monkeypatch):
    """The parent's thread is not in the child, whose handles wait all the same."""
    remote.statuses["a"] = "RUNNING"
    ear = Ear()
    watcher = watch.watcher_of(remote.backend)
    held = watcher.watch("a", ear)
    assert ear.first.wait(DEADLINE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is the point
        child = os.fork()
    if child == 0:
        code = 1
        try:
            remote.statuses["a"] = "SUCCEEDED"
            own = Ear()
            watch.watcher_of(remote.backend).watch("a", own)
            ended = own.end.result(DEADLINE) == "SUCCEEDED"
            code = 0 if ended and watch.watcher_of(remote.backend) is not watcher else 1
        finally:
            os._exit(code)  # whatever happens, it must not go on as a second run of all tests
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    held.close()
