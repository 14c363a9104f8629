"""What makes two pieces of code the same, whatever cell, line or kernel they were written in: pure.

A pickle of a notebook's function holds its file name, which has the kernel's process id in it, and its
line numbers. Here only what the function does counts: instructions, names, constants, defaults. Two
functions of the same digest do the same in the same environment; the reverse is not promised.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from types import CodeType, FunctionType
from typing import Any

CODE_VARIABLE = "NBBATCH_CODE"
"""The job's variable by which later runs of the same code find it."""
OF_CELL = "cell-"
"""A cell's digest of code begins like this: what it took is remembered, for the next receipt."""
CONTENT_VARIABLE = "NBBATCH_CONTENT"
"""The job's variable that tells whether a step of a pipeline would do the same again."""
_LENGTH = 16
_NOT_CODE = ("client", "held_back", "label", "sources")
"""Parts of a manifest that change nothing of what the job does."""
_NOT_CONTENT = (*_NOT_CODE, "version", "chunk", "measured_as", "path", "python", "cloudpickle", "settings")
"""Nor these, which another kernel, or what was measured since, may change."""


def function_digest(thing: Any) -> str:
    """Digest of a function's code, defaults and what a closure holds; empty for anything else.

    Values that have no text of their own, such as a closure over a DataFrame, make it empty, too.
    """
    if not isinstance(thing, FunctionType):
        return ""
    held = [cell.cell_contents for cell in thing.__closure__ or ()]
    values = [*held, *(thing.__defaults__ or ()), *sorted((thing.__kwdefaults__ or {}).items())]
    if not all(map(_is_plain, values)):
        return ""
    return digest([thing.__qualname__.rpartition(".")[2], _code(thing.__code__), list(map(_text, values))])


def digest(content: Any) -> str:
    """A short name of JSON-like content."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:_LENGTH]


def manifest_digest(manifest: Mapping[str, Any], functions: Mapping[str, str]) -> str:
    """Digest of all that a packed payload will do and with which values.

    Parameters
    ----------
    manifest : mapping
        As it goes into the bundle.
    functions : mapping
        Digests of functions by `entry_key` of their entries, which are compared by them.
    """
    return digest({key: _stable(value, functions) for key, value in manifest.items() if key not in _NOT_CODE})


def content_digest(manifest: Mapping[str, Any], functions: Mapping[str, str]) -> str:
    """Digest of code and inputs alone: the same in every kernel that packs the same, with the same chunk."""
    return digest(
        {key: _stable(value, functions) for key, value in manifest.items() if key not in _NOT_CONTENT}
    )


def entry_key(entry: Mapping[str, Any]) -> str:
    """What tells a value's entry of the manifest from every other one."""
    return str(entry.get("blob") or entry.get("data", ""))


def _stable(value: Any, functions: Mapping[str, str]) -> Any:
    match value:
        case {"data": _} | {"blob": _} if entry_key(value) in functions:
            return functions[entry_key(value)]
        case Mapping():
            return {str(name): _stable(each, functions) for name, each in value.items()}
        case list() | tuple():
            return [_stable(each, functions) for each in value]
        case _:
            return value


def _code(code: CodeType) -> list[Any]:
    constants = [_code(one) if isinstance(one, CodeType) else _text(one) for one in code.co_consts]
    names = [code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars]
    return [code.co_code.hex(), constants, *map(list, names)]


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(_is_plain, value))
    return value is None or value is ... or isinstance(value, bool | int | float | complex | str | bytes)


def _text(value: Any) -> str:
    """A text that is the same in every process: sets have no order of their own."""
    if isinstance(value, frozenset | set):
        return f"{{{','.join(sorted(map(_text, value)))}}}"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({','.join(map(_text, value))})"
    return repr(value)
