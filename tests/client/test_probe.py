"""The first items of a function that was never measured: run ahead, kept, and the chunk chosen by them."""

from __future__ import annotations

import time
import uuid

import pytest

import nbbatch
from nbbatch.client.arrays import probe as probing
from nbbatch.client.arrays.chunks import in_words
from nbbatch.client.arrays.probe import FEWEST
from nbbatch.client.config import home

DEADLINE = 90
ITEMS = FEWEST + 50
pytestmark = pytest.mark.usefixtures("shared_daemon")


def fresh(source):
    """A function of a notebook that was never measured: a constant of it is new."""
    namespace = {}
    exec(f"{source}\n  {uuid.uuid4().hex!r}", namespace)
    function = namespace["work"]
    function.__module__ = "__main__"
    function.__name__ = f"work-{uuid.uuid4().hex[:8]}"
    return function


def _probes(function):
    return nbbatch.jobs(name=f"{function.__name__}-probe")


@pytest.fixture(autouse=True)
def forget():
    """No test knows what another one has measured."""
    (home() / "durations.json").unlink(missing_ok=True)


@pytest.fixture
def unhurried(monkeypatch):
    """A machine that stalls does not make quick items slow ones."""
    monkeypatch.setattr(probing, "SLOW", DEADLINE)
    monkeypatch.setattr(probing, "PATIENCE", DEADLINE)


@pytest.mark.usefixtures("unhurried")
def test_quick_items_are_packed_without_a_word_about_chunks(tmp_path):
    """The items that the probe has run are not run again, and it says where it has that from."""
    marks = tmp_path / "marks"
    work = fresh(f"def work(x):\n  open({str(marks)!r}, 'a').write(f'{{x}}\\n')\n  return 2 * x\n  return")
    arr = nbbatch.map(work, range(ITEMS))
    assert arr.results(DEADLINE) == [2 * x for x in range(ITEMS)]
    assert sorted(map(int, marks.read_text().split())) == list(range(ITEMS))
    [probe] = _probes(work)
    took = probing._measured(arr.backend.store, arr.reader.bundle.bundle_id)
    assert f"took {in_words(sum(took) / len(took))} each, in job {probe.id[:8]})" in arr.packing
    assert arr.reader.shape.chunk > 1
    assert nbbatch.job(arr.id).results() == arr.results()
    assert arr[3].result() == 6


def test_slow_items_have_a_child_each_and_the_first_runs_once(tmp_path):
    """The array is there after a moment; its first child takes the value that the probe brings."""
    gate, marks = tmp_path / "gate", tmp_path / "marks"
    work = fresh(
        "def work(x):\n  import pathlib, time\n"
        f"  open({str(marks)!r}, 'a').write(f'{{x}}\\n')\n"
        f"  while not pathlib.Path({str(gate)!r}).exists():\n    time.sleep(0.01)\n  return 3 * x\n  return"
    )
    started = time.monotonic()
    arr = nbbatch.map(work, range(ITEMS))
    assert time.monotonic() - started < DEADLINE / 2
    assert arr.reader.shape.chunk == 1
    gate.touch()
    assert arr[0].result(DEADLINE) == 0
    assert arr[1].result(DEADLINE) == 3
    arr.terminate()
    assert arr.wait(DEADLINE)
    assert marks.read_text().split().count("0") == 1


def test_terminating_the_array_stops_its_probe_too(tmp_path):
    """A first item that goes on for ever must not go on alone."""
    work = fresh("def work(x):\n  import time\n  time.sleep(1000)\n  return")
    arr = nbbatch.map(work, range(ITEMS))
    [probe] = _probes(work)
    assert nbbatch.job(probe.id).running()
    arr.terminate()
    assert arr.wait(DEADLINE)
    assert nbbatch.job(probe.id).wait(DEADLINE)


@pytest.mark.usefixtures("unhurried")
def test_items_that_fail_in_the_probe_fail_in_the_array():
    """With their inputs named; the others keep what the probe has found."""
    work = fresh("def work(x):\n  return 1 // (x - 3)\n  return")
    arr = nbbatch.map(work, range(ITEMS))
    values = arr.results(DEADLINE, return_exceptions=True)
    assert isinstance(values[3], ZeroDivisionError)
    assert values[4] == 1
    assert [item.position for item in arr.failed()] == [3]


@pytest.mark.usefixtures("unhurried")
def test_a_table_keeps_its_rows_whatever_chunk_is_found():
    """Blocks of rows are cut before the chunk is known."""
    pd = pytest.importorskip("pandas")
    work = fresh("def work(row):\n  return row.a * 2\n  return")
    frame = pd.DataFrame({"a": range(ITEMS), "b": "x"})
    arr = nbbatch.map(work, frame)
    assert arr.results(DEADLINE) == [2 * number for number in range(ITEMS)]
    assert list(arr.frame()["a"]) == list(range(ITEMS))
    assert len(_probes(work)) == 1


def test_nothing_is_probed_that_was_measured_is_small_or_has_a_chunk():
    """Nor what waits for other jobs."""
    work = fresh("def work(x):\n  return x\n  return")
    for items, given in ((range(3), {}), (range(ITEMS), {"chunk": 100})):
        assert nbbatch.map(work, items, **given).results(DEADLINE) == list(items)
    assert nbbatch.map(work, range(ITEMS)).results(DEADLINE) == list(range(ITEMS))  # measured by now
    first = nbbatch.submit(work, 1)
    other = fresh("def work(x):\n  return x + 1\n  return")
    nbbatch.map(other, range(ITEMS), after=first).terminate()
    assert not [*_probes(work), *_probes(other)]
