"""Where payloads live: content-addressed blobs, and one bundle of them per job.

`Store` is all that packing and unpacking know about the place, so that an S3 prefix can stand in
for a folder; `FolderStore` is the local one, `DryStore` weighs a payload and keeps nothing. A blob
is named by the SHA-256 of its content, written once and never changed; a bundle holds hard links to
its blobs, so a job sees its own payload and nothing else, and deleting a bundle frees what no other
one uses. Everything appears under its name complete or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp, mkstemp
from typing import BinaryIO, Protocol

from nbbatch.errors import StoreError

Write = Callable[["Sink"], object]
"""Writes a blob's content to the sink it is given; may be called twice, and must not depend on it."""
_FULL = 1e6
"""Free bytes below which a job's log or result may be lost."""
_MORE_ROOM = "Free some space there, or point NBBATCH_HOME to a larger disk."


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """What is in the store under `name`, the SHA-256 of its `size` bytes; `is_new`: sent just now."""

    name: str
    size: int
    is_new: bool = True


class Sink:
    """A file to write to that hashes and counts; without `file` the bytes themselves are dropped."""

    def __init__(self, file: BinaryIO | None = None) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Take bytes, or anything with a contiguous buffer; returns their number."""
        with memoryview(data) as view:
            self._digest.update(view)
            if self._file is not None:
                self._file.write(view)
            self.size += view.nbytes
            return view.nbytes

    @property
    def name(self) -> str:
        """The SHA-256 of what was written so far."""
        return self._digest.hexdigest()


class Store(Protocol):
    """Blobs and bundles; every method raises StoreError where the place itself fails."""

    def put_blob(self, write: Write, *, likely: str = "") -> Blob:
        """Keep what `write` writes.

        Parameters
        ----------
        write : callable
            Given a `Sink`; its errors pass through and leave nothing behind.
        likely : str
            Name of the blob that the content most likely equals, such as the one the same variable
            had last time: then it is hashed first, and written only if it differs.
        """
        ...

    def create_bundle(self, bundle_id: str, *, manifest: bytes, blobs: Mapping[str, str]) -> str:
        """Make a bundle appear, complete, with its blobs by path inside it; returns its URL."""
        ...

    def replace_manifest(self, bundle_id: str, manifest: bytes) -> None:
        """Give a bundle another manifest: a reader sees the old one or the new one, complete."""
        ...

    def url(self, bundle_id: str) -> str:
        """Where a job finds the bundle: `file://` or `s3://`."""
        ...

    def command(self, bundle_id: str, python: str) -> tuple[str, ...]:
        """Command by which a job starts the bundle's runner, `runner.pyz` in it."""
        ...

    def environment(self) -> Mapping[str, str]:
        """Variables that a job needs to reach the store."""
        ...

    def open(self, bundle_id: str, path: str) -> BinaryIO:
        """Read a file of a bundle; FileNotFoundError where there is none of that path."""
        ...

    def expect(self, bundle_id: str, paths: Iterable[str]) -> None:
        """Say which files will be read soon, if they are there: a store far away fetches them at once."""
        ...

    def exists(self, bundle_id: str, path: str = "manifest.json") -> bool:
        """Whether the bundle has a file of that path."""
        ...

    def list(self, bundle_id: str, prefix: str = "") -> Sequence[str]:
        """Paths of the files directly in the folder `prefix` of a bundle, sorted."""
        ...

    def delete(self, bundle_id: str) -> None:
        """Remove a bundle and its results; blobs that others use stay. Unknown ids are fine."""
        ...

    def shortage(self) -> str:
        """Why jobs cannot leave anything there now, in words; empty where they can or nobody knows."""
        ...


class FolderStore:
    """A store in a folder: `blobs/<2 hex>/<sha256>` and `bundles/<id>/`.

    Parameters
    ----------
    root : Path
        Created, private to the user, when first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._blobs = root / "blobs"
        self._bundles = root / "bundles"

    def put_blob(self, write: Write, *, likely: str = "") -> Blob:
        """Keep what `write` writes; see `Store`."""
        if likely and self._blob_path(likely).exists():
            digest = Sink()
            write(digest)
            if digest.name == likely:
                return self._reuse(likely, digest.size)
        with self._explained(self._blobs), self._draft() as (file, draft):
            sink = Sink(file)
            write(sink)
            if self._blob_path(sink.name).exists():
                return self._reuse(sink.name, sink.size)
            _settle(file)
            self._publish(draft, self._blob_path(sink.name))
            return Blob(name=sink.name, size=sink.size)

    def create_bundle(self, bundle_id: str, *, manifest: bytes, blobs: Mapping[str, str]) -> str:
        """Make a bundle appear, complete; see `Store`."""
        target = self._bundle_path(bundle_id)
        with self._explained(self._bundles):
            self._bundles.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = Path(mkdtemp(prefix=".new-", dir=self._bundles))
            try:
                self._fill(draft, manifest, blobs)
                draft.rename(target)
            except BaseException:
                shutil.rmtree(draft, ignore_errors=True)
                raise
        return self.url(bundle_id)

    def replace_manifest(self, bundle_id: str, manifest: bytes) -> None:
        """Give a bundle another manifest; see `Store`."""
        folder = self._bundle_path(bundle_id)
        with self._explained(folder):
            draft = folder / ".new-manifest"
            with draft.open("wb") as file:
                file.write(manifest)
                _settle(file)
            draft.replace(folder / "manifest.json")

    def url(self, bundle_id: str) -> str:
        """`file://` and the absolute path of the bundle's folder."""
        return f"file://{self._bundle_path(bundle_id)}"

    def command(self, bundle_id: str, python: str) -> tuple[str, ...]:
        """The runner as it lies in the bundle, which is mounted at the same path."""
        folder = str(self._bundle_path(bundle_id))
        return (python, f"{folder}/runner.pyz", folder)

    def environment(self) -> Mapping[str, str]:
        """None: the folder is there."""
        return {}

    def open(self, bundle_id: str, path: str) -> BinaryIO:
        """Read a file of a bundle; see `Store`."""
        target = self._inside(bundle_id, path)
        if not target.parent.resolve().is_relative_to(self._bundle_path(bundle_id).resolve()):
            raise StoreError(f"{target} leads out of its bundle.")
        try:
            # A job may have left a link or a named pipe where its result belongs.
            file = os.fdopen(os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreError(f"{target} cannot be read: {error.strerror}.") from error
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise StoreError(f"{target} is not a file.")
        return file

    def expect(self, bundle_id: str, paths: Iterable[str]) -> None:
        """They are near."""

    def exists(self, bundle_id: str, path: str = "manifest.json") -> bool:
        """Whether the bundle has a file of that path."""
        return self._inside(bundle_id, path).is_file()

    def list(self, bundle_id: str, prefix: str = "") -> Sequence[str]:
        """Paths of the files directly in the folder `prefix` of a bundle, sorted."""
        folder = self._inside(bundle_id, prefix)
        if not folder.is_dir():
            return []
        with os.scandir(folder) as entries:
            return sorted(str(Path(prefix, entry.name)) for entry in entries if entry.is_file())

    def delete(self, bundle_id: str) -> None:
        """Remove a bundle and its results; see `Store`."""
        target = self._bundle_path(bundle_id)
        with self._explained(target):
            if target.exists():
                shutil.rmtree(target)

    def shortage(self) -> str:
        """Whether its disk is full; see `Store`."""
        folder = _nearest(self.root)
        free = shutil.disk_usage(folder).free
        return "" if free >= _FULL else f"The disk of {folder} is full. {_MORE_ROOM}"

    def prune(self, *, older_than: float = 24 * 3600) -> int:
        """Remove blobs that no bundle links to and that nobody put for a while.

        Parameters
        ----------
        older_than : float
            Seconds since a blob was last put; younger ones may be about to be linked.

        Returns
        -------
        int
            Bytes freed.
        """
        freed = 0
        for blob in self._blobs.glob("??/*"):
            facts = blob.stat()
            if facts.st_nlink == 1 and time.time() - facts.st_mtime > older_than:
                blob.unlink()
                freed += facts.st_size
        return freed

    def _blob_path(self, name: str) -> Path:
        return self._blobs / name[:2] / name

    def _bundle_path(self, bundle_id: str) -> Path:
        if not bundle_id or "/" in bundle_id or bundle_id.startswith("."):
            raise StoreError(f"{bundle_id!r} is not a bundle's id.")
        return self._bundles.absolute() / bundle_id

    def _inside(self, bundle_id: str, path: str) -> Path:
        folder = self._bundle_path(bundle_id)
        target = Path(os.path.normpath(folder / path))
        if not target.is_relative_to(folder):
            raise StoreError(f"{path!r} is not a path inside bundle {bundle_id}.")
        return target

    def _reuse(self, name: str, size: int) -> Blob:
        os.utime(self._blob_path(name))  # keeps `prune` away until a bundle links to it
        return Blob(name=name, size=size, is_new=False)

    def _fill(self, folder: Path, manifest: bytes, blobs: Mapping[str, str]) -> None:
        (folder / "results").mkdir(mode=0o700)
        for path, name in blobs.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _link(self._blob_path(name), target)
        with (folder / "manifest.json").open("wb") as file:
            file.write(manifest)
            _settle(file)

    @contextlib.contextmanager
    def _draft(self) -> Iterator[tuple[BinaryIO, Path]]:
        self._blobs.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = mkstemp(prefix=".new-", dir=self._blobs)
        draft = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file, draft
        finally:
            draft.unlink(missing_ok=True)

    def _publish(self, draft: Path, target: Path) -> None:
        target.parent.mkdir(exist_ok=True, mode=0o700)
        draft.chmod(0o400)  # a job shares the file with every other job that got the same value
        draft.replace(target)

    @contextlib.contextmanager
    def _explained(self, place: Path) -> Iterator[None]:
        """Turn an OSError of the disk into a StoreError that says where and how much is free."""
        try:
            yield
        except OSError as error:
            raise _store_error(place, error) from error


class DryStore:
    """Weighs a payload and keeps nothing: for a dry run's receipt."""

    def __init__(self) -> None:
        self.size = 0

    def put_blob(self, write: Write, *, likely: str = "") -> Blob:  # noqa: ARG002 - the Protocol's
        """Hash and count only."""
        sink = Sink()
        write(sink)
        self.size += sink.size
        return Blob(name=sink.name, size=sink.size)

    def create_bundle(self, bundle_id: str, *, manifest: bytes, blobs: Mapping[str, str]) -> str:  # noqa: ARG002
        """Count the manifest, too."""
        self.size += len(manifest)
        return self.url(bundle_id)

    def replace_manifest(self, bundle_id: str, manifest: bytes) -> None:
        """Nothing was kept."""

    def url(self, bundle_id: str) -> str:
        """An address that leads nowhere."""
        return f"dry://{bundle_id}"

    def command(self, bundle_id: str, python: str) -> tuple[str, ...]:
        """Nothing can be started."""
        return (python, self.url(bundle_id))

    def environment(self) -> Mapping[str, str]:
        """Nothing is reached."""
        return {}

    def open(self, bundle_id: str, path: str) -> BinaryIO:
        """Nothing was kept."""
        raise FileNotFoundError(errno.ENOENT, "a dry run keeps nothing", f"{bundle_id}/{path}")

    def expect(self, bundle_id: str, paths: Iterable[str]) -> None:
        """Nothing was kept."""

    def exists(self, bundle_id: str, path: str = "manifest.json") -> bool:  # noqa: ARG002
        """Nothing was kept."""
        return False

    def list(self, bundle_id: str, prefix: str = "") -> Sequence[str]:  # noqa: ARG002
        """Nothing was kept."""
        return []

    def delete(self, bundle_id: str) -> None:
        """Nothing was kept."""

    def shortage(self) -> str:
        """Nothing is kept, so nothing is short."""
        return ""


def _settle(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _link(source: Path, target: Path) -> None:
    """Hard-link, or copy where the file system cannot."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP):
            raise
        shutil.copyfile(source, target)


def _store_error(place: Path, error: OSError) -> StoreError:
    home = _nearest(place)
    free = shutil.disk_usage(home).free
    return StoreError(
        f"{error.filename or place} cannot be written: {error.strerror or error}; "
        f"{free / 1e6:,.0f} MB are free in {home} without it.",
        cure=_MORE_ROOM,
    )


def _nearest(place: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    return next(folder for folder in (place, *place.absolute().parents) if folder.exists())
