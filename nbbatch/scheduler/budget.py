"""Budget caps: a job or a day spends no more than it may, beyond what stopping takes.

A job's cap is its tag `nbbatch:maxCost` in dollars and counts all attempts, of an array those of all
children; a day's cap (UTC) is a setting. The moment at which a cap is reached is known from what runs
at which price, and is a deadline. A job whose cap is reached is terminated. When the day's is, what
runs is stopped, what waits goes on the next day, and nothing new is taken in.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal

from nbbatch.errors import ClientException
from nbbatch.model.jobs import Attempt, JobId, JobStatus, Run
from nbbatch.scheduler.ledger import DAY_MS
from nbbatch.scheduler.spending import Spending
from nbbatch.scheduler.state import DeadlineKind, LiveJob, SchedulerState

MAX_COST_TAG = "nbbatch:maxCost"
DAY = "day"
"""Subject of the day's deadline."""
_HAIR = 1e-9
"""Dollars by which sums of floating-point numbers may differ."""


def cap_of(tags: Mapping[str, str]) -> float | None:
    """Dollars that a job with these tags may spend; None when nothing says so.

    Raises
    ------
    ClientException
        When the tag is no positive number.
    """
    text = tags.get(MAX_COST_TAG)
    if text is None:
        return None
    try:
        cap = float(text)
    except ValueError:
        cap = math.nan
    if not 0 < cap < math.inf:
        raise ClientException(f"tags: {MAX_COST_TAG} is {text!r}, and must be a number of dollars above 0.")
    return cap


def check_day(state: SchedulerState, now: int) -> None:
    """Take nothing new in when the day's budget is spent.

    Raises
    ------
    ClientException
        When it is; says how much, and when it begins anew.
    """
    if is_day_spent(state, now):
        raise ClientException(f"{_day_reason(state, now)} New jobs are taken in from midnight UTC on.")


def is_day_spent(state: SchedulerState, now: int) -> bool:
    """Whether nothing may be started today any more."""
    cap = _day_cap(state)
    return cap is not None and spent_today(state, now) >= cap - 2 * _HAIR


def spent_today(state: SchedulerState, now: int) -> float:
    """Dollars since midnight (UTC); changes nothing."""
    spending, day = state.day_spending, now // DAY_MS
    return spending.at(now) if spending.day == day else _new_day(spending, day).at(now)


def note_started(state: SchedulerState, live: LiveJob, run: Run, now: int) -> None:
    """An attempt runs from its `started_at` on."""
    started_at = run.started_at if run.started_at is not None else now
    price = run.spot_price if run.is_spot else run.price
    today = _today(state, now)
    today.begin(price, max(started_at, today.day * DAY_MS))
    live.spending.begin(price, started_at)
    if state.day_budget is not None or live.job.tags:
        _watch_both(state, live, now)


def note_ended(
    state: SchedulerState, live: LiveJob, attempt: Attempt, noted_start: int | None, now: int
) -> None:
    """An attempt is over; `noted_start` is the start that was noted, None when none was."""
    today = _today(state, now)
    _end(today, attempt, noted_start, floor=today.day * DAY_MS)
    _end(live.spending, attempt, noted_start, floor=0)
    if state.day_budget is not None or live.job.tags:
        _watch_both(state, live, now)


def watch_job(state: SchedulerState, live: LiveJob, now: int) -> None:
    """Look at a job again when its cap is reached; at once, when it is."""
    cap = cap_of(live.job.tags)
    if cap is not None:
        _watch(state, live.spending, cap, live.job.id, now)


def watch_day(state: SchedulerState, now: int) -> None:
    """Look at the day again when its cap is reached; at once, when it is."""
    cap = _day_cap(state)
    if cap is not None:
        _watch(state, _today(state, now), cap, DAY, now)


def due_job(state: SchedulerState, job_id: str, now: int) -> str | None:
    """The reason to stop a job whose deadline has come; None when it may go on."""
    live = state.jobs.get(JobId(job_id))
    if live is None or live.run.is_terminated:
        return None
    live.spending.due = None
    cap, spent = cap_of(live.job.tags), live.spending.at(now)
    if cap is not None and spent >= cap - 2 * _HAIR:
        return f"Budget: the job's cap of {_dollars(cap)} (tag {MAX_COST_TAG}) is reached: {_spent(spent)} are spent."
    watch_job(state, live, now)
    return None


def due_day(state: SchedulerState, now: int) -> str | None:
    """The reason to stop all that runs; None when the day may go on."""
    _today(state, now).due = None
    if is_day_spent(state, now):
        state.remind((now // DAY_MS + 1) * DAY_MS, DeadlineKind.BUDGET, DAY)
        return _day_reason(state, now)
    watch_day(state, now)
    return None


def explain_day(state: SchedulerState) -> list[str]:
    """Why nothing starts today any more; empty when the day goes on."""
    if not is_day_spent(state, state.now):
        return []
    return [f"{_day_reason(state, state.now)} What waits goes on at midnight UTC."]


def explain_cap(state: SchedulerState, live: LiveJob) -> list[str]:
    """What a job may spend, and what it has spent; empty when nothing limits it."""
    cap = cap_of(live.job.tags)
    if cap is None:
        return []
    spent = _spent(live.spending.at(state.now))
    return [f"It may cost {_dollars(cap)} (tag {MAX_COST_TAG}), and {spent} are spent."]


def restore_ended(live: LiveJob, runs: Iterable[Run]) -> None:
    """What the ended attempts of a job have spent."""
    for run in runs:
        for attempt in run.attempts:
            _end(live.spending, attempt, None, floor=0)


def restore_running(state: SchedulerState, spent: float) -> None:
    """Build the lines again: what ended attempts have spent today, and what runs."""
    state.day_spending = Spending(day=state.now // DAY_MS, base=spent)
    for live in state.jobs.values():
        for _, run in live.under_way():
            if run.status is JobStatus.RUNNING:
                note_started(state, live, run, state.now)
    watch_day(state, state.now)


def _end(spending: Spending, attempt: Attempt, noted_start: int | None, *, floor: int) -> None:
    """Replace an attempt's part of the line by what it cost, as far as it lies behind the floor."""
    price = attempt.spot_price if attempt.is_spot else attempt.price
    started_at, stopped_at = attempt.started_at, attempt.stopped_at
    if noted_start is not None:
        spending.end(price, max(floor, noted_start))
    if started_at is not None and stopped_at > floor:
        spending.add(price, max(floor, started_at), stopped_at)


def _watch_both(state: SchedulerState, live: LiveJob, now: int) -> None:
    if state.day_budget is not None:
        watch_day(state, now)
    if MAX_COST_TAG in live.job.tags:
        watch_job(state, live, now)


def _watch(state: SchedulerState, spending: Spending, cap: float, subject: str, now: int) -> None:
    """One deadline at a time: a later one is found when an earlier one comes."""
    reached = spending.reaches(cap - _HAIR, now)
    if reached is not None and (spending.due is None or reached < spending.due):
        spending.due = reached
        state.remind(reached, DeadlineKind.BUDGET, subject)


def _day_cap(state: SchedulerState) -> float | None:
    return None if state.day_budget is None else state.day_budget.dollars


def _today(state: SchedulerState, now: int) -> Spending:
    """The day's line; at midnight it begins anew with what runs."""
    day = now // DAY_MS
    if state.day_spending.day != day:
        state.day_spending = _new_day(state.day_spending, day)
    return state.day_spending


def _new_day(spending: Spending, day: int) -> Spending:
    fresh = Spending(day=day)
    fresh.begin(spending.rate, day * DAY_MS)
    return fresh


def _day_reason(state: SchedulerState, now: int) -> str:
    cap, spent = _dollars(_day_cap(state) or 0), _spent(spent_today(state, now))
    return f"Budget: the day's cap of {cap} is reached: {spent} are spent."


def _dollars(cap: float) -> str:
    """As somebody wrote it: never `$1e-05`."""
    return f"${Decimal(f'{cap:g}'):f}"


def _spent(amount: float) -> str:
    """Four digits after the point, of less than a tenth of a cent two that mean something."""
    return f"${amount:.4f}" if amount >= 0.001 else f"${Decimal(f'{amount:.2g}'):f}"  # noqa: PLR2004 - see above
