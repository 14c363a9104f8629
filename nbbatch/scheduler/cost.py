"""What running costs: the share of a host that an attempt holds, times how long it runs.

AWS Batch itself is free; its hosts are not (pricing page). An attempt's share of its host is the
largest of its shares of vCPU, memory and GPUs, because what it holds of the scarcest keeps others
out. Prices are dollars per hour and are frozen on the attempt when it is placed.
"""

from __future__ import annotations

from nbbatch.model.fleet import Host
from nbbatch.model.jobs import Run
from nbbatch.model.resources import Resources

FARGATE_VCPU_HOUR = 0.04048
FARGATE_GB_HOUR = 0.004445
"""AWS Fargate price list, Linux on x86, us-east-1."""
FARGATE_SPOT_SHARE = 0.3
"""Fargate Spot is "up to 70 % off" (AWS Fargate pricing)."""
_MS_PER_HOUR = 3_600_000


def share_of_host(wanted: Resources, capacity: Resources) -> float:
    """Share of a host, 0..1, that an attempt of this size holds."""
    return max(
        wanted.vcpus / capacity.vcpus if capacity.vcpus else 0.0,
        wanted.memory / capacity.memory if capacity.memory else 0.0,
        wanted.gpus / capacity.gpus if capacity.gpus else 0.0,
    )


def attempt_prices(host: Host, wanted: Resources) -> tuple[float, float]:
    """Dollars per hour of an attempt on this host: on demand, Spot."""
    share = share_of_host(wanted, host.capacity)
    return host.price * share, host.spot_price * share


def fargate_price(wanted: Resources) -> float:
    """Dollars per hour of a Fargate task of this size."""
    return wanted.vcpus * FARGATE_VCPU_HOUR + wanted.memory / 1024 * FARGATE_GB_HOUR


def dollars(price: float, started_at: int | None, stopped_at: int) -> float:
    """Dollars for a stretch of time at a price per hour; 0 when it never started."""
    return 0.0 if started_at is None else price * max(0, stopped_at - started_at) / _MS_PER_HOUR


def run_cost(run: Run, now: int) -> tuple[float, float]:
    """Dollars a job or child has cost so far over all its attempts: on demand, Spot."""
    past = [
        (attempt.price, attempt.spot_price, attempt.started_at, attempt.stopped_at)
        for attempt in run.attempts
    ]
    if run.host is not None:
        past.append((run.price, run.spot_price, run.started_at, now))
    return (
        sum(dollars(price, started, stopped) for price, _, started, stopped in past),
        sum(dollars(spot, started, stopped) for _, spot, started, stopped in past),
    )
