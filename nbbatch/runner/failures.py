"""An exception as the notebook should see it: the cell's own lines, none of the runner's frames.

Sources of the cell and of the notebook's functions are handed to `linecache` when that is first
imported, so tracebacks and `inspect.getsource` find them.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType
    from typing import Any

_OWN = __name__.rpartition(".")[0]


class StopSignal(BaseException):
    """SIGTERM came: the attempt is being stopped."""


class ExitCodeError(Exception):
    """A command exited with another code than 0, which becomes the job's."""

    def __init__(self, code: int, text: str, left: Mapping[str, Any] | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.left = left or {}


def refuse_to_ask(prompt: object = "", *_others: object, **_options: object) -> str:
    """`input` and `getpass` in a job.

    Raises
    ------
    EOFError
        Always, as where there is no standard input; programs that can go on without an answer know it.
    """
    what = f" {str(prompt).strip()!r}" if str(prompt).strip() else ""
    raise EOFError(
        f"a job cannot ask{what}: nobody sits in front of it. Ask in a cell that runs here, and let the"
        " job's cell read the variable."
    )


def fill_linecache(module: Any, sources: Mapping[str, str]) -> None:
    """Let `linecache` know source text by file name."""
    for name, text in sources.items():
        module.cache[name] = (len(text), None, text.splitlines(keepends=True), name)


def describe(error: BaseException, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Make an error's entry of the result manifest, but for the exception itself.

    Parameters
    ----------
    error : BaseException
        As caught.
    manifest : mapping
        Of the bundle, as far as it is known: `held_back` are names that were not sent, with the reason,
        to explain a NameError; `sources` the notebook's own cells.
    """
    import traceback

    from . import traces

    _explain(error, manifest.get("held_back", {}))
    for each in _chain(error):
        each.__traceback__ = _without_own_frames(each.__traceback__)
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    entry = {"type": _name(type(error)), "message": _text(error), "traceback": text}
    if type(error).__module__.startswith(_OWN):
        return {**entry, "traceback": f"{_text(error)}\n"}  # of the runner's own the sentence says all
    trace = traces.trace_of(error)
    if trace is None:
        return entry
    own, is_same = manifest.get("sources", {}), bool(manifest.get("path"))
    return {**entry, "trace": trace, "files": traces.sources_of(trace, own, is_same_machine=is_same)}


def _explain(error: BaseException, held_back: Mapping[str, str]) -> None:
    name = str(getattr(error, "name", ""))
    if isinstance(error, NameError) and name in held_back and hasattr(error, "add_note"):
        error.add_note(f"nbbatch kept {name} in the notebook: {held_back[name]}. Send it with --in {name}.")


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]


def _without_own_frames(frames: TracebackType | None) -> TracebackType | None:
    """The frames that are the user's, linked anew."""
    first = last = None
    while frames is not None:
        following, frames.tb_next = frames.tb_next, None
        if not str(frames.tb_frame.f_globals.get("__name__")).startswith(_OWN):
            if last is None:
                first = frames
            else:
                last.tb_next = frames
            last = frames
        frames = following
    return first


def _name(kind: type) -> str:
    is_plain = kind.__module__ in ("builtins", "__main__") or kind.__module__.startswith(_OWN)
    return kind.__qualname__ if is_plain else f"{kind.__module__}.{kind.__qualname__}"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as another:
        return f"<its text raised {type(another).__name__}>"


def exit_code_of(error: BaseException) -> int:
    """Give the exit code Python would leave with: 128 + signal, that of SystemExit, else 1."""
    if isinstance(error, StopSignal):
        return 143
    if isinstance(error, KeyboardInterrupt):
        return 130
    if not isinstance(error, (SystemExit, ExitCodeError)):
        return 1
    if error.code is None:
        return 0
    return error.code & 0xFF if isinstance(error.code, int) else 1


def print_failure(entry: Mapping[str, Any]) -> None:
    """Show a failure in the log."""
    print(entry["traceback"], end="", file=sys.__stderr__, flush=True)
