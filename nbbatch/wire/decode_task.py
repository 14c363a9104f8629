"""`ecsProperties` and `ecsPropertiesOverride`: AWS JSON to the containers of a task.

A container is read as one of `containerProperties` is; what stands with the task there (volumes,
execution role) is laid beside each of its containers first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from nbbatch.errors import ClientException
from nbbatch.model.containers import ONLY_CONTAINER, Container, ContainerCondition, ContainerDependency, Task
from nbbatch.model.requests import Overrides
from nbbatch.model.resources import NOTHING
from nbbatch.wire.decode_container import as_registered, decode_overrides, read_container
from nbbatch.wire.fargate import check_ec2, check_fargate

MAX_CONTAINERS = 10
MIN_TIMEOUT = 2
MAX_FARGATE_STOP = 120

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_IPC_MODES = ("host", "task", "none")
_PID_MODES = ("host", "task")
_OF_TASK = ("volumes", "executionRoleArn")


def decode_task(properties: Mapping[str, Any], platform: str) -> tuple[Container, Task]:
    """Read `ecsProperties` of a job definition.

    Returns
    -------
    tuple of (Container, Task)
        The first container, and the rest with what all have in common.

    Raises
    ------
    ClientException
        In AWS's words where they are known.
    """
    tasks = properties["taskProperties"]
    if len(tasks) != 1:
        raise ClientException(f"ecsProperties.taskProperties: has {len(tasks)} entries, and must have 1")
    task = tasks[0]
    entries = task["containers"]
    _check_names(entries)
    first, *others = [_container(entry, task, platform) for entry in entries]
    _check_relations([first, *others])
    if platform == "FARGATE":
        check_fargate(task, sum((known.resources for known in (first, *others)), NOTHING))
    else:
        check_ec2(task)
    return first, Task(
        others=tuple(others),
        ipc_mode=_mode("ipcMode", task, _IPC_MODES),
        pid_mode=_mode("pidMode", task, _PID_MODES),
        as_registered={name: value for name, value in task.items() if name != "containers"},
    )


def decode_task_overrides(override: Mapping[str, Any]) -> tuple[tuple[str, Overrides], ...]:
    """Read `ecsPropertiesOverride` of SubmitJob: a container's name, and what is different for it.

    Raises
    ------
    ClientException
        When there is more than one task, or a container is named twice.
    """
    tasks = override.get("taskProperties", ())
    if len(tasks) > 1:
        raise ClientException(
            f"ecsPropertiesOverride.taskProperties: has {len(tasks)} entries, and may have at most 1"
        )
    entries = tasks[0].get("containers", ()) if tasks else ()
    overrides = tuple((entry.get("name", ONLY_CONTAINER), decode_overrides(entry)) for entry in entries)
    if len({name for name, _ in overrides}) != len(overrides):
        raise ClientException("Container names must be unique")
    return overrides


def _container(entry: Mapping[str, Any], task: Mapping[str, Any], platform: str) -> Container:
    beside = {member: task[member] for member in _OF_TASK if member in task}
    return replace(
        read_container({**entry, **beside}, platform, in_task=True),
        name=entry.get("name", ONLY_CONTAINER),
        essential=entry.get("essential", True),
        depends_on=tuple(_dependency(known) for known in entry.get("dependsOn", ())),
        start_timeout=_timeout("startTimeout", entry),
        stop_timeout=_timeout("stopTimeout", entry, MAX_FARGATE_STOP if platform == "FARGATE" else None),
        as_registered=as_registered(entry),
    )


def _dependency(entry: Mapping[str, str]) -> ContainerDependency:
    given = entry.get("condition", "").upper()
    if given not in tuple(ContainerCondition):
        raise ClientException(
            f"dependsOn.condition: {entry.get('condition')!r} is not one of {', '.join(ContainerCondition)}"
        )
    return ContainerDependency(name=entry.get("containerName", ""), condition=ContainerCondition(given))


def _timeout(member: str, entry: Mapping[str, Any], most: int | None = None) -> int | None:
    seconds: int | None = entry.get(member)
    if seconds is not None and (seconds < MIN_TIMEOUT or (most is not None and seconds > most)):
        bounds = f"at least {MIN_TIMEOUT}" if most is None else f"between {MIN_TIMEOUT} and {most}"
        raise ClientException(f"{member}: {seconds} is not {bounds} seconds")
    return seconds


def _mode(member: str, task: Mapping[str, Any], modes: Sequence[str]) -> str | None:
    mode: str | None = task.get(member)
    if mode is not None and mode not in modes:
        raise ClientException(f"{member}: {mode!r} is not one of {', '.join(modes)}")
    return mode


def _check_names(entries: Sequence[Mapping[str, Any]]) -> None:
    """A container alone needs no name [?]; several need one each."""
    if not 1 <= len(entries) <= MAX_CONTAINERS:
        raise ClientException(f"Number of containers must be between 1 and {MAX_CONTAINERS}")
    names = [entry.get("name", ONLY_CONTAINER) for entry in entries]
    if len(set(names)) != len(names):
        raise ClientException("Container names must be unique")
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise ClientException(f"Container name {name!r} does not match regex ^{_NAME.pattern}$")


def _check_relations(containers: Sequence[Container]) -> None:
    """COMPLETE and SUCCESS need a target that may end without ending the task (API reference)."""
    if not any(known.essential for known in containers):
        raise ClientException("At least one container must be set as essential")
    by_name = {known.name: known for known in containers}
    for container in containers:
        if container.depends_on and len(containers) == 1:
            raise ClientException("Container dependency can not be used in a single-container job.")
        for dependency in container.depends_on:
            target = by_name.get(dependency.name)
            if target is None or target is container:
                raise ClientException(f"containerName {dependency.name} must reference a defined container.")
            if target.essential and dependency.condition is not ContainerCondition.START:
                raise ClientException(
                    f"dependsOn: container {container.name} cannot wait for {dependency.condition} of "
                    f"{target.name}, which is essential: its end ends the job."
                )
    _check_cycles(by_name)


def _check_cycles(by_name: Mapping[str, Container]) -> None:
    """Take away whoever waits for nobody that is left, until nobody is left."""
    left = dict(by_name)
    while left:
        free = [
            name
            for name, known in left.items()
            if not any(dependency.name in left for dependency in known.depends_on)
        ]
        if not free:
            raise ClientException(f"dependsOn: containers {', '.join(left)} wait for each other.")
        for name in free:
            del left[name]
