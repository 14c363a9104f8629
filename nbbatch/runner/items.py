"""The items of an array in one blob, each readable by itself.

One pickle behind the other, then their offsets as unsigned 64-bit little-endian integers (one more
than there are items: the last is the end), then the number of items. A child reads the last bytes,
two offsets and its own pickle, whatever the array's size.
"""

from __future__ import annotations

import os
import pickle
import struct

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

_NUMBER = struct.Struct("<Q")
_GATHERED = 1 << 16
"""Bytes of small pickles that are written at once."""


def write_items(items: Iterable[Any], file: Any, dump: Callable[[Any, Any], None]) -> None:
    """Write items one by one.

    Parameters
    ----------
    items : iterable
        Pickled one at a time; they share nothing.
    file : binary file
        Written to from its start; only `write` is needed.
    dump : callable
        `dump(item, file)` pickles one.
    """
    counted = _Counted(file)
    offsets = []
    for item in items:
        offsets.append(counted.size)
        dump(item, counted)
    offsets.append(counted.size)
    counted.flush()
    file.write(struct.pack(f"<{len(offsets) + 1}Q", *offsets, len(offsets) - 1))


def as_rows(table: Any) -> Any:
    """A DataFrame whose rows keep each value's own type: a whole number beside a fraction stays one."""
    return table.astype(object) if table.dtypes.nunique() > 1 else table


def read_item(file: Any, position: int) -> Any:
    """Load a single item; see `ItemFile`."""
    return ItemFile(file).read(position)


class ItemFile:
    """Reads items one by one; the one behind the last is read without looking for it.

    Parameters
    ----------
    file : binary file
        Seekable.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._end = file.seek(-_NUMBER.size, os.SEEK_END)
        (self._count,) = _NUMBER.unpack(file.read(_NUMBER.size))
        self._next = -1

    def read(self, position: int) -> Any:
        """Load the item at `position`.

        Raises
        ------
        IndexError
            There are not that many.
        """
        if not 0 <= position < self._count:
            raise IndexError(f"item {position} of an array of {self._count}")
        if position != self._next:
            self._file.seek(self._end - (self._count + 1 - position) * _NUMBER.size)
            self._file.seek(*_NUMBER.unpack(self._file.read(_NUMBER.size)))
        self._next = -1  # where the file stands if this one cannot be loaded
        item = pickle.load(self._file)
        self._next = position + 1
        return item


class _Counted:
    def __init__(self, file: Any) -> None:
        self._file = file
        self._waiting = bytearray()
        self.size = 0

    def write(self, data: Any) -> int:
        self.size += memoryview(data).nbytes
        if len(self._waiting) + memoryview(data).nbytes > _GATHERED:
            self.flush()
            self._file.write(data)
        else:
            self._waiting += data
        return memoryview(data).nbytes

    def flush(self) -> None:
        self._file.write(self._waiting)
        self._waiting = bytearray()
