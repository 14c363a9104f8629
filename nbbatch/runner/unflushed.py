"""What code has written to files that it left open: written out before they are fetched, and at the end.

Python does that when it ends. A job's process ends without, for tearing modules down takes time, and what
is fetched is read before. Compressed files need their end from who opened them.
"""

from __future__ import annotations

import os
import stat
import sys

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_DESCRIPTORS = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
_FIRST = 3
"""Behind standard input, output and error."""


def write_out(among: Iterable[str] | None = None) -> None:
    """Write out the buffers of open files; next to nothing where none is open for writing.

    Parameters
    ----------
    among : iterable of str, optional
        Only of these paths; of any without it.
    """
    opened = {found for found in map(_written_to, _descriptors()) if found is not None}
    if opened and among is not None:
        opened &= {_identity(os.stat(path)) for path in among}
    if opened:
        for file in _buffers():
            _write_out(file, opened)


def _descriptors() -> list[int]:
    try:
        return [int(name) for name in os.listdir(_DESCRIPTORS) if int(name) >= _FIRST]
    except OSError:
        return []


def _written_to(descriptor: int) -> tuple[int, int] | None:
    """Which regular file it writes to; None where it is another thing, or is only read."""
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            return None
        import fcntl

        mode = fcntl.fcntl(descriptor, fcntl.F_GETFL) & (os.O_WRONLY | os.O_RDWR)
    except OSError:  # closed meanwhile
        return None
    return _identity(facts) if mode else None


def _identity(facts: os.stat_result) -> tuple[int, int]:
    return facts.st_dev, facts.st_ino


def _buffers() -> list[Any]:
    """Python's own files, text before the bytes below it."""
    import _io
    import gc

    kinds = (_io.TextIOWrapper, _io.BufferedWriter, _io.BufferedRandom)
    found = [one for one in gc.get_objects() if issubclass(type(one), kinds)]
    return sorted(found, key=lambda one: not issubclass(type(one), _io.TextIOWrapper))


def _write_out(file: Any, opened: set[tuple[int, int]]) -> None:
    try:
        if _identity(os.fstat(file.fileno())) not in opened:
            return
    except Exception:  # closed, or what is below is a class of somebody's own
        return
    try:
        file.flush()
    except (OSError, ValueError) as error:
        name = getattr(file, "name", "a file")
        print(f"nbbatch: {name} could not be written out: {error}", file=sys.__stderr__)
