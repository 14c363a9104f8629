"""Figures of a sweep: a recorded value against the parameters it came from; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from nbbatch.client.format import plural
from nbbatch.jupyter.figures.palette import RUNNING, canvas, ink_of, nothing, translucent

_MOST = 2000
"""Runs that a figure draws one by one."""
_LONGEST_NAME = 24
_SCALE = [[0, "#265cbf"], [0.5, "#9294a7"], [1, "#b79000"]]
"""From low to high; it reads on light and dark grounds, and for people who do not tell red from green."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What runs have recorded, with their parameters: columns of one length.

    Parameters
    ----------
    runs : sequence of int
        Their places in the sweep.
    parameters : mapping of str to sequence
        Of each parameter that is not the same in all runs, its values.
    value : sequence of float
        What was recorded.
    name : str
        Under which name.
    """

    runs: Sequence[int]
    parameters: Mapping[str, Sequence[Any]]
    value: Sequence[float]
    name: str


def recorded(numbers: Outcomes, *, theme: str = "auto") -> go.Figure:
    """A recorded value by the one parameter that differs, or parallel coordinates where several do."""
    if not numbers.value:
        return nothing("no run has recorded a number yet", theme=theme)
    if not numbers.parameters:
        return nothing("all runs have the same parameters", theme=theme)
    return _scatter(numbers, theme) if len(numbers.parameters) == 1 else _parallel(numbers, theme)


def _scatter(numbers: Outcomes, theme: str) -> go.Figure:
    (parameter, values), *_ = numbers.parameters.items()
    is_text = not all(_is_number(value) for value in values)
    marks = go.Scatter(
        x=[str(value) for value in values] if is_text else list(values),
        y=list(numbers.value),
        mode="markers",
        customdata=[f"run {run}" for run in numbers.runs],
        hovertemplate=f"%{{customdata}}<br>{parameter} %{{x}}<br>{numbers.name} %{{y:.4~g}}<extra></extra>",
        marker={"size": 9, "color": translucent(RUNNING.colour, 0.75), "line": {"width": 0}},
        showlegend=False,
    )
    scale = "category" if is_text else "log" if _spans_decades(values) else "linear"
    return canvas(
        [marks],
        theme=theme,
        height=300,
        headline=_in_words(numbers),
        xaxis={"title": {"text": parameter}, "type": scale},
        yaxis={"title": {"text": numbers.name}, "rangemode": "normal"},
    )


def _parallel(numbers: Outcomes, theme: str) -> go.Figure:
    ink = ink_of(theme)
    step = -(-len(numbers.value) // _MOST)
    axes = [_axis(name, values[::step]) for name, values in numbers.parameters.items()]
    value = list(numbers.value[::step])
    lines = go.Parcoords(
        dimensions=[*axes, {"label": numbers.name[:_LONGEST_NAME], "values": value}],
        line={"color": value, "colorscale": _SCALE, "showscale": False},
        labelfont={"size": 12, "color": ink.text},
        tickfont={"size": 11, "color": ink.weak},
        rangefont={"size": 1, "color": "rgba(0,0,0,0)"},
    )
    return canvas(
        [lines],
        theme=theme,
        height=330,
        headline=_in_words(numbers),
        margin={"t": 74, "b": 24, "l": 70, "r": 70},
    )


def _axis(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """A number where all are, its logarithm where they span decades; else a place for each value."""
    label = name[:_LONGEST_NAME]
    if all(_is_number(value) for value in values) and not _spans_decades(values):
        return {"label": label, "values": list(values)}
    places = sorted(set(values)) if all(_is_number(value) for value in values) else _in_order(values)
    words = {str(value): place for place, value in enumerate(places)}
    return {
        "label": label,
        "values": [words[str(value)] for value in values],
        "tickvals": list(words.values()),
        "ticktext": [word[:_LONGEST_NAME] for word in words],
    }


def _in_order(values: Sequence[Any]) -> list[Any]:
    return list({str(value): value for value in values}.values())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _spans_decades(values: Sequence[Any]) -> bool:
    low, high = min(values), max(values)
    return bool(low > 0 and high / low >= 50)  # noqa: PLR2004 - a linear axis crowds the small ones


def _in_words(numbers: Outcomes) -> str:
    lowest = min(range(len(numbers.value)), key=numbers.value.__getitem__)
    highest = max(range(len(numbers.value)), key=numbers.value.__getitem__)
    told = f"{numbers.name} of {plural(len(numbers.value), 'run')}"
    if lowest == highest or numbers.value[lowest] == numbers.value[highest]:
        return f"{told}: {numbers.value[lowest]:.4g}"
    return (
        f"{told}: lowest {numbers.value[lowest]:.4g} (run {numbers.runs[lowest]}) · "
        f"highest {numbers.value[highest]:.4g} (run {numbers.runs[highest]})"
    )
