"""How a person says which files go along and come back, read for `Options`: pure, no disk is touched.

What the words mean on this disk is decided in `workdir.py`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import PurePath, PurePosixPath
from typing import Any

from nbbatch.errors import OptionError


def read_send(option: str, value: Any) -> tuple[tuple[str, str], ...]:
    """What `files=` takes: a path, several separated by commas, a list, or a mapping of places to paths."""
    if isinstance(value, Mapping):
        pairs = tuple(value.items())
        if any(not isinstance(word, str | os.PathLike) for pair in pairs for word in pair):
            raise _refusal(option, value)
        return tuple((os.fspath(name), os.fspath(path)) for name, path in pairs)
    listed = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
    if isinstance(listed, PurePath):
        listed = [listed]
    is_list = isinstance(listed, list | tuple | set | frozenset)
    if not is_list or any(not isinstance(path, str | os.PathLike) for path in listed):
        raise _refusal(option, value)
    return tuple(("", os.fspath(path)) for path in listed if os.fspath(path))


def _refusal(option: str, value: object) -> OptionError:
    return OptionError(
        f"Option {option} does not understand {value!r}.",
        cure="It takes paths, or a mapping of places to paths.",
    )


def read_fetch(option: str, value: Any) -> tuple[str, ...]:
    """What `fetch=` takes: patterns of paths inside the job's working directory."""
    patterns = tuple(
        path for _, path in read_send(option, list(value) if isinstance(value, Mapping) else value)
    )
    for pattern in patterns:
        check_name(pattern)
    return patterns


def read_workdir(option: str, value: Any) -> str:
    """What `workdir=` takes: a folder, or True for the working directory itself."""
    match value:
        case bool():
            return "." if value else ""
        case str() | PurePath() if str(value):
            return "." if str(value).lower() == "true" else str(value)
    raise OptionError(f"Option {option} does not understand {value!r}.", cure="It takes True or a folder.")


def check_name(name: str) -> None:
    """Refuse a place outside the job's working directory.

    Raises
    ------
    OptionError
        The path is absolute or climbs up.
    """
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise OptionError(
            f"{name!r} is not a path inside the job's working directory.",
            cure="Give it as seen from there, such as out/*.csv; the job may copy to there what is elsewhere.",
        )
