"""A frame of an array: strip, counts, pace, cost, durations, failures, hosts, and a child that was chosen. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from nbbatch.client.arrays.children import Children
from nbbatch.client.colours import KINDS, colour_of
from nbbatch.client.format import clock, dollars, plural
from nbbatch.client.handles.account import Account
from nbbatch.client.handles.outcome import Detail, duration_in_words, outcome, short_id
from nbbatch.jupyter.figures.numbers import (
    Durations,
    Pace,
    Progress,
    Reason,
    Spending,
    durations_of,
    host_name,
    pace_of,
    progress_of,
    reasons_of,
    spending_of,
)
from nbbatch.jupyter.figures.palette import CODES, FAILED, ORDER
from nbbatch.jupyter.panels.frame import Frame
from nbbatch.jupyter.panels.handles import standing, state_in_words
from nbbatch.jupyter.panels.parts import Share, columns, facts, heading, legend, line, log, note, page, rows
from nbbatch.jupyter.panels.strip import draw_strip, layout
from nbbatch.jupyter.story import status_line
from nbbatch.model.jobs import TERMINAL, JobStatus

FIGURES = ("throughput", "states", "durations", "failures", "timeline", "cost")
"""What can be shown below the panel; `progress` of 10,000 children would be too large to be kept."""
_FIRST_ENDED = CODES[JobStatus.SUCCEEDED]
_MOST_HOSTS, _MOST_REASONS = 12, 8
_FEWEST = 3
"""Ended children from which durations are drawn."""
_ACTIVE = [CODES[JobStatus.STARTING], CODES[JobStatus.RUNNING]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The child that was clicked or named.

    Parameters
    ----------
    index : int
        In the array.
    state, colour : str
        How it stands.
    input : str
        What its items are.
    words : str
        How it ended, or why it waits.
    log : str
        The end of its log.
    """

    index: int
    state: str
    colour: str
    input: str = ""
    words: str = ""
    log: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayNumbers:
    """What a frame of an array is drawn from.

    Parameters
    ----------
    detail : mapping
        The parent's JobDetail.
    children : Children
        All children as columns.
    account : Account or None
        What all of it cost so far.
    items : int or None
        Items, where they are known.
    told, said : str
        What the children tell of themselves; what was done by a button.
    chosen : Chosen or None
        A child that is looked at.
    reattach : str
        The line that finds the array again.
    now : float
        Epoch seconds.
    """

    detail: Detail
    children: Children
    account: Account | None = None
    items: int | None = None
    told: str = ""
    said: str = ""
    chosen: Chosen | None = None
    reattach: str = ""
    now: float


def draw(numbers: ArrayNumbers) -> Frame:
    """A frame of an array; its size does not grow with the array's."""
    drawing = _Drawing(numbers)
    detail = numbers.detail
    return Frame(
        lines=drawing.lines(),
        html=drawing.page(),
        state=(
            tuple(drawing.progress.counts.items()),
            numbers.told,
            numbers.said,
            numbers.chosen,
            detail["status"],
        ),
        is_last=detail["status"] in TERMINAL,
        figures=drawing.figures(),
        disabled=drawing.disabled(),
    )


class _Drawing:
    """The parts of an array's frame."""

    def __init__(self, numbers: ArrayNumbers) -> None:
        self._numbers = numbers
        self._children = numbers.children

    @cached_property
    def progress(self) -> Progress:
        return progress_of(self._children)

    @cached_property
    def _pace(self) -> Pace:
        return pace_of(self._children)

    @cached_property
    def _durations(self) -> Durations | None:
        return durations_of(self._children)

    @cached_property
    def _reasons(self) -> Sequence[Reason]:
        return reasons_of(self._children)

    @cached_property
    def _spending(self) -> Spending | None:
        account = self._numbers.account
        if account is None:
            return None
        return spending_of(self._children, on_demand=account.on_demand, spot=account.spot)

    @property
    def _is_over(self) -> bool:
        return self._numbers.detail["status"] in TERMINAL

    @cached_property
    def _ended(self) -> tuple[int, int]:
        """Children that succeeded, and that failed."""
        counts = self.progress.counts
        failed = sum(count for code, count in counts.items() if code > _FIRST_ENDED)
        return counts.get(_FIRST_ENDED, 0), failed

    def disabled(self) -> frozenset[str]:
        """Actions that make no sense now."""
        if not self._is_over:
            return frozenset({"retry"})
        return frozenset({"cancel", "terminate", *(() if self._ended[1] else ("retry",))})

    def figures(self) -> Mapping[str, Callable[[], Any]]:
        """Figures of these numbers, drawn when they are wanted."""
        return {
            name: partial(_figure, name, self._children, self._numbers.account) for name in FIGURES if name
        }

    @cached_property
    def facts(self) -> dict[str, str]:
        """What is known, by its title."""
        done, failed = self._ended
        size, pace = len(self._children), self._pace
        running = sum(self.progress.counts.get(code, 0) for code in _ACTIVE)
        waiting = size - done - failed - running
        account = self._numbers.account
        return {
            "done": f"{done:,} of {size:,}",
            "failed": f"{failed:,}" if failed else "",
            "running": f"{running:,}" if running else "",
            "waiting": f"{waiting:,}" if waiting else "",
            "took" if self._is_over else "since": clock(pace.now),
            "left": "" if pace.left is None or self._is_over else _left(pace.left),
            "pace": _rate(pace, done + failed),
            "cost so far" if not self._is_over else "cost": _cost(account),
            "cost in the end": self._cost_in_the_end(),
        }

    def _cost_in_the_end(self) -> str:
        spending = self._spending
        if spending is None or spending.range is None or self._is_over:
            return ""
        low, expected, high = spending.range
        return f"about {dollars(expected)} ({dollars(low)} to {dollars(high)})"

    def lines(self) -> tuple[str, ...]:
        """The same as text."""
        numbers = self._numbers
        head = status_line(
            numbers.detail, numbers.now, numbers.account, told=numbers.told, items=numbers.items
        )
        extra = (("pace", self.facts["pace"]), ("cost in the end", self.facts["cost in the end"]))
        known = [f"{title} {value}" for title, value in extra if value]
        failed = [f"{reason.count:,} {reason.words}: {_named(reason)}" for reason in self._reasons]
        chosen = numbers.chosen
        child = (
            []
            if chosen is None
            else [
                f"child {chosen.index} {chosen.state} {chosen.input}".rstrip(),
                chosen.words,
                *chosen.log.splitlines(),
            ]
        )
        text = [head, " · ".join(known), self._told_durations, *failed[:_MOST_REASONS], numbers.said, *child]
        return (*filter(None, text), numbers.reattach)

    def page(self) -> str:
        """The same as HTML."""
        numbers, detail = self._numbers, self._numbers.detail
        chosen = numbers.chosen
        each = layout(len(self._children)).each
        several = f"each cell stands for {each} children" if each > 1 else ""
        return page(
            f"array {detail['jobName']} {short_id(detail['jobId'])}",
            facts(self.facts.items()),
            draw_strip(self.progress.codes, None if chosen is None else chosen.index),
            legend(self._shares()),
            note(several),
            "" if chosen is None else _child(chosen),
            note(numbers.told),
            self._throughput(),
            self._histogram(),
            self._failures(),
            self._hosts(),
            note(numbers.reattach),
            colour=colour_of(standing(detail), outcome(detail)),
            state=state_in_words(detail),
            aside=" · ".join(filter(None, [_items(numbers.items, len(self._children)), numbers.said])),
        )

    def _shares(self) -> list[Share]:
        return [
            Share(KINDS[ORDER[code]].colour, KINDS[ORDER[code]].name, count)
            for code, count in self.progress.counts.items()
        ]

    def _throughput(self) -> str:
        rates = list(self._pace.rates)
        if sum(self._ended) < _FEWEST or len(rates) < _FEWEST:
            return ""
        most = f"ended a minute over time, at most {_number(max(rates))}"
        return heading(most) + line(rates, KINDS[JobStatus.SUCCEEDED].colour, most)

    @cached_property
    def _told_durations(self) -> str:
        told = self._durations
        if told is None or sum(told.counts) < _FEWEST:
            return ""
        child, longest = told.slowest
        return (
            f"an attempt ran {duration_in_words(told.median)} (median), 95 % at most {duration_in_words(told.p95)}, "
            f"the longest {duration_in_words(longest)} (child {child:,})"
        )

    def _histogram(self) -> str:
        told = self._durations
        if told is None or not self._told_durations:
            return ""
        scale = " · logarithmic" if told.is_logarithmic else ""
        ends = f"{duration_in_words(told.edges[0])} … {duration_in_words(told.edges[-1])}{scale}"
        bars = columns(told.counts, KINDS[JobStatus.RUNNING].colour, self._told_durations)
        return heading(f"{self._told_durations} · {ends}") + bars

    def _failures(self) -> str:
        shares = [
            Share(
                KINDS.get(reason.outcome, FAILED).colour,
                reason.words,
                reason.count,
                f"{reason.count:,}: {'child' if reason.count == 1 else 'children'} {_named(reason)}",
            )
            for reason in self._reasons[:_MOST_REASONS]
        ]
        more = len(self._reasons) - _MOST_REASONS
        rest = note(f"and {plural(more, 'other reason')}") if more > 0 else ""
        return heading("failed, by reason") + rows(shares) + rest if shares else ""

    def _hosts(self) -> str:
        """Attempts by host now and in all; the figure `timeline` has them over time."""
        attempts = self._children.attempts
        places, ran = np.unique(attempts.host, return_counts=True)
        if len(places) < 2 or len(places) > _MOST_HOSTS:  # noqa: PLR2004 - one host is not worth a table
            return ""
        going = attempts.host[~attempts.is_over]
        now = [int((going == place).sum()) for place in places]
        shares = [
            Share(
                KINDS[JobStatus.RUNNING].colour,
                host_name(self._children.hosts, int(place)),
                float(count),
                f"{plural(int(count), 'attempt')}{f', {running} running' if running else ''}",
            )
            for place, count, running in zip(places, ran, now, strict=True)
        ]
        return heading("by host") + rows(shares)


def _child(chosen: Chosen) -> str:
    """A child's state, input, outcome and log."""
    return page(
        f"child {chosen.index:,}",
        note(chosen.input),
        note(chosen.words, is_weak=False),
        log(chosen.log, title="log, its end"),
        colour=chosen.colour,
        state=chosen.state,
    )


def _figure(name: str, children: Children, account: Account | None) -> Any:
    from nbbatch.jupyter.figures import money  # noqa: PLC0415 - plotly takes a while, and not every panel shows a figure
    from nbbatch.jupyter.figures.figure import OF_CHILDREN  # noqa: PLC0415
    from nbbatch.jupyter.figures.palette import nothing  # noqa: PLC0415

    if name != "cost":
        return OF_CHILDREN[name](children, "auto")
    if account is None:
        return nothing("its backend keeps no account of it")
    return money.cost(spending_of(children, on_demand=account.on_demand, spot=account.spot))


def _items(items: int | None, children: int) -> str:
    return "" if items is None or items == children else f"{plural(items, 'item')} in {children:,} children"


def _left(left: tuple[float, float, float]) -> str:
    low, expected, high = left
    return f"about {clock(expected)} ({clock(low)} to {clock(high)})"


def _rate(pace: Pace, ended: int) -> str:
    """Children a minute, over all of the time."""
    if ended < _FEWEST or not pace.now:
        return ""
    return f"{_number(60 * ended / pace.now)} a minute"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"  # noqa: PLR2004 - two digits, or all


def _cost(account: Account | None) -> str:
    if account is None or not account.on_demand:
        return ""
    return f"{dollars(account.on_demand)} on demand ({dollars(account.spot)} spot)"


def _named(reason: Reason) -> str:
    more = ", …" if reason.count > len(reason.children) else ""
    return ", ".join(f"{child:,}" for child in reason.children) + more
