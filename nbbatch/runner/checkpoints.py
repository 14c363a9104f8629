"""Checkpoints: a value in a file that appears complete or not at all.

They lie among the job's results; the report makes them last where those are not a folder of this machine.
"""

from __future__ import annotations

import os
import pickle

from . import pickling

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def save(path: str, value: Any, rules: pickling.Rules) -> int:
    """Keep a value; returns the bytes of its pickle."""

    def keep(dump: Callable[[Any], None]) -> int:
        return keep_file(path, dump)

    return int(pickling.pickled(value, keep, rules)[0])


def load(path: str, rules: pickling.Rules) -> Any:
    """The value that was kept."""
    rules.offer_cloudpickle()
    with open(path, "rb") as file:
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
