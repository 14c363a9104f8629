"""Functions and arrays: arguments there, values back, one item to a child or several."""

from __future__ import annotations

import functools
import math

import pytest

from nbbatch.client.packing.payloads import Call, Cell
from nbbatch.client.results import load_result
from nbbatch.errors import OptionError, ResultLostError


def test_call_of_a_notebook_function(desk) -> None:
    """A function of the notebook runs with its arguments, and what it reads goes with it."""
    desk.write("rate = 3\ndef f(x, *, y=1): print('in f'); return rate * x + y")
    ran = desk.run(Call(function=desk.namespace["f"], args=[2], kwargs={"y": 5}))
    assert (ran.result.value, ran.stdout) == (11, "in f\n")
    assert {each.name for each in ran.packed.receipt.sent} == {"f", "x", "y", "rate"}


@pytest.mark.parametrize("function", [math.sqrt, functools.partial(pow, 3), lambda x: x**0.5])
def test_call_of_other_callables(desk, function) -> None:
    """Builtins, partials and lambdas are called as well."""
    assert desk.run(Call(function=function, args=[4])).result.value == function(4)


def test_closures_and_recursion_travel(desk) -> None:
    """A closure keeps its variable, and a recursive function finds itself."""
    desk.write(
        "def make(n):\n    def add(x): return x + n\n    return add\nadd2 = make(2)\n"
        "def fact(n): return 1 if n < 2 else n * fact(n - 1)"
    )
    assert desk.run(Call(function=desk.namespace["add2"], args=[5])).result.value == 7
    assert desk.run(Call(function=desk.namespace["fact"], args=[5])).result.value == 120


def test_returned_function_is_the_notebooks(desk) -> None:
    """A function that returns a function of the notebook gives one that works here."""
    desk.write("def g(x): return x + 1\ndef f(): return g")
    assert desk.run(Call(function=desk.namespace["f"])).result.value(1) == 2


def test_value_that_cannot_come_back_is_an_error(desk) -> None:
    """A function that returns what does not pickle fails and says so."""
    desk.write("def f(): return (x for x in ())")
    error = desk.run(Call(function=desk.namespace["f"])).result.error
    assert error.type == "UnpicklableError"
    assert "generator" in error.message


def test_child_runs_its_own_item(desk) -> None:
    """Child i of an array makes call i."""
    desk.write("def f(x, y): return x * y")
    packed = desk.pack(
        Call(function=desk.namespace["f"], calls=[((n,), {}) for n in range(5)], kwargs={"y": 10})
    )
    assert packed.array_size == 5
    ran = desk.run_packed(packed, 3)
    assert [(item.position, item.value) for item in ran.result.items] == [(3, 30)]


def test_chunks_keep_what_succeeded(desk) -> None:
    """One failing call of a chunk fails the child and leaves the others' values, each at its position."""
    desk.write("def f(x): return 6 // x")
    calls = [((n,), {}) for n in (1, 2, 3, 0, 6)]
    packed = desk.pack(Call(function=desk.namespace["f"], calls=calls, chunk=3))
    assert packed.array_size == 2
    first, second = desk.run_packed(packed, 0), desk.run_packed(packed, 1)
    assert [item.value for item in first.result.items] == [6, 3, 2]
    assert second.code == 1
    assert [item.position for item in second.result.items] == [3, 4]
    assert second.result.items[0].error.type == "ZeroDivisionError"
    assert second.result.items[1].value == 1


def test_exit_ends_a_chunk(desk) -> None:
    """An item that ends the process ends its chunk; the items before it are kept."""
    desk.write("import sys\ndef f(x): return sys.exit(4) if x else x")
    ran = desk.run(Call(function=desk.namespace["f"], calls=[((n,), {}) for n in (0, 1, 2)], chunk=3))
    assert ran.code == 4
    assert [item.error is None for item in ran.result.items] == [True, False]


def test_array_of_cells(desk) -> None:
    """A cell runs once per item, under the item's name, with its variables per child."""
    cell = desk.cell("sq = n * n\nsq + 1", item_name="n", items=range(4))
    packed = desk.pack(cell)
    ran = desk.run_packed(packed, 2)
    assert (ran.result.value, dict(ran.result.variables)) == (5, {"sq": 4})


def test_items_of_a_chunk_of_cells_do_not_see_each_other(desk) -> None:
    """Each item of a chunk starts from the inputs as they were sent."""
    desk.write("seen = []")
    ran = desk.run(desk.cell("seen.append(item)\nlen(seen)", items=[1, 2], chunk=2))
    assert [item.value for item in ran.result.items] == [1, 1]


def test_retry_runs_the_children_it_is_told_to(desk) -> None:
    """A job that repeats children 1 and 3 to 4 of a bundle runs those, in this order."""
    packed = desk.pack(desk.cell("item", items=list("abcdef")))
    again = {"NBBATCH_INDEXES": "1,3-4", "NBBATCH_ATTEMPT_BASE": "10", "AWS_BATCH_JOB_ATTEMPT": "1"}
    for index, child in enumerate((1, 3, 4)):
        own = {"AWS_BATCH_JOB_ARRAY_INDEX": str(index)}
        desk.start(packed, {**again, **own}).communicate(timeout=120)
        result = load_result(desk.store, packed.bundle_id, index=child)
        assert (result.value, result.attempt) == ("abcdef"[child], 11)
    with pytest.raises(ResultLostError, match="child 2"):
        load_result(desk.store, packed.bundle_id, index=2)


def test_child_reads_only_its_own_item(desk) -> None:
    """A child of an array of large items opens its own one and not the others."""
    packed = desk.pack(desk.cell("len(item)", items=[bytes(20_000_000)] * 4 + [b"x"]))
    small = desk.run_packed(packed, 4).result
    assert small.value == 1
    assert small.usage.peak_memory < 20_000_000


@pytest.mark.parametrize(("items", "chunk"), [([], 1), ([1], 0)])
def test_impossible_arrays_are_refused(desk, items, chunk) -> None:
    """No items, or none to a child, is an error before anything is sent."""
    with pytest.raises(OptionError):
        desk.pack(Cell(source="item", items=items, chunk=chunk))


def test_items_with_notebook_functions(desk) -> None:
    """Items may be functions of the notebook; what these read travels."""
    desk.write("k = 4\nfs = [lambda: k, lambda: k + 1]")
    packed = desk.pack(desk.cell("item()", items=desk.namespace["fs"]))
    assert desk.run_packed(packed, 1).result.value == 5
