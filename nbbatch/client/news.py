"""What several jobs do next, waited for in the caller's thread.

The shared watcher's threads only ring. Used by `as_completed` and `wait` of jobs and arrays.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from threading import Condition
from typing import Self

from nbbatch.client.handles.handle import Handle
from nbbatch.client.handles.outcome import Detail
from nbbatch.client.watch import Watch, watcher_of
from nbbatch.model.jobs import TERMINAL


class News:
    """The newest details of several handles.

    Attributes
    ----------
    waiting : set of Handle
        Those that have not ended.
    details : dict
        What each was when it was heard of last.
    """

    def __init__(self, handles: Iterable[Handle]) -> None:
        self._handles = list(handles)
        self._changed = Condition()
        self._fresh: dict[Handle, Detail] = {}
        self._error: BaseException | None = None
        self._watches: list[Watch] = []
        self.waiting = set(self._handles)
        self.details: dict[Handle, Detail] = {}

    def __enter__(self) -> Self:
        for handle in self._handles:
            listener = _Listener(self, handle)
            self._watches.append(watcher_of(handle.backend).watch(handle.id, listener))
        return self

    def __exit__(self, *_: object) -> None:
        for watch in self._watches:
            watch.close()

    def ring(self, handle: Handle, detail: Detail | None, error: BaseException | None = None) -> None:
        """Something happened (called on the watcher's thread)."""
        with self._changed:
            if detail is not None:
                self._fresh[handle] = detail
            self._error = error or self._error
            self._changed.notify_all()

    def next(self, deadline: float | None, pause: float | None = None) -> list[Handle]:
        """Handles that changed since the last call; none when `pause` seconds were up first.

        Raises
        ------
        TimeoutError
            At the deadline.
        """
        left = None if deadline is None else deadline - time.monotonic()
        patience = min((each for each in (left, pause) if each is not None), default=None)
        with self._changed:
            is_there = self._changed.wait_for(lambda: self._fresh or self._error, patience)
            if self._error is not None:
                raise self._error
            fresh, self._fresh = self._fresh, {}
        if not is_there and (pause is None or (left is not None and left <= pause)):
            names = ", ".join(sorted(repr(one) for one in self.waiting))
            raise TimeoutError(f"{names} has not ended in time; it goes on.")
        for handle, detail in fresh.items():
            self.details[handle] = detail
            handle.keep(detail)
            if detail["status"] in TERMINAL:
                self.waiting.discard(handle)
        return list(fresh)


class _Listener:
    """Tells the news of one handle."""

    def __init__(self, news: News, handle: Handle) -> None:
        self._news = news
        self._handle = handle

    def on_change(self, detail: Detail) -> None:
        self._news.ring(self._handle, detail)

    def on_failure(self, error: BaseException) -> None:
        self._news.ring(self._handle, None, error)
