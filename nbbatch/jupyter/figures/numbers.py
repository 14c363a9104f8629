"""The numbers behind the figures of a job: pure, from its children as columns. No plotly here.

Everything is made by whole columns, so that 10,000 children take milliseconds, and is cut to what a
picture can show, so that the figure of a large array is not larger than that of a small one. Times are
seconds since the job was submitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from nbbatch.client.arrays.children import STATUSES, Children
from nbbatch.client.handles.outcome import Outcome
from nbbatch.client.money.history import Measured
from nbbatch.jupyter.figures.palette import CODES
from nbbatch.model.jobs import JobStatus

if TYPE_CHECKING:
    from numpy.typing import NDArray

POINTS = 160
"""Points of a curve: more than one for each four pixels nobody sees."""
MOST_BARS = 400
"""Attempts that a timeline shows one by one."""
_NAMED = 8
"""Children that a hover text names."""
_SURE = 1.645
"""Standard deviations on either side that hold nine of ten values."""
_FEWEST = 3
"""Ended children from which a rate is told."""
_RECENT = 0.35
"""Part of the time since the first start whose rate is taken for what comes."""
_MARKED = 40
"""Outliers that are marked one by one."""
_VERY_FAR = 20
"""Medians beyond which a linear scale shows nothing but the longest."""
_FAR = 3.0
"""Interquartile ranges beyond the quartiles at which a value is far out (Tukey 1977)."""

_STATUS_CODES = np.array([CODES.get(status, CODES[Outcome.EXITED]) for status in STATUSES], dtype=np.uint8)

Seconds = Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where each child is: `codes` are places in `palette.ORDER`, `words` by code where they say more."""

    codes: NDArray[np.uint8]

    @property
    def counts(self) -> dict[int, int]:
        """Children by code, in the order of the palette."""
        found, numbers = np.unique(self.codes, return_counts=True)
        return dict(zip(found.tolist(), numbers.tolist(), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class States:
    """How many children were in which state: `waiting`, `running`, `succeeded`, `failed` at `times`."""

    times: Seconds
    waiting: Sequence[int]
    running: Sequence[int]
    succeeded: Sequence[int]
    failed: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How quickly children end, and when all will have.

    Parameters
    ----------
    times, ended : sequences
        Children that had ended by then.
    bins, rates : sequences
        Middles of stretches of time, and children that ended in each, per minute.
    width : float
        Seconds of a stretch.
    size : int
        Children in all.
    now : float
        Seconds since the job was submitted.
    left : tuple of float, or None
        Seconds until all have ended: nine of ten times between the first and the last, likeliest the
        middle one. None when all have, or when too few have to tell.
    """

    times: Seconds
    ended: Sequence[int]
    bins: Seconds
    rates: Seconds
    width: float
    size: int
    now: float
    left: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """How long attempts ran that have ended.

    `edges` are one more than `counts`, which are of all. `far` lie far out of the middle half; of them
    `outliers` are the longest, as (child, seconds), and `slowest` is the longest of all. Logarithmic where
    the longest is very far from the middle.
    """

    edges: Seconds
    counts: Sequence[int]
    outliers: Sequence[tuple[int, float]]
    far: int
    median: float
    p95: float
    slowest: tuple[int, float]
    is_logarithmic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Children that failed alike: `words` say how, `children` are the first few."""

    outcome: Outcome
    words: str
    count: int
    children: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """An attempt on a host: `lane` is its row among those of the host at the same time."""

    child: int
    host: str
    lane: int
    start: float
    end: float
    code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """Attempts by host and time: `running[host][time]` on average in each stretch of `width` seconds."""

    hosts: Sequence[str]
    times: Seconds
    width: float
    running: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """Dollars as they came together.

    Parameters
    ----------
    times, on_demand, spot : sequences
        So far, at either price.
    until : float or None
        When all will have ended; None when it has, or nobody knows.
    range : tuple of float, or None
        What all will have cost on demand then: low, expected, high.
    """

    times: Seconds
    on_demand: Seconds
    spot: Seconds
    until: float | None
    range: tuple[float, float, float] | None


def progress_of(children: Children) -> Progress:
    """Where each child is, failed ones by how."""
    codes = _STATUS_CODES[children.statuses]
    failures = children.failures
    if len(failures.child):
        by_end = np.array(
            [CODES.get(ended, CODES[Outcome.EXITED]) for ended in failures.outcomes], dtype=np.uint8
        )
        codes[failures.child] = by_end[failures.end]
    return Progress(codes=codes)


def states_of(children: Children) -> States:
    """Children by state over time."""
    times = _times(children)
    succeeded, failed = (_counted(ends, times) for ends in _ends(children))
    attempts = children.attempts
    started = _counted(_since(children, attempts.started), times)
    stopped = _counted(_since(children, attempts.stopped[attempts.is_over]), times)
    running = np.clip(started - stopped, 0, len(children) - succeeded - failed)
    waiting = len(children) - running - succeeded - failed
    return States(
        times=_rounded(times),
        waiting=waiting.tolist(),
        running=running.tolist(),
        succeeded=succeeded.tolist(),
        failed=failed.tolist(),
    )


def pace_of(children: Children) -> Pace:
    """Throughput, and what it promises."""
    times = _times(children)
    ends = np.sort(np.concatenate(_ends(children)))
    now = _now(children)
    width = _width(now)
    edges = width * np.arange(int(now / width) + 2)
    if len(edges) > 2 and now - edges[-2] < width / 2:  # noqa: PLR2004 - one stretch has two edges
        edges = np.append(edges[:-2], now)  # what has hardly begun goes with the stretch before
    counts, _ = np.histogram(ends, edges)
    covered = np.minimum(edges[1:], now) - edges[:-1]
    return Pace(
        times=_rounded(times),
        ended=_counted(ends, times).tolist(),
        bins=_rounded(np.asarray(edges[:-1] + width / 2, dtype=np.float64)),
        rates=(counts * 60 / np.maximum(covered, 1e-3)).round(3).tolist(),
        width=width,
        size=len(children),
        now=now,
        left=time_left(ends.tolist(), len(children), now, first=_first_start(children)),
    )


def time_left(
    ends: Seconds, size: int, now: float, *, first: float = 0.0
) -> tuple[float, float, float] | None:
    """Seconds until all children have ended: low, expected, high; None where it cannot be told.

    Those that end in a stretch of time are taken as a Poisson process with the rate of the recent past,
    whose uncertainty is that of the number seen there.
    """
    if len(ends) < _FEWEST or len(ends) >= size or now <= first:
        return None
    window = _RECENT * (now - first)
    seen = sum(1 for end in ends if end > now - window)
    if seen < _FEWEST:
        window, seen = now - first, len(ends)
    room = _SURE * sqrt(seen)
    left = size - len(ends)
    low, expected, high = (left * window / rate for rate in (seen + room, seen, max(seen - room, seen / 4)))
    return low, expected, high


def durations_of(children: Children) -> Durations | None:
    """How long ended attempts ran; None where none has ended."""
    attempts = children.attempts
    took = (attempts.stopped - attempts.started)[attempts.is_over] / 1000
    if not len(took):
        return None
    owners = attempts.child[attempts.is_over]
    first, median, third = np.quantile(took, (0.25, 0.5, 0.75))
    spread = max(third - first, 0.05 * median)
    is_far = (took > third + _FAR * spread) | (took < first - _FAR * spread)
    is_log = bool(took.max() > _VERY_FAR * max(median, 1e-3))
    edges = _edges(took, is_logarithmic=is_log)
    longest = np.argsort(took)[::-1]
    outliers = longest[is_far[longest]][:_MARKED]
    return Durations(
        edges=np.round(edges, 4).tolist(),
        counts=np.histogram(np.clip(took, edges[0], edges[-1]), edges)[0].tolist(),
        outliers=[(int(owners[place]), float(took[place])) for place in outliers],
        far=int(is_far.sum()),
        median=float(median),
        p95=float(np.quantile(took, 0.95)),
        slowest=(int(owners[longest[0]]), float(took[longest[0]])),
        is_logarithmic=is_log,
    )


def reasons_of(children: Children) -> list[Reason]:
    """Failures by reason, most frequent first."""
    failures = children.failures
    found = []
    for place, (ended, words) in enumerate(zip(failures.outcomes, failures.words, strict=True)):
        alike = np.sort(failures.child[failures.end == place])
        first = alike[:_NAMED].tolist()
        if len(alike):
            found.append(Reason(outcome=ended, words=words, count=len(alike), children=first))
    return sorted(found, key=lambda reason: -reason.count)


def bars_of(children: Children) -> list[Bar]:
    """Attempts by host, in lanes that do not overlap; hosts in the order in which they came."""
    attempts, progress = children.attempts, progress_of(children)
    bars: list[Bar] = []
    lanes: dict[int, list[int]] = {}
    for place in np.argsort(attempts.started, kind="stable").tolist():
        started, stopped = int(attempts.started[place]), int(attempts.stopped[place])
        free = lanes.setdefault(int(attempts.host[place]), [])
        lane = next((lane for lane, until in enumerate(free) if until <= started), len(free))
        free[lane : lane + 1] = [stopped]
        bars.append(
            Bar(
                child=int(attempts.child[place]),
                host=host_name(children.hosts, int(attempts.host[place])),
                lane=lane,
                start=(started - children.created) / 1000,
                end=(stopped - children.created) / 1000,
                code=_code_of(children, progress, place),
            )
        )
    return bars


def busy_of(children: Children) -> Busy:
    """How many attempts each host ran, over time, where there are too many to draw each."""
    attempts, now = children.attempts, _now(children)
    width = max(now, 1e-3) / POINTS
    places = np.unique(attempts.host)
    running = np.zeros((len(places), POINTS + 1))
    row = np.searchsorted(places, attempts.host)
    for moments, sign in ((attempts.started, 1.0), (attempts.stopped, -1.0)):
        at = np.clip(_since(children, moments) / width, 0, POINTS)
        column = at.astype(np.int64)
        # a change within a stretch counts there for the rest of it, and whole from the next one on
        share = 1 - (at - column)
        np.add.at(running, (row, column), sign * share)
        np.add.at(running, (row, np.minimum(column + 1, POINTS)), sign * (1 - share))
    totals = np.cumsum(running, axis=1)[:, :POINTS].clip(min=0)
    return Busy(
        hosts=[host_name(children.hosts, int(place)) for place in places],
        times=_rounded(np.linspace(0.5, POINTS - 0.5, POINTS) * width),
        width=width,
        running=totals.astype(np.float32),
    )


def spending_of(children: Children, *, on_demand: float, spot: float) -> Spending:
    """Dollars over time.

    Parameters
    ----------
    children : Children
        Of the job.
    on_demand, spot : float
        Its account so far. It is spread over the time by how many attempts ran: their shares of hosts
        cost alike.
    """
    times, attempts = _times(children), children.attempts
    started, stopped = _since(children, attempts.started), _since(children, attempts.stopped)
    ran = _area(started, times) - _area(stopped, times)
    total = float(ran[-1]) if len(ran) else 0.0
    share = ran / total if total else np.zeros(len(times))
    left = pace_of(children).left
    return Spending(
        times=_rounded(times),
        on_demand=_money(share * on_demand),
        spot=_money(share * spot),
        until=None if left is None else _now(children) + left[1],
        range=_range(children, on_demand, total),
    )


def _range(children: Children, spent: float, ran: float) -> tuple[float, float, float] | None:
    """What all children will have cost, by how long those took that have ended."""
    attempts = children.attempts
    took = ((attempts.stopped - attempts.started)[attempts.is_over] / 1000).tolist()
    left = len(children) - sum(len(ends) for ends in _ends(children))
    if not left or len(took) < _FEWEST or not ran:
        return None
    under_way = float((attempts.stopped - attempts.started)[~attempts.is_over].sum()) / 1000
    span = Measured(seconds=tuple(took), jobs=(), is_same_code=True).span(left)
    rate = spent / ran
    low, expected, high = (spent + rate * max(0.0, seconds - under_way) for seconds in span)
    return low, expected, high


def host_name(hosts: Sequence[str], place: int) -> str:
    """A host as a person tells it from others."""
    return hosts[place] if 0 <= place < len(hosts) else "unknown host"


def _code_of(children: Children, progress: Progress, place: int) -> int:
    attempts = children.attempts
    if attempts.is_lost[place]:
        return CODES[Outcome.HOST_LOST]
    if not attempts.is_over[place]:
        return CODES[JobStatus.RUNNING]
    child = attempts.child[place]
    is_last = attempts.started[attempts.child == child].max() == attempts.started[place]
    code = int(progress.codes[child])
    return code if is_last and code >= CODES[JobStatus.SUCCEEDED] else CODES[Outcome.EXITED]


def _now(children: Children) -> float:
    return (children.now - children.created) / 1000


def _since(children: Children, moments: NDArray[np.int64]) -> NDArray[np.float64]:
    seconds: NDArray[np.float64] = np.clip((moments - children.created) / 1000, 0, _now(children))
    return seconds


def _times(children: Children) -> NDArray[np.float64]:
    return np.linspace(0, max(_now(children), 1e-3), POINTS)


def _ends(children: Children) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """When children succeeded, and when they failed; a retried one ends once."""
    attempts = children.attempts
    is_done = children.statuses == STATUSES.index(JobStatus.SUCCEEDED)
    last = np.zeros(len(children), dtype=np.int64)
    np.maximum.at(last, attempts.child, attempts.stopped)
    return _since(children, last[is_done]), _since(children, children.failures.stopped)


def _first_start(children: Children) -> float:
    started = _since(children, children.attempts.started)
    return float(started.min()) if len(started) else 0.0


def _counted(moments: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many of the moments had come by each of the times."""
    counted: NDArray[np.int64] = np.searchsorted(np.sort(moments), times, side="right")
    return counted


def _area(moments: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over the moments of the time since each, at each of the times."""
    ordered = np.sort(moments)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    come = np.searchsorted(ordered, times, side="right")
    area: NDArray[np.float64] = come * times - sums[come]
    return area


def _width(length: float) -> float:
    """Seconds of a stretch for rates: about forty in all, and a round number."""
    wanted = max(length, 1e-3) / 40
    power = 10 ** np.floor(np.log10(wanted))
    return float(next(power * step for step in (1, 2, 5, 10) if power * step >= wanted))


def _edges(took: NDArray[np.float64], *, is_logarithmic: bool) -> NDArray[np.float64]:
    """Edges of about forty bins; none is narrower than AWS's timestamps tell apart."""
    low, high = max(float(took.min()), 1e-3), max(float(took.max()), 2e-3)
    bins = int(np.clip(2 * np.sqrt(len(took)), 8, 40))
    if is_logarithmic:
        return np.geomspace(low * 0.999, high * 1.001, bins + 1)
    width = max(high - low, 0.02 * high, 1e-3)
    first = max(0.0, (low + high - width) / 2 - 0.001)
    edges: NDArray[np.float64] = np.linspace(first, (low + high + width) / 2 + 0.001 * width, bins + 1)
    return edges


def _rounded(values: NDArray[np.float64]) -> list[float]:
    """To what a pixel shows: JSON is a third smaller."""
    rounded: list[float] = values.round(2).tolist()
    return rounded


def _money(values: NDArray[np.float64]) -> list[float]:
    largest = float(values.max()) if len(values) else 0.0
    digits = 6 if largest <= 0 else int(np.clip(4 - np.floor(np.log10(largest)), 2, 12))
    money: list[float] = values.round(digits).tolist()
    return money
