"""`%batch cost`: what a job has cost, or the last days by queue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from nbbatch.client.format import dollars
from nbbatch.client.handles.outcome import short_id
from nbbatch.client.money.costs import ask
from nbbatch.client.tables import Table
from nbbatch.jupyter.cells import find_job
from nbbatch.jupyter.commands import Call
from nbbatch.jupyter.console import Console, console_for
from nbbatch.jupyter.story import cost_in_words

_DAYS = 7
_HEAD = ("day", "queue", "jobs", "failed", "cost", "on demand", "saved by spot", "lost to spot")


def show_cost(shell: Any, call: Call, backend: str | None) -> Table | None:
    """`%batch cost [ID] [--days N]`: of a job so far, or by day and queue (UTC) with today's sum."""
    console = console_for(shell)
    if call.job:
        _tell_cost_of_job(shell, call, backend, console)
        return None
    days = call.options.get("days", _DAYS)
    rows: list[Mapping[str, Any]] = ask(days, backend)["queues"]
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    spent_today = _sum(row["charged"] for row in rows if row["day"] == today)
    console.line(f"today (UTC) {spent_today} · last {days} days {_sum(row['charged'] for row in rows)}")
    return Table(_HEAD, [_row(row) for row in reversed(rows)], empty="nothing has cost anything")


def _tell_cost_of_job(shell: Any, call: Call, backend: str | None, console: Console) -> None:
    job = find_job(call.job, shell.user_ns, backend)
    account = job.account()
    said = "its backend keeps no account of it" if account is None else cost_in_words(account)
    console.line(f"job {short_id(job.id)} {job.name} · {said}")


def _row(row: Mapping[str, Any]) -> tuple[str, ...]:
    money = (dollars(row[name]) for name in ("charged", "onDemand", "saved", "lost"))
    return row["day"], row["queue"], str(row["submitted"]), str(row["failed"]), *money


def _sum(amounts: Iterable[float]) -> str:
    return dollars(sum(amounts))
