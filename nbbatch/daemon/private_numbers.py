"""Private routes of numbers over time: `metrics` as series, `costs` by day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from nbbatch.daemon.costs import Costs
from nbbatch.daemon.metrics import Metrics, SampleRows, time_series
from nbbatch.daemon.private import Route, read_body
from nbbatch.daemon.prometheus import render
from nbbatch.wire.encode_container import Json


class _RangeRequest(msgspec.Struct, rename="camel"):
    start: Annotated[int, msgspec.Meta(ge=0, le=1 << 52)]
    end: Annotated[int, msgspec.Meta(ge=0, le=1 << 52)]
    step: Annotated[int, msgspec.Meta(ge=1000, le=1 << 40)] = 60_000


class _DaysRequest(msgspec.Struct, rename="camel"):
    days: Annotated[int, msgspec.Meta(ge=1, le=3660)] = 30


class _BudgetRequest(msgspec.Struct, rename="camel"):
    per_day: Annotated[float, msgspec.Meta(ge=0, le=1e12)] | None = None


class NumberRoutes:
    """Answers of the routes about numbers."""

    def __init__(self, rows: SampleRows, metrics: Metrics, costs: Costs) -> None:
        self._rows = rows
        self._metrics = metrics
        self._costs = costs

    @property
    def routes(self) -> Mapping[str, Route]:
        """By name."""
        return {
            "metrics": self.metrics,
            "costs": self.costs,
            "budget": self.budget,
            "set-budget": self.set_budget,
        }

    async def metrics(self, body: Any) -> Json:
        """Series from `start` to `end` (epoch ms), a value every `step` ms; how things are now counts, too."""
        asked = read_body(_RangeRequest, body)
        series = time_series([], asked.start, asked.end, asked.step)
        samples = self._rows.read(asked.start, asked.end)
        now = self._metrics.changed_at
        if now <= asked.end and (not samples or samples[-1][0] <= now):
            samples.append((now, self._metrics.sample()))
        return time_series(samples, asked.start, asked.end, asked.step) if samples else series

    async def costs(self, body: Any) -> Json:
        """What the last `days` days cost."""
        return self._costs.by_day(read_body(_DaysRequest, body).days)

    async def budget(self, _body: Any) -> Json:
        """The day's cap and what is spent of it, in dollars."""
        return self._costs.budget()

    async def set_budget(self, body: Any) -> Json:
        """Set the day's cap, `perDay` dollars; without it there is none."""
        await self._costs.set_budget(read_body(_BudgetRequest, body).per_day)
        return self._costs.budget()

    def prometheus(self) -> str:
        """How things are now, in Prometheus' text format."""
        return render(self._metrics.sample(), self._costs.totals())
