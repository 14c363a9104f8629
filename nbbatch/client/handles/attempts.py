"""The attempts of a job that have ended, from DescribeJobs: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nbbatch.client.handles.outcome import Detail
from nbbatch.client.moments import moment_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at running a job.

    Parameters
    ----------
    number : int
        1 for the first.
    started, stopped : datetime or None
        Aware, UTC; `started` is None where its container never ran.
    exit_code : int or None
        None where no container reported one.
    reason : str
        The container's reason, else the service's; empty where none was given.
    host : str
        Id of the container instance; empty on Fargate and where it was never placed.
    log_stream : str
        Empty where it never ran.
    """

    number: int
    started: datetime | None
    stopped: datetime | None
    exit_code: int | None
    reason: str
    host: str
    log_stream: str

    @property
    def seconds(self) -> float | None:
        """How long it ran; None where it never did."""
        if self.started is None or self.stopped is None:
            return None
        return max(0.0, (self.stopped - self.started).total_seconds())


def attempts_of(detail: Detail) -> list[Attempt]:
    """All ended attempts, oldest first; of a task of several containers as its main one told."""
    return [_attempt(number, one) for number, one in enumerate(detail.get("attempts") or (), start=1)]


def _attempt(number: int, told: Mapping[str, Any]) -> Attempt:
    task = (told.get("taskProperties") or [{}])[0]
    container = told.get("container") or {**task, **_main_container(task)}
    code = container.get("exitCode")
    return Attempt(
        number=number,
        started=moment_of(told.get("startedAt")),
        stopped=moment_of(told.get("stoppedAt")),
        exit_code=None if code is None else int(code),
        reason=container.get("reason") or told.get("statusReason") or "",
        host=str(container.get("containerInstanceArn", "")).rpartition("/")[2],
        log_stream=container.get("logStreamName", ""),
    )


def _main_container(task: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of several containers the first one that failed, else the first."""
    containers = task.get("containers") or [{}]
    failed: Mapping[str, Any] = next((one for one in containers if one.get("exitCode")), containers[0])
    return failed
