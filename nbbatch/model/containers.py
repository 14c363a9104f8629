"""What runs: a container with all it needs, and the task that several of them make.

Values are effective ones, after overrides and parameters; names are AWS Batch's, Docker's where AWS
has none. Nothing here knows of jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from nbbatch.model.resources import NOTHING, Resources

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Docker's own PATH, in containers whose image has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A host folder (or, without `source`, a volume that lasts as long as its task) in the container.

    Mounts of one `volume` name show the same files, also in several containers of a task. A `shared`
    one (EFS, S3 Files) is a folder that all jobs of this machine share; `source` then says which.
    """

    target: str
    source: str | None = None
    read_only: bool = False
    volume: str = ""
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ulimit:
    """A `ulimits` entry: Docker's name, soft and hard limit."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tmpfs:
    """A `linuxParameters.tmpfs` entry; `size` in MiB."""

    target: str
    size: int
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A `linuxParameters.devices` entry; `permissions` out of READ, WRITE, MKNOD."""

    source: str
    target: str
    permissions: tuple[str, ...] = ("READ", "WRITE", "MKNOD")


class ContainerCondition(StrEnum):
    """What a container waits for of another one of its task."""

    START = "START"
    COMPLETE = "COMPLETE"
    SUCCESS = "SUCCESS"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerDependency:
    """One entry of a container's `dependsOn`."""

    name: str
    condition: ContainerCondition


ONLY_CONTAINER = "default"
"""Name of a container that has been given none: AWS's own, seen in the middle of log streams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What one container needs, effective values after overrides and parameters.

    `command` does not touch the image's entry point. `memory_swap` is Docker's `--memory-swap` in
    MiB (memory plus swap), `shm_size` in MiB, `environment` the user's own variables only, and
    `as_registered` the `containerProperties` (or the entry of `taskProperties.containers`) exactly
    as AWS's JSON had them, for Describe calls. Timeouts are in seconds; None means ECS's default.
    """

    image: str
    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    resources: Resources = NOTHING
    mounts: tuple[Mount, ...] = ()
    ulimits: tuple[Ulimit, ...] = ()
    tmpfs: tuple[Tmpfs, ...] = ()
    devices: tuple[Device, ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()
    user: str | None = None
    privileged: bool = False
    read_only_root: bool = False
    init: bool = False
    shm_size: int | None = None
    memory_swap: int | None = None
    swappiness: int | None = None
    log_options: tuple[tuple[str, str], ...] = ()
    name: str = ONLY_CONTAINER
    essential: bool = True
    depends_on: tuple[ContainerDependency, ...] = ()
    start_timeout: int | None = None
    stop_timeout: int | None = None
    as_registered: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What `ecsProperties` adds to a job: further containers, and what all of them have in common.

    `others` are the containers behind the first one, in the order given; `ipc_mode` and `pid_mode`
    are ECS's `host`, `task` or `none`; `as_registered` is the entry of `taskProperties` without its
    containers.
    """

    others: tuple[Container, ...] = ()
    ipc_mode: str | None = None
    pid_mode: str | None = None
    as_registered: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerEnd:
    """How one of several containers of a task ended; `started_at` is None when it never ran."""

    name: str
    exit_code: int | None = None
    reason: str | None = None
    started_at: int | None = None
    stopped_at: int | None = None
