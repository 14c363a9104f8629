"""A job's containers: what the definition says, with the caller's overrides and parameters in it.

Sources: API reference, ContainerOverrides and TaskContainerOverrides; user guide, "Parameters". What
AWS Batch takes but cannot dispatch is named here too (`refusal`): SubmitJob accepts such a job.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from nbbatch.errors import ClientException
from nbbatch.model.containers import ONLY_CONTAINER, Container, Task
from nbbatch.model.fargate import check_fargate_size
from nbbatch.model.jobs import JobDefinition, resources_of
from nbbatch.model.requests import NO_OVERRIDES, JobDraft, Overrides
from nbbatch.model.resources import Resources
from nbbatch.scheduler.commands.parameters import has_references, substitute

MAX_OVERRIDE_BYTES = 8192
MAX_TAGS = 50
OVERRIDES_TOO_LONG = f"Container Overrides length must be at most {MAX_OVERRIDE_BYTES}"
TOO_MANY_TAGS = (
    "propagateTags: the job and its definition together have {} tags, and a task may have at most 50"
)


def settle_containers(
    definition: JobDefinition, draft: JobDraft, parameters: Mapping[str, str]
) -> tuple[Container, Task | None]:
    """The containers that a job will run.

    Raises
    ------
    ClientException
        When overrides do not fit the definition, or a parameter is missing.
    """
    if definition.platform == "FARGATE":
        _check_legacy(draft.overrides)
    if definition.task is None:
        if draft.task_overrides:
            raise ClientException(
                f"ecsPropertiesOverride: job definition {definition.key} has no ecsProperties; use containerOverrides."
            )
        container = merge(definition.container, draft.overrides, parameters)
        _check_size(definition, container.resources)
        return container, None
    if draft.overrides is not NO_OVERRIDES:
        raise ClientException(
            f"containerOverrides: job definition {definition.key} has ecsProperties; use ecsPropertiesOverride."
        )
    container, task = merge_task(
        definition.container,
        definition.task,
        draft.task_overrides,
        parameters,
        f"job definition {definition.key}",
    )
    _check_size(definition, resources_of(container, task))
    return container, task


def merge(container: Container, overrides: Overrides, parameters: Mapping[str, str]) -> Container:
    """The definition's container with the caller's command, environment and resources.

    `Ref::name` is replaced in the command, the only place AWS documents it for.
    """
    if overrides is NO_OVERRIDES and not has_references(container.command):
        return container
    resources = _merge_resources(container, overrides)
    command = container.command if overrides.command is None else overrides.command
    swap = container.memory_swap
    return replace(
        container,
        command=substitute(command, parameters),
        environment=tuple({**dict(container.environment), **dict(overrides.environment)}.items()),
        resources=resources,
        memory_swap=None if swap is None else swap - container.resources.memory + resources.memory,
    )


def merge_task(
    first: Container,
    task: Task,
    given: Sequence[tuple[str, Overrides]],
    parameters: Mapping[str, str],
    where: str,
) -> tuple[Container, Task]:
    """The same for several containers; `where` is what they belong to, in words.

    Raises
    ------
    ClientException
        When an override names none of them, or a parameter is missing.
    """
    overrides = dict(given)
    merged = [
        merge(container, overrides.pop(container.name, NO_OVERRIDES), parameters)
        for container in (first, *task.others)
    ]
    if overrides:
        raise ClientException(f"ecsPropertiesOverride: {where} has no container {', '.join(overrides)}.")
    return merged[0], replace(task, others=tuple(merged[1:]))


def refusal(definition: JobDefinition, draft: JobDraft, task_tags: int, container: Container) -> str:
    """Why a job that SubmitJob accepts fails when it is dispatched; empty for nearly all.

    ECS takes at most 8,192 bytes of overrides for a task (seen in the wild), a task at most 50 tags
    (API reference, SubmitJob, propagateTags; its text is not known [?]).
    """
    if task_tags > MAX_TAGS:
        return TOO_MANY_TAGS.format(task_tags)
    overrides = draft.overrides
    if overrides.command is None and container.command is not definition.container.command:
        overrides = replace(overrides, command=container.command)
    size = sum(_size_of(known) for known in (overrides, *dict(draft.task_overrides).values()))
    return OVERRIDES_TOO_LONG if size > MAX_OVERRIDE_BYTES else ""


def _size_of(overrides: Overrides) -> int:
    """Bytes of JSON that ECS is sent for one container [?].

    AWS Batch does not say what it sends. Surely the command, with parameters in it, and the caller's
    variables; here nothing else is counted.
    """
    if overrides is NO_OVERRIDES:
        return 0
    entry = {
        "name": ONLY_CONTAINER,
        "command": overrides.command or (),
        "environment": [{"name": name, "value": value} for name, value in overrides.environment],
    }
    return len(
        json.dumps({"containerOverrides": [entry]}, ensure_ascii=False, separators=(",", ":")).encode()
    )


def _check_legacy(overrides: Overrides) -> None:
    for name, value in (("vcpus", overrides.legacy_vcpus), ("memory", overrides.legacy_memory)):
        if value is not None:
            raise ClientException(f"{name} is not applicable for Fargate. Use resource requirements instead.")


def _check_size(definition: JobDefinition, resources: Resources) -> None:
    if definition.platform == "FARGATE":
        check_fargate_size(resources)


def _merge_resources(container: Container, overrides: Overrides) -> Resources:
    """Each type by itself; the deprecated members only override deprecated members.

    AWS's console then says "This value was submitted in a deprecated key and may conflict with the
    value provided by the job definition's resource requirements."; no reply has a member for it.
    """
    registered, own = container.as_registered, container.resources
    vcpus, memory = overrides.vcpus, overrides.memory
    if vcpus is None and "vcpus" in registered:
        vcpus = overrides.legacy_vcpus
    if memory is None and "memory" in registered:
        memory = overrides.legacy_memory
    if vcpus is None and memory is None and overrides.gpus is None:
        return own
    return Resources(
        vcpus=own.vcpus if vcpus is None else float(vcpus),
        memory=own.memory if memory is None else memory,
        gpus=own.gpus if overrides.gpus is None else overrides.gpus,
    )
