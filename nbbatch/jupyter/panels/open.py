"""`nbbatch.panel`: the panel of a handle; further kinds stand in one table."""

from __future__ import annotations

from typing import Any

from nbbatch.client.arrays.array_jobs import ArrayJob
from nbbatch.client.checks import check_text, refusal
from nbbatch.client.jobs import Job
from nbbatch.client.pipelines.pipeline import Pipeline
from nbbatch.errors import OptionError
from nbbatch.jupyter.panels.array import ArrayView
from nbbatch.jupyter.panels.job import JobView
from nbbatch.jupyter.panels.panel import Panel
from nbbatch.jupyter.panels.pipeline import PipelineView


def panel_below(job: Job | ArrayJob) -> Panel:
    """The panel of a job whose log and outputs stand in the same cell."""
    match job:
        case ArrayJob():
            return _of_array(job, figure="")
        case _:
            return Panel(JobView(job, has_log=False))


def panel(what: Any, *, name: str | None = None, since: str = "", backend: str | None = None) -> Panel:
    """A live panel; as the last thing of a cell it draws itself.

    It stays up to date while the kernel runs, whatever cells run meanwhile, and its last frame stays in
    the saved notebook. Where nothing can be redrawn it is a picture of now.

    Parameters
    ----------
    what : Job, ArrayJob, Pipeline or str
        A handle; a pipeline; or a board of a backend: `queue` (what waits and why, what comes next, shares, capacity),
        `fleet` (hosts, what runs on them, what is idle, when they go), `cost` (by day, queue and name).
    name : str, optional
        Of the board `queue`: which; `default` without it.
    since : str
        Of a board, how far back it goes: `"3h"`; without it an hour, of `cost` a week.
    backend : str, optional
        Of a board: a configured one.

    Returns
    -------
    Panel
        `show()` puts it into the output of the cell that runs, `close()` ends it.

    Raises
    ------
    OptionError
        There is no panel of such a thing.
    NotOnAwsError
        What a backend on AWS cannot tell: the board `cost`.

    Examples
    --------
    >>> nbbatch.panel("queue", name="spot")
    >>> nbbatch.panel("fleet")
    """
    check_text("name", name, "the name of a queue")
    check_text("since", since, 'a duration, such as "3h"')
    if (name or since) and not isinstance(what, str):
        raise refusal("The panel of a job", name or since, "neither name nor since, which are of a board's")
    match what:
        case Job():
            return Panel(JobView(what))
        case ArrayJob():
            return _of_array(what, figure="throughput" if len(what) > 1 else "")
        case Pipeline():
            return Panel(PipelineView(what))
        case str():
            from nbbatch.jupyter.panels.boards import board  # noqa: PLC0415 - it draws figures at once

            return board(what, name=name, since=since, backend=backend)
    raise OptionError(
        f"There is no panel of {type(what).__name__}.", cure="Give a handle, such as nbbatch.submit gives."
    )


def _of_array(array: ArrayJob, *, figure: str) -> Panel:
    from nbbatch.client.notebooks.sweeps import Sweep  # noqa: PLC0415 - most arrays are no sweeps

    if not isinstance(array, Sweep):
        return Panel(ArrayView(array), figure=figure)
    from nbbatch.jupyter.panels.sweep import SweepView  # noqa: PLC0415 - it draws figures

    return Panel(SweepView(array))
