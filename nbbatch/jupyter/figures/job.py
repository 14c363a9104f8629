"""Figures of a job or an array: numbers in, plotly figures out; pure.

Each says its point in a headline with numbers. Whatever the size of the array, a figure has a few
traces: children are the cells of one image, not shapes of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from nbbatch.client.colours import KINDS, Kind
from nbbatch.client.format import plural
from nbbatch.client.handles.outcome import duration_in_words
from nbbatch.jupyter.figures.numbers import Bar, Busy, Progress, Reason
from nbbatch.jupyter.figures.palette import (
    CODES,
    FAILED,
    NAMES,
    ORDER,
    RUNNING,
    SINCE,
    WIDTH,
    across,
    canvas,
    elapsed_ticks,
    ink_of,
    legend_height,
    nothing,
    translucent,
)
from nbbatch.model.jobs import JobStatus

_SMALL, _LARGE = 60, 3000
"""Children up to which the strip is one row, and from which its cells have no gap."""
_MANY_LANES, _MOST_TICKS = 60, 8
_WIDE = 14
"""Pixels from which a cell has a gap of two."""
_LONGEST_NAME = 14
_PLOT = WIDTH - 72


def progress(numbers: Progress, *, theme: str = "auto") -> go.Figure:
    """A cell for each child in the colour of its state: a strip for few, an image for thousands."""
    codes = numbers.codes
    size = len(codes)
    columns = _columns(size)
    rows = -(-size // columns)
    cell = min(_PLOT / columns, 26)
    kinds = [KINDS[kind] for kind in ORDER]
    names = [kind.name for kind in kinds]
    image = go.Heatmap(
        z=_grid(codes.astype(np.int8), rows, columns, -1),
        customdata=_grid(np.arange(size, dtype=np.uint16), rows, columns, 0),
        text=[[names[code] for code in line] for line in _lines(codes.tolist(), columns)],
        hovertemplate="child %{customdata:,}<br>%{text}<extra></extra>",
        colorscale=_steps([None, *(kind.colour for kind in kinds)]),
        zmin=-1.5,
        zmax=len(kinds) - 0.5,
        zsmooth=False,
        showscale=False,
        showlegend=False,
        xgap=_gap(size, cell),
        ygap=_gap(size, cell),
    )
    legend = [_key(kinds[code], f"{kinds[code].name} {count:,}") for code, count in numbers.counts.items()]
    height = round(max(24, min(rows * cell, 340))) + 30 + legend_height(legend) + 14
    return canvas(
        [image, *legend],
        theme=theme,
        height=height,
        headline=_progress_in_words(numbers),
        margin={"b": 14, "l": 12 if rows == 1 else 44},
        xaxis={"visible": False, "range": [-0.5, max(columns, _PLOT / cell) - 0.5]},
        yaxis={
            "autorange": False,
            "range": [rows - 0.5, -0.5],
            **NAMES,
            **_row_ticks(rows, columns),
        },
    )


def failures(reasons: Sequence[Reason], *, theme: str = "auto") -> go.Figure:
    """Failed children by reason, with the first of each named."""
    if not reasons:
        return nothing("no child has failed", theme=theme)
    ordered = list(reversed(reasons))
    largest = max(reason.count for reason in reasons)
    data = [
        go.Bar(
            x=[reason.count for reason in ordered],
            y=[reason.words for reason in ordered],
            orientation="h",
            marker={"color": [_kind(reason).colour for reason in ordered], "line": {"width": 0}},
            text=[f"{reason.count:,}" for reason in ordered],
            textposition="outside",
            cliponaxis=False,
            hovertext=[_reason_in_words(reason) for reason in ordered],
            hovertemplate="%{hovertext}<extra></extra>",
            showlegend=False,
        )
    ]
    total = sum(reason.count for reason in reasons)
    return canvas(
        data,
        theme=theme,
        height=60 + 30 * len(reasons),
        headline=f"{total:,} failed · most: {reasons[0].words}",
        margin={"b": 14, "r": 60},
        bargap=0.35,
        xaxis={"visible": False, "range": [0, largest * 1.05]},
        yaxis={**NAMES, "type": "category"},
    )


def timeline(bars: Sequence[Bar], *, theme: str = "auto") -> go.Figure:
    """Each attempt as a bar on its host, in the colour of how it ended."""
    if not bars:
        return nothing("no child has started yet", theme=theme)
    rows, ticks = _rows(bars)
    last = max(bar.end for bar in bars)
    data = [
        go.Bar(
            orientation="h",
            name=_bar_name(code),
            base=[round(bar.start, 3) for bar in bars if bar.code == code],
            x=[round(max(bar.end - bar.start, last / 500), 3) for bar in bars if bar.code == code],
            y=[rows[bar.host, bar.lane] for bar in bars if bar.code == code],
            customdata=[
                [bar.child, bar.host, duration_in_words(bar.end - bar.start)]
                for bar in bars
                if bar.code == code
            ],
            hovertemplate=f"child %{{customdata[0]:,}} · {_bar_name(code)}<br>%{{customdata[2]}} on %{{customdata[1]}}<extra></extra>",
            marker={"color": KINDS[ORDER[code]].colour, "line": {"width": 0}},
            width=0.84 if len(rows) < _MANY_LANES else 1,
            showlegend=True,
        )
        for code in sorted({bar.code for bar in bars})
    ]
    many = len(rows)
    return canvas(
        data,
        theme=theme,
        height=round(104 + max(12, min(many * 14, 420))),
        headline=f"{plural(len(bars), 'attempt')} on {plural(len(ticks), 'host')}",
        barmode="overlay",
        shapes=[across(first - 0.5, ink_of(theme).grid) for _, first, _ in ticks[1:]],
        xaxis={**elapsed_ticks(last), **SINCE, "range": [0, last * 1.01], "showgrid": True},
        yaxis={**NAMES, "autorange": False, "range": [many - 0.4, -0.6], **_host_ticks(ticks)},
    )


def busy(numbers: Busy, *, theme: str = "auto") -> go.Figure:
    """How many attempts each host ran over time, as one image: the timeline of thousands of children."""
    if not numbers.hosts:
        return nothing("no child has started yet", theme=theme)
    ink = ink_of(theme)
    running = np.round(numbers.running, 1)
    image = go.Heatmap(
        x=numbers.times,
        y=list(range(len(numbers.hosts))),
        z=running,
        customdata=None,
        colorscale=[[0, translucent(RUNNING.colour, 0.04)], [1, RUNNING.colour]],
        zmin=0,
        zmax=max(float(running.max()), 1.0),
        ygap=1 if len(numbers.hosts) <= _MANY_LANES else 0,
        hovertemplate="%{z:.1f} running on %{y}<extra></extra>",
        showlegend=False,
        colorbar={
            "thickness": 8,
            "len": 1,
            "outlinewidth": 0,
            "title": {"text": "running", "side": "right", "font": {"size": 11, "color": ink.weak}},
            "tickfont": {"size": 10, "color": ink.weak},
            "nticks": 5,
        },
    )
    ticks = [(name, place, place) for place, name in enumerate(numbers.hosts)]
    last = numbers.times[-1]
    peak = float(numbers.running.sum(axis=0).max())
    return canvas(
        [image],
        theme=theme,
        height=round(96 + max(18, min(14 * len(ticks), 420))),
        headline=f"at most {peak:,.0f} at once on {plural(len(ticks), 'host')}",
        xaxis={**elapsed_ticks(last), **SINCE},
        yaxis={**NAMES, "autorange": "reversed", **_host_ticks(ticks)},
    )


def _columns(size: int) -> int:
    """Cells in a row: a round number, so that a child is found by counting."""
    if size <= _SMALL:
        return size
    return next((columns for columns in (50, 100, 200) if size / columns <= columns / 3), 200)


def _gap(size: int, cell: float) -> float:
    if size > _LARGE:
        return 0
    return 2 if cell > _WIDE else 1


def _grid(values: Any, rows: int, columns: int, rest: int) -> Any:
    """Values by row and column; the last row is filled up."""
    padded = np.full(rows * columns, rest, dtype=values.dtype)
    padded[: len(values)] = values
    return padded.reshape(rows, columns)


def _lines(values: list[int], columns: int) -> Iterable[list[int]]:
    return (values[start : start + columns] for start in range(0, len(values), columns))


def _steps(colours: Sequence[str | None]) -> list[list[Any]]:
    """A scale with one even colour for each code; None is transparent."""
    share = 1 / len(colours)
    return [
        [min(1.0, round((place + end) * share, 6)), colour or "rgba(0,0,0,0)"]
        for place, colour in enumerate(colours)
        for end in (0, 1)
    ]


def _key(kind: Kind, name: str) -> go.Scatter:
    """An entry of a legend."""
    return go.Scatter(
        x=[None],
        y=[None],
        mode="markers",
        name=name,
        showlegend=True,
        marker={"symbol": "square", "size": 11, "color": kind.colour},
        hoverinfo="skip",
    )


def _row_ticks(rows: int, columns: int) -> dict[str, Any]:
    if rows == 1:
        return {"showticklabels": False, "ticks": ""}
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100) if rows / step <= _MOST_TICKS)
    places = list(range(0, rows, step))
    return {
        "tickmode": "array",
        "tickvals": places,
        "ticktext": [f"{place * columns:,}" for place in places],
    }


def _progress_in_words(numbers: Progress) -> str:
    size = len(numbers.codes)
    if size == 1:
        return f"it is {KINDS[ORDER[int(numbers.codes[0])]].name}"
    first = CODES[JobStatus.SUCCEEDED]
    ended = sum(count for code, count in numbers.counts.items() if code >= first)
    failed = ended - numbers.counts.get(first, 0)
    told = f"{ended:,} of {size:,} ended ({ended / size:.0%})" if ended < size else f"all {size:,} ended"
    return f"{told} · {failed:,} failed" if failed else told


def _kind(reason: Reason) -> Kind:
    return KINDS.get(reason.outcome, FAILED)


def _reason_in_words(reason: Reason) -> str:
    named = ", ".join(f"{child:,}" for child in reason.children)
    more = ", …" if reason.count > len(reason.children) else ""
    return f"{reason.words}: {reason.count:,}<br>children {named}{more}"


def _rows(bars: Sequence[Bar]) -> tuple[dict[tuple[str, int], int], list[tuple[str, int, int]]]:
    """Row of each lane, and first and last row of each host."""
    lanes: dict[str, int] = {}
    for bar in bars:
        lanes[bar.host] = max(lanes.get(bar.host, 0), bar.lane + 1)
    rows: dict[tuple[str, int], int] = {}
    ticks = []
    for host, count in sorted(lanes.items()):
        first = len(rows)
        rows |= {(host, lane): first + lane for lane in range(count)}
        ticks.append((host, first, first + count - 1))
    return rows, ticks


def _host_ticks(ticks: Sequence[tuple[str, int, int]]) -> dict[str, Any]:
    """Names of hosts, as many as can be read, short: the last letters tell them apart."""
    step = -(-len(ticks) // 24)
    shown = ticks[::step]
    return {
        "tickmode": "array",
        "tickvals": [(first + last) / 2 for _, first, last in shown],
        "ticktext": [name if len(name) <= _LONGEST_NAME else f"…{name[-8:]}" for name, _, _ in shown],
    }


def _bar_name(code: int) -> str:
    return KINDS[ORDER[code]].name
