"""The panel of money: today and the days before, by queue and by name, against on demand, idle apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nbbatch.client.backend import Backend
from nbbatch.client.colours import KINDS
from nbbatch.client.format import dollars, plural
from nbbatch.client.handles.outcome import Outcome
from nbbatch.jupyter.figures import money as money_figures
from nbbatch.jupyter.figures.fleet_numbers import days_until, spot_days
from nbbatch.jupyter.figures.money import SpendingDay
from nbbatch.jupyter.figures.palette import RUNNING, SUCCEEDED, WAITING
from nbbatch.jupyter.panels.frame import Frame
from nbbatch.jupyter.panels.parts import Share, facts, heading, legend, meter, note, page
from nbbatch.jupyter.panels.pictures import Cell, Column, bars, table
from nbbatch.jupyter.panels.unheard import Unheard

_NAMES = 8
"""Names of jobs that a frame has; the rest is one row."""
_SPENT = KINDS[Outcome.EXITED].colour


@dataclass(frozen=True, slots=True, kw_only=True)
class CostNow:
    """Money of the last days, in dollars; days are UTC.

    Parameters
    ----------
    backend : str
        Its name.
    days : int
        How many, today among them.
    queues, environments : sequence of mapping
        By day, as the daemon's route `costs` tells them.
    names : mapping
        By the jobs' names, as its route `names` tells them.
    budget : mapping
        As its route `budget` tells it.
    today : str
        The day.
    """

    backend: str
    days: int
    queues: Sequence[Mapping[str, Any]]
    environments: Sequence[Mapping[str, Any]]
    names: Mapping[str, Any]
    budget: Mapping[str, Any]
    today: str


class CostView(Unheard):
    """What the panel of money shows.

    Parameters
    ----------
    backend : Backend
        Whose.
    days : int
        How far back it goes.
    """

    def __init__(self, backend: Backend, days: int = 7) -> None:
        self._backend = backend
        self._days = days

    def look(self) -> Frame:
        """Three calls, however many jobs there were."""
        return cost_frame(ask_costs(self._backend, self._days))


def ask_costs(backend: Backend, days: int = 7) -> CostNow:
    """What the last days cost.

    Raises
    ------
    NotOnAwsError
        What an account costs is known to Cost Explorer.
    """
    told = backend.private("costs", {"days": days})
    return CostNow(
        backend=backend.name,
        days=days,
        queues=told["queues"],
        environments=told["environments"],
        names=backend.private("names", {"days": days}),
        budget=backend.private("budget", {}),
        today=f"{datetime.now(UTC):%Y-%m-%d}",
    )


def cost_frame(now: CostNow) -> Frame:
    """A frame of the panel of money."""
    spending = _days(now)
    return Frame(
        lines=tuple(_lines(now)),
        html=page(
            "cost",
            facts(_facts(now)),
            _budget(now),
            _picture(now, spending),
            _queues(now),
            _names(now),
            state=f"{dollars(_sum(now, 'charged', today=True))} today",
            colour=_SPENT if now.budget.get("isSpent") else SUCCEEDED.colour,
            aside=f"{now.backend} · days are UTC",
        ),
        state=tuple(sorted((name, round(_sum(now, name), 4)) for name in ("charged", "onDemand", "lost"))),
        figures={
            "days": lambda: money_figures.days(spending),
            "spot": lambda: money_figures.spot(spot_days(now.queues, now.days)),
        },
    )


def _sum(now: CostNow, what: str, *, today: bool = False) -> float:
    return float(sum(row[what] for row in now.queues if not today or row["day"] == now.today))


def _idle(now: CostNow, *, today: bool = False) -> float:
    return float(sum(row["idle"] for row in now.environments if not today or row["day"] == now.today))


def _facts(now: CostNow) -> list[tuple[str, str]]:
    saved = _sum(now, "saved")
    spot = f"{dollars(saved)}" if saved >= 0 else f"-{dollars(-saved)}"
    lost = _sum(now, "lost")
    return [
        ("jobs today", dollars(_sum(now, "charged", today=True))),
        ("idle hosts today", dollars(_idle(now, today=True))),
        (f"jobs, {plural(now.days, 'day')}", dollars(_sum(now, "charged"))),
        ("on demand", dollars(_sum(now, "onDemand"))),
        ("saved by Spot", f"{spot}, {dollars(lost)} of lost work taken off" if lost else spot),
        (f"idle hosts, {plural(now.days, 'day')}", dollars(_idle(now))),
    ]


def _budget(now: CostNow) -> str:
    cap = now.budget.get("perDay")
    if cap is None:
        return ""
    spent = now.budget["spentToday"]
    told = f"{dollars(spent)} of {dollars(cap)} today"
    is_spent = bool(now.budget.get("isSpent"))
    after = "jobs wait until tomorrow (UTC)" if is_spent else f"{dollars(max(0.0, cap - spent))} left"
    colour = _SPENT if is_spent else RUNNING.colour
    return heading(f"budget of the day: {told} · {after}") + meter([Share(colour, "spent", spent, told)], cap)


def _days(now: CostNow) -> list[SpendingDay]:
    """All days, those without jobs, too."""
    used: dict[str, float] = {}
    on_demand: dict[str, float] = {}
    idle: dict[str, float] = {}
    for row in now.queues:
        used[row["day"]] = used.get(row["day"], 0.0) + row["charged"]
        on_demand[row["day"]] = on_demand.get(row["day"], 0.0) + row["onDemand"]
    for row in now.environments:
        idle[row["day"]] = idle.get(row["day"], 0.0) + row["idle"]
    return [
        SpendingDay(
            day=day, jobs=used.get(day, 0.0), on_demand=on_demand.get(day, 0.0), idle=idle.get(day, 0.0)
        )
        for day in days_until(now.today, now.days)
    ]


def _picture(now: CostNow, spending: Sequence[SpendingDay]) -> str:
    if now.days < 2 or not any(day.jobs or day.idle for day in spending):  # noqa: PLR2004 - a day has no course
        return ""
    said = f"{spending[0].day} to {spending[-1].day}, dearest day {dollars(max(day.jobs + day.idle for day in spending))}"
    parts = [
        (RUNNING.colour, [day.jobs for day in spending]),
        (WAITING.colour, [day.idle for day in spending]),
    ]
    names = [f"{day.day}: jobs {dollars(day.jobs)}, idle hosts {dollars(day.idle)}" for day in spending]
    keys = [Share(RUNNING.colour, "jobs", _sum(now, "charged"), dollars(_sum(now, "charged")))]
    keys.append(Share(WAITING.colour, "idle hosts", _idle(now), dollars(_idle(now))))
    return heading(said) + bars(parts, names, said) + legend(keys)


def _queues(now: CostNow) -> str:
    head = (
        Column("queue"),
        *(
            Column(word, is_number=True)
            for word in ("jobs", "failed", "cost today", f"{now.days} days", "on demand", "saved", "lost")
        ),
    )
    names = list(dict.fromkeys(row["queue"] for row in now.queues))
    return table(head, [_queue(now, name) for name in names])


def _queue(now: CostNow, name: str) -> tuple[Cell, ...]:
    mine = [row for row in now.queues if row["queue"] == name]
    today = sum(row["charged"] for row in mine if row["day"] == now.today)
    counts = (f"{sum(row[what] for row in mine):,}" for what in ("submitted", "failed"))
    money = (dollars(sum(row[what] for row in mine)) for what in ("charged", "onDemand", "saved", "lost"))
    return (Cell(name), *map(Cell, (*counts, dollars(today), *money)))


def _names(now: CostNow) -> str:
    rows = now.names["names"]
    if not rows:
        return ""
    most = max(row["onDemand"] for row in rows) or 1.0
    head = (
        Column("jobs called"),
        Column("submitted", is_number=True),
        Column("on demand"),
        Column("at Spot's price", is_number=True),
        Column("lost to Spot", is_number=True),
    )
    body = [_name(row, most) for row in rows[:_NAMES]]
    rest = rows[_NAMES:]
    if rest:
        sums = {what: sum(row[what] for row in rest) for what in ("jobs", "onDemand", "spot", "lost")}
        body.append(_name({"name": f"{len(rest)} more names", **sums}, most))
    cut = (
        ""
        if now.names["isAll"]
        else f"Of the newest {plural(now.names['jobs'], 'job')}, arrays counted as one."
    )
    return table(head, body) + note(cut)


def _name(row: Mapping[str, Any], most: float) -> tuple[Cell, ...]:
    return (
        Cell(row["name"]),
        Cell(f"{row['jobs']:,}"),
        Cell(dollars(row["onDemand"]), share=row["onDemand"] / most),
        Cell(dollars(row["spot"])),
        Cell(dollars(row["lost"])),
    )


def _lines(now: CostNow) -> list[str]:
    lines = [
        "cost of " + now.backend + " · " + " · ".join(f"{title} {value}" for title, value in _facts(now))
    ]
    cap = now.budget.get("perDay")
    if cap is not None:
        lines.append(f"budget of the day: {dollars(now.budget['spentToday'])} of {dollars(cap)}")
    names = dict.fromkeys(row["queue"] for row in now.queues)
    lines += [
        f"queue {_queue(now, name)[0].text}: {_queue(now, name)[4].text} in {plural(now.days, 'day')}"
        for name in names
    ]
    lines += [
        f"{row['name']}: {dollars(row['onDemand'])} on demand, {plural(row['jobs'], 'job')}"
        for row in now.names["names"][:_NAMES]
    ]
    return lines
