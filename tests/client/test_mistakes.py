"""Wrong calls: each is one error that says what, which value and what to do, before anything is sent."""

from __future__ import annotations

import sys

import pytest

import nbbatch
from nbbatch.client.packing.payloads import Cell
from nbbatch.client.submission import pack_for, resolve
from nbbatch.errors import UserError

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


def test_a_program_by_its_path_or_with_a_path_of_its_own_is_the_jobs(tmp_path):
    """Whether it is there is seen when it is started."""
    assert nbbatch.command(["/no/such/tool"]).exception(60).exit_code == 127
    tool = tmp_path / "owntool"
    tool.write_text("#!/bin/sh\necho mine\n")
    tool.chmod(0o755)
    job = nbbatch.command(["owntool"], env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert job.result(60).output == "mine"


def test_a_cell_needs_no_python_on_the_path(tmp_path, monkeypatch):
    """A job has the notebook's own interpreter; many a system has only a `python3`, or none on the path."""
    monkeypatch.setenv("PATH", str(tmp_path))
    packed = pack_for(Cell(source="answer = 6 * 7"), resolve({}))
    assert packed.command[0] == sys.executable
