"""text/plain as IPython's own pretty printer lays it out, without IPython."""

from __future__ import annotations

import collections
import enum
import os
import re
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.lib.pretty import pretty as ipythons

from nbbatch.runner.pretty import pretty


class Own:
    """Prints itself in IPython's way."""

    def __init__(self, *parts: object) -> None:
        self.parts = parts

    def _repr_pretty_(self, p, cycle) -> None:
        with p.group(4, "Own(", ")"):
            for number, part in enumerate(self.parts):
                if number:
                    p.text(",")
                    p.breakable()
                p.pretty(part)


class Plain:
    """Has no repr of its own."""


class Colour(enum.Enum):
    RED = 1


class Words(collections.UserList):
    """A subclass of a collection."""


SCALARS = st.one_of(
    st.integers(), st.floats(), st.text(max_size=30), st.binary(max_size=9), st.none(), st.booleans(),
    st.sampled_from([Plain, Colour, Colour.RED, len, int, ..., range(3), re.compile("a\\d", re.IGNORECASE), OSError(1, "x")]),
    st.sampled_from(["two\nlines", "x" * 70, types.SimpleNamespace(a=1, b="y" * 70)]),
)  # fmt: skip
KEYS = st.one_of(st.integers(), st.text(max_size=9), st.tuples(st.integers(), st.text(max_size=20)))


def containers(parts: st.SearchStrategy) -> st.SearchStrategy:
    lists = st.lists(parts, max_size=7)
    tables = st.dictionaries(KEYS, parts, max_size=7)
    return st.one_of(
        lists, lists.map(tuple), tables, st.frozensets(KEYS), st.sets(st.integers()), lists.map(lambda each: Own(*each)),
        lists.map(collections.deque), lists.map(Words), tables.map(collections.OrderedDict),
        tables.map(lambda each: collections.defaultdict(list, each)), tables.map(types.MappingProxyType),
        lists.map(lambda each: ValueError(*each)), lists.map(lambda each: types.SimpleNamespace(parts=each, n=1)),
    )  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.recursive(SCALARS, containers, max_leaves=40))
def test_any_value_is_laid_out_as_by_ipython(value) -> None:
    """Nested containers, objects, exceptions and functions have the very text that IPython gives them."""
    assert pretty(value) == ipythons(value)


@pytest.mark.parametrize(
    "value",
    [
        list(range(1500)),
        set(range(1500)),
        collections.Counter("abca"),
        os.environ,
        Plain(),
        pretty,
        [],
        (),
        set(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_long_and_special_values(value) -> None:
    """So have long containers, which are cut, and those that print in ways of their own."""
    assert pretty(value) == ipythons(value)


def test_cycles_end() -> None:
    """A container that contains itself is shown once."""
    cycle: list = [1, {}]
    cycle[1]["x"] = cycle
    assert pretty(cycle) == ipythons(cycle)


def test_floats_have_the_precision_that_was_set() -> None:
    """`%precision` counts inside containers, too."""
    assert pretty([1 / 3, {"a": 2 / 3}], float_format="%.2f") == "[0.33, {'a': 0.67}]"
