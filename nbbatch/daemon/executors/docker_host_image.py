"""The image `nbbatch/host`: nothing but mount points.

Whoever runs a job from it binds the host's own folders (`/usr`, `/lib`, `/etc`, ... and a Python
environment) read-only into it, so a container sees the user's own programs without anything being
built or pulled. Folders deeper than these are made by Docker when they are mounted; those are
readable by everybody, so an environment below a closed home folder works for every user.
"""

from __future__ import annotations

import io
import tarfile

HOST_REPOSITORY = "nbbatch/host"
HOST_TAG = "latest"

_FOLDERS = [
    "bin",
    "boot",
    "dev",
    "etc",
    "home",
    "lib",
    "lib32",
    "lib64",
    "libx32",
    "media",
    "mnt",
    "nix",
    "opt",
    "proc",
    "root",
    "run",
    "sbin",
    "snap",
    "srv",
    "sys",
    "usr",
    "var",
]
_OPEN_FOLDERS = ("tmp", "var/tmp")
_STICKY = 0o1777


def is_host_image(image: str) -> bool:
    """Whether an image's name means this one."""
    return image in (HOST_REPOSITORY, f"{HOST_REPOSITORY}:{HOST_TAG}")


def host_image_tar() -> bytes:
    """The root file system of the image as a tar archive, the same bytes every time."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for folder in _FOLDERS:
            tar.addfile(_folder(folder, 0o755))
        for folder in _OPEN_FOLDERS:
            tar.addfile(_folder(folder, _STICKY))
    return archive.getvalue()


def _folder(name: str, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, mode
    return info
