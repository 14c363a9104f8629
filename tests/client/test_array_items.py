"""What an array may be mapped over, how its items are packed, and what comes back as a table."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pandas as pd
import pytest

import nbbatch
from nbbatch.client.arrays.chunks import WORTH_A_CHILD_OF_NOTEBOOKS, Durations, choose_chunk, key_of
from nbbatch.client.arrays.inputs import Blocks, Calls, Spread, list_items, table_of
from nbbatch.client.arrays.mapping import chunk_of
from nbbatch.client.config import home
from nbbatch.client.options import Options
from nbbatch.errors import OptionError

DEADLINE = 120


def in_notebook(function):
    """As if it had been defined in a cell: it travels by value, and the job imports nothing of this file."""
    function.__module__ = "__main__"
    return function


@in_notebook
def square(number):
    return number * number


@in_notebook
def kind(thing):
    return type(thing).__name__


@in_notebook
def total(row):
    if row["a"] == 2:
        raise ValueError("two")
    return {"sum": int(row["a"]) + len(row["b"]), "label": str(row.name)}


@in_notebook
def join(left, right, mark="-"):
    return f"{left}{mark}{right}"


@in_notebook
def fails_once(number, folder=""):
    """Odd numbers fail at their first try; every try leaves a mark."""
    import pathlib

    with (pathlib.Path(folder) / str(number)).open("a") as file:
        file.write("x")
    if number % 2 and len((pathlib.Path(folder) / str(number)).read_text()) == 1:
        raise ValueError(f"{number} is odd")
    return number


@pytest.fixture
def table():
    """A table with types and an index that are easily lost."""
    return pd.DataFrame(
        {
            "a": np.array([1, 2, 3], dtype="int8"),
            "b": pd.Categorical(["x", "yy", "x"]),
            "c": pd.to_datetime(["2026-01-01"] * 3),
        },
        index=pd.Index(["r1", "r2", "r3"], name="row"),
    )


@pytest.mark.usefixtures("shared_daemon")
@pytest.mark.parametrize("found_again", [False, True])
@pytest.mark.parametrize("chunk", [1, 2])
def test_rows_of_a_table_come_back_as_that_table(table, chunk, found_again):
    """Types and index are kept; a failed row has NaN and says why."""
    arr = nbbatch.map(total, table, chunk=chunk)
    arr.wait(DEADLINE)
    arr = nbbatch.job(arr.id) if found_again else arr
    frame = arr.frame()
    pd.testing.assert_frame_equal(frame[["a", "b", "c"]], table)
    assert frame["sum"].tolist()[::2] == [2, 4]
    assert frame["label"].tolist()[::2] == ["r1", "r3"]
    assert frame.loc["r2", ["sum", "label"]].isna().all()
    assert frame["error"].tolist() == [None, "ValueError: two", None]
    assert arr.failed()[0].input.name == "r2"
    with pytest.raises(ValueError, match="two") as caught:
        arr.results()
    assert "item 1 of 3" in str(caught.value.__cause__)


@in_notebook
def types(row):
    return [type(value).__name__ for value in row], list(range(row["depth"]))


@pytest.mark.usefixtures("shared_daemon")
def test_whole_numbers_of_a_row_stay_whole():
    """Beside a fraction pandas would make them fractions, with which nobody can count."""
    arr = nbbatch.map(types, pd.DataFrame({"lr": [0.1, 0.2], "depth": [2, 3]}))
    assert arr.results(DEADLINE) == [(["float", "int"], [0, 1]), (["float", "int"], [0, 1, 2])]
    assert arr.items()[1].label == "1: lr=0.2, depth=3"
    assert nbbatch.job(arr.id).items()[1].label == "1: lr=0.2, depth=3"


@pytest.mark.usefixtures("shared_daemon")
def test_a_series_an_array_and_tuples_are_mapped_value_by_value():
    """As `map` would; the Series' index labels the rows of the result."""
    series = nbbatch.map(square, pd.Series([2, 3], index=["x", "y"], name="n"))
    numbers = nbbatch.map(square, np.array([2.0, 3.0]))
    pairs = nbbatch.map(kind, zip([1, 2], "ab", strict=True))
    dicts = nbbatch.map(kind, [{"a": 1}, {"a": 2}])
    assert series.results(DEADLINE) == [4, 9]
    frame = series.frame()
    assert list(frame.index) == ["x", "y"]
    assert list(frame["n"]) == [2, 3]
    assert numbers.results(DEADLINE) == [4.0, 9.0]
    assert pairs.results(DEADLINE) == ["tuple", "tuple"]
    assert dicts.results(DEADLINE) == ["dict", "dict"]


@pytest.mark.usefixtures("shared_daemon")
def test_starmap_spreads_tuples_and_dicts():
    """Tuples over positional arguments, dicts over keywords."""
    pairs = nbbatch.starmap(join, zip("ab", "cd", strict=True), mark="+")
    named = nbbatch.starmap(join, [{"left": 1, "right": 2}, {"left": 3, "right": 4, "mark": ":"}])
    assert pairs.results(DEADLINE) == ["a+c", "b+d"]
    assert named.results(DEADLINE) == ["1-2", "3:4"]
    assert list(named.frame()["left"]) == [1, 3]


def test_a_tuple_for_two_arguments_names_starmap():
    """The likely wish is in the error."""
    with pytest.raises(OptionError, match="cannot be called") as caught:
        nbbatch.map(join, [(1, 2)])
    assert "starmap" in caught.value.cure
    with pytest.raises(OptionError, match="cannot be spread") as caught:
        nbbatch.starmap(join, [5])
    assert "nbbatch.map" in caught.value.cure


def test_an_endless_iterator_is_refused_in_time():
    """Before the memory is full."""
    with pytest.raises(OptionError, match="2,000,000 items, or has no end") as caught:
        nbbatch.map(square, itertools.count())
    assert "islice" in caught.value.cure


def test_what_has_a_length_is_not_copied(table):
    """Ranges, tables and calls are read where they lie."""
    numbers = range(10**12)
    assert list_items(numbers) is numbers
    calls = Calls(numbers)
    assert calls[7] == ((7,), {})
    assert next(iter(calls)) == ((0,), {})
    assert table_of(Calls(list_items(table))) is table
    assert table_of(Calls(list_items(table), Spread.STARRED)) is None
    assert [len(block) for block in Blocks(table, 2)] == [2, 1]


@pytest.mark.parametrize(
    ("facts", "size"),
    [
        ({"items": 1}, 1),
        ({"items": 2}, 1),
        ({"items": 10_000}, 1),
        ({"items": 10_001}, 2),
        ({"items": 1_000_000}, 100),
        ({"items": 1_000_000, "seconds": 0.001, "slots": 50}, 5000),
        ({"items": 1_000_000, "seconds": 0.0, "slots": 0}, 1_000_000),
        ({"items": 1_000_000, "seconds": 1.0, "slots": 50}, 100),
        ({"items": 1000, "seconds": 0.01, "slots": 10}, 25),
        ({"items": 1000, "seconds": 60.0, "slots": 10}, 1),
        ({"items": 1000, "seconds": 0.1, "slots": 1, "timeout": 4}, 20),
        ({"items": 50, "seconds": 1.0, "slots": 2, "worth": WORTH_A_CHILD_OF_NOTEBOOKS}, 6),
        ({"items": 5000, "seconds": 1.0, "slots": 2, "worth": WORTH_A_CHILD_OF_NOTEBOOKS}, 30),
    ],
)
def test_quick_items_are_packed_and_slow_ones_are_not(facts, size):
    """Five seconds of work to a child, thirty to one of notebooks, four children to a slot, half the timeout, 10,000 children."""
    assert choose_chunk("auto", **facts).size == size


def test_why_they_are_packed_is_said():
    """By the time an item took, or by AWS Batch's limit; a chunk of one needs no reason."""
    assert choose_chunk("auto", 5).why == ""
    assert "AWS Batch" in choose_chunk("auto", 10_001).why
    assert choose_chunk("auto", 500, seconds=0.02).why == "an item took 20 ms last time"
    assert choose_chunk("auto", 500, seconds=0.0001).why == "an item took less than 1 ms last time"


def test_what_a_function_took_is_remembered_by_what_it_does(tmp_path):
    """The same code under the same name; a changed one has not been measured. The newest thousand stay."""
    first = {"__name__": "__main__"}
    second = dict(first)
    exec("def f(x):\n    return x + 1", first)
    exec("\n\ndef f(x):\n    return x + 1", second)
    assert key_of(first["f"]) == key_of(second["f"])
    exec("def f(x):\n    return x + 2", second)
    assert key_of(first["f"]) != key_of(second["f"])
    assert key_of(abs) != key_of(len)
    known = Durations(tmp_path)
    for number in range(1003):
        known.note(f"k{number}", float(number))
    assert Durations(tmp_path).get("k1002") == 1002
    assert known.get("k0") is None
    (tmp_path / "durations.json").write_text("{")
    assert known.get("k5") is None


@pytest.mark.usefixtures("shared_daemon")
def test_the_second_array_of_a_function_is_packed_by_what_the_first_took():
    """Reading results is what measures."""
    nbbatch.map(square, range(40)).results(DEADLINE)
    took = Durations(home()).get(key_of(square))
    assert took is not None
    assert 0 < took < 1
    arr = nbbatch.map(square, range(400))
    assert arr.results(DEADLINE) == [number * number for number in range(400)]
    assert sum(arr.counts().values()) < 400
    assert chunk_of(7, 400, Options(backend="local"), key_of(square)).size == 7


@pytest.mark.usefixtures("shared_daemon")
def test_only_the_failed_items_of_a_child_run_again(tmp_path):
    """The others keep their values, those of the same child, too."""
    arr = nbbatch.map(fails_once, range(20), chunk=5, folder=str(tmp_path))
    arr.wait(DEADLINE)
    assert [item.input for item in arr.failed()] == list(range(1, 20, 2))
    assert arr.retry_failed().results(DEADLINE) == list(range(20))
    assert arr.results(DEADLINE) == list(range(20))
    assert nbbatch.job(arr.id).results() == list(range(20))
    assert [len((tmp_path / str(number)).read_text()) for number in range(20)] == [1, 2] * 10


@pytest.mark.usefixtures("shared_daemon")
def test_ten_thousand_and_one_items_run():
    """More than AWS Batch allows children, invisibly."""
    arr = nbbatch.map(square, range(10_001), chunk=500)
    assert arr.results(DEADLINE) == [number * number for number in range(10_001)]
    assert len(arr) == 10_001
    assert arr[10_000].result() == 10_000**2
    frame = arr.frame()
    assert frame["value"].sum() == sum(number * number for number in range(10_001))


@pytest.mark.slow
@pytest.mark.usefixtures("shared_daemon")
def test_a_million_items_are_packed_run_and_read_in_a_minute():
    """In a hundred children, with a file for each and not for each item."""
    began = time.monotonic()
    arr = nbbatch.map(square, range(1_000_000), chunk=10_000)
    values = arr.results(300)
    took = time.monotonic() - began
    assert len(values) == 1_000_000
    assert values[-1] == 999_999**2
    assert len(arr.backend.store.list(arr.reader.bundle.bundle_id, "results")) == 100
    assert took < 240, "a minute on an idle machine"
