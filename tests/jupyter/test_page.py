"""Words of the line and of `%batch`, executed against a daemon: what each does to the job, and what it says."""

from __future__ import annotations

import pytest

import nbbatch
from nbbatch.client.backend import get_backend
from nbbatch.client.config import home
from nbbatch.client.money.history import Runs
from nbbatch.client.packing.digest import CODE_VARIABLE
from nbbatch.errors import RemoteError

DEADLINE = 60


def run(shell, cell):
    result = shell.run_cell(cell, store_history=True)
    result.raise_error()
    return result.result


@pytest.fixture
def fair(shared_daemon):
    """A queue with a scheduling policy, so that shares and priorities count."""
    batch = shared_daemon.batch
    policy = batch.create_scheduling_policy(name="page", fairsharePolicy={"shareDecaySeconds": 60})["arn"]
    order = batch.describe_job_queues(jobQueues=["default"])["jobQueues"][0]["computeEnvironmentOrder"]
    batch.create_job_queue(
        jobQueueName="page", priority=1, computeEnvironmentOrder=order, schedulingPolicyArn=policy
    )
    yield "page"
    batch.update_job_queue(jobQueue="page", state="DISABLED")


def test_what_the_line_says_is_what_the_job_has(batch_shell, fair):
    """Queue, share, priority, tags, environment, attempts, timeout, dependencies: as DescribeJobs tells them."""
    run(batch_shell, "%%batch --detach --as before\n1")
    run(
        batch_shell,
        f"%%batch --queue {fair} --share blue --priority 7 --name paged --tags team=x,kind=y --env K='a b' "
        "--retries 2 --timeout 2h --depends before --vcpus 1 --memory 256M --detach --as paged\n"
        "import os\nos.environ['K']",
    )
    job = batch_shell.user_ns["paged"]
    assert job.result(DEADLINE) == "a b"
    detail = job.detail()
    assert detail["jobQueue"].endswith("/page")
    assert (detail["shareIdentifier"], detail["schedulingPriority"], detail["jobName"]) == (
        "blue",
        7,
        "paged",
    )
    assert {"team": "x", "kind": "y"}.items() <= detail["tags"].items()
    assert detail["retryStrategy"]["attempts"] == 3
    assert detail["timeout"] == {"attemptDurationSeconds": 7200}
    assert [one["jobId"] for one in detail["dependsOn"]] == [batch_shell.user_ns["before"].id]


def test_a_cell_runs_with_a_definition_and_its_revision(batch_shell, shared_daemon, capsys):
    """The definition's environment holds but for what the line says, and the receipt has its price."""
    for value in ("old", "new"):
        shared_daemon.batch.register_job_definition(
            jobDefinitionName="paged",
            type="container",
            containerProperties={
                "image": "any",
                "resourceRequirements": [
                    {"type": "VCPU", "value": "1"},
                    {"type": "MEMORY", "value": "128"},
                ],
                "environment": [{"name": "A", "value": value}, {"name": "B", "value": value}],
            },
        )
    for which, value in (("paged:1", "old"), ("paged", "new")):
        cell = f"%%batch --definition {which} --env B=mine\nimport os\ngot = os.environ['A'], os.environ['B']"
        run(batch_shell, cell)
        assert batch_shell.user_ns["got"] == (value, "mine")
        assert "/h (" in capsys.readouterr().out.partition("\n")[0]


def test_why_a_job_waits_and_why_it_failed(batch_shell, capsys, tmp_path):
    """In words, with the commands that help; of an array also what its first failed item raised."""
    gate = tmp_path / "gate"
    wait = f"import os, time\nwhile not os.path.exists({str(gate)!r}):\n    time.sleep(0.05)"
    run(batch_shell, f"%%batch --detach --as first\n{wait}")
    run(batch_shell, "%%batch --detach --as second --depends first\n1 / 0")
    capsys.readouterr()
    run(batch_shell, "%batch why second")
    assert f"waits for job {batch_shell.user_ns['first'].id[:8]}" in capsys.readouterr().out
    gate.touch()
    batch_shell.user_ns["second"].wait(DEADLINE)
    run(batch_shell, "%batch why second")
    assert "ZeroDivisionError" in capsys.readouterr().out
    run(batch_shell, "%%batch --array [1,0,2] --detach --as array\n1 / item")
    batch_shell.user_ns["array"].wait(DEADLINE)
    run(batch_shell, "%batch why array")
    said = capsys.readouterr().out
    assert "1 of 3" in said
    assert "item 1 of 3 (0): ZeroDivisionError: division by zero" in said
    assert f"%batch retry {batch_shell.user_ns['array'].id[:8]} submits only those again" in said


def test_a_job_is_repeated_and_an_array_only_where_it_failed(batch_shell, capsys):
    """`%batch retry` gives the new handle; of an array without failures it says that nothing is to be done."""
    run(batch_shell, "%%batch --detach --as one --name repeated\n41 + 1")
    batch_shell.user_ns["one"].wait(DEADLINE)
    assert run(batch_shell, "%batch retry one").result(DEADLINE) == 42
    run(batch_shell, "%%batch --array range(3) --detach --as array\nitem")
    batch_shell.user_ns["array"].wait(DEADLINE)
    capsys.readouterr()
    assert run(batch_shell, "%batch retry array") is None
    assert "nothing to do: no item" in capsys.readouterr().out


def test_a_log_is_followed_to_its_end(batch_shell, capsys, tmp_path):
    """`%batch logs ID -f` shows lines as they come, and comes back when the job has ended."""
    gate = tmp_path / "gate"
    wait = f"import os, time\nprint('begun', flush=True)\nwhile not os.path.exists({str(gate)!r}):\n    time.sleep(0.05)"
    run(batch_shell, f"%%batch --detach --as followed\n{wait}\nprint('ended')")
    write = batch_shell.user_ns["followed"].on_change(
        lambda detail: gate.touch() if detail["status"] == "RUNNING" else None
    )
    capsys.readouterr()
    run(batch_shell, "%batch logs followed -f")
    write.close()
    assert capsys.readouterr().out == "begun\nended\n"
    run(batch_shell, "%batch logs followed --tail 1")
    assert capsys.readouterr().out == "ended\n"


def test_a_detached_array_teaches_the_next_receipt(batch_shell, capsys):
    """Its end is seen when its results are read, by whatever handle: then the same cell has an estimate."""
    cell = "%%batch --array range(3) --name taught{how}\nimport time\ntime.sleep(0.05)\nitem * 17"
    run(batch_shell, cell.format(how=" --detach --as taught"))
    assert nbbatch.job(batch_shell.user_ns["taught"].id).results(DEADLINE) == [0, 17, 34]
    code = {
        one["name"]: one["value"]
        for one in batch_shell.user_ns["taught"].detail()["container"]["environment"]
    }
    (took,) = Runs(home()).get(get_backend("local"), code[CODE_VARIABLE]).seconds
    assert took >= 0.05
    capsys.readouterr()
    run(batch_shell, cell.format(how=" --dry-run"))
    assert "est. $" in capsys.readouterr().out


def test_the_whole_of_a_failed_array_is_told_once(batch_shell):
    """The cell that waits raises what the first failed item raised, with its input."""
    with pytest.raises(RemoteError, match=r"1 of 2 items failed: item 0 \(0\)"):
        run(batch_shell, "%%batch --array [0,1]\n1 / item")
