"""Done-callbacks run one after the other on a thread of their own, in the order in which they came due.

So a slow one holds up neither the watcher nor the notebook, and one that waits for another job does
not wait for itself. What a callback raises is logged.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue

_log = logging.getLogger(__name__)


class Callbacks:
    """A queue of calls and the thread that makes them, which starts with the first one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def put(self, call: Callable[[], object]) -> None:
        """Have it called soon."""
        here = copy_context()  # whose settings of a folder hold for it
        self._calls.put(lambda: here.run(call))
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="nbbatch-callbacks", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                self._calls.get()()
            except Exception:  # noqa: BLE001 - the next one must be called all the same
                _log.exception("A job's callback raised")


callbacks = Callbacks()
os.register_at_fork(after_in_child=callbacks.__init__)  # type: ignore[misc]  # a child has none of the threads
