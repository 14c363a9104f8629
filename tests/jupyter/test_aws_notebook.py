"""One notebook on AWS, executed twice: against moto's Batch in containers, and against a daemon as AWS Batch.

Payloads are in moto's S3 both times. With moto the jobs are containers whose image has python3 and
nothing else, and whose keys come as ECS would give them; with the daemon its exact states and texts
are those of AWS Batch.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest
from aws_account import KEYS, QUEUE, Account, bridge_address, complete_moto, new_account
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(900)  # the first test of a place executes all cells


@dataclass(frozen=True)
class Place:
    """An account as a notebook sees it: settings, environment, and what its jobs must be given by hand."""

    settings: str
    environment: dict[str, str]
    env: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def bridge() -> Iterator[Account]:
    """An account that containers reach, with a queue that runs them."""
    with pytest.MonkeyPatch.context() as patch, new_account(bridge_address()) as account:
        complete_moto(patch)
        account.make_queue()
        yield account


@pytest.fixture(scope="module")
def loopback() -> Iterator[Account]:
    with new_account() as account:
        yield account


CELLS = {
    "head": "%load_ext nbbatch\nimport nbbatch, time",
    "define": """
numbers = list(range(5000))
def double(x):
    return 2 * x
def invert(x):
    return 1 / x
""",
    "cell": """%%batch --out total
print('there are', len(numbers))
total = double(sum(numbers))
total + 1
""",
    "back": "print('back', total)",
    "array": "%%batch --array range(3) --out square\nsquare = item ** 2",
    "gathered": "print('back', list(square))",
    "fails": "%%batch\nx = 0\n1 / x",
    "logged": "job = nbbatch.submit(print, 'a line of its own', env=env)\nprint(job.result())",
    "log": "print(job.logs(tail=5))",
    "log again": "get_ipython().run_line_magic('batch', f'logs {job.id}')",
    "follow": "print([line for line in job.logs(follow=True)])",
    "child": "arr = nbbatch.map(print, ['one', 'two'], env=env)\narr.wait()\nprint(arr[1].logs())",
    "panels": """
from nbbatch.errors import NbbatchError
for what in (job, arr):
    panel = nbbatch.panel(what)
    print(panel, len(panel.look().html) > 500)
try:
    nbbatch.panel('cost')
except NbbatchError as error:
    print(type(error).__name__)
""",
    "account": """
took = job.account()
print(0 < took.on_demand < 0.01, took.cpu_seconds > 0, took.peak_memory > 0)
""",
    "found": "again = nbbatch.job(job.id)\nprint(again.result(), again.why())",
    "listed": "print(nbbatch.jobs())",
    "terminated": """
slow = nbbatch.submit(time.sleep, 600, env=env)
while slow.status != 'RUNNING':
    time.sleep(0.2)
slow.terminate('enough')
slow.wait()
print(slow.status, slow.status_reason)
slow.result()
""",
    "items": """
arr = nbbatch.map(invert, [0, 1, 2], env=env)
print(arr.results(return_exceptions=True))
""",
    "retried": "again = arr.retry_failed()\nprint(again.wait(120), len(list(again)))",
    "dry": "%%batch --dry-run\n1 + 1",
    "costs": "nbbatch.costs()",
    "limit": "nbbatch.submit(print, 1, max_cost=1)",
    "events": "list(nbbatch.events())",
}


@pytest.fixture(params=[pytest.param("moto", marks=pytest.mark.docker), "daemon"])
def place(request) -> Place:
    if request.param == "moto":
        return Place(request.getfixturevalue("bridge").settings(), KEYS)
    daemon, account = request.getfixturevalue("shared_daemon"), request.getfixturevalue("loopback")
    endpoint = json.loads((Path(daemon.home) / "endpoint.json").read_text())
    environment = {
        "AWS_ENDPOINT_URL_BATCH": endpoint["url"],
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": endpoint["url"],
        "AWS_ENDPOINT_URL_S3": account.url,
        "AWS_ENDPOINT_URL_ECS": account.url,
        "AWS_ACCESS_KEY_ID": endpoint["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": endpoint["secret_access_key"],
    }
    settings = account.settings(queue="default").replace("endpoint_url", "#")
    return Place(settings, environment, [f"{key}={value}" for key, value in KEYS.items()])


@pytest.fixture(scope="module")
def executed() -> dict[str, dict[str, str]]:
    """What was executed already, by place: tests come in any order."""
    return {}


@pytest.fixture
def shown(place, executed, tmp_path_factory, shared_daemon) -> dict[str, str]:
    """The text of each cell's outputs, errors among them."""
    if place.settings not in executed:
        executed[place.settings] = execute(place, tmp_path_factory)
    return executed[place.settings]


def execute(place: Place, tmp_path_factory) -> dict[str, str]:
    """Execute the notebook; the account is its default backend."""
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "nbbatch.toml").write_text(f'backend = "prod"\n{place.settings}')
    words = "".join(f" --env {pair}" for pair in place.env)
    sources = [source.replace("%%batch", f"%%batch{words}", 1) for source in CELLS.values()]
    sources[0] += f"\nenv = {place.env}"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in sources])
    hidden = ("CI", "NO_COLOR", "JPY_SESSION_NAME")
    inherited = {name: value for name, value in os.environ.items() if name not in hidden}
    own = {"PYTHONPATH": str(ROOT), "IPYTHONDIR": str(folder / "ipython"), "JUPYTER_PLATFORM_DIRS": "1"}
    patience = {"timeout": 240, "iopub_timeout": 60}  # else outputs that come late are dropped
    client = NotebookClient(notebook, kernel_name="python3", allow_errors=True, **patience)
    client.execute(env={**inherited, **own, **place.environment}, cwd=str(folder))
    return {name: text_of(cell) for name, cell in zip(CELLS, notebook.cells, strict=True)}


def text_of(cell) -> str:
    parts = []
    for output in cell.outputs:
        match output.output_type:
            case "stream":
                parts.append(output.text)
            case "error":
                parts.append("\n".join(output.traceback))
            case _:
                parts.append(str(output.data.get("text/plain", "")))
    return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(parts))


def test_a_cell_runs_on_aws_as_if_it_ran_here(shown):
    """Inputs go, outputs, prints and the last value come back; the receipt says where."""
    for told in ("there are 5000", "24995001", "prod", "SUCCEEDED"):
        assert told in shown["cell"]
    assert "back 24995000" in shown["back"]


def test_an_array_of_three_runs_on_aws(shown):
    """Each child finds its own item, and the results are gathered in order."""
    assert "SUCCEEDED" in shown["array"]
    assert "back [0, 1, 4]" in shown["gathered"]


def test_a_failing_cell_raises_here(shown):
    """With the traceback of the job, and Run All stops."""
    for told in ("ZeroDivisionError", "FAILED", "1 / x"):
        assert told in shown["fails"]


def test_a_log_is_read_from_cloudwatch(shown):
    """Of a job and of an array's child, by handle and by the magic, also line by line."""
    for name in ("log", "log again", "follow"):
        assert "a line of its own" in shown[name], name
    assert shown["child"].strip() == "two"


def test_panels_of_jobs_on_aws(shown):
    """A job with its log and an array with its counts; what AWS cannot tell says so."""
    told = shown["panels"]
    assert "job print" in told
    assert "a line of its own" in told
    assert "SUCCEEDED" in told
    assert "2 of 2" in told or "2/2" in told or "2 SUCCEEDED" in told, told
    assert told.count("True") == 2
    assert "NotOnAwsError" in told


def test_a_job_on_aws_is_found_again_by_its_id(shown):
    """Its value, what became of it, and its line in the list of jobs."""
    assert shown["found"].startswith("None Job print")
    assert "succeeded" in shown["found"]
    assert QUEUE in shown["listed"] or "default" in shown["listed"]


def test_what_a_job_on_aws_took_is_estimated(shown):
    """Its use as it measured itself, its cost by its queue's cheapest host."""
    assert "True True True" in shown["account"]


def test_a_job_on_aws_is_terminated(shown):
    """While it runs; its handle says so, and its error, too."""
    assert "FAILED enough" in shown["terminated"]
    assert "enough" in shown["terminated"].rpartition("Error")[2]


def test_failed_items_are_told_and_retried_on_aws(shown):
    """Only those run again, on the same bundle."""
    assert "ZeroDivisionError" in shown["items"]
    assert "1.0, 0.5]" in shown["items"]
    assert "True 1" in shown["retried"]


def test_a_dry_run_sends_nothing_to_aws(shown):
    """The receipt says where it would go."""
    assert "nothing was sent" in shown["dry"]
    assert "prod" in shown["dry"]


def test_what_only_a_daemon_knows_is_refused_with_the_reason(shown):
    """Costs of an account, a limit of dollars, events."""
    words = {"costs": "Cost Explorer", "limit": "AWS Budgets", "events": "EventBridge"}
    for name, told in words.items():
        assert told in shown[name]
        assert "NotOnAwsError" in shown[name]
