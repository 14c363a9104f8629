"""The sidebar's routes over a real server and a real daemon: the list, a job, logs, actions, what it left."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import pytest

import nbbatch
from nbbatch.client.backend import get_backend
from nbbatch.client.daemon_process import running_pid
from nbbatch.jupyter.routes import board, follow

SETTINGS = {"memory": "64M"}


def submit(seconds: float = 0.0, code: int = 0, **options: Any) -> Any:
    """A script that prints, sleeps and ends with a code."""
    program = f"import time, sys; print('hello', flush=True); time.sleep({seconds}); sys.exit({code})"
    return nbbatch.command([sys.executable, "-c", program], **{"name": "small", **SETTINGS, **options})


def at_rest(site: Any) -> None:
    """Wait until the jobs of the tests before have ended: from then on only this test's own change."""
    deadline, cursor = time.monotonic() + 120, ""
    while going := site.get("jobs", status="active")["jobs"]:
        assert time.monotonic() < deadline, going
        cursor = site.get("news", cursor=cursor, wait=5)["cursor"]


def fails_at_odd(number: int) -> int:
    """An item of an array."""
    if number % 2:
        raise ValueError(number)
    return number


def test_backends_say_where_they_are_and_whether_they_answer(site: Any) -> None:
    """The default one first; what runs its jobs is told."""
    told = site.get("backends")
    (local,) = told["backends"]
    assert (told["default"], told["version"]) == ("local", nbbatch.__version__)
    assert (local["state"], local["executor"], local["isPushing"]) == ("ready", "process", True)


def test_a_job_is_listed_with_its_end(site: Any) -> None:
    """Its row has status, exit code, times, cost, and what can be done with it."""
    job = submit(code=3, name="ends-with-3")
    site.until(job.id, "FAILED")
    (row,) = site.get("jobs", text="ENDS-with-3")["jobs"]
    assert (row["id"], row["kind"], row["queue"]) == (job.id, "script", "default")
    assert (row["status"], row["outcome"], row["exitCode"]) == ("FAILED", "exited", 3)
    assert row["words"] == "FAILED (exit code 3)"
    assert row["cost"] > 0
    assert row["created"] <= row["started"] <= row["stopped"]
    assert (row["canCancel"], row["canTerminate"], row["canRetry"]) == (False, False, True)


def test_an_array_is_one_row_with_its_failures(site: Any) -> None:
    """Children are counted by status and by way to fail, and each can be asked for."""
    array = nbbatch.map(fails_at_odd, range(6), chunk=1, name="an-array", **SETTINGS)
    detail = site.until(array.id, "FAILED")
    (row,) = site.get("jobs", text=array.id)["jobs"]
    assert (row["kind"], row["size"]) == ("array", 6)
    assert row["counts"] == {"SUCCEEDED": 3, "FAILED": 3}
    assert row["failures"] == {"exited": 3}
    assert detail["children"] == "565656"
    children = site.get(f"jobs/{array.id}/children")
    assert (children["statuses"], children["size"]) == ("565656", 6)
    assert [children["order"][int(digit)] for digit in "56"] == ["SUCCEEDED", "FAILED"]
    assert [(one["count"], one["indexes"]) for one in children["failures"]] == [(3, [1, 3, 5])]
    child = site.get(f"jobs/{array.id}/children/3")
    assert (child["job"]["id"], child["index"], child["parent"]) == (f"{array.id}:3", 3, array.id)
    assert "ValueError: 3" in " ".join(child["why"])
    outputs = site.get(f"jobs/{array.id}:3/outputs")
    assert (outputs["error"]["type"], outputs["error"]["message"]) == ("ValueError", "3")
    again = site.post(f"jobs/{array.id}/retry")
    assert again["id"] != array.id
    assert again["job"]["size"] == 3
    assert site.post(f"jobs/{array.id}/retry", {"whole": True})["job"]["size"] == 6


def test_the_list_is_filtered_and_paged(site: Any) -> None:
    """By queue, status, way to fail and text; pages join without a gap or a double."""
    jobs = [submit(name="paged", queue="spot" if number % 3 else "default") for number in range(7)]
    for job in jobs:
        site.until(job.id, "SUCCEEDED")
    found, token = [], ""
    while True:
        page = site.get("jobs", text="paged", limit=3, page=token)
        found += [row["id"] for row in page["jobs"]]
        token = page["token"]
        if not token:
            break
    assert found == [job.id for job in reversed(jobs)] or sorted(found) == sorted(job.id for job in jobs)
    assert len(found) == len(set(found)) == 7
    assert page["total"] == 7
    assert {row["queue"] for row in site.get("jobs", text="paged", queue="spot")["jobs"]} == {"spot"}
    assert site.get("jobs", text="paged", status="active")["jobs"] == []
    assert len(site.get("jobs", text="paged", status="RUNNING,SUCCEEDED")["jobs"]) == 7
    assert site.get("jobs", text="paged", status="timed out")["jobs"] == []


def test_a_list_loads_no_more_than_is_looked_at(site: Any, shared_daemon: Any, monkeypatch: Any) -> None:
    """The first page comes from the first load; the next ones join it, also for jobs of one millisecond."""
    at_rest(site)  # what ends while it is loaded comes on top of it
    monkeypatch.setattr(board, "FIRST_PAGE", 6)
    monkeypatch.setattr(board, "LATER_PAGE", 4)
    jobs = nbbatch.map(abs, range(2), chunk=1, name="crowd-array", **SETTINGS)
    with ThreadPoolExecutor(8) as pool:
        singles = [*pool.map(lambda _: submit(name="crowd"), range(14))]
    singles += [submit(name="crowd") for _ in range(6)]  # the newest, each of a millisecond of its own
    for job in (jobs, *singles):
        job.wait()
    known = board.Board(shared_daemon)
    known.catch_up()
    page = known.page(lambda row: row.queue == "default", 3)
    assert (len(page.rows), page.total, page.is_exact) == (3, 6, False)
    found = [row.id for row in page.rows]
    while page.after is not None:
        page = known.page(lambda row: row.queue == "default", 3, page.after)
        found += [row.id for row in page.rows]
    assert len(found) == len(set(found))
    assert {job.id for job in singles} <= set(found)


def test_only_what_changed_is_told_again(site: Any) -> None:
    """With `since` come new and changed rows, and nothing when there are none."""
    at_rest(site)
    cursor = site.get("jobs")["cursor"]
    assert site.get("jobs", since=cursor)["jobs"] == []
    job = submit(seconds=600, name="new-one")
    answer = site.get("jobs", since=cursor)
    assert [row["id"] for row in answer["jobs"]] == [job.id]
    job.terminate()
    site.until(job.id, "FAILED")
    later = site.get("jobs", since=answer["cursor"], status="active")
    assert (later["jobs"], later["gone"]) == ([], [job.id])
    assert site.get("jobs", since="nobody-1")["isReset"]


def test_a_job_that_came_and_went_between_two_looks_has_ended(shared_daemon: Any) -> None:
    """It is told like one that was seen to run; one that is only loaded now, and ended before, is not."""
    before = submit(name="before")
    assert before.wait(60)
    known = board.Board(shared_daemon)
    known.catch_up()
    version = known.version
    quick = submit(name="quick")
    assert quick.wait(60)
    known.catch_up()

    def ended_after(version: int) -> list[str]:  # without jobs of the tests before, which may end meanwhile
        ended = known.changed_after(version).ended
        return [row.id for row in ended if row.id in (before.id, quick.id)]

    assert ended_after(version) == [quick.id]
    assert ended_after(0) == [quick.id]
    version = known.version
    known.catch_up()
    assert ended_after(version) == []


def test_news_come_as_they_happen_to_every_tab(site: Any) -> None:
    """Two tabs that wait hear of a job long before their time is up, and of its end with a sentence."""
    cursor = site.get("news")["cursor"]
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(_hears, site, cursor, "told") for _ in range(2)]
        time.sleep(0.3)  # both wait now; a later start would be answered at once, which is another test
        began = time.monotonic()
        job = submit(name="told")
        answers = [one.result(60) for one in waiting]
        took = time.monotonic() - began
    assert took < 24  # of 25 s
    cursor, ended = answers[0]["cursor"], answers[0]["ended"]  # it may have ended by then
    deadline = time.monotonic() + 60
    while not any(one["id"] == job.id for one in ended) and time.monotonic() < deadline:
        answer = site.get("news", cursor=cursor, wait=10)
        cursor, ended = answer["cursor"], answer["ended"]
    (end,) = [one for one in ended if one["id"] == job.id]
    assert end["outcome"] == "succeeded"
    assert end["words"].startswith("Job told")


async def test_who_waits_hears_of_what_somebody_else_asked_for(shared_daemon: Any, monkeypatch: Any) -> None:
    """Also while the thread that listens gathers what follows a change."""
    monkeypatch.setattr(follow, "REST", 5.0)
    known = board.Board(shared_daemon)
    known.catch_up()
    with follow.Follower(known).listening(is_hidden=False) as ear:
        submit(name="first")
        assert await ear.wait(60)
        assert submit(name="second").wait(60)  # the thread rests meanwhile
        known.catch_up()
        assert await ear.wait(60)


async def test_no_daemon_is_started_for_nobody(daemon: Any, home: Path) -> None:
    """It was killed after the last tab that waited had gone: whoever comes next starts it again."""
    known = board.Board(daemon)
    known.catch_up()
    follower = follow.Follower(known)
    with follower.listening(is_hidden=False) as ear:
        submit(name="heard")
        assert await ear.wait(60)
    os.kill(running_pid(home) or 0, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while follower.is_awake and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    assert not follower.is_awake
    assert running_pid(home) is None


def _hears(site: Any, cursor: str, name: str) -> Any:
    """Wait as a tab does, and on after news of other tests' jobs; gives the first news of a job with this name."""
    deadline = time.monotonic() + 50
    while time.monotonic() < deadline:
        answer = site.get("news", cursor=cursor, wait=25)
        if any(row["name"] == name for row in answer["jobs"]):
            return answer
        cursor = answer["cursor"]
    raise AssertionError(f"no news of {name}")


def test_news_wait_no_longer_than_asked(site: Any) -> None:
    """When nothing happens the answer is empty, after the time that was asked for."""
    answer = site.get("news")
    for _ in range(100):  # jobs of the tests before may still come to their end
        began = time.monotonic()
        answer = site.get("news", cursor=answer["cursor"], wait=1)
        if not answer["jobs"]:
            break
    assert 0.9 < time.monotonic() - began < 20  # of 25 s at most
    assert (answer["jobs"], answer["isReset"]) == ([], False)


def test_a_log_is_read_by_pages_and_followed(site: Any) -> None:
    """Backwards from its end, forwards from its beginning, and a new line wakes who waits."""
    lines = "import time\nfor n in range(30): print('line', n, flush=True)\ntime.sleep(2)\nprint('last', flush=True)"
    job = nbbatch.command([sys.executable, "-u", "-c", lines], name="speaks", **SETTINGS)
    route = f"jobs/{job.id}/logs"
    page = site.get(route, head=1, limit=10, wait=20)
    texts = [line["text"] for line in page["lines"]]
    while "last" not in texts:
        page = (
            site.get(route, page=page["forward"], limit=10, wait=20)
            if page["forward"]
            else site.get(route, head=1, wait=20)
        )
        texts += [line["text"] for line in page["lines"]]
    assert texts == [*(f"line {number}" for number in range(30)), "last"]
    site.until(job.id, "SUCCEEDED")
    over = site.get(route, page=page["forward"], wait=20)
    assert (over["lines"], over["isOver"]) == ([], True)
    tail = site.get(route, limit=5)
    assert [line["text"] for line in tail["lines"]] == ["line 26", "line 27", "line 28", "line 29", "last"]
    before = site.get(route, page=tail["backward"], limit=5)
    assert [line["text"] for line in before["lines"]] == [f"line {number}" for number in range(21, 26)]
    assert before["backward"]
    whole = site.get(route, limit=100)
    assert (len(whole["lines"]), whole["backward"]) == (31, "")


def test_jobs_are_cancelled_terminated_and_retried(site: Any) -> None:
    """With the reason that was given; what has ended is refused with a reason."""
    first = submit(seconds=600, name="long")
    second = submit(name="waits", depends=first)
    site.until(first.id, "RUNNING")
    done = site.post(f"jobs/{second.id}/cancel", {"reason": "not needed"})
    assert "is cancelled" in done["words"]
    assert (done["job"]["words"], done["job"]["canCancel"]) == ("PENDING (cancel asked)", False)
    assert site.post(f"jobs/{first.id}/terminate", {"reason": "enough"})["id"] == first.id
    ended = site.until(first.id, "FAILED")
    assert (ended["job"]["outcome"], ended["job"]["reason"]) == ("terminated", "enough")
    assert site.until(second.id, "FAILED")["job"]["outcome"] == "cancelled"
    refused = site.ask("POST", f"jobs/{first.id}/terminate", {})
    assert refused.status == 400
    assert refused.body["message"].startswith("There is nothing to do")
    again = submit(name="again")
    site.until(again.id, "SUCCEEDED")
    repeated = site.post(f"jobs/{again.id}/retry")
    assert repeated["id"] != again.id
    assert site.until(repeated["id"], "SUCCEEDED")["job"]["name"] == "again"
    two = nbbatch.map(abs, [1, 2], chunk=1, name="all-fine", **SETTINGS)
    site.until(two.id, "SUCCEEDED")
    refused = site.ask("POST", f"jobs/{two.id}/retry", {})
    assert (refused.status, refused.body["reason"]) == (400, "UserError")


def test_rich_outputs_come_as_mime_bundles(site: Any) -> None:
    """What a function displays, prints and returns can be shown by the front end."""
    shown = "from IPython.display import HTML, display; display(HTML('<b>x</b>'))"
    job = nbbatch.submit(_displays, shown, **SETTINGS)
    assert site.until(job.id, "SUCCEEDED")["hasOutputs"]
    kinds = [one["output_type"] for one in site.get(f"jobs/{job.id}/outputs")["outputs"]]
    assert "stream" in kinds
    assert "display_data" in kinds


def _displays(code: str) -> None:
    sys.stdout.write("printed\n")
    exec(code)


def test_a_notebook_is_submitted_and_saved_beside_its_source(site: Any) -> None:
    """Parameters are typed by the form's words; the executed notebook never lands on another file."""
    path = site.notebook("deep/report.ipynb", "lr * 2", parameters="lr: float = 0.1  # the rate\nname = 'a'")
    form = site.get("notebooks", path=path)
    assert [(one["name"], one["default"], one["help"]) for one in form["parameters"]] == [
        ("lr", "0.1", "the rate"),
        ("name", "'a'", ""),
    ]
    assert form["parameters"][0]["value"] == 0.1
    queue = next(one for one in form["options"] if one["name"] == "queue")
    assert {"default", "gpu", "spot"} <= set(queue["choices"])
    body = {
        "path": path,
        "expressions": {"lr": "0.5"},
        "parameters": {"name": "b"},
        "options": {"vcpus": "1"},
    }
    sent = site.post("notebooks", body)
    assert (sent["job"]["kind"], sent["job"]["notebook"]) == ("notebook", "report.ipynb")
    job_id = sent["job"]["id"]
    detail = site.until(job_id, "SUCCEEDED")
    assert detail["parameters"] == {"lr": "0.5", "name": '"b"'}
    outputs = site.get(f"jobs/{job_id}/outputs")
    assert outputs["canSave"]
    assert [cell["status"] for cell in outputs["cells"]] == ["completed"] * 3
    taken = site.root / f"deep/report-{job_id[:8]}.ipynb"
    taken.write_text("mine")
    saved = site.post(f"jobs/{job_id}/outputs")
    assert saved == {"path": f"deep/report-{job_id[:8]}-2.ipynb", "isNew": True}
    assert taken.read_text() == "mine"
    node = nbformat.read(site.root / saved["path"], as_version=4)
    assert node.cells[-1].outputs[0].data["text/plain"] == "1.0"
    assert site.post(f"jobs/{job_id}/outputs") == {**saved, "isNew": False}


def test_a_sweep_is_one_row_and_each_run_can_be_opened(site: Any) -> None:
    """A grid becomes an array; a child's executed notebook is saved with its index."""
    path = site.notebook("sweep.ipynb", "x + 1", parameters="x = 0")
    sent = site.post("notebooks", {"path": path, "grid": {"x": [1, 2]}, "output": "runs/{name}-{x}.ipynb"})
    array = sent["job"]["id"]
    assert (sent["job"]["kind"], sent["job"]["size"]) == ("sweep", 2)
    site.until(array, "SUCCEEDED", seconds=120)
    saved = site.post(f"jobs/{array}:1/outputs")
    assert saved["path"] == f"sweep-{array[:8]}-1.ipynb"


def test_an_estimate_says_what_it_is_made_of(site: Any) -> None:
    """Dollars at the queue's price, from a duration that is given."""
    told = site.post("estimate", {"options": {"vcpus": 2, "memory": "4G", "timeout": "1h"}, "seconds": 36.0})
    assert told["basis"] == "given"
    assert told["chosen"]["expected"] == pytest.approx(told["chosen"]["perHour"] / 100)
    assert told["chosen"]["worst"] >= told["chosen"]["expected"]


def narrow_queue() -> str:
    """A queue with room for two vCPUs, whatever this machine has and other tests do."""
    batch = get_backend("local").batch
    kinds = {"type": "EC2", "maxvCpus": 2, "minvCpus": 0, "instanceTypes": ["m6i.large"]}
    network = {"subnets": ["subnet-1"], "securityGroupIds": ["sg-1"], "instanceRole": "role"}
    batch.create_compute_environment(
        computeEnvironmentName="narrow", type="MANAGED", computeResources={**kinds, **network}
    )
    order = [{"order": 1, "computeEnvironment": "narrow"}]
    batch.create_job_queue(jobQueueName="narrow", priority=1, computeEnvironmentOrder=order)
    return "narrow"


def test_queues_and_costs_tell_now(site: Any) -> None:
    """Depth, why the first one waits, vCPUs; dollars of today, by name too, with idle hosts apart."""
    name = narrow_queue()
    jobs = [submit(seconds=600, name="large", queue=name) for _ in range(3)]
    try:
        for job in jobs[:2]:
            site.until(job.id, "RUNNING")
        queue = _queue_with(site, name, front=[jobs[-1].id])
        assert queue["blocked"]
        assert (queue["wantedVcpus"], queue["maxVcpus"]) == (1, 2)
        assert queue["depth"]["RUNNABLE"] == 1
        costs = site.get("costs", days=3)
        assert costs["onDemand"] == pytest.approx(costs["charged"] + costs["lost"] + costs["saved"])
        assert costs["isNamedExact"]
        (large,) = [one for one in costs["names"] if one["name"] == "large"]
        assert large["jobs"] == 3
        assert large["onDemand"] > large["spot"] > 0
        assert costs["budget"]["perDay"] is None
        assert site.post("costs/budget", {"perDay": 5.0})["perDay"] == 5.0
        assert site.post("costs/budget", {})["perDay"] is None
    finally:
        for job in jobs:
            job.terminate()


def _queue_with(site: Any, name: str, *, front: list[str]) -> Any:
    """A queue's row once these jobs are in front; for a moment its answer is the one that somebody got before."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for queue in site.get("queues")["queues"]:
            if queue["name"] == name and queue["front"] == front:
                return queue
        time.sleep(0.05)
    raise AssertionError(f"{front} is not in front of {name}")


def test_the_code_finds_the_job_again(site: Any) -> None:
    """What `code` answers, run as a cell, gives the handle."""
    job = submit(name="find-me")
    told = site.get(f"jobs/{job.id}/code")
    scope: dict[str, Any] = {}
    exec(told["code"], scope)
    assert scope[told["name"]].id == job.id
    path = site.notebook("code.ipynb", "1")
    sent = site.post("notebooks", {"path": path})
    told = site.get(f"jobs/{sent['job']['id']}/code")
    exec(told["code"], scope)
    assert (told["name"], scope["run"].id) == ("run", sent["job"]["id"])
    assert re.search(r"nbbatch\.run_notebook\('code.ipynb'", sent["code"])


def test_many_tabs_at_once_get_the_same(site: Any) -> None:
    """Forty requests of all kinds at the same time are all answered."""
    job = submit(name="asked-often")
    routes = ["jobs", "queues", f"jobs/{job.id}", "costs", f"jobs/{job.id}/children"] * 8
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda route: site.ask("GET", route).status, routes))
    assert set(statuses) == {200}
    assert threading.active_count() < 100


def test_a_child_tells_all_its_items(site: Any) -> None:
    """Of an array in chunks each item with its error; of a sweep each run can be chosen and saved."""
    array = nbbatch.map(fails_at_odd, range(4), chunk=2, name="in-chunks", **SETTINGS)
    site.until(array.id, "FAILED")
    items = site.get(f"jobs/{array.id}:1/outputs")["items"]
    assert [(one["position"], one["state"], one["error"]) for one in items] == [
        (2, "succeeded", ""),
        (3, "failed", "ValueError: 3"),
    ]
    path = site.notebook("runs.ipynb", "print('run', x)", parameters="x = 0")
    sweep = nbbatch.map_notebook(site.root / path, grid={"x": [7, 8, 9]}, chunk=2)
    site.until(sweep.id, "SUCCEEDED")
    child = f"{sweep.id}:0"
    for item, text in ((0, "run 7\n"), (1, "run 8\n")):
        told = site.get(f"jobs/{child}/outputs", item=item)
        assert (told["item"], len(told["items"])) == (item, 2)
        assert told["outputs"][0]["text"] == text
        assert site.post(f"jobs/{child}/outputs", {"item": item})["path"].endswith(f"-item-{item}.ipynb")
    assert site.ask("GET", f"jobs/{child}/outputs", item=2).status == 404


def test_a_tab_that_closes_while_it_waits_is_no_failure(site: Any) -> None:
    """Its long poll is forgotten: the log has no traceback of a stream that is closed."""
    cursor, written = site.get("news")["cursor"], site.log.stat().st_size
    for wait in (20, 0):  # one is dropped while it waits, the other before it is answered
        with socket.create_connection(("127.0.0.1", site.port)) as tab:
            address = f"{site.base}nbbatch/news?cursor={cursor}&wait={wait}"
            lines = [
                f"GET {address} HTTP/1.1",
                "Host: localhost",
                f"Authorization: {site.headers['Authorization']}",
            ]
            tab.sendall("\r\n".join([*lines, "", ""]).encode())
            site.get("news", cursor=cursor, wait=0)  # the server has read the other request by now
    job = submit(name="rings")
    site.until(job.id, "SUCCEEDED")
    site.get("news", cursor=cursor, wait=0)
    assert "Traceback" not in site.log.read_bytes()[written:].decode()
