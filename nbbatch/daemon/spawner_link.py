"""The daemon's end of the line to the spawner: find it or start it, send and receive lines.

The listening socket is made here and handed to a new spawner, so that nobody has to wait until it
is up: what is sent meanwhile stays in the kernel. A unix socket's path may have about 107 bytes; in
a home with a longer one the socket is in a private folder below the temporary one, and `run/socket`
is a link to it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from nbbatch.daemon.spawner_protocol import RunFiles, base_environment
from nbbatch.errors import BackendUnreachableError, ConfigurationError

_LONGEST_ADDRESS = 100
"""Bytes; sun_path has 104 on macOS and 108 on Linux, one of them for the end."""

_CLOSE_SECONDS = 5.0
_LONGEST_LOG = 1 << 20

_PROGRAM = (
    "import os, sys\n"
    "os.fork() and os._exit(0)\n"
    "sys.path.append(sys.argv[1])\n"
    "from nbbatch.daemon.spawner import main\n"
    "main(sys.argv[2:])\n"
)
"""The fork makes it nobody's child: it may outlive the daemon, and leaves it no zombie."""


class Link(asyncio.Protocol):
    """One connection to a spawner.

    Parameters
    ----------
    on_line : callable
        Called with each whole line.
    on_lost : callable
        Called once when the spawner has closed or died; not after `close`.
    """

    def __init__(self, on_line: Callable[[bytes], None], on_lost: Callable[[], None]) -> None:
        self._on_line = on_line
        self._on_lost = on_lost
        self._rest = b""
        self._transport: asyncio.Transport | None = None
        self._is_closing = False
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of asyncio."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what a stream socket has
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Of asyncio."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._on_line(line)

    def connection_lost(self, _error: Exception | None) -> None:
        """Of asyncio."""
        self._transport = None
        self._closed.set_result(None)
        if not self._is_closing:
            self._on_lost()

    def send(self, data: bytes) -> None:
        """Send now or as soon as the spawner reads; dropped when the connection is gone."""
        if self._transport is not None:
            self._transport.write(data)

    async def close(self) -> None:
        """Send what is left, then close; a spawner that does not read for long does not get it."""
        self._is_closing = True
        if self._transport is not None:
            self._transport.close()
            await asyncio.wait([self._closed], timeout=_CLOSE_SECONDS)
        if self._transport is not None:
            self._transport.abort()
            await self._closed


def mark_of(home: Path) -> str:
    """Short name of a home and user, the same at any time; in MARKER and in the socket's folder."""
    return sha256(f"{os.geteuid()}:{home}".encode()).hexdigest()[:16]


async def open_link(
    home: Path, idle_seconds: float, on_line: Callable[[bytes], None], on_lost: Callable[[], None]
) -> Link:
    """Connect to the home's spawner; start one when there is none.

    Parameters
    ----------
    home : Path
        The home folder, resolved.
    idle_seconds : float
        How long a newly started one stays without work and daemon.

    Raises
    ------
    BackendUnreachableError
        When it cannot be started.
    ConfigurationError
        When the socket's folder belongs to somebody else.
    """
    files = RunFiles(str(home))
    connection = _connect(files)
    if connection is None:
        starter, connection = _start(home, files, idle_seconds)
        try:
            code = await asyncio.to_thread(starter.wait)
        except asyncio.CancelledError:
            connection.close()
            raise
        if code != 0:
            connection.close()
            raise BackendUnreachableError(
                f"The spawner of {home} did not start (exit code {code}).", cure=f"See {files.log}."
            )
    loop = asyncio.get_running_loop()
    _, link = await loop.create_unix_connection(lambda: Link(on_line, on_lost), sock=connection)
    return link


def _connect(files: RunFiles) -> socket.socket | None:
    if not os.path.lexists(files.socket):
        return None
    address = os.path.realpath(files.socket)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(address)
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    except OSError as error:
        connection.close()
        raise BackendUnreachableError(f"The spawner's socket {address} does not answer: {error}.") from error
    return connection


def _start(home: Path, files: RunFiles, idle_seconds: float) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start a spawner, and connect while it comes up; the process returned ends as soon as it is up."""
    Path(files.folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    with _listen(home, files) as listener, _open_log(files.log) as log:
        handle = listener.fileno()
        words = [_package_parent(), str(home), mark_of(home), str(handle), str(idle_seconds)]
        starter = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _PROGRAM, *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=files.folder,
            env=base_environment(os.environ),
            pass_fds=(handle,),
            start_new_session=True,
        )
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(os.path.realpath(files.socket))
    return starter, connection


def _listen(home: Path, files: RunFiles) -> socket.socket:
    """Bind the socket anew; whoever bound it before does not answer any more."""
    address = files.socket
    Path(address).unlink(missing_ok=True)
    if len(os.fsencode(address)) > _LONGEST_ADDRESS:
        address = str(_private_folder(home) / "socket")
        Path(address).unlink(missing_ok=True)
        Path(files.socket).symlink_to(address)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        raise BackendUnreachableError(f"The spawner's socket {address} cannot be made: {error}.") from error
    return listener


def _private_folder(home: Path) -> Path:
    """A folder for a long home's socket, in which nobody else can have put anything.

    Raises
    ------
    ConfigurationError
        When somebody else has made it, or others may write into it.
    """
    folder = Path(tempfile.gettempdir()) / f"nbbatch-{mark_of(home)}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if status.st_mode != stat.S_IFDIR | 0o700 or status.st_uid != os.geteuid():
        raise ConfigurationError(
            f"{folder} is not a private folder of yours.", cure="Remove it, or choose a shorter NBBATCH_HOME."
        )
    return folder


def _open_log(path: str) -> BinaryIO:
    """The spawner's log, begun anew when it has grown long."""
    with suppress(FileNotFoundError):
        if Path(path).stat().st_size > _LONGEST_LOG:
            Path(path).replace(f"{path}.old")
    return open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600))


def _package_parent() -> str:
    return str(Path(__file__).resolve().parents[2])
