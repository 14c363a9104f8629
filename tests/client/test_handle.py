"""What a handle tells of its job: attempts, use, events, timeline, logs, and how it shows itself."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

import nbbatch
from nbbatch.client.backend import get_backend
from nbbatch.client.handles.attempts import attempts_of
from nbbatch.client.handles.outcome import Outcome
from nbbatch.client.moments import epoch_ms
from nbbatch.client.options import Options
from nbbatch.client.spec import JobSpec
from nbbatch.client.submission import submit_spec
from nbbatch.errors import OptionError, UnknownNameError

DEADLINE = 120
pytestmark = pytest.mark.usefixtures("shared_daemon")


def in_notebook(function):
    """As if it had been defined in a cell."""
    function.__module__ = "__main__"
    return function


@in_notebook
def double(number):
    return 2 * number


def command(*words: str, **options):
    """A job without a bundle."""
    backend = get_backend()
    spec = JobSpec(options=Options.parse(options), name="bare", command=words)
    return nbbatch.Job(submit_spec(backend, spec), backend=backend.name)


def test_a_handle_knows_its_queue_tags_exit_code_and_outcome():
    """In plain values, without DescribeJobs' nesting."""
    job = command("sh", "-c", "exit 3", tags={"team": "a"}, timeout="1h")
    job.wait(DEADLINE)
    assert (job.queue, job.exit_code, job.outcome) == ("default", 3, Outcome.EXITED)
    assert job.tags["team"] == "a"
    assert nbbatch.submit(double, 1).queue == "default"


def test_a_job_that_goes_on_has_no_outcome_and_no_exit_code(tmp_path):
    """None, and not a guess."""
    gate = tmp_path / "gate"
    job = command("sh", "-c", f"while [ ! -e {gate} ]; do sleep 0.01; done")
    assert job.outcome is None
    assert job.exit_code is None
    assert job.attempts == []
    gate.touch()
    assert job.wait(DEADLINE)
    assert job.outcome is Outcome.SUCCEEDED


def test_use_is_told_beside_what_was_asked_for():
    """VCPUs busy on average and the largest memory of any attempt."""
    job = nbbatch.submit(double, 1, vcpus=2, memory="1G")
    job.wait(DEADLINE)
    use = job.usage()
    assert (use.vcpus, use.memory) == (2, 1024)
    assert use.seconds > 0
    assert use.cpu_seconds > 0
    assert use.busy_vcpus == pytest.approx(use.cpu_seconds / use.seconds)
    assert 1 < use.peak_memory < 1024


def test_events_tell_every_state_once_and_end_with_the_job():
    """From the first one on to its end; of an array with its children's."""
    job = nbbatch.submit(double, 1)
    told = [event["detail"]["status"] for event in job.events(follow=True)]
    assert told == ["RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]
    array = nbbatch.map(double, range(2))
    array.wait(DEADLINE)
    ids = {event["detail"]["jobId"] for event in array.events()}
    assert {array.id, f"{array.id}:0", f"{array.id}:1"} <= ids


def test_the_timeline_says_how_long_each_state_lasted():
    """Without gaps, in order, the running time as the attempts have it; a retried job runs twice."""
    job = command("sh", "-c", "sleep 0.05; exit 1", retries=1)
    job.wait(DEADLINE)
    table = job.timeline()
    assert list(table.columns) == ["child", "status", "from", "to", "seconds"]
    assert table["status"].iloc[0] == "RUNNABLE"
    assert table["from"].iloc[0].timestamp() == pytest.approx(job.detail()["createdAt"] / 1000)
    assert table["status"].iloc[-1] == "FAILED"
    assert (table["to"].iloc[:-1].to_numpy() == table["from"].iloc[1:].to_numpy()).all()
    ran = table.loc[table["status"] == "RUNNING", "seconds"].tolist()
    assert ran == pytest.approx([one.seconds for one in job.attempts], abs=0.002)
    assert (table["seconds"] >= 0).all()


def test_the_timeline_of_an_array_has_its_children():
    """Waiting, running and end of each; no call per child."""
    array = nbbatch.map(double, range(3))
    array.wait(DEADLINE)
    table = array.timeline()
    assert table["child"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert table["status"].tolist() == ["WAITING", "RUNNING", "SUCCEEDED"] * 3
    assert isinstance(table["from"].dtype, pd.DatetimeTZDtype)


def test_logs_are_cut_by_number_and_time():
    """`tail` counts from the end, `since` is a moment; both also for a follower."""
    job = command("sh", "-c", "seq 1 5")
    job.wait(DEADLINE)
    assert job.logs(tail=2) == "4\n5"
    assert list(job.logs(follow=True, tail=2)) == ["4", "5"]
    assert job.logs(since="1h") == "1\n2\n3\n4\n5"
    assert job.logs(since=datetime.now(UTC) + timedelta(hours=1)) == ""
    assert job.logs(tail=1, since="1h") == "5"
    assert list(job.logs(follow=True, since=time.time() + 3600)) == []


def test_a_follower_gets_the_end_of_what_is_there_and_then_all(tmp_path):
    """As `tail -f` does."""
    gate = tmp_path / "gate"
    job = command("sh", "-c", f"seq 1 9; while [ ! -e {gate} ]; do sleep 0.01; done; echo end")
    lines = job.logs(follow=True)
    assert [next(lines) for _ in range(9)][-1] == "9"
    late = job.logs(follow=True, tail=2)
    assert [next(late), next(late)] == ["8", "9"]
    gate.touch()
    assert list(late) == ["end"]


def test_several_jobs_are_gathered_by_the_event_loop():
    """Handles are awaitables like any others."""

    async def both():
        return await asyncio.gather(nbbatch.submit(double, 1), nbbatch.map(double, [2, 3]))

    assert asyncio.run(both()) == [2, [4, 6]]


def test_a_callback_may_wait_for_another_job():
    """It runs on a thread of its own, neither the caller's nor the watcher's."""
    values, over = [], threading.Event()

    def go_on(job):
        values.append(nbbatch.submit(double, job.result()).result(DEADLINE))
        values.append(threading.current_thread())
        over.set()

    nbbatch.submit(double, 5).add_done_callback(go_on)
    assert over.wait(DEADLINE)
    assert values[0] == 20
    assert values[1] is not threading.main_thread()
    assert values[1].name != "nbbatch-watch"


def test_what_a_callback_raises_is_logged(caplog):
    """With its traceback, and the next one is called."""
    over = threading.Event()
    job = nbbatch.submit(double, 5)
    with caplog.at_level(logging.ERROR):
        job.add_done_callback(lambda _: 1 / 0)
        job.add_done_callback(lambda _: over.set())
        assert over.wait(DEADLINE)
    assert "ZeroDivisionError" in caplog.text


def test_a_handle_shows_itself_as_text_and_as_a_static_table():
    """A picture of now: no script, and names are escaped."""
    job = nbbatch.submit(double, 1, name="shown")
    job.wait(DEADLINE)
    bundle = job._repr_mimebundle_()
    assert "job shown" in bundle["text/plain"]
    assert "SUCCEEDED" in bundle["text/plain"]
    assert "queue default" in bundle["text/plain"]
    assert "<table>" in bundle["text/html"]
    assert "script" not in bundle["text/html"]
    array = nbbatch.map(double, range(3))
    array.wait(DEADLINE)
    assert "3 SUCCEEDED" in array._repr_mimebundle_()["text/plain"]


def test_a_handle_of_a_job_that_is_gone_still_shows_itself():
    """A display must not raise; asking it something says that there is no such job."""
    gone = nbbatch.Job("00000000-0000-4000-8000-000000000000", backend="local")
    assert list(gone._repr_mimebundle_()) == ["text/plain"]


def test_jobs_are_found_by_name_status_time_and_tag():
    """Conditions add up; what is cut out of a table is a table."""
    start = time.time() - 1
    good = nbbatch.submit(double, 1, name="found-1", tags={"crew": "blue"})
    bad = command("sh", "-c", "exit 1")
    assert good.wait(DEADLINE)
    assert bad.wait(DEADLINE)
    assert [row.id for row in nbbatch.jobs(name="found-1")] == [good.id]
    assert good.id in [row.id for row in nbbatch.jobs(name="found-*", since=start)]
    assert [row.id for row in nbbatch.jobs(tag="crew=blue")] == [good.id]
    assert [row.id for row in nbbatch.jobs(tag="crew", since=start)] == [good.id]
    with pytest.raises(UnknownNameError, match=r"no job queue 'defalt'. Did you mean default\?"):
        nbbatch.jobs(queue="defalt")
    assert len(nbbatch.jobs(tag="crew=red")) == 0
    assert bad.id in [row.id for row in nbbatch.jobs(status="failed")]
    assert bad.id in [row.id for row in nbbatch.jobs(status="exited")]
    assert len(nbbatch.jobs(name="found-1", status="FAILED")) == 0
    assert len(nbbatch.jobs(since=datetime.now(UTC) + timedelta(hours=1))) == 0
    newest = nbbatch.jobs(since=start)
    assert newest[0].handle() == bad
    assert "found-1" in repr(newest[:2])
    assert "<table>" in newest[:2]._repr_html_()
    with pytest.raises(OptionError, match="Did you mean 'FAILED'"):
        nbbatch.jobs(status="FAILD")


def test_queues_are_rows_and_a_table():
    """The default world's three."""
    found = nbbatch.queues()
    assert {row.name for row in found} == {"default", "spot", "gpu"}
    spot = next(row for row in found if row.name == "spot")
    assert spot.environments == (("spot", "SPOT"),)
    assert spot.state == "ENABLED"
    assert spot.max_vcpus > 0
    assert "spot (SPOT)" in repr(found)
    assert "max_vcpus" in found.frame().columns


def test_a_job_is_found_by_name_in_another_process_after_the_daemon_came_back(shared_daemon):
    """A handle needs nothing of the process that submitted it."""
    job = nbbatch.submit(double, 21, name="elsewhere")
    assert job.wait(DEADLINE)
    shared_daemon.private("stop", {})
    deadline = time.monotonic() + DEADLINE
    while (shared_daemon.home / "endpoint.json").exists():  # by which the other process would find it still
        assert time.monotonic() < deadline
        time.sleep(0.01)
    code = "import nbbatch; print(nbbatch.job('elsewhere').result(120), nbbatch.job('elsewhere').id)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert other.stdout.split() == ["42", job.id], other.stderr
    assert nbbatch.job("elsewhere").result() == 42


def test_moments_are_durations_points_and_numbers():
    """`2h` is two hours ago."""
    before = int(1000 * time.time())
    found = [epoch_ms("2h"), epoch_ms(timedelta(hours=2))]
    after = int(1000 * time.time()) + 1
    assert all(before <= moment + 7_200_000 <= after for moment in found)
    assert epoch_ms(datetime(2026, 1, 1, tzinfo=UTC)) == 1_767_225_600_000
    assert epoch_ms(1.5) == 1500
    with pytest.raises(OptionError, match="no point in time"):
        epoch_ms([])


def test_an_attempt_of_several_containers_is_told_by_the_one_that_failed():
    """Else by the first."""
    told = {"containers": [{"exitCode": 0}, {"exitCode": 9, "reason": "gave up"}]}
    task = {"containerInstanceArn": "arn:aws:ecs:eu:1:container-instance/c/i-1", **told}
    [attempt] = attempts_of({"attempts": [{"startedAt": 0, "stoppedAt": 1500, "taskProperties": [task]}]})
    assert (attempt.exit_code, attempt.reason, attempt.host, attempt.seconds) == (9, "gave up", "i-1", 1.5)
