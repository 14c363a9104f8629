"""What one attempt becomes in Docker: StartAttempt -> the body of `POST /containers/create`.

Pure but for one look at the bundle's folder, whose path must resolve inside the home. The mapping
is AWS's own (`docker run` options named in the user guide's "Job definition parameters"); what
Docker would decide by the engine's configuration, such as log rotation, is said here instead, so
that a job behaves alike on every engine. The names and labels made here are how a restarted daemon
finds its containers again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import md5
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from nbbatch.errors import CouldNotStartError
from nbbatch.model.containers import Device, Mount, Tmpfs
from nbbatch.model.events import StartAttempt
from nbbatch.model.jobs import task_id

Network = Literal["bridge", "host"]
"""How jobs reach the network, in Docker's own words: a namespace of their own, or the host's."""

DAEMON_LABEL = "nbbatch.daemon"
JOB_LABEL = "nbbatch.job-id"
ATTEMPT_LABEL = "nbbatch.attempt"
GPUS_LABEL = "nbbatch.gpus"
TASK_LABEL = "nbbatch.task"
"""On a volume: the task it belongs to, which takes it along."""

VOLUMES = "volumes"
"""Folder of the home for EFS and S3 Files volumes: one folder per file system, for all jobs."""

BUNDLE_VARIABLE = "NBBATCH_BUNDLE"
UPSTREAM = "upstream"
"""File of a bundle that names the bundles of earlier jobs whose values it takes, a URL a line."""

_MIB = 1 << 20
_LEAST_MEMORY = 6
"""MiB below which Docker refuses a limit; AWS Batch allows 4."""
_MOST_SHARES = 262_144
_DEVICE_LETTERS = {"READ": "r", "WRITE": "w", "MKNOD": "m"}
_LOG_CONFIG = {
    "Type": "json-file",
    "Config": {"max-size": "1000t", "max-file": "1", "compress": "false", "mode": "blocking"},
}
"""Never rotated, never dropped: the log store copies it before the container is removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What the executor adds to an order: whose it is, where bundles lie, GPUs and network.

    `task` names the pause container of an attempt of several containers, which they share;
    `secrets` are variables whose values must not be shown.
    `gang_network` is the private network of a multi-node job's attempt, which replaces `bridge`.
    """

    daemon_id: str
    home: Path
    gpus: tuple[int, ...] = ()
    network: Network = "bridge"
    task: str = ""
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    gang_network: str | None = None


def container_name(job_id: str, attempt: int) -> str:
    """Name of an attempt's container, the same whenever it is asked for."""
    return f"nbbatch-{task_id(job_id, attempt)}"


def gpus_of(labels: Mapping[str, str]) -> tuple[int, ...]:
    """The GPU devices that a container of ours was given."""
    return tuple(int(index) for index in labels.get(GPUS_LABEL, "").split(",") if index)


def create_body(order: StartAttempt, placement: Placement) -> dict[str, Any]:
    """Map an order to the body of Docker's container-create call.

    Parameters
    ----------
    order : StartAttempt
        What to run; its environment is complete.
    placement : Placement
        What this executor adds.

    Raises
    ------
    CouldNotStartError
        When the bundle is not a folder inside the home.
    """
    body: dict[str, Any] = {
        "Image": order.container.image,
        "Env": [f"{name}={value}" for name, value in (*order.environment, *placement.secrets)],
        "Labels": labels_of(order, placement),
        "StopSignal": "SIGTERM",
        "HostConfig": _host_config(order, placement),
    }
    if order.container.command:
        body["Cmd"] = list(order.container.command)
    if order.container.user:
        body["User"] = order.container.user
    return body


def labels_of(order: StartAttempt, placement: Placement) -> dict[str, str]:
    """What leads from a container back to its daemon, job and attempt."""
    ours = {
        DAEMON_LABEL: placement.daemon_id,
        JOB_LABEL: order.job_id,
        ATTEMPT_LABEL: str(order.attempt),
        GPUS_LABEL: ",".join(str(index) for index in placement.gpus),
    }
    return {**dict(order.tags), **ours}


def _host_config(order: StartAttempt, placement: Placement) -> dict[str, Any]:
    container = order.container
    bundle = bundle_folder(order.environment, placement.home)
    return {
        "LogConfig": _LOG_CONFIG,
        **_limits(order),
        **network_of(placement),
        **_namespaces(order, placement.task),
        **_mounts(container.mounts, bundle, order, placement),
        "Tmpfs": {entry.target: _tmpfs_options(entry) for entry in container.tmpfs},
        "Devices": [_device(device) for device in container.devices],
        "DeviceRequests": _device_requests(placement.gpus),
        "Privileged": container.privileged,
        "SecurityOpt": [] if container.privileged else ["no-new-privileges"],
        "ReadonlyRootfs": container.read_only_root,
        "Init": container.init,
    }


def _limits(order: StartAttempt) -> dict[str, Any]:
    """Memory is a hard limit, vCPUs are shares: what ECS makes of VCPU and MEMORY.

    Where the kernel has no swap accounting or swappiness, the engine leaves those out by itself.
    """
    container, memory = order.container, max(order.resources.memory, _LEAST_MEMORY)
    limits: dict[str, Any] = {
        "Memory": memory * _MIB,
        "CpuShares": min(max(2, round(1024 * order.resources.vcpus)), _MOST_SHARES),
        "Ulimits": [{"Name": u.name, "Soft": u.soft, "Hard": u.hard} for u in container.ulimits],
    }
    if container.memory_swap is not None:
        limits["MemorySwap"] = max(container.memory_swap, memory) * _MIB
        if container.swappiness is not None:
            limits["MemorySwappiness"] = container.swappiness
    if container.shm_size is not None:
        limits["ShmSize"] = container.shm_size * _MIB
    return limits


def network_of(placement: Placement) -> dict[str, Any]:
    """Docker's network mode; in a namespace of its own a job still finds the host by name.

    Containers of one task are in its pause container's namespace: one localhost for all of them.
    """
    if placement.network == "host":
        return {"NetworkMode": placement.network}
    if placement.task:
        return {"NetworkMode": f"container:{placement.task}"}
    own = placement.gang_network if placement.network == "bridge" else None
    return {
        "NetworkMode": own or placement.network,
        "ExtraHosts": ["host.docker.internal:host-gateway"],
    }


def _namespaces(order: StartAttempt, task: str) -> dict[str, Any]:
    """ECS's `ipcMode` and `pidMode`; `task` is what a container alone has anyway."""
    modes = {
        "IpcMode": order.task.ipc_mode if order.task is not None else None,
        "PidMode": order.task.pid_mode if order.task is not None else None,
    }
    shared = {kind: f"container:{task}" for kind, mode in modes.items() if mode == "task" and task}
    return shared | {kind: mode for kind, mode in modes.items() if mode in ("host", "none")}


def _mounts(
    mounts: Sequence[Mount], bundle: Path | None, order: StartAttempt, placement: Placement
) -> dict[str, Any]:
    """Bind mounts, whose missing sources Docker creates as on EC2, and volumes.

    A path with a colon does not fit into Docker's short form; the long form, which never creates
    anything, takes it and the bundle.
    """
    located = [_located(mount, placement.home) for mount in mounts]
    short = [m for m in located if m.source is not None and ":" not in m.source + m.target]
    long = [
        _long_mount(mount) | _volume(mount, mounts, order, placement)
        for mount in located
        if mount not in short
    ]
    if bundle is not None:
        long += [_long_mount(mount) for mount in _bundle_mounts(bundle)]
    binds = [f"{mount.source}:{mount.target}:{'ro' if mount.read_only else 'rw'}" for mount in short]
    return {"Binds": binds, "Mounts": long}


def _located(mount: Mount, home: Path) -> Mount:
    """Where a mount's files are on this machine; a file system that jobs share is made when it is new."""
    if not mount.shared or mount.source is None:
        return mount
    folder = home / VOLUMES / mount.source
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o1777)
    return replace(mount, source=str(folder.resolve()), shared=False)


def _volume(
    mount: Mount, mounts: Sequence[Mount], order: StartAttempt, placement: Placement
) -> dict[str, Any]:
    """A name for a volume that is mounted more than once, which is otherwise anonymous."""
    is_alone = not placement.task and [known.volume for known in mounts].count(mount.volume) == 1
    if mount.source is not None or not mount.volume or is_alone:
        return {}
    task = container_name(order.job_id, order.attempt)
    digest = md5(mount.volume.encode(), usedforsecurity=False).hexdigest()[:12]
    labels = {DAEMON_LABEL: placement.daemon_id, TASK_LABEL: task}
    return {"Source": f"{task}-{digest}", "VolumeOptions": {"Labels": labels}}


def has_named_volumes(order: StartAttempt) -> bool:
    """Whether an attempt has volumes that do not go with a container of theirs."""
    containers = (order.container, *(known.container for known in order.others))
    names = [mount.volume for known in containers for mount in known.mounts if mount.source is None]
    return bool(names) and (bool(order.others) or len(set(names)) < len(names))


def _bundle_mounts(bundle: Path) -> list[Mount]:
    """A job may write its results; what it was sent is shared with other bundles and stays as it is."""
    results = bundle / "results"
    if not results.is_dir():
        return [Mount(source=str(bundle.resolve()), target=str(bundle))]
    return [
        Mount(source=str(bundle.resolve()), target=str(bundle), read_only=True),
        Mount(source=str(results.resolve()), target=str(results)),
        *_upstream_mounts(bundle),
    ]


def _upstream_mounts(bundle: Path) -> list[Mount]:
    """Bundles of earlier jobs whose values this one takes, to be read; the job cannot change their list.

    Raises
    ------
    CouldNotStartError
        When one of them is no bundle beside this one.
    """
    named = bundle / UPSTREAM
    if not named.is_file():
        return []
    mounts = []
    for url in named.read_text(encoding="utf-8").split():
        folder = Path(unquote(urlsplit(url).path))
        if folder.parent != bundle.parent or not folder.is_dir() or folder.is_symlink():
            raise CouldNotStartError(
                f"CannotStartContainerError: the bundle {url} of an earlier job is not there (any more)"
            )
        mounts.append(Mount(source=str(folder.resolve()), target=str(folder), read_only=True))
    return mounts


def _long_mount(mount: Mount) -> dict[str, Any]:
    if mount.source is None:
        return {"Type": "volume", "Target": mount.target, "ReadOnly": mount.read_only}
    return {"Type": "bind", "Source": mount.source, "Target": mount.target, "ReadOnly": mount.read_only}


def _tmpfs_options(entry: Tmpfs) -> str:
    return ",".join((*entry.options, f"size={entry.size}m"))


def _device(device: Device) -> dict[str, str]:
    letters = "".join(_DEVICE_LETTERS[permission] for permission in device.permissions)
    return {
        "PathOnHost": device.source,
        "PathInContainer": device.target or device.source,
        "CgroupPermissions": letters or "rwm",
    }


def _device_requests(gpus: tuple[int, ...]) -> list[dict[str, Any]]:
    if not gpus:
        return []
    return [{"Driver": "", "DeviceIDs": [str(index) for index in gpus], "Capabilities": [["gpu"]]}]


def bundle_folder(environment: Sequence[tuple[str, str]], home: Path) -> Path | None:
    """The job's own bundle, the one folder of the home a container may see.

    Returns
    -------
    Path or None
        None when the job has no bundle, or fetches it from S3 by itself.

    Raises
    ------
    CouldNotStartError
        When the variable names anything but a folder inside `<home>/bundles`.
    """
    url = dict(environment).get(BUNDLE_VARIABLE)
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme == "s3":
        return None
    folder, bundles = Path(unquote(parts.path)), home / "bundles"
    inside = parts.scheme == "file" and bundles.resolve() in folder.resolve().parents
    if not inside or not folder.is_dir():
        raise CouldNotStartError(
            f"CannotStartContainerError: {BUNDLE_VARIABLE}={url} is not a folder inside {bundles}"
        )
    return folder
