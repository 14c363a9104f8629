"""A few daemon threads that take calls in turn.

Those of `concurrent.futures` are waited for when the process ends, so a backend that hangs would keep
the Jupyter server from stopping.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Pool:
    """At most so many threads, started as they are needed.

    Parameters
    ----------
    most : int
        Threads.
    name : str
        Of each thread, for who looks at the process.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0

    def submit(self, function: Callable[[], T]) -> Future[T]:
        """Call a function on one of the threads."""
        future: Future[T] = Future()
        self._calls.put((future, function))
        with self._lock:
            is_enough = self._idle > 0 or self._threads == self._most
            if is_enough:
                return future
            self._threads += 1
        threading.Thread(target=self._work, name=self._name, daemon=True).start()
        return future

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            future, function = self._calls.get()
            with self._lock:
                self._idle -= 1
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = function()
            except BaseException as error:  # noqa: BLE001 - it is the caller's
                future.set_exception(error)
            else:
                future.set_result(result)
            del future, function
