"""One connection of the spawner: lines in, lines out, and only for the user it belongs to.

Writes never block: what the daemon has not read yet waits in memory, and nothing is lost with it,
because every end is in `run/exits` first.
"""

from __future__ import annotations

import os
import selectors
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

_AT_ONCE = 1 << 16
"""Bytes read in one turn of the loop; more would let children that have ended wait."""


def is_own_user(connection: socket.socket) -> bool:
    """Whether the other end runs as this user; elsewhere than on Linux the folder's 0700 says so."""
    if not sys.platform.startswith("linux"):
        return True
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int.from_bytes(credentials[4:8], sys.byteorder) == os.geteuid()


class Peer:
    """A connected daemon.

    Parameters
    ----------
    connection : socket.socket
        As accepted.
    selector : selectors.BaseSelector
        The loop's; each key's data is a callable without arguments.
    on_line : callable
        Called with the peer and each whole line.
    on_gone : callable
        Called once when the other end has closed or failed.
    """

    def __init__(
        self,
        connection: socket.socket,
        selector: selectors.BaseSelector,
        on_line: Callable[[Peer, bytes], None],
        on_gone: Callable[[Peer], None],
    ) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._selector = selector
        self._on_line = on_line
        self._on_gone = on_gone
        self._rest = b""
        self._unsent = bytearray()
        self._is_open = True
        selector.register(connection, selectors.EVENT_READ, self._on_ready)

    def send(self, data: bytes) -> None:
        """Send now, or as soon as the other end reads."""
        self._unsent += data
        self._flush()

    def close(self) -> None:
        """Close this end; `on_gone` is not called."""
        if self._is_open:
            self._is_open = False
            self._selector.unregister(self._connection)
            self._connection.close()

    def _on_ready(self) -> None:
        if self._unsent:
            self._flush()
        if self._is_open:
            self._receive()

    def _receive(self) -> None:
        try:
            data = self._connection.recv(_AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lose()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._on_line(self, line)

    def _flush(self) -> None:
        if not self._is_open:
            return
        try:
            with suppress(BlockingIOError):
                del self._unsent[: self._connection.send(self._unsent)]
        except OSError:
            self._lose()
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        if self._selector.get_key(self._connection).events != wanted:
            self._selector.modify(self._connection, wanted, self._on_ready)

    def _lose(self) -> None:
        self.close()
        self._on_gone(self)
