"""All children of an array as columns of numbers: what figures are drawn from.

One call at any size where the daemon answers, a dozen for 10,000 children on AWS; a single job is an
array of one. What a child's items were, and what they gave, is not asked for.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nbbatch.client.handles.outcome import Detail, Outcome, exit_code, outcome
from nbbatch.model.jobs import JobStatus

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nbbatch.client.handles.handle import Handle

STATUSES = tuple(JobStatus)
"""In AWS's order: a status's code is its place."""
_CODES = {status.value: code for code, status in enumerate(STATUSES)}
_FAILED = _CODES["FAILED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """Attempts that began to run, in no order: columns of one length.

    Parameters
    ----------
    child : array of int
        Index of the child.
    started, stopped : array of int
        Epoch ms; one that goes on stops `now`.
    host : array of int
        Place in `Children.hosts`, -1 where the backend does not tell it.
    is_lost, is_over : array of bool
        Whether its host went away under it; whether it has ended.
    """

    child: NDArray[np.int64]
    started: NDArray[np.int64]
    stopped: NDArray[np.int64]
    host: NDArray[np.int64]
    is_lost: NDArray[np.bool_]
    is_over: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """Children that have failed: columns of one length.

    Parameters
    ----------
    child : array of int
        Index of the child.
    stopped : array of int
        Epoch ms.
    end : array of int
        Place in `outcomes` and `words`.
    outcomes : tuple of Outcome
        The ways in which children failed.
    words : tuple of str
        The same for people, exit codes told apart.
    """

    child: NDArray[np.int64]
    stopped: NDArray[np.int64]
    end: NDArray[np.int64]
    outcomes: tuple[Outcome, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Children:
    """An array as it is at one moment.

    Parameters
    ----------
    created, now : int
        Epoch ms: when it was submitted, and when this was asked, or when it ended.
    statuses : array of int
        Of each child, as its place in `STATUSES`.
    attempts : Attempts
        Earlier attempts of retried children, too.
    failures : Failures
        How children failed.
    hosts : tuple of str
        Ids of container instances.
    """

    created: int
    now: int
    statuses: NDArray[np.uint8]
    attempts: Attempts
    failures: Failures
    hosts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.statuses)


def children_of(handle: Handle) -> Children:
    """The children of an array, or a single job as one child, asked now."""
    detail = handle.detail()
    if "size" in (detail.get("arrayProperties") or {}):
        told = handle.backend.private("children", {"jobId": handle.id})
    else:
        told = as_columns({0: detail}, size=1)
    return read_children(told, detail, now=round(1000 * time.time()))


def read_children(told: Mapping[str, Any], detail: Detail, *, now: int) -> Children:
    """The backend's answer as arrays of numbers.

    Parameters
    ----------
    told : mapping
        As the daemon's route `children` answers.
    detail : mapping
        The job's.
    now : int
        Epoch ms.
    """
    statuses = np.frombuffer(told["statuses"].encode(), dtype=np.uint8) - ord("0")
    end = int(detail.get("stoppedAt") or now)
    return Children(
        created=int(detail["createdAt"]),
        now=max(end, int(detail["createdAt"])),
        statuses=statuses,
        attempts=_attempts(told["attempts"], end),
        failures=_failures(told["failed"], told["ends"], end),
        hosts=tuple(told["hosts"]),
    )


def as_columns(children: Mapping[int, Detail], *, size: int) -> dict[str, Any]:
    """JobSummary or JobDetail of children, by index, in the shape of the daemon's answer.

    One that was not seen, because it went from status to status meanwhile, counts as PENDING.
    """
    attempts: dict[str, list[Any]] = {
        name: [] for name in ("index", "startedAt", "stoppedAt", "host", "isLost")
    }
    failed: dict[str, list[Any]] = {"index": [], "stoppedAt": [], "end": []}
    ends: list[Detail] = []
    statuses = [str(_CODES["PENDING"])] * size
    for index, detail in sorted(children.items()):
        statuses[index] = str(_CODES[detail["status"]])
        for started, stopped, is_lost in _told_attempts(detail):
            for column, value in zip(attempts.values(), (index, started, stopped, -1, is_lost), strict=True):
                column.append(value)
        if detail["status"] == "FAILED":
            for column, value in zip(
                failed.values(), (index, detail.get("stoppedAt"), len(ends)), strict=True
            ):
                column.append(value)
            ends.append(detail)
    return {
        "statuses": "".join(statuses),
        "attempts": attempts,
        "failed": failed,
        "hosts": [],
        "ends": ends,
    }


def _told_attempts(detail: Detail) -> Iterable[tuple[int, int | None, bool]]:
    ended = [one for one in detail.get("attempts") or () if one.get("startedAt")]
    for one in ended:
        is_lost = str(one.get("statusReason", "")).startswith("Host EC2")
        yield one["startedAt"], one.get("stoppedAt"), is_lost
    started = detail.get("startedAt")
    if started is not None and (not ended or detail["status"] == "RUNNING"):
        yield started, detail.get("stoppedAt"), outcome(detail) is Outcome.HOST_LOST


def _attempts(columns: Mapping[str, Sequence[Any]], end: int) -> Attempts:
    stopped = [end if moment is None else moment for moment in columns["stoppedAt"]]
    started = _numbers(columns["startedAt"])
    return Attempts(
        child=_numbers(columns["index"]),
        started=started,
        stopped=np.maximum(started, _numbers(stopped)),
        host=_numbers(columns["host"]),
        is_lost=np.array(columns["isLost"], dtype=bool),
        is_over=np.array([moment is not None for moment in columns["stoppedAt"]], dtype=bool),
    )


def _failures(columns: Mapping[str, Sequence[Any]], ends: Sequence[Detail], end: int) -> Failures:
    known: dict[tuple[Outcome, str], int] = {}
    places = [known.setdefault(_how(detail), len(known)) for detail in ends]
    return Failures(
        child=_numbers(columns["index"]),
        stopped=_numbers([end if moment is None else moment for moment in columns["stoppedAt"]]),
        end=_numbers([places[place] for place in columns["end"]]),
        outcomes=tuple(ended for ended, _ in known),
        words=tuple(words for _, words in known),
    )


def _how(detail: Detail) -> tuple[Outcome, str]:
    """How a child ended, and the same in words."""
    ended = outcome(detail) or Outcome.EXITED
    if ended is not Outcome.EXITED:
        return ended, str(ended)
    code = exit_code(detail)
    return ended, "ended without exit code" if code is None else f"exit code {code}"


def _numbers(values: Sequence[int]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)
