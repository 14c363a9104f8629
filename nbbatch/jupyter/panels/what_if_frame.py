"""A frame of a simulation's panel: worlds beside each other, and the line that says them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from nbbatch.client.colours import KINDS
from nbbatch.client.format import dollars, plural
from nbbatch.client.handles.outcome import duration_in_words
from nbbatch.jupyter.figures import money as money_figures
from nbbatch.jupyter.figures.money import Candidate
from nbbatch.jupyter.figures.palette import SUCCEEDED, nothing
from nbbatch.jupyter.panels.frame import Frame
from nbbatch.jupyter.panels.parts import heading, note, page
from nbbatch.jupyter.panels.pictures import Cell, Column, code, table
from nbbatch.model.jobs import JobStatus
from nbbatch.scheduler.figures import Figures

_STARTING = KINDS[JobStatus.STARTING].colour


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A world, its settings, and the figures of the seeds that were run so far."""

    name: str
    settings: Any
    figures: tuple[Figures, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIfNow:
    """A simulation as far as it is.

    Parameters
    ----------
    workload : str
        As Python says it.
    jobs : int
        In it, children one by one.
    tried : sequence of Tried
        The worlds.
    seeds : sequence of int
        Of each.
    """

    workload: str
    jobs: int
    tried: Sequence[Tried]
    seeds: Sequence[int]


def what_if_frame(now: WhatIfNow) -> Frame:
    """A frame of the panel."""
    done = sum(len(one.figures) for one in now.tried)
    whole = len(now.tried) * len(now.seeds)
    state = "simulated" if done == whole else f"simulating, {done} of {whole} runs"
    known = [one for one in now.tried if one.figures]
    told = f" of {now.workload}" if now.workload.isidentifier() else ""
    return Frame(
        lines=tuple(_lines(now, state)),
        html=page(
            "what if",
            _table(known),
            note("\n".join(_stuck(known)), is_weak=False),
            heading(f"median of {plural(len(now.seeds), 'seed')} (least to most) · the same again:"),
            code(line_of(now)),
            colour=SUCCEEDED.colour if done == whole else _STARTING,
            state=state,
            aside=f"{plural(now.jobs, 'job')}{told}",
        ),
        state=(done, tuple(one.name for one in now.tried)),
        is_last=done == whole,
        figures={"worlds": lambda: money_figures.what_if([_candidate(one) for one in known])}
        if known
        else {"worlds": _none},
    )


def line_of(now: WhatIfNow) -> str:
    """The call of `nbbatch.simulate` that gives the same numbers."""
    worlds = "".join(f"    {one.name!r}: {one.settings!r},\n" for one in now.tried)
    is_count = list(now.seeds) == list(range(len(now.seeds)))
    seeds = len(now.seeds) if is_count else list(now.seeds)
    return f"nbbatch.simulate({now.workload}, {{\n{worlds}}}, seeds={seeds})"


def _none() -> Any:
    return nothing("the first run is under way")


def _candidate(one: Tried) -> Candidate:
    return Candidate(
        name=one.name,
        makespans=[each.makespan for each in one.figures],
        costs=[each.cost for each in one.figures],
    )


def _table(known: Sequence[Tried]) -> str:
    head = (
        Column("world"),
        Column("until all have ended"),
        Column("cost"),
        Column("idle", is_number=True, title="Of the cost, hosts that ran nothing"),
        Column("95 % wait", is_number=True, title="At most so long until they start"),
        Column("failed", is_number=True),
        Column("lost", is_number=True, title="Attempts that went with a Spot host"),
    )
    longest = max((_middle(one, _makespan) for one in known), default=1.0) or 1.0
    dearest = max((_middle(one, _cost) for one in known), default=1.0) or 1.0
    return table(head, [_row(one, longest, dearest) for one in known])


def _row(one: Tried, longest: float, dearest: float) -> tuple[Cell, ...]:
    makespan, cost = _middle(one, _makespan), _middle(one, _cost)
    failed = median(each.failed + each.unfinished for each in one.figures)
    lost = median(each.lost for each in one.figures)
    return (
        Cell(one.name),
        Cell(
            duration_in_words(makespan),
            share=makespan / longest,
            note=_range(one, _makespan, duration_in_words),
        ),
        Cell(dollars(cost), share=cost / dearest, note=_range(one, _cost, dollars)),
        Cell(dollars(_middle(one, lambda each: each.idle_cost))),
        Cell(duration_in_words(_middle(one, lambda each: each.wait.p95))),
        Cell(f"{failed:,.0f}" if failed else ""),
        Cell(f"{lost:,.0f}" if lost else ""),
    )


def _makespan(one: Figures) -> float:
    return one.makespan


def _cost(one: Figures) -> float:
    return one.cost


def _middle(one: Tried, what: Callable[[Figures], float]) -> float:
    return float(median(what(each) for each in one.figures))


def _range(one: Tried, what: Callable[[Figures], float], words: Callable[[float], str]) -> str:
    """Least to most over the seeds; empty where all are alike."""
    low, high = (words(choose(what(each) for each in one.figures)) for choose in (min, max))
    return "" if low == high else f"{low} to {high}"


def _spread(one: Tried, what: Callable[[Figures], float], words: Callable[[float], str]) -> str:
    values = sorted(what(each) for each in one.figures)
    middle, low, high = words(float(median(values))), words(values[0]), words(values[-1])
    return middle if low == high else f"{middle} ({low} to {high})"


def _stuck(known: Sequence[Tried]) -> list[str]:
    """Worlds in which something can never start, and why."""
    found = ((one.name, next((each.stuck for each in one.figures if each.stuck), "")) for one in known)
    return [f"In {name} not all jobs can end: {why}" for name, why in found if why]


def _lines(now: WhatIfNow, state: str) -> list[str]:
    lines = [f"what if · {plural(now.jobs, 'job')} · {state}"]
    for one in now.tried:
        if one.figures:
            wait = duration_in_words(_middle(one, lambda each: each.wait.p95))
            lines.append(
                f"{one.name}: all ended after {_spread(one, _makespan, duration_in_words)} · "
                f"{_spread(one, _cost, dollars)} · 95 % wait at most {wait}"
            )
    return [*lines, *_stuck([one for one in now.tried if one.figures]), line_of(now)]
