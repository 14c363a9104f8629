"""A task of several containers: who may start, when all must stop, and how it ended.

Sources: API reference, TaskContainerProperties (`essential`, `dependsOn`, `startTimeout`) and ECS's
"Container dependency". Pure: an executor says what became of each container so far, and asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from nbbatch.model.containers import Container, ContainerCondition, ContainerDependency, ContainerEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What became of a task's containers, by name; one that has ended is in both, if it ever ran.

    `started` in epoch ms.
    """

    started: Mapping[str, int] = field(default_factory=dict)
    ends: Mapping[str, ContainerEnd] = field(default_factory=dict)


def ready(containers: Sequence[Container], progress: Progress) -> list[Container]:
    """Containers whose turn has come: everything they wait for is there."""
    return [
        container
        for container in _waiting(containers, progress)
        if all(_is_met(dependency, progress) for dependency in container.depends_on)
    ]


def given_up(containers: Sequence[Container], progress: Progress, now: int) -> ContainerEnd | None:
    """The first container that can never start any more, and why; it takes the task with it.

    That is so when what it waits for ended in another way, or not within its own `startTimeout`.
    """
    by_name = {container.name: container for container in containers}
    for container in _waiting(containers, progress):
        for dependency in container.depends_on:
            if not _is_met(dependency, progress):
                why = _hopeless(dependency, by_name[dependency.name], progress, now)
                if why:
                    return ContainerEnd(
                        name=container.name,
                        reason=f"CannotStartContainerError: dependency on container {dependency.name} {why}",
                    )
    return None


def next_deadline(containers: Sequence[Container], progress: Progress) -> int | None:
    """Epoch ms at which `given_up` may change its mind by time alone."""
    by_name = {container.name: container for container in containers}
    deadlines = [
        progress.started[dependency.name] + 1000 * (by_name[dependency.name].start_timeout or 0)
        for container in _waiting(containers, progress)
        for dependency in container.depends_on
        if _is_timed(dependency, by_name[dependency.name], progress)
    ]
    return min(deadlines, default=None)


def is_decided(containers: Sequence[Container], progress: Progress) -> bool:
    """Whether what still runs has to stop: an essential one has ended, or one could not start."""
    essential = {container.name for container in containers if container.essential}
    return any(end.started_at is None or end.name in essential for end in progress.ends.values())


def decisive(containers: Sequence[Container], ends: Iterable[ContainerEnd]) -> ContainerEnd:
    """The container whose end is the attempt's [?].

    AWS does not document how the exit codes of several containers become one. Here: a container
    that could not start fails the attempt; else the first essential one that ended with another
    code than 0 does; else the attempt succeeded, by the first essential one that ended. Those that
    are not essential do not count, nor does one that was stopped before its turn.
    """
    essential = {container.name for container in containers if container.essential}
    in_order = sorted(ends, key=lambda end: end.stopped_at or 0)
    counting = [end for end in in_order if end.name in essential and end.exit_code is not None]
    failed_to_start = [end for end in in_order if end.started_at is None and end.reason is not None]
    failed = [end for end in counting if end.exit_code != 0]
    return (*failed_to_start, *failed, *counting, *in_order)[0]


def _waiting(containers: Sequence[Container], progress: Progress) -> list[Container]:
    return [
        container
        for container in containers
        if container.name not in progress.started and container.name not in progress.ends
    ]


def _is_met(dependency: ContainerDependency, progress: Progress) -> bool:
    end = progress.ends.get(dependency.name)
    match dependency.condition:
        case ContainerCondition.START:
            return dependency.name in progress.started
        case ContainerCondition.COMPLETE:
            return end is not None and end.exit_code is not None
        case ContainerCondition.SUCCESS:
            return end is not None and end.exit_code == 0


def _hopeless(dependency: ContainerDependency, target: Container, progress: Progress, now: int) -> str:
    end = progress.ends.get(dependency.name)
    if end is not None:
        code = "before it started" if end.exit_code is None else f"with exit code {end.exit_code}"
        return f"cannot become {dependency.condition}: it ended {code}"
    if _is_timed(dependency, target, progress):
        seconds = target.start_timeout or 0
        if now >= progress.started[dependency.name] + 1000 * seconds:
            return f"did not become {dependency.condition} within {seconds} seconds"
    return ""


def _is_timed(dependency: ContainerDependency, target: Container, progress: Progress) -> bool:
    """A target's `startTimeout` counts from its own start, for those who wait for its end."""
    return (
        target.start_timeout is not None
        and dependency.condition is not ContainerCondition.START
        and dependency.name in progress.started
        and dependency.name not in progress.ends
    )
