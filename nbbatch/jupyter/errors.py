"""How an error of ours looks in a notebook: what happened and what to do, not nbbatch's own frames."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial, wraps
from traceback import format_exception_only
from typing import ParamSpec, TypeVar

from nbbatch.errors import JobError, NbbatchBugError, NbbatchError, RemoteError, UserError
from nbbatch.jupyter.tracebacks import traceback_lines

_MAGIC_WORDS = (
    (r'\b(memory|timeout|retries)="?(\w+)"?', r"--\1 \2"),
    (r"nbbatch\.job\('([0-9a-f]{8})[0-9a-f-]*(:\d+)?'\)\.(retry|logs)\(\)", r"%batch \3 \1\2"),
    (
        r"nbbatch\.job\('([0-9a-f]{8})[0-9a-f-]*'\)\.failed\(\) lists them, \.retry_failed\(\) submits only those again\.",
        r"%batch retry \1 submits only those again.",
    ),
    (r"nbbatch\.jobs\(\)", "%batch jobs"),
    (r"\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", r"\1"),
    (r"Look at the jobs it depends on: ([0-9a-f]{8})\.", r"What became of that: %batch why \1"),
)
P = ParamSpec("P")
R = TypeVar("R")


def told(function: Callable[P, R]) -> Callable[P, R]:
    """Let errors that leave a magic show themselves as a message.

    The error is raised on, never printed, so that Run All stops; a bug of nbbatch keeps its frames.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except NbbatchError as error:
            tell(error)
            raise

    return call


def tell(error: NbbatchError) -> None:
    """Give an error IPython's `_render_traceback_` hook, unless its frames are what matters."""
    if not isinstance(error, NbbatchBugError):
        vars(error)["_render_traceback_"] = partial(_message, error)


def _message(error: NbbatchError) -> list[str]:
    """All of it as one part: what stands between parts is up to `%xmode`, and nothing in two of its modes."""
    return ["\n".join(message_lines(error))]


def no_python(error: SyntaxError) -> UserError:
    """A cell's syntax error as ours: IPython would show a SyntaxError with all frames of nbbatch."""
    return UserError(
        f"The cell is not Python: {error.msg} in line {error.lineno}.",
        cure="Nothing was sent; correct the cell.",
    )


def _source_lines(error: SyntaxError) -> list[str]:
    """The line and the caret, as Python shows them."""
    return "".join(format_exception_only(error)).rstrip().splitlines()[:-1]


def message_lines(error: NbbatchError) -> list[str]:
    """An error as lines: the remote traceback or the log's tail, what happened, what to do."""
    lines: list[str] = []
    traceback = error.remote_traceback.strip() if isinstance(error, RemoteError) else ""
    if isinstance(error.__cause__, SyntaxError):
        lines += _source_lines(error.__cause__)
    if isinstance(error, RemoteError) and traceback not in error.message:
        lines += [*traceback_lines(error.remote_traceback, error.remote_trace), ""]
    elif isinstance(error, JobError) and error.log_tail and not getattr(error, "_is_log_shown", False):
        lines += [
            "last lines of the log:",
            *(f"  {line}" for line in error.log_tail.rstrip().splitlines()),
            "",
        ]
    lines.append(f"{type(error).__name__}: {error.message}")
    return [*lines, *([f"nbbatch › {in_magic_words(error.cure)}"] if error.cure else [])]


def in_magic_words(cure: str) -> str:
    """A cure in the words of the cell's line: `--memory 4G`, `%batch logs ID`."""
    for pattern, words in _MAGIC_WORDS:
        cure = re.sub(pattern, words, cure)
    return cure
