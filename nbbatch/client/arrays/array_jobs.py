"""Array jobs: one function over many items as one AWS Batch array job.

AWS Batch allows 2 to 10,000 children. More items are packed several to a child, a single item runs
as a plain job; neither is seen by the caller. Progress is read from the parent's counters, never
from the children one by one. A retry of failed items is another array on the same bundle, so its
results stand where the missing ones would have stood.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, SupportsIndex, TypeVar, overload

from nbbatch.client.arrays.array_logs import ArrayLogs
from nbbatch.client.arrays.chunks import Chunk, Durations, packing_words
from nbbatch.client.arrays.coming import Coming, failed_count
from nbbatch.client.arrays.indexes import (
    ATTEMPTS_PER_RETRY,
    INDEXES,
    PROBE,
    RETRY_BASE,
    bundle_of,
    environment_of,
    read_indexes,
    retry_environment,
    write_indexes,
)
from nbbatch.client.arrays.inputs import labels_of
from nbbatch.client.arrays.item_jobs import ItemJob
from nbbatch.client.arrays.items import Item, Reader, completed, failed_children, first_error, first_words
from nbbatch.client.arrays.shape import read_array
from nbbatch.client.arrays.table import frame_of
from nbbatch.client.backend import get_backend
from nbbatch.client.bundle import Packed
from nbbatch.client.checks import check_timeout, refusal
from nbbatch.client.config import home
from nbbatch.client.handles.account import Account
from nbbatch.client.handles.handle import TERMINATE_REASON, Handle
from nbbatch.client.handles.outcome import Detail, Outcome, outcome, short_id
from nbbatch.client.handles.references import Reference
from nbbatch.client.jobs import Job, Text, check_tail
from nbbatch.client.moments import Moment, epoch_ms
from nbbatch.client.money.history import is_cell, note_run
from nbbatch.client.news import News
from nbbatch.client.notes import Note
from nbbatch.client.options import Options
from nbbatch.client.results import Plain
from nbbatch.client.spec import BUNDLE_VARIABLE, resubmission
from nbbatch.client.submission import send, submit_again
from nbbatch.client.told import Progress
from nbbatch.errors import ResultLostError, UserError
from nbbatch.model.jobs import TERMINAL

_Array = TypeVar("_Array", bound="ArrayJob")


class ArrayJob(Handle):
    """The items of a mapped function or of a `%%batch --array` cell; `len(arr)` is their number.

    `Handle` has id, name, status, wait, cancel, terminate, why, cost and callbacks. An array can be
    awaited: `values = await arr`.
    """

    def __init__(
        self,
        job_id: str,
        *,
        backend: str,
        name: str = "",
        inputs: Sequence[Any] | None = None,
        packing: str = "",
    ) -> None:
        super().__init__(job_id, backend=backend, name=name)
        self._inputs = inputs
        self._known: tuple[Reader, dict[int, int]] | None = None
        self._retry: ArrayJob | None = None
        self._packing = packing
        self._origin: tuple[str, int] | None = None
        self._is_noted = False

    def __len__(self) -> int:
        return self.reader.shape.items

    @overload
    def __getitem__(self, position: int) -> Job: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[Job]: ...
    def __getitem__(self, position: int | slice) -> Job | Sequence[Job]:
        """Handle of the child that runs the item; its `result()` is the item's. A slice gives a list."""
        count = len(self)
        if isinstance(position, slice):
            return [self[each] for each in range(*position.indices(count))]
        if not isinstance(position, SupportsIndex):
            raise refusal("An array's item", position, f"a number from 0 to {count - 1}, or a slice")
        position = position.__index__()
        if not -count <= position < count:
            raise IndexError(f"item {position} of an array of {count}")
        position %= count
        index = self.reader.shape.child_of(position)
        if index not in self.places:
            raise IndexError(f"item {position} is not among those that {self!r} repeats")
        place = position - self.reader.shape.positions(index).start
        job = ItemJob(self._child_id(index), backend=self.backend_name, name=self._name, place=place)
        job.array, job.index = self, index
        return job

    def reference(self) -> Reference:
        """What stands for the list of all values as an argument of another job."""
        if self._retry is not None:
            return self._retry.reference()
        url, base = self.origin()
        return Reference(
            url=url,
            indexes=tuple(range(self.reader.shape.children)),
            bases=tuple(range(base, -1, -ATTEMPTS_PER_RETRY)),
            place=None,
            job=short_id(self.id),
            job_id=self.id,
            backend=self.backend_name,
            name=self.name,
        )

    def origin(self) -> tuple[str, int]:
        """URL of the bundle, and the number from which its attempts count; asked once."""
        if self._origin is None:
            variables = environment_of(self.detail())
            self._origin = variables[BUNDLE_VARIABLE], int(variables.get(RETRY_BASE, 0))
        return self._origin

    def __iter__(self) -> Iterator[Job]:
        shape = self.reader.shape
        return (self[position] for index in self.places for position in shape.positions(index))

    def progress(self) -> Progress:
        """How many items are in children that have ended, of how many, and what the newest note says."""
        counts, shape = self.counts(), self.reader.shape
        ended = sum(counts.get(status, 0) for status in TERMINAL) * shape.chunk
        newest = super().progress()
        own = sum(len(shape.positions(index)) for index in self.places)
        text = newest.text if newest is not None else ""
        return Progress(i=min(ended, own), n=own, text=text, time=newest.time if newest is not None else 0)

    def notes(self, *, since: int | None = None) -> list[Note]:
        """All that its children and those of its retry have told, by time; see `Handle.notes`."""
        again = self._retry.notes(since=since) if self._retry is not None else []
        return [*super().notes(since=since), *again]

    def counts(self) -> dict[str, int]:
        """Number of children by status, from the parent alone: one call at any size."""
        detail = self.detail()
        summary = detail.get("arrayProperties", {}).get("statusSummary")
        return dict(summary) if summary else {detail["status"]: 1}

    @property
    def packing(self) -> str:
        """How many items there are and how many a child runs, where it runs several, and why, as far as it is known."""
        if self._packing or self._known is None:
            return self._packing
        shape = self.reader.shape
        return packing_words(shape.items, Chunk(size=shape.chunk)) if self._is_whole() else ""

    def _is_whole(self) -> bool:
        """Whether it runs all children of its bundle; a retry runs some of them."""
        return len(self.places) == self.reader.shape.children

    def account(self) -> Account | None:
        """Cost and use so far; when a cell's array has ended, what its items took is kept for the next receipt."""
        account = super().account()
        if account is not None and is_cell(self._final) and not self._is_noted and self._is_whole():
            self._is_noted = True
            note_run(self.backend, self._final, account.seconds / len(self))
        return account

    def _why_failed(self, detail: Detail) -> list[str]:
        """What its first failed item raised, too."""
        told = super()._why_failed(detail)
        if outcome(detail) is Outcome.CHILDREN_FAILED and bundle_of(detail):
            with suppress(ResultLostError):
                failures = self.failures()
                return [*first_words(self._items(self._still_failed(failures)[:1], failures)), *told]
        return told

    def results(self, timeout: float | None = None, *, return_exceptions: bool = False) -> list[Any]:
        """All values in the order of the items.

        Parameters
        ----------
        timeout : float or None
            Seconds to wait; None waits as long as it takes.
        return_exceptions : bool
            Put the errors of failed items in their places instead of raising the first one.

        Raises
        ------
        TimeoutError
            The time was up; the array goes on.
        Exception
            The first failed item's, which says which input it was and how many failed. The others'
            values are not lost: `return_exceptions=True` has them.
        """
        ended = self._wait_for_end(timeout)
        self.bring_files()
        if ended["status"] == "SUCCEEDED" and self._retry is None:
            plain = self.plain()
            if plain is not None:
                values, seconds = plain
                self.measure(seconds, len(values))
                return values
        items = self.items(timeout)
        if return_exceptions:
            return [item.value if item.error is None else item.error for item in items]
        error = first_error(items)
        if error is not None:
            raise error
        return [item.value for item in items]

    def result(self, timeout: float | None = None) -> list[Any]:
        """The same as `results`, so that jobs and arrays can be waited for alike."""
        return self.results(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """The first failed item's error, None when all went well."""
        return first_error(self.items(timeout))

    def items(self, timeout: float | None = None) -> list[Item]:
        """Wait, then every item with its input and its value or error."""
        begun = time.monotonic()
        self._wait_for_end(timeout)
        if self._retry is not None:
            self._retry.items(None if timeout is None else begun + timeout - time.monotonic())
        items = list(self._items(range(self.reader.shape.children), self.failures()))
        took = [item.seconds for item in items if item.seconds is not None and item.error is None]
        self.measure(sum(took), len(took))
        return items

    def plain(self) -> Plain | None:
        """All values by the shortest way, once all items have ended well; None takes a closer look."""
        return self.reader.plain(self.reader.left())

    def measure(self, seconds: float, items: int) -> None:
        """Remember how long an item took, for the next array of the same function or cell."""
        if is_cell(self._final) and not self._is_noted:
            self.account()
        key = self.reader.bundle.measured_as
        if key and items:
            Durations(home()).note(key, seconds / items)

    def as_completed(self, timeout: float | None = None) -> Iterator[Item]:
        """Items as they end, those that ended already first.

        Raises
        ------
        TimeoutError
            When not all have ended in time.
        """
        check_timeout(timeout)
        return self._as_completed(timeout)

    def _as_completed(self, timeout: float | None) -> Iterator[Item]:
        deadline = None if timeout is None else time.monotonic() + timeout
        coming = self.coming()
        with News([self]) as news:
            while news.waiting:
                news.next(deadline, coming.pause)
                detail = news.details.get(self)
                if detail is not None:
                    yield from coming.take(detail)

    def coming(self) -> Coming:
        """Its items as they end, for who watches the array."""
        return Coming(self)

    def failed(self) -> list[Item]:
        """Items that have failed so far; does not wait."""
        failures = self.failures()
        items = self._items(self._still_failed(failures), failures)
        return [item for item in items if item.error is not None]

    @overload
    def logs(
        self,
        follow: Literal[False] = False,  # noqa: FBT002 - as a job's
        *,
        index: int | None = None,
        tail: int | None = None,
        since: Moment | None = None,
    ) -> str: ...
    @overload
    def logs(
        self,
        follow: Literal[True],
        *,
        index: int | None = None,
        tail: int | None = None,
        since: Moment | None = None,
    ) -> Iterator[str]: ...
    def logs(
        self,
        follow: bool = False,  # noqa: FBT001, FBT002
        *,
        index: int | None = None,
        tail: int | None = None,
        since: Moment | None = None,
    ) -> str | Iterator[str]:
        """The logs of all children by time, each line behind its child's `[index]`.

        Parameters
        ----------
        follow : bool
            Give an iterator of lines that waits for more until the array has ended.
        index : int, optional
            Only this child's, as `%batch logs ID:INDEX`; where a child runs one item, that item's.
        tail : int, optional
            Only the last so many; with `follow`, of those that are there already.
        since : str, datetime or float, optional
            Only lines from then on: `"10m"` ago, a point in time, or epoch seconds.

        Raises
        ------
        IndexError
            There is no such child.
        """
        if index is not None or len(self.places) == 1:
            return self._log_of(index, follow, tail, since)
        start = None if since is None else epoch_ms(since)
        check_tail(tail)
        ids = {self._child_id(one): one for one in self.places}
        lines = ArrayLogs(self, ids, start).lines(follow=follow, tail=tail)
        return lines if follow else Text("\n".join(deque(lines, tail)))

    def _log_of(
        self,
        index: int | None,
        follow: bool,  # noqa: FBT001
        tail: int | None,
        since: Moment | None,
    ) -> str | Iterator[str]:
        """Of one child."""
        if index is not None and not isinstance(index, int):
            raise refusal("index", index, "the number of a child")
        if index is not None and index not in self.places:
            raise IndexError(f"{self!r} has no child {index}, but {write_indexes(self.places)}.")
        job = Job(self.id if index is None else self._child_id(index), backend=self.backend_name)
        return job.logs(follow, tail=tail, since=since)  # type: ignore[call-overload, no-any-return]

    def retry_failed(self, **options: Any) -> ArrayJob:
        """Submit the children with failed items again, and in them run only those items.

        Parameters
        ----------
        **options
            What shall be otherwise: `retry_failed(memory="8G", timeout="2h")`. Code and inputs are those
            of the array.

        Returns
        -------
        ArrayJob
            Of the whole: its results, like those of this handle, hold the new values beside the old
            ones. This handle itself when nothing has failed.
        """
        if self._retry is not None:
            return self._retry.retry_failed(**options)
        given = Options.parse(options)
        indexes = self._still_failed(self.failures())
        if not indexes:
            return self
        size = len(indexes) if len(indexes) > 1 else None
        detail = self.detail()
        request = resubmission(detail, environment=retry_environment(detail, indexes), size=size)
        job_id = submit_again(self.backend, request, given)
        self._retry = type(self)(job_id, backend=self.backend_name, name=self._name, inputs=self._inputs)
        return self._retry

    def to_repeat(self) -> int:
        """Items of children that have failed, of an array in which others have succeeded; else 0."""
        shape, failed = self.reader.shape, set(self._still_failed(self.failures()))
        return 0 if len(failed) == shape.children else sum(len(shape.positions(index)) for index in failed)

    def terminate(self, reason: str = TERMINATE_REASON) -> None:
        """Stop its children wherever they are, and the job that runs its first items ahead; see `Handle`."""
        super().terminate(reason)
        if probe := environment_of(self.detail()).get(PROBE):
            with self.backend.errors():
                self.backend.batch.terminate_job(jobId=probe, reason=reason)

    def frame(self) -> Any:
        """A DataFrame of the items that have ended so far, one row each, in their order.

        Returns
        -------
        pandas.DataFrame
            The input: the row of the DataFrame that was mapped, with its types and index, a column per
            keyword of a grid, else `input`. The value: a column per key where it is a dict, else
            `value`; missing where the item failed. The last value of each metric. `error`: None, or what
            the item failed with.
        """
        items = sorted(self.coming().take(self.detail()), key=lambda item: item.position)
        return frame_of(items, self.reader.all_inputs())

    def labels(self) -> Any:
        """The index of the DataFrame or Series whose rows or values the items are; None of any others."""
        if self._inputs is None and not self.reader.bundle.rows:
            return None
        return labels_of(self.reader.all_inputs())

    @property
    def reader(self) -> Reader:
        """Reads its items."""
        return self._know()[0]

    @property
    def places(self) -> dict[int, int]:
        """Which children of the bundle this job's own children are: own index by index in the bundle."""
        return self._know()[1]

    def _know(self) -> tuple[Reader, dict[int, int]]:
        """Read once what the bundle and the job's environment tell."""
        if self._known is None:
            detail, backend = self.detail(), self.backend
            bundle_id, variables = bundle_of(detail), environment_of(detail)
            bundle = read_array(backend.store, bundle_id) if bundle_id else None
            if bundle is None:
                raise UserError(f"{self!r} has no items: it was not made by map or %%batch --array.")
            indexes = (
                read_indexes(variables[INDEXES]) if INDEXES in variables else range(bundle.shape.children)
            )
            places = {index: place for place, index in enumerate(indexes)}
            self._known = Reader(bundle, self._inputs), places
        return self._known

    def _child_id(self, index: int) -> str:
        return self.id if len(self.places) == 1 else f"{self.id}:{self.places[index]}"

    def failures(self) -> dict[int, Detail]:
        """Failed children by their index in the bundle; a retry's word about one is the last."""
        detail = self.detail()
        retried = self._retry.failures() if self._retry is not None else {}
        if len(self.places) == 1:
            return {index: detail for index in self.places if detail["status"] == "FAILED"} | retried
        if not failed_count(detail):
            return retried
        by_place = {
            one["arrayProperties"]["index"]: completed(one, detail)
            for one in failed_children(self.backend, self.id)
        }
        found = {index: by_place[place] for index, place in self.places.items() if place in by_place}
        return found | retried

    def _still_failed(self, failures: Iterable[int]) -> list[int]:
        """Of the failed children, those that no retry has made good."""
        reader = self.reader
        results = reader.left().results
        return [index for index in sorted(failures) if not reader.has_succeeded(index, results.get(index))]

    def _items(self, indexes: Iterable[int], failures: Mapping[int, Detail]) -> Iterator[Item]:
        """Items of children that have ended."""
        reader = self.reader
        left = reader.left()
        for index in reader.expected(indexes, left):
            yield from reader.ended(index, left, self.job_id(index), failures.get(index))

    def job_id(self, index: int) -> str:
        """Id of the child of this job that works as the bundle's child `index`; its own where none does."""
        return self._child_id(index) if index in self.places else self.id

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self.id, self.backend_name, self._name)


def _again(kind: type[ArrayJob], job_id: str, backend: str, name: str) -> ArrayJob:
    return kind(job_id, backend=backend, name=name)


def map_packed(
    packed: Packed,
    options: Options,
    *,
    name: str = "array",
    inputs: Sequence[Any] | None = None,
    packing: str = "",
    kind: type[_Array] = ArrayJob,  # type: ignore[assignment]
) -> _Array:
    """Submit what `pack_for` made of a payload with items; `inputs` saves reading them back.

    `packing` is what the handle says of its items, from `packing_words`.
    """
    job_id = send(packed, options, name=name)
    array = kind(
        job_id,
        backend=options.backend or get_backend().name,
        name=options.name or name,
        inputs=inputs,
        packing=packing,
    )
    array.note_cached(packed.bundle_id, is_asked=bool(options.cache))
    return array
