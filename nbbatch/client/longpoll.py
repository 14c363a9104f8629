"""One HTTP request at a time that another thread can break off: what the watcher waits on.

The daemon holds a `watch` request open until something changed. When a new waiter comes meanwhile,
the request is out of date: `wake()` ends it at once, through a pair of sockets that is waited for
together with the daemon's answer. One connection is kept for all requests.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import socket
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ClientError

from nbbatch.client.backend import Backend, translate
from nbbatch.errors import BackendUnreachableError

_SLACK = 10.0
"""Seconds an answer may be late before the daemon counts as gone."""


class LongPoll:
    """Used by one thread, woken by any."""

    def __init__(self) -> None:
        self._ears, self._bell = socket.socketpair()
        self._ears.setblocking(False)
        self._bell.setblocking(False)
        self._connection: http.client.HTTPConnection | None = None
        self._address = ""

    def wake(self) -> None:
        """Break off the request or pause under way, or the next one."""
        with contextlib.suppress(BlockingIOError):  # a full bell is heard as well
            self._bell.send(b"!")

    def pause(self, seconds: float) -> None:
        """Wait for so long, or until woken."""
        select.select([self._ears], [], [], seconds)
        self._hush()

    def ask(self, backend: Backend, route: str, body: Mapping[str, Any], *, patience: float) -> Any:
        """Answer of a private route of the daemon, None when woken before it came.

        Raises
        ------
        BackendUnreachableError
            When nothing answers, or nothing within `patience` seconds and some.
        NbbatchError
            When the daemon refuses, as `Backend.private` would say it.
        """
        request = backend.sign(route, body)
        try:
            return self._exchange(request, patience + _SLACK)
        except (OSError, http.client.HTTPException) as error:
            self._hang_up()
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise BackendUnreachableError(
                f"The local daemon does not answer: {why}.", cure="It may be stopping or starting."
            ) from error

    def _exchange(self, request: AWSPreparedRequest, patience: float) -> Any:
        connection = self._connect(request.url)
        path = urlsplit(request.url).path
        headers = {name: _text(value) for name, value in request.headers.items()}
        connection.request("POST", path, body=_bytes(request.body), headers=headers)
        heard, _, _ = select.select([connection.sock, self._ears], [], [], patience)
        if not heard:
            raise TimeoutError(f"no answer within {patience:g} s")
        if connection.sock not in heard:
            self._hang_up()
            self._hush()
            return None
        return _read(connection.getresponse())

    def _connect(self, url: str) -> http.client.HTTPConnection:
        address = urlsplit(url).netloc
        if self._connection is None or address != self._address or _is_stale(self._connection):
            self._hang_up()
            self._connection = http.client.HTTPConnection(address, timeout=_SLACK)
            self._address = address
            self._connection.connect()
        return self._connection

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _hush(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._ears.recv(1024):
                pass

    def close(self) -> None:
        """Let go of all sockets."""
        self._hang_up()
        self._ears.close()
        self._bell.close()


def _is_stale(connection: http.client.HTTPConnection) -> bool:
    """Whether the kept connection was closed at the other end: then there is an end to be read."""
    return connection.sock is None or bool(select.select([connection.sock], [], [], 0)[0])


def _text(value: str | bytes) -> str:
    return value.decode("ascii") if isinstance(value, bytes) else value


def _bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else str(body or "").encode()


def _read(response: http.client.HTTPResponse) -> Any:
    """The answer's body, or the refusal as an error of ours."""
    body = json.loads(response.read())
    if response.status != HTTPStatus.OK:
        code, _, _ = response.getheader("x-amzn-ErrorType", "").partition(":")
        message = str(body.get("message", body))
        raise translate(ClientError({"Error": {"Code": code, "Message": message}}, "watch"))
    return body
