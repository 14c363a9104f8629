"""`nbbatch.map` and `starmap`: a function over many items as one array job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nbbatch.client.arrays.array_jobs import ArrayJob, map_packed
from nbbatch.client.arrays.chunks import (
    WORTH_A_CHILD,
    Chunk,
    Durations,
    choose_chunk,
    key_of,
    packing_words,
)
from nbbatch.client.arrays.inputs import Calls, Spread, list_items
from nbbatch.client.arrays.probe import block_of, is_worthwhile, probe
from nbbatch.client.backend import get_backend
from nbbatch.client.capacity import capacity_of
from nbbatch.client.checks import refusal
from nbbatch.client.config import home
from nbbatch.client.jobs import check_call, name_of
from nbbatch.client.options import Options, split_options
from nbbatch.client.packing.payloads import Call
from nbbatch.client.spec import queue_of, resources_of
from nbbatch.client.submission import pack_for, resolve, weighing
from nbbatch.errors import OptionError


def map(  # noqa: A001 - the word that everybody looks for
    function: Callable[..., Any], items: Any, /, *, chunk: int | str = "auto", **kwargs: Any
) -> ArrayJob:
    """Run `function(item)` for every item as one array job.

    Parameters
    ----------
    function : callable
        As in `submit`.
    items : iterable, DataFrame or mapping
        Anything that can be iterated and ends: each item is the function's only argument. A DataFrame
        gives its rows (as Series in which every value has its column's type), a Series its values; a
        mapping of names to lists is a grid: the function gets every combination as keyword arguments.
    chunk : int or "auto"
        Items per child, one after the other. "auto" goes by what the function took when its results
        were last read here: quick items are packed, so that starting children costs little. Of one
        never measured the first of 200 items and more are run ahead on this machine, as a job named
        `...-probe`, for a third of a second; their results count. On AWS it then takes one item, or as
        many as keep the array within AWS Batch's 10,000 children.
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


def starmap(
    function: Callable[..., Any], items: Any, /, *, chunk: int | str = "auto", **kwargs: Any
) -> ArrayJob:
    """Run `function(*item)` for every item as one array job, `function(**item)` where it is a dict.

    As `map` otherwise: `starmap(train, zip(models, seeds))`, `starmap(train, [{"lr": 0.1}, {"lr": 0.2}])`.
    """
    given, own = split_options(kwargs)
    return map_call(function, items, chunk=chunk, kwargs=own, given=given, spread=Spread.STARRED)


def map_call(
    function: Callable[..., Any],
    items: Any,
    *,
    chunk: int | str,
    kwargs: Mapping[str, Any],
    given: Mapping[str, Any],
    spread: Spread = Spread.WHOLE,
) -> ArrayJob:
    """Run a function over items, its keyword arguments and its options apart."""
    inputs = list_items(items)
    calls = Calls(inputs, Spread.NAMED if isinstance(items, Mapping) else spread)
    _check(function, calls, kwargs)
    options = resolve(given)
    decided, name = chunk_of(chunk, len(inputs), options, key_of(function)), name_of(function)
    is_probed = is_worthwhile(decided, len(inputs), options)
    size = block_of(decided) if is_probed else decided.size
    packed = pack_for(Call(function=function, kwargs=kwargs, calls=calls, chunk=size), options)
    if is_probed:
        slots = slots_of(options)
        probed = probe(packed, options, name=name, items=len(inputs), guess=decided, slots=slots)
        packed, decided = probed.packed, probed.chunk
    packing = packing_words(len(inputs), decided)
    return map_packed(packed, options, name=name, inputs=inputs, packing=packing)


def chunk_of(
    asked: int | str, items: int, options: Options, key: str, *, worth: float = WORTH_A_CHILD
) -> Chunk:
    """Decide how many items a child runs, by what is known of the queue and of earlier runs.

    Parameters
    ----------
    asked : int or "auto"
        What the user said.
    items : int
        How many there are.
    options : Options
        With defaults, from `resolve`.
    key : str
        By what the items' durations are remembered: `key_of`.
    worth : float
        Seconds of work beside which the start of a child is small.
    """
    if (looked := weighing.get()) is not None and looked.chunk:
        return Chunk(size=looked.chunk)
    seconds = Durations(home()).get(key) if asked == "auto" else None
    slots = slots_of(options) if seconds is not None else 0
    return choose_chunk(asked, items, seconds=seconds, slots=slots, timeout=options.timeout, worth=worth)


def slots_of(options: Options) -> int:
    """Children with these options that the queue can run at once."""
    backend = get_backend(options.backend)
    options = backend.suited(options)
    vcpus = max(resources_of(options).vcpus, 0.25)
    return int(capacity_of(backend, queue_of(options)).max_vcpus / vcpus)


def _check(function: Callable[..., Any], calls: Calls, kwargs: Mapping[str, Any]) -> None:
    """Refuse a first item that does not fit the function; say where another word would do."""
    args, own = calls[0]
    for name in own:
        if not isinstance(name, str):
            raise refusal(
                "A keyword argument's name", name, "a text: the name of one of the function's parameters"
            )
    try:
        check_call(function, args, {**kwargs, **own})
    except OptionError as error:
        if calls.spread is Spread.WHOLE and isinstance(args[0], tuple | Mapping):
            error.cure = f"{error.cure} nbbatch.starmap spreads each item over the arguments."
        raise
