"""The answer of `nbbatch.simulate`: a DataFrame that knows its worlds, seeds and groups.

Imported only by who has asked for a simulation, because pandas takes long to import.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from nbbatch.scheduler.figures import Figures, GroupFigures, Waits

NUMBERS = ("makespan", "wait_mean", "wait_p50", "wait_p95", "wait_max", "cost", "cost_idle", "lost")
"""Columns of a summary."""


class Forecast(pd.DataFrame):
    """One row per world and seed; times in seconds, money in dollars.

    `makespan`, `wait_mean`, `wait_p50`, `wait_p95`, `wait_max`; `cost` (hosts while they were there,
    Spot where the environment is), `cost_on_demand` and `cost_spot` (the same hosts at either
    price), `cost_idle` (the part of `cost` that no attempt used); `hosts`, `peak_hosts`,
    `vcpu_hours`, `used_vcpu_hours`; `jobs`, `failed`, `unfinished`, `attempts`, `lost` (attempts that
    went with their host), `lost_seconds`; `stuck` says why jobs are unfinished.

    Attributes
    ----------
    groups : DataFrame
        The same by world, seed, queue and share identifier (empty for jobs without one).
    """

    _metadata = ["groups"]  # noqa: RUF012 - pandas wants it so
    groups: pd.DataFrame

    @property
    def _constructor(self) -> Any:
        return Forecast

    def summary(self) -> pd.DataFrame:
        """A row per world: median, least and most of the main numbers over the seeds."""
        by_world = self.groupby("world", sort=False)
        return pd.DataFrame(by_world[list(NUMBERS)].agg(["median", "min", "max"]))


def forecast(outcomes: Sequence[tuple[str, int, Figures]]) -> Forecast:
    """Put the figures of every world and seed into rows."""
    rows = [{"world": world, "seed": seed, **_row(figures)} for world, seed, figures in outcomes]
    table = Forecast(rows)
    table.groups = pd.DataFrame(
        [
            {"world": world, "seed": seed, **_group_row(group)}
            for world, seed, figures in outcomes
            for group in figures.groups
        ]
    )
    return table


def _row(figures: Figures) -> dict[str, Any]:
    return {
        "makespan": figures.makespan,
        **_waits(figures.wait),
        "cost": figures.cost,
        "cost_on_demand": figures.on_demand,
        "cost_spot": figures.spot,
        "cost_idle": figures.idle_cost,
        "hosts": figures.hosts,
        "peak_hosts": figures.peak_hosts,
        "vcpu_hours": figures.vcpu_hours,
        "used_vcpu_hours": figures.used_vcpu_hours,
        "jobs": figures.jobs,
        "failed": figures.failed,
        "unfinished": figures.unfinished,
        "attempts": figures.attempts,
        "lost": figures.lost,
        "lost_seconds": figures.lost_seconds,
        "stuck": figures.stuck,
    }


def _group_row(group: GroupFigures) -> dict[str, Any]:
    plain = {name: value for name, value in asdict(group).items() if name != "wait"}
    return {**plain, "share": group.share or "", **_waits(group.wait)}


def _waits(wait: Waits) -> dict[str, float]:
    return {
        "wait_mean": wait.mean,
        "wait_p50": wait.p50,
        "wait_p95": wait.p95,
        "wait_max": wait.longest,
    }
