"""Figures of queues and compute environments over time; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import plotly.graph_objects as go

from nbbatch.client.colours import KINDS
from nbbatch.client.format import plural
from nbbatch.jupyter.figures.palette import (
    LOST,
    NAMES,
    RUNNING,
    WAITING,
    WANTED,
    canvas,
    ink_of,
    nothing,
    translucent,
    whole_ticks,
)
from nbbatch.model.jobs import JobStatus

DEPTH = (JobStatus.RUNNING, JobStatus.STARTING, JobStatus.RUNNABLE, JobStatus.PENDING, JobStatus.SUBMITTED)
"""From the ground up."""
_CLOCK = {
    "type": "date",
    "tickformatstops": [
        {"dtickrange": [None, 60_000], "value": "%H:%M:%S"},
        {"dtickrange": [60_000, 86_400_000], "value": "%H:%M"},
        {"dtickrange": [86_400_000, None], "value": "%b %-d"},
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """Jobs of queues by status over time; an array's children count one by one. None: nobody looked then."""

    times: Sequence[datetime]
    jobs: dict[JobStatus, Sequence[float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """VCPUs that were wanted, there, and used over time. None: nobody looked then."""

    times: Sequence[datetime]
    wanted: Sequence[float | None]
    provisioned: Sequence[float | None]
    used: Sequence[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruptions:
    """What Spot took back in stretches of time of one length: hosts, and attempts that went with them.

    `times` are the beginnings of the stretches, and the end of the last one.
    """

    times: Sequence[datetime]
    hosts: Sequence[int]
    attempts: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share identifier: vCPUs it uses, and its weight's part of the queue (0 to 1)."""

    name: str
    vcpus: float
    entitled: float


def depth(numbers: Depth, *, theme: str = "auto") -> go.Figure:
    """Jobs in the queue by status, stacked."""
    shown = [status for status in DEPTH if any(numbers.jobs[status])]
    if not shown:
        return nothing("nothing waited or ran when the daemon looked, every ten seconds", theme=theme)
    data = [
        go.Scatter(
            x=list(numbers.times),
            y=list(numbers.jobs[status]),
            name=status.value,
            stackgroup="jobs",
            mode="lines",
            line={"width": 0, "shape": "hv", "color": KINDS[status].colour},
            fillcolor=translucent(KINDS[status].colour, 0.85),
            hovertemplate=f"{status.value} %{{y:,}}<extra></extra>",
            showlegend=True,
        )
        for status in shown
    ]
    waiting = [
        sum(numbers.jobs[status][place] or 0 for status in DEPTH[1:]) for place in range(len(numbers.times))
    ]
    return canvas(
        data,
        theme=theme,
        height=280,
        headline=f"{waiting[-1]:,.0f} waiting now · at most {max(waiting):,.0f}",
        hovermode="x unified",
        xaxis=_CLOCK,
        yaxis={"title": {"text": "jobs"}, **whole_ticks(max(waiting) + max(_known(numbers.jobs[DEPTH[0]])))},
    )


def vcpus(numbers: Capacity, *, theme: str = "auto") -> go.Figure:
    """VCPUs used, inside those that were there, under those that were wanted."""
    used = [value for value in numbers.used if value is not None]
    if not used:
        return nothing("nobody has looked at the vCPUs yet", theme=theme)
    layers: Sequence[tuple[str, Sequence[float | None], str, dict[str, str], float, str]] = (
        (
            "provisioned",
            numbers.provisioned,
            WAITING.colour,
            {"fill": "tozeroy", "fillcolor": translucent(WAITING.colour, 0.28)},
            1.2,
            "solid",
        ),
        (
            "used",
            numbers.used,
            RUNNING.colour,
            {"fill": "tozeroy", "fillcolor": translucent(RUNNING.colour, 0.85)},
            0,
            "solid",
        ),
        ("wanted", numbers.wanted, WANTED.colour, {}, 2, "dot"),
    )
    data = [
        go.Scatter(
            x=list(numbers.times),
            y=list(values),
            name=name,
            mode="lines",
            showlegend=True,
            line={"color": colour, "width": width, "shape": "hv", "dash": dash},
            hovertemplate=f"%{{y:,.4~g}} {name}<extra></extra>",
            **fill,
        )
        for name, values, colour, fill, width, dash in layers
    ]
    return canvas(
        data,
        theme=theme,
        height=280,
        headline=_vcpus_in_words(numbers),
        hovermode="x unified",
        xaxis=_CLOCK,
        yaxis={"title": {"text": "vCPUs"}},
    )


def interruptions(numbers: Interruptions, *, theme: str = "auto") -> go.Figure:
    """Spot hosts that were taken back, in stretches of time."""
    if not any(numbers.hosts) and not any(numbers.attempts):
        return nothing(f"Spot took nothing back since {numbers.times[0]:%b %-d, %H:%M}", theme=theme)
    starts, ends = numbers.times[:-1], numbers.times[1:]
    told = [
        f"{start:%H:%M:%S} to {end:%H:%M:%S}: {_taken_back(hosts, attempts)}"
        for start, end, hosts, attempts in zip(starts, ends, numbers.hosts, numbers.attempts, strict=True)
    ]
    bars = go.Bar(
        x=[start + (end - start) / 2 for start, end in zip(starts, ends, strict=True)],
        y=list(numbers.hosts),
        width=0.8 * 1000 * (ends[0] - starts[0]).total_seconds(),
        showlegend=False,
        customdata=told,
        hovertemplate="%{customdata}<extra></extra>",
        marker={"color": LOST.colour, "line": {"width": 0}},
    )
    return canvas(
        [bars],
        theme=theme,
        height=220,
        headline=f"Spot interruptions: {_taken_back(sum(numbers.hosts), sum(numbers.attempts))}",
        xaxis={**_CLOCK, "range": [numbers.times[0], numbers.times[-1]]},
        yaxis={"title": {"text": "hosts taken back"}, **whole_ticks(max(numbers.hosts))},
    )


def _taken_back(hosts: int, attempts: int) -> str:
    return f"{plural(hosts, 'host')} taken back · {plural(attempts, 'attempt')} lost"


def shares(numbers: Sequence[Share], *, theme: str = "auto") -> go.Figure:
    """Each share's part of what is used, beside the part its weight entitles it to."""
    total = sum(share.vcpus for share in numbers)
    if not total:
        return nothing("no share uses anything now", theme=theme)
    ordered = sorted(numbers, key=lambda share: share.vcpus)
    names = [share.name for share in ordered]
    ink = ink_of(theme)
    data = [
        go.Bar(
            x=[share.vcpus / total for share in ordered],
            y=names,
            orientation="h",
            name="used",
            showlegend=True,
            marker={"color": RUNNING.colour, "line": {"width": 0}},
            text=[f"  {share.vcpus:,.4g} vCPU" for share in ordered],
            textposition="outside",
            cliponaxis=False,
            customdata=[
                f"{share.name}: {share.vcpus:,.4g} vCPU, {share.vcpus / total:.0%} of what is used; its weight gives {share.entitled:.0%}"
                for share in ordered
            ],
            hovertemplate="%{customdata}<extra></extra>",
        ),
        go.Scatter(
            x=[share.entitled for share in ordered],
            y=names,
            mode="markers",
            name="by its weight",
            showlegend=True,
            marker={"symbol": "line-ns", "size": 20, "line": {"width": 3, "color": ink.text}},
            hovertemplate="%{y}: %{x:.0%} by its weight<extra></extra>",
        ),
    ]
    largest = max(max(share.vcpus / total, share.entitled) for share in ordered)
    return canvas(
        data,
        theme=theme,
        height=106 + 34 * len(ordered),
        headline=f"{total:,.4g} vCPU used by {plural(len(ordered), 'share')}",
        bargap=0.4,
        xaxis={
            "tickformat": ".0%",
            "range": [0, largest * 1.15],
            "showgrid": True,
            "showline": False,
            "nticks": 6,
        },
        yaxis={**NAMES, "type": "category"},
    )


def _known(values: Sequence[float | None]) -> list[float]:
    """Those that somebody looked at; 0 where nobody did."""
    return [value for value in values if value is not None] or [0.0]


def _vcpus_in_words(numbers: Capacity) -> str:
    there = sum(value or 0 for value in numbers.provisioned)
    busy = sum(value or 0 for value in numbers.used)
    now = f"{numbers.used[-1] or 0:,.4g} of {numbers.provisioned[-1] or 0:,.4g} vCPUs used now"
    return f"{now} · {busy / there:.0%} over the time shown" if there else now
