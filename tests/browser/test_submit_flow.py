"""A notebook becomes a job by the dialog: fields, a refusal at its field, parameters, the executed notebook."""

from __future__ import annotations

import nbformat
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.sidebar, pytest.mark.slow]

PARAMETERS = nbformat.v4.new_code_cell(
    "alpha: float = 0.5  # learning rate\nsteps = 3\nname = 'first'", metadata={"tags": ["parameters"]}
)
CELLS = (PARAMETERS, "print('alpha is', alpha)\nsteps * 2")


def test_a_notebook_is_submitted_with_parameters_and_opened_executed(flow):
    """A bad value is refused at its field; good ones arrive; the run is a row, and its notebook opens."""
    import nbbatch

    flow.notebook("report.ipynb", CELLS)
    flow.page.get_by_role("button", name="Submit Notebook as a Job").or_(
        flow.page.locator("[data-command='nbbatch:submit-notebook']")
    ).first.click()
    form = flow.page.locator("[data-form='submit']")
    alpha = form.locator("#nbbatch-parameter-alpha")
    alpha.fill("much")
    wrong = form.locator("[id$='alpha-wrong']")
    wrong.wait_for()
    assert alpha.get_attribute("aria-invalid") == "true"
    assert form.locator("button[type='submit']").is_disabled()
    flow.picture("refused")
    assert flow.faults(".jp-Dialog") == []
    alpha.fill("0.25")
    wrong.wait_for(state="detached")
    form.locator("#nbbatch-option-memory").fill("512M")
    form.locator("button[type='submit']").click()
    form.wait_for(state="detached")
    row = flow.page.locator("[data-job]").filter(has_text="report")
    row.get_by_text("SUCCEEDED").wait_for()
    job = nbbatch.job(row.get_attribute("data-job"))
    row.dblclick()
    detail = flow.detail(job.id)
    detail.locator("[data-part='outputs']").get_by_text("alpha is 0.25").first.wait_for()
    assert flow.faults(f"[data-detail='{job.id}']") == []
    flow.picture("detail")
    detail.get_by_role("button", name="Open executed notebook").click()
    executed = flow.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    executed.get_by_text("alpha is 0.25").wait_for()


def test_a_notebook_that_stops_at_an_error_says_where(flow):
    """The row says how it failed, the detail shows the traceback and which cell it was."""
    import nbbatch

    flow.notebook("broken.ipynb", ["x = 1", "x / 0", "print('never')"])
    run = nbbatch.run_notebook(str(flow.front.folder / "broken.ipynb"), vcpus=0.25, memory="512M")
    flow.open("jobs")
    flow.job(run.id).get_by_text("FAILED").wait_for()
    flow.job(run.id).dblclick()
    flow.detail(run.id).get_by_text("ZeroDivisionError").first.wait_for()
    flow.detail(run.id).locator("[data-cell='1']").get_by_text("ZeroDivisionError").wait_for()
