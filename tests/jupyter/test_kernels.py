"""`%%batch` in real kernels: what a saved notebook holds, and what ■ and a lost kernel do."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import papermill
import pytest
from jupyter_client.manager import KernelManager
from nbclient.exceptions import CellExecutionError
from notebook_cells import Opens, write

import nbbatch
from nbbatch.jupyter.commands import COMMANDS

STORY = "nbbatch ›"
RICH = """
import sys
import pandas as pd
from IPython.display import HTML, display
print("one")
display(HTML("<b>bold</b>"))
print("two")
print("careful", file=sys.stderr)
pd.DataFrame({"a": [1, 2]})
"""


def outputs_of(cell):
    """A cell's outputs as saved, without the story's lines and what only numbers them."""
    kept = []
    for output in cell.outputs:
        saved = {key: value for key, value in output.items() if key != "execution_count"}
        if saved["output_type"] == "stream":
            lines = [line for line in saved["text"].splitlines(keepends=True) if not line.startswith(STORY)]
            saved["text"] = "".join(lines)
        if saved.get("text") == "" or STORY in saved.get("data", {}).get("text/plain", ""):
            continue
        kept.append(saved)
    return kept


def text_of(cell):
    """Stream text and plain text of displays, as a person reads them."""
    parts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return "\n".join(parts)


@pytest.mark.parametrize("display", ["0", "1"])
def test_the_saved_outputs_are_those_of_a_local_run(execute, display):
    """Streams, displays and the last value are saved in the order and form a local cell has."""
    here, there = execute(RICH, f"%%batch{RICH}", NBBATCH_DISPLAY=display).cells
    assert outputs_of(there) == outputs_of(here)
    assert there.outputs[-1]["execution_count"] == there.execution_count
    assert "SUCCEEDED" in text_of(there)


def test_run_all_stops_at_a_failed_cell(execute):
    """A failed job raises, so that the cells below do not run."""
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        execute("%%batch\n1 / 0", "open('went_on', 'w').close()", stops=True)


def test_the_error_of_a_cell_is_saved_as_an_error(execute):
    """The traceback in the notebook is the job's, with the cell's number and lines, and once only."""
    (cell,) = execute("%%batch\nx = 1\nx / 0").cells
    error = cell.outputs[-1]
    assert error["output_type"] == "error"
    text = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error["traceback"]))
    assert f"Cell In[{cell.execution_count}], line 3" in text
    assert "nbbatch/" not in text
    assert "Traceback" not in text_of(cell)


def test_progress_does_not_stay_at_0_in_papermill(shared_daemon, kernel_environment, tmp_path, monkeypatch):
    """A notebook run by papermill says how far it is while it runs, in text lines that end with all items done."""
    for name, value in kernel_environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    source, target, gate = tmp_path / "in.ipynb", tmp_path / "out.ipynb", tmp_path / "gate"
    waits = f"import os, time\nwhile item == 3 and not os.path.exists({str(gate)!r}):\n    time.sleep(0.05)"
    write(source, "%load_ext nbbatch", f"%%batch --array range(4)\n{waits}\nx = item")
    told = Opens(gate, rf"{STORY} .*\b[1-3] of 4 done")
    try:
        done = papermill.execute_notebook(
            str(source), str(target), progress_bar=False, stdout_file=told, execution_timeout=240
        )
    finally:
        gate.touch()
    lines = [line for line in text_of(done.cells[-1]).splitlines() if line.startswith(STORY)]
    assert any("SUCCEEDED: 4 items" in line for line in lines)
    assert not [line for line in lines[-2:] if "0 of 4" in line]


def test_the_last_frame_stays_in_the_saved_notebook(execute):
    """With a live display the status that is saved is the last one, not the first."""
    (cell,) = execute("%%batch --array range(3)\nx = item", NBBATCH_DISPLAY="1").cells
    frame = cell.outputs[1]["data"]["text/plain"]
    assert "3 of 3 done" in frame
    assert "0 of 3" not in text_of(cell)
    assert "<pre" in cell.outputs[0]["data"]["text/html"]


@contextmanager
def kernel(environment) -> Iterator[tuple[KernelManager, Kernel]]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env=environment)
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=120)
        yield manager, Kernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


class Kernel:
    """A running kernel, watched message by message."""

    def __init__(self, client):
        self.client = client
        self.text = ""
        self._request = ""

    def run(self, source):
        """Run a cell to its end; returns the text it showed."""
        self._request = self.client.execute(source)
        return self.until(lambda kernel: kernel.is_idle)

    def start(self, source, until):
        """Begin a cell and read on until it has shown this."""
        self._request = self.client.execute(source)
        self.until(lambda kernel: until in kernel.text)

    def until(self, reached, seconds=120):
        """Read the cell's messages until `reached(self)`; returns the text since the last call."""
        self.text, self.is_idle, self.error = "", False, ""
        deadline = time.monotonic() + seconds
        while not reached(self):
            assert time.monotonic() < deadline, self.text
            message = self.client.get_iopub_msg(timeout=seconds)
            content = message["content"]
            if message["parent_header"].get("msg_id") != self._request:
                continue  # of what was asked before, such as whether the kernel is ready
            self.text += content.get("text", "") + content.get("data", {}).get("text/plain", "")
            if message["msg_type"] == "error":
                self.error = content["ename"]
                self.text += "\n".join(content["traceback"])
            self.is_idle = message["msg_type"] == "status" and content["execution_state"] == "idle"
        return self.text


SLOW = "%%batch --lang bash\necho started\nwhile [ ! -e {gate} ]; do sleep 0.05; done\necho ended"


def test_an_interrupt_lets_go_of_the_job_and_says_so(shared_daemon, kernel_environment, tmp_path):
    """■ ends the waiting, not the job; the line to find it again works."""
    gate = tmp_path / "gate"
    with kernel(kernel_environment) as (manager, notebook):
        notebook.run("%load_ext nbbatch")
        notebook.start(SLOW.format(gate=gate), until="started")
        manager.interrupt_kernel()
        said = notebook.until(lambda kernel: kernel.is_idle)
        assert notebook.error == "DetachedError"
        job = re.search(r"%batch attach (\w{8})", said)[1]
        assert nbbatch.job(job).status == "RUNNING"
        gate.touch()
        said = notebook.run(f"%batch attach {job}")
        assert "ended" in said
        assert "SUCCEEDED" in said


def test_a_second_interrupt_stops_the_job(shared_daemon, kernel_environment, tmp_path):
    """■ twice while the cell listens for a second one terminates the job, and the cell says so."""
    with kernel(kernel_environment) as (manager, notebook):
        notebook.run(
            "%load_ext nbbatch\nfrom nbbatch.jupyter import waiting\nwaiting.SECOND_INTERRUPT = 120.0"
        )
        notebook.start(SLOW.format(gate=tmp_path / "never"), until="started")
        manager.interrupt_kernel()
        said = notebook.until(lambda kernel: "interrupt again" in kernel.text)
        manager.interrupt_kernel()
        notebook.until(lambda kernel: kernel.is_idle)
        job = nbbatch.job(re.search(r"job (\w{8}) goes on", said)[1])
        assert job.wait(60)
        assert job.cancelled()


@pytest.mark.parametrize("lose", ["restart", "SIGTERM", "SIGKILL"])
def test_a_lost_kernel_never_cancels(shared_daemon, kernel_environment, tmp_path, lose):
    """A kernel that is restarted, as Jupyter does it, or killed leaves its job running; another kernel gets the result."""
    gate = tmp_path / "gate"
    with kernel(kernel_environment) as (manager, notebook):
        notebook.run("%load_ext nbbatch")
        wait = f"import os, time\nprint('started')\nwhile not os.path.exists({str(gate)!r}):\n    time.sleep(0.05)\nkept = 1"
        notebook.start(f"%%batch --name survivor-{lose}\n{wait}", until="started")
        if lose == "restart":
            manager.restart_kernel(now=False)
        else:
            manager.signal_kernel(signal.Signals[lose])
    assert nbbatch.job(f"survivor-{lose}").status == "RUNNING"
    gate.touch()
    with kernel(kernel_environment) as (_, notebook):
        notebook.run("%load_ext nbbatch")
        assert "SUCCEEDED" in notebook.run(f"%batch attach survivor-{lose}")
        assert notebook.run("kept").endswith("1")


def test_a_tab_starts_no_daemon(kernel_environment, home):
    """Completion asks a daemon that runs, and starts none."""
    kernel_environment["NBBATCH_HOME"] = str(home)
    with kernel(kernel_environment) as (_, notebook):
        notebook.run("%load_ext nbbatch")
        reply = notebook.client.complete("%%batch --queue ", reply=True, timeout=120)["content"]
        assert "default" not in reply["matches"]
        reply = notebook.client.complete("%%batch --que", reply=True, timeout=120)["content"]
        assert "--queue" in reply["matches"]
    assert list(home.iterdir()) == []


def test_a_tab_knows_queues_and_jobs(shared_daemon, kernel_environment):
    """With a daemon running, queues and job ids complete."""
    with kernel(kernel_environment) as (_, notebook):
        notebook.run("%load_ext nbbatch")
        notebook.run("%%batch --detach --name tabbed\n1")
        reply = notebook.client.complete("%%batch --queue d", reply=True, timeout=120)["content"]
        assert reply["matches"] == ["default"]
        job = nbbatch.job("tabbed").id[:8]
        reply = notebook.client.complete("%batch logs ", reply=True, timeout=120)["content"]
        assert job in reply["matches"]


def test_the_front_end_s_completer_gets_live_values(shared_daemon, kernel_environment, tmp_path):
    """Tab in Jupyter asks the kernel: flags, queues, definitions, images, presets, jobs, variables."""
    (tmp_path / "nbbatch.toml").write_text("[presets.big]\nvcpus = 2\n")
    shared_daemon.batch.register_job_definition(
        jobDefinitionName="team-train",
        type="container",
        containerProperties={
            "image": "team/base:7",
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
        },
    )
    job = nbbatch.submit(len, "x", name="for-the-completer").id[:8]
    with kernel(kernel_environment) as (_, notebook):
        notebook.run(
            f"%cd {tmp_path}\n%load_ext nbbatch\nimport nbbatch\nframe = 1\nhandle = nbbatch.job('{job}')"
        )
        expected = {
            "%%batch --mem": "--memory",
            "%%big --mem": "--memory",
            "%%batch --queue sp": "spot",
            "%%batch --definition te": "team-train",
            "%%batch --image team": "team/base:7",
            "%%batch --preset ": "big",
            "%%batch --backend lo": "local",
            "%%batch --in fr": "frame",
            "%%batch --depends ha": "handle",
            f"%%batch --after {job[:4]}": job,
            "%batch ba": "backend",
            f"%batch logs {job[:4]}": job,
            "x = %batch backend l": "local",
        }
        for typed, word in expected.items():
            reply = notebook.client.complete(typed, reply=True, timeout=120)["content"]
            assert word in reply["matches"], typed
            start = reply["cursor_start"]
            assert word.startswith(typed[start:]), (typed, start)


def test_a_kernel_without_comms_shows_plain_mime_bundles(execute):
    """A front end that only knows the notebook protocol, as VS Code's, gets all: no comm is opened.

    What nbclient saves is what any such front end was sent: streams, displays, updates of displays.
    """
    listen = (
        "import comm\nopened = []\n"
        "def refuse(*a, **k):\n    opened.append(a)\n    raise RuntimeError('no comms here')\n"
        "comm.create_comm = refuse"
    )
    for display in ("0", "1"):
        cells = execute(
            listen,
            "%%batch --array range(2)\nprint('item', item)\nx = item",
            "%%batch\n1 / 0",
            "%batch jobs",
            "print('comms', opened)",
            NBBATCH_DISPLAY=display,
        ).cells
        assert "SUCCEEDED: 2 items" in text_of(cells[1])
        assert "sends the code only" in text_of(cells[1])
        assert "FAILED (exit code 1)" in text_of(cells[2])
        assert cells[2].outputs[-1]["ename"] == "RemoteError"
        assert "FAILED" in text_of(cells[3])
        assert text_of(cells[4]).strip() == "comms []"
        kinds = {key for cell in cells for one in cell.outputs for key in one.get("data", {})}
        assert kinds <= {"text/plain", "text/html"}


def test_colour_and_boxes_stay_out_of_a_log(execute):
    """With NO_COLOR or in CI the story is plain text, one line each, whatever front end there is."""
    for variable in ("NO_COLOR", "CI"):
        (cell,) = execute("%%batch\n6 * 7", JPY_SESSION_NAME="/x.ipynb", **{variable: "1"}).cells
        story = [one for one in cell.outputs if one["output_type"] == "stream"]
        assert all(line.startswith(STORY) for one in story for line in one["text"].splitlines())
        assert "\x1b" not in text_of(cell)
        assert "SUCCEEDED" in text_of(cell)
        assert cell.outputs[-1]["data"] == {"text/plain": "42"}


def run_script(script, environment):
    """What plain IPython says when it runs a script of its own syntax."""
    return subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", str(script)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=script.parent,
        timeout=240,
        check=False,
    )


def test_every_word_shows_what_it_has_in_a_script(shared_daemon, kernel_environment, tmp_path):
    """IPython shows no values there: a table that nobody takes is shown all the same, and once."""
    job = nbbatch.script("echo from afar", name="scripted")
    assert job.wait(60)
    words = [
        f"{command.name} scripted" if command.takes_job else command.name
        for command in COMMANDS
        if command.name != "interrupt"  # needs a host
    ]
    words += ["queues default", "cost scripted"]
    script = tmp_path / "words.ipy"
    lines = (f"print('=== {word}')\n%batch {word}\n" for word in words)
    script.write_text(f"%load_ext nbbatch\n{''.join(lines)}print('=== taken')\ntable = %batch queues\n")
    done = run_script(script, kernel_environment)
    said = dict(part.split("\n", 1) for part in done.stdout.split("=== ")[1:])
    assert list(said) == [*words, "taken"], done.stderr
    assert [word for word in words if not said[word].strip()] == []
    assert said["taken"].strip() == ""
    assert said["queues"].count("default (EC2)") == 1
    assert said["logs scripted"] == "from afar\n"


def test_a_table_in_the_middle_of_a_cell_is_shown(execute):
    """As that of its last line; where a name takes it nothing is."""
    middle, loop, taken = execute(
        "%batch queues\n1", "for _ in range(2):\n    %batch fleet", "rows = %batch jobs\nlen(rows) >= 0"
    ).cells
    table, one = middle.outputs
    assert "default (EC2)" in table["data"]["text/plain"]
    assert "<table" in table["data"]["text/html"]
    assert one["data"]["text/plain"] == "1"
    assert [out["data"]["text/plain"][:5] for out in loop.outputs] == ["fleet"] * 2
    assert [out["data"]["text/plain"] for out in taken.outputs] == ["True"]


def test_a_terminal_tells_the_same_story(shared_daemon, kernel_environment, tmp_path):
    """Plain IPython: the story as lines, output, value, and an error without frames of ours."""
    script = tmp_path / "session.ipy"
    script.write_text(
        "%load_ext nbbatch\n"
        "get_ipython().run_cell('%%batch\\nprint(\"from afar\")\\nx = 5\\nx + 1')\n"
        "print('x is', x)\n"
        "get_ipython().run_cell('%%batch\\n1 / 0')\n"
        "get_ipython().run_cell('%%batch -h')\n"
    )
    done = run_script(script, kernel_environment)
    said = done.stdout
    assert "nbbatch › sends the code only · back: x" in said, done.stderr
    assert "from afar\n" in said
    assert re.search(r"Out\[\d+\]: 6", said)
    assert "x is 5" in said
    assert "ZeroDivisionError: division by zero" in said
    assert "nbbatch/" not in said
    assert "usage: %%batch" in said
