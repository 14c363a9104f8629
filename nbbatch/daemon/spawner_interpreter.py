"""One warm interpreter: a process that waits in front of a job's first line, and forks for each job.

Its other end is `nbbatch.runner.warm`, which says what goes over the line. A job counts as started
from the moment it is told to go on, and not before: until then it is known by its pid, it is a
session of its own, and it runs nothing of the payload. Whatever dies or hangs earlier, interpreter
or job, the line of that job closes, the job ends by itself, and nobody need doubt that it has not run.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from nbbatch.daemon.spawner_protocol import MARKER, marker_of

PATIENCE = 1.0
"""Seconds in which a job must have been forked; the spawner has only one thread, and it waits here."""

_ROOM = "x" * 4096
"""Bytes of environment that jobs may have beyond their interpreter's; see `_rename` of the runner."""

_NEWS = 20_000_000
"""Nanoseconds by which the times of files may lag behind the clock."""

_MESSAGE = 1 << 20


class Interpreter:
    """A warm interpreter, from its start to its end.

    Parameters
    ----------
    program, word : str
        The executable's path, and what it is called on the command line.
    archive : str
        The runner; it need not stay there once the interpreter is up.
    environment : mapping of str to str
        Its variables.
    mark : str
        The home's mark for MARKER.

    Attributes
    ----------
    pid : int
        Its process, a child of this one.
    used_at : float
        Monotonic time of its start or of the last job's.

    Raises
    ------
    OSError
        When there is no such program, or the system has no more of something.
    """

    def __init__(
        self, program: str, word: str, archive: str, environment: Mapping[str, str], mark: str
    ) -> None:
        self.used_at = time.monotonic()
        self._started = time.time_ns()
        self._facts: dict[str, int] | None = None
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.setblocking(False)
        with theirs:
            os.set_inheritable(theirs.fileno(), True)
            try:
                self.pid = _spawned(program, word, archive, environment, mark, theirs.fileno())
            except (OSError, ValueError):
                self._line.close()
                raise

    def is_ready(self) -> bool:
        """Whether it has come up; it says so once, with the files that its start depended on."""
        if self._facts is None:
            with suppress(OSError):
                told = self._line.recv(_MESSAGE)
                self._facts = _times(map(os.fsdecode, told.split(b"\0"))) if told else None
        return self._facts is not None

    def is_stale(self) -> bool:
        """Whether an interpreter that starts now could be another: a package came, or a `.pth` file."""
        facts = self._facts or {}
        is_old = max(facts.values(), default=0) < self._started - _NEWS
        return not is_old or _times(facts) != facts

    def start(self, order: bytes, log: int) -> int:
        """Let it become a job.

        Parameters
        ----------
        order : bytes
            Working folder, command line and variables.
        log : int
            Descriptor of the job's standard output and error; the caller closes it.

        Returns
        -------
        int
            The job's pid, which is its session and process group, too. 0 when it has not started,
            and will not.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            ours.settimeout(PATIENCE)
            try:
                socket.send_fds(self._line, [order], [log, theirs.fileno()])
                theirs.close()
                pid = int(ours.recv(20) or 0)
                if pid:
                    ours.send(b"!")
            except OSError:
                return 0
        self.used_at = time.monotonic()
        return pid

    def end(self) -> None:
        """Kill it; its jobs go on. Only for one that is not reaped yet, and somebody has to."""
        self.release()
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def release(self) -> None:
        """Close the line, upon which it ends by itself if it has not yet."""
        self._line.close()


def _spawned(
    program: str, word: str, archive: str, environment: Mapping[str, str], mark: str, line: int
) -> int:
    os.chdir("/")
    return os.posix_spawn(
        program,
        [word, archive, "--warm", str(line), "-" * len(archive)],
        {**environment, MARKER: marker_of(mark, ("", 0)), "NBBATCH_ROOM": _ROOM},
        file_actions=((os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, 2, 1)),
        setsid=True,
        setsigmask=(),
        setsigdef=DEFAULT_SIGNALS,
    )


DEFAULT_SIGNALS = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGPIPE,
    signal.SIGTERM,
    signal.SIGXCPU,
    signal.SIGXFSZ,
)
"""Those that Python, the spawner, or a `nohup` around the daemon may ignore; exec keeps that."""


def order_of(folder: str, command: Sequence[str], environment: Mapping[str, str]) -> bytes:
    """An order as it goes over the line.

    Raises
    ------
    ValueError
        When no process can have such words or variables.
    """
    if any("=" in name or not name for name in environment):
        raise ValueError("illegal environment variable name")
    words = [folder, *command, *(f"{name}={value}" for name, value in environment.items())]
    order = os.fsencode("\0".join(words))
    if order.count(b"\0") != len(words) - 1:
        raise ValueError("embedded null byte")
    return order


def _times(paths: Iterable[str]) -> dict[str, int]:
    """When each of them was changed last, in nanoseconds; 0 where there is none."""
    return {path: _changed_at(path) for path in paths}


def _changed_at(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0
