"""The engine's event stream, on a thread of its own: what happened, told to the asyncio thread.

The stream also is how the executor knows whether the engine is there: it breaks when dockerd goes,
and is opened again, with back-off, until dockerd is back. Events may be missing around a break and
may come twice after it; whoever listens reconciles at each `on_up` and ignores what it knows.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import Any

from nbbatch.daemon.executors.docker_errors import ByteStream, EngineGoneError

_FIRST_DELAY = 0.05
_LONGEST_DELAY = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerEvent:
    """A container started, ran out of memory or died; `at` in epoch ms."""

    action: str
    name: str
    container_id: str
    at: int
    exit_code: int | None = None


def container_event(message: dict[str, Any]) -> ContainerEvent:
    """Read one message of `GET /events`."""
    actor = message["Actor"]
    code = actor["Attributes"].get("exitCode")
    return ContainerEvent(
        action=message["Action"],
        name=actor["Attributes"].get("name", ""),
        container_id=actor["ID"],
        at=message["timeNano"] // 1_000_000,
        exit_code=None if code is None else int(code),
    )


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


class EventStream:
    """Follows the events until closed.

    Parameters
    ----------
    open_stream : callable
        Given a time in epoch seconds, opens the stream from then on; called on the thread.
    on_event, on_up, on_down : callable
        Called on the asyncio thread: for each event, after each connect, after each break.
    """

    def __init__(
        self,
        open_stream: Callable[[int], ByteStream],
        on_event: Callable[[ContainerEvent], None],
        on_up: Callable[[], None],
        on_down: Callable[[], None],
    ) -> None:
        self._open_stream = open_stream
        self._on_event, self._on_up, self._on_down = on_event, on_up, on_down
        self._loop = asyncio.get_running_loop()
        self._closing, self._lock = Event(), Lock()
        self._stream: ByteStream | None = None
        self._thread = Thread(target=self._follow, name="docker-events", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    async def close(self) -> None:
        """Stop following; the thread is gone afterwards."""
        with self._lock:
            self._closing.set()
            if self._stream is not None:
                self._stream.close()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    def _follow(self) -> None:
        delay = _FIRST_DELAY
        while not self._closing.is_set():
            try:
                connected = self._connect()
            except EngineGoneError:
                self._closing.wait(delay)
                delay = min(2 * delay, _LONGEST_DELAY)
                continue
            if connected:
                delay = _FIRST_DELAY
                self._tell(self._on_up)
                self._read()
                self._tell(self._on_down)

    def _connect(self) -> bool:
        """Open the stream from a moment ago, so that nothing falls between it and a listing."""
        stream = self._open_stream(int(time.time()) - 1)
        with self._lock:
            if self._closing.is_set():
                stream.close()
                return False
            self._stream = stream
        return True

    def _read(self) -> None:
        stream = self._stream
        assert stream is not None  # noqa: S101 - set by _connect, on this thread
        try:
            for line in _lines(stream):
                self._tell(self._on_event, container_event(json.loads(line)))
        except EngineGoneError:
            return
        finally:
            with self._lock:
                self._stream = None

    def _tell(self, callback: Callable[..., None], *arguments: object) -> None:
        """Call on the asyncio thread, unless that has ended already."""
        if not self._closing.is_set() and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *arguments)
