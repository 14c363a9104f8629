"""Figures of how a job goes on: states over time, pace and end, durations; pure.

Each says its point in a headline with numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go

from nbbatch.client.colours import Kind
from nbbatch.client.handles.outcome import duration_in_words
from nbbatch.jupyter.figures.numbers import Durations, Pace, States
from nbbatch.jupyter.figures.palette import (
    FAILED,
    LOST,
    RUNNING,
    SINCE,
    SUCCEEDED,
    WAITING,
    across,
    canvas,
    elapsed_ticks,
    ink_of,
    length_ticks,
    nothing,
    short_elapsed,
    translucent,
    upright,
    whole_ticks,
)

_JUST_NOW = "it has only just been submitted"


def states(numbers: States, *, theme: str = "auto") -> go.Figure:
    """Children by state over time, stacked: their sum is the size of the array at any time."""
    if not numbers.times[-1]:
        return nothing(_JUST_NOW, theme=theme)
    size = sum(values[-1] for values in (numbers.succeeded, numbers.failed, numbers.running, numbers.waiting))
    layers: Sequence[tuple[str, Kind, Sequence[int]]] = (
        ("SUCCEEDED", SUCCEEDED, numbers.succeeded),
        ("FAILED", FAILED, numbers.failed),
        ("RUNNING", RUNNING, numbers.running),
        ("waiting", WAITING, numbers.waiting),
    )
    data = [
        go.Scatter(
            x=numbers.times,
            y=values,
            name=name,
            stackgroup="states",
            mode="lines",
            line={"width": 0, "shape": "hv", "color": kind.colour},
            fillcolor=translucent(kind.colour, 0.35 if name == "waiting" else 0.9),
            hovertemplate=f"{name} %{{y:,}}<extra></extra>",
            showlegend=True,
        )
        for name, kind, values in layers
        if any(values)
    ]
    return canvas(
        data,
        theme=theme,
        height=280,
        headline=_states_in_words(numbers),
        hovermode="x unified",
        xaxis={
            **elapsed_ticks(numbers.times[-1]),
            **SINCE,
            "hoverformat": ".0f",
            "unifiedhovertitle": {"text": "after %{x} s"},
        },
        yaxis={"title": {"text": "children"}, **whole_ticks(size)},
    )


def throughput(numbers: Pace, *, theme: str = "auto") -> go.Figure:
    """Children that have ended, how many a minute, and the fan in which the end lies."""
    if not numbers.times[-1]:
        return nothing(_JUST_NOW, theme=theme)
    ink = ink_of(theme)
    last = numbers.now + (numbers.left[2] if numbers.left else 0.0)
    data = [
        *_fan(numbers),
        go.Scatter(
            x=numbers.times,
            y=numbers.ended,
            name="ended",
            mode="lines",
            line={"color": SUCCEEDED.colour, "width": 2.5},
            hovertemplate="%{y:,} ended<extra></extra>",
        ),
        go.Bar(
            x=numbers.bins,
            y=numbers.rates,
            name="a minute",
            yaxis="y2",
            marker={"color": translucent(RUNNING.colour, 0.75), "line": {"width": 0}},
            hovertemplate="%{y:,.3~g} a minute<extra></extra>",
        ),
    ]
    now = [] if numbers.left is None else [upright(numbers.now, ink.line)]
    return canvas(
        data,
        theme=theme,
        height=340,
        headline=_pace_in_words(numbers),
        showlegend=False,
        shapes=[across(numbers.size, ink.line, dash="dot"), *now],
        bargap=0.08,
        hovermode="x",
        xaxis={
            **elapsed_ticks(last),
            **SINCE,
            "range": [0, last * 1.01],
            "anchor": "y2",
            "hoverformat": ".0f",
        },
        yaxis={
            "domain": [0.36, 1],
            "title": {"text": "children ended"},
            "range": [0, numbers.size * 1.08],
            **whole_ticks(numbers.size),
        },
        yaxis2={"domain": [0, 0.26], "title": {"text": "a minute"}, "anchor": "x", "nticks": 3},
    )


def durations(numbers: Durations | None, *, theme: str = "auto") -> go.Figure:
    """How long children ran, with the outliers in another colour and named."""
    if numbers is None:
        return nothing("no child has ended yet", theme=theme)
    edges = np.array(numbers.edges)
    ink = ink_of(theme)
    scale = np.log10(edges) if numbers.is_logarithmic else edges
    marks = [
        (math.log10(value) if numbers.is_logarithmic else value, word, side)
        for value, word, side in ((numbers.median, "median ", "right"), (numbers.p95, " 95 %", "left"))
    ]
    return canvas(
        [_histogram(numbers, scale), *_outliers(numbers)],
        theme=theme,
        height=260,
        headline=_durations_in_words(numbers),
        showlegend=False,
        shapes=[upright(place, ink.text, layer="above", dash="dot") for place, _, _ in marks],
        annotations=[_above(place, word, side, ink.weak) for place, word, side in marks],
        margin={"t": 50},
        xaxis={**_duration_ticks(numbers), "title": {"text": "duration"}},
        yaxis={"title": {"text": "children"}, **whole_ticks(max(numbers.counts))},
    )


def _above(x: float, word: str, side: str, colour: str) -> dict[str, Any]:
    """A word over the plot, to one side of a line."""
    return {
        "x": x,
        "y": 1,
        "yref": "paper",
        "yanchor": "bottom",
        "xanchor": side,
        "text": word,
        "showarrow": False,
        "font": {"size": 11, "color": colour},
    }


def _states_in_words(numbers: States) -> str:
    peak = max(numbers.running)
    if not peak:
        return f"{numbers.waiting[-1]:,} waiting · nothing has run yet"
    now = f" · {numbers.running[-1]:,} now" if numbers.running[-1] else ""
    return f"at most {peak:,} running at once{now}"


def _fan(numbers: Pace) -> list[go.Scatter]:
    """Where the curve goes on: between the quickest and the slowest that is likely."""
    if numbers.left is None:
        return []
    low, expected, high = (numbers.now + left for left in numbers.left)
    ended = numbers.ended[-1]
    return [
        go.Scatter(
            x=[numbers.now, low, high, numbers.now],
            y=[ended, numbers.size, numbers.size, ended],
            fill="toself",
            mode="lines",
            line={"width": 0},
            fillcolor=translucent(SUCCEEDED.colour, 0.22),
            hoverinfo="skip",
        ),
        go.Scatter(
            x=[numbers.now, expected],
            y=[ended, numbers.size],
            mode="lines",
            line={"color": SUCCEEDED.colour, "width": 1.5, "dash": "dot"},
            hoverinfo="skip",
        ),
    ]


def _pace_in_words(numbers: Pace) -> str:
    ended = numbers.ended[-1]
    told = f"{ended:,} of {numbers.size:,} ended"
    if numbers.left is None:
        rate = 60 * ended / numbers.now if numbers.now else 0
        return f"{told} · {_rate(rate)} a minute" if ended else told
    low, expected, high = numbers.left
    rate = 60 * (numbers.size - ended) / expected
    span = f"{duration_in_words(low)} to {duration_in_words(high)}"
    return f"{told} · {_rate(rate)} a minute · done in {duration_in_words(expected)} ({span})"


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"  # noqa: PLR2004 - three digits


def _histogram(numbers: Durations, scale: Any) -> go.Bar:
    spans = [
        f"{duration_in_words(low)} to {duration_in_words(high)}" for low, high in pairwise(numbers.edges)
    ]
    return go.Bar(
        x=((scale[:-1] + scale[1:]) / 2).round(4).tolist(),
        y=list(numbers.counts),
        width=(np.diff(scale) * 0.94).round(5).tolist(),
        customdata=spans,
        hovertemplate="%{y:,} children<br>%{customdata}<extra></extra>",
        marker={"color": SUCCEEDED.colour, "line": {"width": 0}},
    )


def _outliers(numbers: Durations) -> list[go.Scatter]:
    """A mark for each of the farthest, on the ground, so that one among thousands is seen."""
    if not numbers.outliers:
        return []
    took = [seconds for _, seconds in numbers.outliers]
    return [
        go.Scatter(
            x=np.log10(took).round(4).tolist() if numbers.is_logarithmic else took,
            y=[0.035 * max(numbers.counts)] * len(took),
            mode="markers",
            marker={"symbol": "diamond", "size": 8, "color": LOST.colour},
            customdata=[
                f"child {child:,}: {duration_in_words(seconds)}" for child, seconds in numbers.outliers
            ],
            hovertemplate="%{customdata}<extra></extra>",
        )
    ]


def _duration_ticks(numbers: Durations) -> dict[str, Any]:
    if not numbers.is_logarithmic:
        low, high = numbers.edges[0], numbers.edges[-1]
        margin = 0.02 * (high - low)
        return {"range": [low - margin, high + margin], **length_ticks(low, high)}
    low, high = np.log10(numbers.edges[0]), np.log10(numbers.edges[-1])
    round_ones = [0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 36_000, 360_000]
    shown = [one for one in round_ones if low <= np.log10(one) <= high]
    return {
        "range": [float(low) - 0.03, float(high) + 0.03],
        "tickmode": "array",
        "tickvals": [float(np.log10(one)) for one in shown],
        "ticktext": [short_elapsed(one) for one in shown],
    }


def _durations_in_words(numbers: Durations) -> str:
    told = f"median {duration_in_words(numbers.median)} · 95 % within {duration_in_words(numbers.p95)}"
    child, longest = numbers.slowest
    far = "" if not numbers.far else "1 outlier, " if numbers.far == 1 else f"{numbers.far:,} outliers, "
    return f"{told} · {far}longest {duration_in_words(longest)} (child {child:,})"
