"""What an array may be mapped over: lists, ranges, generators, tables, grids. Pure.

Whatever has a length is read where it lies: a million items are not copied to be sent.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from nbbatch.errors import OptionError
from nbbatch.runner.items import as_rows

MOST_GENERATED = 2_000_000
"""Items that are taken from an iterator; one without an end must not fill the memory."""


class Spread(StrEnum):
    """How an item becomes a call's arguments."""

    WHOLE = "whole"
    """It is the only argument."""
    NAMED = "named"
    """It is a mapping of keyword arguments."""
    STARRED = "starred"
    """A mapping is keyword arguments, anything else is spread over positional ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows(Sequence[Any]):
    """The rows of a DataFrame as items, each a Series in which every value has its column's type."""

    frame: Any

    def __len__(self) -> int:
        return int(self.frame.shape[0])

    def __getitem__(self, position: Any) -> Any:
        if not -len(self) <= position < len(self):
            raise IndexError(position)
        return as_rows(self.frame.iloc[position : position + 1 or None]).iloc[0]


@dataclass(frozen=True, slots=True, eq=False)
class Blocks(Sequence[Any]):
    """A DataFrame in pieces of so many rows: types and index stay what they are."""

    frame: Any
    rows: int

    def __len__(self) -> int:
        return (len(self.frame) + self.rows - 1) // self.rows

    def __getitem__(self, number: Any) -> Any:
        if number >= len(self):
            raise IndexError(number)
        return self.frame.iloc[number * self.rows : (number + 1) * self.rows]


@dataclass(frozen=True, slots=True, eq=False)
class Values(Sequence[Any]):
    """The values of a pandas Series as items; its index labels them."""

    series: Any

    def __len__(self) -> int:
        return len(self.series)

    def __getitem__(self, position: Any) -> Any:
        return self.series.iloc[position]


@dataclass(frozen=True, slots=True, eq=False)
class Calls(Sequence[Any]):
    """Arguments `(args, kwargs)` of each call."""

    inputs: Sequence[Any]
    spread: Spread = Spread.WHOLE

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, position: Any) -> Any:
        return self._arguments(self.inputs[position])

    def __iter__(self) -> Iterator[Any]:
        return map(self._arguments, self.inputs)

    def _arguments(self, item: Any) -> Any:
        match self.spread:
            case Spread.WHOLE:
                return ((item,), {})
            case Spread.STARRED if not isinstance(item, Mapping):
                return (_spread(item), {})
            case _:
                return ((), dict(item))


def _spread(item: Any) -> tuple[Any, ...]:
    try:
        return tuple(item)
    except TypeError:
        raise OptionError(
            f"The item {item!r:.60} cannot be spread over arguments.",
            cure="Give tuples or dicts, or use nbbatch.map, which hands over each item as it is.",
        ) from None


def list_items(items: Any) -> Sequence[Any]:
    """The inputs of an array, in order.

    Raises
    ------
    OptionError
        When there are none or no end of them, or `items` cannot be iterated.
    """
    if isinstance(items, Mapping):
        listed: Sequence[Any] = _grid(items)
    elif hasattr(items, "iterrows"):
        listed = Rows(items)
    elif hasattr(items, "iloc"):
        listed = Values(items)
    elif isinstance(items, list | tuple | range):
        listed = items
    elif isinstance(items, Iterable) and not isinstance(items, str | bytes):
        listed = list(items) if isinstance(items, Sized) else _generated(items)
    else:
        raise OptionError(f"{items!r} is not a list of items.", cure="Give a list, range, DataFrame or grid.")
    if not len(listed):
        raise OptionError("There are no items to map.", cure="An array needs at least one.")
    return listed


def _grid(grid: Mapping[str, Any]) -> list[dict[str, Any]]:
    values = [
        list(value) if isinstance(value, Iterable) and not isinstance(value, str | bytes) else [value]
        for value in grid.values()
    ]
    return [dict(zip(grid, point, strict=True)) for point in itertools.product(*values)]


def _generated(items: Iterable[Any]) -> list[Any]:
    listed = list(itertools.islice(items, MOST_GENERATED + 1))
    if len(listed) > MOST_GENERATED:
        raise OptionError(
            f"The iterator gives more than {MOST_GENERATED:,} items, or has no end.",
            cure="Take as many as you mean: itertools.islice(items, n), or give a list.",
        )
    return listed


def labels_of(inputs: Sequence[Any]) -> Any:
    """The index that labels the items in pandas; None where nothing does."""
    match inputs:
        case Rows(frame):
            return frame.index
        case Values(series):
            return series.index
        case _:
            return None


def table_of(items: Any) -> Any:
    """The DataFrame whose rows the items, or the calls' only arguments, are; None where there is none."""
    inputs = items.inputs if isinstance(items, Calls) and items.spread is Spread.WHOLE else items
    return inputs.frame if isinstance(inputs, Rows) else None
