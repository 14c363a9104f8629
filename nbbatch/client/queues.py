"""The job queues of a backend as rows: state, environments and their size, and the jobs in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbbatch.client.backend import Backend, get_backend
from nbbatch.client.tables import Table, TableOf

_COUNTED = 100
"""Jobs are counted up to a page of ListJobs: nobody counts further by eye."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """A job queue.

    Parameters
    ----------
    name : str
        Of the queue.
    state : str
        ENABLED or DISABLED, or its status while that is not VALID.
    priority : int
        Higher ones are served first.
    environments : tuple of (name, type)
        Its compute environments in order of preference; type is EC2, SPOT, FARGATE and so on.
    max_vcpus : int
        Of all its environments.
    waiting, running : int
        Jobs, arrays counted as one; 100 means that many or more.
    """

    name: str
    state: str
    priority: int
    environments: tuple[tuple[str, str], ...]
    max_vcpus: int
    waiting: int
    running: int


class QueueTable(TableOf[QueueRow]):
    """Queues that a notebook shows as a table."""

    row_type = QueueRow

    def table(self) -> Table:
        """As text in columns."""
        head = ("queue", "state", "priority", "environments", "max vCPU", "waiting", "running")
        return Table(head, [_cells(row) for row in self], empty="no job queues")


def queues(*, backend: str | None = None) -> QueueTable:
    """All job queues.

    Parameters
    ----------
    backend : str, optional
        A configured backend; the default one otherwise.

    Returns
    -------
    QueueTable
        A list of `QueueRow` that shows itself as a table; `frame()` gives a DataFrame.
    """
    place = get_backend(backend)
    with place.errors():
        found = _every(place, "describe_job_queues", "jobQueues")
        environments = _every(place, "describe_compute_environments", "computeEnvironments")
        by_arn = {one["computeEnvironmentArn"]: one for one in environments}
        return QueueTable(_row(place, queue, by_arn) for queue in found)


def _row(
    backend: Backend, queue: Mapping[str, Any], environments: Mapping[str, Mapping[str, Any]]
) -> QueueRow:
    order = sorted(queue.get("computeEnvironmentOrder", []), key=lambda one: one["order"])
    names = [one["computeEnvironment"] for one in order]
    mine = [environments[name] for name in names if name in environments]
    resources = [one.get("computeResources") or {} for one in mine]
    return QueueRow(
        name=queue["jobQueueName"],
        state=str(queue["state"] if queue["status"] == "VALID" else queue["status"]),
        priority=queue["priority"],
        environments=tuple(
            (one["computeEnvironmentName"], what.get("type", "UNMANAGED"))
            for one, what in zip(mine, resources, strict=True)
        ),
        max_vcpus=sum(what.get("maxvCpus", 0) for what in resources),
        waiting=_count(backend, queue["jobQueueName"], "RUNNABLE"),
        running=_count(backend, queue["jobQueueName"], "RUNNING"),
    )


def _cells(row: QueueRow) -> tuple[str, ...]:
    environments = ", ".join(f"{name} ({kind})" for name, kind in row.environments)
    counts = (f"{count}{'+' if count >= _COUNTED else ''}" for count in (row.waiting, row.running))
    return row.name, row.state, str(row.priority), environments, str(row.max_vcpus), *counts


def _every(backend: Backend, operation: str, member: str) -> Sequence[Mapping[str, Any]]:
    return [one for page in backend.batch.get_paginator(operation).paginate() for one in page[member]]


def _count(backend: Backend, queue: str, status: str) -> int:
    page = backend.batch.list_jobs(jobQueue=queue, jobStatus=status, maxResults=_COUNTED)
    return len(page["jobSummaryList"])
