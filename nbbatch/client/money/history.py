"""How long earlier runs of the same code took: measured, per item, from what the backend still knows.

A run is the same code when its job carries the same digest (`nbbatch.client.packing.digest`); a function that
has changed since, or was submitted by an older client, is still known by its name. ListJobs and
DescribeJobs tell all of it, so an AWS account has a history like this machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import TypeGuard

import msgspec

from nbbatch.client.arrays.indexes import INDEXES, bundle_of, environment_of
from nbbatch.client.arrays.shape import read_array
from nbbatch.client.backend import Backend
from nbbatch.client.capacity import queue_names
from nbbatch.client.config import home
from nbbatch.client.handles.outcome import Detail, seconds_of_all
from nbbatch.client.kept import Kept
from nbbatch.client.packing.digest import CODE_VARIABLE, OF_CELL
from nbbatch.client.summaries import EVERY_STATUS, describe_all, named, summaries
from nbbatch.errors import ResultLostError

MOST_RUNS = 20
"""Earlier runs that are looked at; older ones tell less of what comes."""
_SEARCHED = 100
"""Newest jobs of each queue that are searched for the same code."""
_CHILDREN = 100
"""Children of an array that are measured; more would hardly change their average."""
_ONE_RUN = 0.5
"""Spread, as a share of the average, that is assumed where there was a single run."""
_CODES = 500
"""Codes whose runs are remembered."""
_SURE = 1.645
"""Standard deviations on either side that hold nine of ten values, were they normally distributed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What earlier runs took.

    Parameters
    ----------
    seconds : tuple of float
        Of each run, or of each child measured, per item.
    jobs : tuple of str
        Ids of the jobs they were.
    is_same_code : bool
        False where only the name is the same.
    """

    seconds: tuple[float, ...]
    jobs: tuple[str, ...]
    is_same_code: bool

    def span(self, items: int) -> tuple[float, float, float]:
        """Seconds that so many items will take: low, expected, high.

        Nine of ten sums of `items` new runs lie between low and high, if runs are like those measured
        and independent (prediction interval of a normal distribution, unknown mean).
        """
        mean, count = fmean(self.seconds), len(self.seconds)
        spread = stdev(self.seconds) if count > 1 else _ONE_RUN * mean
        room = _SURE * spread * sqrt(items + items**2 / count)
        lowest = items * min(self.seconds) / 2
        return max(lowest, items * mean - room), items * mean, items * mean + room


class Runs:
    """What runs of cells took whose end was seen from this machine: known without asking anybody.

    Parameters
    ----------
    folder : Path
        The home folder; kernels come and go, it stays.
    """

    def __init__(self, folder: Path) -> None:
        self._kept = Kept(folder / "runs.json", most=_CODES)

    def get(self, backend: Backend, code: str) -> Measured | None:
        """Those of the same code on a backend; None where there were none."""
        try:
            known = msgspec.convert(self._kept.get(_key(backend, code)), list[tuple[str, float]])
        except msgspec.ValidationError:  # nothing, or another version's
            return None
        ids, times = tuple(job_id for job_id, _ in known), tuple(took for _, took in known)
        return Measured(seconds=times, jobs=ids, is_same_code=True) if known else None

    def note(self, backend: Backend, code: str, job_id: str, seconds: float) -> None:
        """Keep what a run took, per item."""
        self._kept.note(
            _key(backend, code),
            lambda known: [
                *(one for one in known or () if one[0] != job_id),
                (job_id, round(seconds, 3)),
            ][-MOST_RUNS:],
        )


def note_end(backend: Backend, detail: Detail) -> None:
    """Keep what a cell's single job took, with all its attempts, when its end is seen, by whomever."""
    took = seconds_of_all(detail)
    is_single = not detail.get("arrayProperties") and INDEXES not in environment_of(detail)
    if is_cell(detail) and is_single and took is not None:
        note_run(backend, detail, took)


def is_cell(detail: Detail | None) -> TypeGuard[Detail]:
    """Whether a cell's job, or array, has succeeded."""
    return (
        detail is not None
        and detail["status"] == "SUCCEEDED"
        and environment_of(detail).get(CODE_VARIABLE, "").startswith(OF_CELL)
    )


def note_run(backend: Backend, detail: Detail, seconds: float) -> None:
    """Keep what a run of a cell took, per item."""
    Runs(home()).note(backend, environment_of(detail)[CODE_VARIABLE], detail["jobId"], seconds)


def _key(backend: Backend, code: str) -> str:
    return f"{backend.name} {backend.identity} {code}"


def measured(backend: Backend, *, code: str = "", name: str = "") -> Measured | None:
    """What earlier runs of the same code took, else those of the same name; None where there are none.

    Parameters
    ----------
    backend : Backend
        Where they ran.
    code : str
        Digest of the code, as in `Packed.code`; empty where it is not known.
    name : str
        The jobs' name; empty where it says nothing, such as that of a notebook's fifth cell.
    """
    queues = queue_names(backend)
    found = list(_named(backend, queues, name)) if name else []
    same = _of_code(found, code) or (_of_code(_newest(backend, queues), code) if code else [])
    return measure(backend, same or found, is_same_code=bool(same))


def measure(backend: Backend, runs: Iterable[Detail], *, is_same_code: bool = True) -> Measured | None:
    """What these jobs took, single ones and arrays; None where none of them has succeeded."""
    times: list[float] = []
    ids: list[str] = []
    for detail in islice(runs, MOST_RUNS):
        if took := list(_seconds_of(backend, detail)):
            times += took
            ids.append(detail["jobId"])
    return Measured(seconds=tuple(times), jobs=tuple(ids), is_same_code=is_same_code) if times else None


def _named(backend: Backend, queues: Sequence[str], name: str) -> Iterator[Detail]:
    ids = [
        one["jobId"]
        for queue in queues
        for one in islice(summaries(backend, jobQueue=queue, **named(name)), MOST_RUNS)
    ]
    yield from sorted(describe_all(backend, ids), key=_created, reverse=True)


def _newest(backend: Backend, queues: Sequence[str]) -> list[Detail]:
    ids = [
        one["jobId"]
        for queue in queues
        for one in islice(summaries(backend, jobQueue=queue, **EVERY_STATUS), _SEARCHED)
    ]
    return sorted(describe_all(backend, ids), key=_created, reverse=True)


def _of_code(details: Iterable[Detail], code: str) -> list[Detail]:
    return [one for one in details if code and environment_of(one).get(CODE_VARIABLE) == code]


def _created(detail: Detail) -> int:
    return int(detail["createdAt"])


def _seconds_of(backend: Backend, detail: Detail) -> Iterator[float]:
    """Seconds per item: of a single job that succeeded one number, of an array one for each child."""
    items = _items_of_a_child(backend, detail)
    if "size" in (detail.get("arrayProperties") or {}):
        succeeded = summaries(backend, arrayJobId=detail["jobId"], jobStatus="SUCCEEDED")
        children = list(islice(succeeded, _CHILDREN))
        if (
            (detail.get("retryStrategy") or {}).get("attempts") or 1
        ) > 1:  # a summary has the last attempt only
            children = describe_all(backend, [one["jobId"] for one in children])
        took = [seconds_of_all(one) for one in children]
    else:
        took = [seconds_of_all(detail) if detail["status"] == "SUCCEEDED" else None]
    yield from (each / items for each in took if each is not None)


def _items_of_a_child(backend: Backend, detail: Detail) -> int:
    bundle_id = bundle_of(detail)
    is_array = "size" in (detail.get("arrayProperties") or {}) or INDEXES in environment_of(detail)
    if not is_array:
        return 1
    with suppress(ResultLostError):
        array = read_array(backend.store, bundle_id) if bundle_id else None
        return 1 if array is None else min(array.shape.chunk, array.shape.items)
    return 1
