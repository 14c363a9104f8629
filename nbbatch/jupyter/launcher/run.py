"""Run what a form says as if it had been typed, with the notebook's main thread free meanwhile.

A cell goes the way of every `%%batch` cell, a call is executed in the notebook's namespace and its job is
attached; both tell their story on a page. What comes back is bound as it would be after a cell.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from nbbatch.client.arrays.array_jobs import ArrayJob
from nbbatch.client.handles.handle import Handle
from nbbatch.client.jobs import Job
from nbbatch.errors import UserError
from nbbatch.jupyter.cells import attach_to, run_cell
from nbbatch.jupyter.console import Console
from nbbatch.jupyter.flags import parse_cell_line
from nbbatch.jupyter.launcher.draft import MAGIC, Draft
from nbbatch.jupyter.launcher.page import Page


def start(
    draft: Draft,
    page: Page,
    console: Console,
    *,
    on_job: Callable[[Handle], None],
    on_end: Callable[[], None],
) -> threading.Thread:
    """Run a draft in a thread; whatever goes wrong stands on the page.

    Parameters
    ----------
    draft : Draft
        Without problems.
    page : Page
        Where outputs appear.
    console : Console
        Where the story is told.
    on_job : callable
        Gets the handle as soon as there is one.
    on_end : callable
        Called when there is nothing more to come.
    """

    def run() -> None:
        try:
            _run(draft, page, console, on_job)
        except BaseException as error:  # noqa: BLE001 - a thread has no one else to tell
            page.show_error(error)
        finally:
            on_end()

    thread = threading.Thread(target=run, name="nbbatch-launcher", daemon=True)
    thread.start()
    return thread


def _run(draft: Draft, page: Page, console: Console, on_job: Callable[[Handle], None]) -> None:
    if draft.is_cell:
        _run_cell(draft, page, console, on_job)
        return
    job = _called(draft, page.user_ns)
    on_job(job)
    attach_to(page, job, None, console)
    if not isinstance(job, ArrayJob):  # whose values were gathered
        page.displayhook(job.result())


def _run_cell(draft: Draft, page: Page, console: Console, on_job: Callable[[Handle], None]) -> None:
    code = draft.form.texts.get("code", "")
    if not code.strip():
        raise UserError("The cell is empty.", cure="Write what is to run, or insert the line above a cell.")
    line = parse_cell_line(draft.line.removeprefix(MAGIC))
    job = run_cell(page, line, f"{code.rstrip()}\n", console, has_panel=False, on_job=on_job)
    if job is not None:
        page.displayhook(job)


def _called(draft: Draft, namespace: dict[str, Any]) -> Job | ArrayJob:
    """Execute the call as in a cell; gives the handle that it binds."""
    exec(compile(draft.source, "<launcher>", "exec"), namespace)  # noqa: S102 - the user's own line
    job: Job | ArrayJob = namespace[draft.bound]
    return job
