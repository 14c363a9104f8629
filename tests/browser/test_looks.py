"""Everything that nbbatch shows in JupyterLab, in light and dark: axe finds no serious fault in it."""

from __future__ import annotations

import pytest

from .conftest import crowd

pytestmark = [pytest.mark.browser, pytest.mark.sidebar, pytest.mark.slow, pytest.mark.timeout(600)]

THEMES = ("Light", "Dark")


def _odd(number):
    print("\x1b[31mred\x1b[0m and \x1b[1;32mgreen\x1b[0m", number)  # noqa: T201 - is the log
    return 1 / (number % 2)


def test_the_sidebar_is_readable_in_both_themes(flow):
    """Each section with a chosen row, details of jobs of every kind, a log, and the question why."""
    import nbbatch

    array = nbbatch.map(_odd, range(8), name="halves", chunk=1, vcpus=0.25, memory="256M")
    good = nbbatch.submit(_odd, 1, name="good", vcpus=0.25, memory="256M")
    bad = nbbatch.submit(_odd, 2, name="bad", vcpus=0.25, memory="256M")
    for job in (array, good, bad):
        job.wait()
    others = crowd()
    waiting = nbbatch.submit(_odd, 1, name="waiting", vcpus=0.25, memory="256M")
    for theme in THEMES:
        flow.theme(theme)
        section = flow.open("jobs")
        flow.job(bad.id).get_by_text("FAILED").wait_for()
        flow.job(bad.id).click()
        _holds(flow, f"jobs-{theme}", "#nbbatch-sidebar")
        for name in ("queues", "costs"):
            section = flow.open(name)
            section.get_by_text("default").first.wait_for()
            _holds(flow, f"{name}-{theme}", "#nbbatch-sidebar")
        for job in (array, good, bad, waiting):
            flow.command("nbbatch:open-job", id=job.id)
            flow.detail(job.id).locator("[data-phase='idle']").wait_for()
            _holds(flow, f"{job.name}-{theme}", f"[data-detail='{job.id}']")
        flow.command("nbbatch:open-log", id=bad.id)
        flow.log(bad.id).locator("[data-line]").first.wait_for()
        _holds(flow, f"log-{theme}", f"[data-log='{bad.id}']")
    for job in (waiting, others):
        job.terminate("the test is over")


PANELS = (
    "import nbbatch, time\n%load_ext nbbatch",
    "def odd(n):\n    return 1 / (n % 2)\narr = nbbatch.map(odd, range(8), chunk=1, vcpus=0.25, memory='256M')\narr.wait()\narr",
    "job = nbbatch.submit(time.sleep, 0, vcpus=0.25, memory='256M')\njob.wait()\njob",
    "%batch panel queue",
    "%batch panel cost",
    "nbbatch.launch(memory='512M')",
)


def test_panels_and_launcher_are_readable_in_both_themes(flow):
    """An array's, a job's, a queue's and the costs' panel, and a launcher."""
    notebook = flow.notebook("panels.ipynb", PANELS)
    for index in range(len(PANELS)):
        notebook.run(index)
    notebook.cell(1).locator(".nbbatch-controls").wait_for()
    notebook.cell(5).scroll_into_view_if_needed()
    notebook.cell(5).locator(".nbb-field").first.wait_for()
    flow.mark_outputs()
    for theme in THEMES:
        flow.theme(theme)
        for index in range(1, len(PANELS)):
            notebook.cell(index).scroll_into_view_if_needed()
            _holds(flow, f"{index}-{theme}", f"[data-output='{index}']")


def _holds(flow, name, place):
    flow.picture(name)
    assert (name, flow.faults(place)) == (name, [])
