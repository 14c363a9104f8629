"""`--local`: a cell that runs here as a job would, with no backend at all."""

from __future__ import annotations

import re

import psutil
import pytest

from nbbatch.client.options import Options
from nbbatch.client.packing.payloads import Cell
from nbbatch.errors import JobFailedError, JobTimedOutError, OptionError, RemoteError
from nbbatch.jupyter.console import TextConsole
from nbbatch.jupyter.flags import parse_cell_line
from nbbatch.jupyter.local import run_here


@pytest.fixture
def bare_shell(shell, home):
    """A shell with the extension loaded, and a home in which no daemon runs."""
    shell.run_line_magic("load_ext", "nbbatch")
    yield shell
    assert not [one for one in home.iterdir() if one.name != "fetched.json"]


def run(shell, cell):
    """Run a cell, raise what it raised."""
    result = shell.run_cell(cell, store_history=True)
    result.raise_error()
    return result


def test_it_tells_the_story_of_a_job(bare_shell, capsys):
    """Receipt, output, final line, last value and variables, and inputs that stay as they are."""
    run(bare_shell, "x = [1, 2]\ndef f(a):\n    return a + 1")
    run(bare_shell, "%%batch --local\nimport os\nprint('here', x)\nx.append(f(3))\ny = sum(x)\ny * 2")
    said = capsys.readouterr().out
    assert "nbbatch › sends x" in said
    assert "1 function · back: y · here, in a process of its own" in said
    assert "here [1, 2]\n" in said
    assert re.search(r"nbbatch › SUCCEEDED here in .* · used .* vCPU, .* MB", said)
    space = bare_shell.user_ns
    assert (space["x"], space["y"], space["_"]) == ([1, 2], 7, 14)


def test_a_job_and_a_local_run_bring_the_same(batch_shell, capsys):
    """The same cell as a job and here: the same variables, value and printed lines."""
    cell = "print('one')\nd = {'a': [1.5]}\ngone = lambda: d\n(d, 3)"
    kept = []
    for word in ("", "--local"):
        run(batch_shell, f"%%batch {word}\n{cell}")
        text = capsys.readouterr().out
        lines = [line for line in text.splitlines() if not line.startswith("nbbatch ›")]
        kept.append((lines[0], batch_shell.user_ns["d"], batch_shell.user_ns["_"]))
    assert kept[0] == kept[1]


def test_it_sees_what_a_job_sees(bare_shell, monkeypatch):
    """An empty folder and few variables: what is only here does not help by accident."""
    monkeypatch.setenv("ONLY_HERE", "1")
    run(
        bare_shell,
        "%%batch --local --env A='x y'\nimport os\nseen = os.environ.get('ONLY_HERE'), os.environ['A']\nfiles = os.listdir()",
    )
    assert bare_shell.user_ns["seen"] == (None, "x y")
    assert bare_shell.user_ns["files"] == []


def test_an_array_runs_item_by_item(bare_shell, capsys):
    """Results gather as those of an array job do."""
    run(bare_shell, "%%batch --local --array [3, 1] --item k\nprint('item', k)\ns = k * k\n{'k': k, 's': s}")
    assert bare_shell.user_ns["s"] == [9, 1]
    assert list(bare_shell.user_ns["_"]["s"]) == [9, 1]
    assert capsys.readouterr().out.count("item 3\n") == 1


def test_failed_items_are_named(bare_shell, capsys):
    """The error counts and names them, and shows the first one's traceback; the others ran."""
    with pytest.raises(RemoteError, match=r"1 of 3 items failed: item 1 \(0\)\. First: ZeroDivisionError"):
        run(bare_shell, "%%batch --local --array [1, 0, 2] --item k\nprint('item', k)\n1 / k")
    said = capsys.readouterr().out
    assert "item 2\n" in said
    assert said.count("Traceback") == 1


def test_an_error_has_the_cell_s_own_lines(bare_shell, capsys):
    """It is raised, once, with the remote traceback."""
    with pytest.raises(RemoteError) as caught:
        run(bare_shell, "%%batch --local\nprint('before')\n1 / 0")
    assert "line 3" in caught.value.remote_traceback
    said = capsys.readouterr().out
    assert said.index("before") < said.index("FAILED (exit code 1) here")


def test_a_killed_process_is_told_by_its_signal(bare_shell):
    """A cell that dies without a word raises all the same."""
    with pytest.raises(JobFailedError, match="signal 9"):
        run(bare_shell, "%%batch --local\nimport os\nos.kill(os.getpid(), 9)")


def test_files_go_along_and_come_back(bare_shell, capsys, tmp_path, monkeypatch):
    """`--files` and `--fetch` do what they do for a job; a file that was not sent is named with its cure."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.txt").write_text("word")
    cell = "open('out.txt', 'w').write(open('in.txt').read() * 2)"
    with pytest.raises(RemoteError, match=r"in\.txt") as caught:
        run(bare_shell, f"%%batch --local\n{cell}")
    assert "--files in.txt" in caught.value.cure
    run(bare_shell, f"%%batch --local --files in.txt --fetch out.txt --fetch-to results\n{cell}")
    assert (tmp_path / "results" / "out.txt").read_text() == "wordword"
    assert "brought results/out.txt" in capsys.readouterr().out


def test_a_script_runs_here(bare_shell, capsys):
    """--lang bash, its output and exit code."""
    with pytest.raises(JobFailedError, match="code 4"):
        run(bare_shell, "%%batch --local --lang bash\necho from $0\nexit 4")
    assert "from " in capsys.readouterr().out


class Interrupting(TextConsole):
    """A console that behaves as if ■ was pressed once the cell has printed something."""

    def log(self, text):
        super().log(text)
        if text:
            raise KeyboardInterrupt


SLEEPER = """
import subprocess
child = subprocess.Popen(["sleep", "1000"])
print(child.pid, flush=True)
child.wait()
"""


class Clock(TextConsole):
    """A console, and a clock on which an hour has passed once the cell has printed something."""

    time = 0.0

    def log(self, text):
        super().log(text)
        self.time += 3600.0 if text else 0.0

    def now(self):
        return self.time


def test_a_timeout_stops_all_that_was_started(bare_shell, capsys):
    """After it the cell is over, and so is whatever it had started."""
    clock = Clock()
    with pytest.raises(JobTimedOutError, match=r"timeout of 30 min"):
        run_here(bare_shell, Cell(source=SLEEPER), Options(timeout=1800), None, clock, clock.now)
    assert is_gone(pid_in(capsys.readouterr().out))


def test_an_interrupt_stops_it(bare_shell, capsys):
    """■ ends what runs here; nothing goes on in secret."""
    with pytest.raises(KeyboardInterrupt):
        run_here(bare_shell, Cell(source=SLEEPER), Options(), None, Interrupting())
    assert is_gone(pid_in(capsys.readouterr().out))


def pid_in(said):
    return int(re.search(r"^(\d+)$", said, re.MULTILINE)[1])


def is_gone(pid):
    try:
        psutil.Process(pid).wait(60)
    except psutil.NoSuchProcess:
        return True
    return not psutil.pid_exists(pid)


@pytest.mark.parametrize(
    "line", ["--local --detach", "--local --as j", "--local --depends x", "--local --dry-run"]
)
def test_what_belongs_to_jobs_is_refused(line):
    """Options that only a job can have contradict it."""
    with pytest.raises(OptionError, match="exclude"):
        parse_cell_line(line)
