"""A container's output: from the engine's framed log to the raw bytes of a log stream.

The engine's log is the truth and never changes what it has said, so the file is always a beginning
of it: copying skips as many bytes as the file holds already and appends the rest. That makes every
copy, whether live, final or after a restart of the daemon, complete and without repetition.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from pathlib import Path
from threading import Lock

from nbbatch.daemon.executors.docker_errors import ByteStream, EngineGoneError, EngineRefusedError

_HEADER = struct.Struct(">BxxxL")
_PATIENCE = 5.0
"""Seconds from a container's end until its live log must have ended too."""

_log = logging.getLogger(__name__)


class Frames:
    """Takes the engine's frames (stream, length, bytes) apart, however the chunks are cut."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> bytes:
        """The output in a chunk, stdout and stderr in the order the engine logged them."""
        data = self._rest + chunk
        payloads, at = [], 0
        while len(data) - at >= _HEADER.size:
            _, length = _HEADER.unpack_from(data, at)
            end = at + _HEADER.size + length
            if end > len(data):
                break
            payloads.append(data[at + _HEADER.size : end])
            at = end
        self._rest = data[at:]
        return b"".join(payloads)


def append_log(chunks: Iterable[bytes], path: Path) -> None:
    """Bring a log stream's file up to the engine's log, which is read from its beginning.

    Raises
    ------
    OSError
        When the disk is full or the file cannot be written.
    """
    frames = Frames()
    with path.open("ab") as file:
        held = file.tell()
        for chunk in chunks:
            output = frames.feed(chunk)
            fresh, held = output[held:], max(0, held - len(output))
            if fresh:
                file.write(fresh)
                file.flush()


class LogFollower:
    """Copies one container's log while it runs, on a thread of a pool.

    Parameters
    ----------
    pool : Executor
        Its size bounds how many logs are live; one that waits for a thread comes in at its turn,
        or with the final copy.
    open_log : callable
        Opens the log to be followed.
    path : Path
        The stream's file.
    """

    def __init__(self, pool: Executor, open_log: Callable[[], ByteStream], path: Path) -> None:
        self._open_log, self._path = open_log, path
        self._lock = Lock()
        self._closed = False
        self._log: ByteStream | None = None
        self._future = pool.submit(self._copy)

    def _copy(self) -> bool:
        """Copy until the log ends; whether it was read to its end."""
        try:
            with self._lock:
                if self._closed:
                    return False
                self._log = self._open_log()
            append_log(self._log, self._path)
        except (EngineGoneError, EngineRefusedError):
            return False
        except OSError as error:
            _log.warning("Cannot write the log %s: %s", self._path, error)
            return False
        return True

    async def finish(self, patience: float = _PATIENCE) -> bool:
        """Wait for the log's end after the container's.

        Returns
        -------
        bool
            Whether the file is complete now; nobody writes to it any more either way.
        """
        if self._future.cancel():
            return False
        copying = asyncio.wrap_future(self._future)
        await asyncio.wait({copying}, timeout=patience)
        if not copying.done():
            self.close()
        return await copying

    def close(self) -> None:
        """Stop copying; safe from any thread and at any time."""
        self._future.cancel()
        with self._lock:
            self._closed = True
            if self._log is not None:
                self._log.close()
