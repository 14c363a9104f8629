"""What earlier attempts at a child's items have done already, so that it is not done again.

An attempt that was stopped or killed leaves the items that had ended; a retry of failed items repeats
a whole child, and only its failed items run. Imported only where there was an attempt before.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from .report import Report

    Entries = dict[int, dict[str, Any]]


def done_before(report: Report, attempts: Iterable[int]) -> Entries:
    """Entries of items that ended well, by position.

    Parameters
    ----------
    report : Report
        Of this attempt at the child.
    attempts : iterable of int
        Oldest first.
    """
    found: Entries = {}
    for attempt in attempts:
        for entry in _entries(report, attempt):
            if "error" not in entry:
                found[entry["position"]] = _placed(entry, attempt)
    return found


def done_by_probe(report: Report) -> Entries:
    """What the job that ran the array's first items ahead has done; waited for while it is at it.

    It holds a lock as long as it lives, whatever ends it.
    """
    import fcntl

    with open(f"{report.index_path}.lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        return done_before(report, [0])


def _entries(report: Report, attempt: int) -> list[dict[str, Any]]:
    """Items in the manifest, and in the file that grew, which is there where the manifest has not all.

    The last line of that may be torn.
    """
    found = []
    path = f"{report.index_path}.{attempt}"
    if report.recall(f"{path}.json"):
        with open(f"{path}.json", "rb") as file:
            found += json.load(file)["items"]
    if report.recall(f"{path}.items"):
        with open(f"{path}.items", "rb") as file:
            found += [entry for line in file if line.endswith(b"\n") for entry in json.loads(line)]
    return found


def _placed(entry: dict[str, Any], attempt: int) -> dict[str, Any]:
    """The entry, saying of each value beside the manifest which attempt's file has it."""
    for value in (entry.get("value"), *entry.get("variables", {}).values()):
        if value and "at" in value:
            value.setdefault("attempt", attempt)
    return entry
