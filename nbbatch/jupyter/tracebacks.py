"""A remote traceback, drawn by this notebook's IPython as if the cell had failed here.

The facts that came back are made into an exception with frames of its own, which run nothing but a
`raise` in a line of the right number in a file of the right name; IPython then shows it in the mode and
the colours that the user has chosen. Where that cannot be done, Python's text is shown.
"""

from __future__ import annotations

import linecache
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FunctionType, TracebackType
from typing import Any

from IPython.core.getipython import get_ipython

Trace = Mapping[str, Any]

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_OWN_CELL = re.compile(r"In \[(\d+)\]")


class _Stop(Exception):  # noqa: N818 - never seen by anybody
    """What the frames raise."""


def traceback_lines(text: str, facts: Mapping[str, Any]) -> list[str]:
    """A remote traceback's lines, in the running shell's own form where there is one.

    Parameters
    ----------
    text : str
        As Python printed it in the job.
    facts : mapping
        What else the job said of it, `trace` and `files`: see `nbbatch.runner.traces`.

    Returns
    -------
    list of str
        In the shell's `%xmode` and colours, but plain where NO_COLOR or CI asks for that.
    """
    lines = text.rstrip().splitlines()
    shell = get_ipython()
    if shell is None or not facts:
        return lines
    try:
        return _drawn(facts["trace"], facts["files"], shell)
    except Exception:  # noqa: BLE001 - how IPython draws is its own affair and changes; the text is there
        return lines


def _drawn(trace: Trace, files: Mapping[str, str], shell: Any) -> list[str]:
    with _known_sources(files, shell):
        error = _rebuilt(trace)
        shown = shell.InteractiveTB.structured_traceback(type(error), error, error.__traceback__, tb_offset=0)
    text = shown if isinstance(shown, str) else "\n".join(shown)
    return (text if _wants_colours() else _COLOURS.sub("", text)).splitlines()


def _wants_colours() -> bool:
    return not (os.environ.get("NO_COLOR") or os.environ.get("CI"))


@contextmanager
def _known_sources(files: Mapping[str, str], shell: Any) -> Iterator[None]:
    """Let `linecache` know the job's sources for a moment, and IPython the number of its cell."""
    entries = {
        _place_here(name): (len(text), None, text.splitlines(keepends=True), name)
        for name, text in files.items()
    }
    numbers = {_place_here(name): int(match[1]) for name in files if (match := _OWN_CELL.fullmatch(name))}
    known = getattr(shell.compile, "_filename_map", {})
    before = {name: linecache.cache[name] for name in entries if name in linecache.cache}
    linecache.cache.update(entries)
    known.update(numbers)
    try:
        yield
    finally:
        for name in entries:
            linecache.cache.pop(name, None)
        linecache.cache.update(before)
        for name in numbers:
            known.pop(name, None)


def _rebuilt(trace: Trace) -> BaseException:
    text = trace["text"]
    kind = type(trace["type"], (Exception,), {"__module__": trace["module"], "__str__": lambda _: str(text)})
    error: BaseException = kind()
    for note in trace["notes"]:
        error.add_note(note)
    error.__traceback__ = _frames(trace["frames"])
    if "cause" in trace:
        error.__cause__ = _rebuilt(trace["cause"])
    elif "context" in trace:
        error.__context__ = _rebuilt(trace["context"])
    return error


def _frames(frames: Sequence[Sequence[Any]]) -> TracebackType | None:
    following: TracebackType | None = None
    for file, line, name, arguments, first_line in reversed(frames):
        place = _place_here(file)
        if name == "<module>":
            own = _frame(_code(f"{_down(line - 1)}raise stop", place))
        else:
            head = f"{_down(first_line - 1)}def function({', '.join(arguments)}):"
            code = _code(f"{head}{_down(line - first_line)} raise stop", place).co_consts[0]
            own = _frame(code.replace(co_name=name.rpartition(".")[2], co_qualname=name))
        following = TracebackType(following, own.tb_frame, own.tb_lasti, line)
    return following


def _down(lines: int) -> str:
    return "\n" * max(0, lines)


def _code(source: str, file: str) -> CodeType:
    return compile(source, file, "exec", dont_inherit=True)


def _frame(code: CodeType) -> TracebackType:
    """Run code that only raises; gives its frame as a traceback."""
    function = FunctionType(code, {"stop": _Stop, "__name__": "__main__"})
    entry: Any = None
    try:
        function(*(None for _ in range(code.co_argcount)))
    except _Stop as stop:
        entry = stop.__traceback__
    own: TracebackType = entry.tb_next  # the first one is this function's
    return own


def _place_here(file: str) -> str:
    """What a file of the job is called here: a cell as IPython's own are, a local module by its own file."""
    if _OWN_CELL.fullmatch(file):
        return f"{file}.py"
    path = Path(file)
    for parent in (path, *path.parents):
        if parent.name.startswith("nbbatch-modules-") or parent.parent.name == "blobs":
            name = ".".join(path.relative_to(parent).with_suffix("").parts).removesuffix(".__init__")
            return str(getattr(sys.modules.get(name), "__file__", None) or path.relative_to(parent))
    return file
