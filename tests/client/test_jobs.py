"""Handles of single jobs against a real daemon: submit, wait, read, fail, find again, repeat."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest
from botocore.exceptions import ReadTimeoutError

import nbbatch
from nbbatch.client.arrays.indexes import bundle_of
from nbbatch.client.backend import get_backend
from nbbatch.client.handles.outcome import Outcome, outcome
from nbbatch.client.logs import LogReader
from nbbatch.client.options import Options
from nbbatch.client.spec import JobSpec
from nbbatch.client.submission import submit_spec
from nbbatch.errors import (
    JobCancelledError,
    JobError,
    JobFailedError,
    JobTerminatedError,
    OptionError,
    RemoteError,
    ResultLostError,
    UnknownNameError,
    UserError,
)

DEADLINE = 120
pytestmark = pytest.mark.usefixtures("shared_daemon")


def in_notebook(function):
    """As if it had been defined in a cell: it travels by value, and the job imports nothing of this file."""
    function.__module__ = "__main__"
    return function


@in_notebook
def add(left, right=0):
    return left + right


@in_notebook
def divide(left, right):
    return left / right


@in_notebook
def wait_for(gate: str, steps: int = 6000) -> str:
    """Waits in the job until the test makes a file."""
    import pathlib
    import time

    for _ in range(steps):
        if pathlib.Path(gate).exists():
            return "went through"
        time.sleep(0.01)
    raise TimeoutError(gate)


@pytest.fixture
def gate(tmp_path):
    """A file that jobs wait for; made at the end whatever happens, so that no job stays."""
    path = tmp_path / "gate"
    yield path
    path.touch()


def until(condition, *, what: str):
    """Wait for something that only asking can tell."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def command(*words: str, **options):
    """A job without a bundle."""
    backend = get_backend()
    spec = JobSpec(options=Options.parse(options), name="bare", command=words)
    return nbbatch.Job(submit_spec(backend, spec), backend=backend.name)


def test_a_function_runs_as_a_job_and_its_value_comes_back():
    """Submit returns at once with an id; result waits."""
    job = nbbatch.submit(add, 1, right=41)
    assert job.result(DEADLINE) == 42
    assert job.done()
    assert not job.running()
    assert not job.cancelled()
    assert job.exception() is None
    assert job.status == "SUCCEEDED"
    assert job.name == "add"


def test_options_are_taken_and_the_rest_belongs_to_the_function():
    """Resources, name, tags and environment reach the job; `right` reaches the function."""
    job = nbbatch.submit(
        add, 1, right=2, name="my-sum", vcpus=1, memory="512M", env={"A": "b"}, tags={"t": "u"}
    )
    assert job.result(DEADLINE) == 3
    detail = job.detail()
    assert detail["jobName"] == "my-sum"
    assert {"type": "MEMORY", "value": "512"} in detail["container"]["resourceRequirements"]
    assert {"name": "A", "value": "b"} in detail["container"]["environment"]
    assert detail["tags"]["t"] == "u"


def test_a_keyword_that_is_neither_option_nor_parameter_is_refused():
    """Nothing is sent, and the nearest word is named."""
    with pytest.raises(OptionError, match="Did you mean 'vcpus'"):
        nbbatch.submit(add, 1, vcpu=2)
    with pytest.raises(OptionError, match="cannot be called like this"):
        nbbatch.submit(add)


def test_what_the_function_raises_is_raised_here():
    """The original exception, with the remote traceback as its cause."""
    job = nbbatch.submit(divide, 1, 0)
    with pytest.raises(ZeroDivisionError) as caught:
        job.result(DEADLINE)
    remote = caught.value.__cause__
    assert isinstance(remote, RemoteError)
    assert remote.remote_type == "ZeroDivisionError"
    assert "return left / right" in remote.remote_traceback
    assert job.id in remote.cure
    assert isinstance(job.exception(), ZeroDivisionError)
    assert isinstance(job.error(), RemoteError)


def test_an_exit_code_is_told_with_the_end_of_the_log():
    """A command that fails shows its code and its last words."""
    job = command("sh", "-c", "echo first; echo last words; exit 3")
    with pytest.raises(JobFailedError, match=r"(?s)exit code 3.*last words") as caught:
        job.result(DEADLINE)
    assert caught.value.job_id == job.id


def test_a_command_brings_back_no_value():
    """What has no bundle has a log and an exit code."""
    job = command("true")
    assert job.result(DEADLINE) is None
    with pytest.raises(ResultLostError, match="no values back"):
        job.load()


def test_a_timeout_of_waiting_is_not_the_end_of_the_job(gate):
    """TimeoutError says that the job goes on, and it does."""
    job = nbbatch.submit(wait_for, str(gate))
    with pytest.raises(TimeoutError, match="it goes on"):
        job.result(0.05)
    assert not job.wait(0.01)
    assert not job.done()
    gate.touch()
    assert job.wait(DEADLINE)
    assert job.result() == "went through"


def test_callbacks_come_once_with_the_handle(gate):
    """Before the end they wait for it, after it they come at once; what they raise harms nobody."""
    came: list[object] = []
    two, clumsy = threading.Event(), threading.Event()

    def note(handle):
        came.append((handle, handle.status))
        if len(came) == 2:
            two.set()

    def stumble(_):
        clumsy.set()
        raise ZeroDivisionError

    job = nbbatch.submit(wait_for, str(gate))
    job.add_done_callback(stumble)
    job.add_done_callback(note)
    gate.touch()
    job.result(DEADLINE)
    job.add_done_callback(note)
    assert two.wait(DEADLINE)
    assert clumsy.wait(DEADLINE)
    assert came == [(job, "SUCCEEDED")] * 2


def test_changes_are_told_as_they_come(gate):
    """A listener sees the job run before it sees it end."""
    seen: list[str] = []
    running, over = threading.Event(), threading.Event()

    def look(detail):
        seen.append(detail["status"])
        if detail["status"] == "RUNNING":
            running.set()
        if detail["status"] == "SUCCEEDED":
            over.set()

    job = nbbatch.submit(wait_for, str(gate))
    job.on_change(look)
    assert running.wait(DEADLINE)
    assert job.running()
    gate.touch()
    assert over.wait(DEADLINE)
    order = ["SUBMITTED", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]
    assert seen == sorted(seen, key=order.index)


async def test_a_job_can_be_awaited(gate):
    """The event loop goes on meanwhile, and giving up does not touch the job."""
    job = nbbatch.submit(wait_for, str(gate))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await job
    gate.touch()
    assert await job == "went through"
    with pytest.raises(ZeroDivisionError):
        await nbbatch.submit(divide, 1, 0)


def test_a_handle_is_found_again_by_id_start_of_id_and_name():
    """From anywhere, as what it is."""
    job = nbbatch.submit(add, 20, 22, name="found-again")
    job.wait(DEADLINE)
    for word in (job.id, job.id[:8], f"{job.id[:8]}…", "found-again"):
        again = nbbatch.job(word)
        assert again == job
        assert again.result(DEADLINE) == 42


def test_a_name_means_its_newest_job_unless_several_go_on(gate):
    """Two that go on are told apart by their ids, which the error lists."""
    with pytest.raises(UnknownNameError, match="no job"):
        nbbatch.job("nobody-called-this")
    with pytest.raises(UnknownNameError, match="no job"):
        nbbatch.job("00000000-0000-4000-8000-000000000000")
    twins = [nbbatch.submit(wait_for, str(gate), name="twin") for _ in range(2)]
    with pytest.raises(UnknownNameError, match=f"(?s)Several jobs that go on.*{twins[1].id[:8]}"):
        nbbatch.job("twin")
    gate.touch()
    assert [job.wait(DEADLINE) for job in twins] == [True, True]
    assert nbbatch.job("twin") == twins[1]


def test_a_pickled_handle_works_in_another_process(gate):
    """It holds an id and a backend's name, nothing else; the other process waits by itself."""
    job = nbbatch.submit(wait_for, str(gate))
    gate.touch()
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).result(120))"
    other = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(job), capture_output=True, check=False
    )
    assert other.stdout == b"went through\n", other.stderr.decode()


def test_a_cancelled_job_never_runs(gate):
    """Cancelling what waits works, cancelling what runs does nothing, as in AWS Batch."""
    first = nbbatch.submit(wait_for, str(gate))
    second = nbbatch.submit(add, 1, depends=first, name="second")
    assert second.cancel("not needed") is True
    until(first.running, what="the first job did not start")
    assert first.cancel() is False
    gate.touch()
    assert first.result(DEADLINE) == "went through"
    with pytest.raises(JobCancelledError, match="not needed"):
        second.result(DEADLINE)
    assert second.cancelled()
    assert not first.cancelled()
    assert first.cancel() is False


def test_a_terminated_job_says_who_and_why(gate):
    """The reason is the caller's, whatever exit code the process left."""
    job = nbbatch.submit(wait_for, str(gate))
    until(job.running, what="the job did not start")
    job.terminate("enough")
    with pytest.raises(JobTerminatedError, match="enough"):
        job.result(DEADLINE)
    assert job.status_reason == "enough"
    assert outcome(job.detail()) is Outcome.TERMINATED


def test_a_job_waits_for_those_it_depends_on(gate):
    """A failed dependency fails the dependent job by its own name."""
    first = nbbatch.submit(divide, 1, 0)
    second = nbbatch.submit(add, 1, after=[first])
    error = second.error(DEADLINE)
    assert type(error).__name__ == "DependencyFailedError"
    assert first.id in str(error)


def test_a_failed_job_is_retried_as_often_as_asked():
    """`retries` counts the attempts after the first; each attempt has its own log."""
    job = command("sh", "-c", "echo attempt $AWS_BATCH_JOB_ATTEMPT; exit 7", retries=2)
    assert isinstance(job.error(DEADLINE), JobFailedError)
    assert [one.exit_code for one in job.attempts] == [7, 7, 7]
    assert [one.number for one in job.attempts] == [1, 2, 3]
    assert all(one.started <= one.stopped and one.host and one.log_stream for one in job.attempts)
    assert job.logs() == "attempt 1\nattempt 2\nattempt 3"
    assert job.logs(tail=1) == "attempt 3"


def test_a_repeated_job_is_a_new_one_with_a_result_of_its_own(tmp_path):
    """`retry` sends nothing again, and the old result stays what it was."""
    marker = tmp_path / "second-time"
    job = nbbatch.submit(_second_time_lucky, str(marker), name="lucky")
    assert isinstance(job.exception(DEADLINE), RuntimeError)
    again = job.retry()
    assert again != job
    assert again.result(DEADLINE) == "lucky"
    assert isinstance(nbbatch.job(job.id).exception(), RuntimeError)
    assert nbbatch.job(again.id).result() == "lucky"
    assert again.retry().result(DEADLINE) == "lucky"


@in_notebook
def _second_time_lucky(marker):
    import pathlib

    if pathlib.Path(marker).exists():
        return "lucky"
    pathlib.Path(marker).touch()
    raise RuntimeError("the first time fails")


def test_a_job_that_has_not_ended_is_not_repeated(gate):
    """Two of the same at once is hardly what was meant."""
    with pytest.raises(UserError, match="has not ended"):
        nbbatch.submit(wait_for, str(gate)).retry()


def test_logs_are_followed_while_the_job_runs(gate):
    """Lines come before the job ends, each once, and the iterator ends with the job."""
    job = command("sh", "-c", f"echo one; while [ ! -e {gate} ]; do sleep 0.01; done; echo two; printf three")
    lines = job.logs(follow=True)
    assert next(lines) == "one"
    assert job.status == "RUNNING"
    gate.touch()
    assert list(lines) == ["two", "three"]
    assert job.logs() == "one\ntwo\nthree"
    assert repr(job.logs()) == "one\ntwo\nthree"


def test_logs_of_a_retried_job_are_followed_through_all_attempts():
    """The next attempt's stream is taken up where the last one's ended."""
    job = command("sh", "-c", "echo $AWS_BATCH_JOB_ATTEMPT; exit 1", retries=1)
    assert list(job.logs(follow=True)) == ["1", "2"]


def test_half_a_line_does_not_keep_the_follower_busy(gate):
    """A stream that grew without ending a line is looked at now and then, not in a loop."""
    job = command(
        "sh", "-c", f"echo one; printf half; while [ ! -e {gate} ]; do sleep 0.01; done; echo ' and half'"
    )
    with LogReader(job) as reader:
        lines = []
        until(
            lambda: reader.wait(0.01) and lines.extend(reader.read()) is None and lines, what="no line came"
        )
        waits = 0
        enough = time.monotonic() + 0.5
        while time.monotonic() < enough:
            reader.wait(enough - time.monotonic())
            lines += reader.read()
            waits += 1
        assert waits < 10
        gate.touch()
        until(lambda: reader.wait(0.01) and reader.is_over, what="the job did not end")
        assert lines + reader.read() == ["one", "half and half"]


def test_why_says_in_words_what_a_job_waits_for_and_how_it_ended(gate):
    """While it waits the scheduler's reasons, afterwards one sentence."""
    first = nbbatch.submit(wait_for, str(gate))
    second = nbbatch.submit(add, 1, depends=first)
    assert first.id in second.why()
    gate.touch()
    assert second.result(DEADLINE) == 1
    assert "succeeded" in second.why()


def test_why_says_what_the_code_raised_and_what_to_do():
    """Of a job that failed: its exit code, its error, the next step; from a handle that knows nothing yet."""
    failed = nbbatch.submit(add, None)
    assert failed.wait(DEADLINE)
    ended, raised, cure = nbbatch.job(failed.id).why().splitlines()
    assert f"({failed.id[:8]}) failed: exit code 1" in ended
    assert raised.startswith("It raised TypeError: unsupported operand")
    assert "logs()" in cure


def test_cost_and_use_are_accounted():
    """Dollars by the host's price, seconds and memory as measured."""
    job = nbbatch.submit(add, 1)
    job.result(DEADLINE)
    used = job.account()
    assert used.on_demand > used.spot > 0
    assert used.seconds > 0
    assert used.cpu_seconds > 0
    assert used.peak_memory > 1
    assert job.cost() == used.on_demand


def test_listings_show_the_newest_first():
    """One row per job with how it ended; a table in text, HTML and as a DataFrame."""
    good = nbbatch.submit(add, 1, name="good")
    bad = nbbatch.submit(divide, 1, 0, name="bad")
    good.wait(DEADLINE)
    bad.wait(DEADLINE)
    rows = nbbatch.jobs(limit=2)
    assert [row.id for row in rows] == [bad.id, good.id]
    assert rows[0].outcome is Outcome.EXITED
    assert rows[0].exit_code == 1
    assert rows[1].outcome is Outcome.SUCCEEDED
    assert "FAILED (exit code 1)" in repr(rows)
    assert ">bad</td>" in rows._repr_html_()
    assert list(rows.frame()["name"]) == ["bad", "good"]
    assert all(row.status == "FAILED" for row in nbbatch.jobs(status="FAILED"))


def test_a_lost_result_is_told(shared_daemon):
    """SUCCEEDED without a result is an error, never a silent None."""
    job = nbbatch.submit(add, 1)
    job.wait(DEADLINE)
    shared_daemon.store.delete(bundle_of(job.detail()))
    with pytest.raises(ResultLostError, match="no result"):
        job.result()


def test_an_interrupt_ends_the_waiting_at_once_and_not_the_job(gate):
    """Control-C in `result` is heard without delay; the job goes on. Of several the quickest counts: a machine may stall."""
    job = nbbatch.submit(wait_for, str(gate))
    took: list[float] = []
    for _ in range(5):
        sent: list[float] = []

        def interrupt(sent=sent):
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

        def wait(interrupt=interrupt):
            threading.Timer(0.2, interrupt).start()
            job.result(DEADLINE)

        with pytest.raises(KeyboardInterrupt):
            wait()
        took.append(time.monotonic() - sent[0])
    assert min(took) < 0.2
    assert not job.done()
    gate.touch()
    assert job.result(DEADLINE) == "went through"


def test_waiting_goes_on_by_itself_when_the_daemon_is_killed(daemon, gate):
    """A new daemon is started, the job is still there, and the same wait gets its result."""
    job = nbbatch.submit(wait_for, str(gate))
    until(job.running, what="the job did not start")
    got: list[object] = []
    waiting = threading.Thread(target=lambda: got.append(job.result(DEADLINE)))
    waiting.start()
    os.kill(daemon.private("status", {})["pid"], signal.SIGKILL)
    gate.touch()
    waiting.join(DEADLINE)
    assert got == ["went through"]


def test_waiting_goes_on_when_a_stopped_daemon_comes_back(daemon, gate):
    """A stop by the user is respected: the wait goes on once the user starts it again."""
    job = nbbatch.submit(wait_for, str(gate))
    until(job.running, what="the job did not start")
    got: list[object] = []
    waiting = threading.Thread(target=lambda: got.append(job.result(DEADLINE)))
    waiting.start()
    pid = daemon.private("status", {})["pid"]
    daemon.private("stop", {})
    until(lambda: not psutil.pid_exists(pid), what="the daemon did not stop")
    gate.touch()
    waiting.join(0.3)
    assert got == []
    assert not (daemon.home / "endpoint.json").exists()
    get_backend("local")
    waiting.join(DEADLINE)
    assert got == ["went through"]


def test_a_submission_whose_answer_was_lost_is_not_made_twice(daemon, gate, monkeypatch):
    """The daemon dies after it took the job and before it said so: the job is found, not submitted again."""

    def lose_the_answer(parsed, **_):
        daemon.batch.meta.events.unregister("after-call.batch.SubmitJob", lose_the_answer)
        raise ReadTimeoutError(endpoint_url="nowhere")

    nbbatch.submit(add, 1, name="once").result(DEADLINE)
    daemon.batch.meta.events.register("after-call.batch.SubmitJob", lose_the_answer)
    job = nbbatch.submit(add, 40, right=2, name="once")
    assert job.result(DEADLINE) == 42
    assert len(nbbatch.jobs()) == 2


@pytest.mark.parametrize("stage", ["before", "after"])
def test_a_submission_survives_a_killed_daemon(daemon, stage):
    """Killed before or after the job was taken: the submission is there once, and its result comes."""
    events = daemon.batch.meta.events
    hook = {"before": "before-send.batch.SubmitJob", "after": "after-call.batch.SubmitJob"}[stage]

    def kill(**_):
        events.unregister(hook, kill)
        os.kill(pid, signal.SIGKILL)
        until(lambda: not psutil.pid_exists(pid), what="the daemon is still there")

    get_backend()
    pid = daemon.private("status", {})["pid"]
    events.register(hook, kill)
    job = nbbatch.submit(add, 40, right=2)
    assert job.result(DEADLINE) == 42
    assert len(nbbatch.jobs()) == 1


def test_a_job_finds_the_packages_of_the_notebook(executor, daemon):
    """In a container as in a process: the same interpreter, its packages, a folder to write to."""
    job = nbbatch.submit(_look_around)
    found = job.result(DEADLINE)
    assert found["python"] == sys.executable
    assert found["numpy"] == np.__version__
    assert found["user"] == os.getuid()
    assert found["wrote"] == "here"


@in_notebook
def _look_around():
    import os
    import pathlib
    import sys

    import numpy as np

    pathlib.Path("somewhere").write_text("here", encoding="utf-8")
    return {
        "python": sys.executable,
        "numpy": np.__version__,
        "user": os.getuid(),
        "wrote": pathlib.Path("somewhere").read_text(encoding="utf-8"),
    }


def test_a_decorated_function_runs_here_or_as_a_job():
    """A plain call stays here; submit and map use its options, and every keyword is the function's."""

    @nbbatch.batch(memory="512M", name="decorated")
    @in_notebook
    def named(number, name="nobody"):
        return f"{name} {number}"

    assert named(1) == "nobody 1"
    assert named.__name__ == "named"
    job = named.submit(2, name="somebody")
    assert job.result(DEADLINE) == "somebody 2"
    assert job.name == "decorated"
    assert named.map([1, 2], name="all").results(DEADLINE) == ["all 1", "all 2"]
    assert named.options(name="other").submit(3).name == "other"
    assert nbbatch.batch(add)(1, 2) == 3
    with pytest.raises(OptionError, match="Did you mean 'memory'"):
        nbbatch.batch(memry=1)


def test_a_handle_prints_as_one_line():
    """Kind, name, short id and state."""
    job = nbbatch.submit(add, 1)
    job.wait(DEADLINE)
    assert repr(job) == f"<Job add {job.id[:8]} · SUCCEEDED>"


def test_errors_survive_pickling():
    """A job's error can be sent on to another process with all that it says."""
    error = nbbatch.submit(divide, 1, 0).error(DEADLINE)
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, JobError)
    assert str(again) == str(error)
    assert again.remote_traceback == error.remote_traceback


def test_a_value_that_cannot_be_read_here_is_an_error_not_none():
    """A class that only the job knows does not silently become None."""
    job = nbbatch.submit(_something_of_its_own)
    with pytest.raises(ResultLostError, match=r"could not come back.*only_there"):
        job.result(DEADLINE)
    assert job.status == "SUCCEEDED"


@in_notebook
def _something_of_its_own():
    import sys
    import types

    module = types.ModuleType("only_there")
    exec("class Thing: pass", module.__dict__)
    sys.modules["only_there"] = module
    return module.Thing()
