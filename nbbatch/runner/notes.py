"""What a running job tells the outside: one line of its log for each note, as `@nbbatch {"kind": ...}`.

Whoever shows the log leaves these lines out (`nbbatch.client.notes`). A note is written to the log at
once and past Python's buffers, so processes that the job forks can do the same. Nobody can know
whether the log stands at the start of a line, as a progress bar or a C library may have begun one:
therefore a note ends its line, and what stands before its mark belongs to the line that follows.
"""

from __future__ import annotations

import contextlib
import json
import os
import time

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from typing import Any

MARK = '@nbbatch {"kind": "'
"""How a note begins. A quotation mark inside a note is escaped, so this stands in none a second time."""
LONGEST = 4000
"""Bytes of a note: a pipe takes a longer line in pieces (PIPE_BUF), between which others may write."""

place: dict[str, Any] = {}
"""Where this process stands: `report` and `index` of its bundle, `item` of an array, `rules` for pickles.

`outdated` are functions to be called once the result is written: they forget checkpoints.
"""

_log = [1]


def hold_log() -> None:
    """Remember the job's log: a cell may put something else in the place of standard output."""
    _log[0] = os.dup(1)


def note(kind: str, **body: Any) -> None:
    """Tell the outside something.

    Parameters
    ----------
    kind : str
        `progress`, `metric`, `cell` or `checkpoint`.
    **body
        What JSON can hold.

    Raises
    ------
    ValueError
        The note is longer than `LONGEST`.
    """
    head = {
        "kind": kind,
        "job": os.environ.get("AWS_BATCH_JOB_ID", ""),
        "attempt": int(os.environ.get("AWS_BATCH_JOB_ATTEMPT", "1")),
        "time": time.time_ns() // 1_000_000,
    }
    if place.get("item") is not None:
        head["item"] = place["item"]
    line = f"@nbbatch {json.dumps({**head, **body})}\n".encode("ascii")
    if len(line) > LONGEST:
        raise ValueError(f"a note of {len(line)} bytes; at most {LONGEST} can be told")
    with contextlib.suppress(OSError):  # a log that cannot be written must not end the job
        os.write(_log[0], line)
