"""What a job leaves: one file of large pickles, and behind it the result manifest.

`results/<index>.<attempt>.json` appears complete or not at all, and last, so a half-written result
is never read as one. Values above a few kilobytes stand in `results/<index>.<attempt>.data`. A child
with several items keeps those that ended in `results/<index>.<attempt>.items`, lines of JSON lists, until
the manifest has them all: what a killed attempt had done is not done again.
"""

from __future__ import annotations

import contextlib
import json
import os
import time

from . import failures, pickling, usage
from .payload import StoreError

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .mirror import Mirror
    from .place import Folder

RESULT_VERSION = 1
MOST_ATTEMPTS = 10
"""AWS Batch's limit; a later number is that of a job which repeats another, marked by `<index>.again`."""
_GATHER = 0.05
"""Seconds in which entries of quick items are gathered: so much work may be done again."""
_AT_ONCE = 100
"""The first of a child's items are not gathered: where there are no more, each is seen as it ends."""
VALUE_LIMIT = 64 << 20
"""The last value of a cell that nobody asked for is left behind when its pickle is larger."""
LAST_VALUE = "the last value"


class TooLargeError(Exception):
    """A pickle outgrew its limit."""


class Report:
    """Collects values while the job runs and writes the result at its end.

    Parameters
    ----------
    place : Folder
        The bundle.
    index, attempt : int
        Which child, and which try.
    """

    def __init__(self, place: Folder, index: int, attempt: int) -> None:
        self._place = place
        self.attempt = attempt
        self.index_path = os.path.join(place.folder, "results", str(index))
        self._path = f"{self.index_path}.{attempt}"
        self._data: Any = None
        self._items: Any = None
        self._gathered: list[dict[str, Any]] = []
        self._flushed, self._kept = 0.0, 0
        self._lock: Any = None
        self.is_first = index == 0
        self.files: dict[str, str] = {}
        self.collect: Callable[[int | None], None] = lambda _position: None

    def keep_file(self, path: str, name: str, position: int | None) -> None:
        """Keep a fetched file; that of an array's item under its position.

        Raises
        ------
        StoreError
            The disk does not take it.
        """
        import shutil

        place = name if position is None else f"{position}/{name}"
        target = os.path.join(f"{self._path}.files", place)
        try:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(path, target)
        except OSError as error:
            raise StoreError(f"{name} cannot be brought back: {error.strerror}.") from None
        self.files[place] = os.path.relpath(target, os.path.dirname(os.path.dirname(self.index_path)))

    def take_files(self, position: int | None, entry: dict[str, Any]) -> None:
        """Collect the files of an item that has ended; its entry tells which, for the attempt that follows.

        Those of an item that an earlier attempt has done are in its entry already.
        """
        if "files" in entry:
            self.files.update(entry["files"])
            return
        before = len(self.files)
        self.collect(position)
        if len(self.files) > before:
            entry["files"] = dict(list(self.files.items())[before:])

    def path_of(self, name: str) -> str:
        """Where something that is no value goes, under a name of this child and attempt."""
        return f"{self._path}.{name}"

    def keep(self, value: Any, rules: pickling.Rules, limit: int | None = None) -> dict[str, Any]:
        """Keep a value and return its entry.

        Raises
        ------
        TooLargeError
            Its pickle is larger than `limit` bytes.
        Exception
            Whatever pickling it raises; the file is as before then.
        """

        def spill(dump: Callable[[Any], None]) -> dict[str, Any]:
            return self._append(dump, limit)

        return pickling.encode(value, spill, rules, fatal=(OSError, TooLargeError))

    def _append(self, dump: Callable[[Any], None], limit: int | None) -> dict[str, Any]:
        if self._data is None:
            self._data = open(f"{self._path}.data", "wb")  # noqa: SIM115 - closed with the report
        start = self._data.tell()
        try:
            dump(self._data if limit is None else _Limited(self._data, limit))
            self._data.flush()
        except BaseException as error:
            self._take_back(start)
            if isinstance(error, OSError):
                raise StoreError(f"The job's results cannot be written: {error.strerror}.") from None
            raise
        return {"at": [start, self._data.tell() - start]}

    def _take_back(self, start: int) -> None:
        with contextlib.suppress(OSError):  # closing and seeking flush what the disk did not take
            self._data.seek(start)
        os.ftruncate(self._data.fileno(), start)

    def keep_item(self, position: int, entry: dict[str, Any]) -> None:
        """Keep the entry of one of several items, before the others have ended."""
        if self._items is None:
            self._items = open(f"{self._path}.items", "w", encoding="utf-8")  # noqa: SIM115 - as the data
        self._gathered.append({"position": position, **entry})
        now = time.monotonic()
        self._kept += 1
        if self._kept <= _AT_ONCE or now - self._flushed > _GATHER:
            self._flushed = now
            self._write_gathered()
            files = (os.path.join(self._place.folder, path) for path in self.files.values())
            self.share_at_times(*files, f"{self._path}.data", f"{self._path}.items")

    def _write_gathered(self) -> None:
        """A line for all of them: a line each takes longer than what is kept."""
        self._items.write(f"{json.dumps(self._gathered)}\n")
        self._items.flush()
        self._gathered.clear()

    def lock(self) -> None:
        """Hold a lock until this process is gone: who waits for these items waits for that."""
        import fcntl

        self._lock = open(f"{self.index_path}.lock", "ab")  # noqa: SIM115 - it is held to the end
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def leave_items(self) -> int:
        """Leave the items that have ended, and no result; returns the exit code."""
        if self._gathered:
            self._write_gathered()
        for file in (self._data, self._items):
            if file is not None:
                _settle(file)
        return 0

    def share(self, path: str) -> None:
        """Make a file among the results last, and seen by others, before the job ends.

        Raises
        ------
        StoreError
            It cannot be sent.
        """
        self._place.keep(self._inside(path))

    def share_at_times(self, *paths: str) -> None:
        """The same for files that grow, as often as it costs little."""
        self._place.keep_at_times(*map(self._inside, paths))

    def recall(self, path: str) -> bool:
        """Whether there is such a file of an earlier attempt; then it is here, too."""
        return self._place.recall(self._inside(path))

    def mirror(self, position: int | None) -> Mirror:
        """The folder of checkpoints of a script, or of one item of an array of it."""
        item = "" if position is None else f".{position}"
        return self._place.mirror(self._inside(f"{self.index_path}{item}.checkpoints"), self.attempt)

    def forget(self, path: str) -> None:
        """Take away what was shared."""
        self._place.forget(self._inside(path))

    def _inside(self, path: str) -> str:
        return os.path.relpath(path, self._place.folder)

    def write(self, outcome: dict[str, Any]) -> None:
        """Write the result manifest, after everything it refers to."""
        if self._data is not None:
            _settle(self._data)
            self._data.close()
        content = {"version": RESULT_VERSION, **outcome, "files": self.files, "usage": usage.used()}
        # A lone surrogate, somewhere in a display, must not make the whole result unreadable.
        with open(f"{self._path}.part", "w", encoding="utf-8", errors="replace") as file:
            file.write(_as_json(content))
            _settle(file)
        if self.attempt > MOST_ATTEMPTS:
            open(f"{self.index_path}.again", "w").close()
        os.replace(f"{self._path}.part", f"{self._path}.json")
        if self._items is not None and len(outcome["items"]) > 1:
            self._items.close()
            os.remove(f"{self._path}.items")
        self._place.keep_results(self._inside(f"{self._path}.json"))

    def write_failure(self, error: BaseException, outputs: dict[str, Any]) -> int:
        """Write the result of a job that came to nothing; returns its exit code."""
        entry = failures.describe(error, {})
        failures.print_failure(entry)
        code = failures.exit_code_of(error)
        with contextlib.suppress(OSError):  # a full disk must not hide the error, which the log has now
            self.write({**head(code, error), **outputs, "items": placed([{"error": entry}], None)})
        return code


def head(code: int, error: BaseException | None) -> dict[str, Any]:
    """Status and exit code of a result."""
    stops = isinstance(error, (failures.StopSignal, KeyboardInterrupt))
    status = "stopped" if stops else "failed" if code else "succeeded"
    return {"status": status, "exit_code": code, "python": usage.python_version()}


def placed(entries: list[dict[str, Any]], positions: range | None) -> list[dict[str, Any]]:
    """Items with their positions among all of the array; that of a plain job is 0."""
    return [{"position": position, **entry} for position, entry in zip(positions or range(1), entries)]  # noqa: B905 - a stopped job has fewer


def _as_json(content: Any) -> str:
    """JSON of a result; whatever a display holds, the result is one that can be read."""
    try:
        return json.dumps(content, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        return json.dumps(_cleaned(content), ensure_ascii=False)


def _cleaned(value: Any) -> Any:
    """With numbers of numpy as numbers, NaN as null, and anything else as text."""
    if isinstance(value, dict):
        return {str(key): _cleaned(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(each) for each in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    for number in (int, float):
        with contextlib.suppress(Exception):
            if number(value) == value and abs(number(value)) != float("inf"):
                return number(value)
    return None if isinstance(value, float) else repr(value)


def _settle(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


class _Limited:
    def __init__(self, file: Any, limit: int) -> None:
        self._file = file
        self._room = limit

    def write(self, data: Any) -> int:
        self._room -= memoryview(data).nbytes
        if self._room < 0:
            raise TooLargeError
        return int(self._file.write(data))
