"""How many items run in one child of an array, one after the other: as asked for, or as measured.

Starting a child costs a good part of a second, so quick items are better packed; but the hosts must
all have work, and AWS Batch allows 10,000 children. What items of a function took is noted whenever
an array's results are read, in a small file of the home folder. A function never measured gets one
item per child as long as that is allowed, unless a probe can be run (`probe.py`). Failed items are repeated alone whatever the chunk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import CodeType
from typing import Any

from nbbatch.client.arrays.shape import chunk_for
from nbbatch.client.handles.outcome import duration_in_words
from nbbatch.client.kept import Kept
from nbbatch.errors import OptionError

WORTH_A_CHILD = 5.0
"""Seconds of work beside which the start of a child is small."""
WORTH_A_CHILD_OF_NOTEBOOKS = 30.0
"""The same for notebooks, whose child loads what executes them, and a kernel's program, before the first one."""
CHILDREN_PER_SLOT = 4
"""So many children for each that can run at once, that the last ones do not leave hosts idle for long."""
SHARE_OF_TIMEOUT = 0.5
"""Of the timeout, which counts for a child and not for an item, so much may be used by plan."""
_REMEMBERED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """What was decided: so many items to a child, and why in words, empty where nobody would ask.

    `is_guess`: nobody asked for it, and nothing is known of how long an item takes.
    """

    size: int
    why: str = ""
    is_guess: bool = False


def packing_words(items: int, chunk: Chunk) -> str:
    """`1,000 items, 50 to a child (an item took 3 ms last time)`; empty where each has a child of its own."""
    if chunk.size == 1:
        return ""
    return f"{items:,} items, {chunk.size:,} to a child" + (f" ({chunk.why})" if chunk.why else "")


def choose_chunk(
    asked: int | str,
    items: int,
    *,
    seconds: float | None = None,
    slots: int = 0,
    timeout: int | None = None,
    worth: float = WORTH_A_CHILD,
) -> Chunk:
    """Decide how many items a child runs.

    Parameters
    ----------
    asked : int or "auto"
        What the user said.
    items : int
        How many there are.
    seconds : float or None
        What an item takes, by an earlier run.
    slots : int
        Children that the queue can run at once; 0 where unknown.
    timeout : int or None
        Seconds an attempt of a child may take.
    worth : float
        Seconds of work beside which the start of a child is small.

    Raises
    ------
    OptionError
        When it is no number from 1, or leaves more children than AWS Batch allows.
    """
    check_chunk(asked)
    least = chunk_for(items)
    if not isinstance(asked, str):
        return Chunk(size=_checked(asked, items, least))
    if seconds is None:
        why = "as few to a child as AWS Batch allows" if least > 1 else ""
        return Chunk(size=least, why=why, is_guess=True)
    most = [worth / max(seconds, 1e-6), items / max(1, CHILDREN_PER_SLOT * slots)]
    if timeout is not None:
        most.append(SHARE_OF_TIMEOUT * timeout / max(seconds, 1e-6))
    size = max(least, int(min(*most)), 1)
    return Chunk(size=size, why=f"an item took {in_words(seconds)} last time")


def in_words(seconds: float) -> str:
    """How long an item took: `3 ms`."""
    if seconds < 1e-3:  # noqa: PLR2004 - a millisecond
        return "less than 1 ms"
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else duration_in_words(seconds)


def check_chunk(asked: Any) -> None:
    """Refuse what is neither "auto" nor a number of items."""
    if asked != "auto" and (isinstance(asked, bool) or not isinstance(asked, int) or asked < 1):
        raise OptionError(
            f"Option chunk does not understand {asked!r}.", cure='It takes "auto" or a number from 1.'
        )


def _checked(asked: int, items: int, least: int) -> int:
    if asked < least:
        raise OptionError(
            f"{items} items in chunks of {asked} are more than 10,000 children.",
            cure=f'Use chunk="auto" or {least}.',
        )
    return asked


def key_of(code: Callable[..., Any] | str) -> str:
    """What a function, or a cell by its source, is remembered by; a changed one is another one."""
    if isinstance(code, str):
        return sha256(code.encode()).hexdigest()[:16]
    name = f"{getattr(code, '__module__', '')}.{getattr(code, '__qualname__', type(code).__qualname__)}"
    return sha256(f"{name}{_words(getattr(code, '__code__', None))}".encode()).hexdigest()[:16]


def _words(code: CodeType | None) -> str:
    """What a function does, without where it stands."""
    if code is None:
        return ""
    constants = [_words(one) if isinstance(one, CodeType) else repr(one) for one in code.co_consts]
    return f"{code.co_code.hex()}{code.co_names}{constants}"


class Durations:
    """Seconds per item by key, in a file; the newest thousand."""

    def __init__(self, folder: Path) -> None:
        self._kept = Kept(folder / "durations.json", most=_REMEMBERED)

    def get(self, key: str) -> float | None:
        """What an item took when it was last measured."""
        seconds = self._kept.get(key)
        return float(seconds) if isinstance(seconds, int | float) else None

    def note(self, key: str, seconds: float) -> None:
        """Remember what an item took."""
        self._kept.note(key, lambda _: seconds)
