"""The executor for tests of the loop: it writes orders down and says what the test says."""

from __future__ import annotations

import pytest

from nbbatch.daemon.executors.scripted import ScriptedExecutor
from nbbatch.daemon.ports import ExpectedAttempt
from nbbatch.model.containers import Container
from nbbatch.model.events import AttemptExited, AttemptStarted, AttemptVanished, StartAttempt, StopAttempt
from nbbatch.model.fleet import HostId
from nbbatch.model.jobs import JobId
from nbbatch.model.resources import NOTHING

JOB = JobId("a")
ORDER = StartAttempt(
    job_id=JOB,
    attempt=1,
    host=HostId("host"),
    container=Container(image="image"),
    environment=(),
    resources=NOTHING,
    log_stream="a/default/1",
)


@pytest.fixture
def reports():
    return []


@pytest.fixture
def executor(reports):
    times = iter(range(100, 200))
    return ScriptedExecutor(reports.extend, lambda: next(times))


async def test_it_fails_when_an_order_was_not_looked_at(executor):
    """Each kind of order counts until it is taken."""
    executor.start([ORDER])
    with pytest.raises(AssertionError, match="start"):
        executor.check()
    assert executor.take_starts() == [ORDER]
    executor.stop([StopAttempt(job_id=JOB, attempt=1)])
    with pytest.raises(AssertionError, match="stop"):
        executor.check()
    assert [stop.job_id for stop in executor.take_stops()] == [JOB]
    await executor.adopt([ExpectedAttempt(order=ORDER, was_running=True)])
    with pytest.raises(AssertionError, match="adopt"):
        executor.check()
    assert executor.take_expected()[0].was_running
    executor.check()


def test_it_reports_what_the_test_lets_happen(executor, reports):
    """Start, end and loss, with the test's own clock."""
    executor.started(JOB)
    executor.exited(JOB, exit_code=3)
    executor.exited(JOB, 2, exit_code=None, reason="why")
    executor.vanished(JOB, 3)
    assert reports[0] == AttemptStarted(job_id=JOB, attempt=1, started_at=100)
    assert reports[1] == AttemptExited(job_id=JOB, attempt=1, exit_code=3, started_at=100, stopped_at=101)
    assert (reports[2].started_at, reports[2].exit_code, reports[2].reason) == (None, None, "why")
    assert reports[3] == AttemptVanished(job_id=JOB, attempt=3)


async def test_what_is_settled_needs_no_look(executor, reports):
    """Settled ends are kept for who asks."""
    executor.exited(JOB)
    executor.settled(reports)
    executor.check()
    assert executor.take_settled() == reports
    await executor.close()
    assert executor.is_closed
