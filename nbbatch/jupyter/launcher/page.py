"""A place of a panel's own for what a cell would show: story, text, displays, last value, errors.

It stands in for the shell where a job's outputs are published, so that the same code shows them as in a
cell, although they appear in a widget and the notebook's main thread is free meanwhile.
"""

from __future__ import annotations

import html
import threading
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from nbbatch.errors import NbbatchError
from nbbatch.jupyter.console import MARK
from nbbatch.jupyter.errors import message_lines

LONGEST_TEXT = 200_000
"""Characters of text that stay in view; the job's log has all of it."""


class Page:
    """What a cell would show.

    Parameters
    ----------
    shell : InteractiveShell
        Gets variables, and answers everything else that a shell is asked.
    changed : callable
        Told after each change.
    """

    def __init__(self, shell: Any, changed: Callable[[], None] = lambda: None) -> None:
        self._shell = shell
        self._changed = changed
        self._lock = threading.Lock()
        self._outputs: list[dict[str, Any]] = []
        self._ids: dict[str, dict[str, Any]] = {}
        self.display_pub = self
        self.displayhook = _Hook(self, shell)
        self.streams = SimpleNamespace(stdout=_Stream(self, "stdout"), stderr=_Stream(self, "stderr"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shell, name)

    @property
    def outputs(self) -> tuple[dict[str, Any], ...]:
        """Outputs in the notebook format, in order."""
        with self._lock:
            return tuple(dict(output) for output in self._outputs)

    def publish(
        self,
        data: Mapping[str, Any],
        metadata: Mapping[str, Any] | None = None,
        *,
        transient: Mapping[str, Any] | None = None,
        update: bool = False,
        **_more: Any,
    ) -> None:
        """As a shell's display publisher does."""
        bundle = {"data": dict(data), "metadata": dict(metadata or {})}
        display_id = (transient or {}).get("display_id", "")
        with self._lock:
            known = self._ids.get(display_id)
            if update and known is not None:
                known.update(bundle)
            else:
                output = {"output_type": "display_data", **bundle}
                self._outputs.append(output)
                self._ids |= {display_id: output} if display_id else {}
        self._changed()

    def clear_output(self, wait: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - as a shell has it
        """Take all outputs back."""
        with self._lock:
            self._outputs.clear()
            self._ids.clear()
        self._changed()

    def write(self, text: str, name: str = "stdout") -> None:
        """Text of a stream, to the end of the last output if that is the same."""
        with self._lock:
            last = self._outputs[-1] if self._outputs else {}
            if last.get("name") == name:
                last["text"] = (last["text"] + text)[-LONGEST_TEXT:]
            else:
                self._outputs.append({"output_type": "stream", "name": name, "text": text[-LONGEST_TEXT:]})
        self._changed()

    def show_value(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """The last value."""
        value = {"output_type": "execute_result", "execution_count": None}
        with self._lock:
            self._outputs.append({**value, "data": dict(data), "metadata": dict(metadata)})
        self._changed()

    def show_error(self, error: BaseException) -> None:
        """An error, ours as a message."""
        ours = message_lines(error) if isinstance(error, NbbatchError) else []
        self._showtraceback(type(error), str(error), ours or [f"{type(error).__name__}: {error}"])

    def _showtraceback(self, kind: type, value: Any, lines: list[str]) -> None:
        """As a kernel's shell shows an error."""
        error = {"output_type": "error", "ename": kind.__name__, "evalue": str(value)}
        with self._lock:
            self._outputs.append({**error, "traceback": list(lines)})
        self._changed()


class PageConsole:
    """The story in a panel: all its lines, and the status in place.

    Parameters
    ----------
    page : Page
        Gets what the job printed.
    told : callable
        Gets the story as HTML whenever it has changed.
    """

    def __init__(self, page: Page, told: Callable[[str], None]) -> None:
        self._page, self._told = page, told
        self._lines: list[str] = []
        self._status = ""

    def line(self, text: str) -> None:
        """A line that stays, in the place of the status if there was one."""
        self._lines += [*filter(None, [self._status]), text]
        self._status = ""
        self._tell()

    def status(self, text: str, phase: object) -> None:  # noqa: ARG002 - every frame is shown in place
        """In place of the status before."""
        self._status = text
        self._tell()

    def settle(self, text: str) -> None:
        """The last frame stays."""
        self.status(text, None)

    def log(self, text: str) -> None:
        """What the job printed."""
        if text:
            self._page.write(text)

    def tell_again(self) -> None:
        """Nothing: the story has a place of its own, which no cell clears."""

    def _tell(self) -> None:
        lines = (f"{MARK} {line}" for line in (*self._lines, self._status) if line)
        self._told(html.escape("\n".join(lines)))


class _Stream:
    """Standard output or error of a page."""

    def __init__(self, page: Page, name: str) -> None:
        self._page, self._name = page, name

    def write(self, text: str) -> None:
        if text:
            self._page.write(text, self._name)

    def flush(self) -> None:
        """Nothing waits."""


class _Hook:
    """A display hook whose values appear on a page; `_` and `Out` stay the notebook's own."""

    def __init__(self, page: Page, shell: Any) -> None:
        self._page, self._shell = page, shell

    def __call__(self, value: Any) -> None:
        if value is not None:
            self._page.show_value(*self._shell.display_formatter.format(value))

    def start_displayhook(self) -> None:
        """Nothing to begin."""

    def write_output_prompt(self) -> None:
        """A panel has no numbers."""

    def write_format_data(self, data: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> None:
        self._page.show_value(data, metadata or {})

    def update_user_ns(self, value: Any) -> None:
        """The notebook's thread counts its own values."""

    def finish_displayhook(self) -> None:
        """Nothing to end."""
