"""What a job did not find although it is here: the file behind a FileNotFoundError, and what sends it."""

from __future__ import annotations

import re
from pathlib import Path

from nbbatch.client.results import RemoteErrorInfo

_QUOTED = re.compile(r"'([^']+)'")


def missing_file_cure(info: RemoteErrorInfo | None) -> str:
    """The words that send a file along which the job looked for and which is here; empty for any other error."""
    if info is None or info.type != "FileNotFoundError":
        return ""
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
