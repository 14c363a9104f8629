"""What became of each item of an array: its input, its value or its error.

Results are read from the array's bundle, one child at a time; why a child failed without leaving a
result comes from ListJobs, a thousand children a call.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from nbbatch.client.arrays.inputs import Rows
from nbbatch.client.arrays.shape import ArrayBundle, ArrayShape
from nbbatch.client.backend import Backend
from nbbatch.client.handles.outcome import Detail, Outcome, error_of, outcome
from nbbatch.client.jobs import lost_value, remote_error
from nbbatch.client.results import (
    ItemResult,
    Plain,
    RemoteErrorInfo,
    load_partial,
    load_plain,
    load_result,
)
from nbbatch.errors import JobError, NbbatchError, RemoteError, ResultLostError
from nbbatch.runner.report import LAST_VALUE

SUCCEEDED = "succeeded"
"""`Result.status` of a child whose items all went well."""
_PAGE = 1000


class _Label(reprlib.Repr):
    """Floats have six digits at most: an input is to be recognised, not computed with."""

    def repr_float(self, value: float, _level: int) -> str:
        return min(repr(value), f"{value:.6g}", key=len) if len(repr(value)) > 8 else repr(value)  # noqa: PLR2004


_label = _Label()
_label.maxlevel, _label.maxdict, _label.maxlist, _label.maxtuple = 2, 6, 4, 4
_label.maxstring = _label.maxother = 60

_STOPS = ("StopSignal", "KeyboardInterrupt")
"""What the runner raises in the payload when the job is stopped."""
_EXPECTED = 100
"""Children whose results a store far away fetches at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of an array that has ended.

    Parameters
    ----------
    position : int
        Its place among the items.
    job_id : str
        Of the child that ran it.
    source : ArrayBundle or sequence
        Where the item itself is: read when it is asked for, as it may be large.
    value : Any
        What the function returned; None where it failed.
    error : BaseException or None
        What it raised, or what else ended it.
    seconds : float or None
        How long it took.
    metrics : mapping
        The last value of each metric it has logged.
    variables : mapping
        Names that came back of a cell or a script.
    """

    position: int
    job_id: str
    source: ArrayBundle | Sequence[Any] = field(repr=False)
    value: Any = None
    error: BaseException | None = None
    seconds: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict, repr=False)
    variables: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def input(self) -> Any:
        """The item itself; keyword arguments as a dict."""
        if isinstance(self.source, ArrayBundle):
            return self.source.input(self.position)
        return self.source[self.position]

    @property
    def label(self) -> str:
        """The item itself in a few words."""
        try:
            return label(self.input)
        except Exception as error:  # noqa: BLE001 - its class may not be importable here
            return f"cannot be read here: {type(error).__name__}"

    def result(self) -> Any:
        """Its value; raises its error."""
        if self.error is not None:
            raise self.error
        return self.value

    def exception(self) -> BaseException | None:
        """Its error, None where it succeeded."""
        return self.error

    def own_error(self) -> JobError | None:
        """Our own error of a failed item; what its code raised has ours as its cause."""
        candidates = (self.error, self.error.__cause__ if self.error is not None else None)
        return next((error for error in candidates if isinstance(error, JobError)), None)

    def __repr__(self) -> str:
        state = (
            f"{type(self.error).__name__}: {_first_line(self.error)}"
            if self.error
            else reprlib.repr(self.value)
        )
        return f"<Item {self.position} · {self.label} → {state}>"


def label(value: Any) -> str:
    """An item's input in a few words: keyword arguments as `lr=0.1, depth=3`."""
    if hasattr(value, "to_dict") and hasattr(value, "name"):  # a row of a table
        return f"{value.name!r:.60}: {label({str(key): part for key, part in value.to_dict().items()})}"
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return ", ".join(f"{key}={_label.repr(part)}" for key, part in value.items())
    return " ".join(_label.repr(value).split())


def _first_line(error: BaseException) -> str:
    text = error.message if isinstance(error, NbbatchError) else str(error)
    return text.partition("\n")[0]


@dataclass(frozen=True, slots=True)
class Left:
    """What children of an array have left: by child the newest attempt with a result, and with items only."""

    results: Mapping[int, int]
    partial: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the items of one array.

    Parameters
    ----------
    bundle : ArrayBundle
        Where they and their results are.
    inputs : sequence, optional
        The items where they are at hand; otherwise they are read from the bundle.
    """

    bundle: ArrayBundle
    inputs: Sequence[Any] | None

    @property
    def shape(self) -> ArrayShape:
        """How many items in how many children."""
        return self.bundle.shape

    def all_inputs(self) -> Sequence[Any]:
        """All items, at hand or read from the bundle."""
        if self.inputs is not None:
            return self.inputs
        found = list(self.bundle.inputs())
        if not self.bundle.rows:
            return found
        import pandas as pd  # noqa: PLC0415 - it was a table, so pandas is there

        return Rows(pd.concat(found))

    def left(self) -> Left:
        """What the children have left so far; one listing."""
        return Left(*self.bundle.left())

    def expected(self, indexes: Iterable[int], left: Left) -> Iterator[int]:
        """The same children; before each hundred the store is told that their results will be read."""
        rest = iter(indexes)
        while some := list(islice(rest, _EXPECTED)):
            stems = [f"results/{index}.{left.results[index]}" for index in some if index in left.results]
            paths = [f"{stem}.{ending}" for stem in stems for ending in ("json", "data")]
            self.bundle.store.expect(self.bundle.bundle_id, paths)
            yield from some

    def ended(self, index: int, left: Left, job_id: str, failure: Detail | None) -> list[Item]:
        """Items of the child `index` of the bundle, which has ended.

        Parameters
        ----------
        left : Left
            What to read.
        failure : mapping or None
            Its JobSummary if it FAILED.
        """
        found: dict[int, ItemResult] = {}
        lost: ResultLostError | None = None
        try:
            attempt = left.results.get(index)
            result = load_result(self.bundle.store, self.bundle.bundle_id, index=index, attempt=attempt)
            found = dict(zip(self.shape.positions(index), result.items, strict=False))
        except ResultLostError as error:
            lost = error
        found |= self._so_far(index, left)
        return [
            self._item(position, job_id, found.get(position), failure, lost)
            for position in self.shape.positions(index)
        ]

    def plain(self, left: Left) -> Plain | None:
        """All values at once, where every item is known to have ended well; None takes a closer look."""
        values: list[Any] = []
        seconds = 0.0
        for index in range(self.shape.children):
            attempt = left.results.get(index)
            plain = None
            if attempt is not None and not self._so_far(index, left):
                plain = load_plain(self.bundle.store, self.bundle.bundle_id, index, attempt)
            if plain is None:
                return None
            own, took = plain
            values += own
            seconds += took
        return Plain(values, seconds) if len(values) == self.shape.items else None

    def so_far(self, index: int, left: Left, job_id: str) -> list[Item]:
        """Items that have ended well of a child that goes on."""
        found = self._so_far(index, left)
        return [self._item(position, job_id, one, None, None) for position, one in found.items()]

    def _so_far(self, index: int, left: Left) -> dict[int, ItemResult]:
        """What an attempt has done beside its result: that is not there yet, never will be, or has not all."""
        attempt = left.partial.get(index, 0)
        if not attempt or attempt < left.results.get(index, 0):
            return {}
        found = load_partial(self.bundle.store, self.bundle.bundle_id, index, attempt)
        return {one.position: one for one in found if one.error is None}

    def has_succeeded(self, index: int, attempt: int | None) -> bool:
        """Whether this attempt's result is a success."""
        if attempt is None:
            return False
        bundle = self.bundle
        try:
            result = load_result(bundle.store, bundle.bundle_id, index=index, attempt=attempt, is_light=True)
        except ResultLostError:
            return False
        return result.status == SUCCEEDED

    def _item(
        self,
        position: int,
        job_id: str,
        found: ItemResult | None,
        failure: Detail | None,
        lost: NbbatchError | None,
    ) -> Item:
        source = self.bundle if self.inputs is None else self.inputs
        left = found.left_behind.get(LAST_VALUE) if found is not None else None
        item = Item(
            position=position,
            job_id=job_id,
            source=source,
            value=found.value if found is not None else None,
            seconds=found.seconds if found is not None else None,
            metrics=found.metrics if found is not None else {},
            variables=found.variables if found is not None else {},
        )
        if found is not None and found.error is None and left is None:
            return item
        where = f"item {position} of {self.shape.items} ({item.label})"
        if left is not None:
            return replace(item, error=_said(lost_value(left, job_id), where))
        return replace(item, error=_error(where, job_id, found.error if found else None, failure, lost))


def _error(
    where: str,
    job_id: str,
    info: RemoteErrorInfo | None,
    failure: Detail | None,
    lost: NbbatchError | None,
) -> BaseException:
    """What the item raised; else what ended its child; else that its result is gone."""
    if info is not None and not _was_stopped(info, failure):
        error = remote_error(info, job_id, where=f"{where}: ")
        if info.exception is None:
            return error
        info.exception.__cause__ = error
        return info.exception
    if failure is not None:
        return _said(error_of(failure), where)
    return _said(lost or ResultLostError("The job left no result for it.", job_id=job_id), where)


def _was_stopped(info: RemoteErrorInfo, failure: Detail | None) -> bool:
    """Whether the item only met the end of its child: that it was terminated, or its time was up."""
    return info.type in _STOPS and failure is not None and outcome(failure) is not Outcome.EXITED


def _said(error: NbbatchError, where: str) -> NbbatchError:
    error.message = f"{where}: {error.message}"
    return error


def failed_children(backend: Backend, array_id: str) -> Iterator[Detail]:
    """JobSummary of every FAILED child of an array, a thousand a call."""
    token: dict[str, str] = {}
    while True:
        with backend.errors():
            page = backend.batch.list_jobs(arrayJobId=array_id, jobStatus="FAILED", maxResults=_PAGE, **token)
        yield from page["jobSummaryList"]
        if not page.get("nextToken"):
            return
        token = {"nextToken": page["nextToken"]}


def completed(summary: Detail, array: Detail) -> Detail:
    """A child's summary with what only its array says: what it asked for, and who ended it.

    One that never started, or has its array's reason, ended with that.
    """
    asked = {"resourceRequirements": (array.get("container") or {}).get("resourceRequirements") or []}
    child: dict[str, Any] = {**summary, "container": {**asked, **(summary.get("container") or {})}}
    if "startedAt" in summary and summary.get("statusReason") != array.get("statusReason"):
        return child
    return child | {flag: True for flag in ("isCancelled", "isTerminated") if array.get(flag)}


def first_words(items: Iterable[Item]) -> list[str]:
    """What the first failed one of these items failed with, as a line; none where none has."""
    first = next(filter(None, (item.own_error() for item in items)), None)
    return [] if first is None else [f"First: {_first_line(first)}"]


def first_error(items: Sequence[Item]) -> BaseException | None:
    """The first failed item's error, which also says how many failed; None when all went well."""
    failed = [item for item in items if item.error is not None]
    if not failed:
        return None
    error = failed[0].error
    others = f"{len(failed)} of {len(items)} items failed; .failed() lists them, .retry_failed() repeats only those."
    cause = error.__cause__ if error is not None else None
    told = cause if isinstance(cause, RemoteError) else error
    if isinstance(told, JobError):
        told.cure = others
    return error
