"""Results that are there already: found for the same work, and never for another."""

from __future__ import annotations

import pytest

import nbbatch
from nbbatch.client.arrays.indexes import bundle_of
from nbbatch.client.backend import get_backend
from nbbatch.client.cache import find_cached
from nbbatch.client.jobs import submit_packed
from nbbatch.client.packing.payloads import Cell
from nbbatch.client.submission import pack_for, resolve

DEADLINE = 120
pytestmark = pytest.mark.usefixtures("shared_daemon")


def made(source: str, name: str, label: str):
    """A function as a notebook's cell makes it, under a file name of its own."""
    import sys

    exec(compile(source, label, "exec"), vars(sys.modules["__main__"]))
    return vars(sys.modules["__main__"]).pop(name)


DOUBLE = "def doubled(number, times=2):\n    return times * number\n"


def test_the_same_call_is_answered_by_the_job_that_made_it_before():
    """Also when the cell was executed again elsewhere; the handle says so."""
    first = nbbatch.submit(made(DOUBLE, "doubled", "cell 1"), 4000, cache=True)
    assert not first.is_cached
    assert first.result(DEADLINE) == 8000
    again = nbbatch.submit(
        made("\n\n" + DOUBLE, "doubled", "cell 9"), 4000, cache=True, memory="1G", name="again"
    )
    assert again.is_cached
    assert again == first
    assert again.done()
    assert again.result() == 8000
    assert "cached, of 20" in repr(again)


@pytest.mark.parametrize(
    ("source", "argument", "options"),
    [
        (DOUBLE, 5, {}),
        (DOUBLE.replace("times=2", "times=3"), 4, {}),
        (DOUBLE.replace("times * number", "number * times + 0"), 4, {}),
        (DOUBLE, 4, {"env": {"A": "1"}}),
    ],
)
def test_other_work_is_done(source, argument, options):
    """Another value, default, text or environment variable."""
    nbbatch.submit(made(DOUBLE, "doubled", "c"), 4, cache=True).wait(DEADLINE)
    nbbatch.cache_clear()
    nbbatch.submit(made(DOUBLE, "doubled", "c"), 4, cache=True).wait(DEADLINE)
    job = nbbatch.submit(made(source, "doubled", "c"), argument, cache=True, **options)
    assert not job.is_cached
    job.wait(DEADLINE)


def test_without_the_option_nothing_is_taken_from_the_cache():
    """It is asked for, never assumed."""
    double = made(DOUBLE, "doubled", "c")
    first = nbbatch.submit(double, 40, cache=True)
    first.wait(DEADLINE)
    assert nbbatch.submit(double, 40) != first


def test_a_failed_job_is_no_result():
    """It runs again."""
    fail = made("def fails(x):\n    raise ValueError(x)\n", "fails", "c")
    first = nbbatch.submit(fail, 1, cache=True)
    assert first.wait(DEADLINE)
    again = nbbatch.submit(fail, 1, cache=True)
    assert again != first
    assert again.wait(DEADLINE)


def test_a_result_whose_bundle_is_gone_is_no_result():
    """The job may still be known."""
    double = made(DOUBLE, "doubled", "c")
    first = nbbatch.submit(double, 41, cache=True)
    assert first.wait(DEADLINE)
    get_backend().store.delete(bundle_of(first.detail()))
    again = nbbatch.submit(double, 41, cache=True)
    assert not again.is_cached
    assert again.result(DEADLINE) == 82


def test_the_cache_can_be_cleared():
    """Everything runs again, and what came of earlier jobs stays with them."""
    double = made(DOUBLE, "doubled", "c")
    first = nbbatch.submit(double, 42, cache=True)
    assert first.result(DEADLINE) == 84
    nbbatch.cache_clear()
    again = nbbatch.submit(double, 42, cache=True)
    assert again != first
    assert again.wait(DEADLINE)
    assert nbbatch.job(first.id).result() == 84
    assert nbbatch.submit(double, 42, cache=True) == again


def test_arrays_and_cells_are_cached_too():
    """An array as a whole; a cell whatever its number is."""
    double = made(DOUBLE, "doubled", "c")
    first = nbbatch.map(double, [1, 2, 3], cache=True)
    assert first.results(DEADLINE) == [2, 4, 6]
    again = nbbatch.map(double, [1, 2, 3], cache=True)
    assert again.is_cached
    assert again.results() == [2, 4, 6]
    assert not nbbatch.map(double, [1, 2], cache=True).is_cached

    options = resolve({"cache": True})
    cells = [Cell(source="a = k + 1\na", inputs={"k": 1}, label=f"In [{n}]") for n in (3, 7)]
    job = submit_packed(pack_for(cells[0], options), options)
    assert job.result(DEADLINE) == 2
    assert find_cached(pack_for(cells[1], options), options) == job.id


def test_nothing_is_kept_of_what_was_packed_in_vain():
    """The bundle of a call that is answered from the cache is removed."""
    double = made(DOUBLE, "doubled", "c")
    nbbatch.submit(double, 43, cache=True).wait(DEADLINE)
    bundles = get_backend().home / "bundles"
    before = len(list(bundles.iterdir()))
    assert nbbatch.submit(double, 43, cache=True).is_cached
    assert len(list(bundles.iterdir())) == before
