"""Papermill's own command and API with `--engine nbbatch`: cells run as a job, and papermill hears of each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import nbformat
import papermill
import pytest
from notebook_cells import text_of, write
from papermill.exceptions import PapermillExecutionError

import nbbatch
from nbbatch.errors import OptionError

DEADLINE = 120
pytestmark = pytest.mark.usefixtures("shared_daemon")


@pytest.fixture
def environment(python_path):
    """Variables under which a new Python finds this nbbatch and its entry points."""
    return {**os.environ, "PYTHONPATH": python_path, "PYTHONWARNINGS": "ignore"}


@pytest.fixture
def run_papermill(environment, tmp_path):
    """Papermill's command line in the test's folder."""

    def run(*words, stdin=None, **more):
        return subprocess.run(
            [sys.executable, "-m", "papermill", *map(str, words), "--engine", "nbbatch"],
            env={**environment, **more},
            input=stdin,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )

    return run


@pytest.fixture
def engine():
    """The engine registered in this process, as the entry point does."""
    from papermill.engines import papermill_engines

    from nbbatch.jupyter.papermill_engine import NbbatchEngine

    papermill_engines.register("nbbatch", NbbatchEngine)


def test_the_command_line_runs_a_notebook_as_a_job(run_papermill, tmp_path):
    """Parameters go in, outputs, counts and stamps come out, and the bar reaches its end cell by cell."""
    path = write(tmp_path / "in.ipynb", "import os\nprint(lr, os.environ['AWS_BATCH_JOB_ID'])", "lr * 2")
    (tmp_path / "p.yaml").write_text("depth: 7\n")
    done = run_papermill(path, "out.ipynb", "-p", "lr", "0.5", "-f", "p.yaml", "--progress-bar")
    assert done.returncode == 0, done.stderr
    node = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert "lr = 0.5" in node.cells[1].source
    assert "depth = 7" in node.cells[1].source
    lr, job_id = text_of(node.cells[2]).split()
    assert lr == "0.5"
    assert nbbatch.job(job_id).status == "SUCCEEDED"
    assert text_of(node.cells[3]) == "1.0"
    assert [cell.execution_count for cell in node.cells] == [1, 2, 3, 4]
    stamps = [cell.metadata.papermill for cell in node.cells]
    assert {stamp["status"] for stamp in stamps} == {"completed"}
    assert all(stamp["duration"] >= 0 and stamp["end_time"] >= stamp["start_time"] for stamp in stamps)
    assert node.metadata.papermill["exception"] is None
    assert "4/4" in done.stderr


def test_a_failing_cell_is_papermills_own_error(run_papermill, tmp_path):
    """Exit status 1, the traceback, and the cells behind it pending: not stamped completed."""
    done = run_papermill(
        write(tmp_path / "in.ipynb", "print('so far')", "1 / 0", "print('never')"), "out.ipynb"
    )
    assert done.returncode == 1
    assert "PapermillExecutionError: \n" in done.stderr
    assert "ZeroDivisionError: division by zero" in done.stderr
    node = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    cells = [cell for cell in node.cells if cell.cell_type == "code"]
    assert [cell.metadata.papermill["status"] for cell in cells] == [
        "completed",
        "completed",
        "failed",
        "pending",
    ]
    assert [cell.metadata.papermill["exception"] for cell in cells] == [False, False, True, None]
    assert text_of(cells[1]) == "so far\n"
    assert node.metadata.papermill["exception"] is True


def test_the_output_notebook_grows_while_the_job_runs(environment, tmp_path):
    """A cell's outputs stand in it before the next one has ended, and Ctrl-C stops the job and keeps them."""
    gate = tmp_path / "gate"
    write(
        tmp_path / "in.ipynb",
        "import os; print(os.environ['AWS_BATCH_JOB_ID'])",
        f"import time, pathlib\nwhile not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.05)",
    )
    words = [sys.executable, "-m", "papermill", "in.ipynb", "out.ipynb", "--engine", "nbbatch"]
    with subprocess.Popen(words, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        cell = wait_for_cell(tmp_path / "out.ipynb", 1, "completed")
        wait_for_cell(tmp_path / "out.ipynb", 2, "running")
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=DEADLINE)[1]
    assert process.returncode != 0
    assert "stops job" in told
    assert text_of(cell).strip()
    job = nbbatch.job(text_of(cell).strip())
    assert job.wait(DEADLINE)
    assert job.cancelled()
    node = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert node.cells[2].metadata.papermill["status"] == "failed"
    assert text_of(node.cells[1]).strip() == job.id


def wait_for_cell(path, index, status):
    """The cell once it stands in the file with this status."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        try:
            cell = nbformat.read(path, as_version=4).cells[index]
        except (OSError, ValueError):
            cell = None
        if cell is not None and cell.metadata.get("papermill", {}).get("status") == status:
            return cell
        time.sleep(0.05)
    raise AssertionError(f"cell {index} of {path} is not {status} in time")


def test_standard_input_and_output_are_addresses_too(run_papermill, tmp_path):
    """`papermill - -` reads a notebook from one and writes it to the other, and nothing else."""
    text = write(tmp_path / "in.ipynb", "print('through', lr)").read_text()
    done = run_papermill("-", "-", "-p", "lr", "3", stdin=text)
    assert done.returncode == 0, done.stderr
    node = nbformat.reads(done.stdout, as_version=4)
    assert text_of(node.cells[2]) == "through 3\n"


def test_log_output_and_stream_files(run_papermill, tmp_path):
    """`--log-output` logs what cells print, the files get it by stream."""
    source = "import sys\nprint('to out')\nprint('to err', file=sys.stderr)\n40 + 2"
    path = write(tmp_path / "in.ipynb", source)
    words = ("--log-output", "--stdout-file", "out.txt", "--stderr-file", "err.txt")
    done = run_papermill(path, "out.ipynb", *words)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.txt").read_text() == "to out\n"
    assert (tmp_path / "err.txt").read_text() == "to err\n"
    for text in ("to out", "to err", "42", "Executing Cell 2", "Ending Cell 2"):
        assert text in done.stderr


def test_resources_come_from_the_environment_and_the_metadata(run_papermill, tmp_path):
    """Papermill's command line passes none, so NBBATCH_* and the notebook's own metadata do."""
    source = "import os; print(os.environ['AWS_BATCH_JOB_ID'])"
    path = write(tmp_path / "in.ipynb", source, nbbatch={"vcpus": 0.5, "memory": "256M"})
    done = run_papermill(path, "out.ipynb", NBBATCH_MEMORY="300M")
    assert done.returncode == 0, done.stderr
    job = nbbatch.job(text_of(nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[1]).strip())
    asked = {one["type"]: one["value"] for one in job.detail()["container"]["resourceRequirements"]}
    assert asked == {"VCPU": "0.5", "MEMORY": "300"}


def test_modules_are_found_in_the_folder_given_by_cwd(run_papermill, tmp_path):
    """As papermill's own kernel would be started there; files are named from there, too."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "lives_there.py").write_text("answer = 42\n")
    (tmp_path / "elsewhere" / "data.txt").write_text("sent")
    path = write(
        tmp_path / "in.ipynb",
        "import lives_there\nprint(lives_there.answer, open('data.txt').read())",
        nbbatch={"files": "data.txt"},
    )
    done = run_papermill(path, "out.ipynb", "--cwd", "elsewhere")
    assert done.returncode == 0, done.stderr
    assert text_of(nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[1]) == "42 sent\n"


def test_the_api_takes_options_as_keywords(engine, tmp_path):
    """Of the job; an unknown one is refused before anything is sent."""
    path = write(tmp_path / "in.ipynb", "import os; print(os.environ['AWS_BATCH_JOB_ID'])")
    node = papermill.execute_notebook(
        path, None, engine_name="nbbatch", progress_bar=False, vcpus=0.5, name="mine"
    )
    job = nbbatch.job(text_of(node.cells[1]).strip())
    assert job.name == "mine"
    with pytest.raises(OptionError, match="no option 'vcpu'"):
        papermill.execute_notebook(path, None, engine_name="nbbatch", progress_bar=False, vcpu=1)


def test_a_kernel_that_dies_and_a_cell_out_of_time_are_nbclients_errors(engine, run_papermill, tmp_path):
    """So papermill's command leaves with its own status for them."""
    dies = write(tmp_path / "dies.ipynb", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    done = run_papermill(dies, "out.ipynb")
    assert done.returncode == 138
    assert "killed by signal 9" in done.stderr
    node = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert node.cells[1].metadata.papermill["status"] == "failed"
    slow = write(tmp_path / "slow.ipynb", "import time; time.sleep(600)")
    done = run_papermill(slow, "out.ipynb", "--execution-timeout", "1")
    assert done.returncode == 1
    assert "CellTimeoutError" in done.stderr


def test_an_error_that_a_cell_may_raise_is_none(engine, tmp_path):
    """The tag `raises-exception` is nbclient's: the cells behind it run, and papermill tells the error at the end."""
    path = write(tmp_path / "in.ipynb", "1 / 0", "print('goes on')")
    node = nbformat.read(path, as_version=4)
    node.cells[1].metadata.tags = ["raises-exception"]
    nbformat.write(node, path)
    with pytest.raises(PapermillExecutionError):
        papermill.execute_notebook(path, tmp_path / "out.ipynb", engine_name="nbbatch", progress_bar=False)
    cells = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
    assert "goes on" in json.dumps(cells)


def test_importing_papermill_imports_nothing_more_of_nbbatch(environment):
    """Whoever uses papermill for something else pays next to nothing for the engine."""
    program = (
        "import papermill, sys; print(sorted(name for name in sys.modules if name.startswith('nbbatch')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert (
        done.stdout.strip()
        == "['nbbatch', 'nbbatch.jupyter', 'nbbatch.jupyter.papermill_engine', 'nbbatch.version']"
    )
