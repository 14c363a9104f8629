"""What an array may be mapped over: lists, ranges, generators, tables, grids. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nbbatch.client.shape import chunk_for
from nbbatch.errors import OptionError


def list_items(items: Any) -> list[Any]:
    """The inputs of an array, in order.

    Raises
    ------
    OptionError
        When there are none, or `items` cannot be iterated.
    """
    if isinstance(items, Mapping):
        values = [[value] if isinstance(value, str) else list(value) for value in items.values()]
        listed: list[Any] = [dict(zip(items, point, strict=True)) for point in itertools.product(*values)]
    elif hasattr(items, "iterrows"):
        listed = [row for _, row in items.iterrows()]
    elif isinstance(items, Iterable) and not isinstance(items, str | bytes):
        listed = list(items)
    else:
        raise OptionError(f"{items!r} is not a list of items.", cure="Give a list, range, DataFrame or grid.")
    if not listed:
        raise OptionError("There are no items to map.", cure="An array needs at least one.")
    return listed


def calls_of(inputs: Sequence[Any], *, is_grid: bool) -> list[tuple[tuple[Any, ...], Mapping[str, Any]]]:
    """The arguments of each call: a grid's points are keywords, any other input is the only argument."""
    return [((), point) if is_grid else ((point,), {}) for point in inputs]


def read_chunk(chunk: int | str, items: int) -> int:
    """Items per child.

    Raises
    ------
    OptionError
        When it is no number from 1, or leaves more children than AWS Batch allows.
    """
    least = chunk_for(items)
    if chunk == "auto":
        return least
    if isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1:
        raise OptionError(
            f"Option chunk does not understand {chunk!r}.", cure='It takes "auto" or a number from 1.'
        )
    if chunk < least:
        raise OptionError(
            f"{items} items in chunks of {chunk} are more than 10,000 children.",
            cure=f'Use chunk="auto" or {least}.',
        )
    return chunk
