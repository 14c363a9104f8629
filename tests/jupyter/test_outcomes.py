"""Batch's FAILED, told apart wherever a job is shown: the list, the job, the error."""

from __future__ import annotations

import re
from threading import Event

import pytest

import nbbatch
from nbbatch import errors

FAILURES = {
    "exit code 7": (errors.JobFailedError, "%%batch --lang bash --name {name}\nexit 7"),
    "out of memory": (
        errors.JobOutOfMemoryError,
        "%%batch --memory 64M --name {name}\nx = bytearray(300_000_000)\nimport time\ntime.sleep(60)",
    ),
    "terminated": (errors.JobTerminatedError, "%batch attach sleeper"),
    "cancelled": (errors.JobCancelledError, "%batch attach waiter"),
    "dependency failed": (errors.DependencyFailedError, "%%batch --depends broken --name {name}\n1"),
}
BEFORE = {
    "terminated": (
        "%%batch --as sleeper --name {name}\nimport time\ntime.sleep(600)",
        "%batch terminate sleeper",
    ),
    "cancelled": (
        "%%batch --as keeper\nimport time\ntime.sleep(600)",
        "%%batch --as waiter --depends keeper --name {name}\n1",
        "%batch cancel waiter",
        "%batch terminate keeper",
    ),
    "dependency failed": ("%%batch --as broken\nraise SystemExit(1)",),
}


def run(shell, cell):
    result = shell.run_cell(cell, store_history=True)
    result.raise_error()
    return result


@pytest.fixture
def ended(batch_shell):
    """Ends what a test left running."""
    yield
    for name in ("sleeper", "keeper", "waiter"):
        if name in batch_shell.user_ns:
            batch_shell.user_ns[name].terminate()


@pytest.mark.parametrize("told", FAILURES)
def test_a_failure_is_told_by_its_kind(batch_shell, capsys, ended, told):
    """The error's class, the final line, `%batch job` and `%batch jobs` say the same kind."""
    kind, cell = FAILURES[told]
    name = f"fails-{told.replace(' ', '-')}"
    for before in BEFORE.get(told, ()):
        run(batch_shell, before.format(name=name))
    with pytest.raises(kind) as caught:
        run(batch_shell, cell.format(name=name))
    assert caught.value.cure
    said = capsys.readouterr().out
    assert f"nbbatch › FAILED ({told})" in said
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", said)
    run(batch_shell, f"%batch job {name}")
    assert f"FAILED ({told})" in capsys.readouterr().out
    (row,) = (line for line in repr(run(batch_shell, "%batch jobs").result).splitlines() if name in line)
    assert f"FAILED ({told})" in row


def test_a_lost_host_is_no_failure_of_the_program(batch_shell, shared_daemon, capsys, ended):
    """A Spot host that is reclaimed is told as such, with what to do."""
    run(batch_shell, "%%batch --spot --as sleeper --name fails-host\nimport time\ntime.sleep(600)")
    job, running = batch_shell.user_ns["sleeper"], Event()
    watch = job.on_change(lambda detail: detail["status"] == "RUNNING" and running.set())
    assert running.wait(60)
    watch.close()
    shared_daemon.private("interrupt", {"target": job.id, "noticeSeconds": 0})
    with pytest.raises(errors.HostLostError, match="lost its host"):
        run(batch_shell, "%batch attach sleeper")
    said = capsys.readouterr().out
    assert "FAILED (host lost)" in said
    assert "--retries 3, or without Spot" in said
    assert "FAILED (host lost)" in repr(run(batch_shell, "%batch jobs --limit 3").result)


def test_terminating_what_has_not_started_speaks_of_no_signals(batch_shell, capsys):
    """A job that still waits is gone at once; one that runs is told its SIGTERM."""
    batch = nbbatch.boto3_client()
    resources = {
        "type": "EC2",
        "minvCpus": 0,
        "maxvCpus": 2,
        "instanceTypes": ["m6i.large"],
        "instanceRole": "role",
        "subnets": ["any"],
        "securityGroupIds": ["any"],
    }
    batch.create_compute_environment(
        computeEnvironmentName="shut", type="MANAGED", computeResources=resources
    )
    order = [{"order": 1, "computeEnvironment": "shut"}]
    batch.create_job_queue(jobQueueName="shut", priority=1, computeEnvironmentOrder=order)
    batch.update_compute_environment(computeEnvironment="shut", state="DISABLED")
    run(batch_shell, "%%batch --as waiter --queue shut\n1")
    capsys.readouterr()
    run(batch_shell, "%batch terminate waiter")
    said = capsys.readouterr().out
    assert "is terminated" in said
    assert "SIGTERM" not in said
