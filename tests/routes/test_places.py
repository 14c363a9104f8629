"""Backends as they come and go: no daemon yet, one that was killed or stopped, one that hangs, an AWS account."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
from aws_account import QUEUE, REGION, Account, complete_moto, new_account
from docker_image import IMAGE

import nbbatch
from nbbatch.client.daemon_process import find_daemon, running_pid


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """An account with a queue."""
    complete_moto(monkeypatch)
    with new_account() as found:
        found.make_queue()
        yield found


def test_a_server_starts_no_daemon_until_it_is_asked(
    new_site: Callable[..., Any], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every question is answered with the reason and what to do, which is no error of `news`; POST starts it."""
    monkeypatch.setenv("NBBATCH_EXECUTOR", "process")
    site = new_site()
    (local,) = site.get("backends")["backends"]
    assert (local["state"], local["canStart"]) == ("absent", True)
    for route in ("jobs", "queues", "costs"):
        reply = site.ask("GET", route)
        assert (reply.status, reply.body["reason"]) == (503, "NoDaemon")
        assert reply.body["message"] == "No daemon runs yet."
    for cursor in ("", "of-earlier-1"):
        told = site.get("news", cursor=cursor, wait=20)
        assert (told["noDaemon"], told["cursor"], told["jobs"]) == ("No daemon runs yet.", cursor, [])
    assert "/nbbatch/news" not in site.log.read_text()
    assert running_pid(home) is None
    started = site.post("backends/start")
    assert (started["state"], started["executor"]) == ("ready", "process")
    assert site.get("jobs")["jobs"] == []
    assert site.get("news")["noDaemon"] == ""


def test_a_killed_daemon_comes_back_and_a_stopped_one_does_not(
    new_site: Callable[..., Any], daemon: Any, home: Path
) -> None:
    """Between two calls the daemon dies: the next is answered, no job is lost; who stops it is heeded."""
    site = new_site()
    job = nbbatch.command([sys.executable, "-c", "1"], name="kept", memory="64M")
    site.until(job.id, "SUCCEEDED")
    os.kill(running_pid(home) or 0, signal.SIGKILL)
    until(lambda: running_pid(home) is None)
    assert [row["id"] for row in site.get("jobs")["jobs"]] == [job.id]
    daemon.private("stop", {})
    until(lambda: running_pid(home) is None)
    reply = site.ask("GET", "jobs")
    assert (reply.status, reply.body["reason"]) == (503, "NoDaemon")
    assert site.get("news")["noDaemon"] == "The local daemon was stopped."
    assert site.get("backends")["backends"][0]["state"] == "stopped"
    assert find_daemon(home) is None


def test_settings_of_a_folder_hold_and_are_noticed(site: Any) -> None:
    """A new nbbatch.toml adds its backend for its folder, without a restart; a broken one is named."""
    folder = site.root / "project"
    folder.mkdir()
    assert [one["name"] for one in site.get("backends", folder="project")["backends"]] == ["local"]
    (folder / "nbbatch.toml").write_text(
        'queue = "spot"\n[backends.prod]\nkind = "aws"\nregion = "eu-central-1"\n'
    )
    told = {one["name"]: one for one in site.get("backends", folder="project")["backends"]}
    assert (told["prod"]["region"], told["prod"]["state"]) == ("eu-central-1", "ready")
    assert told["prod"]["source"] == str(folder / "nbbatch.toml")
    assert [one["name"] for one in site.get("backends")["backends"]] == ["local"]
    path = site.notebook("project/a.ipynb", "1")
    assert site.post("notebooks", {"path": path}, folder="project")["job"]["queue"] == "spot"
    (folder / "nbbatch.toml").write_text("queue = \n")
    reply = site.ask("GET", "jobs", folder="project")
    assert (reply.status, reply.body["reason"]) == (400, "ConfigurationError")
    assert "nbbatch.toml" in reply.body["message"]


def test_settings_of_a_folder_hold_for_what_goes_on_behind_a_request(site: Any) -> None:
    """A sweep of a backend that only its folder knows saves its notebooks when they have ended."""
    folder = site.root / "named"
    folder.mkdir()
    (folder / "nbbatch.toml").write_text('backend = "mine"\n[backends.mine]\nkind = "local"\n')
    path = site.notebook("named/sweep.ipynb", "x", parameters="x = 1")
    body = {"path": path, "grid": {"x": [1, 2]}, "output": "named/out-{x}.ipynb"}
    sent = site.post("notebooks", body, folder="named")
    assert sent["backend"] == "mine"
    site.until(sent["job"]["id"], "SUCCEEDED", folder="named")
    wanted = [folder / f"out-{x}.ipynb" for x in (1, 2)]
    until(lambda: all(one.exists() for one in wanted))


def until(holds: Callable[[], bool]) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_backend_that_hangs_holds_up_nobody_else(site: Any) -> None:
    """While all threads of one backend wait for it, for eight seconds each, others are answered as before."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        (site.root / "deaf").mkdir()
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        settings = f'[backends.deaf]\nkind = "aws"\nregion = "{REGION}"\nendpoint_url = "{url}"\n'
        (site.root / "deaf" / "nbbatch.toml").write_text(settings)
        hanging = [threading.Thread(target=_try, args=[site, "jobs", "deaf"], daemon=True) for _ in range(8)]
        for one in hanging:
            one.start()
        deaf.settimeout(60)
        reached, _ = deaf.accept()  # at least one thread waits for an answer now
        took = []
        with reached:
            for _ in range(10):
                began = time.monotonic()
                site.get("jobs")
                site.ask("GET", "/api/status")
                took.append(time.monotonic() - began)
        assert min(took) < 1
        assert sorted(took)[5] < 4


def test_who_does_not_answer_is_named_within_seconds(site: Any) -> None:
    """To all who ask for the list at the same time; what only the daemon knows is refused at once."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as deaf:
        (site.root / "silent").mkdir()
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        settings = f'[backends.deaf]\nkind = "aws"\nregion = "{REGION}"\nendpoint_url = "{url}"\n'
        (site.root / "silent" / "nbbatch.toml").write_text(settings)

        def ask(route: str) -> tuple[float, Any]:
            began = time.monotonic()
            reply = site.ask("GET", route, folder="silent", backend="deaf")
            return time.monotonic() - began, reply

        _, costs = ask("costs")
        assert (costs.status, costs.body["reason"]) == (400, "NotOnAwsError")
        with ThreadPoolExecutor(3) as pool:
            answers = list(pool.map(ask, ("news", "jobs", "queues")))
    for took, reply in answers:
        assert (reply.status, reply.body["message"]) == (503, f"{url} does not answer.")
        assert took < 55  # of 8 s, and of a busy machine; a patient call waits for a minute, eight times


def test_a_server_stops_although_a_backend_hangs(new_site: Callable[..., Any], home: Path) -> None:
    """What waits for an answer that does not come is given up."""
    site = new_site()
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        (site.root / "nbbatch.toml").write_text(
            f'[backends.deaf]\nkind = "aws"\nregion = "{REGION}"\nendpoint_url = "{url}"\n'
        )
        threading.Thread(target=_try, args=[site, "jobs", ""], daemon=True).start()
        deaf.settimeout(60)
        deaf.accept()[0].close()
        site.process.terminate()
        assert site.process.wait(60) is not None


def _try(site: Any, route: str, folder: str) -> None:
    try:
        site.ask("GET", route, folder=folder, backend="deaf", timeout=30)
    except (OSError, HTTPException):
        return


def test_a_backend_that_is_not_there_is_503(site: Any) -> None:
    """With the reason and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    folder = site.root / "gone"
    folder.mkdir()
    (folder / "nbbatch.toml").write_text(
        f'[backends.gone]\nkind = "aws"\nregion = "{REGION}"\nendpoint_url = "http://127.0.0.1:{port}"\n'
    )
    reply = site.ask("GET", "queues", backend="gone", folder="gone", timeout=120)
    assert (reply.status, reply.body["reason"]) == (503, "BackendUnreachableError")


@pytest.fixture
def aws_site(new_site: Callable[..., Any], home: Path, account: Account) -> Any:
    """A server whose default backend is the account."""
    site = new_site()
    (site.root / "nbbatch.toml").write_text('backend = "prod"\n' + account.settings())
    return site


def submit_there(account: Account, name: str, *command: str) -> str:
    """A job that waits, as moto's do for a moment."""
    batch = account.client("batch")
    batch.register_job_definition(
        jobDefinitionName="plain",
        type="container",
        containerProperties={
            "image": IMAGE,
            "vcpus": 1,
            "memory": 64,
            "command": list(command) or ["sleep", "1"],
        },
    )
    return str(batch.submit_job(jobName=name, jobQueue=QUEUE, jobDefinition="plain")["jobId"])


def test_an_account_has_the_same_list(aws_site: Any, account: Account) -> None:
    """Jobs, their detail, queues; what only a daemon knows is refused with the reason."""
    job_id = submit_there(account, "in-the-cloud")
    (row,) = aws_site.get("jobs")["jobs"]
    assert (row["id"], row["name"], row["queue"]) == (job_id, "in-the-cloud", QUEUE)
    assert aws_site.get(f"jobs/{job_id}")["definition"] == "plain:1"
    assert [one["name"] for one in aws_site.get("queues")["queues"]] == [QUEUE]
    assert aws_site.get(f"jobs/{job_id}/logs")["attempt"] in (0, 1)
    told = aws_site.get("backends")
    assert (told["default"], told["backends"][0]["isPushing"]) == ("prod", False)
    reply = aws_site.ask("GET", "costs")
    assert (reply.status, reply.body["reason"]) == (400, "NotOnAwsError")
    assert "backend='prod'" not in aws_site.get(f"jobs/{job_id}/code")["code"]


@pytest.mark.docker
def test_an_accounts_log_is_read_from_cloudwatch(aws_site: Any, account: Account) -> None:
    """Lines of the job's own stream, with their times; pages go on where the last one ended."""
    program = "for number in range(30): print('line', number, flush=True)"
    job_id = submit_there(account, "tells", "python3", "-c", program)
    aws_site.until(job_id, "SUCCEEDED")
    page = aws_site.get(f"jobs/{job_id}/logs", limit=10, head=1)
    assert [line["text"] for line in page["lines"]] == [f"line {number}" for number in range(10)]
    assert page["lines"][0]["time"] > 1_600_000_000_000
    later = aws_site.get(f"jobs/{job_id}/logs", limit=10, page=page["forward"])
    assert later["lines"][0]["text"] == "line 10"
    last = aws_site.get(f"jobs/{job_id}/logs", limit=10)
    assert last["lines"][-1]["text"] == "line 29"


def test_news_of_an_account_come_by_looking(aws_site: Any, account: Account) -> None:
    """A request that waits is answered at the next look after something changed."""
    cursor = aws_site.get("news")["cursor"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(aws_site.get, "news", cursor=cursor, wait=25)
        job_id = submit_there(account, "seen-later")
        answer = waiting.result(60)
    while not answer["jobs"]:
        answer = aws_site.get("news", cursor=answer["cursor"], wait=25)
    assert answer["jobs"][0]["id"] == job_id


def test_the_extension_is_on_by_its_file(tmp_path: Path) -> None:
    """The file that the wheel installs names the package, and that names a module with the loader."""
    from importlib import import_module

    root = Path(nbbatch.__file__).parents[1]
    told = json.loads((root / "jupyter-config" / "server-config" / "nbbatch.json").read_text())
    assert told["ServerApp"]["jpserver_extensions"] == {"nbbatch": True}
    (point,) = nbbatch._jupyter_server_extension_points()
    assert hasattr(import_module(point["module"]), "_load_jupyter_server_extension")
    assert [one["dest"] for one in nbbatch._jupyter_labextension_paths()] == ["nbbatch"]
