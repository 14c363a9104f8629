"""What a job's notes amount to: how far it is, its metrics, and both in a few words. Pure.

Notes come from `nbbatch.client.notes`; a waiting cell sees them in the log it reads anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from nbbatch.client.notes import Note

_BAR = 20
_MOST_METRICS = 4
"""Metrics that a status line has room for: the newest ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job says it is.

    Parameters
    ----------
    i, n : float, float or None
        So much is done, of how much.
    text : str
        What the job is doing.
    time : int
        Epoch ms at which it said so.
    item : int or None
        Which item of an array it is about.
    """

    i: float
    n: float | None = None
    text: str = ""
    time: int = 0
    item: int | None = None

    @property
    def share(self) -> float | None:
        """From 0 to 1; None where nobody knows of how much."""
        return None if not self.n else min(1.0, max(0.0, self.i / self.n))

    def __str__(self) -> str:
        """As in `████░░░░ 4/10 fitting`."""
        share = self.share
        full = 0 if share is None else int(_BAR * share)
        bar = "" if share is None else f"{'█' * full}{'░' * (_BAR - full)} "
        of = "" if self.n is None else f"/{self.n:,.10g}"
        return f"{bar}{self.i:,.10g}{of} {self.text}".rstrip()


@dataclass(slots=True)
class Told:
    """The newest that notes have told."""

    progress: Progress | None = None
    _metrics: dict[str, Any] = field(default_factory=dict)

    def take(self, notes: Iterable[Note]) -> None:
        """Take notes, oldest first."""
        for note in notes:
            match note.kind:
                case "progress":
                    self.progress = progress_in(note)
                case "metric":
                    name = str(note.body.get("name"))
                    self._metrics.pop(name, None)
                    self._metrics[name] = note.body.get("value")

    @property
    def tenth(self) -> int | None:
        """Tenths of the progress: what is worth a new line where nothing can be redrawn."""
        share = None if self.progress is None else self.progress.share
        return None if share is None else int(10 * share)

    def __str__(self) -> str:
        """The progress and the newest metrics; empty when nothing was told."""
        newest = list(self._metrics.items())[-_MOST_METRICS:]
        metrics = ", ".join(f"{name} {_number(value)}" for name, value in newest)
        return " · ".join(filter(None, [self._progress(), metrics]))

    def _progress(self) -> str:
        if self.progress is None:
            return ""
        item = "" if self.progress.item is None else f"item {self.progress.item}: "
        return f"{item}{self.progress}"


def progress_in(note: Note) -> Progress:
    """The progress that a note tells."""
    body = note.body
    return Progress(
        i=body.get("i", 0), n=body.get("n"), text=str(body.get("text", "")), time=note.time, item=note.item
    )


def newest_progress(notes: Sequence[Note]) -> Progress | None:
    """The last progress that was told."""
    return next((progress_in(note) for note in reversed(notes) if note.kind == "progress"), None)


def metrics_table(notes: Iterable[Note]) -> Any:
    """A DataFrame of all metrics that were told, by time.

    Returns
    -------
    pandas.DataFrame
        `time` (UTC), `item` (missing for a single job), `attempt`, `name`, `value`, `step`.
    """
    import pandas as pd  # noqa: PLC0415 - 0.2 s that only tables need

    found = [note for note in notes if note.kind == "metric"]
    return pd.DataFrame(
        {
            "time": pd.to_datetime([note.time for note in found], unit="ms", utc=True),
            "item": pd.array([note.item for note in found], dtype="Int64"),
            "attempt": pd.Series([note.attempt for note in found], dtype="int64"),
            "name": pd.Series([note.body.get("name") for note in found], dtype="object"),
            "value": pd.Series([note.body.get("value") for note in found], dtype="float64"),
            "step": pd.Series([note.body.get("step") for note in found], dtype="float64"),
        }
    )


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
