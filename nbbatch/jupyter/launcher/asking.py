"""The newest question only, asked off the thread that has it: for forms that must not block a kernel.

A question waits for a moment of quiet, because another one may follow with the next key. Each is answered
in a thread of its own, so that a backend that does not answer holds up no other one, and an answer that
is no longer wanted is dropped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")
QUIET = 0.3
"""Seconds without another question before one is asked."""


class Latest(Generic[Q, A]):
    """Answers to the newest question.

    Parameters
    ----------
    answer : callable
        Answers a question; runs in a thread, and does not raise.
    take : callable
        Gets the newest question and its answer, never two at a time.
    quiet : float
        Seconds to wait before asking.
    lock : RLock, optional
        Held while an answer is taken: that of who asks with a lock of its own held. With two, who asks
        and who brings an answer would wait for each other.
    """

    def __init__(
        self,
        answer: Callable[[Q], A],
        take: Callable[[Q, A], None],
        quiet: float = QUIET,
        lock: AbstractContextManager[Any] | None = None,
    ) -> None:
        self._answer, self._take, self._quiet = answer, take, quiet
        self._lock = lock or threading.RLock()  # who takes an answer may ask again
        self._number = 0
        self._timer: threading.Timer | None = None
        self._done = threading.Event()
        self._done.set()

    def ask(self, question: Q) -> None:
        """Ask this, and forget about any earlier question."""
        with self._lock:
            self._number += 1
            self._done.clear()
            self._stop()
            self._timer = threading.Timer(self._quiet, self._run, (self._number, question))
            self._timer.daemon = True
            self._timer.start()

    def wait(self, timeout: float) -> bool:
        """Wait until the newest question is answered; False when the time was up."""
        return self._done.wait(timeout)

    def close(self) -> None:
        """Forget the question that is open."""
        with self._lock:
            self._number += 1
            self._stop()
            self._done.set()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _run(self, number: int, question: Q) -> None:
        if number != self._number:
            return
        answer = self._answer(question)
        with self._lock:
            if number == self._number:
                self._take(question, answer)
                self._done.set()
