"""The sidebar in JupyterLab and in Notebook 7, in a real Chromium, with a real daemon's jobs."""

from __future__ import annotations

import front_end
import pytest

from .conftest import flow_of

pytestmark = [pytest.mark.browser, pytest.mark.sidebar, pytest.mark.slow]


def say(text):
    print(text)  # noqa: T201 - is the log
    return text


def odd(number):
    return 1 / (number % 2)


@pytest.mark.parametrize("program", front_end.FRONT_PAGES)
def test_the_sidebar_shows_jobs_their_details_and_their_logs(program, shared_daemon, tmp_path, request):
    """A job and an array are rows, one opens as a document, its log as another, and no error is logged."""
    import nbbatch

    job = nbbatch.submit(say, "from afar", name="hello")
    array = nbbatch.map(odd, [1, 2, 3, 4], name="halves")
    job.result()
    array.wait()
    with front_end.running(program, tmp_path) as front, flow_of(front, request.node.name) as sidebar:
        sidebar.go()
        sidebar.open("jobs")
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
        page.locator(f"[data-log='{job.id}'] [data-line]").get_by_text("from afar").wait_for()


def test_a_new_job_appears_by_itself(flow):
    """Nobody asks again: the news brings the row, and then its end."""
    import nbbatch

    flow.open("jobs")
    job = nbbatch.submit(say, "late", name="late")
    flow.job(job.id).wait_for()
    flow.job(job.id).get_by_text("SUCCEEDED").wait_for()
