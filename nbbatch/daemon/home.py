"""The daemon's home folder: one daemon at a time, its identity, and the endpoint file clients read.

The lock is held for life by the kernel's word, so it goes with its process however that dies. The
identity (key pair, port, name) is kept over restarts, so that clients which hold an old endpoint go
on. The endpoint file is there exactly while the daemon listens, unless it was killed.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nbbatch.errors import BackendError, NbbatchError

ADDRESS = "127.0.0.1"
"""The only one a daemon listens on."""
LOCK, ENDPOINT, IDENTITY = "daemon.lock", "endpoint.json", "identity.json"
LOG, DATABASE, STREAMS = "daemon.log", "nbbatch.db", "logs"

_PATIENCE = 1.0
"""Seconds to try for the lock: clients look at it, each for a moment."""
_log = logging.getLogger(__name__)


class HomeTakenError(BackendError):
    """Another daemon serves this home."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What stays the same over restarts; `port` and `executor` are the last ones used."""

    access_key_id: str
    secret_access_key: str
    daemon_id: str
    port: int = 0
    executor: str = ""


def lock_home(home: Path) -> int:
    """Make the folder if need be, and take it for this process until it ends.

    Returns
    -------
    int
        The descriptor that holds the lock.

    Raises
    ------
    HomeTakenError
        When another process has it; names it.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)
    descriptor = os.open(home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise _taken(home, descriptor) from None
            time.sleep(0.01)
        else:
            break
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def load_identity(home: Path) -> Identity:
    """The identity of this home; made at first, and anew when its file is damaged."""
    try:
        return Identity(**json.loads((home / IDENTITY).read_text(encoding="utf-8")))
    except FileNotFoundError:
        _log.info("%s is new: it gets an identity.", home)
    except (ValueError, TypeError) as error:
        _log.warning("%s is damaged (%s); a new one is made.", IDENTITY, error)
    identity = Identity(
        access_key_id=f"NBBATCH{secrets.token_hex(7).upper()[:13]}",
        secret_access_key=secrets.token_urlsafe(30),
        daemon_id=secrets.token_hex(8),
    )
    save_identity(home, identity)
    return identity


def save_identity(home: Path, identity: Identity) -> None:
    """Keep an identity for the next start."""
    write_private(home / IDENTITY, asdict(identity))


def write_private(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file that only its owner can read; it appears whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _taken(home: Path, descriptor: int) -> NbbatchError:
    pid = os.pread(descriptor, 32, 0).decode("ascii", errors="replace").strip()
    os.close(descriptor)
    return HomeTakenError(f"A daemon (process {pid or 'unknown'}) serves {home} already.")
