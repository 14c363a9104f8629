"""What was spent, by day: the ledger's sums and what is under way, hosts and the idle rest of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from nbbatch.daemon.ledger_rows import LedgerRows
from nbbatch.daemon.loop import Loop
from nbbatch.model.events import BudgetChanged
from nbbatch.model.jobs import Attempt, Run
from nbbatch.scheduler.budget import is_day_spent, spent_today
from nbbatch.scheduler.ledger import DAY_MS, Sums, add_stretch, charges, host_costs
from nbbatch.scheduler.state import EndedAttempt, LiveJob
from nbbatch.wire.encode_container import Json


class Costs:
    """Answers about money, in dollars; days are UTC.

    Parameters
    ----------
    loop : Loop
        What is under way.
    rows : LedgerRows
        What has ended.
    now : callable
        Epoch ms.
    """

    def __init__(self, loop: Loop, rows: LedgerRows, now: Callable[[], int]) -> None:
        self._loop = loop
        self._rows = rows
        self._now = now

    def by_day(self, days: int) -> Json:
        """The last so many days, today among them: by queue, and hosts by environment."""
        now = max(self._now(), self._loop.state.now)
        last = now // DAY_MS
        first = last - days + 1
        under_way = list(self._under_way(now))
        sums = self._rows.sums(first, last)
        for one in under_way:
            add_stretch(sums, one.job.queue, one.attempt)
        return {
            "queues": [
                _queue(day, queue, known) for (day, queue), known in sorted(sums.items()) if day >= first
            ],
            "environments": self._environments(first, last, now, under_way),
        }

    def budget(self) -> Json:
        """The day's cap and what is spent of it."""
        state = self._loop.state
        now = max(self._now(), state.now)
        cap = state.day_budget.dollars if state.day_budget is not None else None
        return {
            "spentToday": spent_today(state, now),
            **({} if cap is None else {"perDay": cap, "isSpent": is_day_spent(state, now)}),
        }

    async def set_budget(self, dollars: float | None) -> None:
        """Set the day's cap; None takes it away."""
        await self._loop.apply(lambda _state, _now: ([BudgetChanged(dollars=dollars)], None))

    def totals(self) -> dict[str, Sums]:
        """Of ended attempts over all days, by queue."""
        return self._rows.totals()

    def _environments(self, first: int, last: int, now: int, under_way: list[EndedAttempt]) -> list[Json]:
        state = self._loop.state
        found = dict(self._rows.hosts(first, last))
        for key, amount in charges(under_way).items():
            hosts, used = found.get(key, (0.0, 0.0))
            found[key] = (hosts, used + amount)
        for environment in state.environments.values():
            for known in environment.hosts.values():
                for key, amount in host_costs(known.host, now).items():
                    hosts, used = found.get(key, (0.0, 0.0))
                    found[key] = (hosts + amount, used)
        return [
            {
                "day": _date(day),
                "environment": name,
                "hosts": hosts,
                "used": used,
                "idle": max(0.0, hosts - used),
            }
            for (day, name), (hosts, used) in sorted(found.items())
            if day >= first
        ]

    def _under_way(self, now: int) -> Iterator[EndedAttempt]:
        """Attempts that run, as if they ended now."""
        state = self._loop.state
        for name, environment in state.environments.items():
            for host in environment.hosts.values():
                for job_id in host.occupants:
                    found = state.find(job_id)
                    if found is not None:
                        yield _as_if_ended(found[0], state.run_of(*found), name, now)


def _as_if_ended(live: LiveJob, run: Run, environment: str, now: int) -> EndedAttempt:
    attempt = Attempt(
        number=run.attempt,
        host=run.host,
        started_at=run.started_at,
        stopped_at=now,
        exit_code=None,
        reason=None,
        status_reason="",
        price=run.price,
        spot_price=run.spot_price,
        is_spot=run.is_spot,
    )
    return EndedAttempt(live.job, environment, attempt)


def _queue(day: int, queue: str, known: Sums) -> Json:
    return {
        "day": _date(day),
        "queue": queue,
        "submitted": known.submitted,
        "succeeded": known.succeeded,
        "failed": known.failed,
        "attempts": known.attempts,
        "seconds": known.milliseconds / 1000,
        "cpuSeconds": known.cpu_seconds,
        "charged": known.charged,
        "onDemand": known.on_demand,
        "lost": known.lost,
        "saved": known.saved,
    }


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_MS / 1000, UTC).strftime("%Y-%m-%d")
