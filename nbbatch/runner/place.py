"""Where a job's bundle is: a folder that is mounted, or S3, from which it is brought and to which results go.

Either way the rest of the runner works in a folder. What it wants to last it names: on S3 that is sent,
in a mounted folder it is there already.
"""

from __future__ import annotations

import io
import os

from .payload import StoreError

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from typing import BinaryIO

    from .mirror import Mirror

_BUFFER = 1 << 20
_SELDOM, _SHARE = 10.0, 20.0
"""Seconds between two sendings of what grows, and how many times longer than it takes they are."""


def place_of(url: str) -> Folder:
    """The place that a URL or a path names."""
    return Remote(url) if url.startswith("s3://") else Folder(url.removeprefix("file://"))


class Folder:
    """A bundle in a folder of this machine."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def gather(self) -> None:
        """Have everything there that the payload needs.

        Raises
        ------
        StoreError
            It cannot be fetched.
        """

    def open(self, path: str) -> BinaryIO:
        """Read a file of the bundle, or a part of it."""
        return open(os.path.join(self.folder, path), "rb")

    def keep(self, *paths: str) -> None:
        """Make files of the bundle last, one after the other: paths inside it.

        Raises
        ------
        StoreError
            They cannot be sent.
        """

    def keep_at_times(self, *paths: str) -> None:
        """Let others see files that grow while the job runs, as often as it costs little."""

    def forget(self, path: str) -> None:
        """Take away a file that was kept."""
        os.remove(os.path.join(self.folder, path))

    def keep_results(self, last: str) -> None:
        """Make all that the job left under `results/` last, and behind it the file `last`."""

    def recall(self, path: str) -> bool:
        """Whether a file that an earlier attempt kept is there again."""
        return os.path.exists(os.path.join(self.folder, path))

    def mirror(self, path: str, attempt: int) -> Mirror:
        """A folder whose files an attempt leaves to the next one; `attempt` is this one's number."""
        from .mirror import Mirror

        del attempt
        return Mirror(os.path.join(self.folder, path))


class Remote(Folder):
    """A bundle in S3, in a folder of its own on this machine."""

    def __init__(self, url: str) -> None:
        import tempfile

        from .bucket import Bucket

        super().__init__(tempfile.mkdtemp(prefix="nbbatch-bundle-"))
        os.mkdir(os.path.join(self.folder, "results"))
        self._bundle = Bucket(url)
        self._store = Bucket(self._bundle.url.rstrip("/").rpartition("/bundles/")[0])
        self._index: dict[str, str] = {}
        self._kept: dict[str, tuple[int, int]] = {}
        self._next = 0.0

    def gather(self) -> None:
        """Fetch the manifest, and what it refers to, all at once; items of an array are read one by one."""
        import json

        from .transfer import download

        try:
            self._index = json.loads(self._bundle.send("GET", "index.json")[1])["files"]
            download(self._bundle, {"manifest.json": self._path("manifest.json")})
            with open(self._path("manifest.json"), "rb") as file:
                items = json.load(file).get("items") or {}
            apart = {"runner.pyz", f"blobs/{items.get('blob')}"}
            for path in self._index.keys() - apart:
                os.makedirs(os.path.dirname(self._path(path)), exist_ok=True)
            wanted = {path: name for path, name in self._index.items() if path not in apart}
            self._fetch(wanted)
        except OSError as error:
            raise StoreError(f"The bundle cannot be fetched. {error}") from None

    def open(self, path: str) -> BinaryIO:
        """Read a file; one that was not fetched in parts."""
        from .transfer import RangedFile

        if os.path.exists(self._path(path)):
            return super().open(path)
        name = self._index[path]
        return io.BufferedReader(RangedFile(self._store, _key(name)), _BUFFER)

    def keep(self, *paths: str) -> None:
        """Send files."""
        from .transfer import upload

        try:
            states = {path: self._state(path) for path in paths}  # what grows meanwhile is sent again
            upload(self._bundle, [(self._path(path), path) for path in paths])
            self._kept |= states
        except OSError as error:
            raise StoreError(f"The job's results cannot be written. {error}") from None

    def keep_at_times(self, *paths: str) -> None:
        """Send files that are there and have changed, if that takes no more than a twentieth of the time."""
        import contextlib
        import time

        begun = time.monotonic()
        if begun >= self._next:
            with contextlib.suppress(StoreError):  # with the results it is tried again, and told
                here = [path for path in paths if os.path.exists(self._path(path))]
                self.keep(*(path for path in here if self._kept.get(path) != self._state(path)))
            took = time.monotonic() - begun
            self._next = begun + max(_SELDOM, _SHARE * took)

    def forget(self, path: str) -> None:
        """Take it away here and in S3."""
        super().forget(path)
        self._bundle.send("DELETE", path)

    def keep_results(self, last: str) -> None:
        """Send what was not sent yet or has changed since, and `last` at the end."""
        found = [
            os.path.relpath(os.path.join(folder, name), self.folder)
            for folder, _, names in os.walk(self._path("results"))
            for name in names
        ]
        changed = [
            path for path in sorted(found) if path != last and self._kept.get(path) != self._state(path)
        ]
        self.keep(*changed)
        self.keep(last)

    def recall(self, path: str) -> bool:
        """Fetch what an earlier attempt sent."""
        from .bucket import BucketError
        from .transfer import download

        try:
            download(self._bundle, {path: self._path(path)})
        except BucketError as error:
            if error.code in ("NoSuchKey", "AccessDenied"):  # S3 says the latter to who may not list
                return False
            raise StoreError(f"{path} of an earlier attempt cannot be fetched. {error}") from None
        self._kept[path] = self._state(path)
        return True

    def mirror(self, path: str, attempt: int) -> Mirror:
        """Beside the results, which are sent when the job has ended."""
        from .mirror import RemoteMirror

        return RemoteMirror(self._path(f"mirrors/{path}"), self._bundle, path, attempt)

    def _fetch(self, files: dict[str, str]) -> None:
        """Fetch blobs by path, each once; paths with the same content are copies."""
        import shutil

        from .transfer import download

        first: dict[str, str] = {}
        for path, name in files.items():
            first.setdefault(name, path)
        download(self._store, {_key(name): self._path(path) for name, path in first.items()})
        for path, name in files.items():
            if first[name] != path:
                shutil.copyfile(self._path(first[name]), self._path(path))

    def _path(self, path: str) -> str:
        return os.path.join(self.folder, path)

    def _state(self, path: str) -> tuple[int, int]:
        facts = os.stat(self._path(path))
        return facts.st_size, facts.st_mtime_ns


def _key(name: str) -> str:
    return f"blobs/{name[:2]}/{name}"
