"""What a job lacked, and what helps: a file or module that is here, room for its results."""

from __future__ import annotations

import errno
import os
import re
from importlib.util import find_spec
from pathlib import Path

from nbbatch.client.results import RemoteErrorInfo

_QUOTED = re.compile(r"'([^']+)'")


def missing_cure(info: RemoteErrorInfo | None) -> str:
    """What to do about a file or module that is here and was not there, or a full disk; else empty."""
    match info:
        case RemoteErrorInfo(type="FileNotFoundError"):
            return _file_cure(info)
        case RemoteErrorInfo(type="ModuleNotFoundError"):
            return _module_cure(info)
        case RemoteErrorInfo(type="StoreError") if os.strerror(errno.ENOSPC) in info.message:
            return "Free some space there, or point NBBATCH_HOME to a larger disk; then run it again."
    return ""


def _module_cure(info: RemoteErrorInfo) -> str:
    name = next(iter(_QUOTED.findall(info.message)), "").partition(".")[0]
    if not name or find_spec(name) is None:
        return ""
    return (
        f"{name} can be imported here, and the job's image does not have it: env = nbbatch.image() builds one "
        "with what this notebook imports, then --image env or image=env."
    )


def _file_cure(info: RemoteErrorInfo) -> str:
    named = getattr(info.exception, "filename", None) or next(iter(_QUOTED.findall(info.message)), "")
    path = Path(str(named)).expanduser()
    if not named or not path.exists():
        return ""
    here = Path.cwd()
    inside = path.relative_to(here) if path.is_relative_to(here) else path
    kind = "folder" if path.is_dir() else "file"
    if inside.is_absolute() or ".." in inside.parts:
        return (
            f"{named} is a {kind} of this machine, and the job does not see it: send it with --files {named} "
            f'(in Python files=["{named}"]) and read it as {path.name!r}.'
        )
    read = f" and read it as '{inside}'" if path.is_absolute() else ""
    return (
        f"{inside} is a {kind} here, and the job does not see it: send it with --files {inside} "
        f'(in Python files=["{inside}"]){read}.'
    )
