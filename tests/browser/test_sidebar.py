"""The sidebar in JupyterLab and in Notebook 7, in a real Chromium, with a real daemon's jobs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "scripts"))

import front_end  # noqa: E402 - lies beside the scripts

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(
        not front_end.EXTENSION.is_dir(), reason="the front end is not built: scripts/front-end"
    ),
]


def say(text):
    print(text)  # noqa: T201 - is the log
    return text


def odd(number):
    return 1 / (number % 2)


@pytest.mark.parametrize("program", front_end.FRONT_PAGES)
def test_the_sidebar_shows_jobs_their_details_and_their_logs(program, shared_daemon, tmp_path):
    """A job and an array are rows, one opens as a document, its log as another, and no error is logged."""
    import nbbatch

    job = nbbatch.submit(say, "from afar", name="hello")
    array = nbbatch.map(odd, [1, 2, 3, 4], name="halves")
    job.result()
    array.wait()
    with front_end.sidebar(program, tmp_path) as sidebar:
        page = sidebar.page
        sidebar.job(array.id).get_by_text("FAILED (children failed)").wait_for()
        assert sidebar.job(array.id).locator("svg.nb-Strip rect").count() == 2
        sidebar.job(job.id).get_by_text("SUCCEEDED").wait_for()
        sidebar.job(job.id).dblclick()
        page.locator(f"[data-detail='{job.id}'] [data-phase='idle']").wait_for()
        page.locator(f"[data-detail='{job.id}'] [data-part='outputs']").get_by_text(
            "from afar"
        ).first.wait_for()
        page.locator(f"[data-detail='{job.id}'] [data-command='nbbatch:open-log']").click()
        if program == "jupyterlab":  # Notebook 7 does not bring a second document below to the front yet
            page.locator(f"[data-log='{job.id}'] [data-line]").get_by_text("from afar").wait_for()
        assert sidebar.complaints == []


def test_a_new_job_appears_by_itself(shared_daemon, tmp_path):
    """Nobody asks again: the news brings the row, and then its end."""
    import nbbatch

    with front_end.sidebar("jupyterlab", tmp_path) as sidebar:
        job = nbbatch.submit(say, "late", name="late")
        sidebar.job(job.id).wait_for()
        sidebar.job(job.id).get_by_text("SUCCEEDED").wait_for()
        assert sidebar.complaints == []
