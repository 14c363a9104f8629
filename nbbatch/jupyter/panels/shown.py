"""Which panels are drawn now, so that they stop when their cell runs again, is deleted, or the kernel ends.

A front end tells the id of the cell with each request to run it, and which cells were deleted since.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Mapping
from typing import Any, Protocol
from weakref import WeakSet

MOST = 16
"""Panels that are drawn at once: nobody looks at more, and the oldest stops."""


class Closeable(Protocol):
    """What is kept here."""

    cell: str

    def close(self) -> None:
        """Stop drawing."""

    def leave(self) -> None:
        """Stop drawing, since the kernel ends."""


_shown: list[Closeable] = []
_lock = threading.Lock()
_hooked: WeakSet[Any] = WeakSet()


def remember(panel: Closeable, shell: Any) -> None:
    """A panel was put into the output of the cell that runs."""
    panel.cell = str(_told(shell).get("cellId") or "")
    with _lock:
        _shown.append(panel)
        surplus = _shown[:-MOST]
    for one in surplus:
        one.close()
    if shell not in _hooked:
        _hooked.add(shell)
        shell.events.register("pre_run_cell", lambda *_: _on_run(shell))


def forget(panel: Closeable) -> None:
    """It is not drawn any more."""
    with _lock:
        _shown[:] = [one for one in _shown if one is not panel]


def leave_all() -> None:
    """The kernel ends: no panel is drawn any more; jobs go on."""
    for panel in tuple(_shown):
        panel.leave()


def _on_run(shell: Any) -> None:
    """A cell runs: what it showed before is gone, and so is what deleted cells showed."""
    told = _told(shell)
    gone = {str(told.get("cellId") or ""), *map(str, told.get("deletedCells") or ())} - {""}
    for panel in [one for one in _shown if one.cell in gone]:
        panel.close()


def _told(shell: Any) -> Mapping[str, Any]:
    """Metadata of the request under way; empty where a front end tells none."""
    kernel: Any = getattr(shell, "kernel", None)
    parent = {} if kernel is None else kernel.get_parent("shell")
    return (parent or {}).get("metadata") or {}


atexit.register(leave_all)
