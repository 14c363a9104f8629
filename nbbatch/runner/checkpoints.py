"""Checkpoints: a value that a later attempt finds, complete or not at all.

They lie among the job's results. Where those are not a folder of this machine, `keep_file` and
`open_file` are what has to know it.
"""

from __future__ import annotations

import os
import pickle

from . import pickling

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, BinaryIO


def save(path: str, value: Any, rules: pickling.Rules) -> int:
    """Keep a value; returns the bytes of its pickle."""

    def keep(dump: Callable[[Any], None]) -> int:
        return keep_file(path, dump)

    return int(pickling.pickled(value, keep, rules)[0])


def load(path: str, default: Any, rules: pickling.Rules) -> Any:
    """The value kept last, or the default."""
    file = open_file(path)
    if file is None:
        return default
    rules.offer_cloudpickle()
    with file:
        return pickle.load(file)


def keep_file(path: str, write: Callable[[Any], None]) -> int:
    """Make a file appear, in the place of the one before, with all that `write` writes; returns its size."""
    with open(f"{path}.part", "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
    os.replace(f"{path}.part", path)
    return size


def open_file(path: str) -> BinaryIO | None:
    """The file if there is one."""
    try:
        return open(path, "rb")
    except FileNotFoundError:
        return None
