"""Scripts, programs and images as jobs: output, exit code, files, arrays."""

from __future__ import annotations

import io
import pickle
import shutil
from pathlib import Path

import pytest
from docker_image import IMAGE, MINOR

import nbbatch
from nbbatch.client.arrays import array_logs
from nbbatch.client.backend import get_backend
from nbbatch.client.files.scripts import ScriptJob
from nbbatch.client.images.facts import facts_of
from nbbatch.errors import (
    CouldNotStartError,
    EnvironmentMismatchError,
    JobFailedError,
    OptionError,
    UnknownNameError,
)
from nbbatch.model.jobs import TERMINAL

NO_PYTHON = "nbbatch-test/no-python:1"
needs_ipython = pytest.mark.skipif(shutil.which("ipython") is None, reason="there is no ipython on PATH")


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """The notebook's working directory, with a table and a tool."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.txt").write_text("abc\n")
    (tmp_path / "mytool").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "mytool").chmod(0o755)
    return tmp_path


def test_a_script_gives_output_files_and_variables(shared_daemon, here) -> None:
    """Several lines of bash with files before and after."""
    job = nbbatch.script(
        "rev in.txt > out.txt\nsaid=$(cat out.txt)\necho $said $HELLO",
        files=["in.txt"],
        fetch=["out.txt"],
        outputs=["said"],
        env={"HELLO": "hello"},
    )
    result = job.result()
    assert (result.exit_code, result.output, dict(result.variables)) == (0, "cba hello", {"said": "cba"})
    assert result.files == (here / "out.txt",)
    assert (here / "out.txt").read_text() == "cba\n"


def test_a_failed_script_raises_with_its_exit_code_and_log(shared_daemon, here) -> None:
    """Bash stops at the first failing line; the error has the code and the end of the log."""
    job = nbbatch.script("echo before\n(exit 7)\necho after")
    with pytest.raises(JobFailedError, match="exit code 7") as caught:
        job.result()
    assert (caught.value.exit_code, job.exit_code) == (7, 7)
    assert "before" in caught.value.log_tail
    assert "after" not in caught.value.log_tail


@pytest.mark.parametrize(
    ("name", "text", "lang"),
    [
        ("x.py", "print(6 * 7)", None),
        ("x.sh", "echo $((6 * 7))", None),
        pytest.param("x.ipy", "six = !echo 6\nprint(int(six[0]) * 7)", None, marks=needs_ipython),
        ("x", "#!/usr/bin/env python3\nprint(6 * 7)", None),
        ("x", "print(6 * 7)", "python"),
        ("x", "BEGIN {print 6 * 7}", "awk -f"),
    ],
)
def test_a_script_file_is_run_by_what_it_is_for(shared_daemon, here, name, text, lang) -> None:
    """By what is asked for, its first line, or its ending."""
    (here / name).write_text(text)
    assert nbbatch.script(Path(name), lang=lang).result().output == "42"


def test_a_repeated_script_is_a_script(shared_daemon, here) -> None:
    """A retry's result is a script's, too, and its output that of the attempt that went well."""
    job = nbbatch.script("echo said; [ $AWS_BATCH_JOB_ATTEMPT = 2 ]", retries=1)
    assert job.result().output == "said"
    assert job.logs().count("said") == 2
    assert job.retry(retries=1).result().output == "said"


def test_a_program_gets_its_words_as_they_are(shared_daemon, here) -> None:
    """No shell comes between; an own program is sent along; standard input is a text."""
    with pytest.raises(OptionError, match="files"):
        nbbatch.command(["./mytool"])
    assert nbbatch.command(["./mytool", "a b", "$HOME", 3], files=["mytool"]).result().output == "a b $HOME 3"
    assert nbbatch.command(["rev"], stdin="abc").result().output == "cba"
    assert nbbatch.command([Path("mytool"), "x"], files=["mytool"]).result().output == "x"


def test_items_are_an_array(shared_daemon, here) -> None:
    """Each item is $ITEM, and its files have a folder of their own."""
    array = nbbatch.script("echo $ITEM > r", items=["a", "b", "c"], fetch="r", name="many")
    results = array.results()
    assert [one.exit_code for one in results] == [0, 0, 0]
    assert [[path.read_text() for path in one.files] for one in results] == [["a\n"], ["b\n"], ["c\n"]]
    assert [(here / "many" / str(n) / "r").read_text() for n in range(3)] == ["a\n", "b\n", "c\n"]


def test_only_failed_items_of_a_script_run_again(shared_daemon, here) -> None:
    """Those that ended well before their child died keep output, variables and files, in an attempt and a retry."""
    log = here / "log"
    text = (
        f"echo $ITEM >> {log}; echo out $ITEM; word=w$ITEM; echo $ITEM > r\n"
        f"if [ $ITEM = 1 ] && [ $(grep -c 1 {log}) -lt 3 ]; then exit 5; fi\n"
    )
    array = nbbatch.script(
        text, items=range(3), outputs=["word"], chunk=3, retries=1, fetch="r", name="again"
    )
    assert [item.position for item in array.items() if item.error is not None] == [1]
    results = array.retry_failed().results()
    assert log.read_text().split() == ["0", "1", "2", "1", "1"]
    assert [one.output for one in results] == ["out 0", "out 1", "out 2"]
    assert [dict(one.variables) for one in results] == [{"word": f"w{n}"} for n in range(3)]
    assert [[path.read_text() for path in one.files] for one in results] == [["0\n"], ["1\n"], ["2\n"]]


def test_each_item_of_a_script_has_its_exit_code_and_output(shared_daemon, here) -> None:
    """In its result or its error, in the table, and when the array is found again by its id."""
    text = "echo out $ITEM; echo err >&2; word=w$ITEM; [ $ITEM != 2 ] || exit 7"
    array = nbbatch.script(text, items=[1, 2, 3], outputs=["word"], chunk=2, name="codes")
    first, second, third = array.results(return_exceptions=True)
    assert (first.exit_code, first.output, first.variables) == (0, "out 1\nerr", {"word": "w1"})
    assert third.output == "out 3\nerr"
    assert second.exit_code == 7
    assert "out 2\nerr" in str(second)
    assert str(second).startswith("item 1 of 3 (2): bash exited with code 7.")
    with pytest.raises(JobFailedError, match="code 7"):
        array.results()
    again = nbbatch.job(array.id)
    assert {item.position for item in again.as_completed()} == {0, 1, 2}
    table = again.frame()
    assert list(table["output"].dropna()) == ["out 1\nerr", "out 3\nerr"]
    assert list(table["word"].dropna()) == ["w1", "w3"]
    assert table["error"].notna().tolist() == [False, True, False]
    assert nbbatch.command(["echo"], items=["x"]).results()[0].output == ""


def test_the_logs_of_an_array_are_one(shared_daemon, here, monkeypatch) -> None:
    """By time, each line with its child; one child's alone; the last lines; as they come."""
    array = nbbatch.script("echo one $ITEM; echo two $ITEM", items=["a", "b", "c"], chunk=1)
    followed = list(array.logs(follow=True))
    text = array.logs()
    assert sorted(followed) == sorted(text.splitlines())
    assert sorted(text.splitlines())[:2] == ["[0] one a", "[0] two a"]
    assert len(text.splitlines()) == 6
    assert array.logs(index=1) == "one b\ntwo b"
    assert len(array.logs(tail=2).splitlines()) == 2
    assert list(array.logs(True, index=2)) == ["one c", "two c"]
    with pytest.raises(IndexError, match="no child 3, but 0-2"):
        array.logs(index=3)
    monkeypatch.setattr(array_logs, "MOST_NAMED", 1)  # as for more than a hundred streams
    other = nbbatch.script("echo other", items=["x", "y"])
    assert other.wait(120)
    assert array.logs() == text
    alone = nbbatch.script("echo $ITEM", items=["x"])
    assert alone.wait(120)
    assert alone.logs() == "x"


def test_a_handle_is_found_again(shared_daemon, here) -> None:
    """By its id from anywhere, and from a pickle, with the same result."""
    job = nbbatch.script("echo here")
    assert job.result().output == "here"
    again = nbbatch.job(job.id)
    assert isinstance(again, ScriptJob)
    assert again.result() == pickle.loads(pickle.dumps(job)).result() == job.result()
    assert job.exception() is None
    assert job.status in TERMINAL


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: nbbatch.script(""), OptionError),
        (lambda: nbbatch.script(Path("none.sh")), UnknownNameError),
        (lambda: nbbatch.command("ls -l"), OptionError),
        (lambda: nbbatch.command([]), OptionError),
        (lambda: nbbatch.script("true", items=[]), OptionError),
        (lambda: nbbatch.script("true", outputs=["a b"]), OptionError),
        (lambda: nbbatch.script("true", vcpu=1), OptionError),
    ],
)
def test_mistakes_are_refused(shared_daemon, here, call, error) -> None:
    """Before anything is sent."""
    with pytest.raises(error):
        call()


@pytest.fixture(scope="module")
def no_python() -> str:
    """An image with a shell and no python3, which runs as a user of its own."""
    import docker

    client = docker.from_env()
    try:
        lines = (
            f"FROM {IMAGE}",
            "RUN rm -f /usr/bin/python3* && useradd -m worker",
            "USER worker",
            "WORKDIR /home/worker",
        )
        client.images.build(fileobj=io.BytesIO("\n".join(lines).encode()), tag=NO_PYTHON, rm=True)
    finally:
        client.close()
    return NO_PYTHON


@pytest.fixture
def docker_daemon(home, here, monkeypatch):
    """A daemon that runs containers."""
    monkeypatch.setenv("NBBATCH_EXECUTOR", "docker")
    return get_backend("local")


@pytest.mark.docker
def test_an_image_without_python_runs_its_own_programs(docker_daemon, no_python) -> None:
    """As its own user, in its own folder; several lines and the exit code are as elsewhere."""
    result = nbbatch.script("id -un\npwd", image=no_python).result()
    assert result.output == "worker\n/home/worker"
    assert nbbatch.command(["echo", "$HOME"], image=no_python).result().output == "$HOME"
    failed = nbbatch.script("echo a\nfalse\necho b", image=no_python)
    assert (failed.error().exit_code, failed.logs()) == (1, "a")
    with pytest.raises(CouldNotStartError):
        nbbatch.command(["no-such-program"], image=no_python).result()


@pytest.mark.docker
def test_what_needs_python_in_the_image_is_refused_without_it(docker_daemon, no_python) -> None:
    """Files, items and input are placed by the runner; the error says so before anything is sent."""
    for more in ({"files": "in.txt"}, {"fetch": "x"}, {"items": [1]}, {"stdin": "x"}):
        with pytest.raises(EnvironmentMismatchError, match="has no python3"):
            nbbatch.script("true", image=no_python, **more)
    with pytest.raises(EnvironmentMismatchError, match=r"keeps \$NBBATCH_CHECKPOINTS"):
        nbbatch.command(["sh", "-c", "tool --state $NBBATCH_CHECKPOINTS"], image=no_python)


@pytest.mark.docker
def test_a_program_of_an_image_that_names_its_checkpoints_has_them(docker_daemon) -> None:
    """The folder is there in a container, and what an attempt left in it."""
    line = 'cd "$NBBATCH_CHECKPOINTS"; echo x >> tries; [ $(wc -l < tries) = 2 ] && cat tries'
    job = nbbatch.command(["sh", "-c", line], image=IMAGE, retries=1)
    assert job.result().output == "x\nx"


@pytest.mark.docker
def test_an_image_is_asked_what_it_has(docker_daemon, no_python) -> None:
    """Python, modules, shell; an image that is not here is unknown, one without anything has nothing."""
    facts = facts_of(docker_daemon, IMAGE)
    assert (facts.python, facts.shell) == (MINOR, "bash")
    assert {"json", "sqlite3", "sys"} <= set(facts.modules)
    assert facts_of(docker_daemon, no_python).python == ""
    assert facts_of(docker_daemon, "no/such:image") is None


@pytest.mark.docker
def test_a_module_that_only_the_job_lacks_is_named(docker_daemon) -> None:
    """What the look at the image could not see fails with the line that builds a better one."""
    error = nbbatch.submit(__import__, "pandas", image=IMAGE).error()
    assert "nbbatch.image()" in error.cure
    assert "nbbatch.image" not in nbbatch.submit(__import__, "no_such_module").error().cure


@pytest.mark.docker
def test_an_image_with_python_gets_files_too(docker_daemon) -> None:
    """The runner places them in the image, and brings back what a script of several lines made."""
    job = nbbatch.script("for i in 1 2\ndo cat in.txt >> out; done", image=IMAGE, files="in.txt", fetch="out")
    assert job.result().files[0].read_text() == "abc\nabc\n"


def test_a_file_s_name_is_not_taken_for_a_script(shared_daemon, tmp_path) -> None:
    """Run as a line of bash it would only be a command that is not there."""
    path = tmp_path / "steps.sh"
    path.write_text("echo one")
    with pytest.raises(OptionError, match=r"Write Path\("):
        nbbatch.script(str(path))
