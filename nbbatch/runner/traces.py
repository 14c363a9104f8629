"""An exception as facts, from which the notebook draws the traceback in its own way.

Imported only when something has failed. Sources travel where the notebook may not have them: of its
own cells, since another kernel may ask, and of all files where the job has an image of its own.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from types import CodeType
    from typing import Any

MOST_FRAMES = 60
"""Frames of one exception; a deeper traceback is told as text, which folds repetitions."""
_LARGEST_SOURCE = 200_000
_VARARGS, _VARKEYWORDS = 0x4, 0x8


def trace_of(error: BaseException) -> dict[str, Any] | None:
    """Describe an exception, what caused it and what it interrupted; None where text says it better.

    Returns
    -------
    dict or None
        `type`, `text`, `notes`; `frames` from the outermost: file, line, function, its arguments and
        first line; `cause` or `context` likewise.
    """
    trace = _trace(error, set())
    return trace if _is_simple(trace) else None


def _trace(error: BaseException, seen: set[int]) -> dict[str, Any]:
    seen.add(id(error))
    trace: dict[str, Any] = {
        "type": type(error).__name__,
        "module": type(error).__module__,
        "text": _text(error),
        "notes": [str(note) for note in getattr(error, "__notes__", ())],
        "is_special": bool(getattr(error, "exceptions", ())) or isinstance(error, SyntaxError),
        "frames": list(_frames(error)),
    }
    if error.__cause__ is not None and id(error.__cause__) not in seen:
        trace["cause"] = _trace(error.__cause__, seen)
    is_hidden = error.__suppress_context__ or id(error.__context__) in seen
    if "cause" not in trace and error.__context__ is not None and not is_hidden:
        trace["context"] = _trace(error.__context__, seen)
    return trace


def _is_simple(trace: dict[str, Any]) -> bool:
    if trace["is_special"] or len(trace["frames"]) > MOST_FRAMES:
        return False
    return all(_is_simple(trace[name]) for name in ("cause", "context") if name in trace)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return f"<its text raised: {type(error).__name__}>"


def _frames(error: BaseException) -> Iterator[list[Any]]:
    entry = error.__traceback__
    while entry is not None:
        code = entry.tb_frame.f_code
        name = getattr(code, "co_qualname", code.co_name)
        yield [code.co_filename, entry.tb_lineno, name, _arguments(code), code.co_firstlineno]
        entry = entry.tb_next


def _arguments(code: CodeType) -> list[str]:
    names = list(code.co_varnames)
    count = code.co_argcount + code.co_kwonlyargcount
    found, rest = names[:count], names[count:]
    for flag, stars in ((_VARARGS, "*"), (_VARKEYWORDS, "**")):
        if code.co_flags & flag:
            found.append(stars + rest.pop(0))
    return [name for name in found if name.lstrip("*").isidentifier()]


def sources_of(trace: dict[str, Any], own: Collection[str], *, is_same_machine: bool) -> dict[str, str]:
    """Source text of the files in a trace that the notebook may not have, by file name."""
    import linecache

    found = {}
    for name in dict.fromkeys(_files(trace)):
        if name in own or not is_same_machine or not os.path.exists(name):
            text = "".join(linecache.getlines(name))
            if 0 < len(text) < _LARGEST_SOURCE:
                found[name] = text
    return found


def _files(trace: dict[str, Any]) -> Iterator[str]:
    yield from (frame[0] for frame in trace["frames"])
    for name in ("cause", "context"):
        if name in trace:
            yield from _files(trace[name])
