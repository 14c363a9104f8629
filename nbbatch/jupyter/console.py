"""Where a cell's story is told: in place with a display, as lines of text without one.

Only the thread that runs the cell calls this: what a thread prints lands in whatever cell runs by
then. With a live front end the receipt and the status share one display, updated in place, which
stays in the saved notebook as its last frame. Without one (plain IPython, nbclient, papermill, CI,
NO_COLOR) a status becomes a line when something happened, and now and then while nothing does, so
that neither a log file fills up nor a bar stays at 0.
"""

from __future__ import annotations

import html
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TextIO
from uuid import uuid4

from IPython.core.display_functions import publish_display_data

MARK = "nbbatch ›"
_FIRST_PAUSE, _LONGEST_PAUSE = 15.0, 300.0
"""Seconds between text lines of an unchanged phase: they double from the first to the longest."""
_FRONT_ENDS = ("JPY_SESSION_NAME", "VSCODE_PID", "COLAB_RELEASE_TAG")
"""Environment variables of kernels that a live front end looks at."""
_STYLE = (
    "font-family:var(--jp-code-font-family,monospace);font-size:var(--jp-code-font-size,13px);"
    "color:var(--jp-ui-font-color2,#666);background:none;margin:0;padding:0 0 0 var(--jp-code-padding,0);white-space:pre-wrap;word-break:normal;overflow-wrap:anywhere;line-height:1.4"
)


class Console(Protocol):
    """What the story needs of the place it is told in."""

    def line(self, text: str) -> None:
        """Say something that stays."""
        ...

    def status(self, text: str, phase: object) -> None:
        """Say how things stand; replaces the status before. `phase` changes when something happened."""
        ...

    def settle(self, text: str) -> None:
        """Put the last frame in the status's place; without a display the line that follows says it."""
        ...

    def log(self, text: str) -> None:
        """Pass on what the job printed."""
        ...

    def tell_again(self) -> None:
        """Say all lines and the last status again, after the cell's output was cleared."""
        ...


class TextConsole:
    """Lines of text on standard output.

    Parameters
    ----------
    stream : text file, optional
        Where to write; standard output as it is at that moment when left out.
    now : callable
        A monotonic clock in seconds.
    """

    def __init__(self, stream: TextIO | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._now = now
        self._phase: object = None
        self._said = ""
        self._due = 0.0
        self._pause = _FIRST_PAUSE
        self._at_line_start = True
        self._told: list[str] = []

    def line(self, text: str) -> None:
        """A line that stays."""
        self._told.append(text)
        break_before = "" if self._at_line_start else "\n"
        self._write(f"{break_before}{MARK} {text}\n")

    def status(self, text: str, phase: object) -> None:
        """A line when the phase is new, and now and then when it is not."""
        if phase != self._phase:
            self._pause = _FIRST_PAUSE
        elif text == self._said or self._now() < self._due:
            return
        else:
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        self._phase, self._said, self._due = phase, text, self._now() + self._pause
        self.line(text)

    def settle(self, text: str) -> None:
        """Nothing: the final line follows."""

    def log(self, text: str) -> None:
        """As it comes, without a mark."""
        self._write(text)

    def tell_again(self) -> None:
        """All lines at once."""
        self._write("".join(f"{MARK} {text}\n" for text in self._told))

    def _write(self, text: str) -> None:
        if not text:
            return
        stream = self._stream or sys.stdout
        stream.write(text)
        stream.flush()
        self._at_line_start = text.endswith("\n")


class DisplayConsole:
    """Rich displays in a notebook: story lines that stand together share one display.

    Parameters
    ----------
    publish : callable
        `publish_display_data`, or a stand-in.
    """

    def __init__(self, publish: Callable[..., Any] = publish_display_data) -> None:
        self._publish = publish
        self._before: list[str] = []
        self._lines: list[str] = []
        self._status = ""
        self._display_id = ""
        self._shown = ""

    def line(self, text: str) -> None:
        """Below the lines before it; a new display once a status was shown."""
        if self._status:
            self.begin()
        self._lines.append(text)
        self._show()

    def status(self, text: str, phase: object) -> None:  # noqa: ARG002 - every frame is shown in place
        """In place of the status before."""
        self._status = text
        self._show()

    def settle(self, text: str) -> None:
        """The frame that stays in the saved notebook."""
        self.status(text, None)

    def log(self, text: str) -> None:
        """As a stream output of the cell."""
        if text:
            sys.stdout.write(text)
            sys.stdout.flush()

    def tell_again(self) -> None:
        """All lines in one display."""
        self._lines = [*self._before, *self._lines]
        self._before, self._display_id = [], ""
        self._show()

    def begin(self) -> None:
        """What follows is a display of its own, below whatever the job printed."""
        self._before += [*self._lines, self._status]
        self._lines, self._status, self._display_id = [], "", ""

    def _show(self) -> None:
        text = "\n".join(f"{MARK} {line}" for line in (*self._lines, self._status) if line)
        if self._display_id and text == self._shown:
            return
        is_update = bool(self._display_id)
        self._display_id = self._display_id or uuid4().hex
        self._shown = text
        self._publish(story_bundle(text), transient={"display_id": self._display_id}, update=is_update)


def story_bundle(text: str) -> dict[str, str]:
    """MIME bundle of story lines: plain text, and the same as quiet HTML.

    It is a `pre` because Jupyter typesets what stands between two dollar signs anywhere else.
    """
    return {
        "text/plain": text,
        "text/html": f'<pre class="nbbatch-story" style="{_STYLE}">{html.escape(text)}</pre>',
    }


def has_live_display(shell: Any, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether somebody looks at a front end that updates displays in place.

    `NBBATCH_DISPLAY` decides it when set (`1` or `0`); CI and NO_COLOR ask for text.
    """
    if choice := environ.get("NBBATCH_DISPLAY"):
        return choice.lower() in ("1", "true", "yes", "on")
    if environ.get("NO_COLOR") or environ.get("CI") or getattr(shell, "kernel", None) is None:
        return False
    return any(environ.get(name) for name in _FRONT_ENDS)


def has_widgets(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the front end has widgets as soon as a kernel opens one: that of a Jupyter server, or Colab.

    Others, such as VS Code, have them once one is displayed, or not at all.
    """
    return any(environ.get(name) for name in ("JPY_SESSION_NAME", "COLAB_RELEASE_TAG"))


def current_shell() -> Any:
    """The shell of this process; None where there is none."""
    shells = sys.modules.get("IPython.core.interactiveshell")
    is_there = shells is not None and shells.InteractiveShell.initialized()
    return shells.InteractiveShell.instance() if shells is not None and is_there else None


def console_for(shell: Any) -> Console:
    """The console that suits the shell."""
    return DisplayConsole() if has_live_display(shell) else TextConsole()
