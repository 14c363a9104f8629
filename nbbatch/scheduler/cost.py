"""What running costs: the share of a host that an attempt holds, times how long it runs.

AWS Batch itself is free; its hosts are not (pricing page). An attempt's share of its host is the
largest of its shares of vCPU, memory and GPUs, because what it holds of the scarcest keeps others
out. Prices are dollars per hour and are frozen on the attempt when it is placed: the on-demand price and
the Spot price both, whichever is charged, so that what Spot saves can be told. Attempts in a Spot
environment (`is_spot`) are charged the Spot price, all others the on-demand price.
"""

from __future__ import annotations

from collections.abc import Iterable

from nbbatch.model.fleet import Host
from nbbatch.model.jobs import Attempt, Run, Tally
from nbbatch.model.resources import Resources

MS_PER_HOUR = 3_600_000


def share_of_host(wanted: Resources, capacity: Resources) -> float:
    """Share of a host, 0..1, that an attempt of this size holds."""
    vcpus = wanted.vcpus / capacity.vcpus if capacity.vcpus else 0.0
    memory = wanted.memory / capacity.memory if capacity.memory else 0.0
    largest = max(memory, vcpus)
    if not wanted.gpus or not capacity.gpus:
        return largest
    return max(largest, wanted.gpus / capacity.gpus)


def attempt_prices(host: Host, wanted: Resources) -> tuple[float, float]:
    """Dollars per hour of an attempt on this host: on demand, Spot."""
    share = share_of_host(wanted, host.capacity)
    return host.price * share, host.spot_price * share


def dollars(price: float, started_at: int | None, stopped_at: int) -> float:
    """Dollars for a stretch of time at a price per hour; 0 when it never started."""
    if started_at is None or stopped_at < started_at:
        return 0.0
    return price * (stopped_at - started_at) / MS_PER_HOUR


def add_attempt(tally: Tally, attempt: Attempt, job_id: str) -> None:
    """Count an attempt of a job, child or node that has ended."""
    if attempt.started_at is not None and attempt.stopped_at > attempt.started_at:
        milliseconds = attempt.stopped_at - attempt.started_at
        tally.cost += attempt.price * milliseconds / MS_PER_HOUR
        tally.spot_cost += attempt.spot_price * milliseconds / MS_PER_HOUR
        tally.milliseconds += milliseconds
        if attempt.is_lost:
            _add_lost(tally, attempt)
    tally.cpu_seconds += attempt.usage.cpu_seconds or 0.0
    if attempt.usage.peak_memory is not None:
        tally.peak_memory = max(tally.peak_memory or 0, attempt.usage.peak_memory)
    if tally.last is None or (attempt.stopped_at, job_id) > (tally.last.stopped_at, tally.last_of):
        tally.last, tally.last_of = attempt, job_id  # whichever attempt is counted first


def _add_lost(tally: Tally, attempt: Attempt) -> None:
    """Work that went with its host has to be done again."""
    tally.lost_cost += dollars(attempt.price, attempt.started_at, attempt.stopped_at)
    tally.lost_spot_cost += dollars(attempt.spot_price, attempt.started_at, attempt.stopped_at)
    tally.lost_milliseconds += max(0, attempt.stopped_at - (attempt.started_at or attempt.stopped_at))


def charged(attempt: Attempt | Run) -> float:
    """Dollars per hour that an attempt is charged: the Spot price on Spot, else on demand."""
    return attempt.spot_price if attempt.is_spot else attempt.price


def tally_of(runs: Iterable[Run]) -> Tally:
    """Count all attempts of these that have ended."""
    tally = Tally()
    for run in runs:
        for attempt in run.attempts:
            add_attempt(tally, attempt, run.id)
    return tally


def cost_under_way(run: Run, now: int) -> tuple[float, float]:
    """Dollars that the attempt under way has cost so far: on demand, Spot; 0 without one."""
    if run.host is None:
        return 0.0, 0.0
    return dollars(run.price, run.started_at, now), dollars(run.spot_price, run.started_at, now)
