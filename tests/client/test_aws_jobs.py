"""Jobs of every kind on AWS: payloads, values, files and checkpoints in moto's S3, a daemon as AWS Batch.

The daemon's states and texts are those of AWS Batch, and its jobs, processes here, know the store by
its address in S3 alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aws_account import KEYS, Account, new_account
from notebook_cells import write

import nbbatch
from nbbatch.client import capacity
from nbbatch.client.handles.outcome import Outcome
from nbbatch.errors import CellFailedError

DEADLINE = 120


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """An account of which only the bucket is used."""
    with new_account() as one:
        yield one


@pytest.fixture(autouse=True)
def prod(shared_daemon, account, monkeypatch, tmp_path):
    """`prod` is the default backend; its jobs get the keys that their role would give them."""
    capacity._known.clear()
    endpoint = json.loads((Path(shared_daemon.home) / "endpoint.json").read_text())
    services = dict.fromkeys(("BATCH", "CLOUDWATCH_LOGS"), endpoint["url"])
    services |= dict.fromkeys(("S3", "ECS"), account.url)
    for service, url in services.items():
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", endpoint["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", endpoint["secret_access_key"])
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    settings = account.settings(queue="default").replace("endpoint_url", "#")
    env = "\n".join(f'{name} = "{value}"' for name, value in KEYS.items())
    Path("nbbatch.toml").write_text(f'backend = "prod"\n[env]\n{env}\n{settings}')


def in_notebook(function):
    """As if it had been defined in a cell."""
    function.__module__ = "__main__"
    return function


@in_notebook
def count_to(number):
    return list(range(number))


@in_notebook
def total(numbers, scale=1):
    return scale * sum(numbers)


@in_notebook
def go_on():
    import nbbatch

    state = nbbatch.restore(0)
    nbbatch.checkpoint(state + 1)
    if not state:
        raise SystemExit(3)
    return state


def test_a_notebook_runs_and_is_saved_here(tmp_path):
    """With its parameters; what it recorded comes back, and a failed cell is named."""
    path = write(
        tmp_path / "report.ipynb", "import nbbatch\nnbbatch.record('twice', 2 * depth)\n1 / (depth - 5)"
    )
    run = nbbatch.run_notebook(path, parameters={"depth": 4}, output=tmp_path / "out.ipynb")
    bad = nbbatch.run_notebook(path, parameters={"depth": 5})
    assert run.result(DEADLINE).values == {"twice": 8}
    assert "twice = 8" in (tmp_path / "out.ipynb").read_text()
    with pytest.raises(CellFailedError, match="cell 2"):
        bad.result(DEADLINE)
    assert bad.values == {"twice": 10}


def test_a_sweep_is_one_table(tmp_path):
    """Parameters, values, metrics, and what each run cost, as its hosts are priced."""
    code = "import nbbatch\nnbbatch.record('twice', 2 * depth)\nnbbatch.log_metric('loss', depth / 2)"
    path = write(tmp_path / "train.ipynb", code)
    sweep = nbbatch.map_notebook(path, grid={"depth": [1, 2]}, output="runs/{depth}.ipynb")
    assert [run.values["twice"] for run in sweep.results(DEADLINE)] == [2, 4]
    frame = sweep.frame()
    assert list(frame["loss"]) == [0.5, 1.0]
    assert (frame["cost"] > 0).all()
    assert sorted(path.name for path in Path("runs").iterdir()) == ["1.ipynb", "2.ipynb"]


def test_a_script_takes_files_and_leaves_some(tmp_path):
    """They travel by S3 both ways."""
    (tmp_path / "in.txt").write_text("some words")
    done = nbbatch.script("wc -w < in.txt > out.txt; echo said", files=["in.txt"], fetch=["out.txt"])
    result = done.result(DEADLINE)
    assert result.output.strip() == "said"
    assert [path.read_text().strip() for path in result.files] == ["2"]


def test_values_go_from_job_to_job(tmp_path):
    """A pipeline's steps, items of an array and whole arrays: by their place in S3, not by the notebook."""
    with nbbatch.pipeline("nightly") as steps:
        numbers = steps.step(count_to, 10)
        steps.step(total, numbers, scale=2)
    arr = nbbatch.map(abs, [-1, -2])
    assert nbbatch.submit(total, arr).result(DEADLINE) == 3
    assert nbbatch.map(count_to, arr).results(DEADLINE) == [[0], [0, 1]]
    assert steps["total"].result(DEADLINE) == 90


def test_a_waiting_job_is_cancelled():
    """One that waits for another never starts, and both say who ended them."""
    first = nbbatch.submit(time.sleep, 600)
    second = nbbatch.submit(time.sleep, 600, after=first)
    assert second.cancel("not needed")
    first.terminate("enough")
    assert first.wait(DEADLINE)
    assert second.wait(DEADLINE)
    assert (first.outcome, second.outcome) == (Outcome.TERMINATED, Outcome.CANCELLED)
    assert "not needed" in second.why()


def test_a_retry_goes_on_from_the_checkpoint():
    """The second attempt finds in S3 what the first one kept."""
    job = nbbatch.submit(go_on, retries=1)
    assert job.result(DEADLINE) == 1
    assert [attempt.exit_code for attempt in job.attempts] == [3, 0]


@in_notebook
def marks(number, folder=""):
    import pathlib

    with (pathlib.Path(folder) / str(number)).open("a") as file:
        file.write("x")
    pathlib.Path("r.txt").write_text(str(number))
    if number == 1 and len((pathlib.Path(folder) / "1").read_text()) < 3:
        raise ValueError("not yet")
    return bytes(5000) if number == 2 else number


def test_what_an_attempt_has_done_is_not_done_again(tmp_path):
    """Its items, their values and files stand in S3 for the next attempt, and for a retry of what failed."""
    options = {"folder": str(tmp_path), "retries": 1, "fetch": "r.txt", "fetch_to": str(tmp_path / "back")}
    array = nbbatch.map(marks, range(3), chunk=3, **options)
    assert [item.position for item in array.items(DEADLINE) if item.error is not None] == [1]
    assert array.retry_failed().results(DEADLINE) == [0, 1, bytes(5000)]
    assert [len((tmp_path / str(number)).read_text()) for number in range(3)] == [1, 3, 1]
    found = {path.parent.name: path.read_text() for path in (tmp_path / "back").rglob("r.txt")}
    assert found == {str(number): str(number) for number in range(3)}


def test_a_script_goes_on_from_its_checkpoints():
    """The second attempt finds in S3 the file that the first one left, and so does a retry by hand."""
    text = "cd $NBBATCH_CHECKPOINTS\necho x >> tries\n[ $(wc -l < tries) = 3 ] || exit 3\nwc -l < tries"
    job = nbbatch.script(text, retries=1)
    assert job.exception(DEADLINE).exit_code == 3
    assert len(job.attempts) == 2
    assert job.retry().result(DEADLINE).output.strip() == "3"
