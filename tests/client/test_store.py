from __future__ import annotations

import os
import subprocess
import sys
import time
from hashlib import sha256

import pytest

from nbbatch.client.store import DryStore, FolderStore
from nbbatch.errors import StoreError


def writer(*chunks: bytes):
    def write(sink) -> None:
        for chunk in chunks:
            sink.write(chunk)

    return write


@pytest.fixture
def store(tmp_path) -> FolderStore:
    return FolderStore(tmp_path / "home")


def files(store: FolderStore) -> list[str]:
    return [str(path.relative_to(store.root)) for path in store.root.rglob("*") if path.is_file()]


def test_blob_is_named_by_its_content_and_private(store) -> None:
    """A blob's name is its SHA-256; it is read-only, and nobody else's."""
    blob = store.put_blob(writer(b"ab", b"c"))
    assert (blob.name, blob.size, blob.is_new) == (sha256(b"abc").hexdigest(), 3, True)
    path = store.root / "blobs" / blob.name[:2] / blob.name
    assert path.read_bytes() == b"abc"
    assert path.stat().st_mode & 0o777 == 0o400
    assert path.parent.stat().st_mode & 0o077 == 0


def test_same_content_is_kept_once(store) -> None:
    """The second time nothing is added."""
    first = store.put_blob(writer(b"abc"))
    again = store.put_blob(writer(b"a", b"bc"))
    assert (again.name, again.is_new) == (first.name, False)
    assert len(files(store)) == 1


def test_likely_content_is_hashed_and_not_written(store) -> None:
    """Where the content is as expected the disk is not touched; where it is not, it is kept."""
    first = store.put_blob(writer(b"abc"))
    targets = []

    def write(sink) -> None:
        targets.append(sink._file)
        sink.write(b"abc")

    assert not store.put_blob(write, likely=first.name).is_new
    assert targets == [None]
    other = store.put_blob(writer(b"xyz"), likely=first.name)
    assert (other.is_new, other.name) == (True, sha256(b"xyz").hexdigest())


def test_failing_writer_leaves_nothing(store) -> None:
    """An error while writing passes through, and no half blob stays."""

    def write(sink) -> None:
        sink.write(b"half")
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        store.put_blob(write)
    assert files(store) == []


def test_bundle_links_its_blobs(store) -> None:
    """A bundle holds hard links, a manifest and an empty results folder."""
    blob = store.put_blob(writer(b"abc"))
    url = store.create_bundle("b1", manifest=b"{}", blobs={"blobs/x": blob.name, "runner.pyz": blob.name})
    assert url == f"file://{store.root}/bundles/b1"
    linked = store.root / "bundles" / "b1" / "blobs" / "x"
    assert linked.stat().st_nlink == 3
    assert store.list("b1") == ["manifest.json", "runner.pyz"]
    assert store.list("b1", "results") == []
    with store.open("b1", "manifest.json") as file:
        assert file.read() == b"{}"
    assert (store.root / "bundles" / "b1").stat().st_mode & 0o777 == 0o700


def test_bundle_appears_whole_or_not(store) -> None:
    """A bundle whose blob is missing does not appear at all."""
    with pytest.raises(StoreError):
        store.create_bundle("b1", manifest=b"{}", blobs={"x": "0" * 64})
    assert not store.exists("b1")
    assert files(store) == []


def test_deleting_a_bundle_keeps_what_others_use(store) -> None:
    """After delete and prune, blobs without a bundle are gone and the others are not."""
    names = [store.put_blob(writer(text)).name for text in (b"1", b"2")]
    store.create_bundle("a", manifest=b"", blobs={name: name for name in names})
    store.create_bundle("b", manifest=b"", blobs={"x": names[0]})
    store.delete("a")
    store.delete("a")
    assert store.prune(older_than=3600) == 0
    old = time.time() - 7200
    for name in names:
        os.utime(store.root / "blobs" / name[:2] / name, (old, old))
    assert store.prune(older_than=3600) == 1
    assert store.exists("b", "x")


@pytest.mark.parametrize("path", ["../../blobs", "/etc/passwd", "a/../../b/manifest.json"])
def test_paths_outside_the_bundle_are_refused(store, path: str) -> None:
    """No path leads out of a bundle."""
    store.create_bundle("a", manifest=b"", blobs={})
    with pytest.raises(StoreError, match="not a path inside"):
        store.open("a", path)


@pytest.mark.parametrize("bundle_id", ["", ".", "..", "../x", "a/b", ".new-1"])
def test_ids_that_are_paths_are_refused(store, bundle_id: str) -> None:
    """An id that could lead elsewhere is refused."""
    with pytest.raises(StoreError, match="not a bundle's id"):
        store.exists(bundle_id)


def test_links_in_the_way_are_not_followed(store, tmp_path) -> None:
    """A folder that a job replaced by a link to one outside is not read from."""
    store.create_bundle("a", manifest=b"", blobs={})
    (tmp_path / "secret").write_text("s")
    (store.root / "bundles" / "a" / "results" / "0.1.files").symlink_to(tmp_path)
    with pytest.raises(StoreError, match="leads out"):
        store.open("a", "results/0.1.files/secret")


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_results_that_are_no_files_are_refused(store, tmp_path, kind: str) -> None:
    """A link, a folder or a named pipe where a job should have left a file is not followed, nor waited for."""
    store.create_bundle("a", manifest=b"", blobs={})
    secret = tmp_path / "secret"
    secret.write_text("s")
    place = store.root / "bundles" / "a" / "results" / "0.1.json"
    match kind:
        case "link":
            place.symlink_to(secret)
        case "folder":
            place.mkdir()
        case _:
            os.mkfifo(place)
    with pytest.raises(StoreError):
        store.open("a", "results/0.1.json").close()


def test_full_disk_is_told_and_leaves_no_half_blob(store, tmp_path) -> None:
    """Where the disk takes no more, StoreError says which path and how much is free."""
    code = f"""
import resource, signal
from pathlib import Path
from nbbatch.client.store import FolderStore
from nbbatch.errors import StoreError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    FolderStore(Path({str(store.root)!r})).put_blob(lambda sink: [sink.write(b"x" * 600) for _ in range(99)])
except StoreError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert str(store.root) in done.stdout
    assert "MB are free" in done.stdout
    assert files(store) == []


def test_dry_store_only_weighs() -> None:
    """A dry store counts and keeps nothing."""
    store = DryStore()
    blob = store.put_blob(writer(b"abc"))
    store.create_bundle("a", manifest=b"{}", blobs={"x": blob.name})
    assert store.size == 5
    assert not store.exists("a")
    assert store.list("a") == []


@pytest.fixture
def tight_disk(tmp_path):
    """A disk of its own of three megabytes."""
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", tmp_path], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("only root can mount a small disk")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


def test_a_full_disk_is_told_before_and_after(tight_disk) -> None:
    """What does not fit is refused with the place and the way out, and nothing half written stays."""
    store = FolderStore(tight_disk / "home")
    store.put_blob(writer(b"small"))
    assert store.shortage() == ""
    with pytest.raises(StoreError, match="No space left on device") as caught:
        store.put_blob(writer(bytes(4_000_000)))
    assert "NBBATCH_HOME" in caught.value.cure
    assert len(files(store)) == 1
    (tight_disk / "filler").write_bytes(bytes(2_500_000))
    assert store.shortage().startswith(f"The disk of {tight_disk / 'home'} is full.")
