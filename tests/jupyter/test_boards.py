"""Panels of queues, hosts and money: what their frames say of numbers, and of a real daemon."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta
from html import unescape

import pytest
from aws_account import KEYS, new_account

import nbbatch
from nbbatch.client import capacity
from nbbatch.errors import NotOnAwsError, OptionError, UnknownNameError
from nbbatch.jupyter.figures.fleet import DEPTH, Capacity, Depth, Share
from nbbatch.jupyter.panels.boards import BOARDS
from nbbatch.jupyter.panels.cost import CostNow, ask_costs, cost_frame
from nbbatch.jupyter.panels.fleet import FleetNow, fleet_frame
from nbbatch.jupyter.panels.frame import figure_bundle
from nbbatch.jupyter.panels.pictures import Cell, Column, table
from nbbatch.jupyter.panels.queue import queue_frame
from nbbatch.jupyter.panels.queue_now import EnvironmentNow, NextJob, QueueNow
from nbbatch.model.jobs import JobStatus

NOW = 1_767_600_000.0
TIMES = [datetime.fromisoformat("2026-01-05T08:00") + timedelta(seconds=22 * step) for step in range(160)]
LARGEST = 16_000
"""Bytes of a frame, whatever it is of."""


def seen(frame) -> str:
    """The words of a frame's HTML."""
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", unescape(frame.html)))


def a_queue(**more) -> QueueNow:
    """A queue that shares, with a blocked head."""
    waiting = [float(step) for step in range(160)]
    jobs = {status: [0.0] * 160 for status in DEPTH} | {
        JobStatus.RUNNABLE: waiting,
        JobStatus.RUNNING: [4.0] * 160,
    }
    known = {
        "name": "teams",
        "backend": "local",
        "state": "ENABLED",
        "policy": "fair",
        "priority": 5,
        "environments": [
            EnvironmentNow(name="pool", kind="SPOT", state="ENABLED", most=16, provisioned=8, used=6)
        ],
        "counts": {JobStatus.RUNNING: 4, JobStatus.RUNNABLE: 159},
        "is_exact": True,
        "front": [
            NextJob(
                id="abc-1:7",
                name="score",
                share="ann",
                wants="2 vCPU",
                reason="",
                since=round(1000 * NOW) - 65_000,
            )
        ],
        "length": 100,
        "reasons": ("pool has all of its vCPUs.",),
        "shares": [Share(name="ann", vcpus=6, entitled=0.25), Share(name="bob", vcpus=2, entitled=0.75)],
        "depth": Depth(times=TIMES, jobs=jobs),
        "vcpus": Capacity(times=TIMES, wanted=[16.0] * 160, provisioned=[8.0] * 160, used=[6.0] * 160),
        "unknown": "",
        "now": NOW,
    }
    return QueueNow(**{**known, **more})


def test_a_queue_tells_why_its_head_waits_and_who_uses_what():
    """In the page and in the lines, which have the same facts."""
    frame = queue_frame(a_queue())
    for told in ("pool has all of its vCPUs.", "score", "ann", "75%", "25%", "RUNNABLE"):
        assert told in seen(frame)
        assert told in frame.text.replace(" %", "%")
    assert "fair share by fair" in seen(frame)
    assert "1 min 5 s" in seen(frame)
    assert "… and 99+ more" in seen(frame)
    assert len(frame.html) < LARGEST
    assert set(frame.figures) == {"depth", "vcpus", "shares"}
    assert all(figure_bundle(draw()) for draw in frame.figures.values())


def test_a_column_in_which_nothing_stands_is_left_out():
    """The share of jobs in a queue that does not share, and what nothing is known of."""
    (job,) = a_queue().front
    assert " share " in seen(queue_frame(a_queue(shares=[])))
    assert " share " not in seen(queue_frame(a_queue(shares=[], policy="", front=[replace(job, share="")])))
    assert table([Column("one"), Column("two")], []) == ""
    told = table([Column("one"), Column("two")], [[Cell("1"), Cell("")], [Cell("2"), Cell("", share=0.0)]])
    assert "two" in told


def test_an_empty_queue_and_one_without_numbers_say_so():
    """No picture of nothing, and the reason in the place of what is not known."""
    empty = a_queue(counts={}, front=[], length=0, reasons=(), shares=[], depth=None, vcpus=None)
    frame = queue_frame(empty)
    assert "nothing waits and nothing runs" in seen(frame)
    assert "<svg" not in frame.html
    assert frame.figures == {}
    counted = a_queue(
        counts={JobStatus.RUNNABLE: 100},
        is_exact=False,
        depth=None,
        vcpus=None,
        unknown="CloudWatch has them.",
    )
    assert "RUNNABLE 100+" in seen(queue_frame(counted))
    assert "CloudWatch has them." in queue_frame(counted).text


def test_a_queue_is_new_when_its_jobs_are_and_not_when_time_passes():
    """So the panel draws more seldom while nothing happens."""
    assert queue_frame(a_queue(now=NOW + 9)).state == queue_frame(a_queue()).state
    assert queue_frame(a_queue(counts={})).state != queue_frame(a_queue()).state


def a_host(number: int, **more) -> dict:
    """A host as the daemon tells it."""
    return {
        "id": f"i-{number:017x}",
        "environment": "pool",
        "instanceType": "m6i.large",
        "status": "ACTIVE",
        "isSpot": True,
        "vcpus": 2.0,
        "memory": 8192,
        "gpus": 0,
        "usedVcpus": 2.0,
        "usedMemory": 1024,
        "usdPerHour": 0.04,
        "cost": 0.01,
        "launchedAt": round(1000 * NOW) - 60_000,
        "jobs": [{"id": "a", "name": "score"}, {"id": "b", "name": "score"}],
        "running": 3,
        **more,
    }


def a_fleet(hosts, **more) -> FleetNow:
    environment = {
        "name": "pool",
        "type": "SPOT",
        "minvCpus": 0,
        "maxvCpus": 512,
        "provisioned": 4.0,
        "used": 2.0,
    }
    return FleetNow(
        backend="local", environments=[{**environment, "hosts": len(hosts)}], hosts=hosts, now=NOW, **more
    )


def test_hosts_tell_what_they_run_and_when_they_go():
    """With a countdown for those that are idle, and for those that Spot takes back."""
    idle = {"running": 0, "jobs": [], "usedVcpus": 0.0, "idleSince": 1, "goesAt": round(1000 * NOW) + 42_000}
    going = {"status": "DRAINING", "endsAt": round(1000 * NOW) + 90_000}
    frame = fleet_frame(a_fleet([a_host(1), a_host(2, **idle), a_host(3, **going)], idle=0.5, lost=0.25))
    for told in (
        "2 score, 1 more",
        "idle: it goes in 00:42",
        "Spot takes it back in 01:30",
        "m6i.large Spot",
    ):
        assert told in seen(frame)
        assert told in frame.text
    assert "$ 0.12, $ 0.04 of it idle" in seen(frame)
    assert "Spot interruptions under way 1" in seen(frame)
    assert "$0.50" in frame.text


def test_a_large_fleet_stays_small():
    """The first dozen, and how many more."""
    frame = fleet_frame(a_fleet([a_host(number) for number in range(200)], more=300))
    assert "… and 488 hosts more" in seen(frame)
    assert len(frame.html) < LARGEST


def a_cost(**more) -> CostNow:
    def row(day: str, queue: str, charged: float) -> dict:
        sums = {
            "submitted": 10,
            "failed": 1,
            "charged": charged,
            "onDemand": 3 * charged,
            "lost": 0.1,
            "saved": 2 * charged - 0.1,
        }
        return {"day": day, "queue": queue, **sums}

    known = {
        "backend": "local",
        "days": 7,
        "queues": [
            row("2026-01-04", "spot", 2.0),
            row("2026-01-05", "spot", 1.0),
            row("2026-01-05", "default", 0.5),
        ],
        "environments": [
            {"day": "2026-01-05", "environment": "pool", "hosts": 2.0, "used": 1.5, "idle": 0.5}
        ],
        "names": {
            "names": [
                {"name": f"n{i}", "jobs": 2, "onDemand": 9.0 - i, "spot": 3.0, "lost": 0.0} for i in range(9)
            ],
            "jobs": 500,
            "isAll": False,
        },
        "budget": {"spentToday": 1.5, "perDay": 6.0, "isSpent": False},
        "today": "2026-01-05",
    }
    return CostNow(**{**known, **more})


def test_money_is_told_by_day_queue_and_name():
    """Idle apart, Spot's saving net of what was lost, what is left of the budget."""
    frame = cost_frame(a_cost())
    words = seen(frame).replace("$ ", "$")
    for told in (
        "$1.50 today",
        "jobs, 7 days $3.50",
        "on demand $10.50",
        "saved by Spot $6.70, $0.30 of lost work taken off",
    ):
        assert told in words
    assert "idle hosts, 7 days $0.50" in words
    assert "$1.50 of $6.00 today · $4.50 left" in words
    assert "1 more names" in words
    assert "Of the newest 500 jobs" in words
    assert "budget of the day: $1.50 of $6.00" in frame.text
    spent = cost_frame(a_cost(budget={"spentToday": 6.5, "perDay": 6.0, "isSpent": True}))
    assert "jobs wait until tomorrow" in seen(spent)
    assert all(figure_bundle(draw()) for draw in frame.figures.values())


def test_nothing_spent_is_no_picture():
    """And no table."""
    frame = cost_frame(
        a_cost(
            queues=[],
            environments=[],
            names={"names": [], "jobs": 0, "isAll": True},
            budget={"spentToday": 0.0},
        )
    )
    assert "<svg" not in frame.html
    assert "$0" in frame.text
    assert figure_bundle(frame.figures["days"]())["text/plain"] == ""


def nap(seconds):
    time.sleep(seconds)
    return seconds


@pytest.fixture(scope="module")
def busy(shared_daemon):
    """A daemon where an array has run and a job runs."""
    assert nbbatch.map(nap, [0.01] * 3, vcpus=0.25, memory="256M", chunk=1, name="brief").wait(60)
    job = nbbatch.submit(nap, 600, vcpus=1, memory="256M", name="long-one")
    until(lambda: job.detail()["status"] == "RUNNING")
    yield shared_daemon
    job.terminate()


@pytest.mark.parametrize("what", BOARDS)
def test_a_board_is_of_a_real_daemon(busy, what):
    """It says what runs, in text and as a page with its figures."""
    panel = nbbatch.panel(what)
    frame = panel.look()
    told = {"queue": "1 RUNNING", "fleet": "runs long-one", "cost": "brief: $"}[what]
    assert told in frame.text
    assert repr(panel)
    assert all(figure_bundle(draw()) for draw in frame.figures.values())
    assert not frame.is_last


@pytest.mark.parametrize(("what", "most"), [("queue", 4), ("fleet", 3), ("cost", 3)])
def test_a_board_asks_a_few_questions(busy, what, most, monkeypatch):
    """However many jobs and hosts there are."""
    panel = nbbatch.panel(what)
    asked, private = [], busy.private
    monkeypatch.setattr(busy, "private", lambda route, body: asked.append(route) or private(route, body))
    panel.look()
    assert len(asked) <= most


def test_what_spot_took_back_is_seen_in_the_panel_of_hosts(busy):
    """After a real interruption: in words, as a picture, and as a figure with one bar."""
    job = nbbatch.submit(nap, 600, queue="spot", vcpus=0.25, memory="256M", name="spare")
    panel = nbbatch.panel("fleet")
    until(lambda: "RUNNING" in job.detail()["status"])
    assert "taken back" not in panel.look().text
    command = [sys.executable, "-m", "nbbatch.cli", "local", "interrupt", job.id, "--notice", "1"]
    subprocess.run(command, check=True, capture_output=True)
    assert job.wait(60)
    frame = panel.look()
    told = r"taken back by Spot since [\d:]+: 1 host, 1 attempt lost"
    assert re.search(told, frame.text)
    assert re.search(told, seen(frame))
    (bars,) = frame.figures["interruptions"]().data
    assert sum(bars.y) == 1
    assert "1 host taken back · 1 attempt lost" in nbbatch.figure("interruptions").layout.title.text


def until(holds):
    """Wait until it is so."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_days_of_costs_agree_with_the_table(busy):
    """The panel's sums are those of `nbbatch.costs`."""
    known = ask_costs(busy, 2)
    table = nbbatch.costs(2)
    assert sum(row["submitted"] for row in known.queues) == table["submitted"].sum()


def test_a_board_that_cannot_be_is_one_error(busy):
    """At once, where it is asked for."""
    with pytest.raises(UnknownNameError, match="no job queue 'nope'"):
        nbbatch.panel("queue", name="nope")
    with pytest.raises(OptionError, match="no panel 'flete'"):
        nbbatch.panel("flete")
    with pytest.raises(OptionError, match="all of the backend"):
        nbbatch.panel("fleet", name="default")


@pytest.fixture
def prod(tmp_path, monkeypatch):
    """A backend in an AWS account, with a queue."""
    capacity._known.clear()
    with new_account() as account:
        account.make_queue("analysis")
        for name, value in KEYS.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        monkeypatch.chdir(tmp_path)
        (tmp_path / "nbbatch.toml").write_text(account.settings())
        yield "prod"


def test_boards_of_an_account_say_what_aws_does_not_tell(prod):
    """Environments and counts are there, the reason stands for what is CloudWatch's, ECS's or Cost Explorer's."""
    queue = nbbatch.panel("queue", name="analysis", backend=prod).look()
    assert "queue analysis ENABLED · nothing waits and nothing runs" in queue.text
    assert "CloudWatch has numbers over time" in queue.text
    fleet = nbbatch.panel("fleet", backend=prod).look()
    assert "environment" in fleet.text
    assert "its hosts are ECS's and EC2's" in fleet.text
    with pytest.raises(NotOnAwsError, match="Cost Explorer"):
        nbbatch.panel("cost", backend=prod)
