"""`$NBBATCH_CHECKPOINTS`: a folder of a script or program whose files are there again in the next attempt.

Each item of an array has its own, and it is gone once the item has ended well. In a bundle that is mounted it
lies among the results, and nothing has to be done. In S3 its files are sent as they change, under names that are
never used again, and behind them a list of which they are: so the next attempt finds all files as they were at
one look, and not some newer ones.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time

from .payload import StoreError

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .bucket import Bucket

VARIABLE = "NBBATCH_CHECKPOINTS"
_LIST = "files.json"
_SELDOM, _SHARE = 10.0, 20.0
"""Seconds between two looks at what has changed, and how many times longer than sending it takes they are."""


class Mirror:
    """Such a folder in a bundle that is a folder, too.

    Parameters
    ----------
    folder : str
        Where the program writes.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def open(self, *, is_first: bool) -> None:
        """Have the folder there, with what an earlier attempt left unless this is the first one.

        Raises
        ------
        StoreError
            It cannot be fetched.
        """
        del is_first
        os.makedirs(self.folder, exist_ok=True)

    def hurry(self) -> None:
        """The program has been asked to stop: send what there is."""

    def stop(self) -> None:
        """The program has ended: do not look any more."""

    def leave(self) -> None:
        """Leave its files to the next attempt."""
        with contextlib.suppress(OSError):  # there are some
            os.rmdir(self.folder)

    def forget(self) -> None:
        """Nobody needs them any more."""
        import shutil

        shutil.rmtree(self.folder, ignore_errors=True)


class RemoteMirror(Mirror):
    """Such a folder on this machine, and its files in S3.

    Parameters
    ----------
    folder : str
        Where the program writes.
    bucket : Bucket
        The bundle.
    key : str
        What the objects' keys begin with.
    attempt : int
        Which one this is: no two use the same names.
    """

    def __init__(self, folder: str, bucket: Bucket, key: str, attempt: int) -> None:
        super().__init__(folder)
        self._bucket = bucket
        self._key = key
        self._attempt = attempt
        self._sent: dict[str, tuple[tuple[int, int, int], str]] = {}
        self._count = 0
        self._call, self._is_over = threading.Event(), False
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def open(self, *, is_first: bool) -> None:
        """Fetch what an earlier attempt left, and look after the folder from here on."""
        super().open(is_first=is_first)
        if not is_first:
            self._recall()
        self._thread.start()

    def hurry(self) -> None:
        """Do not wait for the next look."""
        self._call.set()

    def stop(self) -> None:
        """End the thread, when it has sent what it is sending."""
        self._is_over = True
        self._call.set()
        if self._thread.is_alive():
            self._thread.join()

    def leave(self) -> None:
        """Send what has changed since; the log says it where that fails, for the program's error counts."""
        try:
            self._send()
        except OSError as error:
            os.write(2, f"nbbatch: ${VARIABLE} cannot be kept: {error}\n".encode())

    def forget(self) -> None:
        """Take them away here and in S3."""
        if self._sent:
            self._delete(_LIST, *(name for _, name in self._sent.values()))
        super().forget()

    def _follow(self) -> None:
        """Send what changes while the program runs, if that takes no more than a twentieth of the time."""
        pause = _SELDOM
        while not self._is_over:
            self._call.wait(pause)
            self._call.clear()
            begun = time.monotonic()
            if not self._is_over:
                with contextlib.suppress(OSError):  # a file that was just renamed; at the end it is told
                    self._send()
            pause = max(_SELDOM, _SHARE * (time.monotonic() - begun))

    def _send(self) -> None:
        """Send files that are new or changed, then the list of all, and take away what is not on it."""
        from .transfer import upload

        found = {name: self._state(name) for name in self._names()}
        before = {name: state for name, (state, _) in self._sent.items()}
        if found == before:
            return
        listed = {name: self._sent[name] for name in found if before.get(name) == found[name]}
        for name in found.keys() - listed.keys():
            self._count += 1
            listed[name] = found[name], f"{self._attempt}-{self._count}"
            upload(self._bucket, [(self._path(name), f"{self._key}/{listed[name][1]}")])
        rows = [[name, state[2], place] for name, (state, place) in listed.items()]
        self._bucket.send("PUT", f"{self._key}/{_LIST}", json.dumps(rows).encode())
        outdated = {place for _, place in self._sent.values()} - {place for _, place in listed.values()}
        self._sent = listed
        self._delete(*outdated)

    def _recall(self) -> None:
        from .bucket import BucketError
        from .transfer import download

        try:
            rows: list[list[Any]] = json.loads(self._bucket.send("GET", f"{self._key}/{_LIST}")[1])
        except BucketError as error:
            if error.code in ("NoSuchKey", "AccessDenied"):  # S3 says the latter to who may not list
                return
            raise StoreError(f"What ${VARIABLE} had cannot be fetched. {error}") from None
        try:
            download(self._bucket, {f"{self._key}/{place}": self._path(name) for name, _, place in rows})
        except BucketError as error:
            raise StoreError(f"What ${VARIABLE} had cannot be fetched. {error}") from None
        for name, mode, place in rows:
            os.chmod(self._path(name), mode)
            self._sent[name] = self._state(name), place

    def _delete(self, *places: str) -> None:
        for place in places:
            with contextlib.suppress(OSError):  # it goes with the bundle
                self._bucket.send("DELETE", f"{self._key}/{place}")

    def _names(self) -> Iterator[str]:
        for folder, _, names in os.walk(self.folder):
            paths = (os.path.join(folder, name) for name in names)
            yield from (os.path.relpath(path, self.folder) for path in paths if os.path.isfile(path))

    def _state(self, name: str) -> tuple[int, int, int]:
        facts = os.stat(self._path(name))
        return facts.st_size, facts.st_mtime_ns, facts.st_mode & 0o777

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)
