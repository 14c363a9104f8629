"""Jobs of a notebook, in the notebook and in the sidebar beside it: cells, panels, restarts, reloads, the launcher."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.sidebar, pytest.mark.slow]

LOAD = "%load_ext nbbatch"
GATED = """
import nbbatch
def gated(number, path):
    import pathlib, time
    print('child', number, 'waits', flush=True)
    while not pathlib.Path(path).exists():
        time.sleep(0.05)
    return number * 7
"""


def test_a_cell_is_followed_in_the_notebook_and_in_the_sidebar(flow, tmp_path):
    """Story, log, panel and output appear in the cell that runs, and the same job is in the list; nobody is notified."""
    gate = tmp_path / "gate"
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(gate)!r}).exists():\n    time.sleep(0.05)\n"
    flow.open("jobs")
    cells = [
        LOAD,
        f"%%batch --name alone --vcpus 0.25 --memory 256M\nprint('from afar', flush=True)\n{wait}answer = 6 * 7\nanswer",
        f"%%batch --name many --vcpus 0.25 --memory 256M --array range(3)\n{wait}square = item ** 2",
        "answer, square",
    ]
    notebook = flow.notebook("cells.ipynb", cells)
    notebook.run(0)
    cell = notebook.start(1)
    cell.get_by_text("from afar").wait_for()
    cell.get_by_text("RUNNING").first.wait_for()
    alone = flow.page.locator("[data-job]").filter(has_text="alone")
    alone.get_by_text("RUNNING").wait_for()
    flow.picture("running")
    gate.touch()
    cell.get_by_text("SUCCEEDED in").wait_for()
    cell.locator(".jp-OutputArea-executeResult").get_by_text("42").wait_for()
    alone.get_by_text("SUCCEEDED").wait_for()
    gate.unlink()
    cell = notebook.start(2)
    cell.get_by_text("0 of 3").first.wait_for()
    many = flow.page.locator("[data-job]").filter(has_text="many")
    many.get_by_text("0 of 3 done").wait_for()
    flow.picture("panel")
    gate.touch()
    many.get_by_text("SUCCEEDED", exact=True).wait_for()
    cell.get_by_text("3 of 3").first.wait_for()
    notebook.run(3).get_by_text("(42, [0, 1, 4])").wait_for()
    assert flow.page.locator(".jp-toast-message, .Toastify__toast").count() == 0


def test_a_job_outlives_its_kernel_and_is_attached_again_from_the_sidebar(flow, tmp_path):
    """A restart leaves the array alone; the inserted lines bring its panel back, and with it the results."""
    gate = tmp_path / "gate"
    make = f"array = nbbatch.starmap(gated, [(n, {str(gate)!r}) for n in range(3)], name='kept', chunk=1, vcpus=0.25, memory='256M')\narray"
    notebook = flow.notebook("restarted.ipynb", [GATED, make, "array.results()"])
    flow.open("jobs")
    notebook.run(0)
    notebook.run(1).get_by_text("0 of 3").first.wait_for()
    row = flow.page.locator("[data-job]").filter(has_text="kept")
    row.get_by_text("0 of 3 done").wait_for()
    flow.command("notebook:restart-kernel")
    flow.page.locator(".jp-Dialog").get_by_role("button", name="Confirm Kernel Restart").click()
    notebook.cell(1).get_by_text("this panel stands still").wait_for()
    flow.notebook_here(notebook.path)
    row.get_by_text("0 of 3 done").wait_for()
    flow.picture("restarted")
    notebook.cell(1).click()
    row.click(button="right")
    flow.page.locator(".lm-Menu").get_by_text("Insert Code That Reattaches the Job").click()
    notebook.cell(2).get_by_text("nbbatch.job").wait_for()
    again = notebook.run(2)
    again.locator(".nbbatch-controls").wait_for()
    again.get_by_text("0 of 3").first.wait_for()
    gate.touch()
    again.get_by_text("3 of 3").first.wait_for()
    row.get_by_text("SUCCEEDED", exact=True).wait_for()
    notebook.run(3).get_by_text("[0, 7, 14]").wait_for()
    flow.expects("Comm not found")  # JupyterLab, of what the kernel said of its widgets before it went


def test_a_panel_is_true_after_the_page_was_loaded_again(flow, tmp_path):
    """The kernel lives on: the panel of a job that runs goes on to its last frame, which can be saved."""
    gate = tmp_path / "gate"
    make = f"job = nbbatch.submit(gated, 6, {str(gate)!r}, name='seen', vcpus=0.25, memory='256M')\njob"
    notebook = flow.notebook("reloaded.ipynb", [GATED, make, "job.result()"])
    flow.open("jobs")
    notebook.run(0)
    notebook.run(1).get_by_text("RUNNING").first.wait_for()
    notebook.save()
    flow.page.reload()
    flow.ready()
    notebook = flow.notebook_here(notebook.path)
    cell = notebook.cell(1)
    cell.locator(".nbbatch-controls").wait_for()
    flow.picture("loaded")
    gate.touch()
    flow.page.locator("[data-job]").filter(has_text="seen").get_by_text("SUCCEEDED").wait_for()
    cell.get_by_text("SUCCEEDED").first.wait_for()
    assert cell.get_by_text("RUNNING").count() == 0
    notebook.run(2).get_by_text("42").wait_for()
    assert "SUCCEEDED" in str(notebook.save().cells[1].outputs)
