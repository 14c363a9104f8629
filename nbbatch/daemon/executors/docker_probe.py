"""Where the Docker Engine is and whether it answers, asked without importing the Docker SDK.

The SDK costs more to import than the rest of the daemon; a machine without Docker never pays it.
The probe speaks one plain HTTP request over the Engine's socket; only addresses that need TLS or
SSH are left to the SDK.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

PROBE_TIMEOUT = 2.0

_PID_FILE = Path("/var/run/docker.pid")


def engine_address() -> str | None:
    """Address of the Docker Engine: `$DOCKER_HOST`, or the first socket where one usually is.

    Returns
    -------
    str or None
        Such as `unix:///var/run/docker.sock`; None when there is nothing to try.
    """
    address = os.environ.get("DOCKER_HOST")
    if address:
        return address
    return next((f"unix://{path}" for path in _usual_sockets() if path.exists()), None)


def _usual_sockets() -> Iterator[Path]:
    """The system's engine, then those of one user: rootless, Docker Desktop, Colima."""
    yield Path("/var/run/docker.sock")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        yield Path(runtime) / "docker.sock"
    home = Path.home()
    yield home / ".docker" / "run" / "docker.sock"
    yield home / ".colima" / "default" / "docker.sock"


async def probe(address: str | None = None, wait: float = PROBE_TIMEOUT) -> str | None:
    """Ask for the version of the Docker Engine.

    Parameters
    ----------
    address : str, optional
        Where to ask; `engine_address()` when not given.
    wait : float
        Seconds until silence counts as absence.

    Returns
    -------
    str or None
        Such as `20.10.24`; None when no engine answers, or this user may not ask.
    """
    address = address or engine_address()
    if address is None:
        return None
    with contextlib.suppress(OSError, TimeoutError, ValueError, KeyError):
        return await asyncio.wait_for(_version(address), wait)
    return None


async def _version(address: str) -> str:
    url = urlsplit(address)
    if url.scheme == "unix":
        reader, writer = await asyncio.open_unix_connection(url.path)
    elif url.scheme in ("tcp", "http") and not os.environ.get("DOCKER_TLS_VERIFY"):
        reader, writer = await asyncio.open_connection(url.hostname, url.port or 2375)
    else:
        return await asyncio.to_thread(_version_by_sdk)
    try:
        writer.write(b"GET /version HTTP/1.0\r\nHost: docker\r\n\r\n")
        _, _, body = (await reader.read()).partition(b"\r\n\r\n")
        return str(json.loads(body)["Version"])
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def refuses(address: str) -> bool:
    """Whether nobody listens on the engine's socket; False where that cannot be told cheaply.

    The SDK leaks a socket at each connect that fails, so it is not asked while the engine is away.
    """
    url = urlsplit(address)
    if url.scheme != "unix":
        return False
    with socket.socket(socket.AF_UNIX) as caller:
        try:
            caller.connect(url.path)
        except OSError:
            return True
    return False


def engine_started(address: str) -> int | None:
    """When the engine that answers now was started, by its files on this machine.

    Returns
    -------
    int or None
        Epoch ms; None for an engine elsewhere. With systemd the socket may be older than dockerd, so
        the later of socket and process id file counts.
    """
    url = urlsplit(address)
    if url.scheme != "unix":
        return None
    times = [path.stat().st_mtime for path in (Path(url.path), _PID_FILE) if path.exists()]
    return int(max(times) * 1000) if times else None


def _version_by_sdk() -> str:
    import docker  # noqa: PLC0415 - only for addresses that need TLS or SSH

    try:
        client = docker.from_env(timeout=int(PROBE_TIMEOUT))
    except docker.errors.DockerException as error:
        raise OSError(str(error)) from error
    with contextlib.closing(client):
        return str(client.version()["Version"])
