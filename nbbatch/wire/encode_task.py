"""The model to AWS JSON: `ecsProperties` of definitions and jobs, and what became of each container."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from nbbatch.model.arns import Arns
from nbbatch.model.containers import Container, ContainerEnd, Task
from nbbatch.model.jobs import ACTIVE, Attempt, Job, JobDefinition, JobStatus, NodeRange, Run, stream_of
from nbbatch.wire.encode_container import Json, effective, end_of, place_of

EMPTY_LISTS: Mapping[str, Any] = MappingProxyType(
    {
        name: []
        for name in (
            "command",
            "dependsOn",
            "environment",
            "mountPoints",
            "ulimits",
            "resourceRequirements",
            "secrets",
        )
    }
)
"""Lists that are always shown of a task's container."""


def encode_registered_task(known: JobDefinition | NodeRange, task: Task) -> Json:
    """`taskProperties[0]` as registered, absent lists empty."""
    return {
        "volumes": [],
        **task.as_registered,
        "containers": [{**EMPTY_LISTS, **one.as_registered} for one in known.containers],
    }


def encode_task(job: Job, task: Task, run: Run, arns: Arns, *, is_parent: bool) -> Json:
    """`taskProperties[0]` of a job: effective values, and the attempt under way or the last one."""
    shown: Json = {"volumes": [], **task.as_registered}
    if job.platform == "FARGATE":
        shown.setdefault("platformVersion", "LATEST")
    ended = run.attempts[-1] if run.status.is_terminal and run.attempts else None
    if not is_parent and run.status in ACTIVE:
        shown |= place_of(run, run.host, run.attempt, arns)
    elif not is_parent and ended is not None:
        shown |= place_of(run, ended.host, ended.number, arns)
    shown["containers"] = [
        {
            **EMPTY_LISTS,
            "networkInterfaces": [],
            **effective(container),
            **({} if is_parent else _progress(container, job, run, ended)),
        }
        for container in job.containers
    ]
    return shown


def encode_task_attempt(attempt: Attempt, job: Job, run: Run, arns: Arns) -> Json:
    """An entry of `attempts[].taskProperties`."""
    return {
        **place_of(run, attempt.host, attempt.number, arns),
        "containers": [
            {"name": container.name, "networkInterfaces": [], **_end(container, job, run, attempt)}
            for container in job.containers
        ],
    }


def _progress(container: Container, job: Job, run: Run, ended: Attempt | None) -> Json:
    if ended is not None:
        return _end(container, job, run, ended)
    if run.status is JobStatus.RUNNING:
        return {"logStreamName": stream_of(container, job.definition, run.id, run.attempt)}
    return {}


def _end(container: Container, job: Job, run: Run, attempt: Attempt) -> Json:
    """How one container ended: what is said of itself, or of the attempt when it was the only one."""
    told: Attempt | ContainerEnd = next(
        (known for known in attempt.containers if known.name == container.name), attempt
    )
    stream = {}
    if told.started_at is not None:
        stream["logStreamName"] = stream_of(container, job.definition, run.id, attempt.number)
    return stream | end_of(told)
