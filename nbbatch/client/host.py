"""What this machine and this kernel's Python are: the facts that `spec` turns into a definition."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from pathlib import Path

from nbbatch.client.config import working_folder
from nbbatch.client.spec import SYSTEM_FOLDERS, mounted_folders
from nbbatch.model.containers import SEARCH_PATH


def lends_its_python() -> bool:
    """Whether containers can use this machine's own Python: not on macOS, where they run in a VM."""
    return sys.platform == "linux" and not os.environ.get("DOCKER_HOST", "").startswith(("tcp:", "ssh:"))


def python_image() -> str:
    """A public image with this kernel's Python version."""
    return f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"


def user() -> str:
    """`uid:gid` of this process."""
    return f"{os.getuid()}:{os.getgid()}"


def path() -> str:
    """PATH of containers that see this machine: the programs of the kernel's environment come first."""
    own = str(Path(sys.executable).parent)
    return SEARCH_PATH if own in SEARCH_PATH.split(os.pathsep) else f"{own}{os.pathsep}{SEARCH_PATH}"


def folders() -> tuple[str, ...]:
    """Folders the host image mounts so that it sees the kernel's Python and working directory."""
    return _folders(str(working_folder()), tuple(sys.path))


@lru_cache(maxsize=16)
def _folders(working_directory: str, path: tuple[str, ...]) -> tuple[str, ...]:
    prefixes = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, _installation()]
    python = [path for path in (*prefixes, *map(os.path.abspath, path)) if Path(path).exists()]
    system = [path for path in SYSTEM_FOLDERS if Path(path).is_dir()]
    return mounted_folders(system=system, python=python, working_directory=working_directory)


def _installation() -> str:
    """Where the interpreter behind all symbolic links is installed (`<here>/bin/python3`)."""
    return str(Path(sys.executable).resolve().parent.parent)
