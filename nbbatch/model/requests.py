"""What a caller asks for, before it is checked against the state: SubmitJob's input as a value.

The wire floor makes these out of AWS JSON, the scheduler's commands resolve them. A definition,
queue or environment that is asked for needs no draft: it is the noun itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nbbatch.model.fleet import Switch, TimeLimit
from nbbatch.model.jobs import Dependency, RetryStrategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """`containerOverrides`; None means: as the definition says.

    `legacy_vcpus` and `legacy_memory` are the deprecated members, which lose against a definition
    that uses `resourceRequirements` (API reference, ContainerOverrides).
    """

    command: tuple[str, ...] | None = None
    environment: tuple[tuple[str, str], ...] = ()
    vcpus: float | None = None
    memory: int | None = None
    gpus: int | None = None
    legacy_vcpus: int | None = None
    legacy_memory: int | None = None


NO_OVERRIDES = Overrides()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRangeOverride:
    """One entry of `nodePropertyOverrides`; `first` and `last` as in `NodeRange`, `task_overrides` as in `JobDraft`."""

    target: str
    first: int
    last: int | None
    overrides: Overrides = NO_OVERRIDES
    task_overrides: tuple[tuple[str, Overrides], ...] = ()
    instance_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOverrides:
    """`nodeOverrides`; `count` is `numNodes`, None means: as the definition says."""

    count: int | None = None
    ranges: tuple[NodeRangeOverride, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDraft:
    """SubmitJob's input; `queue` and `definition` are names or ARNs as the caller wrote them.

    `task_overrides` is `ecsPropertiesOverride`, by container name.
    """

    name: str
    queue: str
    definition: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    overrides: Overrides = NO_OVERRIDES
    task_overrides: tuple[tuple[str, Overrides], ...] = ()
    node_overrides: NodeOverrides | None = None
    array_size: int | None = None
    depends_on: tuple[Dependency, ...] = ()
    retry_strategy: RetryStrategy | None = None
    timeout: int | None = None
    share_identifier: str | None = None
    scheduling_priority: int | None = None
    propagate_tags: bool | None = None
    consumables: tuple[tuple[str, int], ...] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueChanges:
    """UpdateJobQueue's input; None means: as it is. `request` holds the members that were given."""

    queue: str
    state: Switch | None = None
    priority: int | None = None
    environments: tuple[str, ...] | None = None
    service_environments: tuple[str, ...] | None = None
    scheduling_policy: str | None = None
    time_limits: tuple[TimeLimit, ...] | None = None
    request: Mapping[str, Any] = field(default_factory=dict)
