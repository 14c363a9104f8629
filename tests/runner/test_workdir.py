"""Files in the job's working directory: placed before it starts, fetched after it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from nbbatch.client.files.workdir import Files
from nbbatch.client.packing.payloads import Call, Cell, Command
from nbbatch.client.results import load_result, open_file


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A working directory with a tool and some data."""
    folder = tmp_path / "here"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "in.txt").write_text("abc\n")
    (folder / "tool.sh").write_text("#!/bin/sh\nmkdir -p out/deep\nrev data/in.txt > out/deep/r.txt\n")
    (folder / "tool.sh").chmod(0o755)
    monkeypatch.chdir(folder)
    return folder


def test_command_with_files(desk, data) -> None:
    """Files are placed with their executable bits, the program runs, what it made is fetched."""
    files = Files(send=(("", "data/"), ("", "tool.sh")), fetch=("out/", "none*"))
    ran = desk.run(Command(argv=["./tool.sh"]), files=files)
    assert ran.code == 0, ran.stderr
    with open_file(desk.store, ran.packed.bundle_id, ran.result, "out/deep/r.txt") as file:
        assert file.read() == b"cba\n"
    assert list(ran.result.files) == ["out/deep/r.txt"]


def test_a_cell_finds_files_and_modules_as_it_would_here(desk, data) -> None:
    """Relative paths, folders and modules of the working directory are there, and may be written to."""
    (data / "helper.py").write_text("x = 5\n")
    (data / "empty").mkdir()
    source = (
        "import os, importlib\nopen('data/in.txt', 'a').write('more')\n"
        "importlib.import_module('helper').x, open('data/in.txt').read(), os.listdir('empty')"
    )
    ran = desk.run(Cell(source=source), is_same=False, files=Files(workdir="."))
    assert ran.result.value == (5, "abc\nmore", [])
    assert (data / "data" / "in.txt").read_text() == "abc\n"


def test_only_what_the_job_made_or_changed_is_fetched(desk, data) -> None:
    """What was sent along and is unchanged does not come back."""
    files = Files(send=(("", "data/"), ("", "tool.sh")), fetch=("**",))
    ran = desk.run(Cell(source="echo more >> data/in.txt; touch new", language="bash"), files=files)
    assert sorted(ran.result.files) == ["data/in.txt", "new"]
    again = desk.run(Cell(source="true", language="bash"), files=files)
    assert sorted(again.result.files) == []
    whole = desk.run(Cell(source="touch new", language="bash"), files=Files(fetch=(".",)))
    assert sorted(whole.result.files) == ["new"]


def test_nothing_outside_is_fetched(desk, data, tmp_path) -> None:
    """A link that leads out of the working directory brings nothing."""
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "key").write_text("secret")
    source = f"ln -s {tmp_path}/private out; ln -s {tmp_path}/private/key key; touch kept"
    ran = desk.run(Cell(source=source, language="bash"), files=Files(fetch=("out/", "key", "kept")))
    assert list(ran.result.files) == ["kept"]


def test_a_failed_job_brings_its_files(desk, data) -> None:
    """What was written before the failure comes back."""
    ran = desk.run(Cell(source="open('r', 'w').write('x')\n1/0"), files=Files(fetch=("r",)))
    assert (ran.code, list(ran.result.files)) == (1, ["r"])


def test_a_stopped_job_brings_its_files(desk, data) -> None:
    """Between SIGTERM and SIGKILL there is time for them."""
    source = (
        "import time\nopen('r', 'w').write('x')\nprint('ready', flush=True)\nwhile True: time.sleep(0.05)"
    )
    packed = desk.pack(Cell(source=source), files=Files(fetch=("r",)))
    child = desk.start(packed)
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=120)
    assert list(load_result(desk.store, packed.bundle_id).files) == ["r"]


def test_each_item_has_files_of_its_own(desk, data) -> None:
    """Items that run one after the other in a child write to the same name and overwrite nothing."""

    def write(number):
        Path("r.txt").write_text(str(number))

    call = Call(function=write, calls=[((n,), {}) for n in range(4)], chunk=2)
    packed = desk.pack(call, files=Files(fetch=("r.txt",)))
    found = {}
    for index in range(2):
        result = desk.run_packed(packed, index).result
        for name in result.files:
            with open_file(desk.store, packed.bundle_id, result, name) as file:
                found[name] = file.read()
    assert found == {f"{n}/r.txt": str(n).encode() for n in range(4)}


def test_stdin_is_a_text(desk) -> None:
    """A program reads the text it is given, and nothing without one."""
    assert desk.run(Command(argv=["cat"], stdin="é\n" * 100_000)).stdout == "é\n" * 100_000
    assert desk.run(Command(argv=["cat"])).stdout == ""


def test_items_of_a_command(desk) -> None:
    """A program of an array finds its item in $ITEM."""
    packed = desk.pack(Command(argv=["sh", "-c", 'echo "$ITEM"'], items=["a b", 2]))
    assert [desk.run_packed(packed, index).stdout for index in range(2)] == ["a b\n", "2\n"]


def test_a_job_in_the_root_folder_gets_one_of_its_own(desk, data) -> None:
    """An image whose working directory is / does not get files placed among the system's."""
    files = Files(send=(("", "data/"),), fetch=("made",))
    packed = desk.pack(Cell(source="pwd > made; cat data/in.txt", language="bash"), files=files)
    desk.scratch = "/"
    ran = desk.run_packed(packed)
    assert ran.stdout == "abc\n"
    with open_file(desk.store, packed.bundle_id, ran.result, "made") as file:
        assert file.read().strip() != b"/"
    assert not Path("/data/in.txt").exists()
