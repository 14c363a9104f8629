"""What the sidebar says when somebody it needs is not there, and how it goes on."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import front_end
import pytest
from aws_account import KEYS, REGION

from .conftest import flow_of

pytestmark = [pytest.mark.browser, pytest.mark.sidebar, pytest.mark.slow]


def test_a_daemon_that_was_killed_is_told_of_and_started_again(flow):
    """A banner says that nobody answers; one click starts the daemon, and the jobs are there as before."""
    import nbbatch
    from nbbatch.client.config import home
    from nbbatch.client.daemon_process import stop_by_signal

    job = nbbatch.submit(print, "before", name="before", vcpus=0.25, memory="256M")
    job.result()
    flow.open("jobs")
    flow.job(job.id).get_by_text("SUCCEEDED").wait_for()
    stop_by_signal(home())
    banner = flow.page.locator("[data-banner]")
    banner.wait_for()
    assert flow.page.locator("[data-section='jobs'][data-stale]").count() == 1
    flow.picture("banner")
    assert flow.faults("#nbbatch-sidebar") == []
    banner.get_by_role("button").first.click()
    banner.wait_for(state="detached")
    assert flow.page.locator("[data-stale]").count() == 0
    flow.job(job.id).get_by_text("SUCCEEDED").wait_for()
    late = nbbatch.submit(print, "after", name="after", vcpus=0.25, memory="256M")
    flow.job(late.id).get_by_text("SUCCEEDED").wait_for()
    flow.expects("status of 503", "ERR_EMPTY_RESPONSE")


def test_a_daemon_that_dies_takes_no_job_along(flow, tmp_path):
    """Killed while a job runs it is there again before anybody asks; the list goes on, and the job ends well."""
    import nbbatch
    from nbbatch.client.config import home
    from nbbatch.client.daemon_process import running_pid

    gate = tmp_path / "gate"
    job = nbbatch.submit(_until, str(gate), name="survivor", vcpus=0.25, memory="256M")
    flow.open("jobs")
    flow.job(job.id).get_by_text("RUNNING").wait_for()
    killed = running_pid(home())
    os.kill(killed, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while running_pid(home()) in (0, None, killed) and time.monotonic() < deadline:
        flow.page.wait_for_timeout(50)
    assert running_pid(home()) not in (0, None, killed)
    late = nbbatch.submit(print, "late", name="late", vcpus=0.25, memory="256M")
    flow.job(late.id).get_by_text("SUCCEEDED").wait_for()
    flow.job(job.id).get_by_text("RUNNING").wait_for()
    flow.page.locator("[data-banner]").wait_for(state="detached")
    gate.touch()
    flow.job(job.id).get_by_text("SUCCEEDED").wait_for()
    assert job.result() == "through"
    flow.expects("status of 503", "ERR_EMPTY_RESPONSE")


def _until(gate):
    from pathlib import Path

    while not Path(gate).exists():
        time.sleep(0.05)
    return "through"


@pytest.fixture
def sleeper() -> Iterator[tuple[str, threading.Event]]:
    """An account's address where every call waits until it is awake, and then finds nothing."""
    awake = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            awake.wait(120)
            body = b'{"jobQueues": [], "computeEnvironments": []}'
            with suppress(OSError):  # who asked has given up
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", awake
    awake.set()
    server.shutdown()
    server.server_close()


def test_an_account_that_does_not_answer_is_named_and_shown_when_it_does(
    shared_daemon, tmp_path, request, sleeper, monkeypatch
):
    """Within seconds the banner says which address is silent; costs, which no account tells, are asked for once."""
    url, awake = sleeper
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "nbbatch.toml").write_text(
        f'backend = "work"\n[backends.work]\nkind = "aws"\nregion = "{REGION}"\nendpoint_url = "{url}"\n'
    )
    with (
        front_end.running("jupyterlab", tmp_path) as front,
        flow_of(front, request.node.name) as flow,
    ):
        costs: list[str] = []
        flow.page.on(
            "request", lambda asked: costs.append(asked.url) if "/nbbatch/costs" in asked.url else None
        )
        flow.go()
        flow.open("jobs")
        banner = flow.page.locator("[data-banner='down']")
        banner.get_by_text(
            f"{url} does not answer."
        ).wait_for()  # 8 s; a patient call would take eight minutes
        flow.picture("jobs")
        section = flow.open("costs")
        section.get_by_text("known to Cost Explorer").wait_for()
        banner.get_by_text("asking…").wait_for()
        banner.get_by_text("by itself in").wait_for()
        assert len(costs) == 1
        flow.picture("costs")
        awake.set()
        banner.wait_for(state="detached")
        flow.open("jobs").get_by_text("No jobs yet.").wait_for()
        flow.expects("status of 503", "status of 400")


def test_without_its_half_in_the_server_the_sidebar_says_what_is_missing(shared_daemon, tmp_path, request):
    """JupyterLab starts at once all the same, and nothing waits for the sidebar."""
    with (
        front_end.running("jupyterlab", tmp_path, routes=False) as front,
        flow_of(front, request.node.name) as flow,
    ):
        slow: list[str] = []
        flow.page.on("console", lambda said: slow.append(said.text) if "activate" in said.text else None)
        flow.go()
        flow.open("jobs")
        banner = flow.page.locator("[data-banner='down']")
        banner.get_by_text("nbbatch's half in the Jupyter server does not run.").wait_for()
        banner.get_by_text("jupyter server extension list").wait_for()
        assert slow == []
        flow.picture("missing")
        flow.expects("status of 404")


def test_notebook_7_has_sidebar_and_panel(shared_daemon, tmp_path, request):
    """A job's detail and log open below the list of files; a panel in a notebook draws itself."""
    import nbbatch

    job = nbbatch.submit(print, "from below", name="below", vcpus=0.25, memory="256M")
    job.result()
    with (
        front_end.running("notebook", tmp_path) as front,
        flow_of(front, request.node.name) as flow,
    ):
        flow.go()
        flow.open("jobs")
        flow.job(job.id).dblclick()
        flow.detail(job.id).locator("[data-phase='idle']").wait_for()
        flow.picture("detail")
        flow.command("nbbatch:open-log", id=job.id)
        flow.log(job.id).locator("[data-line]").get_by_text("from below").wait_for()
        flow.picture("log")
        cells = ["import nbbatch, time", "job = nbbatch.submit(time.sleep, 600, memory='256M')\njob"]
        front_end.write_notebook(tmp_path / "panel.ipynb", cells)
        flow.go("notebooks/panel.ipynb")
        notebook = flow.notebook_here(tmp_path / "panel.ipynb")
        notebook.run(0)
        cell = notebook.run(1)
        cell.get_by_role("button", name="terminate").click()
        cell.get_by_text("FAILED (terminated)").wait_for()
        flow.open("jobs")
        flow.page.locator("[data-job]").first.get_by_text("FAILED (terminated)").wait_for()
