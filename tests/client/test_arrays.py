"""Array jobs against a real daemon: any number of items, partial results, retries, few calls."""

from __future__ import annotations

import pickle
import time
from collections import Counter

import pandas as pd
import pytest

import nbbatch
from nbbatch.client.arrays.array_jobs import ArrayJob
from nbbatch.client.arrays.chunks import choose_chunk
from nbbatch.client.arrays.indexes import read_indexes, write_indexes
from nbbatch.client.arrays.inputs import list_items
from nbbatch.client.arrays.items import Item, completed, label
from nbbatch.client.arrays.shape import ArrayShape
from nbbatch.client.handles.outcome import Outcome, outcome
from nbbatch.client.jobs import Job
from nbbatch.errors import (
    JobCancelledError,
    JobFailedError,
    JobTerminatedError,
    OptionError,
    RemoteError,
    UserError,
)

DEADLINE = 120
pytestmark = pytest.mark.usefixtures("shared_daemon")


def in_notebook(function):
    """As if it had been defined in a cell: it travels by value, and the job imports nothing of this file."""
    function.__module__ = "__main__"
    return function


@in_notebook
def square(number):
    return number * number


@in_notebook
def not_three(number):
    if number == 3:
        raise ValueError("three is not wanted")
    return number


@in_notebook
def dies_at_two(number):
    import os
    import signal

    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@in_notebook
def fails_or_waits(number):
    import time

    1 / number
    time.sleep(600)


@in_notebook
def from_marker(number, marker=""):
    """Odd numbers fail until the test makes a file."""
    import pathlib

    if number % 2 and not pathlib.Path(marker).exists():
        raise ValueError(f"{number} is odd")
    return number


@in_notebook
def wait_if_odd(number, gate=""):
    import pathlib
    import time

    while number % 2 and not pathlib.Path(gate).exists():
        time.sleep(0.01)
    return number


@in_notebook
def area(width, height, unit="cm"):
    return {"area": width * height, "unit": unit}


@in_notebook
def total(row):
    return int(row["a"] + row["b"])


@pytest.fixture
def calls(shared_daemon):
    """How often each operation was called, from here on."""
    counted: Counter[str] = Counter()
    events = shared_daemon.batch.meta.events

    def count(model, **_):
        counted[model.name] += 1

    events.register("before-call.batch.*", count, unique_id="counting")
    yield counted
    events.unregister("before-call.batch.*", unique_id="counting")


def test_a_list_is_mapped_in_order():
    """One array job, one child per item, values in the items' order."""
    arr = nbbatch.map(square, [3, 1, 2])
    assert arr.results(DEADLINE) == [9, 1, 4]
    assert arr.result() == [9, 1, 4]
    assert arr.exception() is None
    assert len(arr) == 3
    assert arr.counts()["SUCCEEDED"] == 3
    assert arr.status == "SUCCEEDED"
    assert arr.failed() == []


def test_an_array_of_one_is_an_array_all_the_same():
    """AWS Batch knows none; here it is a plain job that nobody sees."""
    arr = nbbatch.map(square, [7])
    assert arr.results(DEADLINE) == [49]
    assert len(arr) == 1
    assert arr[0].result() == 49
    assert arr.counts() == {"SUCCEEDED": 1}
    again = nbbatch.job(arr.id)
    assert isinstance(again, ArrayJob)
    assert again.results() == [49]


def test_more_items_than_children_are_packed_invisibly():
    """10,001 items need more than AWS Batch's 10,000 children: two items go to a child."""
    assert choose_chunk("auto", 10_000).size == 1
    assert choose_chunk("auto", 10_001).size == 2
    assert ArrayShape(10_001, 2).children == 5001
    with pytest.raises(OptionError, match="more than 10,000 children"):
        choose_chunk(1, 10_001)


def test_an_array_says_how_it_is_packed():
    """In its repr and where a notebook shows it; found again, once its bundle was read."""
    arr = nbbatch.map(square, range(7), chunk=3)
    assert "7 items, 3 to a child" in repr(arr)
    assert "7 items, 3 to a child" in arr._repr_mimebundle_()["text/html"]
    assert arr.results(DEADLINE) == [number**2 for number in range(7)]
    again = nbbatch.job(arr.id)
    assert len(again) == 7
    assert "7 items, 3 to a child" in repr(again)
    assert "child" not in repr(nbbatch.map(square, range(2), chunk=1))
    quick = nbbatch.map(square, range(100))
    assert "items, " in repr(quick)
    assert "last time)" in repr(quick)


def test_children_of_a_terminated_array_were_terminated(tmp_path):
    """Also those that ran; a child that had failed before by itself keeps its own error."""
    arr = nbbatch.map(fails_or_waits, range(3), chunk=1)
    deadline = time.monotonic() + DEADLINE
    while not (arr.counts().get("FAILED") and arr.counts().get("RUNNING") == 2):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    arr.terminate("enough of it")
    assert arr.wait(DEADLINE)
    own, *ended = [item.error for item in arr.failed()]
    assert isinstance(own, ZeroDivisionError)
    assert all(isinstance(error, JobTerminatedError) for error in ended)
    assert all("was terminated: enough of it" in str(error) for error in ended)
    assert [text.partition(":")[0] for text in arr.frame()["error"]][1:] == ["JobTerminatedError"] * 2


def test_a_summary_without_its_flags_is_read_beside_its_array():
    """As AWS may leave them out: what has the array's reason ended with it, what has its own did not."""
    array = {"isTerminated": True, "statusReason": "enough"}
    own = {"status": "FAILED", "startedAt": 1, "statusReason": "Essential container in task exited"}
    assert outcome(completed({**own, "statusReason": "enough"}, array)) is Outcome.TERMINATED
    assert outcome(completed({"status": "FAILED"}, array)) is Outcome.TERMINATED
    assert outcome(completed({**own, "container": {"exitCode": 3}}, array)) is Outcome.EXITED


def test_items_may_share_a_child():
    """With a chunk, a child runs several items one after the other; the last may have fewer."""
    arr = nbbatch.map(square, range(7), chunk=3)
    assert arr.results(DEADLINE) == [0, 1, 4, 9, 16, 25, 36]
    assert arr.counts()["SUCCEEDED"] == 3
    assert arr[4].result() == 16
    assert arr[-1].result() == 36


@pytest.mark.parametrize("chunk", [0, -1, 1.5, "some", True])
def test_a_chunk_is_a_number_from_one(chunk):
    """Anything else is refused before anything is sent."""
    with pytest.raises(OptionError, match="chunk"):
        nbbatch.map(square, [1, 2], chunk=chunk)


def test_generators_grids_and_tables_are_mapped():
    """A generator is used up, a grid gives keyword arguments, a table its rows."""
    generated = nbbatch.map(square, (number for number in (2, 3)))
    grid = nbbatch.map(area, {"width": [1, 2], "height": [3, 4]}, unit="m")
    table = nbbatch.map(total, pd.DataFrame({"a": [1, 2], "b": [10, 20]}))
    assert generated.results(DEADLINE) == [4, 9]
    assert [value["area"] for value in grid.results(DEADLINE)] == [3, 4, 6, 8]
    assert table.results(DEADLINE) == [11, 22]
    frame = grid.frame()
    assert list(frame.columns) == ["width", "height", "area", "unit", "error"]
    assert list(frame["area"]) == [3, 4, 6, 8]


@pytest.mark.parametrize("items", [[], {"lr": []}, iter(())])
def test_no_items_are_refused(items):
    """There is no job without work."""
    with pytest.raises(OptionError, match="no items"):
        list_items(items)


@pytest.mark.parametrize("items", [5, "text", None])
def test_what_is_no_list_is_refused(items):
    """A text is not mapped letter by letter."""
    with pytest.raises(OptionError, match="not a list of items"):
        list_items(items)


def test_an_item_that_the_function_does_not_take_is_refused():
    """Before anything is sent."""
    with pytest.raises(OptionError, match="cannot be called"):
        nbbatch.map(area, [1, 2])


def test_a_failed_item_says_which_input_it_was():
    """The original exception, its remote traceback, the input, and how many failed."""
    arr = nbbatch.map(not_three, [1, 3, 5])
    with pytest.raises(ValueError, match="three is not wanted") as caught:
        arr.results(DEADLINE)
    remote = caught.value.__cause__
    assert isinstance(remote, RemoteError)
    assert "item 1 of 3 (3)" in str(remote)
    assert "1 of 3 items failed" in str(remote)
    assert arr.status == "FAILED"
    assert isinstance(arr.exception(), ValueError)


def test_partial_results_are_kept():
    """What succeeded is there, with the errors in the places of the others."""
    arr = nbbatch.map(not_three, [1, 3, 5])
    values = arr.results(DEADLINE, return_exceptions=True)
    assert [values[0], values[2]] == [1, 5]
    assert isinstance(values[1], ValueError)
    [failed] = arr.failed()
    assert (failed.position, failed.input, failed.job_id) == (1, 3, f"{arr.id}:1")
    assert repr(failed) == "<Item 1 · 3 → ValueError: three is not wanted>"
    frame = arr.frame()
    assert list(frame["input"]) == [1, 3, 5]
    assert frame["error"].notna().tolist() == [False, True, False]
    assert arr[2].result() == 5
    with pytest.raises(ValueError, match="three is not wanted"):
        arr[1].result()


def test_an_item_that_fails_spares_the_rest_of_its_chunk():
    """Values of the same child before and after it are kept."""
    arr = nbbatch.map(not_three, range(6), chunk=3)
    values = arr.results(DEADLINE, return_exceptions=True)
    assert values[:3] + values[4:] == [0, 1, 2, 4, 5]
    assert [item.position for item in arr.failed()] == [3]


def test_a_child_that_dies_without_a_word_is_explained():
    """Where no exception could travel, the exit code of the child is told, with the input."""
    arr = nbbatch.map(dies_at_two, [1, 2, 3])
    with pytest.raises(JobFailedError, match=r"item 1 of 3 \(2\).*137") as caught:
        arr.results(DEADLINE)
    assert caught.value.job_id == f"{arr.id}:1"
    assert 'try memory="4G"' in str(arr.failed()[0].error)  # twice the 2 GB that it had
    assert [item.position for item in arr.failed()] == [1]


def test_only_failed_items_are_retried_and_results_merge(tmp_path):
    """The retry has as many children as failed; both handles and one found again see all values."""
    marker = tmp_path / "now"
    arr = nbbatch.map(from_marker, range(6), marker=str(marker))
    arr.wait(DEADLINE)
    assert [item.input for item in arr.failed()] == [1, 3, 5]
    marker.touch()
    again = arr.retry_failed()
    assert again.results(DEADLINE) == [0, 1, 2, 3, 4, 5]
    assert again.counts()["SUCCEEDED"] == 3
    assert arr.results(DEADLINE) == [0, 1, 2, 3, 4, 5]
    assert arr.failed() == []
    assert again.retry_failed() is again
    found = nbbatch.job(again.id)
    assert found.results() == [0, 1, 2, 3, 4, 5]
    assert nbbatch.job(arr.id).results() == [0, 1, 2, 3, 4, 5]


def test_a_retry_may_fail_again_and_be_retried_alone(tmp_path):
    """A single failed item is retried as a plain job; the newest word about an item counts."""
    marker = tmp_path / "now"
    arr = nbbatch.map(from_marker, [0, 1, 2], marker=str(marker))
    arr.wait(DEADLINE)
    again = arr.retry_failed()
    with pytest.raises(ValueError, match="1 is odd"):
        again.results(DEADLINE)
    assert again.counts() == {"FAILED": 1}
    marker.touch()
    assert arr.retry_failed().results(DEADLINE) == [0, 1, 2]
    assert arr.results() == [0, 1, 2]


def test_a_child_is_repeated_by_itself(tmp_path):
    """`arr[i].retry()` works as that child and fills its place."""
    marker = tmp_path / "now"
    arr = nbbatch.map(from_marker, [0, 1, 2], marker=str(marker))
    arr.wait(DEADLINE)
    marker.touch()
    assert arr[1].retry().result(DEADLINE) == 1
    assert nbbatch.job(arr.id).results() == [0, 1, 2]


def test_items_come_as_they_end(tmp_path):
    """Fast ones first, while slow ones still run; failed ones come as well."""
    gate = tmp_path / "gate"
    arr = nbbatch.map(wait_if_odd, range(4), gate=str(gate))
    coming = arr.as_completed(DEADLINE)
    first = [next(coming), next(coming)]
    assert {item.result() for item in first} == {0, 2}
    assert not arr.done()
    assert len(arr.frame()) == 2
    gate.touch()
    assert {item.result() for item in coming} == {1, 3}
    assert [item.position for item in arr.as_completed()] == [0, 1, 2, 3]
    mixed = {
        item.position: item.exception() for item in nbbatch.map(not_three, [2, 3]).as_completed(DEADLINE)
    }
    assert mixed[0] is None
    assert isinstance(mixed[1], ValueError)


def test_waiting_for_items_has_a_deadline(tmp_path):
    """TimeoutError says that the array goes on."""
    gate = tmp_path / "gate"
    arr = nbbatch.map(wait_if_odd, [1, 3], gate=str(gate))
    with pytest.raises(TimeoutError, match="it goes on"):
        next(arr.as_completed(0.05))
    with pytest.raises(TimeoutError, match="it goes on"):
        arr.results(0.05)
    gate.touch()
    assert arr.results(DEADLINE) == [1, 3]


def test_progress_costs_calls_per_look_not_per_child(calls):
    """A hundred children, submitted and read with a call each, watched with a few looks a second."""
    started = time.monotonic()
    arr = nbbatch.map(square, range(100), chunk=1)
    assert arr.results(DEADLINE) == [number * number for number in range(100)]
    assert calls["SubmitJob"] == 1
    assert calls["ListJobs"] == 0
    looks_while_young, looks_a_second = 80, 5
    assert calls["DescribeJobs"] < looks_while_young + looks_a_second * (time.monotonic() - started)


def test_an_array_that_waits_is_taken_back(tmp_path):
    """Cancelled before it starts, none of its items runs; each says so."""
    gate = tmp_path / "gate"
    first = nbbatch.submit(wait_if_odd, 1, gate=str(gate))
    arr = nbbatch.map(wait_if_odd, [2, 4], depends=first.id)
    assert arr.cancel()
    gate.touch()
    assert first.result(DEADLINE) == 1
    assert arr.wait(DEADLINE)
    assert len(arr.failed()) == 2
    with pytest.raises(JobCancelledError):
        arr.results()


def test_a_pickled_array_is_the_same_array():
    """It holds an id and a backend's name."""
    arr = nbbatch.map(square, [1, 2])
    again = pickle.loads(pickle.dumps(arr))
    assert again == arr
    assert again.results(DEADLINE) == [1, 4]
    assert pickle.loads(pickle.dumps(arr[1])).result() == 4


async def test_an_array_can_be_awaited():
    """Like a job."""
    assert await nbbatch.map(square, [1, 2]) == [1, 4]


def test_children_are_jobs_and_there_are_no_others():
    """Indexing follows lists: from the end, too, and not beyond."""
    arr = nbbatch.map(square, [1, 2])
    arr.wait(DEADLINE)
    assert all(isinstance(child, Job) for child in arr)
    assert [child.id for child in arr] == [f"{arr.id}:0", f"{arr.id}:1"]
    assert arr[-1].id == f"{arr.id}:1"
    with pytest.raises(IndexError, match="of 2"):
        arr[2]


def test_what_is_no_array_is_not_taken_for_one():
    """A handle of the wrong kind says so."""
    job = nbbatch.submit(square, 2)
    with pytest.raises(UserError, match="no items"):
        len(ArrayJob(job.id, backend="local"))


def test_inputs_are_told_in_a_few_words():
    """Keyword arguments as they are written, long values cut."""
    assert label({"lr": 0.1, "depth": 3}) == "lr=0.1, depth=3"
    assert label({"lr": 0.1 + 0.2, "far": 1234.5678901}) == "lr=0.3, far=1234.57"
    assert len(label("x" * 1000)) < 80
    assert len(label(list(range(1000)))) < 80
    assert len(repr(Item(position=0, job_id="j", source=[pd.DataFrame({"a": range(50)})]))) < 250


@pytest.mark.parametrize(
    ("indexes", "text"), [([], ""), ([3], "3"), ([3, 17, 18, 19, 20], "3,17-20"), ([0, 1], "0-1")]
)
def test_indexes_are_written_as_ranges(indexes, text):
    """Thousands of neighbours fit into an environment variable."""
    assert write_indexes(indexes) == text
    assert read_indexes(text) == indexes


def test_an_array_found_again_reads_its_inputs_from_its_bundle():
    """Inputs are read when asked for; as_completed works on an array of one, too."""
    arr = nbbatch.map(area, {"width": [3], "height": [4]})
    [item] = arr.as_completed(DEADLINE)
    assert item.input == {"width": 3, "height": 4}
    [again] = nbbatch.job(arr.id).as_completed(DEADLINE)
    assert again.input == {"width": 3, "height": 4}
    assert again.label == "width=3, height=4"
    assert repr(again) == "<Item 0 · width=3, height=4 → {'area': 12, 'unit': 'cm'}>"
    assert pickle.loads(pickle.dumps(again)).input == again.input
    listed = nbbatch.job(nbbatch.map(square, [5, 6]).id)
    assert [item.input for item in listed.as_completed(DEADLINE)] in ([5, 6], [6, 5])
