"""How requests reach a backend: a few threads for each, so that one that hangs holds up nobody else.

The event loop never waits. A lane keeps what is known of its backend between requests: its connections,
its board, and answers that several tabs ask for at the same time.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Hashable
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from nbbatch.client.backend import Backend, Standing, find_backend
from nbbatch.client.config import working_in
from nbbatch.errors import BackendUnreachableError
from nbbatch.jupyter.routes.board import Board
from nbbatch.jupyter.routes.follow import Follower
from nbbatch.jupyter.routes.pool import Pool
from nbbatch.jupyter.routes.problems import no_daemon

THREADS = 4
MOST_WAITING = 64
"""Requests that may wait for one backend."""
MOST_KEPT = 200
"""Answers that are kept for others."""
PATIENCE = 75.0
"""Seconds after which a backend counts as not answering."""

T = TypeVar("T")


class Lane:
    """One backend as the routes use it."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.board = Board(backend)
        self.follower = Follower(self.board)
        self._pool = Pool(THREADS, f"nbbatch-{backend.name}")
        self._waiting = 0
        self._has_run = False
        self._kept: dict[Hashable, tuple[float, Any]] = {}
        self._locks: dict[Hashable, threading.Lock] = {}

    async def run(
        self,
        folder: Path,
        function: Callable[[], T],
        *,
        needs_daemon: bool = True,
        patience: float = PATIENCE,
    ) -> T:
        """Call a function on a thread of the lane, with the folder's settings, as `hurried` as who calls.

        Raises
        ------
        NoDaemon
            No daemon runs, and nobody asked to start one.
        BackendUnreachableError
            It does not answer in time, or too many wait for it already.
        """
        name = self.backend.name
        if self._waiting >= MOST_WAITING:
            raise BackendUnreachableError(f"{self._waiting} requests wait for backend {name} already.")

        def work() -> T:
            with working_in(folder):
                if needs_daemon:
                    self._make_ready()
                return function()

        self._waiting += 1
        future = asyncio.wrap_future(self._pool.submit(partial(copy_context().run, work)))
        future.add_done_callback(self._let_go)
        try:
            return await asyncio.wait_for(asyncio.shield(future), patience)
        except TimeoutError:
            raise BackendUnreachableError(
                f"Backend {name} has not answered within {patience:g} s.",
                cure="Look whether it can be reached from the server; `nbbatch doctor` tells more.",
            ) from None

    def once(self, key: Hashable, seconds: float, ask: Callable[[], T]) -> T:
        """An answer that others may have got just now; asked for once when several want it."""
        if len(self._kept) > MOST_KEPT:
            self._kept.clear()
            self._locks.clear()
        with self._locks.setdefault(key, threading.Lock()):
            at, answer = self._kept.get(key, (float("-inf"), None))
            if time.monotonic() - at > seconds:
                answer = ask()
                self._kept[key] = time.monotonic(), answer
            return cast("T", answer)

    def changed(self) -> None:
        """Something was asked of the backend: what is kept is old."""
        self._kept.clear()
        self.board.expire()

    def _let_go(self, future: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()  # whoever waited for it has it, or has gone

    def _make_ready(self) -> None:
        standing = self.backend.standing()
        if standing is Standing.READY:
            if not self._has_run:
                self.backend.renew(start=False)
            self._has_run = True
            return
        if standing is Standing.KILLED and self._has_run:
            self.backend.renew(start=False)
            return
        raise no_daemon(standing)


class Lanes:
    """The lanes of one server; used from its event loop."""

    def __init__(self) -> None:
        self._lanes: dict[int, Lane] = {}
        self._pool = Pool(2, "nbbatch-settings")

    async def find(self, name: str, folder: Path) -> Lane:
        """The lane of a backend, by its name in the settings of a folder."""

        def look() -> Backend:
            with working_in(folder):
                return find_backend(name or None)

        backend = await self.aside(look)
        if id(backend) not in self._lanes:
            self._lanes[id(backend)] = Lane(backend)
        return self._lanes[id(backend)]

    async def aside(self, function: Callable[[], T]) -> T:
        """Call what asks no backend, but reads files."""
        return await asyncio.wrap_future(self._pool.submit(function))
