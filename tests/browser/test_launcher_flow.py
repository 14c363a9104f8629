"""The launcher as a person uses it: a mistake at its field, then a run that goes its way in notebook and sidebar."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.sidebar, pytest.mark.slow]

CELLS = (
    "import nbbatch\ndef double(n):\n    print('doubles', n, flush=True)\n    return 2 * n",
    "nbbatch.launch(function='double', arguments='21', name='launched', vcpus=0.25)",
)


def test_a_mistake_is_told_at_its_field_and_a_run_ends_in_notebook_and_sidebar(flow):
    """Nothing can be run while memory is no amount; set right, Run submits a job that both show to its end."""
    flow.open("jobs")
    notebook = flow.notebook("launcher.ipynb", CELLS)
    notebook.run(0)
    form = notebook.run(1)
    run = form.get_by_role("button", name="Run", exact=True)
    memory = form.get_by_label("memory", exact=True)
    memory.fill("plenty")
    form.locator(".nbb-wrong .nbb-note").get_by_text("plenty").wait_for()
    form.locator(".nbb-reason").wait_for()
    assert run.is_disabled()
    flow.picture("mistake")
    memory.fill("256M")
    form.locator(".nbb-reason").wait_for(state="detached")
    run.click()
    row = flow.page.locator("[data-job]").filter(has_text="launched")
    row.get_by_text("SUCCEEDED", exact=True).wait_for()
    story = form.locator(".nbb-run")
    story.get_by_text("doubles 21").first.wait_for()
    story.get_by_text("SUCCEEDED").first.wait_for()
    story.get_by_text("42", exact=True).wait_for()
