"""The handle of one item of an array: a job whose result is that item's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from nbbatch.client.handles.references import Reference
from nbbatch.client.jobs import Job, value_of
from nbbatch.client.results import ItemResult
from nbbatch.errors import ResultLostError

if TYPE_CHECKING:
    from nbbatch.client.arrays.array_jobs import ArrayJob


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

    def _another(self, job_id: str) -> Self:
        """Of the same item."""
        return type(self)(job_id, backend=self.backend_name, name=self._name, place=self.place)

    def __reduce__(self) -> tuple[Any, ...]:
        return _item_again, (type(self), self.id, self.backend_name, self._name, self.place)


def _item_again(kind: type[ItemJob], job_id: str, backend: str, name: str, place: int) -> ItemJob:
    return kind(job_id, backend=backend, name=name, place=place)
