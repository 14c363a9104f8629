"""Frames, strips and the pace of panels, without a daemon."""

from __future__ import annotations

import re
from html import unescape

import numpy as np
import pytest
from figure_children import CREATED, an_array

from nbbatch.client.handles.handle import Account
from nbbatch.client.handles.outcome import Outcome
from nbbatch.jupyter.figures.palette import CODES
from nbbatch.jupyter.panels.array_frame import FIGURES, ArrayNumbers, Chosen, draw
from nbbatch.jupyter.panels.frame import PLOTLY, figure_bundle
from nbbatch.jupyter.panels.handles import standing
from nbbatch.jupyter.panels.job import JobNumbers
from nbbatch.jupyter.panels.job import draw as draw_job
from nbbatch.jupyter.panels.pace import Pace
from nbbatch.jupyter.panels.strip import draw_strip, layout, pick
from nbbatch.model.jobs import JobStatus

DONE, RUNNING, FAILED = CODES[JobStatus.SUCCEEDED], CODES[JobStatus.RUNNING], CODES[Outcome.EXITED]
ACCOUNT = Account(on_demand=1.5, spot=0.5, seconds=1e5, cpu_seconds=None, peak_memory=None, instance_type="")


def seen(html: str) -> str:
    """What a reader sees of a page."""
    return unescape(re.sub("<[^>]+>", " ", html.replace("<span>&#36;</span>", "$")))


def array_frame(size: int, until: float | None = None, **more):
    children = an_array(size, until=until)
    counts = {"SUCCEEDED": int((children.statuses == 5).sum()), "FAILED": int((children.statuses == 6).sum())}
    detail = {
        "jobId": "0f2c5a61-aaaa",
        "jobName": "score",
        "status": "PENDING" if until is not None else "FAILED",
        "statusReason": "Array Child Job failed",
        "createdAt": CREATED,
        "arrayProperties": {"size": size, "statusSummary": counts},
    }
    numbers = ArrayNumbers(detail=detail, children=children, account=ACCOUNT, now=children.now / 1000, **more)
    return draw(numbers)


def test_a_panel_is_drawn_each_second_at_first_and_seldom_later():
    """The pause grows with the age of the panel, and far more while nothing changes."""
    pace = Pace()
    assert (pace.least(0), pace.least(30), pace.least(300), pace.least(7200)) == (1, 1, 5, 10)
    assert pace.most(0) == 1
    for _ in range(40):
        pace.note(has_news=False)
    assert pace.most(0) == 60
    pace.note(has_news=True)
    assert pace.most(0) == 1


@pytest.mark.parametrize(
    ("status", "counts", "shown"),
    [
        ("PENDING", {"RUNNABLE": 3, "STARTING": 1, "RUNNING": 2, "SUCCEEDED": 4}, "RUNNING"),
        ("PENDING", {"RUNNABLE": 3, "SUCCEEDED": 4}, "RUNNABLE"),
        ("PENDING", {"PENDING": 7}, "PENDING"),
        ("FAILED", {"RUNNING": 0, "FAILED": 7}, "FAILED"),
        ("SUCCEEDED", {}, "SUCCEEDED"),
    ],
)
def test_an_array_stands_where_its_furthest_child_does(status, counts, shown):
    """Batch calls it PENDING as long as its children run, and people do not."""
    assert standing({"status": status, "arrayProperties": {"statusSummary": counts}}) == shown


@pytest.mark.parametrize("size", [1, 2, 50, 51, 400, 401, 9_999, 10_000])
def test_each_child_is_in_one_cell_of_the_strip(size):
    """Whatever the size: at most 400 cells, and every child is found by pointing at its cell."""
    strip = layout(size)
    assert strip.columns * strip.rows * strip.each >= size
    assert -(-size // strip.each) <= 400
    found = [
        child
        for row in range(strip.rows)
        for column in range(strip.columns)
        for child in strip.children_at((column + 0.5) / strip.columns, (row + 0.5) / strip.rows)
    ]
    assert found == list(range(size))


def test_pointing_at_many_children_means_the_one_that_failed():
    """Of the children of a cell it is one that failed, else one that runs, else the first."""
    codes = np.full(30, DONE, dtype=np.uint8)
    assert pick(codes, range(10, 20)) == 10
    codes[15] = RUNNING
    assert pick(codes, range(10, 20)) == 15
    codes[17] = FAILED
    assert pick(codes, range(10, 20)) == 17
    assert pick(codes, range(30, 30)) is None


def test_one_failure_among_ten_thousand_is_seen():
    """A failed child takes a quarter of its cell, although it is one of 25 there."""
    codes = np.full(10_000, DONE, dtype=np.uint8)
    codes[4_321] = FAILED
    picture = draw_strip(codes)
    (path,) = [part for part in picture.split("<path")[1:] if "#c34108" in part]
    assert float(re.search(r"v([\d.]+)h", path)[1]) == pytest.approx(15 / 4, rel=0.01)
    assert "9,999 SUCCEEDED, 1 FAILED" in picture


def test_a_frame_says_in_text_what_its_pictures_say():
    """Counts, time left, pace, cost, its range and reasons stand in the page without any picture, and as lines."""
    frame = array_frame(300, until=200)
    page = seen(frame.html)
    for told in ("done", "of 300", "running", "waiting", "left", "a minute", "$1.50 on demand", "about $"):
        assert told in page
    for reason in ("exit code 1", "out of memory", "timed out"):
        assert reason in page
        assert reason in frame.text
    assert "cost in the end about $" in frame.text
    assert not frame.is_last
    assert frame.disabled == {"retry"}


def test_the_last_frame_offers_what_makes_sense():
    """An array that has ended can be retried where something failed, and neither cancelled nor terminated."""
    frame = array_frame(300)
    assert frame.is_last
    assert frame.disabled == {"cancel", "terminate"}


def test_a_frame_of_ten_thousand_children_is_small():
    """Page and any figure of 10,000 children stay below 100 kB together, without scripts."""
    frame = array_frame(10_000, until=5_000)
    assert set(frame.figures) == set(FIGURES)
    largest = max(len(str(figure_bundle(make())[PLOTLY])) for make in frame.figures.values())
    assert len(frame.html) + len(frame.text) + largest < 100_000
    assert "<script" not in frame.html


def test_what_jobs_say_is_no_html_and_no_formula():
    """Names, logs and reasons are escaped, and nothing stands between two dollars."""
    frame = array_frame(
        20,
        until=60,
        chosen=Chosen(
            index=3, state="RUNNING", colour="#000000", input="<i>", log="<script>alert(1)</script>"
        ),
    )
    assert "<script" not in frame.html
    assert "<i>" not in frame.html
    assert "$" not in frame.html
    assert "child 3" in seen(frame.html)


def a_job(**more):
    detail = {
        "jobId": "3f2a91c0-bbbb",
        "jobName": "fit",
        "jobQueue": "arn:aws:batch:us-east-1:1:job-queue/gpu",
        "createdAt": CREATED,
        "container": {
            "resourceRequirements": [{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": "1024"}]
        },
        **more,
    }
    used = Account(
        on_demand=0.2, spot=0.1, seconds=100, cpu_seconds=150, peak_memory=1000, instance_type="m6i.large"
    )
    return draw_job(JobNumbers(detail=detail, account=used, now=CREATED / 1000 + 60, why="no host is free"))


def test_a_job_says_what_it_uses_of_what_it_asked_for():
    """Status, host, queue, clock, cost and its rate, vCPUs and memory against what was asked for."""
    frame = a_job(status="RUNNING", startedAt=CREATED + 20_000)
    for told in ("RUNNING", "queue gpu, m6i.large", "00:40", "$7.20/h", "1.5 of 2 busy", "1000 MB of 1 GB"):
        assert told in frame.text
        assert told in seen(frame.html)
    assert frame.disabled == {"cancel", "retry"}


def test_a_failed_job_says_how():
    """FAILED is told apart: by exit code, timeout, and what else ended it."""
    over = {"status": "FAILED", "startedAt": CREATED, "stoppedAt": CREATED + 5_000}
    assert "FAILED (exit code 3)" in a_job(**over, container={"exitCode": 3}).text
    timed_out = a_job(**over, statusReason="Job attempt duration exceeded timeout")
    assert "FAILED (timed out)" in timed_out.text
    assert timed_out.disabled == {"cancel", "terminate"}
