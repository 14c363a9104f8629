"""The items of an array as they end, each given once, by looking at what its children have left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nbbatch.client.arrays.items import Item, Left
from nbbatch.client.handles.outcome import Detail
from nbbatch.model.jobs import TERMINAL

if TYPE_CHECKING:
    from nbbatch.client.arrays.array_jobs import ArrayJob

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.25, 10.0
"""Seconds between two looks for items of children that go on: doubled while there are none."""


class Coming:
    """The items of an array as they end, each given once.

    Of a child with several items those that ended well are there before the child has ended.
    """

    def __init__(self, array: ArrayJob) -> None:
        self._array = array
        self._ended: set[int] = set()
        self._given: dict[int, set[int]] = {}
        self._pause = _SHORTEST_PAUSE
        self._took: list[float] = []

    @property
    def pause(self) -> float | None:
        """Seconds after which to look again though nothing seems to have changed; None: not at all."""
        return self._pause if self._array.reader.shape.chunk > 1 else None

    def take(self, detail: Detail) -> list[Item]:
        """Items that have ended since the last call; `detail` is the array's newest."""
        array, reader = self._array, self._array.reader
        failures = array.failures() if failed_count(detail) else {}
        left = reader.left()
        ended = set(array.places) if detail["status"] in TERMINAL else self._has_ended(left, failures)
        items = [
            item
            for index in reader.expected(sorted(ended - self._ended), left)
            for item in reader.ended(index, left, array.job_id(index), failures.get(index))
            if item.position not in self._given.get(index, ())
        ]
        self._ended |= ended
        items += [item for index in left.partial for item in self._of_running(index, left)]
        self._pause = _SHORTEST_PAUSE if items else min(2 * self._pause, _LONGEST_PAUSE)
        self._took += [item.seconds for item in items if item.seconds is not None and item.error is None]
        if detail["status"] in TERMINAL:
            array.measure(sum(self._took), len(self._took))
        return items

    def _has_ended(self, left: Left, failures: Mapping[int, Detail]) -> set[int]:
        """Children that ended while others go on: a failed attempt may be followed by another one."""
        reader, places = self._array.reader, self._array.places
        new = {index: attempt for index, attempt in left.results.items() if index not in self._ended}
        succeeded = {index for index, attempt in new.items() if reader.has_succeeded(index, attempt)}
        return self._ended | ((succeeded | set(failures)) & set(places))

    def _of_running(self, index: int, left: Left) -> list[Item]:
        if index in self._ended or index not in self._array.places:
            return []
        given = self._given.setdefault(index, set())
        found = self._array.reader.so_far(index, left, self._array.job_id(index))
        items = [item for item in found if item.position not in given]
        given.update(item.position for item in items)
        return items


def failed_count(detail: Detail) -> int:
    """Children that have FAILED, by the parent's word."""
    if "statusSummary" in detail.get("arrayProperties", {}):
        return int(detail["arrayProperties"]["statusSummary"].get("FAILED", 0))
    return int(detail["status"] == "FAILED")
