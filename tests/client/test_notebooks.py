"""Notebooks as jobs against a real daemon, in real kernels: parameters, values, outputs, failures."""

from __future__ import annotations

import pickle
import time

import nbformat
import pandas as pd
import pytest
from docker_image import IMAGE
from notebook_cells import text_of, write

import nbbatch
from nbbatch.client.backend import get_backend
from nbbatch.client.notebooks.executed import ExecutedNotebook
from nbbatch.client.notebooks.handles import NotebookJob
from nbbatch.errors import (
    CellFailedError,
    EnvironmentMismatchError,
    JobTerminatedError,
    OptionError,
    RemoteError,
    UnknownNameError,
)

DEADLINE = 120
pytestmark = pytest.mark.usefixtures("shared_daemon")


@pytest.fixture
def bare_image():
    """A bare Python image without any package."""
    return IMAGE


@pytest.fixture
def daemon_on_docker(monkeypatch, home):
    """A daemon of the test's own that runs containers."""
    monkeypatch.setenv("NBBATCH_EXECUTOR", "docker")
    return get_backend("local")


def wait_for(job, text):
    """Until a cell of the notebook as it is by now has shown this text."""
    deadline = time.monotonic() + DEADLINE
    while text not in shown(job.notebook()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return shown(job.notebook())


def shown(node):
    return "".join(text_of(cell) for cell in node.cells)


def test_a_notebook_runs_with_its_parameters_and_is_saved(tmp_path):
    """Its values, outputs and cells come back, and the executed notebook stands where output said."""
    path = write(tmp_path / "train.ipynb", "import nbbatch\nnbbatch.record('auc', lr * depth)\nprint(lr)\nlr")
    job = nbbatch.run_notebook(path, {"lr": 0.5}, output=tmp_path / "out/{name}-{lr}.ipynb")
    run = job.result(DEADLINE)
    assert run.values == {"auc": 1.5}
    assert run.parameters == {"lr": 0.5}
    frame = run.frame()
    assert list(frame["status"]) == ["completed"] * 3
    assert list(frame["count"]) == [1, 2, 3]
    assert (frame["seconds"] >= 0).all()
    saved = nbformat.read(tmp_path / "out/train-0.5.ipynb", as_version=4)
    nbformat.validate(saved)
    assert saved.cells[1].metadata.tags == ["injected-parameters"]
    assert text_of(saved.cells[2]) == "auc = 1.50.5\n0.5"
    assert "0.5" in job.logs()


def test_the_notebook_is_saved_although_nobody_waits_for_the_result(tmp_path):
    """As soon as this process hears of the job's end."""
    path = write(tmp_path / "train.ipynb", "1 + 1")
    nbbatch.run_notebook(path, output=tmp_path / "out.ipynb")
    deadline = time.monotonic() + DEADLINE
    while not (tmp_path / "out.ipynb").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert text_of(nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[1]) == "2"


def test_a_failed_cell_is_named_and_what_ran_before_is_kept(tmp_path):
    """The error holds the cell's index, source and traceback; the notebook up to there is saved."""
    path = write(tmp_path / "fails.ipynb", "print('before')", "1 / 0", "print('never')")
    job = nbbatch.run_notebook(path, output=tmp_path / "out.ipynb")
    with pytest.raises(CellFailedError, match="ZeroDivisionError: division by zero, in cell 2") as caught:
        job.result(DEADLINE)
    error = caught.value
    assert (error.cell_index, error.execution_count, error.cell_source) == (2, 3, "1 / 0")
    assert "----> 1 1 / 0" in error.remote_traceback.replace("1/0", "1 / 0")
    assert error.remote_type == "ZeroDivisionError"
    assert error.exit_code == 1
    assert error.notebook_path == str(tmp_path / "out.ipynb")
    saved = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert "An Exception was encountered" in saved.cells[0].source
    assert list(job.frame()["status"]) == ["completed", "completed", "failed", "pending"]
    assert "before" in text_of(job.notebook().cells[1])


def test_sys_exit_ends_a_notebook_well(tmp_path):
    """As with papermill: a notebook may end itself early."""
    path = write(tmp_path / "exits.ipynb", "import sys; print('so far'); sys.exit(0)", "1 / 0")
    assert nbbatch.run_notebook(path).result(DEADLINE).frame()["status"].tolist()[1:] == [
        "completed",
        "pending",
    ]


def test_a_terminated_notebook_keeps_its_outputs(tmp_path):
    """What a running cell has shown can be seen while it runs, and after the job was stopped."""
    source = "import time\nprint('shown', flush=True)\nwhile True: time.sleep(0.1)"
    job = nbbatch.run_notebook(
        write(tmp_path / "long.ipynb", source), autosave=1, output=tmp_path / "out.ipynb"
    )
    assert "shown\n" in wait_for(job, "shown\n")
    assert job.frame()["status"].tolist() == ["completed", "running"]
    job.terminate()
    with pytest.raises(JobTerminatedError, match="in cell 1"):
        job.result(DEADLINE)
    saved = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert "shown\n" in shown(saved)
    assert "KeyboardInterrupt" in str(saved)


def test_a_kernel_that_dies_is_told_with_its_signal(tmp_path):
    """Killed as for its memory: the job's exit code is a shell's for that signal."""
    path = write(
        tmp_path / "dies.ipynb",
        "print('x', flush=True)",
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    )
    job = nbbatch.run_notebook(path)
    with pytest.raises(CellFailedError, match="killed by signal 9, perhaps for using more memory") as caught:
        job.result(DEADLINE)
    assert caught.value.cell_index == 2
    assert caught.value.exit_code == 137
    assert text_of(job.notebook().cells[1]) == "x\n"


def test_a_cell_may_have_a_timeout(tmp_path):
    """`cell_timeout` ends a cell, not the job's own limit."""
    path = write(tmp_path / "slow.ipynb", "import time; time.sleep(600)")
    with pytest.raises(CellFailedError, match="CellTimeoutError: A cell ran longer than 1 s"):
        nbbatch.run_notebook(path, cell_timeout=1).result(DEADLINE)


def test_before_it_has_started_a_notebook_is_as_it_was_sent(tmp_path):
    """With its parameters, without outputs; and it has no result that could be lost."""
    path = write(tmp_path / "train.ipynb", "lr")
    first = nbbatch.run_notebook(write(tmp_path / "wait.ipynb", "import time; time.sleep(600)"))
    job = nbbatch.run_notebook(path, {"lr": 2}, depends=first)
    assert "lr = 2" in job.notebook().cells[1].source
    assert job.values == {}
    job.terminate()
    first.terminate()


def test_a_handle_is_found_again_and_pickled(tmp_path):
    """By its id or from a pickle it is a notebook's handle again, which knows where the output belongs."""
    path = write(tmp_path / "train.ipynb", "import nbbatch\nnbbatch.record('x', 1)")
    job = nbbatch.run_notebook(path, output=tmp_path / "out.ipynb")
    job.result(DEADLINE)
    (tmp_path / "out.ipynb").unlink()
    for again in (nbbatch.job(job.id), pickle.loads(pickle.dumps(job))):
        assert isinstance(again, NotebookJob)
        assert again.result().values == {"x": 1}
        assert (tmp_path / "out.ipynb").exists()
        assert again.save(tmp_path / "copy.ipynb") == str(tmp_path / "copy.ipynb")


def test_unknown_parameters_are_refused_with_the_nearest(tmp_path):
    """A typing error must not cost a run."""
    path = write(tmp_path / "train.ipynb", "lr, depth, seed = lr, depth, 5")
    with pytest.raises(OptionError, match=r"no parameter 'dpeth'. Did you mean 'depth'\?"):
        nbbatch.run_notebook(path, {"dpeth": 4})
    with pytest.raises(OptionError, match="cannot be written into a notebook"):
        nbbatch.run_notebook(path, {"lr": object()})
    with pytest.raises(OptionError, match="are not parameters"):
        nbbatch.run_notebook(path, [1])


def test_without_a_cell_for_parameters_they_stand_at_the_top(tmp_path):
    """As papermill does it, and it is said."""
    path = write(tmp_path / "plain.ipynb", "print(day)", parameters=None)
    with pytest.warns(UserWarning, match="no cell tagged 'parameters': day will be set at its top"):
        job = nbbatch.run_notebook(path, {"day": "2026-01-01"})
    assert text_of(job.result(DEADLINE).notebook.cells[1]) == "2026-01-01\n"


def test_parameters_of_any_kind_arrive(tmp_path):
    """Numbers of numpy, lists, dicts, None and text with quotes; from a YAML file, too."""
    np = pytest.importorskip("numpy")
    path = write(
        tmp_path / "p.ipynb",
        "import nbbatch\nnbbatch.record('got', [a, b, c, d])",
        parameters="a = b = c = d = 0",
    )
    given = {"a": np.float64(0.5), "b": [1, {"x": None}], "c": 'it\'s "so"', "d": np.int64(3)}
    assert nbbatch.run_notebook(path, given).result(DEADLINE).values["got"] == [
        0.5,
        [1, {"x": None}],
        'it\'s "so"',
        3,
    ]
    (tmp_path / "p.yaml").write_text("a: 1\nb: [2]\nc: x\nd: null\n")
    assert nbbatch.run_notebook(path, str(tmp_path / "p.yaml")).result(DEADLINE).values["got"] == [
        1,
        [2],
        "x",
        None,
    ]


def test_recorded_values_of_all_kinds_come_back(tmp_path):
    """Tables as tables, numbers that JSON lacks as numbers; scrapbook's and papermill's own records, too."""
    source = """
import nbbatch, numpy as np, pandas as pd
from IPython.display import display
nbbatch.record("nan", {"deep": [float("nan"), float("inf")]})
nbbatch.record("array", np.arange(3))
nbbatch.record("table", pd.DataFrame({"a": [1, 2]}, index=["x", "y"]))
nbbatch.record("series", pd.Series([1.5], name="s"))
scrap = {"name": "glued", "data": [1], "encoder": "json", "version": 1}
display({"application/scrapbook.scrap.json+json": scrap}, metadata={"scrapbook": {"name": "glued"}}, raw=True)
display({"application/papermill.record+json": {"old": 7}}, raw=True)
"""
    values = nbbatch.run_notebook(write(tmp_path / "r.ipynb", source)).result(DEADLINE).values
    assert str(values["nan"]) == "{'deep': [nan, inf]}"
    assert values["array"] == [0, 1, 2]
    pd.testing.assert_frame_equal(
        values["table"], pd.DataFrame({"a": [1, 2]}, index=["x", "y"]), check_names=False
    )
    assert values["series"].tolist() == [1.5]
    assert (values["glued"], values["old"]) == ([1], 7)


def test_what_cannot_be_recorded_fails_in_its_cell(tmp_path):
    """With the name and the type, in the notebook."""
    path = write(tmp_path / "r.ipynb", "import nbbatch\nnbbatch.record('model', object())")
    with pytest.raises(CellFailedError, match="model is a object, which cannot be recorded"):
        nbbatch.run_notebook(path).result(DEADLINE)


def test_local_modules_beside_the_notebook_travel(tmp_path):
    """Its kernel finds them as it would have found them in Jupyter, whatever the working directory is."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "beside_it.py").write_text("answer = 42\n")
    path = write(tmp_path / "deep" / "n.ipynb", "import beside_it\nbeside_it.answer")
    assert text_of(nbbatch.run_notebook(path).result(DEADLINE).notebook.cells[1]) == "42"


def test_files_sent_along_are_found_by_relative_paths(tmp_path, monkeypatch):
    """A notebook that opens a file beside it runs with files=; without, the error says so."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text("a\n1\n")
    path = write(tmp_path / "n.ipynb", "print(open('data.csv').read())")
    assert "a\n1" in text_of(nbbatch.run_notebook(path, files="data.csv").result(DEADLINE).notebook.cells[1])
    with pytest.raises(CellFailedError, match=r"--files data\.csv"):
        nbbatch.run_notebook(path).result(DEADLINE)


def test_a_file_that_a_notebook_left_open_comes_back_whole(tmp_path, monkeypatch):
    """Its kernel ends at once, and what it has written to the file is there before that."""
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "n.ipynb", "log = open('log.txt', 'w')", "log.write('whole');")
    nbbatch.run_notebook(path, {}, fetch="log.txt").result(DEADLINE)
    assert (tmp_path / "log.txt").read_text() == "whole"


def test_options_come_from_the_call_the_environment_and_the_notebook(tmp_path, monkeypatch):
    """In this order; an unknown word in the metadata is refused with the nearest."""
    path = write(tmp_path / "n.ipynb", "1", nbbatch={"vcpus": 0.25, "memory": "256M", "name": "own"})
    monkeypatch.setenv("NBBATCH_MEMORY", "300M")
    job = nbbatch.run_notebook(path, name="mine")
    asked = {one["type"]: one["value"] for one in job.detail()["container"]["resourceRequirements"]}
    assert asked == {"VCPU": "0.25", "MEMORY": "300"}
    assert job.detail()["jobName"] == "mine"
    job.result(DEADLINE)
    wrong = write(tmp_path / "w.ipynb", "1", nbbatch={"vcpu": 2})
    with pytest.raises(OptionError, match=r"metadata `nbbatch` of w has 'vcpu'.*Did you mean 'vcpus'"):
        nbbatch.run_notebook(wrong)


def test_what_is_no_notebook_is_told(tmp_path):
    """A missing file with the nearest name, a file of another kind with its problem."""
    write(tmp_path / "train.ipynb", "1")
    with pytest.raises(UnknownNameError, match=r"Did you mean .*train\.ipynb"):
        nbbatch.run_notebook(tmp_path / "trian.ipynb")
    (tmp_path / "no.ipynb").write_text("not json")
    with pytest.raises(OptionError, match="is not a notebook"):
        nbbatch.run_notebook(tmp_path / "no.ipynb")


def test_a_node_runs_like_a_file(tmp_path):
    """A notebook made in memory needs no file."""
    node = nbformat.read(write(tmp_path / "n.ipynb", "lr"), as_version=4)
    run = nbbatch.run_notebook(node, {"lr": 9}).result(DEADLINE)
    assert isinstance(run, ExecutedNotebook)
    assert text_of(run.notebook.cells[2]) == "9"
    assert "outputs" not in str(node.cells[0].outputs)


def test_a_missing_kernel_is_told_before_submitting(tmp_path):
    """Of another language than Python; for Python the kernel of this environment does."""
    path = write(tmp_path / "n.ipynb", "1", kernelspec={"name": "ir", "language": "R", "display_name": "R"})
    with pytest.raises(EnvironmentMismatchError, match="no kernel 'ir' on this machine"):
        nbbatch.run_notebook(path)
    odd = write(
        tmp_path / "o.ipynb", "2", kernelspec={"name": "my-env", "language": "python", "display_name": ""}
    )
    assert text_of(nbbatch.run_notebook(odd).result(DEADLINE).notebook.cells[1]) == "2"


def test_progress_told_in_a_cell_is_no_output(tmp_path):
    """Notes of the notebook's own code go to the job's log, not into the notebook."""
    note = '@nbbatch {"kind": "progress", "job": "x", "attempt": 1, "time": 1, "i": 1, "n": 2}'
    path = write(tmp_path / "n.ipynb", f"print('a'); print('{note}'); print('b')")
    assert text_of(nbbatch.run_notebook(path).result(DEADLINE).notebook.cells[1]) == "a\nb\n"


@pytest.mark.docker
def test_an_image_that_cannot_execute_notebooks_is_told_before_submitting(
    daemon_on_docker, tmp_path, bare_image
):
    """And inside the job in any case, where the image could not be looked at."""
    path = write(tmp_path / "n.ipynb", "1")
    with pytest.raises(EnvironmentMismatchError, match=r"has no nbclient.*nbbatch\.image"):
        nbbatch.run_notebook(path, image=bare_image)
    definition = daemon_on_docker.batch.register_job_definition(
        jobDefinitionName="bare",
        type="container",
        containerProperties={
            "image": bare_image,
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "256"}],
        },
    )
    job = nbbatch.run_notebook(path, definition=definition["jobDefinitionArn"])
    with pytest.raises(
        RemoteError, match=r"has no nbclient, which executes notebooks.*nbbatch\.image"
    ) as caught:
        job.result(DEADLINE)
    assert not isinstance(caught.value, CellFailedError)
    assert job.exit_code == 1


@pytest.mark.docker
def test_a_notebook_runs_in_a_container_with_this_environment(daemon_on_docker, tmp_path):
    """Its kernel starts there as a user without a home."""
    path = write(
        tmp_path / "n.ipynb",
        "import nbbatch, os\nnbbatch.record('home', os.access(os.path.expanduser('~'), os.W_OK))",
    )
    job = nbbatch.run_notebook(path, {"lr": 2}, output=tmp_path / "out.ipynb")
    assert job.result(DEADLINE).values == {"home": True}
    assert (tmp_path / "out.ipynb").exists()


def test_the_same_notebook_with_the_same_parameters_need_not_run_again(tmp_path):
    """With `cache` the second run is the first one's job; other parameters are another run."""
    path = write(tmp_path / "train.ipynb", "lr")
    first = nbbatch.run_notebook(path, {"lr": 0.5}, cache=True)
    first.result(DEADLINE)
    again = nbbatch.run_notebook(path, {"lr": 0.5}, cache=True)
    assert again.id == first.id
    assert text_of(again.notebook().cells[-1]) == "0.5"
    other = nbbatch.run_notebook(path, {"lr": 0.7}, cache=True)
    assert other.id != first.id
    other.result(DEADLINE)
