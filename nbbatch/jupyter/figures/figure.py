"""`nbbatch.figure`: which figures there are, of what, and where their numbers come from.

What is drawn is `job`, `course`, `money` and `fleet`; what they draw is made by `numbers`
and `fleet_numbers`. Here is the one table that brings both together, and the calls of the backend: at
most two or three for a figure, whatever the size of the array.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import plotly.graph_objects as go

from nbbatch.client.arrays.children import Children, children_of
from nbbatch.client.backend import Backend, get_backend
from nbbatch.client.checks import check_text, refusal
from nbbatch.client.handles.handle import Handle
from nbbatch.client.options import suggestion
from nbbatch.errors import OptionError
from nbbatch.jupyter.figures import course as course_figures
from nbbatch.jupyter.figures import fleet as fleet_figures
from nbbatch.jupyter.figures import job as job_figures
from nbbatch.jupyter.figures import money as money_figures
from nbbatch.jupyter.figures.fleet_numbers import (
    capacity_of,
    depth_of,
    interruptions_of,
    shares_of,
    spot_of,
    worlds_of,
)
from nbbatch.jupyter.figures.numbers import (
    MOST_BARS,
    bars_of,
    busy_of,
    durations_of,
    pace_of,
    progress_of,
    reasons_of,
    spending_of,
    states_of,
)
from nbbatch.jupyter.figures.palette import nothing

OfChildren = Callable[[Children, str], go.Figure]


def _timeline(children: Children, theme: str) -> go.Figure:
    """Attempts one by one, or where there are too many, how many each host ran."""
    if len(children.attempts.child) <= MOST_BARS:
        return job_figures.timeline(bars_of(children), theme=theme)
    return job_figures.busy(busy_of(children), theme=theme)


OF_CHILDREN: Mapping[str, OfChildren] = {
    "progress": lambda children, theme: job_figures.progress(progress_of(children), theme=theme),
    "states": lambda children, theme: course_figures.states(states_of(children), theme=theme),
    "throughput": lambda children, theme: course_figures.throughput(pace_of(children), theme=theme),
    "durations": lambda children, theme: course_figures.durations(durations_of(children), theme=theme),
    "failures": lambda children, theme: job_figures.failures(reasons_of(children), theme=theme),
    "timeline": _timeline,
}
"""Figures of a job that need nothing but its children."""
OF_JOB = (*OF_CHILDREN, "cost")
OF_FLEET: Mapping[str, Callable[[Backend, str, str | None, str], go.Figure]] = {
    "depth": lambda place, since, name, theme: fleet_figures.depth(depth_of(place, since, name), theme=theme),
    "vcpus": lambda place, since, name, theme: fleet_figures.vcpus(
        capacity_of(place, since, name), theme=theme
    ),
    "interruptions": lambda place, since, name, theme: fleet_figures.interruptions(
        interruptions_of(place, since, name), theme=theme
    ),
    "spot": lambda place, since, name, theme: money_figures.spot(spot_of(place, since, name), theme=theme),
    "shares": lambda place, _since, name, theme: fleet_figures.shares(shares_of(place, name), theme=theme),
}
"""Figures of queues and compute environments."""


def figure(
    what: Any,
    kind: str = "",
    *,
    name: str | None = None,
    since: str = "",
    theme: str = "auto",
    backend: str | None = None,
) -> go.Figure:
    """A plotly figure of a job or array, of queues and environments, or of a simulation.

    Parameters
    ----------
    what : Job, ArrayJob, Sweep, Forecast, or str
        A handle; what `simulate` gave; or one of the figures of a backend: `depth` (jobs in the queues by
        status), `vcpus` (wanted, provisioned, used), `interruptions` (hosts that Spot took back), `spot`
        (what it saved and lost, by day), `shares` (use against weight).
    kind : str
        Of a handle: `progress` (the default), `states`, `throughput`, `durations`, `failures`,
        `timeline`, `cost`.
    name : str, optional
        Of a backend's figures: only this queue, of `vcpus` and `interruptions` this compute environment.
        `shares` needs one.
    since : str
        Of a backend's figures, how far back: `"3h"`, `"7d"`; without it an hour, of `spot` a month.
    theme : str
        `auto` reads on light and dark grounds; `light` and `dark` are sharper on theirs.
    backend : str, optional
        Of a backend's figures: a configured one.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    OptionError
        There is no such figure.
    NotOnAwsError
        Numbers over time of a backend on AWS, which are CloudWatch's.

    Examples
    --------
    >>> nbbatch.figure(arr, "throughput")
    >>> nbbatch.figure("vcpus", since="3h")
    >>> nbbatch.figure(nbbatch.simulate(arr, worlds))
    """
    check_text("kind", kind, f"one of {', '.join(OF_JOB)}")
    check_text("name", name, "the name of a queue or of a compute environment")
    check_text("since", since, 'a duration, such as "3h"')
    if isinstance(what, Handle):
        if name or since:
            raise refusal(
                "A job's figure", name or since, "neither name nor since, which are of a backend's figures"
            )
        return _of_job(what, kind or "progress", theme)
    if isinstance(what, str):
        if kind:
            raise refusal(
                "A backend's figure", kind, f"no kind: the first word is one of {', '.join(OF_FLEET)}"
            )
        place = get_backend(backend)
        return _find(OF_FLEET, what, "a backend")(place, since, name, theme)
    if hasattr(what, "columns") and {"world", "makespan", "cost"} <= set(what.columns):
        return money_figures.what_if(worlds_of(what), theme=theme)
    raise OptionError(
        f"There is no figure of {type(what).__name__}.",
        cure=f"Give a handle, a simulation, or one of {', '.join(OF_FLEET)}.",
    )


def _of_job(handle: Handle, kind: str, theme: str) -> go.Figure:
    if kind == "cost":
        account = handle.account()
        if account is None:
            return nothing("its backend keeps no account of it", theme=theme)
        spending = spending_of(children_of(handle), on_demand=account.on_demand, spot=account.spot)
        return money_figures.cost(spending, theme=theme)
    draw = OF_CHILDREN.get(kind)
    if draw is None:
        raise OptionError(f"A job has no figure {kind!r}.", cure=suggestion(kind, list(OF_JOB)))
    return draw(children_of(handle), theme)


def _find(figures: Mapping[str, Any], kind: str, whose: str) -> Any:
    if kind not in figures:
        raise OptionError(
            f"{whose.capitalize()} has no figure {kind!r}.", cure=suggestion(kind, list(figures))
        )
    return figures[kind]
