"""A job that would pass its cap, or what is left of the day's budget, is refused before it is sent.

What it will cost is known where runs of the same code were measured; else a timeout says what it costs
at worst. Where neither is there nothing is refused here, and the daemon's own rule remains: it stops a
job at its cap and everything at the day's. Nobody is asked for anything unless there is a cap.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from nbbatch.client.arrays.shape import read_array
from nbbatch.client.backend import Backend
from nbbatch.client.config import home
from nbbatch.client.format import dollars
from nbbatch.client.money.estimate import Estimate, plan_of, priced
from nbbatch.client.money.history import Runs, measured
from nbbatch.client.packing.digest import CODE_VARIABLE
from nbbatch.client.spec import JobSpec
from nbbatch.errors import NotOnAwsError, OverBudgetError, ResultLostError


def check_budget(backend: Backend, spec: JobSpec) -> None:
    """Let a job pass that keeps to its cap and to the day's budget, as far as anybody knows.

    Raises
    ------
    OverBudgetError
        When it will cost more, or may cost more where only its timeout is known.
    """
    cap, day = spec.options.max_cost, _day(backend)
    if cap is None and day is None:
        return
    told = _estimate(backend, spec)
    amount = told.expected if told.expected is not None else told.worst
    if amount is None:
        return
    if cap is not None and amount > cap:
        raise OverBudgetError(f"{_told(told)}, and max_cost is {dollars(cap)}.", cure=_cure(told))
    if day is not None and amount > max(0.0, day.left):
        wait = "wait for midnight UTC, " if amount <= day.cap else ""
        less = "give it less to do" if told.expected is not None else "give a shorter timeout"
        raise OverBudgetError(
            f"{_told(told)}, and of today's budget of {dollars(day.cap)} {dollars(max(0.0, day.left))} are left.",
            cure=f"{less.capitalize()}, {wait}or raise it: nbbatch local budget --per-day DOLLARS.",
        )


class _Day(NamedTuple):
    """Dollars that it may cost, and what is left of them."""

    cap: float
    left: float


def _day(backend: Backend) -> _Day | None:
    """The day's budget; None where there is none."""
    try:
        known = backend.private("budget", {})
    except NotOnAwsError:
        return None
    cap = known.get("perDay")
    return None if cap is None else _Day(cap, cap - known["spentToday"])


def _estimate(backend: Backend, spec: JobSpec) -> Estimate:
    """Without the job's own cap, which is what it is compared with."""
    items, chunk = _shape(backend, spec)
    plan = replace(plan_of(backend, replace(spec.options, max_cost=None)), items=items, chunk=chunk)
    code = spec.environment.get(CODE_VARIABLE, "")
    history = (Runs(home()).get(backend, code) or measured(backend, code=code)) if code else None
    return priced(plan, seconds=None, history=history)


def _shape(backend: Backend, spec: JobSpec) -> tuple[int, int]:
    """Items, and how many of them a child runs."""
    with suppress(ResultLostError):
        array = read_array(backend.store, spec.bundle.rstrip("/").rpartition("/")[2]) if spec.bundle else None
        if array is not None:
            return array.shape.items, array.shape.chunk
    return spec.size or 1, 1


def _told(told: Estimate) -> str:
    if told.expected is not None:
        return f"It will cost about {dollars(told.expected)} ({told.because})"
    return f"It may cost {dollars(told.worst or 0)} ({told.worst_because})"


def _cure(told: Estimate) -> str:
    if told.expected is not None:
        return "Give a higher max_cost, or fewer items, smaller hosts or Spot capacity."
    return "Give a shorter timeout or a higher max_cost; without a timeout it is stopped when it has cost max_cost."
