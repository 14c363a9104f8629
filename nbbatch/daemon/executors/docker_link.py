"""The connection to the engine as the asyncio thread sees it: up, down, and calls that wait.

Blocking calls run on a small pool of threads. The event stream is the sign of life: at each
connection the containers are listed and handed to whoever reconciles, and only then calls made by
`patiently` go through, so nothing is done in ignorance of what happened meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from nbbatch.daemon.executors.docker_errors import ByteStream, EngineGoneError
from nbbatch.daemon.executors.docker_events import ContainerEvent, EventStream
from nbbatch.daemon.executors.docker_exits import Outage, outage_before
from nbbatch.daemon.executors.docker_probe import engine_started, refuses

if TYPE_CHECKING:
    from nbbatch.daemon.executors.docker_engine import Engine

T = TypeVar("T")
Listing = Sequence[dict[str, Any]]

_RETRY_AFTER = 0.2

_log = logging.getLogger(__name__)


class EngineLink:
    """Reaches one engine, through any number of its restarts.

    Parameters
    ----------
    address : str
        Where the engine is.
    label : str
        What the containers carry that are listed and whose events are told.
    threads : int
        Calls at the same time.

    Attributes
    ----------
    up : asyncio.Event
        Set while the engine answers and the last listing has been dealt with.
    outage : Outage or None
        The last time it did not, even if that was before this link.
    """

    def __init__(self, address: str, label: str, threads: int) -> None:
        self.address, self._label = address, label
        self.up = asyncio.Event()
        self.outage: Outage | None = None
        self._pool = ThreadPoolExecutor(threads, "docker-call")
        self._engine: Engine | None = None
        self._events: EventStream | None = None
        self._reconcile: Callable[[Listing], None] = lambda _listing: None
        self._connection = 0
        self._down_since: int | None = None
        self._listing: asyncio.Task[None] | None = None

    def open(self, on_event: Callable[[ContainerEvent], None], reconcile: Callable[[Listing], None]) -> None:
        """Begin to connect; both are called on the asyncio thread."""
        self._reconcile = reconcile
        self._events = EventStream(self._open_events, on_event, self._on_up, self._on_down)
        self._events.start()

    async def disconnect(self) -> None:
        """Hear no more events; nothing is reconciled any more."""
        if self._events is not None:
            await self._events.close()
        if self._listing is not None:
            self._listing.cancel()
            await asyncio.wait({self._listing})

    async def close(self) -> None:
        """Let go, after `disconnect`; calls in progress are waited for."""
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
        if self._engine is not None:
            self._engine.close()

    @property
    def engine(self) -> Engine:
        """The engine, known since the first connection."""
        if self._engine is None:
            raise EngineGoneError("there has been no connection yet")
        return self._engine

    async def call(
        self, step: Callable[..., T], *arguments: Any, pool: ThreadPoolExecutor | None = None
    ) -> T:
        """Run `step(engine, *arguments)` on a thread, now.

        Raises
        ------
        EngineGoneError
            When the engine does not answer.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool or self._pool, step, self.engine, *arguments)

    async def patiently(
        self, step: Callable[..., T], *arguments: Any, pool: ThreadPoolExecutor | None = None
    ) -> T:
        """Run `step(engine, *arguments)` on a thread until the engine answers, however long it is away."""
        while True:
            await self.up.wait()
            try:
                return await self.call(step, *arguments, pool=pool)
            except EngineGoneError as error:
                _log.info("%s Trying again.", error)
            await asyncio.sleep(_RETRY_AFTER)

    def _open_events(self, since: int) -> ByteStream:
        """Called on the events' thread, at each connection; the first one imports the SDK."""
        from nbbatch.daemon.executors.docker_engine import Engine  # noqa: PLC0415 - paid for only with Docker

        if refuses(self.address):
            raise EngineGoneError(f"nobody listens at {self.address}")
        if self._engine is None:
            self._engine = Engine(self.address)
        return self._engine.events(self._label, since)

    def _on_up(self) -> None:
        self._connection += 1
        back = engine_started(self.address)
        if self._down_since is not None:
            since, self._down_since = self._down_since, None
            self.outage = Outage(since=since, back=back or since, until=time.time_ns() // 1_000_000)
            _log.warning("The Docker Engine at %s is back.", self.address)
        elif self._connection == 1:
            self.outage = outage_before(back)
        self._listing = asyncio.get_running_loop().create_task(self._list(self._connection))

    def _on_down(self) -> None:
        _log.warning("The Docker Engine at %s went away.", self.address)
        self.up.clear()
        self._down_since = time.time_ns() // 1_000_000

    async def _list(self, connection: int) -> None:
        """List and reconcile; given up when the connection ends before there is an answer."""
        while connection == self._connection and self._down_since is None:
            with suppress(EngineGoneError):
                self._reconcile(await self.call(_containers, self._label))
                self.up.set()
                return
            await asyncio.sleep(_RETRY_AFTER)


def _containers(engine: Engine, label: str) -> Listing:
    return engine.containers(label)
