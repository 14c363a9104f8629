"""Array jobs: one function over many items as one AWS Batch array job.

AWS Batch allows 2 to 10,000 children. More items are packed several to a child, a single item runs
as a plain job; neither is seen by the caller. Progress is read from the parent's counters, never
from the children one by one. A retry of failed items is another array on the same bundle, so its
results stand where the missing ones would have stood.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Condition
from typing import Any, Self

from nbbatch.client.backend import get_backend
from nbbatch.client.bundle import Call, Packed
from nbbatch.client.handle import Handle
from nbbatch.client.indexes import (
    ATTEMPTS_PER_RETRY,
    INDEXES,
    RETRY_BASE,
    bundle_of,
    environment_of,
    read_indexes,
    retry_environment,
)
from nbbatch.client.inputs import calls_of, list_items, read_chunk
from nbbatch.client.items import Item, Reader, failed_children, first_error
from nbbatch.client.jobs import Job, check_call, name_of, value_of
from nbbatch.client.options import Options, split_options
from nbbatch.client.outcome import Detail, short_id
from nbbatch.client.references import Reference
from nbbatch.client.results import ItemResult
from nbbatch.client.shape import read_array
from nbbatch.client.spec import BUNDLE_VARIABLE, resubmission
from nbbatch.client.submission import pack_for, resolve, send, submit_again
from nbbatch.client.watch import watcher_of
from nbbatch.errors import NbbatchError, ResultLostError, UserError
from nbbatch.model.jobs import TERMINAL


class ArrayJob(Handle):
    """The items of a mapped function or of a `%%batch --array` cell; `len(arr)` is their number.

    `Handle` has id, name, status, wait, cancel, terminate, why, cost and callbacks. An array can be
    awaited: `values = await arr`.
    """

    def __init__(
        self, job_id: str, *, backend: str, name: str = "", inputs: Sequence[Any] | None = None
    ) -> None:
        super().__init__(job_id, backend=backend, name=name)
        self._inputs = inputs
        self._known: tuple[Reader, dict[int, int]] | None = None
        self._retry: ArrayJob | None = None
        self._origin: tuple[str, int] | None = None

    def __len__(self) -> int:
        return self._reader.shape.items

    def __getitem__(self, position: int) -> Job:
        """Handle of the child that runs the item; its `result()` is the item's."""
        count = len(self)
        if not -count <= position < count:
            raise IndexError(f"item {position} of an array of {count}")
        position %= count
        index = self._reader.shape.child_of(position)
        if index not in self._places:
            raise IndexError(f"item {position} is not among those that {self!r} repeats")
        place = position - self._reader.shape.positions(index).start
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
            indexes=tuple(range(self._reader.shape.children)),
            bases=tuple(range(base, -1, -ATTEMPTS_PER_RETRY)),
            place=None,
            job=short_id(self.id),
            job_id=self.id,
            backend=self.backend_name,
            name=self._name,
        )

    def origin(self) -> tuple[str, int]:
        """URL of the bundle, and the number from which its attempts count; asked once."""
        if self._origin is None:
            variables = environment_of(self.detail())
            self._origin = variables[BUNDLE_VARIABLE], int(variables.get(RETRY_BASE, 0))
        return self._origin

    def __iter__(self) -> Iterator[Job]:
        shape = self._reader.shape
        return (self[position] for index in self._places for position in shape.positions(index))

    def counts(self) -> dict[str, int]:
        """Number of children by status, from the parent alone: one call at any size."""
        detail = self.detail()
        summary = detail.get("arrayProperties", {}).get("statusSummary")
        return dict(summary) if summary else {detail["status"]: 1}

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
        deadline = None if timeout is None else time.monotonic() + timeout
        self._wait_for_end(timeout)
        if self._retry is not None:
            self._retry.items(None if deadline is None else deadline - time.monotonic())
        return list(self._items(range(self._reader.shape.children), self.failures()))

    def as_completed(self, timeout: float | None = None) -> Iterator[Item]:
        """Items as they end, those that ended already first.

        Raises
        ------
        TimeoutError
            When not all have ended in time.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        seen: set[int] = set()
        with _News(self) as news:
            while len(seen) < len(self._places):
                detail = news.next(deadline)
                yield from self._newly_ended(detail, seen)

    def failed(self) -> list[Item]:
        """Items that have failed so far; does not wait."""
        failures = self.failures()
        items = self._items(self._still_failed(failures), failures)
        return [item for item in items if item.error is not None]

    def retry_failed(self) -> ArrayJob:
        """Submit the children with failed items again, and only those.

        Returns
        -------
        ArrayJob
            Of the whole: its results, like those of this handle, hold the new values beside the old
            ones. This handle itself when nothing has failed.
        """
        if self._retry is not None:
            return self._retry.retry_failed()
        indexes = self._still_failed(self.failures())
        if not indexes:
            return self
        size = len(indexes) if len(indexes) > 1 else None
        detail = self.detail()
        request = resubmission(detail, environment=retry_environment(detail, indexes), size=size)
        job_id = submit_again(self.backend, request)
        self._retry = ArrayJob(job_id, backend=self.backend_name, name=self._name, inputs=self._inputs)
        return self._retry

    def frame(self) -> Any:
        """A DataFrame of the items that have ended, one row each, by position.

        Returns
        -------
        pandas.DataFrame
            The input (a column per keyword, else `input`), the value (a column per key where it is a
            dict, else `value`), and `error`.
        """
        import pandas as pd  # noqa: PLC0415 - 0.2 s that only tables need

        items = list(self._newly_ended(self.detail(), set()))
        rows = [
            _columns("input", item.input) | _columns("value", item.value) | _problem(item) for item in items
        ]
        index = pd.Index([item.position for item in items], name="item")
        return pd.DataFrame(rows, index=index).sort_index()

    @property
    def _reader(self) -> Reader:
        return self._know()[0]

    @property
    def _places(self) -> dict[int, int]:
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
        return self.id if len(self._places) == 1 else f"{self.id}:{self._places[index]}"

    def failures(self) -> dict[int, Detail]:
        """Failed children by their index in the bundle; a retry's word about one is the last."""
        detail = self.detail()
        retried = self._retry.failures() if self._retry is not None else {}
        if len(self._places) == 1:
            return {index: detail for index in self._places if detail["status"] == "FAILED"} | retried
        if not _failed_count(detail):
            return retried
        by_place = {one["arrayProperties"]["index"]: one for one in failed_children(self.backend, self.id)}
        found = {index: by_place[place] for index, place in self._places.items() if place in by_place}
        return found | retried

    def _still_failed(self, failures: Iterable[int]) -> list[int]:
        """Of the failed children, those that no retry has made good."""
        reader = self._reader
        attempts = reader.attempts()
        return [index for index in sorted(failures) if not reader.has_succeeded(index, attempts.get(index))]

    def _items(self, indexes: Iterable[int], failures: Mapping[int, Detail]) -> Iterator[Item]:
        """Items of children that have ended."""
        reader = self._reader
        attempts = reader.attempts()
        for index in indexes:
            job_id = self._child_id(index) if index in self._places else self.id
            yield from reader.ended(index, attempts.get(index), job_id, failures.get(index))

    def _newly_ended(self, detail: Detail, seen: set[int]) -> Iterator[Item]:
        """Items of children that ended and are not in `seen`, which is brought up to date."""
        failures = self.failures() if _failed_count(detail) else {}
        ended = set(self._places) if detail["status"] in TERMINAL else self._ended(failures, seen)
        news = sorted(ended - seen)
        seen.update(news)
        return self._items(news, failures)

    def _ended(self, failures: Mapping[int, Detail], seen: set[int]) -> set[int]:
        """Children that ended while others go on: a failed attempt may be followed by another one."""
        reader = self._reader
        left = {index: attempt for index, attempt in reader.attempts().items() if index not in seen}
        succeeded = {index for index, attempt in left.items() if reader.has_succeeded(index, attempt)}
        return (succeeded | set(failures)) & set(self._places)

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.id, self.backend_name, self._name)


class ItemJob(Job):
    """A child of an array as the handle of one of its items, the one at `place` in its chunk."""

    def __init__(self, job_id: str, *, backend: str, name: str = "", place: int = 0) -> None:
        super().__init__(job_id, backend=backend, name=name)
        self.place = place
        self.array: ArrayJob | None = None
        self.index = 0

    def reference(self, variable: str | None = None) -> Reference:
        """What stands for the item's value as an argument of another job; its array is asked only once."""
        if self.array is None:
            return replace(super().reference(variable), place=self.place)
        url, base = self.array.origin()
        return replace(self._refer(url, self.index, base, variable), place=self.place)

    def result(self, timeout: float | None = None) -> Any:
        """The item's value; see `Job.result`."""
        self._wait_for_end(timeout)
        if self.place < len(items := self._items_left()) and items[self.place].error is None:
            return value_of(items[self.place], self.id)
        return super().result(timeout)

    def _items_left(self) -> Sequence[ItemResult]:
        try:
            return self.load().items
        except ResultLostError:
            return ()

    def __reduce__(self) -> tuple[Any, ...]:
        return _item_again, (self.id, self.backend_name, self._name, self.place)


def _again(job_id: str, backend: str, name: str) -> ArrayJob:
    return ArrayJob(job_id, backend=backend, name=name)


def _item_again(job_id: str, backend: str, name: str, place: int) -> ItemJob:
    return ItemJob(job_id, backend=backend, name=name, place=place)


class _News:
    """The newest detail of an array, waited for in the caller's thread."""

    def __init__(self, array: ArrayJob) -> None:
        self._array = array
        self._changed = Condition()
        self._detail: Detail | None = None
        self._error: NbbatchError | None = None

    def __enter__(self) -> Self:
        self._watch = watcher_of(self._array.backend).watch(self._array.id, self)
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.close()

    def on_change(self, detail: Detail) -> None:
        with self._changed:
            self._detail = detail
            self._changed.notify_all()

    def on_failure(self, error: NbbatchError) -> None:
        with self._changed:
            self._error = error
            self._changed.notify_all()

    def next(self, deadline: float | None) -> Detail:
        """The detail after the one that was given last."""
        with self._changed:
            left = None if deadline is None else deadline - time.monotonic()
            if not self._changed.wait_for(lambda: self._detail or self._error, left):
                raise TimeoutError(f"{self._array!r} has not ended in time; it goes on.")
            if self._error is not None:
                raise self._error
            detail, self._detail = self._detail, None
            return detail or {}


def _columns(word: str, value: Any) -> dict[str, Any]:
    """A mapping gives a column per key, anything else one column."""
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return dict(value)
    return {word: value}


def _problem(item: Item) -> dict[str, Any]:
    return {
        "error": None
        if item.error is None
        else f"{type(item.error).__name__}: {item.error}".partition("\n")[0]
    }


def _failed_count(detail: Detail) -> int:
    if "statusSummary" in detail.get("arrayProperties", {}):
        return int(detail["arrayProperties"]["statusSummary"].get("FAILED", 0))
    return int(detail["status"] == "FAILED")


def map(  # noqa: A001 - the word that everybody looks for
    function: Callable[..., Any], items: Any, /, *, chunk: int | str = "auto", **kwargs: Any
) -> ArrayJob:
    """Run `function(item)` for every item as one array job.

    Parameters
    ----------
    function : callable
        As in `submit`.
    items : iterable, DataFrame or mapping
        Anything that can be iterated. A DataFrame gives its rows (as Series, like `apply` with
        `axis=1`); a mapping of names to lists is a grid: the function gets every combination as
        keyword arguments.
    chunk : int or "auto"
        Items per child, one after the other; "auto" takes one, or as many as keep the array within
        AWS Batch's 10,000 children.
    **kwargs
        Options as in `submit`; the rest are keyword arguments of every call.

    Raises
    ------
    OptionError
        There are no items, an option is malformed, or the function does not take such an item.

    Examples
    --------
    >>> arr = nbbatch.map(simulate, range(1000), vcpus=1)  # doctest: +SKIP
    >>> sweep = nbbatch.map(train, {"lr": [0.1, 0.01], "depth": [3, 5]}, memory="4G")  # doctest: +SKIP
    >>> sweep.frame()  # doctest: +SKIP
    """
    given, own = split_options(kwargs)
    return map_call(function, items, chunk=chunk, kwargs=own, given=given)


def map_call(
    function: Callable[..., Any],
    items: Any,
    *,
    chunk: int | str,
    kwargs: Mapping[str, Any],
    given: Mapping[str, Any],
) -> ArrayJob:
    """Run a function over items, its keyword arguments and its options apart."""
    inputs = list_items(items)
    calls = calls_of(inputs, is_grid=isinstance(items, Mapping))
    check_call(function, calls[0][0], {**kwargs, **calls[0][1]})
    options = resolve(given)
    size = read_chunk(chunk, len(inputs))
    packed = pack_for(Call(function=function, kwargs=kwargs, calls=calls, chunk=size), options)
    return map_packed(packed, options, name=name_of(function), inputs=inputs)


def map_packed(
    packed: Packed, options: Options, *, name: str = "array", inputs: Sequence[Any] | None = None
) -> ArrayJob:
    """Submit what `pack_for` made of a payload with items; `inputs` saves reading them back."""
    job_id = send(packed, options, name=name)
    return ArrayJob(
        job_id, backend=options.backend or get_backend().name, name=options.name or name, inputs=inputs
    )
