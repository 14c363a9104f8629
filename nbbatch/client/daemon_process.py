"""Finding the local daemon, starting it, and telling why it does not run.

The kernel's lock on `daemon.lock` says whether a daemon runs, its endpoint file where. A daemon is
started as a process of its own session that belongs to nobody; a pipe says when it takes requests,
so nothing is waited for longer than it lasts. Any number of clients may do this at once.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import nbbatch
from nbbatch.errors import BackendUnreachableError, DaemonVersionError
from nbbatch.version import __version__

ENDPOINT, LOCK, LOG = "endpoint.json", "daemon.lock", "daemon.log"
IDENTITY = "identity.json"
"""Written by the first daemon of a home, and kept."""
START_SECONDS = 30.0
"""How long a daemon may take to come up, or to go."""
_STEP = 0.005
_PROGRAM = (
    "import sys; sys.path.append(sys.argv.pop(1)); from nbbatch.daemon.__main__ import main; sys.exit(main())"
)
_LAST_WORDS = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The endpoint file: where a daemon listens and the key it takes."""

    version: str
    url: str
    pid: int
    region: str
    account: str
    access_key_id: str
    secret_access_key: str
    executor: str
    started_at: int


def find_daemon(home: Path) -> Endpoint | None:
    """The endpoint of the daemon that runs, None when none takes requests.

    A damaged endpoint file is set aside when no daemon runs.

    Raises
    ------
    BackendUnreachableError
        When a daemon runs, but its endpoint file is damaged.
    """
    try:
        endpoint = _read_endpoint(home / ENDPOINT)
    except (ValueError, TypeError) as error:
        pid = running_pid(home)
        if pid is not None:
            raise BackendUnreachableError(
                f"{home / ENDPOINT} is damaged ({error}), and the daemon runs (process {pid}).",
                cure="`nbbatch local stop`, then again; jobs go on meanwhile.",
            ) from error
        with suppress(FileNotFoundError):
            (home / ENDPOINT).rename(home / f"{ENDPOINT}.damaged")
        return None
    return endpoint if endpoint is not None and running_pid(home) == endpoint.pid else None


def running_pid(home: Path) -> int | None:
    """Process id of the daemon that has this home; 0 when it has just come up, None when none runs."""
    try:
        descriptor = os.open(home / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unusable(home, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 32, 0).strip()
        return int(text) if text.isdigit() else 0
    else:
        return None
    finally:
        os.close(descriptor)


def was_stopped(home: Path) -> bool:
    """Whether the last daemon went in peace: then it left no endpoint file."""
    return not (home / ENDPOINT).exists()


class Starting:
    """A daemon on its way up; `wait` for it after doing something useful meanwhile."""

    def __init__(self, home: Path) -> None:
        self._home = home
        with _open_log(home) as log:
            self._heard_until = log.tell()
            self._ears, mouth = os.pipe()
            try:
                self._parent = subprocess.Popen(
                    [*_command(), "--home", str(home), "--detach", "--ready-fd", str(mouth)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=home,
                    start_new_session=True,
                    pass_fds=[mouth],
                )
            finally:
                os.close(mouth)

    def wait(self) -> None:
        """Return when a daemon takes requests, this one or another one.

        Raises
        ------
        BackendUnreachableError
            With the daemon's last words when it ended, or was too slow.
        """
        try:
            self._parent.wait(START_SECONDS)
            is_heard, _, _ = select.select([self._ears], [], [], START_SECONDS)
            word = os.read(self._ears, _LAST_WORDS).decode(errors="replace").strip() if is_heard else None
        except subprocess.TimeoutExpired:
            word = None
        finally:
            os.close(self._ears)
        if word == "taken":
            wait_for_daemon(self._home)
        elif word is None:
            raise self._failed("did not come up in time", self._last_words())
        elif word != "ready":
            raise self._failed("ended at once", word or self._last_words())

    def _failed(self, what: str, words: str) -> BackendUnreachableError:
        return BackendUnreachableError(
            f"The daemon of {self._home} {what}: {words}", cure=f"Its log is {self._home / LOG}."
        )

    def _last_words(self) -> str:
        with (self._home / LOG).open("rb") as log:
            log.seek(self._heard_until)
            words = log.read()[-_LAST_WORDS:].decode("utf-8", errors="replace").strip()
        return words or "it said nothing."


def wait_for_daemon(home: Path) -> Endpoint | None:
    """The endpoint of a daemon that is on its way up; None when there is none, or it went.

    Raises
    ------
    BackendUnreachableError
        When it neither takes requests nor goes.
    """
    deadline = time.monotonic() + START_SECONDS
    while running_pid(home) is not None:
        endpoint = find_daemon(home)
        if endpoint is not None:
            return endpoint
        if time.monotonic() > deadline:
            raise BackendUnreachableError(
                f"The daemon of {home} runs, but takes no requests.", cure=f"Its log is {home / LOG}."
            )
        time.sleep(_STEP)
    return None


def wait_until_gone(home: Path, pid: int) -> bool:
    """Whether this daemon ended in time."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if running_pid(home) != pid:
            return True
        time.sleep(_STEP)
    return False


def stop_by_signal(home: Path) -> bool:
    """Ask the daemon to go without talking to it; False when none runs.

    Raises
    ------
    BackendUnreachableError
        When it does not go.
    """
    pid = running_pid(home)
    if not pid:
        return False
    os.kill(pid, signal.SIGTERM)
    if not wait_until_gone(home, pid):
        raise BackendUnreachableError(
            f"The daemon (process {pid}) does not go.", cure=f"`kill -9 {pid}` loses nothing; jobs go on."
        )
    return True


def check_version(endpoint: Endpoint) -> None:
    """Refuse a daemon of another version.

    Raises
    ------
    DaemonVersionError
        With the cure, which depends on which of the two is older.
    """
    if endpoint.version == __version__:
        return
    if is_older(endpoint):
        cure = "`nbbatch local stop`, then again: the new daemon takes over its jobs."
    else:
        cure = f"Upgrade nbbatch here to {endpoint.version}, or use another $NBBATCH_HOME."
    raise DaemonVersionError(
        f"The local daemon is nbbatch {endpoint.version}, and this is nbbatch {__version__}.", cure=cure
    )


def is_older(endpoint: Endpoint) -> bool:
    """Whether a daemon is of an older version than this client."""
    return _numbers(endpoint.version) < _numbers(__version__)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _read_endpoint(path: Path) -> Endpoint | None:
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unusable(path.parent, error) from error
    known = json.loads(text)
    return Endpoint(**{name: known[name] for name in Endpoint.__slots__})


def _command() -> list[str]:
    """The Python that runs, and its nbbatch, wherever it was imported from; nothing of the working folder."""
    return [sys.executable, "-P", "-c", _PROGRAM, str(Path(nbbatch.__file__).parent.parent)]


def _open_log(folder: Path) -> IO[bytes]:
    """The daemon's log, to append to, in the user's own folder; both closed to others."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(folder, error) from error
    log = os.fdopen(descriptor, "ab")
    log.seek(0, os.SEEK_END)
    return log


def _unusable(folder: Path, error: OSError) -> BackendUnreachableError:
    return BackendUnreachableError(
        f"The local daemon cannot live in {folder}: {error}.", cure="Set NBBATCH_HOME to a folder of yours."
    )
