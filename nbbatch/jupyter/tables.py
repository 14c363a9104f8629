"""Small tables that show themselves, as text and as HTML, without a DataFrame behind them."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbbatch.client.backend import Backend


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a head; numbers stand to the right."""

    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    empty: str = "nothing to show"

    def __repr__(self) -> str:
        if not self.rows:
            return self.empty
        every = [self.head, *self.rows]
        widths = [max(len(row[column]) for row in every) for column in range(len(self.head))]
        return "\n".join("  ".join(map(_pad, row, widths)).rstrip() for row in every)

    def _repr_html_(self) -> str:
        if not self.rows:
            return f"<div>{html.escape(self.empty)}</div>"
        head = "".join(f'<th style="text-align:left">{html.escape(cell)}</th>' for cell in self.head)
        body = "".join(f"<tr>{''.join(map(_html_cell, row))}</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _pad(cell: str, width: int) -> str:
    return cell.rjust(width) if _is_number(cell) else cell.ljust(width)


def _html_cell(cell: str) -> str:
    side = "right" if _is_number(cell) else "left"
    return f'<td style="text-align:{side}">{html.escape(cell)}</td>'


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "", 1).isdigit()


def queue_table(backend: Backend) -> Table:
    """The backend's job queues: state, environments and their size, and the jobs in them."""
    with backend.errors():
        queues = _every(backend, "describe_job_queues", "jobQueues")
        environments = _every(backend, "describe_compute_environments", "computeEnvironments")
        waiting = {
            queue["jobQueueName"]: _count(backend, queue["jobQueueName"], "RUNNABLE") for queue in queues
        }
        running = {
            queue["jobQueueName"]: _count(backend, queue["jobQueueName"], "RUNNING") for queue in queues
        }
    by_arn = {one["computeEnvironmentArn"]: one for one in environments}
    rows = [_queue_row(queue, by_arn, waiting, running) for queue in queues]
    head = ("queue", "state", "priority", "environments", "max vCPU", "waiting", "running")
    return Table(head, rows, empty="no job queues")


def _queue_row(
    queue: Mapping[str, Any],
    environments: Mapping[str, Mapping[str, Any]],
    waiting: Mapping[str, str],
    running: Mapping[str, str],
) -> tuple[str, ...]:
    order = sorted(queue.get("computeEnvironmentOrder", []), key=lambda one: one["order"])
    mine = [
        environments[one["computeEnvironment"]] for one in order if one["computeEnvironment"] in environments
    ]
    resources = [one.get("computeResources") or {} for one in mine]
    name = queue["jobQueueName"]
    kinds = [
        f"{one['computeEnvironmentName']} ({what.get('type', 'UNMANAGED')})"
        for one, what in zip(mine, resources, strict=True)
    ]
    return (
        name,
        _state(queue),
        str(queue["priority"]),
        ", ".join(kinds),
        str(sum(what.get("maxvCpus", 0) for what in resources)),
        waiting[name],
        running[name],
    )


def _state(queue: Mapping[str, Any]) -> str:
    return str(queue["state"] if queue["status"] == "VALID" else queue["status"])


def _every(backend: Backend, operation: str, member: str) -> list[Mapping[str, Any]]:
    return [one for page in backend.batch.get_paginator(operation).paginate() for one in page[member]]


def _count(backend: Backend, queue: str, status: str) -> str:
    """Jobs of a status, arrays as one: a page's worth, because nobody counts further by eye."""
    page = backend.batch.list_jobs(jobQueue=queue, jobStatus=status, maxResults=100)
    return f"{len(page['jobSummaryList'])}{'+' if page.get('nextToken') else ''}"
