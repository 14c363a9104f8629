"""The terminal's side of the local backend."""

import json
import re
import subprocess
import sys

import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner
from notebook_cells import write

from nbbatch.cli.main import main
from nbbatch.version import __version__


@pytest.fixture
def run(home, monkeypatch):
    """Call `nbbatch ...` in this process."""
    monkeypatch.setenv("NBBATCH_EXECUTOR", "process")
    return lambda *words: CliRunner().invoke(main, words, catch_exceptions=False)


def test_the_version_is_told(run):
    """`nbbatch --version`."""
    assert __version__ in run("--version").output


def test_words_complete_in_a_shell():
    """Click completes groups and words, as the page on settings says."""
    shell = BashComplete(main, {}, "nbbatch", "_NBBATCH_COMPLETE")
    words = {one.value for one in shell.get_completions(["local"], "st")}
    assert words == {"start", "status", "stop"}
    assert "nbbatch" in shell.source()


def test_the_life_of_a_daemon(run, home):
    """Start, status, stop, each said in words; a second stop is no error."""
    assert run("local", "status").exit_code == 3
    started = run("local", "start").output
    assert str(home) in started
    assert "NBBATCH_EXECUTOR is process" in started
    known = json.loads(run("local", "status", "--json").output)
    assert known["running"]
    assert known["machine"]["vcpus"] >= 1
    assert "stopped" in run("local", "stop").output
    assert json.loads(run("local", "status", "--json").output) == {"running": False, "home": str(home)}
    assert "does not run" in run("local", "stop").output


def test_the_log_is_shown(run, home):
    """The last lines; without a log it says where it would be."""
    assert str(home) in run("local", "logs").output
    run("local", "start")
    assert "listens on port" in run("local", "logs", "-n", "5").output


@pytest.mark.parametrize(
    ("shell", "line"),
    [("sh", "export AWS_DEFAULT_REGION=us-east-1"), ("fish", "set -gx "), ("csh", "setenv ")],
)
def test_the_exports_are_for_the_shell(run, shell, line):
    """Address, key and region; what would win over them is unset."""
    printed = run("local", "env", "--shell", shell).output
    assert line in printed
    assert all(f"AWS_{name}" in printed for name in ("ENDPOINT_URL_BATCH", "ACCESS_KEY_ID", "PROFILE"))


def test_secrets_are_kept_and_never_shown(run, home, monkeypatch):
    """Set by hand or from a file, listed by name, deleted; no value is ever printed."""
    asked = CliRunner().invoke(main, ["local", "secrets", "set", "by-hand"], input="hush\n")
    piped = CliRunner().invoke(main, ["local", "secrets", "set", "piped", "--from-file", "-"], input="hush\n")
    assert "hush" not in asked.output + piped.output
    assert json.loads((home / "secrets.json").read_text()) == {"by-hand": "hush", "piped": "hush"}
    assert run("local", "secrets", "list").output == "by-hand\npiped\n"
    assert run("local", "secrets", "delete", "piped").exit_code == 0
    assert "There is no secret piped" in run("local", "secrets", "delete", "piped").output
    assert run("local", "secrets", "list").output == "by-hand\n"


def test_an_error_is_a_line_not_a_traceback(home, monkeypatch):
    """What went wrong and what to do, and an exit code."""
    monkeypatch.setenv("NBBATCH_EXECUTOR", "magic")
    done = subprocess.run(
        [sys.executable, "-m", "nbbatch.cli", "local", "start"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "NBBATCH_EXECUTOR is 'magic'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_notebook_runs_from_a_terminal(run, home, tmp_path):
    """Its cells are told as they run, then what it recorded, and where it is saved."""
    code = "import nbbatch, time\ntime.sleep(1.1)\nnbbatch.record('got', [depth, lr])"
    place = write(tmp_path / "report.ipynb", "# nothing", code)
    words = (
        "-p",
        "depth",
        "4",
        "-r",
        "lr",
        "1e3",
        "-o",
        str(tmp_path / "{name}-{depth}.ipynb"),
        "--vcpus",
        "1",
    )
    done = run("run", str(place), *words)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()[1:]
    ended = [line for line in lines if " completed after " in line]  # on a busy machine that of others, too
    begun = [line for line in lines if line not in ended]
    assert begun[:2] == ["In [1] of 4: lr = 0.1", "In [2] of 4: # Parameters"]
    assert begun[3:] == ["In [4] of 4: import nbbatch, time", "got = [4, '1e3']"]
    assert lines.index(ended[-1]) == len(lines) - 2
    assert re.fullmatch(r"In \[4\] of 4 completed after \d+(\.\d)? s", ended[-1])
    assert done.stderr.strip() == str(tmp_path / "report-4.ipynb")
    assert (tmp_path / "report-4.ipynb").exists()


@pytest.mark.parametrize("word", ["run", "script", "submit"])
def test_options_of_jobs_are_those_of_cells(run, word):
    """But for what only a cell has: variables, and what the notebook does meanwhile."""
    told = run(word, "--help").output
    for option in ("--vcpus N", "--definition NAME[:REV]", "--workdir FOLDER", "--cache / --no-cache"):
        assert option in told
    for option in ("--in ", "--as ", "--array", "--local", "--wait", "--value-limit"):
        assert option not in told


def test_a_notebook_that_fails_in_a_terminal_says_where(run, home, tmp_path):
    """The cell, its source and its traceback, and the exit code 1; an unknown parameter is not sent."""
    place = write(tmp_path / "report.ipynb", "x = depth - 3", "1 / x")
    failed = run("run", str(place))
    assert failed.exit_code == 1
    assert failed.stdout.splitlines()[-1].startswith("In [3] of 3 failed after")
    for told in ("In [3]", "1 / x", "ZeroDivisionError"):
        assert told in failed.stderr
    refused = run("run", str(place), "-p", "dept", "1")
    assert refused.exit_code == 1
    assert "Did you mean 'depth'" in refused.stderr
    assert "ZeroDivisionError" not in run("run", str(place), "--detach").output


def test_prices_say_where_they_come_from(run):
    """Source, date and region first, then a line for each type."""
    shown = run("prices", "show").output.splitlines()
    assert "us-east-1" in shown[0]
    assert "price list" in shown[0]
    assert any(line.startswith("m6i.large") and "$0.096" in line and "Spot" in line for line in shown)


def test_prices_cannot_be_refreshed_without_an_account(run, monkeypatch, tmp_path):
    """One line about credentials, no traceback, and the shipped prices hold."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    told = run("prices", "refresh")
    assert told.exit_code == 1
    assert "credentials" in told.output
    assert run("prices", "refresh", "--profile", "nobody").exit_code == 1


def test_the_doctor_ends_with_1_where_jobs_cannot_run(home, monkeypatch) -> None:
    """`nbbatch doctor` prints its findings, as text or JSON, and its exit code says whether all is well."""
    runner = CliRunner()
    well = runner.invoke(main, ["doctor"])
    assert (well.exit_code, "✓ home" in well.output) == (0, True), well.output
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    monkeypatch.setenv("NBBATCH_EXECUTOR", "docker")
    ill = runner.invoke(main, ["doctor", "--json"])
    assert ill.exit_code == 1
    assert json.loads(ill.output)["well"] is False
    assert runner.invoke(main, ["doctor", "--policy"]).output == "null\n"
