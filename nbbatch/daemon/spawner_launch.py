"""Turning an order into a process: its folder, its environment, its limits, and posix_spawn.

Payloads of Python are first offered to a warm interpreter, see `spawner_warm`; what it does not take
is started here.

The spawner has one thread, so its own working directory and resource limits can be changed around
the spawn, which posix_spawn itself knows nothing of. Everything here is on the way of each short
job: a program is looked up on PATH at most once a second, and an empty scratch folder is handed on
to the next job by renaming it, which costs a tenth of removing one and making another.
"""

from __future__ import annotations

import errno
import os
import resource
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from nbbatch.daemon.admission import Devices
from nbbatch.daemon.spawner_interpreter import DEFAULT_SIGNALS
from nbbatch.daemon.spawner_protocol import MARKER, Order, marker_of
from nbbatch.daemon.spawner_warm import WarmInterpreters

Ulimits = Sequence[tuple[str, int, int]]

_LOOK_AGAIN = 1.0
"""Seconds for which the place of a program on PATH is remembered."""

_KEEP_SPARES = 1.0
"""Seconds for which an empty folder waits for the next attempt."""

_ONLY_AFTERWARDS = frozenset({"cpu", "data", "rss", "rttime"})
"""Limits that would hurt the spawner itself if it had them for a moment."""


class CannotStartError(Exception):
    """The attempt's process cannot be made; the message says why, in ECS's form."""


class Launcher:
    """Starts processes.

    Parameters
    ----------
    mark : str
        The home's mark for MARKER.
    scratch : Scratch
        Where working directories come from.
    """

    def __init__(self, mark: str, scratch: Scratch) -> None:
        self.base: dict[str, str] = {}
        self.devices: Sequence[str] = ()
        self.warm = WarmInterpreters(mark)
        self._mark = mark
        self._scratch = scratch
        self._places: dict[tuple[str, str], tuple[float, str]] = {}

    def launch(self, order: Order, devices: Devices) -> int:
        """Start the first process of an attempt, as leader of a session of its own.

        Returns
        -------
        int
            Its pid, which is its process group and session, too.

        Raises
        ------
        CannotStartError
            When there is no such program, no folder, no log file, or a limit is not allowed.
        """
        if not order.command:
            raise CannotStartError(
                "CannotStartContainerError: the job has no command, and an image's default command needs Docker"
            )
        try:
            return self._spawn(order, self._environment(order, devices))
        except (OSError, ValueError) as error:
            self._places.clear()
            raise CannotStartError(f"CannotStartContainerError: {_cause(error, order)}") from error

    def _spawn(self, order: Order, environment: dict[str, str]) -> int:
        folder = self._scratch.take(order.scratch)
        program = self._find(order.command[0], environment.get("PATH", os.defpath))
        warm = self.warm.launch(order, program, folder, environment)
        if warm:
            return warm
        os.chdir(folder)
        with _soft_limits(order.ulimits) if order.ulimits else _UNLIMITED:
            pid = os.posix_spawn(
                program,
                order.command,
                environment,
                file_actions=(
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ),
                setsid=True,
                setsigmask=(),
                setsigdef=DEFAULT_SIGNALS,
            )
        if order.ulimits:
            _limit(pid, order.ulimits)
        return pid

    def _environment(self, order: Order, devices: Devices) -> dict[str, str]:
        environment = self.base.copy()
        environment.update(order.environment)  # type: ignore[arg-type]  # pairs are lists in JSON
        environment[MARKER] = marker_of(self._mark, order.name)
        if self.devices:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join([self.devices[index] for index in devices])
            environment["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
        return environment

    def _find(self, word: str, path: str) -> str:
        """The program a shell would run; on the job's own PATH, not the spawner's."""
        if "/" in word:
            return word
        now = time.monotonic()
        until, place = self._places.get((word, path), (0.0, ""))
        if now < until:
            return place
        place = _find_on_path(word, path)
        if len(self._places) > 1000:  # noqa: PLR2004 - only keeps it from growing for ever
            self._places.clear()
        self._places[word, path] = (now + _LOOK_AGAIN, place)
        return place


def _find_on_path(word: str, path: str) -> str:
    cause = errno.ENOENT
    for folder in path.split(os.pathsep):
        place = f"{folder}/{word}"
        if folder and os.path.isfile(place):
            if os.access(place, os.X_OK):
                return place
            cause = errno.EACCES
    raise OSError(cause, os.strerror(cause), word)


def _cause(error: OSError | ValueError, order: Order) -> str:
    """Say what is wrong in words; posix_spawn's error does not tell the program from the log file."""
    with suppress(OSError):
        os.close(os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
        if not isinstance(error, OSError):
            return f"{error}: {order.command[0]!r}"
        return f"{os.strerror(error.errno or 0)}: {error.filename or order.command[0]!r}"
    return f"its log file {order.log!r} cannot be opened"


class Scratch:
    """Working directories, one for each attempt, `scratch/<task id>`.

    `drop_at` is the monotonic time at which `drop_spares` is due.

    Parameters
    ----------
    root : str
        The folder they are in.
    """

    def __init__(self, root: str) -> None:
        self.drop_at = float("inf")
        self._root = root
        self._spares: list[str] = []

    def take(self, name: str) -> str:
        """An empty folder of this name that nobody else can read."""
        path = f"{self._root}/{name}"
        while self._spares:
            with suppress(OSError):
                os.rename(self._spares.pop(), path)
                return path
        try:
            os.mkdir(path, 0o700)
        except FileNotFoundError:
            os.makedirs(path, 0o700)
        except FileExistsError:
            return path
        return path

    def leave(self, name: str) -> bool:
        """The attempt has ended and nothing of it runs.

        Returns
        -------
        bool
            Whether the folder was empty and needs no `remove` (it waits to be used again).
        """
        path = f"{self._root}/{name}"
        with suppress(OSError):
            if os.lstat(path).st_mode == _OWN_FOLDER and not os.listdir(path):
                self._spares.append(path)
                self.drop_at = time.monotonic() + _KEEP_SPARES
                return True
        return False

    def drop_spares(self) -> None:
        """Remove folders that wait to be used again."""
        self.drop_at = float("inf")
        while self._spares:
            with suppress(OSError):
                os.rmdir(self._spares.pop())

    def remove(self, names: Sequence[str]) -> int:
        """Remove folders with all that is in them, in a process of its own: it may take long.

        Returns
        -------
        int
            Its pid, 0 when there was nothing to do.
        """
        paths = [f"{self._root}/{name}" for name in names]
        for link in filter(os.path.islink, paths):
            os.unlink(link)
        folders = [path for path in paths if os.path.isdir(path)]
        if not folders:
            return 0
        return os.posix_spawn("/bin/sh", ["sh", "-c", _REMOVE, "sh", *folders], {"PATH": os.defpath})

    def others(self, names: set[str]) -> list[str]:
        """Names of folders that are there and not among these."""
        with suppress(FileNotFoundError):
            return [name for name in os.listdir(self._root) if name not in names]
        return []


_OWN_FOLDER = stat.S_IFDIR | 0o700

_REMOVE = 'chmod -R u+rwx -- "$@"; exec rm -rf -- "$@"'
"""A job may have left folders that even their owner cannot write into."""


def _kind(name: str) -> int:
    kind = getattr(resource, f"RLIMIT_{name.upper()}", None)
    if not isinstance(kind, int):
        raise ValueError(f"this system has no ulimit {name!r}")  # noqa: TRY004 - the name is wrong
    return kind


@contextmanager
def _soft_limits(ulimits: Ulimits) -> Iterator[None]:
    """Have these soft limits while a child is made; hard ones cannot be taken back, so not those."""
    before = []
    try:
        for name, soft, hard in ulimits:
            kind = _kind(name)
            if name not in _ONLY_AFTERWARDS:
                before.append((kind, resource.getrlimit(kind)))
                _set_limit(name, kind, soft, hard)
        yield
    finally:
        for kind, limits in reversed(before):
            resource.setrlimit(kind, limits)


def _set_limit(name: str, kind: int, soft: int, hard: int) -> None:
    own = resource.getrlimit(kind)[1]
    try:
        resource.setrlimit(kind, (soft, hard if _is_over(hard, own) else own))
    except (OSError, ValueError):
        raise ValueError(f"ulimit {name} {soft}:{hard} is over what this machine allows ({own})") from None


def _is_over(limit: int, other: int) -> bool:
    if resource.RLIM_INFINITY in (limit, other):
        return limit != other and limit == resource.RLIM_INFINITY
    return limit > other


def _limit(pid: int, ulimits: Ulimits) -> None:
    """Give the child its hard limits; where the system cannot (macOS), the soft ones stand."""
    if hasattr(resource, "prlimit"):
        for name, soft, hard in ulimits:
            with suppress(ProcessLookupError, PermissionError):
                resource.prlimit(pid, _kind(name), (soft, hard))


class _Unlimited:
    """A context that does nothing, cheaper than contextlib's for every job without limits."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_error: object) -> None: ...


_UNLIMITED = _Unlimited()
