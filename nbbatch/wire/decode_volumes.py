"""`volumes` and `mountPoints`: AWS JSON to the mounts of a container.

A volume with a host path is that folder; one without lives as long as its task and is the same one
wherever it is mounted. EFS and S3 Files volumes are file systems that many jobs share: here each is
a folder of this machine, named by its file system, which all jobs see (the executor knows where).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nbbatch.errors import ClientException
from nbbatch.model.containers import Mount

_KINDS = ("host", "efsVolumeConfiguration", "s3filesVolumeConfiguration")
_FILE_SYSTEM = re.compile(r"[A-Za-z0-9_.-]{1,128}")


def decode_mounts(properties: Mapping[str, Any]) -> tuple[Mount, ...]:
    """The mount points of a container, each with what its volume is.

    Raises
    ------
    ClientException
        When a volume is of two kinds, or a mount point names none or no absolute path.
    """
    volumes = {volume.get("name", ""): _volume(volume) for volume in properties.get("volumes", ())}
    mounts = []
    for point in properties.get("mountPoints", ()):
        name, target = point.get("sourceVolume", ""), point.get("containerPath", "")
        if name not in volumes:
            raise ClientException(f"mountPoints: there is no volume {name!r} among the definition's volumes.")
        if not target.startswith("/"):
            raise ClientException(f"mountPoints: containerPath {target!r} is not an absolute path.")
        source, shared = volumes[name]
        read_only = point.get("readOnly", False)
        mounts.append(Mount(target=target, source=source, read_only=read_only, volume=name, shared=shared))
    return tuple(mounts)


def _volume(volume: Mapping[str, Any]) -> tuple[str | None, bool]:
    """A volume's folder, and whether that is one of those that jobs share."""
    kinds = [kind for kind in _KINDS if kind in volume]
    if len(kinds) > 1:
        raise ClientException(
            "When the volume parameter is specified, only one volume configuration type should be used."
        )
    if not kinds or kinds == ["host"]:
        return volume.get("host", {}).get("sourcePath"), False
    settings = volume[kinds[0]]
    file_system = settings.get("fileSystemId") or settings["fileSystemArn"].rpartition("/")[2]
    if _FILE_SYSTEM.fullmatch(file_system) is None or file_system in (".", ".."):
        raise ClientException(f"volumes: {kinds[0]} names no file system: {file_system!r}.")
    parts = [part for part in settings.get("rootDirectory", "/").split("/") if part]
    if ".." in parts or "." in parts:
        raise ClientException(f"volumes: rootDirectory {settings['rootDirectory']!r} leaves its file system.")
    return "/".join((file_system, *parts)), True
