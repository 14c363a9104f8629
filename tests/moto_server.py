"""moto's server in this process: AWS for tests, at an address of its own and without what others left."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from urllib.request import Request, urlopen

from moto.server import ThreadedMotoServer

_open: set[str] = set()
"""Addresses of the servers that run."""


@contextlib.contextmanager
def moto_server(host: str = "127.0.0.1") -> Iterator[str]:
    """A server at this address of the machine; gives its URL.

    All servers of a process show the same things; they are gone when the last one goes.
    """
    server = ThreadedMotoServer(host, 0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    _open.add(url)
    try:
        yield url
    finally:
        _open.remove(url)
        if not _open:
            urlopen(Request(f"{url}/moto-api/reset", method="POST")).close()
        server.stop()
