"""Cells that end badly: the traceback is the cell's, the exit code is told, nothing hangs."""

from __future__ import annotations

import json
import signal

import pytest

from nbbatch.client.packing.payloads import Cell
from nbbatch.client.results import load_result
from nbbatch.errors import ResultLostError


def test_traceback_has_the_cells_own_lines_and_no_others(desk) -> None:
    """The remote traceback names the cell, its line numbers and source, and no frame of the runner."""
    ran = desk.run(desk.cell("def f(x):\n    return 1 / x\n\nf(0)", label="In [7]"))
    assert (ran.code, ran.result.status) == (1, "failed")
    error = ran.result.error
    assert (error.type, error.message) == ("ZeroDivisionError", "division by zero")
    assert 'File "In [7]", line 4, in <module>\n    f(0)' in error.traceback
    assert 'File "In [7]", line 2, in f\n    return 1 / x' in error.traceback
    assert "nbbatch_runner" not in error.traceback
    assert isinstance(error.exception, ZeroDivisionError)
    assert error.traceback in ran.stderr


def test_traceback_has_lines_of_other_cells_functions(desk) -> None:
    """A function from an earlier cell is shown with its source, too."""
    import linecache

    source = "def g(x):\n    return x['no']\n"
    linecache.cache["In [2]"] = (len(source), None, source.splitlines(keepends=True), "In [2]")
    exec(compile(source, "In [2]", "exec"), desk.namespace)
    error = desk.run("g({})").result.error
    assert "    return x['no']" in error.traceback


def test_chained_causes_are_kept(desk) -> None:
    """`raise ... from` shows both tracebacks."""
    error = desk.run("try:\n    1 / 0\nexcept Exception as e:\n    raise KeyError('k') from e").result.error
    assert "ZeroDivisionError" in error.traceback
    assert "direct cause" in error.traceback
    assert error.type == "KeyError"


def test_own_exception_classes_travel(desk) -> None:
    """An exception whose class is the notebook's arrives as that class."""
    desk.write("class Odd(Exception): pass")
    error = desk.run("raise Odd(3)").result.error
    assert type(error.exception) is desk.namespace["Odd"]
    assert error.exception.args == (3,)


@pytest.mark.parametrize(
    ("source", "code", "status"),
    [
        ("import sys; sys.exit(3)", 3, "failed"),
        ("exit(0)", 0, "succeeded"),
        ("raise SystemExit('no')", 1, "failed"),
    ],
)
def test_exit_codes_are_kept(desk, source: str, code: int, status: str) -> None:
    """sys.exit ends the job with its code."""
    ran = desk.run(source)
    assert (ran.code, ran.result.exit_code, ran.result.status) == (code, code, status)


def test_sigterm_is_reported_as_stopped(desk) -> None:
    """A job that is stopped writes a result that says so, with what it had shown."""
    packed = desk.pack(desk.cell("import time\nprint('ready', flush=True)\nwhile True: time.sleep(0.05)"))
    child = desk.start(packed)
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=120)
    result = load_result(desk.store, packed.bundle_id)
    assert (child.returncode, result.status, result.exit_code) == (143, "stopped", 143)
    assert result.outputs[0]["text"] == "ready\n"


def test_killed_job_leaves_no_result(desk) -> None:
    """A job that is killed at once has none, and reading it says so."""
    packed = desk.pack(desk.cell("import os\nos.kill(os.getpid(), 9)"))
    desk.start(packed).communicate(timeout=120)
    with pytest.raises(ResultLostError, match="no result"):
        load_result(desk.store, packed.bundle_id)


def test_half_written_result_is_not_a_result(desk) -> None:
    """Data and draft without the manifest are not read."""
    packed = desk.pack(desk.cell("1"))
    folder = desk.store.root / "bundles" / packed.bundle_id / "results"
    (folder / "0.1.part").write_text('{"version": 1')
    (folder / "0.1.data").write_bytes(b"\x80")
    with pytest.raises(ResultLostError):
        load_result(desk.store, packed.bundle_id)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 99}', '{"version": 1, "status": "succeeded"}'])
def test_damaged_result_is_said_to_be_damaged(desk, text: str) -> None:
    """A result that cannot be read raises ResultLostError and nothing else."""
    packed = desk.pack(desk.cell("1"))
    (desk.store.root / "bundles" / packed.bundle_id / "results" / "0.1.json").write_text(text)
    with pytest.raises(ResultLostError):
        load_result(desk.store, packed.bundle_id)


def test_other_python_is_refused_by_the_runner(desk) -> None:
    """Where the image's Python is another minor, the result says which image to use."""
    packed = desk.pack(desk.cell("1"))
    manifest = desk.store.root / "bundles" / packed.bundle_id / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "python": "3.4"}))
    ran = desk.run_packed(packed)
    assert ran.code == 1
    assert ran.result.error.type == "EnvironmentMismatchError"
    assert "Python 3.4" in ran.result.error.message
    assert "Traceback" not in ran.stderr


def test_missing_package_is_named(desk) -> None:
    """A module that the image lacks is named with the variable that needs it."""
    desk.write("import math")
    packed = desk.pack(Cell(source="nx", modules={"nx": "no_such_package"}))
    error = desk.run_packed(packed).result.error
    assert error.type == "EnvironmentMismatchError"
    assert "nx" in error.message
    assert "no_such_package" in error.message


def test_held_back_name_explains_its_name_error(desk) -> None:
    """A NameError on a credential that was not sent says why, and how to send it."""
    desk.write("api_token = 'abc'")
    ran = desk.run("print(api_token)")
    assert "abc" not in (desk.store.root / "bundles" / ran.packed.bundle_id / "manifest.json").read_text()
    assert "--in api_token" in ran.result.error.traceback


def test_later_attempt_wins(desk) -> None:
    """The last attempt that left a result is the one that is read; any can be asked for."""
    packed = desk.pack(desk.cell("import os\nint(os.environ['AWS_BATCH_JOB_ATTEMPT'])"))
    for attempt in ("1", "2"):
        ran = desk.run_packed(packed, variables={"AWS_BATCH_JOB_ATTEMPT": attempt})
    assert (ran.result.attempt, ran.result.value) == (2, 2)
    assert load_result(desk.store, packed.bundle_id, attempt=1).value == 1


def test_repeated_job_comes_after_the_first(desk) -> None:
    """A retry on the same bundle, counted from its base, is read in the place of the first job's result."""
    packed = desk.pack(desk.cell("import os\nos.environ.get('NBBATCH_ATTEMPT_BASE')"))
    desk.run_packed(packed, variables={"AWS_BATCH_JOB_ATTEMPT": "1"})
    ran = desk.run_packed(packed, variables={"AWS_BATCH_JOB_ATTEMPT": "1", "NBBATCH_ATTEMPT_BASE": "30"})
    assert (ran.result.attempt, ran.result.value) == (31, "30")
