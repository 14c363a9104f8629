"""Tab completion of `%%batch`, presets and `%batch`, with live values: queues, jobs, images, files.

A Tab must never hurt: live values are asked only of a daemon that runs already, and whatever goes
wrong while asking means that there is nothing to suggest.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

from nbbatch.jupyter.commands import COMMANDS, Command
from nbbatch.jupyter.flags import FLAGS

_log = logging.getLogger(__name__)
_FRAGMENT = re.compile(r"[^\s,=\"']*$")
_CELL = re.compile(r"\s*%%(\w+)\s")
_PATH_WORDS = ("PATH", "FOLDER")
"""What the metavar of a flag has that takes paths."""
_LINE = re.compile(r"(?:.*=)?\s*%batch\s")
_AMOUNTS = {
    "--vcpus": ("1", "2", "4", "8", "16"),
    "--memory": ("1G", "2G", "4G", "8G", "16G", "32G"),
    "--gpus": ("1", "2", "4"),
    "--timeout": ("10m", "1h", "6h"),
    "--retries": ("1", "3"),
    "--lang": ("bash", "sh", "python"),
    "--status": ("RUNNABLE", "RUNNING", "SUCCEEDED", "FAILED"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """Where values that change come from; each gives words, and may fail."""

    queues: Callable[[], Iterable[str]]
    jobs: Callable[[], Iterable[str]]
    variables: Callable[[], Iterable[str]]
    backends: Callable[[], Iterable[str]]
    presets: Callable[[], Iterable[str]]
    definitions: Callable[[], Iterable[str]]
    images: Callable[[], Iterable[str]]

    def of(self, flag: str) -> Iterable[str]:
        """Words that may follow a flag."""
        sources: Mapping[str, Callable[[], Iterable[str]]] = {
            "--queue": self.queues,
            "--depends": self.jobs,
            "--after": self.jobs,
            "--preset": self.presets,
            "--definition": self.definitions,
            "--image": self.images,
            "--backend": self.backends,
            "--in": self.variables,
            "--out": self.variables,
            "--array": self.variables,
        }
        return sources[flag]() if flag in sources else _AMOUNTS.get(flag, ())


def candidates(text: str, live: Live) -> list[str]:
    """Words that may stand at the end of a magic's line.

    Parameters
    ----------
    text : str
        The line up to the cursor.
    live : Live
        Where live values come from.

    Returns
    -------
    list of str
        Whole words that begin with what stands before the cursor.
    """
    fragment = fragment_of(text)
    before = text[: len(text) - len(fragment)]
    if _LINE.match(text):
        words: Sequence[str] = _after_flag(before, fragment, live) or _command_words(before, live)
    elif (cell := _CELL.match(text)) and (cell[1] == "batch" or cell[1] in live.presets()):
        words = _after_flag(before, fragment, live) or _flags_left(before)
    else:
        return []
    return sorted({word for word in words if word.startswith(fragment)})


def fragment_of(text: str) -> str:
    """What has been typed of the word at the end of the text."""
    match = _FRAGMENT.search(text)
    return match[0] if match else ""


def _after_flag(before: str, fragment: str, live: Live) -> list[str]:
    """Values, if the cursor stands behind a flag that takes one: `--queue `, `--in a,`, `--queue=`."""
    match = re.search(r"(--[a-z-]+)(?:\s+|=)(?:[^\s\"']*,)?[\"']?$", before)
    if match is None:
        return []
    return _paths(fragment) if match[1] in _takes_paths() else list(live.of(match[1]))


def _takes_paths() -> set[str]:
    return {flag.word for flag in FLAGS if any(word in flag.metavar for word in _PATH_WORDS)}


def _paths(fragment: str) -> list[str]:
    """Files and folders here that begin like this; hidden ones only when asked for."""
    start, slash, name = fragment.rpartition("/")
    folder = start + slash
    place = Path(folder).expanduser()
    listed = place.iterdir() if place.is_dir() else ()
    found = [one for one in listed if name[:1] == "." or one.name[0] != "."]
    return [f"{folder}{one.name}{'/' if one.is_dir() else ''}" for one in found]


def _flags_left(before: str) -> list[str]:
    used = set(re.findall(r"--[a-z-]+", before))
    return ["--help", *(flag.word for flag in FLAGS if flag.many or flag.word not in used)]


def _command_words(before: str, live: Live) -> Sequence[str]:
    words = before.partition("%batch")[2].split()
    if not words:
        return [command.name for command in COMMANDS]
    command = next((one for one in COMMANDS if one.name == words[0]), None)
    if command is None:
        return []
    switches = [word for switch in command.switches for word in switch.words if word not in words]
    has_word = any(not word.startswith("-") for word in words[1:])
    return [*switches, *(() if has_word else _own_words(command, live))]


def _own_words(command: Command, live: Live) -> Iterable[str]:
    """What a command is about: a job, or whatever else it may take."""
    if command.takes_job or command.may_take == "ID":
        return live.jobs()
    return live.backends() if command.may_take == "NAME" else ()


def make_matcher(live: Live) -> Callable[[CompletionContext], SimpleMatcherResult]:
    """An IPython matcher over these live values."""

    @context_matcher()  # type: ignore[untyped-decorator, unused-ignore]
    def nbbatch_matcher(context: CompletionContext) -> SimpleMatcherResult:
        text = line_before_cursor(context.full_text, context.cursor_line, context.cursor_position)
        try:
            words = candidates(text, live)
        except Exception:  # noqa: BLE001 - a Tab shows nothing rather than a traceback
            _log.debug("No completions for %r", text, exc_info=True)
            words = []
        return _result(words, fragment_of(text))

    return nbbatch_matcher  # type: ignore[no-any-return, unused-ignore]


def line_before_cursor(text: str, line: int, column: int) -> str:
    """The line the cursor is in, up to the cursor; a `%%batch` line counts only at the top of a cell."""
    lines = text.splitlines()
    current = lines[line][:column] if line < len(lines) else ""
    is_cell_magic_below = current.lstrip().startswith("%%") and any(map(str.strip, lines[:line]))
    return "" if is_cell_magic_below else current


def _result(words: Sequence[str], fragment: str) -> SimpleMatcherResult:
    result: Any = {"completions": [SimpleCompletion(text=word, type="magic") for word in words]}
    if words:
        result |= {"suppress": True, "matched_fragment": fragment}
    return result  # type: ignore[no-any-return]
