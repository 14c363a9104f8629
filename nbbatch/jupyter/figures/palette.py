"""One visual language: how every figure is laid out, in which ink, and which colour means what.

The colours themselves are `client/colours.py`, since tables show them, too. Figures are transparent and their grey texts read on either ground, because a saved
notebook does not know who will look at it; `theme` chooses the ink for one ground.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import plotly.graph_objects as go

from nbbatch.client.colours import KINDS
from nbbatch.client.handles.outcome import Outcome
from nbbatch.errors import OptionError
from nbbatch.model.jobs import JobStatus

WIDTH = 700
"""Pixels of a notebook's output that figures are made for; they shrink and grow with it."""
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_SECOND, _MINUTE, _HOUR, _DAY = 1, 60, 3600, 86_400
_STEPS = (
    *(_SECOND * n for n in (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30)),
    *(_MINUTE * n for n in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * n for n in (1, 2, 3, 6, 12)),
    *(_DAY * n for n in (1, 2, 7, 14, 30, 90)),
)
_MOST_TICKS = 7
_FEW = 6
"""Up to which an axis that counts has a tick for each."""
_TOP = 30
"""Pixels of the headline."""
_KEYS = 26
"""Pixels above the legend: it grows downwards, away from the headline, and the plot gives way."""
_LINE, _LONGEST_LINE = 18, 58
"""Pixels of another line of it, and the letters of a line in a page of 480 pixels."""
_PAD = {"l": 12, "t": 8}
_KEY_WIDTH, _LETTER = 46, 6.2
"""Pixels of an entry of a legend without its name, and of a letter, about."""
_LEGEND = 420
"""Pixels of a legend's rows in a page of 480 pixels; in a narrower one the plot gives way to more rows."""
_FINEST = 120
"""Seconds to which an axis is told in seconds alone."""


NAMES = {"showgrid": False, "showline": False, "ticks": "outside", "ticklen": 5, "tickcolor": "rgba(0,0,0,0)"}
"""An axis of names: nothing but them, a little away."""
SINCE = {"title": {"text": "since it was submitted"}}


ORDER = tuple(KINDS)
CODES = {kind: code for code, kind in enumerate(ORDER)}
"""Place of each in `ORDER`."""
WAITING, RUNNING = KINDS[JobStatus.RUNNABLE], KINDS[JobStatus.RUNNING]
SUCCEEDED, FAILED = KINDS[JobStatus.SUCCEEDED], KINDS[Outcome.EXITED]
LOST = KINDS[Outcome.HOST_LOST]
WANTED = KINDS[Outcome.OUT_OF_MEMORY]
"""Of the line of vCPUs that were wanted, which no status has to do with."""


class Theme(StrEnum):
    """For which ground a figure is."""

    AUTO = "auto"
    LIGHT = "light"
    DARK = "dark"


GROUNDS = {Theme.LIGHT: "#ffffff", Theme.DARK: "#111111"}
"""JupyterLab's `--jp-layout-color0`."""


@dataclass(frozen=True, slots=True)
class Ink:
    """Colours of what is no mark: text, weak text, lines, grid, a quiet surface; and the hover label's ground."""

    text: str
    weak: str
    line: str
    grid: str
    label: str


INKS = {
    Theme.AUTO: Ink("#7b7b7b", "#7b7b7b", "rgba(128,128,128,0.55)", "rgba(128,128,128,0.22)", "#ffffff"),
    Theme.LIGHT: Ink("#303030", "#6b6b6b", "#b8b8b8", "#e9e9e9", "#ffffff"),
    Theme.DARK: Ink("#e0e0e0", "#a3a3a3", "#565656", "#2b2b2b", "#262626"),
}


def ink_of(theme: str) -> Ink:
    """The ink of a theme by its name.

    Raises
    ------
    OptionError
        There is no such theme.
    """
    if theme not in list(Theme):
        raise OptionError(f"Figures have no theme {theme!r}.", cure=f"It is one of {', '.join(Theme)}.")
    return INKS[Theme(theme)]


def canvas(data: Sequence[Any], *, theme: str, height: int, headline: str = "", **layout: Any) -> go.Figure:
    """A figure in the house's layout.

    Parameters
    ----------
    data : sequence of plotly traces
        What it shows.
    theme : str
        `auto`, `light` or `dark`.
    height : int
        Pixels; the width is that of the notebook.
    headline : str
        What it says, in a line; numbers belong here, the name of the figure does not.
    **layout
        More of plotly's layout.
    """
    lines = headline_lines(headline)
    more = _LINE * (len(lines) - 1)
    margin = {"t": _TOP + legend_height(data), **layout.get("margin", {})}
    whole = {
        "template": template(ink_of(theme)),
        "height": height + more,
        **({"title": _title(lines)} if headline else {}),
        "legend": {"y": 1 - (_KEYS + more) / (height + more)},
        **layout,
        "margin": {**margin, "t": margin["t"] + more},
    }
    return go.Figure(data=list(data), layout=whole)


def nothing(why: str, *, theme: str = "auto") -> go.Figure:
    """A figure that has nothing to show yet, and says why."""
    text = {"text": why, "showarrow": False, "x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper"}
    hidden = {"visible": False}
    return canvas([], theme=theme, height=90, xaxis=hidden, yaxis=hidden, annotations=[text])


def plain(text: str) -> str:
    """Text with dollars that plotly does not take for a formula, which it sees between any two of them."""
    return text.replace("$", "&#36;")


def _title(lines: Sequence[str]) -> dict[str, Any]:
    """Plotly puts the middle of two lines where that of a single one would be."""
    pad = {**_PAD, "t": _PAD["t"] + _LINE // 2 * (len(lines) - 1)}
    return {"text": "<br>".join(map(plain, lines)), **({"pad": pad} if len(lines) > 1 else {})}


def headline_lines(headline: str) -> list[str]:
    """A headline that is too long for a narrow page is two lines, cut between what it says."""
    said = headline.split(" · ")
    if len(headline) <= _LONGEST_LINE or len(said) == 1:
        return [headline]
    cut = next(
        (count for count in range(len(said) - 1, 1, -1) if len(" · ".join(said[:count])) <= _LONGEST_LINE), 1
    )
    return [" · ".join(said[:cut]), " · ".join(said[cut:])]


def across(y: float, colour: str, **line: Any) -> dict[str, Any]:
    """A thin line from side to side, behind the data."""
    return {
        "type": "line",
        "layer": "below",
        "xref": "x domain",
        "x0": 0,
        "x1": 1,
        "y0": y,
        "y1": y,
        "line": {"color": colour, "width": 1, **line},
    }


def upright(x: float, colour: str, *, layer: str = "below", **line: Any) -> dict[str, Any]:
    """A thin line from the bottom to the top."""
    return {
        "type": "line",
        "layer": layer,
        "yref": "y domain",
        "y0": 0,
        "y1": 1,
        "x0": x,
        "x1": x,
        "line": {"color": colour, "width": 1, **line},
    }


def legend_height(data: Sequence[Any]) -> int:
    """Pixels: entries stand in one row if there is room, otherwise in columns as wide as the widest."""
    names = [trace.name for trace in data if getattr(trace, "showlegend", None)]
    if not names:
        return 0
    widths = [_KEY_WIDTH + _LETTER * len(name) for name in names]
    columns = len(names) if sum(widths) <= _LEGEND else max(1, int(_LEGEND // max(widths)))
    return 8 + 19 * -(-len(names) // columns)


@cache
def template(ink: Ink) -> go.layout.Template:
    """Plotly's template of an ink; made once, because plotly checks every member."""
    axis = {
        "automargin": True,
        "gridcolor": ink.grid,
        "linecolor": ink.line,
        "tickcolor": ink.line,
        "tickfont": {"color": ink.weak, "size": 11},
        "title": {"font": {"color": ink.weak, "size": 12}, "standoff": 8},
        "zeroline": False,
        "fixedrange": True,
    }
    return go.layout.Template(
        layout={
            "autosize": True,
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": _FONT, "size": 12, "color": ink.text},
            "title": {
                "font": {"size": 13, "color": ink.text},
                "x": 0,
                "xref": "container",
                "xanchor": "left",
                "y": 1,
                "yref": "container",
                "yanchor": "top",
                "pad": _PAD,
            },
            "margin": {"l": 56, "r": 16, "t": _TOP, "b": 36},
            "xaxis": {**axis, "showgrid": False, "showline": True, "ticks": "outside", "ticklen": 4},
            "yaxis": {**axis, "showgrid": True, "rangemode": "tozero"},
            "hovermode": "closest",
            "hoverlabel": {
                "bgcolor": ink.label,
                "bordercolor": ink.line,
                "font": {
                    "family": _FONT,
                    "size": 12,
                    "color": "#e8e8e8" if ink.label != "#ffffff" else "#222222",
                },
                "align": "left",
            },
            "showlegend": True,
            "legend": {
                "orientation": "h",
                "x": 0.01,
                "xref": "container",
                "xanchor": "left",
                "yref": "container",
                "yanchor": "top",
                "maxheight": 0.9,
                "font": {"size": 11, "color": ink.text},
                "itemsizing": "constant",
                "traceorder": "normal",
                "itemclick": False,
                "itemdoubleclick": False,
                "bgcolor": "rgba(0,0,0,0)",
            },
            "bargap": 0.28,
        }
    )


def elapsed_ticks(longest: float) -> dict[str, Any]:
    """Ticks of an axis of seconds since something began: `0`, `5 min`, `10 min`."""
    step = next((step for step in _STEPS if longest / step <= _MOST_TICKS), _STEPS[-1])
    places = [step * number for number in range(int(longest // step) + 1)]
    return {"tickmode": "array", "tickvals": places, "ticktext": [short_elapsed(place) for place in places]}


def length_ticks(low: float, high: float) -> dict[str, Any]:
    """Ticks of an axis of durations, which need not begin at nothing: `40 s`, `2 min`, `1 h 30`."""
    if high <= _FINEST:
        return {"ticksuffix": " s", "nticks": 8}
    step = next((step for step in _STEPS if (high - low) / step <= _MOST_TICKS), _STEPS[-1])
    places = [step * number for number in range(-int(-low // step), int(high // step) + 1)]
    return {"tickmode": "array", "tickvals": places, "ticktext": [short_elapsed(place) for place in places]}


def whole_ticks(most: float) -> dict[str, Any]:
    """Ticks of an axis that counts: there is no half of a thing."""
    return {"tickformat": ",d", "dtick": 1} if most <= _FEW else {"tickformat": ",~s"}


def short_elapsed(seconds: float) -> str:
    """A round duration, as short as an axis needs it: `0.1 s`, `10 s`, `2 min`, `1 h 30`."""
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds / unit:g} {name}" if seconds % unit == 0 else _mixed(int(seconds), unit)
    return f"{seconds:g} s" if seconds else "0"


def _mixed(seconds: int, unit: int) -> str:
    """`1 d 6 h`, `1 h 20`, `1 min 15`."""
    whole, rest = divmod(seconds, unit)
    match unit:
        case 86_400:
            return f"{whole} d {rest // _HOUR} h"
        case 3600:
            return f"{whole} h {rest // _MINUTE:02}"
        case _:
            return f"{whole} min {rest:02}"


def translucent(colour: str, alpha: float) -> str:
    """A colour with an opacity, as plotly takes it."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"
