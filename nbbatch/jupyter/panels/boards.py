"""Boards: panels of a backend and not of a job, by their words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nbbatch.client.backend import Backend, get_backend
from nbbatch.client.options import suggestion
from nbbatch.errors import OptionError
from nbbatch.jupyter.panels.cost import CostView
from nbbatch.jupyter.panels.fleet import FleetView
from nbbatch.jupyter.panels.pace import Pace
from nbbatch.jupyter.panels.panel import Panel, View
from nbbatch.jupyter.panels.queue import QueueView
from nbbatch.model.resources import parse_duration

_DAY = 86_400
_QUEUE, _HOUR, _WEEK = "default", "1h", "7d"
_PACE = 2.0
"""Seconds between two frames at first: queues and hosts move less than a job's log."""


def _queue(backend: Backend, name: str | None, since: str) -> View:
    return QueueView(backend, name or _QUEUE, since or _HOUR)


def _fleet(backend: Backend, name: str | None, since: str) -> View:
    _has_no_name("fleet", name)
    return FleetView(backend, since or _HOUR)


def _cost(backend: Backend, name: str | None, since: str) -> View:
    _has_no_name("cost", name)
    return CostView(backend, max(1, round(parse_duration(since or _WEEK) / _DAY)))


BOARDS: Mapping[str, Callable[[Backend, str | None, str], View]] = {
    "queue": _queue,
    "fleet": _fleet,
    "cost": _cost,
}
"""What makes each."""


def board(what: str, *, name: str | None = None, since: str = "", backend: str | None = None) -> Panel:
    """The panel of a queue, of the hosts, or of money.

    Raises
    ------
    OptionError
        There is no such board.
    UnknownNameError
        There is no such queue or backend.
    """
    if what not in BOARDS:
        raise OptionError(f"There is no panel {what!r}.", cure=suggestion(what, list(BOARDS)))
    made = Panel(BOARDS[what](get_backend(backend), name, since), pace=Pace(_PACE))
    made.frame = made.look()  # what cannot be is told here, in one error, and not by IPython's formatters
    return made


def _has_no_name(what: str, name: str | None) -> None:
    if name is not None:
        raise OptionError(
            f"The panel of {what} is of all of the backend, not of {name!r}.", cure="Leave the name away."
        )
