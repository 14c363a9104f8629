"""Files that come back: into their folder only, and never over a file of the user's."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

import nbbatch
from nbbatch.client.files.fetched import Target
from nbbatch.client.store import FolderStore
from nbbatch.errors import JobError, StoreError


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """The notebook's working directory."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def bring(home, here, tmp_path):
    """Bring one file of some content by a new job."""
    store = FolderStore(tmp_path / "store")

    def bring(name: str, content: str, **options):
        blob = store.put_blob(lambda sink: sink.write(content.encode()))
        bundle_id = f"b{len(list(tmp_path.glob('store/bundles/*')))}"
        store.create_bundle(bundle_id, manifest=b"{}", blobs={"results/f": blob.name})
        target = Target(here, "3f2a9c1e-0000", **options)
        target.bring(store, bundle_id, {name: "results/f"})
        return target.close()

    return bring


def test_what_was_brought_before_is_replaced(bring, here) -> None:
    """Running a cell again brings its new files under the same names."""
    bring("out/r.txt", "1")
    bring("out/r.txt", "2")
    assert [path.name for path in (here / "out").iterdir()] == ["r.txt"]
    assert (here / "out" / "r.txt").read_text() == "2"


@pytest.mark.parametrize("is_changed", [False, True])
def test_a_file_of_the_users_stays(bring, here, is_changed) -> None:
    """One that was here, or was changed since it was brought, is kept; the new one goes beside it."""
    if is_changed:
        bring("r.txt", "1")
    (here / "r.txt").write_text("mine")
    fetched = bring("r.txt", "2")
    assert (here / "r.txt").read_text() == "mine"
    assert (here / "r.3f2a9c1e.txt").read_text() == "2"
    assert fetched.lines() == [
        "brought r.3f2a9c1e.txt (1 B)",
        "r.txt was here already and stays; the job's is r.3f2a9c1e.txt",
    ]
    assert bring("r.txt", "3", overwrite=True).paths == (here / "r.txt",)
    assert (here / "r.txt").read_text() == "3"


def test_an_equal_file_needs_no_second_name(bring, here) -> None:
    """A file that stands there with the same content is the same file."""
    (here / "r.txt").write_text("1")
    assert bring("r.txt", "1").beside == {}


@pytest.mark.parametrize("name", ["../r.txt", "/tmp/r.txt", "link/r.txt", "a/../../r.txt"])
def test_a_name_that_leads_out_is_refused(bring, here, tmp_path, name) -> None:
    """Neither `..` nor a link that stands there leads a file out of the folder."""
    (here / "link").symlink_to(tmp_path)
    with pytest.raises(StoreError, match="leads out"):
        bring(name, "1")
    assert not (tmp_path / "r.txt").exists()


def write(text: str) -> str:
    """A job that leaves a file, and fails for some texts."""
    Path("out").mkdir(exist_ok=True)
    Path("out/r.txt").write_text(text)
    if text == "bad":
        raise ValueError(text)
    return text


def test_a_job_brings_its_files_with_its_result(shared_daemon, here) -> None:
    """`result()` brings them; another folder can be named; from elsewhere `fetch` brings them again."""
    job = nbbatch.submit(write, "good", fetch="out/", fetch_to="results")
    assert job.result() == "good"
    assert (here / "results" / "out" / "r.txt").read_text() == "good"
    assert nbbatch.job(job.id).fetch(here / "again") == [here / "again" / "out" / "r.txt"]


def test_a_failed_job_brings_its_files_too(shared_daemon, here) -> None:
    """The error is raised when they are here."""
    with pytest.raises(ValueError, match="bad"):
        nbbatch.submit(write, "bad", fetch="out/").result()
    assert (here / "out" / "r.txt").read_text() == "bad"


def test_an_arrays_files_are_by_item(shared_daemon, here) -> None:
    """Each item's files are in a folder of its own below the array's name; a retry's are found, too."""
    array = nbbatch.map(write, ["a", "bad", "c"], fetch="out/", name="letters")
    array.results(return_exceptions=True)
    found = {str(path.relative_to(here)): path.read_text() for path in here.rglob("r.txt")}
    assert found == {f"letters/{n}/out/r.txt": text for n, text in enumerate(("a", "bad", "c"))}
    assert array[0].fetch(here / "one") == [here / "one" / "letters" / "0" / "out" / "r.txt"]


def write_or_die(number, folder=""):
    Path("r.txt").write_text(str(number))
    mark = Path(folder) / f"{number}"
    if number == 2 and not mark.exists():
        mark.touch()
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGKILL)


def test_files_of_items_that_a_killed_attempt_had_done_come_back(shared_daemon, here, tmp_path) -> None:
    """What it had done is not done again, and its files are not lost."""
    array = nbbatch.map(
        write_or_die, range(4), chunk=4, folder=str(tmp_path), retries=1, fetch="r.txt", name="killed"
    )
    array.results()
    found = {path.parent.name: path.read_text() for path in here.rglob("r.txt")}
    assert found == {str(number): str(number) for number in range(4)}


@pytest.mark.parametrize("children", [1, 2])
def test_files_of_done_items_come_back_when_the_last_attempt_is_killed(
    shared_daemon, here, tmp_path, children
) -> None:
    """Nobody goes on from there; what was done is brought all the same, by array, by child, and anew."""
    array = nbbatch.map(
        write_or_die, range(4 * children), chunk=4, folder=str(tmp_path), fetch="r.txt", name="lost"
    )
    done = [0, 1, *range(4, 4 * children)]
    found = array.results(return_exceptions=True)
    assert [n for n, value in enumerate(found) if not isinstance(value, JobError)] == done
    assert sorted(int(path.parent.name) for path in here.rglob("r.txt")) == done
    assert all(path.read_text() == path.parent.name for path in here.rglob("r.txt"))
    child = nbbatch.job(array[0].id if children == 1 else f"{array.id}:0")
    assert sorted(path.parent.name for path in child.fetch(here / "one")) == ["0", "1"]


def test_a_file_that_is_only_here_is_named(shared_daemon, here) -> None:
    """A FileNotFoundError in the job for a path that exists here says how to send it."""
    (here / "data.csv").write_text("a")
    error = nbbatch.submit(open, "data.csv").error()
    assert isinstance(error, JobError)
    assert 'files=["data.csv"]' in error.cure
    assert nbbatch.submit(lambda: Path("data.csv").read_text(), files="data.csv").result() == "a"
    other = nbbatch.submit(open, "nowhere.csv").error()
    assert "files=" not in other.cure
