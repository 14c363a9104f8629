"""Answers about queues, their hosts, and what jobs cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from nbbatch.client.backend import Backend
from nbbatch.client.capacity import requirements_of
from nbbatch.client.summaries import describe_all
from nbbatch.errors import NbbatchError, NotOnAwsError, OptionError
from nbbatch.jupyter.routes.asked import Asked
from nbbatch.jupyter.routes.lanes import Lane
from nbbatch.jupyter.routes.problems import at
from nbbatch.jupyter.routes.shapes_money import (
    Budget,
    Costs,
    Environment,
    EnvironmentCost,
    NameCost,
    QueueCost,
    QueueRow,
    Queues,
)
from nbbatch.model.jobs import JobStatus

_WAITING = tuple(status for status in JobStatus if not status.is_terminal)
_COUNTED = 1000
"""Jobs of a status are counted up to a page of ListJobs where nobody keeps counts."""
_FRONT = 10
_SHORTLY, _FOR_AN_ACCOUNT = 0.5, 5.0
"""Seconds for which an answer about queues holds."""
_NAMES_HOLD = 3.0
"""Seconds for which sums by name hold: they are made of many rows."""
_MOST_DOLLARS = 1e12

T = TypeVar("T")


async def queues(asked: Asked) -> Queues:
    """GET `queues`."""
    backend = asked.lane.backend
    seconds = _SHORTLY if backend.tells_changes else _FOR_AN_ACCOUNT

    def answer() -> Queues:
        return asked.lane.once("queues", seconds, lambda: _queues(backend))

    return await asked.lane.run(asked.folder, answer)


def _queues(backend: Backend) -> Queues:
    with backend.errors():
        found = _every(backend, "describe_job_queues", "jobQueues")
        hosts = _every(backend, "describe_compute_environments", "computeEnvironments")
    environments = {one["computeEnvironmentArn"]: one for one in hosts}
    numbers = _numbers(backend)
    rows = [_queue(backend, one, environments, numbers) for one in found]
    return Queues(backend=backend.name, queues=sorted(rows, key=lambda row: (-row.priority, row.name)))


def _every(backend: Backend, operation: str, member: str) -> Sequence[Mapping[str, Any]]:
    return [one for page in backend.batch.get_paginator(operation).paginate() for one in page[member]]


def _numbers(backend: Backend) -> Mapping[str, Any]:
    """The daemon's newest numbers of queues and environments; none of an account."""
    now = round(1000 * datetime.now(UTC).timestamp())
    try:
        told = backend.private("metrics", {"start": now - 1000, "end": now + 1000, "step": 1000})
    except NotOnAwsError:
        return {}
    return {
        kind: {
            name: {metric: _last(values) for metric, values in series.items()}
            for name, series in told[kind].items()
        }
        for kind in ("queues", "environments")
    }


def _last(values: Sequence[float | None]) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)


def _queue(
    backend: Backend,
    told: Mapping[str, Any],
    environments: Mapping[str, Mapping[str, Any]],
    numbers: Mapping[str, Any],
) -> QueueRow:
    name = str(told["jobQueueName"])
    order = sorted(told.get("computeEnvironmentOrder", []), key=lambda one: one["order"])
    mine = [
        environments[one["computeEnvironment"]] for one in order if one["computeEnvironment"] in environments
    ]
    rows = [_environment(one, numbers.get("environments", {})) for one in mine]
    known = numbers.get("queues", {}).get(name)
    depth = _depth_told(known) if known is not None else _depth_listed(backend, name)
    front = _front(backend, name) if depth.get("RUNNABLE") else []
    return QueueRow(
        name=name,
        state=str(told["state"] if told.get("status", "VALID") == "VALID" else told["status"]),
        reason=str(told.get("statusReason") or ""),
        priority=int(told.get("priority", 0)),
        depth=depth,
        is_depth_exact=known is not None,
        blocked=_blocked(backend, front),
        front=front,
        wanted_vcpus=_wanted(backend, front, depth.get("RUNNABLE", 0)),
        provisioned_vcpus=_sum(row.provisioned_vcpus for row in rows),
        used_vcpus=_sum(row.used_vcpus for row in rows),
        max_vcpus=_sum(row.max_vcpus for row in rows) or 0.0,
        environments=rows,
    )


def _environment(told: Mapping[str, Any], numbers: Mapping[str, Any]) -> Environment:
    resources = told.get("computeResources") or {}
    known = numbers.get(told["computeEnvironmentName"], {})
    has = resources.get("desiredvCpus")
    return Environment(
        name=told["computeEnvironmentName"],
        type=str(resources.get("type", "UNMANAGED")),
        state=str(told.get("state", "ENABLED") if told.get("status", "VALID") == "VALID" else told["status"]),
        reason=str(told.get("statusReason") or ""),
        max_vcpus=resources.get("maxvCpus"),
        provisioned_vcpus=known.get("ActualvCpus", has),
        used_vcpus=known.get("UsedvCpus"),
    )


def _depth_told(known: Mapping[str, float | None]) -> dict[str, int]:
    counts = {str(status): int(known.get(f"Jobs{status.capitalize()}") or 0) for status in _WAITING}
    return {status: count for status, count in counts.items() if count}


def _depth_listed(backend: Backend, queue: str) -> dict[str, int]:
    """A call for each status; arrays count as one."""
    counts: dict[str, int] = {}
    for status in _WAITING:
        with backend.errors():
            page = backend.batch.list_jobs(jobQueue=queue, jobStatus=status.value, maxResults=_COUNTED)
        if page["jobSummaryList"]:
            counts[str(status)] = len(page["jobSummaryList"])
    return counts


def _front(backend: Backend, queue: str) -> list[str]:
    """Ids of the jobs that are next; none where that cannot be asked."""
    with suppress(NbbatchError), backend.errors():
        reply = backend.batch.get_job_queue_snapshot(jobQueue=queue)
        jobs = reply.get("frontOfQueue", {}).get("jobs", ())
        return [one["jobArn"].rpartition("/")[2] for one in jobs[:_FRONT]]
    return []


def _blocked(backend: Backend, front: Sequence[str]) -> str:
    """Why the first job does not start."""
    if not front:
        return ""
    with suppress(NbbatchError):
        return "; ".join(backend.private("why", {"jobId": front[0]})["reasons"])
    return ""


def _wanted(backend: Backend, front: Sequence[str], runnable: int) -> float | None:
    """VCPUs that RUNNABLE jobs ask for; None where more wait than are looked at."""
    if not runnable:
        return 0.0
    if not front or runnable > len(front):
        return None
    details = describe_all(backend, front)
    return sum(requirements_of(one.get("container") or {}).vcpus for one in details)


def _sum(values: Any) -> float | None:
    known = [value for value in values if value is not None]
    return float(sum(known)) if known else None


async def costs(asked: Asked) -> Costs:
    """GET `costs`."""
    days = int(asked.number("days", 1, lowest=1, highest=366))

    def answer() -> Costs:
        return asked.lane.once(("costs", days), _SHORTLY, lambda: _costs(asked.lane, days))

    return await asked.lane.run(asked.folder, answer)


def _costs(lane: Lane, days: int) -> Costs:
    backend = lane.backend
    told = backend.private("costs", {"days": days})
    today = str(datetime.now(UTC).date())
    queues = [_read(QueueCost, one) for one in told["queues"]]
    environments = [_read(EnvironmentCost, one) for one in told["environments"]]
    mine = [one for one in queues if one.day == today]
    named = lane.once(("names", days), _NAMES_HOLD, lambda: backend.private("names", {"days": days}))
    return Costs(
        backend=backend.name,
        today=today,
        charged=sum(one.charged for one in mine),
        on_demand=sum(one.on_demand for one in mine),
        saved=sum(one.saved for one in mine),
        lost=sum(one.lost for one in mine),
        idle=sum(one.idle for one in environments if one.day == today),
        queues=queues,
        environments=environments,
        names=[_read(NameCost, one) for one in named["names"]],
        named_jobs=named["jobs"],
        is_named_exact=named["isAll"],
        budget=_budget(backend.private("budget", {})),
    )


async def set_budget(asked: Asked) -> Budget:
    """POST `costs/budget`."""
    dollars = asked.body.per_day
    if dollars is not None and not 0 <= dollars <= _MOST_DOLLARS:
        with at("perDay"):
            raise OptionError(f"{dollars} is no budget.", cure="Give dollars from 0 on, or null for none.")
    body = {} if dollars is None else {"perDay": dollars}

    def act() -> Budget:
        told = asked.lane.backend.private("set-budget", body)
        asked.lane.changed()
        return _budget(told)

    return await asked.lane.run(asked.folder, act)


def _budget(told: Any) -> Budget:
    return _read(Budget, told)


def _read(kind: type[T], told: Any) -> T:
    return msgspec.convert(told, kind)
