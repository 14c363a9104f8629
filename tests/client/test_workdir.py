"""Which files go along, where they will be, and what is refused before anything is sent."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from nbbatch.client.bundle import pack
from nbbatch.client.files import workdir
from nbbatch.client.files.workdir import Files, choose
from nbbatch.client.options import Options
from nbbatch.client.packing.payloads import Cell
from nbbatch.client.store import FolderStore
from nbbatch.errors import OptionError, UnknownNameError, ValueTooLargeError


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A notebook's working directory."""
    folder = tmp_path / "project"
    for name in (
        "data/a.csv",
        "data/b.csv",
        "data/deep/c.csv",
        "src/m.py",
        "src/__pycache__/m.pyc",
        "in.mp4",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (tmp_path / "outside.txt").write_text("outside")
    monkeypatch.chdir(folder)
    return folder


def names(**fields) -> list[str]:
    return sorted(choose(Files(**fields)).members)


def test_patterns_folders_and_files_keep_their_places(project) -> None:
    """What is below the working directory is at the same relative path in the job."""
    assert names(send=(("", "data/*.csv"),)) == ["data/a.csv", "data/b.csv"]
    assert names(send=(("", "data/**"),)) == ["data/a.csv", "data/b.csv", "data/deep/c.csv"]
    assert names(send=(("", "src/"), ("", str(project / "in.mp4")))) == ["in.mp4", "src/m.py"]


def test_what_lies_elsewhere_goes_by_its_name_or_where_it_is_told(project) -> None:
    """A file from outside is placed by its name; a mapping says any place."""
    assert names(send=(("", "../outside.txt"),)) == ["outside.txt"]
    assert names(send=(("x/y.txt", "../outside.txt"), ("d", "data"))) == [
        "d/a.csv",
        "d/b.csv",
        "d/deep/c.csv",
        "x/y.txt",
    ]


def test_a_working_directory_goes_without_what_its_rules_name(project) -> None:
    """Defaults, .gitignore at every level and above, and .nbbatchignore, which counts most."""
    (project.parent / ".git").mkdir()
    (project.parent / ".gitignore").write_text("/project/in.mp4\n*.log\n")
    (project / ".gitignore").write_text("data/\n")
    (project / ".nbbatchignore").write_text("!data/\n")
    (project / "data" / ".gitignore").write_text("b.*\n")
    for name in ("x.log", ".venv/lib.py", "node_modules/p.js", ".env"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text("")
    (project / "empty").mkdir()
    chosen = choose(Files(workdir="."))
    assert sorted(chosen.members) == [
        ".gitignore",
        ".nbbatchignore",
        "data/.gitignore",
        "data/a.csv",
        "data/deep/c.csv",
        "empty",
        "src/m.py",
    ]
    assert "stays here by .gitignore: data/b.csv, in.mp4, x.log" in chosen.notes


def test_links_lead_nowhere_outside(project) -> None:
    """A link to a file inside goes as that file; one that leads out or to a folder stays and is named."""
    (project / "inside").symlink_to("in.mp4")
    (project / "loop").symlink_to(".")
    (project / "out").symlink_to("../outside.txt")
    chosen = choose(Files(workdir="."))
    assert "inside" in chosen.members
    assert {"loop", "out"}.isdisjoint(chosen.members)
    assert chosen.notes[-1] == "links that lead out of the folder, or to folders, stay here: loop, out"
    assert names(send=(("", "out"),)) == ["out"]


@pytest.mark.parametrize(
    ("send", "error"),
    [
        ((("", "no-such"),), UnknownNameError),
        ((("", "no-*"),), UnknownNameError),
        ((("../up", "in.mp4"),), OptionError),
        ((("/up", "in.mp4"),), OptionError),
        ((("one", "data/*"),), OptionError),
        ((("x", "in.mp4"), ("x", "src/m.py")), OptionError),
    ],
)
def test_mistakes_are_refused(project, send, error) -> None:
    """A file that is not there, a place outside, two files at one place."""
    with pytest.raises(error):
        choose(Files(send=send))


def test_too_much_names_the_largest(project, monkeypatch) -> None:
    """The error about size names the largest files, that about number the fullest folders."""
    monkeypatch.setattr(workdir, "WORKDIR_BYTES", 20)
    with pytest.raises(ValueTooLargeError, match=r"The largest: data/deep/c.csv \(15 B\), data/a.csv"):
        choose(Files(workdir="."))
    monkeypatch.setattr(workdir, "MOST_FILES", 3)
    with pytest.raises(ValueTooLargeError, match=r"more than 3 files: data \(3\)"):
        choose(Files(workdir="."))


def test_only_what_changed_is_sent_again(project, tmp_path) -> None:
    """Many small files travel in packs; a changed one costs its pack, and the others stay as they are."""
    for number in range(600):
        (project / "data" / f"{number}.txt").write_text(f"{number}" * 100)
    (project / "large.bin").write_bytes(os.urandom(2 << 20))
    store = FolderStore(tmp_path / "home")

    def blobs() -> set[str]:
        return {path.name for path in (store.root / "blobs").glob("*/*")}

    files = Files(workdir=".")
    first = pack(Cell(source="1"), store, files=files)
    before = blobs()
    again = pack(Cell(source="1"), store, files=files)
    assert [first.receipt.sent[0].is_new, again.receipt.sent[0].is_new] == [True, False]
    assert blobs() == before
    (project / "data" / "7.txt").write_text("new")
    pack(Cell(source="1"), store, files=files)
    assert len(blobs() - before) == 2  # the pack and the index


def test_receipt_counts_files(project, tmp_path) -> None:
    """A file is named, a folder counted; what comes back is told as it was asked for."""
    files = Files(send=(("", "in.mp4"), ("", "data/")), fetch=("*.webm",))
    receipt = pack(Cell(source="1"), FolderStore(tmp_path / "home"), files=files).receipt
    assert str(receipt) == "sends in.mp4 (6 B), 3 files of data/ (35 B) · back: *.webm"


def test_options_take_files_as_people_write_them() -> None:
    """One path, several, a mapping; a folder or True; patterns inside only."""
    assert Options.parse({"files": "a, b/"}).files == (("", "a"), ("", "b/"))
    assert Options.parse({"files": {"x": Path("a")}}).files == (("x", "a"),)
    assert Options.parse({"workdir": True}).workdir == "."
    assert Options.parse({"workdir": False}).workdir == ""
    assert Options.parse({"fetch": ["out/", "*.png"], "fetch_to": Path("r")}).fetch == ("out/", "*.png")
    for wrong in ({"fetch": "../x"}, {"fetch": "/x"}, {"files": 3}, {"workdir": 3}):
        with pytest.raises(OptionError):
            Options.parse(wrong)


def test_packing_without_files_does_not_read_ignore_rules(home) -> None:
    """A job that sends no files does not pay for them."""
    import subprocess

    code = "import sys, nbbatch.client.bundle; sys.exit('pathspec' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
