"""Wrong calls: each is one error that says what, which value and what to do, before anything is sent."""

from __future__ import annotations

import os
import sys

import pytest

import nbbatch
from nbbatch.client.backend import get_backend
from nbbatch.client.packing.payloads import Cell
from nbbatch.client.submission import pack_for, resolve
from nbbatch.errors import EnvironmentMismatchError, UserError

pytestmark = pytest.mark.usefixtures("shared_daemon")


def one(x):
    return x


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: nbbatch.submit(one(5)), "5 is no function"),
        (lambda: nbbatch.map(one(5), [1]), "5 is no function"),
        (lambda: nbbatch.starmap(None, [(1,)]), "None is no function"),
        (lambda: nbbatch.batch(5), "5 is no function"),
        (lambda: nbbatch.batch(vcpus=1)(5), "5 is no function"),
        (lambda: nbbatch.submit(one, 1, env={"A": None}), "None"),
        (lambda: nbbatch.submit(one, 1, env=["A"]), "NAME=VALUE"),
        (lambda: nbbatch.submit(one, 1, tags="x"), "NAME=VALUE"),
        (lambda: nbbatch.submit(one, 1, after=5), "5"),
        (lambda: nbbatch.submit(one, 1, memory=True), "True"),
        (lambda: nbbatch.submit(one, 1, vcpus=float("nan")), "nan"),
        (lambda: nbbatch.submit(one, 1, retries=True), "True"),
        (lambda: nbbatch.submit(one, 1, image=["x"]), "x"),
        (lambda: nbbatch.map(one, "abc"), "'abc'"),
        (lambda: nbbatch.map(one, {"x": []}), "no items"),
        (lambda: nbbatch.map(one, [1], chunk=1.5), "1.5"),
        (lambda: nbbatch.starmap(one, [1, 2]), "1 cannot be spread"),
        (lambda: nbbatch.map(one, [1], after=nbbatch.all_of(5)), "5 is no array"),
        (lambda: nbbatch.script("true", lang=5), "5"),
        (lambda: nbbatch.script("true", lang="nosuch"), "no program 'nosuch'"),
        (lambda: nbbatch.script("true", lang="awk '"), "no command line"),
        (lambda: nbbatch.command(["nosuch", "-x"]), "no program 'nosuch'"),
        (lambda: nbbatch.script("true", fetch="../x"), "inside the job"),
        (lambda: nbbatch.job(""), "no job's id"),
        (lambda: nbbatch.job(5), "5 is no job's id"),
        (lambda: nbbatch.jobs(status=5), "status 5"),
        (lambda: nbbatch.costs(days=0), "days"),
        (lambda: nbbatch.costs(days="x"), "'x'"),
        (lambda: next(nbbatch.events(since="soon")), "'soon'"),
        (lambda: nbbatch.image(5), "packages"),
        (lambda: nbbatch.estimate(one, items=0), "0 items"),
        (lambda: nbbatch.simulate(5), "5 is no workload"),
        (lambda: nbbatch.run_notebook(__file__), "not a notebook"),
        (lambda: nbbatch.doctor(5), "backend does not understand 5"),
        (lambda: nbbatch.queues(backend=["local"]), "backend does not understand ['local']"),
        (lambda: nbbatch.boto3_client(5), "5 is no service"),
        (lambda: nbbatch.as_completed(5), "5 is no job"),
        (lambda: nbbatch.as_completed("3f2a"), "'3f2a' is no job"),
        (lambda: nbbatch.as_completed([], timeout="1m"), "timeout does not understand '1m'"),
        (lambda: nbbatch.wait(5), "5 is no job"),
        (lambda: nbbatch.wait([], timeout=float("nan")), "nan"),
        (lambda: nbbatch.command(5), "5 is not a list of words"),
        (lambda: nbbatch.command(["cat"], stdin=5), "stdin does not understand 5"),
        (lambda: nbbatch.script(5), "A script does not understand 5"),
        (lambda: nbbatch.script("true", outputs="abc"), "'abc'"),
        (lambda: nbbatch.script("true", outputs=[5]), "[5]"),
        (lambda: nbbatch.script("true", fetch=[5]), "fetch"),
        (lambda: nbbatch.submit(one, 1, files={5: __file__}), "files"),
        (lambda: nbbatch.submit(one, 1, vcpus=[1]), "[1]"),
        (lambda: nbbatch.estimate(5), "estimate does not understand 5"),
        (lambda: nbbatch.estimate(one, seconds="1m"), "seconds does not understand '1m'"),
        (lambda: nbbatch.estimate(one, hours=True), "hours does not understand True"),
        (lambda: nbbatch.events(job=5), "job does not understand 5"),
        (lambda: nbbatch.events(since="soon"), "'soon'"),
        (lambda: nbbatch.events(since=float("inf")), "inf"),
        (lambda: nbbatch.events(queue="defualt"), "default"),
        (lambda: nbbatch.jobs(queue=5), "queue does not understand 5"),
        (lambda: nbbatch.jobs(name=["a"]), "name does not understand ['a']"),
        (lambda: nbbatch.magic(5), "5 cannot be the name"),
        (lambda: nbbatch.map(one, {5: [1]}), "name does not understand 5"),
        (lambda: nbbatch.starmap(one, [{5: 1}]), "name does not understand 5"),
        (lambda: nbbatch.starmap(one, [(1,), 2]), "2 cannot be spread"),
        (lambda: nbbatch.figure("depth", "progress"), "kind"),
        (lambda: nbbatch.figure("depth", since=5), "since does not understand 5"),
        (lambda: nbbatch.figure("depth", theme=["dark"]), "['dark']"),
        (lambda: nbbatch.panel("queue", since=5), "since does not understand 5"),
        (lambda: nbbatch.image([5]), "packages does not understand [5]"),
        (lambda: nbbatch.image([], system=5), "system does not understand 5"),
        (lambda: nbbatch.image([], base=5), "base does not understand 5"),
        (lambda: nbbatch.image([], name=5), "name does not understand 5"),
        (lambda: nbbatch.image([], say=5), "callback does not understand 5"),
        (lambda: nbbatch.image([], repository=5), "repository does not understand 5"),
        (lambda: nbbatch.run_notebook("n.ipynb", kernel=5), "kernel does not understand 5"),
        (lambda: nbbatch.what_if({"seconds": 1}, 5), "5 names no worlds"),
        (lambda: nbbatch.pipeline(5), "name does not understand 5"),
        (lambda: nbbatch.pipeline().step(one, 1, after=5), "after does not understand 5"),
        (lambda: nbbatch.pipeline().step(one, 1, name=5), "name does not understand 5"),
        (lambda: nbbatch.pipeline().map(5, [1]), "5 is no function"),
        (lambda: nbbatch.pipeline().map(one, [1], chunk="x"), "chunk"),
        (lambda: nbbatch.pipeline().cell(5), "A cell does not understand 5"),
        (lambda: nbbatch.pipeline().cell("x = 1", inputs=5), "inputs does not understand 5"),
        (lambda: nbbatch.pipeline().cell("x = 1", outputs="x"), "outputs does not understand 'x'"),
        (lambda: nbbatch.pipeline().launch(5), "5 is no function"),
        (lambda: nbbatch.pipeline().add(5), "add does not understand 5"),
        (lambda: nbbatch.pipeline().wait("1m"), "timeout does not understand '1m'"),
        (lambda: nbbatch.pipeline().run(), "no steps"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_is_sent(call, said):
    """What is wrong with it, and what to do."""
    before = len(nbbatch.jobs())
    with pytest.raises(UserError) as caught:
        call()
    assert said in str(caught.value)
    assert caught.value.cure
    assert len(nbbatch.jobs()) == before


@pytest.fixture(scope="module")
def ended(shared_daemon):
    """A job and an array that have ended."""
    job, array = nbbatch.submit(one, 1), nbbatch.map(one, [1, 2])
    assert nbbatch.wait([job, array], timeout=120).not_done == set()
    return job, array


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda job, _: job.result("1m"), "timeout does not understand '1m'"),
        (lambda job, _: job.wait([1]), "timeout does not understand [1]"),
        (lambda job, _: job.exception("1m"), "'1m'"),
        (lambda job, _: job.load("1m"), "'1m'"),
        (lambda job, _: job.cancel(5), "reason does not understand 5"),
        (lambda job, _: job.terminate(5), "reason does not understand 5"),
        (lambda job, _: job.fetch(5), "to does not understand 5"),
        (lambda job, _: job.figure(5), "kind does not understand 5"),
        (lambda job, _: nbbatch.figure(job, since="3h"), "'3h'"),
        (lambda job, _: nbbatch.panel(job, name="default"), "'default'"),
        (lambda job, _: job.add_done_callback(5), "callback does not understand 5"),
        (lambda job, _: job.on_change(5), "callback does not understand 5"),
        (lambda job, _: job.notes(since="1m"), "since does not understand '1m'"),
        (lambda job, _: job.reference(5), "variable does not understand 5"),
        (lambda job, _: job.logs(tail="x"), "tail does not understand 'x'"),
        (lambda _, array: array["x"], "'x'"),
        (lambda _, array: array[0.5], "0.5"),
        (lambda _, array: array.results("1m"), "'1m'"),
        (lambda _, array: array.as_completed("1m"), "'1m'"),
        (lambda _, array: array.logs(index="x"), "index does not understand 'x'"),
    ],
)
def test_a_wrong_call_of_a_handle_is_refused(ended, call, said):
    """At the call, also of a handle that would not have to wait any more."""
    with pytest.raises(UserError) as caught:
        call(*ended)
    assert said in str(caught.value)
    assert caught.value.cure


def test_numbers_of_numpy_count_as_such(ended):
    """What would have worked is not refused."""
    np = pytest.importorskip("numpy")
    job, array = ended
    assert job.result(np.float64(5)) == 1
    assert job.wait(np.int64(5))
    assert array[np.int64(1)].result() == 2


def test_a_program_by_its_path_or_with_a_path_of_its_own_is_the_jobs(tmp_path):
    """Whether it is there is seen when it is started."""
    assert nbbatch.command(["/no/such/tool"]).exception(120).exit_code == 127
    tool = tmp_path / "owntool"
    tool.write_text("#!/bin/sh\necho mine\n")
    tool.chmod(0o755)
    job = nbbatch.command(["owntool"], env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert job.result(120).output == "mine"


def test_a_cell_needs_no_python_on_the_path(tmp_path, monkeypatch):
    """A job has the notebook's own interpreter; many a system has only a `python3`, or none on the path."""
    monkeypatch.setenv("PATH", str(tmp_path))
    packed = pack_for(Cell(source="answer = 6 * 7"), resolve({}))
    assert packed.command[0] == sys.executable


def own_program(folder, word):
    """A program of that name that says who it is."""
    folder.mkdir(exist_ok=True)
    tool = folder / word
    tool.write_text(f"#!/bin/sh\necho {folder.name}\n")
    tool.chmod(0o755)
    return tool


def test_a_program_is_looked_for_where_the_job_looks(home, tmp_path, monkeypatch):
    """The daemon's PATH counts on processes: what only the notebook's finds is refused, with its place."""
    monkeypatch.setenv("NBBATCH_EXECUTOR", "process")
    usual = os.environ["PATH"]
    own_program(tmp_path / "daemons", "daemonstool")
    monkeypatch.setenv("PATH", f"{tmp_path / 'daemons'}:{usual}")
    nbbatch.queues()
    monkeypatch.setenv("PATH", f"{tmp_path / 'notebooks'}:{usual}")
    tool = own_program(tmp_path / "notebooks", "notebookstool")
    assert nbbatch.command(["daemonstool"]).result(120).output == "daemons"
    with pytest.raises(EnvironmentMismatchError) as caught:
        nbbatch.command(["notebookstool"])
    assert "daemons:" in caught.value.message
    assert str(tool) in caught.value.cure
    assert nbbatch.command([tool]).result(120).output == "notebooks"


@pytest.mark.docker
def test_a_container_looks_on_a_path_of_its_own(home, tmp_path, monkeypatch):
    """Not on the daemon's, nor on the notebook's: the same check says the same as the job would."""
    monkeypatch.setenv("NBBATCH_EXECUTOR", "docker")
    own_program(tmp_path / "bin", "owntool")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    with pytest.raises(EnvironmentMismatchError, match="/usr/local/sbin"):
        nbbatch.command(["owntool"])
    path = nbbatch.command(["printenv", "PATH"]).result(120).output
    assert path == get_backend().machine().path
