"""Figures of money: what a job costs, what Spot saves and loses, what worlds would cost; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from nbbatch.client.colours import KINDS
from nbbatch.client.format import dollars, plural
from nbbatch.client.handles.outcome import Outcome, duration_in_words
from nbbatch.jupyter.figures.numbers import Spending
from nbbatch.jupyter.figures.palette import (
    LOST,
    RUNNING,
    SINCE,
    SUCCEEDED,
    WAITING,
    canvas,
    elapsed_ticks,
    ink_of,
    nothing,
    plain,
    translucent,
    upright,
)
from nbbatch.model.jobs import JobStatus

_WORLDS = tuple(
    KINDS[kind].colour
    for kind in (
        JobStatus.RUNNING,
        JobStatus.SUCCEEDED,
        JobStatus.SUBMITTED,
        JobStatus.STARTING,
        Outcome.HOST_LOST,
        Outcome.OUT_OF_MEMORY,
        Outcome.TERMINATED,
    )
)
"""Colours of worlds that stand beside each other; each has a shape, too."""
_DAYS = 9
"""Fewer days than that have bars no wider than theirs."""
_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star", "pentagon")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotDay:
    """Dollars of a day: what Spot saved against on demand, and what went with reclaimed hosts."""

    day: str
    saved: float
    lost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingDay:
    """Dollars of a day: what jobs were charged, what that is on demand, and hosts that nobody used."""

    day: str
    jobs: float
    on_demand: float
    idle: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A world that was simulated: makespan (seconds) and cost (dollars) of each seed."""

    name: str
    makespans: Sequence[float]
    costs: Sequence[float]


def cost(numbers: Spending, *, theme: str = "auto") -> go.Figure:
    """Dollars so far, on demand and at Spot's price, and the range in which the whole will lie."""
    ink = ink_of(theme)
    now, spent = numbers.times[-1], numbers.on_demand[-1]
    if not spent:
        return nothing("it has cost nothing yet", theme=theme)
    last = numbers.until if numbers.range and numbers.until else now
    return canvas(
        [
            *_range(numbers),
            _line(numbers.times, numbers.on_demand, "on demand", RUNNING.colour),
            _line(numbers.times, numbers.spot, "Spot price", SUCCEEDED.colour),
        ],
        theme=theme,
        height=280,
        headline=_cost_in_words(numbers),
        hovermode="x",
        shapes=[upright(now, ink.line)] if last > now else [],
        margin={"r": 84 if numbers.range else 16},
        xaxis={
            **elapsed_ticks(last),
            **SINCE,
            "range": [0, last * 1.01],
            "hoverformat": ".0f",
        },
        yaxis={"tickprefix": "$", "title": {"text": ""}, "exponentformat": "none"},
    )


def spot(days: Sequence[SpotDay], *, theme: str = "auto") -> go.Figure:
    """By day, what Spot saved and what its interruptions cost, on either side of nothing."""
    if not any(day.saved or day.lost for day in days):
        return nothing("nothing has run on Spot", theme=theme)
    saved, lost = sum(day.saved for day in days), sum(day.lost for day in days)
    names = [day.day for day in days]
    data = [
        go.Bar(
            x=names,
            y=[day.saved for day in days],
            name="saved against on demand",
            showlegend=True,
            customdata=[dollars(day.saved) for day in days],
            hovertemplate="%{x}<br>%{customdata} saved<extra></extra>",
            marker={"color": SUCCEEDED.colour, "line": {"width": 0}},
        ),
        go.Bar(
            x=names,
            y=[-day.lost for day in days],
            name="lost to interruptions",
            showlegend=True,
            customdata=[dollars(day.lost) for day in days],
            hovertemplate="%{x}<br>%{customdata} lost to interruptions<extra></extra>",
            marker={"color": LOST.colour, "line": {"width": 0}},
        ),
    ]
    return canvas(
        data,
        theme=theme,
        height=260,
        headline=f"Spot saved {dollars(saved)} in {plural(len(days), 'day')} · interruptions took {dollars(lost)}",
        barmode="relative",
        bargap=max(0.28, 1 - len(days) / _DAYS),
        xaxis={"type": "date", "showline": False, "ticks": "", "tickformat": "%b %-d", "nticks": 8},
        yaxis={
            "tickformat": "$,~r",
            "zeroline": True,
            "zerolinecolor": ink_of(theme).line,
            "exponentformat": "none",
        },
    )


def days(spent: Sequence[SpendingDay], *, theme: str = "auto") -> go.Figure:
    """By day, what jobs cost and what idle hosts did, beside what the same jobs are on demand."""
    if not any(day.jobs or day.idle for day in spent):
        return nothing("nothing has cost anything", theme=theme)
    names = [day.day for day in spent]
    bars = [
        go.Bar(
            x=names,
            y=values,
            name=name,
            showlegend=True,
            customdata=[dollars(value) for value in values],
            hovertemplate=f"%{{x}}<br>{name} %{{customdata}}<extra></extra>",
            marker={"color": colour, "line": {"width": 0}},
        )
        for name, values, colour in (
            ("jobs", [day.jobs for day in spent], RUNNING.colour),
            ("idle hosts", [day.idle for day in spent], WAITING.colour),
        )
    ]
    on_demand = go.Scatter(
        x=names,
        y=[day.on_demand for day in spent],
        mode="markers",
        name="jobs on demand",
        showlegend=True,
        customdata=[dollars(day.on_demand) for day in spent],
        hovertemplate="%{x}<br>on demand %{customdata}<extra></extra>",
        marker={"symbol": "line-ew", "size": 22, "line": {"width": 2.5, "color": ink_of(theme).text}},
    )
    whole = sum(day.jobs + day.idle for day in spent)
    return canvas(
        [*bars, on_demand],
        theme=theme,
        height=280,
        headline=f"{dollars(whole)} in {plural(len(spent), 'day')} · {dollars(sum(day.idle for day in spent))} of it idle",
        barmode="stack",
        bargap=max(0.28, 1 - len(spent) / _DAYS),
        xaxis={"type": "date", "ticks": "", "tickformat": "%b %-d", "nticks": 8},
        yaxis={"tickprefix": "$", "exponentformat": "none"},
    )


def what_if(candidates: Sequence[Candidate], *, theme: str = "auto") -> go.Figure:
    """Makespan against cost: a mark for each world, a dot for each seed, lines for the spread."""
    ink = ink_of(theme)
    data = []
    longest = max((max(one.makespans) for one in candidates), default=1.0)
    dearest = max((max(one.costs) for one in candidates), default=1.0)
    for place, one in enumerate(candidates):
        colour, symbol = _WORLDS[place % len(_WORLDS)], _SYMBOLS[place % len(_SYMBOLS)]
        length, price = _middle(one.makespans), _middle(one.costs)
        data += [
            go.Scatter(
                x=list(one.costs),
                y=list(one.makespans),
                mode="markers",
                showlegend=False,
                hoverinfo="skip",
                marker={"size": 5, "color": translucent(colour, 0.45)},
            ),
            go.Scatter(
                x=[price],
                y=[length],
                mode="markers+text",
                name=one.name,
                showlegend=False,
                text=[one.name],
                textposition="top left" if price > dearest / 2 else "top right",
                textfont={"color": ink.text, "size": 12},
                cliponaxis=False,
                error_x=_spread(one.costs, price, colour),
                error_y=_spread(one.makespans, length, colour),
                marker={"size": 13, "symbol": symbol, "color": colour},
                customdata=[_candidate_in_words(one)],
                hovertemplate="%{customdata}<extra></extra>",
            ),
        ]
    ticks = elapsed_ticks(longest * 1.1)
    return canvas(
        data,
        theme=theme,
        height=340,
        headline=_best_in_words(candidates),
        xaxis={
            "title": {"text": "cost"},
            "tickprefix": "$",
            "range": [0, dearest * 1.25 or 1],
            "showgrid": True,
            "exponentformat": "none",
        },
        yaxis={"title": {"text": "until all have ended"}, "range": [0, longest * 1.12], **ticks},
    )


def _line(times: Sequence[float], values: Sequence[float], name: str, colour: str) -> go.Scatter:
    return go.Scatter(
        x=list(times),
        y=list(values),
        mode="lines",
        name=name,
        showlegend=True,
        line={"color": colour, "width": 2.5},
        customdata=[dollars(value) for value in values],
        hovertemplate=f"%{{customdata}} {name}<extra></extra>",
    )


def _range(numbers: Spending) -> list[go.Scatter]:
    """From now to the likely end: a fan to the estimate's range."""
    if numbers.range is None or numbers.until is None:
        return []
    now, spent = numbers.times[-1], numbers.on_demand[-1]
    low, expected, high = numbers.range
    return [
        go.Scatter(
            x=[now, numbers.until, numbers.until],
            y=[spent, high, low],
            fill="toself",
            mode="lines",
            line={"width": 0},
            fillcolor=translucent(RUNNING.colour, 0.2),
            hoverinfo="skip",
            name="range of the whole",
            showlegend=False,
        ),
        go.Scatter(
            x=[now, numbers.until],
            y=[spent, expected],
            mode="lines+text",
            showlegend=False,
            text=["", f" {dollars(expected)}"],
            textposition="middle right",
            cliponaxis=False,
            line={"color": RUNNING.colour, "width": 1.5, "dash": "dot"},
            hoverinfo="skip",
        ),
    ]


def _cost_in_words(numbers: Spending) -> str:
    told = f"{dollars(numbers.on_demand[-1])} so far on demand · {dollars(numbers.spot[-1])} at Spot's price"
    if numbers.range is None:
        return told.replace(" so far", "")
    low, expected, high = numbers.range
    return f"{told} · in the end {dollars(expected)} on demand ({dollars(low)} to {dollars(high)})"


def _middle(values: Sequence[float]) -> float:
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _spread(values: Sequence[float], middle: float, colour: str) -> dict[str, object]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(values) - middle],
        "arrayminus": [middle - min(values)],
        "color": translucent(colour, 0.7),
        "thickness": 1.5,
        "width": 5,
    }


def _candidate_in_words(one: Candidate) -> str:
    lines = [
        f"<b>{one.name}</b>",
        f"{dollars(_middle(one.costs))} ({dollars(min(one.costs))} to {dollars(max(one.costs))})",
        f"{duration_in_words(_middle(one.makespans))} ({duration_in_words(min(one.makespans))} to {duration_in_words(max(one.makespans))})",
    ]
    return plain("<br>".join(lines))


def _best_in_words(candidates: Sequence[Candidate]) -> str:
    if not candidates:
        return ""
    cheapest = min(candidates, key=lambda one: _middle(one.costs))
    quickest = min(candidates, key=lambda one: _middle(one.makespans))
    if len(candidates) == 1:
        return f"{dollars(_middle(cheapest.costs))} · {duration_in_words(_middle(cheapest.makespans))}"
    if cheapest is quickest:
        return f"{cheapest.name} is cheapest and quickest: {dollars(_middle(cheapest.costs))}, {duration_in_words(_middle(cheapest.makespans))}"
    return (
        f"cheapest: {cheapest.name}, {dollars(_middle(cheapest.costs))} · "
        f"quickest: {quickest.name}, {duration_in_words(_middle(quickest.makespans))}"
    )
