"""Figures of a sweep: a recorded value against the parameters it came from; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from nbbatch.client.format import plural
from nbbatch.jupyter.figures.palette import INKS, RUNNING, Ink, Theme, canvas, ink_of, nothing, translucent

_MOST = 400
"""Runs that a figure draws one by one, every so manyth of more; a saved notebook has all of them."""
_LONGEST_NAME = 24
_COLOURS, _MOST_TICKS = 8, 7
_OVER = {"y": 1.04, "yanchor": "bottom", "showarrow": False}
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


def recorded(numbers: Outcomes | None, *, theme: str = "auto") -> go.Figure:
    """A recorded value by the one parameter that differs, or parallel coordinates where several do."""
    if numbers is None or not numbers.value:
        return nothing("no run has recorded a number yet", theme=theme)
    if not numbers.parameters:
        return nothing("all runs have the same parameters", theme=theme)
    return _scatter(numbers, theme) if len(numbers.parameters) == 1 else _parallel(numbers, theme)


def _scatter(numbers: Outcomes, theme: str) -> go.Figure:
    (parameter, every), *_ = numbers.parameters.items()
    step = -(-len(numbers.value) // _MOST)
    values = every[::step]
    is_text = not all(_is_number(value) for value in values)
    marks = go.Scatter(
        x=[str(value) for value in values] if is_text else list(values),
        y=list(numbers.value[::step]),
        mode="markers",
        customdata=[f"run {run}" for run in numbers.runs[::step]],
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
    """A line for each run across the parameters to the value, in the colour of the value.

    Plotly's own parallel coordinates outline their numbers in white, which no dark ground forgives.
    """
    ink = ink_of(theme)
    step = -(-len(numbers.value) // _MOST)
    axes = [_axis(name, values[::step]) for name, values in numbers.parameters.items()]
    axes.append(_axis(numbers.name, numbers.value[::step]))
    height = axes[-1].heights
    runs = list(numbers.runs[::step])
    marks = [_ticks(place, axis, ink) for place, axis in enumerate(axes)]
    names = [
        {**_OVER, "x": place, "text": axis.name, "font": {"size": 12, "color": ink.text}}
        for place, axis in enumerate(axes)
    ]
    return canvas(
        [trace for number in range(_COLOURS) if (trace := _bundle(number, height, runs, axes))],
        theme=theme,
        height=340,
        headline=_in_words(numbers),
        showlegend=False,
        shapes=[
            {
                "type": "line",
                "x0": place,
                "x1": place,
                "y0": 0,
                "y1": 1,
                "layer": "below",
                "line": {"color": ink.line, "width": 1},
            }
            for place in range(len(axes))
        ],
        annotations=[*names, *(tick for each in marks for tick in each)],
        margin={"t": 64, "b": 16, "l": 24, "r": 64},
        xaxis={"visible": False, "range": [-0.12, len(axes) - 0.88 + 0.2]},
        yaxis={"visible": False, "range": [-0.04, 1.04]},
    )


@dataclass(frozen=True, slots=True)
class _Axis:
    """An axis: the height of each run's value from 0 to 1, the value in words, and ticks as (height, word)."""

    name: str
    heights: Sequence[float]
    words: Sequence[str]
    ticks: Sequence[tuple[float, str]]


def _bundle(
    number: int, height: Sequence[float], runs: Sequence[int], axes: Sequence[_Axis]
) -> go.Scatter | None:
    """The lines of all runs whose value has one colour, with a gap between two."""
    mine = [place for place, value in enumerate(height) if min(int(value * _COLOURS), _COLOURS - 1) == number]
    if not mine:
        return None
    across = list(range(len(axes)))
    return go.Scatter(
        x=[x for _ in mine for x in (*across, None)],
        y=[y for place in mine for y in (*(round(axis.heights[place], 4) for axis in axes), None)],
        customdata=[
            text
            for place in mine
            for text in (*[f"run {runs[place]} · {axis.words[place]}" for axis in axes], "")
        ],
        hovertemplate="%{customdata}<extra></extra>",
        mode="lines",
        line={"color": sample_colorscale(_SCALE, (number + 0.5) / _COLOURS)[0], "width": 1.6},
    )


def _ticks(place: int, axis: _Axis, ink: Ink) -> list[dict[str, Any]]:
    """Words at their heights, on a ground of their own: lines run behind them."""
    is_dark = ink.label != INKS[Theme.LIGHT].label
    chip = {"bgcolor": translucent(ink.label, 0.82), "borderpad": 1}
    font = {"size": 11, "color": "#e8e8e8" if is_dark else "#303030"}
    at = {"x": place, "xanchor": "left", "xshift": 4, "yanchor": "middle", "showarrow": False}
    return [{**at, **chip, "y": height, "text": word, "font": font} for height, word in axis.ticks]


def _axis(name: str, values: Sequence[Any]) -> _Axis:
    """A number where all are, by its logarithm where they span decades; else a place for each value."""
    label = name[:_LONGEST_NAME]
    words = [_word(value) for value in values]
    if not all(_is_number(value) for value in values):
        places = {word: place for place, word in enumerate(dict.fromkeys(words))}
        known = [places[word] / max(1, len(places) - 1) for word in words]
        return _Axis(label, known, words, _thinned([(known[words.index(word)], word) for word in places]))
    scaled = [log10(value) for value in values] if _spans_decades(values) else list(map(float, values))
    low, high = min(scaled), max(scaled)
    heights = [(value - low) / (high - low or 1) for value in scaled]
    distinct = sorted(set(zip(heights, words, strict=True)))
    if len(distinct) > _MOST_TICKS:
        shown = [low + (high - low) * part / 4 for part in range(5)]
        back = [10**value for value in shown] if _spans_decades(values) else shown
        return _Axis(label, heights, words, [(part / 4, _word(value)) for part, value in enumerate(back)])
    return _Axis(label, heights, words, distinct)


def _thinned(ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """As many as can be read."""
    return list(ticks[:: -(-len(ticks) // 12)])


def _word(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:_LONGEST_NAME]


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
