"""The launcher as a person uses it: a mistake at its field, then a run that goes its way in notebook and sidebar."""

from __future__ import annotations

import os
import signal

import front_end
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
    run = form.get_by_role("button", name="Run", exact=True, disabled=False)
    memory = form.get_by_label("memory", exact=True)
    memory.fill("plenty")
    form.locator(".nbb-wrong .nbb-note").get_by_text("plenty").wait_for()
    form.locator(".nbb-reason").wait_for()
    form.get_by_role("button", name="Run", exact=True, disabled=True).wait_for()
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


def test_a_form_whose_kernel_is_gone_says_so(flow):
    """Killed, or shut down, in the notebook read again too: nothing but the line can be had of it; later its text is there."""
    notebook = flow.notebook(
        "gone.ipynb", ["import os, nbbatch\nprint(os.getpid())", "nbbatch.launch(memory='1G')"]
    )
    pid = int(notebook.run(0).locator(".jp-OutputArea-output").inner_text())
    form = notebook.run(1)
    form.get_by_text("largest host").wait_for()
    os.kill(pid, signal.SIGKILL)
    flow.page.locator(".jp-Dialog-button.jp-mod-accept").click()
    _stands_still(form)
    flow.page.wait_for_function(front_end.IS_IDLE)
    flow.picture("killed")
    flow.mark_outputs()
    assert flow.faults("[data-output='1']") == []
    notebook.run(0)
    form = notebook.run(1)
    form.get_by_text("largest host").wait_for()
    assert form.locator(".nbb-gone").count() == 0
    flow.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    _stands_still(form)
    notebook.save()
    before = form.element_handle()
    flow.command("docmanager:reload")
    flow.page.wait_for_function("cell => !cell.isConnected", arg=before)
    _stands_still(form)
    flow.page.reload()
    form.get_by_text("The form is there when the cell runs again.").wait_for()
    assert form.locator(".nbb-launcher").count() == 0
    flow.picture("reopened")
    flow.page.wait_for_function(front_end.IS_IDLE)  # a server does not end while a kernel starts


def _stands_still(form):
    """Copy and Insert are all that can be pressed, nothing can be typed, and nothing looks broken."""
    form.get_by_text("This form stands still, since its kernel is gone").wait_for()
    usable = form.locator(".nbb-launcher :is(button, input, select, textarea):not([inert], [inert] *)")
    assert usable.locator("visible=true").all_inner_texts() == ["Copy", "Insert"]
    usable.first.click()
    form.get_by_text("Copied.").wait_for()
