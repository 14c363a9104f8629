"""`nbbatch.panel`: the panel of a handle; further kinds stand in one table."""

from __future__ import annotations

from typing import Any

from nbbatch.client.arrays.array_jobs import ArrayJob
from nbbatch.client.jobs import Job
from nbbatch.errors import OptionError
from nbbatch.jupyter.panels.array import ArrayView
from nbbatch.jupyter.panels.job import JobView
from nbbatch.jupyter.panels.panel import Panel


def panel_below(job: Job | ArrayJob) -> Panel:
    """The panel of a job whose log and outputs stand in the same cell."""
    match job:
        case ArrayJob():
            return Panel(ArrayView(job))
        case _:
            return Panel(JobView(job, has_log=False))


def panel(what: Any) -> Panel:
    """A live panel; as the last thing of a cell it draws itself.

    It stays up to date while the kernel runs, whatever cells run meanwhile, and its last frame stays in
    the saved notebook. Where nothing can be redrawn it is a picture of now.

    Parameters
    ----------
    what : Job or ArrayJob
        A handle.

    Returns
    -------
    Panel
        `show()` puts it into the output of the cell that runs, `close()` ends it.

    Raises
    ------
    OptionError
        There is no panel of such a thing.
    """
    match what:
        case Job():
            return Panel(JobView(what))
        case ArrayJob():
            return Panel(ArrayView(what), figure="throughput")
    raise OptionError(
        f"There is no panel of {type(what).__name__}.", cure="Give a handle, such as nbbatch.submit gives."
    )
