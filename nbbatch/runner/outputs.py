"""Streams and displays of a job, live on the real file descriptors and recorded in their order.

The record is what the notebook format calls outputs. Standard output and error are written through
line by line at once, so the log is live and survives a crash; a display is only recorded. Text that
a subprocess writes to the file descriptors itself is in the log and not in the record.
"""

from __future__ import annotations

import io
import sys

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

WIDGET, WIDGETS = (f"application/vnd.jupyter.widget-{what}+json" for what in ("view", "state"))
"""MIME types of a widget that is shown, and of the state of all widgets."""
TEXT_LIMIT = 1_000_000
"""Characters of stream text that are recorded; the log has all of it."""


class Recorder:
    """The outputs so far, in the notebook format."""

    def __init__(self) -> None:
        self.outputs: list[dict[str, Any]] = []
        self.has_cleared = False
        self._room = TEXT_LIMIT
        self._clears_next = False

    def text(self, name: str, text: str) -> None:
        """Add stream text, to the last output if that is the same stream."""
        if self._room <= 0 or not text:
            return
        self._before_output()
        if not text.isascii():  # a lone surrogate, which no JSON can hold, becomes what it is in the log
            text = text.encode("utf-8", "backslashreplace").decode()
        kept = text[: self._room]
        self._room -= len(kept)
        if self._room <= 0:
            kept += f"\n[more than {TEXT_LIMIT:,} characters; the rest is in the log]\n"
        last = self.outputs[-1] if self.outputs else {}
        if last.get("name") == name:
            last["parts"].append(kept)
        else:
            self.outputs.append({"output_type": "stream", "name": name, "parts": [kept]})

    def display(self, data: dict[str, Any], metadata: dict[str, Any], display_id: str | None) -> None:
        """Add a display."""
        self._before_output()
        output = {"output_type": "display_data", "data": data, "metadata": metadata}
        self.outputs.append({**output, "transient": {"display_id": display_id}} if display_id else output)

    def update(self, data: dict[str, Any], metadata: dict[str, Any], display_id: str) -> None:
        """Replace the displays of that id; if none is the job's, an earlier cell of the notebook has them."""
        new = {"data": data, "metadata": metadata, "transient": {"display_id": display_id}}
        known = [output for output in self.outputs if output.get("transient") == new["transient"]]
        for output in known:
            output.update(new)
        if not known:
            self.outputs.append({"output_type": "update_display_data", **new})

    def error(self, entry: dict[str, Any]) -> None:
        """Add an error that was shown and did not end the cell."""
        self._before_output()
        lines = entry["traceback"].splitlines()
        shown = {"ename": entry["type"], "evalue": entry["message"], "traceback": lines}
        self.outputs.append({"output_type": "error", **shown, "error": entry})

    def result(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        """Add the last value's representation."""
        self._before_output()
        self.outputs.append(
            {"output_type": "execute_result", "data": data, "metadata": metadata, "execution_count": None}
        )

    def add_widgets(self, state: Callable[[], Any]) -> None:
        """Put the state of all widgets beside the first one that is shown, if any is."""
        for output in self.outputs:
            if WIDGET in output.get("data", {}):
                output["data"][WIDGETS] = state()
                return

    def clear(self, wait: bool) -> None:  # noqa: FBT001 - IPython's own signature
        """Forget the outputs, at once or when the next one comes."""
        if wait:
            self._clears_next = True
        else:
            self._forget()

    def finished(self) -> dict[str, Any]:
        """The result's part of it: all outputs, and whether others were cleared away before."""
        return {"outputs": [_joined(output) for output in self.outputs], "has_cleared": self.has_cleared}

    def _before_output(self) -> None:
        if self._clears_next:
            self._clears_next = False
            self._forget()

    def _forget(self) -> None:
        self.has_cleared = self.has_cleared or bool(self.outputs)
        self.outputs.clear()


def _joined(output: dict[str, Any]) -> dict[str, Any]:
    if "parts" not in output:
        return output
    return {"output_type": "stream", "name": output["name"], "text": "".join(output["parts"])}


class Stream(io.TextIOBase):
    """Standard output or error of the job: written through, and recorded."""

    def __init__(self, name: str, real: Any, recorder: Recorder) -> None:
        super().__init__()
        self._name = name
        self._real = real
        self._recorder = recorder
        self.other: Stream | None = None
        self.is_pending = False

    def write(self, text: str) -> int:
        """Write through; a started line is sent as soon as the other stream speaks."""
        if self.other is not None and self.other.is_pending:
            self.other.flush()
        self._recorder.text(self._name, text)  # first: a signal may come between the two
        self._real.write(text)
        self.is_pending = not text.endswith("\n")
        return len(text)

    def flush(self) -> None:
        """Send a started line."""
        self.is_pending = False
        self._real.flush()

    def writable(self) -> bool:
        """It is."""
        return True

    def isatty(self) -> bool:
        """It is a log."""
        return False

    def fileno(self) -> int:
        """The real file descriptor, for subprocesses."""
        return int(self._real.fileno())

    @property
    def buffer(self) -> Any:
        """The binary stream below; what is written there is not recorded."""
        self.flush()
        return self._real.buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The real stream's."""
        return str(self._real.encoding)

    @property
    def errors(self) -> str:  # type: ignore[override]
        """The real stream's."""
        return str(self._real.errors)

    @property
    def name(self) -> str:
        """`<stdout>` or `<stderr>`, as everywhere."""
        return f"<{self._name}>"


def take_over_streams(recorder: Recorder) -> None:
    """Put recording streams in the place of standard output and error."""
    for real in (sys.stdout, sys.stderr):
        # Text of any kind must not kill the job where the image has no locale.
        real.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    out = Stream("stdout", sys.stdout, recorder)
    err = Stream("stderr", sys.stderr, recorder)
    out.other, err.other = err, out
    sys.stdout, sys.stderr = out, err
