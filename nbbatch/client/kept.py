"""What the client remembers in a small file of the home folder: values by key, the newest ones.

It outlives kernels and is read within a receipt, so a look costs a millisecond and no call. Nothing
depends on it: a file that cannot be read or written costs an estimate, never a result. Of two
processes that write at once one may be forgotten.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

_lock = threading.Lock()


class Kept:
    """A file of values by key.

    Parameters
    ----------
    path : Path
        Where it is, or will be.
    most : int
        How many keys are kept; those noted last.
    """

    def __init__(self, path: Path, *, most: int) -> None:
        self._path = path
        self._most = most

    def get(self, key: str) -> Any:
        """What was noted last; None where nothing was."""
        return self._read().get(key)

    def note(self, key: str, change: Callable[[Any], Any]) -> None:
        """Keep what `change` makes of what was there, or of None."""
        with _lock:
            known = self._read()
            known[key] = change(known.pop(key, None))
            newest = dict(list(known.items())[-self._most :])
            draft = self._path.with_name(f".{self._path.stem}-{os.getpid()}")
            with contextlib.suppress(OSError):
                self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                draft.write_bytes(msgspec.json.encode(newest))
                draft.replace(self._path)

    def _read(self) -> dict[str, Any]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Any])
        except (OSError, msgspec.MsgspecError):
            return {}
