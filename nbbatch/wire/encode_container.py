"""The model to AWS JSON: a container, and where and how an attempt of it ran.

For a task's only container, for each of several, and for whoever else shows containers.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from nbbatch.model.arns import Arns
from nbbatch.model.containers import Container, ContainerEnd
from nbbatch.model.jobs import ACTIVE, Attempt, Job, JobStatus, Run, stream_of

Json = dict[str, Any]

EMPTY_LISTS: Mapping[str, Any] = MappingProxyType(
    {
        name: []
        for name in (
            "command",
            "volumes",
            "environment",
            "mountPoints",
            "ulimits",
            "resourceRequirements",
            "secrets",
        )
    }
)
"""Lists that Describe calls always show, empty ones too."""


def encode_container(job: Job, run: Run, arns: Arns, *, is_parent: bool) -> Json:
    """Effective values of the one container, and of the attempt under way or the last one."""
    container = job.container
    registered = container.as_registered
    shown: Json = {**EMPTY_LISTS, "networkInterfaces": [], **effective(container)}
    if job.platform == "FARGATE":
        shown.setdefault("fargatePlatformConfiguration", {"platformVersion": "LATEST"})
    if "vcpus" in registered:
        shown["vcpus"] = int(container.resources.vcpus)
    if "memory" in registered:
        shown["memory"] = container.resources.memory
    if is_parent:
        return shown
    if run.status in ACTIVE:
        shown |= place_of(run, run.host, run.attempt, arns)
        if run.status is JobStatus.RUNNING:
            shown["logStreamName"] = stream_of(container, job.definition, run.id, run.attempt)
    elif run.status.is_terminal and run.attempts:
        shown |= attempt_container(run.attempts[-1], job, run, arns)
    return shown


def effective(container: Container) -> Json:
    """A container's values as it runs with them, over what was registered."""
    return {
        **container.as_registered,
        "image": container.image,
        "command": container.command,
        "environment": [{"name": name, "value": value} for name, value in container.environment],
        "resourceRequirements": _requirements(container),
    }


def _requirements(container: Container) -> list[Json]:
    """In the order registered, then what an override added; deprecated members stay what they are."""
    registered, resources = container.as_registered, container.resources
    amounts = {known["type"]: "" for known in registered.get("resourceRequirements", ())}
    if "vcpus" not in registered:
        amounts["VCPU"] = f"{resources.vcpus:g}"
    if "memory" not in registered:
        amounts["MEMORY"] = str(resources.memory)
    if resources.gpus:
        amounts["GPU"] = str(resources.gpus)
    return [{"type": kind, "value": value} for kind, value in amounts.items()]


def place_of(run: Run, host: str | None, attempt: int, arns: Arns) -> Json:
    """Where an attempt is or was: its task, and the host unless that is Fargate's."""
    environment = run.environment or ""
    place = {"taskArn": arns.task(environment, run.id, attempt)}
    if host is not None and run.instance_type != "FARGATE":
        place["containerInstanceArn"] = arns.container_instance(environment, host)
    return place


def attempt_container(attempt: Attempt, job: Job, run: Run, arns: Arns) -> Json:
    """Where an attempt ran that has ended, and how it ended."""
    shown = place_of(run, attempt.host, attempt.number, arns)
    if attempt.started_at is not None:
        shown["logStreamName"] = stream_of(job.container, job.definition, run.id, attempt.number)
    return shown | end_of(attempt)


def end_of(attempt: Attempt | ContainerEnd) -> Json:
    """Exit code and reason, as far as there are any."""
    end: Json = {}
    if attempt.exit_code is not None:
        end["exitCode"] = attempt.exit_code
    if attempt.reason is not None:
        end["reason"] = attempt.reason
    return end
