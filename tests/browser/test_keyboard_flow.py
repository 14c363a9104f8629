"""Only the keyboard, from the first key on: nothing here clicks, runs a command or sets a value."""

from __future__ import annotations

import time
from contextlib import suppress

import nbformat
import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from .conftest import crowd

pytestmark = [pytest.mark.browser, pytest.mark.sidebar, pytest.mark.slow]

PARAMETERS = nbformat.v4.new_code_cell("alpha = 0.5", metadata={"tags": ["parameters"]})


def test_the_keyboard_alone_stops_opens_and_retries_a_job(flow):
    """The palette opens the sidebar, arrows move, Enter opens, the menu key stops and retries."""
    import nbbatch

    job = nbbatch.submit(time.sleep, 600, name="sleeper", vcpus=0.25, memory="256M")
    keys = flow.page.keyboard
    _palette(flow, "Show Jobs, Queues and Costs")
    flow.job(job.id).get_by_text("RUNNING").wait_for()
    others = crowd()
    other = nbbatch.submit(time.sleep, 600, name="other", vcpus=0.25, memory="256M")
    flow.job(other.id).get_by_text("RUNNABLE").wait_for()
    _tab_to(flow, ".nb-JobList")
    keys.press("Home")
    _is_chosen(flow, other.id)
    _menu(flow, "Cancel…")
    _give_reason(flow, "no need")
    flow.job(other.id).get_by_text("FAILED (cancelled)").wait_for()
    _tab_to(flow, ".nb-JobList")
    others.terminate("the test goes on")
    keys.press("End")
    flow.page.locator("[data-job]:last-child[aria-selected='true']").wait_for()
    for key in ("Home", "ArrowDown", "ArrowDown"):
        keys.press(key)
    _is_chosen(flow, job.id)
    flow.picture("row")
    keys.press("Enter")
    flow.detail(job.id).locator("[data-phase='idle']").wait_for()
    _tab_to(flow, f"[data-detail='{job.id}'] [data-command='nbbatch:terminate-job']")
    keys.press("Enter")
    _give_reason(flow, "enough")
    flow.job(job.id).get_by_text("FAILED (terminated)").wait_for()
    _tab_to(flow, f"[data-detail='{job.id}'] [data-command='nbbatch:retry-job']")
    keys.press("Enter")
    again = flow.page.locator("[data-job]").first
    again.get_by_text("RUNNING").wait_for()
    nbbatch.job(again.get_attribute("data-job")).terminate("the test is over")


def test_the_keyboard_alone_submits_a_notebook(flow):
    """The palette opens the form with the first parameter in focus; Enter submits it."""
    flow.notebook("typed.ipynb", [PARAMETERS, "print('alpha', alpha)"])
    keys = flow.page.keyboard
    _palette(flow, "Submit Notebook as a Job")
    flow.page.locator("#nbbatch-parameter-alpha:focus").wait_for()
    keys.press("Control+A")
    keys.type("0.75")
    keys.press("Enter")
    flow.page.locator("[data-form='submit']").wait_for(state="detached")
    row = flow.page.locator("[data-job]").filter(has_text="typed")
    row.get_by_text("SUCCEEDED").wait_for()


def test_the_keyboard_alone_uses_the_launcher(flow):
    """Its fields, its line and its Insert are reached by Tab; the cell is there and runs."""
    notebook = flow.notebook("launched.ipynb", ["import nbbatch\nnbbatch.launch(memory='512M')"])
    keys = flow.page.keyboard
    notebook.run(0)
    form = notebook.cell(0)
    form.get_by_role("button", name="Insert", exact=True).wait_for()
    _tab_to(flow, ".jp-CodeCell .nbb-field input")
    _tab_to(flow, ".jp-CodeCell .nbb-handover button:nth-child(2)")
    keys.press("Enter")
    notebook.cell(1).get_by_text("%%batch").wait_for()
    flow.picture("inserted")


_HAS_KEYS = "() => window.jupyterapp.commands.keyBindings.some(one => one.command === 'apputils:activate-command-palette')"
"""The settings bring JupyterLab's shortcuts a moment after the application has started."""


def _palette(flow, label):
    """Run a command by its name; again where JupyterLab, still starting, takes the focus and the palette closes."""
    keys = flow.page.keyboard
    flow.page.wait_for_function(_HAS_KEYS)
    for longest in (5_000, 15_000, 60_000):
        keys.press("Control+Shift+C")
        flow.page.locator(".lm-CommandPalette-input:focus").wait_for()
        keys.type(label)
        entry = flow.page.locator(".lm-CommandPalette-item.lm-mod-active").get_by_text(label)
        with suppress(PlaywrightTimeoutError):
            entry.wait_for(timeout=longest)
            keys.press("Enter")
            return
        keys.press("Escape")
    raise AssertionError(f"the palette does not stay open until it shows {label!r}")


def _tab_to(flow, selector, most=150):
    """Press Tab until it is in focus, as somebody without a mouse has to."""
    flow.page.locator(selector).locator("visible=true").first.wait_for()
    for _ in range(most):
        if flow.page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        flow.page.keyboard.press("Tab")
    raise AssertionError(f"{most} times Tab do not lead to {selector}")


def _is_chosen(flow, job_id):
    flow.page.locator(f"[data-job='{job_id}'][aria-selected='true']").wait_for()


_DRAWN = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def _menu(flow, label):
    """The row's menu by its key, and an entry of it by the arrows."""
    flow.page.keyboard.press("Shift+F10")
    flow.page.locator(".lm-Menu").wait_for()
    for _ in range(20):
        if flow.page.locator(".lm-Menu-item.lm-mod-active").filter(has_text=label).count():
            flow.page.keyboard.press("Enter")
            return
        flow.page.keyboard.press("ArrowDown")
        flow.page.evaluate(_DRAWN)  # what is marked is what Enter would choose
    raise AssertionError(f"the menu has no {label}")


def _give_reason(flow, reason):
    flow.page.locator(".jp-Dialog input:focus").wait_for()
    flow.page.keyboard.type(reason)
    flow.page.keyboard.press("Enter")
    flow.page.locator(".jp-Dialog").wait_for(state="detached")
