"""`progress`, `log_metric`, `checkpoint` and their like: called in jobs, seen outside, quiet elsewhere."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import nbbatch
from nbbatch.client.notes import notes_of
from nbbatch.runner import inside

DEADLINE = 120


def in_notebook(function):
    """As if it had been defined in a cell: it travels by value, and the job imports nothing of this file."""
    function.__module__ = "__main__"
    return function


@in_notebook
def trains(number=0):
    import nbbatch

    for step in range(3):
        nbbatch.progress(step + 1, 3, "fitting")
        nbbatch.log_metric("loss", 1 / (step + 1), step=step)
    nbbatch.log_metric("score", number)
    return number


@in_notebook
def floods():
    import nbbatch

    for i in range(1_000_000):
        nbbatch.progress(i + 1, 1_000_000)
    for i in range(2000):
        nbbatch.log_metric(f"m{i}", float("nan"))


@in_notebook
def forks():
    import multiprocessing

    def work(number):
        import nbbatch

        for i in range(1000):
            nbbatch.log_metric(f"of {number}", i)

    workers = [multiprocessing.get_context("fork").Process(target=work, args=[n]) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


@in_notebook
def counts_on(folder="", until=3):
    """Does step after step, each once; the process dies after the first step, in different ways."""
    import os
    import pathlib
    import signal

    import nbbatch

    done = nbbatch.restore(default=[])
    for step in range(len(done), until):
        with (pathlib.Path(folder) / f"step {step}").open("a") as file:
            file.write("x")
        done.append(step)
        nbbatch.checkpoint(done)
        if step == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return done


@in_notebook
def waits_between(folder=""):
    """Marks each step, and waits in the second one until it is interrupted."""
    import pathlib
    import time

    import nbbatch

    done = nbbatch.restore([])
    for step in range(len(done), 4):
        (pathlib.Path(folder) / f"{step}.{time.time_ns()}").touch()
        if step == 2 and len(list(pathlib.Path(folder).glob("2.*"))) == 1:
            (pathlib.Path(folder) / "waiting").touch()
            time.sleep(600)
        done = [*done, step]
        nbbatch.checkpoint(done)
    return done


@in_notebook
def polls(folder=""):
    import pathlib
    import sys
    import time

    import nbbatch

    if nbbatch.restore() == "left in time":
        return "went on"
    while not nbbatch.interrupted():
        (pathlib.Path(folder) / "waiting").touch()
        time.sleep(0.01)
    nbbatch.checkpoint("left in time")
    sys.exit(143)


@in_notebook
def keeps_a_class():
    import nbbatch

    class Model:
        weights = (1, 2)

    found = nbbatch.restore()
    if found is not None:
        return found.weights
    nbbatch.checkpoint(Model())
    raise RuntimeError("once")


@in_notebook
def items_with_memory(number, folder=""):
    """Each item counts its tries; the third one of a child kills it the first time."""
    import os
    import pathlib
    import signal
    import time

    with (pathlib.Path(folder) / str(number)).open("a") as file:
        file.write("x")
    if number == 5 and len((pathlib.Path(folder) / "5").read_text()) == 1:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    return number * b"x" * 3000 if number == 1 else number


def wait_for(path: Path, job) -> None:
    """Wait for a file that a running job makes."""
    for _ in job.logs(follow=True) if path.exists() else ():
        pass
    import time

    deadline = time.monotonic() + DEADLINE
    while not path.exists():
        assert time.monotonic() < deadline, job.why()
        job.wait(0.02)


def tries(folder: Path, name: str) -> int:
    return len((folder / name).read_text())


@pytest.mark.usefixtures("shared_daemon")
def test_progress_and_metrics_are_seen_outside():
    """The newest progress, and all metrics as a table."""
    job = nbbatch.submit(trains, 7)
    job.result(DEADLINE)
    progress = job.progress()
    assert (progress.i, progress.n, progress.share, progress.text) == (3, 3, 1.0, "fitting")
    assert str(progress) == "████████████████████ 3/3 fitting"
    table = job.metrics()
    assert list(table.columns) == ["time", "item", "attempt", "name", "value", "step"]
    assert list(table["name"]) == ["loss", "loss", "loss", "score"]
    assert list(table["value"]) == [1, 0.5, 1 / 3, 7]
    assert table["item"].isna().all()
    assert str(job.logs()) == ""


@pytest.mark.usefixtures("shared_daemon")
def test_a_job_that_tells_nothing_has_nothing_to_tell():
    """None, and a table without rows."""
    job = nbbatch.submit(abs, -1)
    assert job.result(DEADLINE) == 1
    assert job.progress() is None
    assert job.metrics().empty


@pytest.mark.usefixtures("shared_daemon")
def test_metrics_of_items_are_columns_of_the_frame():
    """The last value of each; the table of all metrics knows the item."""
    arr = nbbatch.map(trains, [5, 6, 7], chunk=2)
    arr.results(DEADLINE)
    frame = arr.frame()
    assert list(frame["score"]) == [5, 6, 7]
    assert frame["loss"].round(3).tolist() == [0.333] * 3
    table = arr.metrics()
    assert sorted(table[table["name"] == "score"]["item"]) == [0, 1, 2]
    assert (arr.progress().i, arr.progress().n) == (3, 3)


@pytest.mark.usefixtures("shared_daemon")
def test_a_flood_is_thinned_inside_and_the_last_one_told():
    """A million calls take little time and few lines; of many names only some are told at once."""
    job = nbbatch.submit(floods)
    job.result(DEADLINE)
    notes = notes_of(job.backend, job.id)
    assert job.progress().i == 1_000_000
    allowed = inside.BURST + inside.A_SECOND * job.attempts[0].seconds + 1
    assert len([note for note in notes if note.kind == "progress"]) <= allowed
    assert {note.body["name"] for note in notes if note.kind == "metric"} == {f"m{i}" for i in range(2000)}


@pytest.mark.usefixtures("shared_daemon")
def test_forked_workers_tell_their_last_as_well():
    """Multiprocessing ends its processes without ado, but not before that."""
    job = nbbatch.submit(forks)
    job.result(DEADLINE)
    last = job.metrics().groupby("name")["value"].max()
    assert dict(last) == {"of 0": 999, "of 1": 999, "of 2": 999}


@pytest.mark.usefixtures("shared_daemon")
def test_a_killed_job_goes_on_from_its_checkpoint(tmp_path):
    """Attempt 1 dies by kill -9; attempt 2 begins where the last checkpoint was."""
    job = nbbatch.submit(counts_on, folder=str(tmp_path), retries=1)
    assert job.result(DEADLINE) == [0, 1, 2]
    assert [tries(tmp_path, f"step {n}") for n in range(3)] == [1, 1, 1]
    assert len(job.attempts) == 2
    assert job.retry().result(DEADLINE) == [0, 1, 2]
    assert tries(tmp_path, "step 1") == 2, "what has succeeded starts afresh"


@pytest.mark.usefixtures("shared_daemon")
def test_a_checkpoint_outlives_its_job(tmp_path):
    """A failed job that is submitted again by `retry()` goes on from it, too."""
    job = nbbatch.submit(counts_on, folder=str(tmp_path))
    assert job.exception(DEADLINE) is not None
    assert job.retry().result(DEADLINE) == [0, 1, 2]
    assert tries(tmp_path, "step 0") == 1


@pytest.mark.usefixtures("shared_daemon")
def test_what_only_cloudpickle_can_keep_is_kept():
    """Objects of a class that the function itself defines."""
    assert nbbatch.submit(keeps_a_class, retries=1).result(DEADLINE) == (1, 2)


@pytest.mark.usefixtures("shared_daemon")
@pytest.mark.parametrize("works", [waits_between, polls])
def test_a_spot_interruption_repeats_no_work(tmp_path, works):
    """Whether the job is stopped by an exception or asks whether it is interrupted."""
    job = nbbatch.submit(works, folder=str(tmp_path), spot=True, retries=2)
    wait_for(tmp_path / "waiting", job)
    command = [sys.executable, "-m", "nbbatch.cli", "local", "interrupt", job.id]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert job.result(DEADLINE) in ([0, 1, 2, 3], "went on")
    assert len(job.attempts) == 2
    assert [len(list(tmp_path.glob(f"{step}.*"))) for step in (0, 1, 3)] in ([1, 1, 1], [0, 0, 0])


KEEPS = """\
cd $NBBATCH_CHECKPOINTS
for step in $(seq $(($(ls | wc -l) + 1)) 4); do
  touch "{folder}/$step.$$"
  if [ $step = 3 ] && [ ! -e "{folder}/waiting" ]; then touch "{folder}/waiting"; sleep 600; fi
  touch $step
done
ls | tr "\\n" " "
"""


@pytest.mark.usefixtures("shared_daemon")
@pytest.mark.parametrize("as_command", [False, True])
def test_an_interrupted_script_goes_on_from_its_checkpoints(tmp_path, as_command):
    """Spot takes the host of a script and of a program; the next attempt finds what was left."""
    text, options = KEEPS.format(folder=tmp_path), {"spot": True, "retries": 2}
    job = nbbatch.command(["bash", "-ec", text], **options) if as_command else nbbatch.script(text, **options)
    wait_for(tmp_path / "waiting", job)
    command = [sys.executable, "-m", "nbbatch.cli", "local", "interrupt", job.id]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert job.result(DEADLINE).output.split() == ["1", "2", "3", "4"]
    assert len(job.attempts) == 2
    assert [len(list(tmp_path.glob(f"{step}.*"))) for step in (1, 2, 3, 4)] == [1, 1, 2, 1]


@pytest.mark.usefixtures("shared_daemon")
def test_items_that_a_killed_child_had_done_are_not_done_again(tmp_path):
    """Nor read wrongly: small values and large ones come from the attempt that made them."""
    arr = nbbatch.map(items_with_memory, range(8), chunk=8, folder=str(tmp_path), retries=1)
    assert arr.results(DEADLINE) == [0, b"x" * 3000, 2, 3, 4, 5, 6, 7]
    assert [tries(tmp_path, str(n)) for n in range(8)] == [1, 1, 1, 1, 1, 2, 1, 1]


@in_notebook
def stops_between(number, folder=""):
    """Item 4 is stopped just after it has ended, where no item runs."""
    import os
    import pathlib
    import signal
    import sys

    with (pathlib.Path(folder) / str(number)).open("a") as file:
        file.write("x")

    def stop(frame, event, _):
        if event == "call" and frame.f_code.co_name == "keep_item":
            sys.setprofile(None)
            os.kill(os.getpid(), signal.SIGTERM)

    if number == 4 and len((pathlib.Path(folder) / "4").read_text()) == 1:
        sys.setprofile(stop)
    return number


@pytest.mark.usefixtures("shared_daemon")
def test_a_stop_between_two_items_loses_none_of_them(tmp_path):
    """Neither for the next attempt nor, where there is none, for who reads the results."""
    (tmp_path / "once").mkdir()
    arr = nbbatch.map(stops_between, range(8), chunk=8, folder=str(tmp_path), retries=1)
    once = nbbatch.map(stops_between, range(8), chunk=8, folder=str(tmp_path / "once"))
    assert arr.results(DEADLINE) == list(range(8))
    assert [tries(tmp_path, str(n)) for n in range(8)] == [1, 1, 1, 1, 2, 1, 1, 1]
    once.wait(DEADLINE)
    assert [item.value for item in once.items()][:4] == [0, 1, 2, 3]
    assert [item.position for item in once.failed()] == [4, 5, 6, 7]


def test_outside_a_job_the_words_are_quiet(monkeypatch, capsys):
    """A bar for progress, nothing for the rest; nothing is kept."""
    monkeypatch.delenv("AWS_BATCH_JOB_ID", raising=False)
    monkeypatch.setattr(inside, "_gates", {})
    monkeypatch.setattr(inside, "A_SECOND", 0)  # however long the loop may take
    for i in range(5):
        nbbatch.progress(i + 1, 5, "here")
    nbbatch.log_metric("loss", 1)
    nbbatch.checkpoint({"a": 1})
    assert nbbatch.restore("nothing") == "nothing"
    assert not nbbatch.interrupted()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("5/5 here\n")
    assert err.count("\r") == 2, "thinned: the first and the last"


@pytest.mark.parametrize("value", ["high", None, [1, 2]])
def test_a_metric_is_a_number(value):
    """Said where it is called, also outside a job."""
    with pytest.raises(TypeError, match="takes a number"):
        nbbatch.log_metric("loss", value)


def test_the_words_travel_by_name():
    """A function that uses `from nbbatch import progress` finds the job's own."""
    assert pickle.loads(pickle.dumps(nbbatch.progress)) is nbbatch.progress
    assert b"runner" not in pickle.dumps(nbbatch.log_metric)


def test_numbers_of_other_libraries_are_numbers(monkeypatch):
    """NumPy scalars and whatever has `item()`."""
    told = []
    monkeypatch.setenv("AWS_BATCH_JOB_ID", "j")
    monkeypatch.setattr(inside.notes, "note", lambda kind, **body: told.append(body["value"]))
    monkeypatch.setattr(inside, "_gates", {})
    nbbatch.log_metric("a", pd.Series([1, 2]).sum())
    nbbatch.log_metric("b", pd.Series([0.5]).iloc[0])
    assert told == [3, 0.5]
    assert {type(value) for value in told} <= {int, float, pd.Series([0.5]).iloc[0].__class__}


def test_half_a_checkpoint_is_never_read(tmp_path, desk_process):
    """A process that is killed again and again while it writes leaves a whole one, old or new."""
    for _ in range(5):
        child = desk_process(tmp_path)
        child.stdout.readline()
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        value = pickle.loads((tmp_path / "0.checkpoint").read_bytes())
        assert len(set(value)) == 1
        assert len(value) == 1_000_000


@pytest.fixture
def desk_process():
    """Starts a process that writes checkpoints of a million equal numbers without a pause."""
    code = (
        "import sys\nfrom nbbatch.runner import checkpoints, pickling\nn = 0\nwhile True:\n"
        "    checkpoints.save(sys.argv[1] + '/0.checkpoint', [n % 256] * 1_000_000, pickling.Rules({}, {}))\n"
        "    n += 1\n    print(n, flush=True)\n"
    )

    def start(folder):
        return subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE)

    return start
