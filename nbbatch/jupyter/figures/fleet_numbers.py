"""The numbers behind the figures of queues, environments and simulations, read from a backend's answers.

A series of the daemon's has a value for each of at most some hundred times; one call gives all of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

from nbbatch.client.backend import Backend
from nbbatch.errors import OptionError, UnknownNameError
from nbbatch.jupyter.figures.fleet import DEPTH, Capacity, Depth, Interruptions, Share
from nbbatch.jupyter.figures.money import Candidate, SpotDay
from nbbatch.jupyter.figures.numbers import POINTS
from nbbatch.model.resources import parse_duration

_HOUR, _MONTH, _DAY = "1h", "30d", 86_400
_FINEST = 1000
"""Milliseconds: the daemon's own limit."""
_STRETCHES = 40
"""Bars of a figure that counts what happens now and then."""
_Series = Mapping[str, Sequence[float | None]]


def depth_of(backend: Backend, since: str, queue: str | None) -> Depth:
    """Jobs by status over time, of one queue or of all together."""
    return read_depth(ask_series(backend, since or _HOUR), queue)


def read_depth(answer: Mapping[str, Any], queue: str | None) -> Depth:
    """The same from the daemon's answer."""
    series = _chosen(answer["queues"], queue, "queue")
    columns = [_sum(one[f"Jobs{status.value.capitalize()}"] for one in series) for status in DEPTH]
    times, columns = _since_known(_moments(answer["times"]), columns)
    return Depth(times=times, jobs=dict(zip(DEPTH, columns, strict=True)))


def capacity_of(backend: Backend, since: str, environment: str | None) -> Capacity:
    """VCPUs over time, of one compute environment or of all together."""
    return read_capacity(ask_series(backend, since or _HOUR), environment)


def read_capacity(answer: Mapping[str, Any], environment: str | None) -> Capacity:
    """The same from the daemon's answer."""
    series = _chosen(answer["environments"], environment, "compute environment")
    columns = [_sum(one[name] for one in series) for name in ("DesiredvCpus", "ActualvCpus", "UsedvCpus")]
    times, (wanted, provisioned, used) = _since_known(_moments(answer["times"]), columns)
    return Capacity(times=times, wanted=wanted, provisioned=provisioned, used=used)


def interruptions_of(backend: Backend, since: str, environment: str | None) -> Interruptions:
    """What Spot took back over time, in one compute environment or in all together."""
    return read_interruptions(ask_series(backend, since or _HOUR), environment)


def read_interruptions(answer: Mapping[str, Any], environment: str | None) -> Interruptions:
    """The same from the daemon's answer, which has totals; from the first look on."""
    series = _chosen(answer["environments"], environment, "compute environment")
    names = ("SpotInterruptionsTotal", "SpotAttemptsLostTotal")
    known = (place for one in series for place, total in enumerate(one[names[0]]) if total is not None)
    first = max(0, min(known, default=0) - 1)
    moments = _moments(answer["times"])[first:]
    steps = len(moments) - 1
    each = max(1, -(-steps // _STRETCHES))
    hosts, attempts = (
        [sum(step) for step in zip(*(_grown(one[name][first:]) for one in series), strict=True)]
        or [0] * steps
        for name in names
    )
    cuts = range(steps % each, steps, each)
    return Interruptions(
        times=[moments[cut] for cut in (*cuts, steps)],
        hosts=[sum(hosts[cut : cut + each]) for cut in cuts],
        attempts=[sum(attempts[cut : cut + each]) for cut in cuts],
    )


def _grown(totals: Sequence[float | None]) -> list[int]:
    """By how much a total grew in each step: what is first seen within the time shown began at nothing."""
    known = [round(total or 0) for total in totals]
    return [after - before if after >= before else after for before, after in pairwise(known)]


def spot_of(backend: Backend, since: str, queue: str | None) -> list[SpotDay]:
    """What Spot saved and lost by day (UTC), days without jobs, too."""
    days = max(1, -(-parse_duration(since or _MONTH) // _DAY))
    rows = backend.private("costs", {"days": int(days)})["queues"]
    return spot_days([row for row in rows if queue in (None, row["queue"])], int(days))


def spot_days(rows: Iterable[Mapping[str, Any]], days: int) -> list[SpotDay]:
    """The same from the daemon's rows by day and queue; from the first day on that has any."""
    found: dict[str, list[float]] = {}
    for row in rows:
        sums = found.setdefault(row["day"], [0.0, 0.0])
        sums[0] += row["saved"]
        sums[1] += row["lost"]
    first = min(found, default="")
    return [
        SpotDay(day=day, saved=found.get(day, [0.0])[0], lost=found.get(day, [0.0, 0.0])[1])
        for day in days_until(f"{datetime.now(UTC):%Y-%m-%d}", days)
        if first and day >= first
    ]


def shares_of(backend: Backend, queue: str | None) -> list[Share]:
    """Shares that use something now: vCPUs, and what their weights give them beside each other."""
    if queue is None:
        raise OptionError("Shares are those of one queue.", cure='Name it: figure("shares", name="default").')
    with backend.errors():
        known = backend.batch.describe_job_queues(jobQueues=[queue])["jobQueues"]
        if not known:
            raise UnknownNameError(f"There is no queue {queue!r}.", cure="nbbatch.queues() lists them.")
        policy = known[0].get("schedulingPolicyArn")
        if not policy:
            raise OptionError(
                f"Queue {queue} serves jobs in their order.", cure="A scheduling policy makes it share."
            )
        told = backend.batch.describe_scheduling_policies(arns=[policy])["schedulingPolicies"][0]
        reply = backend.batch.get_job_queue_snapshot(jobQueue=queue)
    used = reply.get("queueUtilization", {}).get("fairshareUtilization", {}).get("topCapacityUtilization", ())
    weights = (told.get("fairsharePolicy") or {}).get("shareDistribution") or ()
    return shares({one["shareIdentifier"]: _quantity(one) for one in used}, weights)


def shares(used: Mapping[str, float], weights: Iterable[Mapping[str, Any]]) -> list[Share]:
    """Shares with the part each is entitled to.

    A weight factor of 0.5 gives twice as much as one of 1, and what ends in `*` counts for all that begin
    so (API reference, ShareAttributes).
    """
    parts = {name: 1 / _weight(name, list(weights)) for name in used}
    total = sum(parts.values())
    return [Share(name=name, vcpus=vcpus, entitled=parts[name] / total) for name, vcpus in used.items()]


def worlds_of(forecast: Any) -> list[Candidate]:
    """The worlds of a simulation, in its order."""
    return [
        Candidate(name=str(name), makespans=rows["makespan"].tolist(), costs=rows["cost"].tolist())
        for name, rows in forecast.groupby("world", sort=False)
    ]


def ask_series(backend: Backend, since: str) -> Any:
    """The daemon's series from then until now, of so many points as a figure shows.

    Raises
    ------
    NotOnAwsError
        The numbers are CloudWatch's.
    """
    now = round(1000 * time.time())
    span = round(1000 * parse_duration(since))
    step = max(_FINEST, span // POINTS)
    return backend.private("metrics", {"start": now - span, "end": now, "step": step})


def _chosen(series: Mapping[str, _Series], name: str | None, what: str) -> list[_Series]:
    if name is None:
        return list(series.values())
    if name not in series:
        raise UnknownNameError(
            f"No numbers are kept of a {what} {name!r}.", cure=f"There are {', '.join(series) or 'none yet'}."
        )
    return [series[name]]


def _sum(columns: Iterable[Sequence[float | None]]) -> list[float | None]:
    """At each time the sum of those that are known."""
    rows = zip(*columns, strict=True)
    return [sum(known) if (known := [one for one in row if one is not None]) else None for row in rows]


def _since_known(
    times: list[datetime], columns: Sequence[list[float | None]]
) -> tuple[list[datetime], list[list[float | None]]]:
    """What is known from the first look on; a single look holds for a step, so that it is seen."""
    known = [place for column in columns for place, value in enumerate(column) if value is not None]
    first = min(known, default=0)
    if 0 < first == len(times) - 1:
        return times[first - 1 :], [[*column[first:], *column[first:]] for column in columns]
    return times[first:], [column[first:] for column in columns]


def _moments(times: Iterable[int]) -> list[datetime]:
    """In this machine's time zone and without its name: plotly shows them as they are."""
    return [datetime.fromtimestamp(one / 1000, UTC).astimezone().replace(tzinfo=None) for one in times]


def days_until(last: str, count: int) -> list[str]:
    """So many days, the last one among them, as `2026-01-31`."""
    end = date.fromisoformat(last)
    return [str(end - timedelta(days=back)) for back in range(count - 1, -1, -1)]


def _quantity(told: Mapping[str, Any]) -> float:
    return float(sum(one["quantity"] for one in told["capacityUsage"]))


def _weight(name: str, weights: Sequence[Mapping[str, Any]]) -> float:
    for one in weights:
        pattern = one["shareIdentifier"]
        if name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1])):
            return float(one.get("weightFactor") or 1.0)
    return 1.0
