"""Write a preset into `nbbatch.toml`, and leave everything else in the file as it was.

What is there is never replaced unless that was asked for. What was written is read back before it takes
the file's place: a file that is right stays right.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbbatch.client import session
from nbbatch.client.config import PROJECT_FILE, project_file
from nbbatch.errors import ConfigurationError, OptionError

_HEADER = re.compile(r"\s*\[")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def place_for(folder: Path) -> Path:
    """The project's file of a folder: the one that holds there, or the one that would be made there."""
    return project_file(folder) or folder / PROJECT_FILE


def has_preset(path: Path, name: str) -> bool:
    """Whether a file has a preset of that name."""
    return name in _presets(_read(path), path)


def write_preset(path: Path, name: str, values: Mapping[str, Any], *, replace: bool = False) -> None:
    """Write `[presets.NAME]`.

    Parameters
    ----------
    path : Path
        The file; it is made where there is none.
    name : str
        Of the preset.
    values : mapping
        Options as they are written: numbers, texts, booleans, mappings and lists of them.
    replace : bool
        Whether a preset of that name may be replaced.

    Raises
    ------
    OptionError
        The name cannot be one, or is taken; nothing was written.
    ConfigurationError
        The file cannot be read, or its preset is written so that only a person can change it.
    """
    session.check_preset_name(name)
    before = _read(path)
    presets = _presets(before, path)
    if name in presets and not replace:
        raise OptionError(
            f"{path} has a preset {name!r} already.", cure="Choose another name, or replace it."
        )
    kept = _without(before, name) if name in presets else before
    gap = "\n" if kept.strip() else ""
    text = f"{kept.rstrip()}\n{gap}{_table(name, values)}".lstrip("\n")
    _check(path, before, text, name, values)
    _put(path, text)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error}.", cure="Correct it, or move it away."
        ) from error


def _presets(text: str, path: Path) -> dict[str, Any]:
    return dict(_parsed(text, path).get("presets", {}))


def _without(text: str, name: str) -> str:
    """The text without the table of a preset and those below it."""
    own = re.compile(rf"\s*\[\s*presets\s*\.\s*[\"']?{re.escape(name)}[\"']?\s*(\]|\.)")
    kept: list[str] = []
    is_own = False
    for line in text.splitlines(keepends=True):
        if _HEADER.match(line):
            is_own = own.match(line) is not None
        if not is_own:
            kept.append(line)
    return "".join(kept)


def _table(name: str, values: Mapping[str, Any]) -> str:
    lines = [f"{key} = {_toml(value)}" for key, value in values.items()]
    return "\n".join([f"[presets.{name}]", *lines, ""])


def _toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case Mapping():
            pairs = ", ".join(f"{_key(key)} = {_toml(each)}" for key, each in value.items())
            return f"{{ {pairs} }}"
        case list() | tuple():
            return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(text: str) -> str:
    return text if _BARE.fullmatch(text) else _toml(text)


def _check(path: Path, before: str, after: str, name: str, values: Mapping[str, Any]) -> None:
    """Refuse a text that says anything else than the one before, but for this preset."""
    wanted = _parsed(before, path)
    wanted["presets"] = {**wanted.get("presets", {}), name: _plain(values)}
    try:
        found = tomllib.loads(after)
    except tomllib.TOMLDecodeError:
        found = {}
    if found != wanted:
        raise ConfigurationError(
            f"The preset {name!r} cannot be written into {path} without changing more than it.",
            cure="Write it there by hand.",
        )


def _plain(value: Any) -> Any:
    match value:
        case Mapping():
            return {key: _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
    return value


def _put(path: Path, text: str) -> None:
    """All of it or nothing."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    if path.is_file():
        draft.chmod(path.stat().st_mode)
    draft.replace(path.resolve())
