"""What earlier attempts at a child's items have done already, so that it is not done again.

An attempt that was stopped or killed leaves the items that had ended; a retry of failed items repeats
a whole child, and only its failed items run. Imported only where there was an attempt before.
"""

from __future__ import annotations

import contextlib
import json

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Entries = dict[int, dict[str, Any]]


def done_before(index_path: str, attempts: Iterable[int]) -> Entries:
    """Entries of items that ended well, by position.

    Parameters
    ----------
    index_path : str
        Of the child's results, without attempt and ending.
    attempts : iterable of int
        Oldest first.
    """
    found: Entries = {}
    for attempt in attempts:
        for entry in _entries(f"{index_path}.{attempt}"):
            if "error" not in entry:
                found[entry["position"]] = _placed(entry, attempt)
    return found


def done_by_probe(index_path: str) -> Entries:
    """What the job that ran the array's first items ahead has done; waited for while it is at it.

    It holds a lock as long as it lives, whatever ends it.
    """
    import fcntl

    with open(f"{index_path}.lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        return done_before(index_path, [0])


def _entries(path: str) -> list[dict[str, Any]]:
    """Items in the manifest, and in the file that grew, which is there where the manifest has not all.

    The last line of that may be torn.
    """
    found = []
    with contextlib.suppress(FileNotFoundError), open(f"{path}.json", "rb") as file:
        found += json.load(file)["items"]
    with contextlib.suppress(FileNotFoundError), open(f"{path}.items", "rb") as file:
        found += [entry for line in file if line.endswith(b"\n") for entry in json.loads(line)]
    return found


def _placed(entry: dict[str, Any], attempt: int) -> dict[str, Any]:
    """The entry, saying of each value beside the manifest which attempt's file has it."""
    for value in (entry.get("value"), *entry.get("variables", {}).values()):
        if value and "at" in value:
            value.setdefault("attempt", attempt)
    return entry
