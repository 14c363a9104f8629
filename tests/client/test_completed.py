"""Several jobs and arrays waited for together, as `concurrent.futures` does it."""

from __future__ import annotations

import pytest

import nbbatch
from nbbatch.client.arrays.items import Item
from nbbatch.client.jobs import Job
from nbbatch.errors import OptionError

DEADLINE = 120
pytestmark = pytest.mark.usefixtures("shared_daemon")


def in_notebook(function):
    """As if it had been defined in a cell: it travels by value, and the job imports nothing of this file."""
    function.__module__ = "__main__"
    return function


@in_notebook
def waits(value, gate=""):
    """Gives the value, a negative one only when the gate is open."""
    import pathlib
    import time

    while value < 0 and not pathlib.Path(gate).exists():
        time.sleep(0.01)
    return value


@in_notebook
def fails(value):
    raise ValueError(f"not {value}")


def test_jobs_and_items_come_as_they_end(tmp_path):
    """A job when it has ended, the items of arrays one by one, whichever is first."""
    gate = tmp_path / "gate"
    slow = nbbatch.submit(waits, -1, gate=str(gate))
    quick = nbbatch.submit(waits, 1)
    arr = nbbatch.map(waits, [2, -3], gate=str(gate))
    coming = nbbatch.as_completed([slow, quick, arr, quick], DEADLINE)
    first = [next(coming), next(coming)]
    assert {one.result() for one in first} == {1, 2}
    assert {type(one) for one in first} == {Job, Item}
    gate.touch()
    assert {one.result() for one in coming} == {-1, -3}


def test_items_of_a_child_that_goes_on_are_there(tmp_path):
    """A child of several items need not have ended; each item comes once."""
    gate = tmp_path / "gate"
    arr = nbbatch.map(waits, [1, 2, -3, 4], chunk=4, gate=str(gate))
    coming = nbbatch.as_completed(arr, DEADLINE)
    assert [next(coming).result(), next(coming).result()] == [1, 2]
    assert not arr.done()
    assert list(arr.frame()["value"]) == [1, 2]
    gate.touch()
    assert sorted(one.result() for one in coming) == [-3, 4]


def test_failed_ones_come_as_well():
    """They carry their error."""
    bad, good = nbbatch.submit(fails, 1), nbbatch.submit(waits, 1)
    errors = [one.exception() for one in nbbatch.as_completed([bad, good], DEADLINE)]
    assert sorted(str(error) for error in errors) == ["None", "not 1"]


def test_waiting_ends_as_asked(tmp_path):
    """When all have ended, when the first has, or when one has failed; and at a timeout."""
    gate = tmp_path / "gate"
    slow, quick = nbbatch.submit(waits, -1, gate=str(gate)), nbbatch.submit(waits, 1)
    bad = nbbatch.map(fails, [1, 2])
    first = nbbatch.wait([slow, quick], DEADLINE, "FIRST_COMPLETED")
    assert (first.done, first.not_done) == ({quick}, {slow})
    done, left = nbbatch.wait([slow, bad], DEADLINE, "FIRST_EXCEPTION")
    assert (done, left) == ({bad}, {slow})
    assert nbbatch.wait([slow], 0.05).not_done == {slow}
    gate.touch()
    assert nbbatch.wait([slow, quick, bad], DEADLINE).done == {slow, quick, bad}
    assert nbbatch.wait([], DEADLINE) == (set(), set())


def test_a_timeout_says_that_they_go_on(tmp_path):
    """As everywhere."""
    slow = nbbatch.submit(waits, -1, gate=str(tmp_path / "gate"))
    with pytest.raises(TimeoutError, match="it goes on"):
        next(nbbatch.as_completed([slow], 0.05))
    slow.terminate()


def test_what_is_no_job_is_refused():
    """With what to give instead."""
    with pytest.raises(OptionError, match="is no job"):
        nbbatch.wait(["3f2a"])
    with pytest.raises(OptionError, match="return_when"):
        nbbatch.wait([], return_when="SOON")


def test_a_slice_is_a_list_of_handles():
    """Also backwards and beyond the end."""
    arr = nbbatch.map(waits, range(5), chunk=2)
    arr.wait(DEADLINE)
    assert [one.result() for one in arr[2:5]] == [2, 3, 4]
    assert [one.result() for one in arr[::-2]] == [4, 2, 0]
    assert arr[7:] == []
