"""The job's working directory: files sent along are placed before it starts, others fetched after it.

A file is a copy of the job's own, to be written to as it likes. What was placed and is unchanged is
not fetched; nothing outside the directory is, whatever a link says. Each item of an array brings its
own files, under its position.
"""

from __future__ import annotations

import contextlib
import json
import os

from . import unflushed

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .payload import Payload
    from .report import Report

_PART = 1 << 20
_OWN = ".nbbatch" + os.sep


def enter(payload: Payload, report: Report) -> None:
    """Place what the bundle brings, and let the report fetch what it asks for."""
    if os.getcwd() == "/":
        import tempfile

        os.chdir(tempfile.mkdtemp(prefix="nbbatch-"))
    here = os.getcwd()
    if payload.manifest.get("files"):
        with open(payload.blob(payload.manifest["files"]), "rb") as file:
            place(json.load(file), payload, here)
    patterns = payload.manifest.get("fetch")
    if patterns:
        report.collect = Collector(here, patterns, report).collect


def place(rows: list[list[Any]], payload: Payload, here: str) -> None:
    """Write files as the client's `workdir.keep` lists them: name, mode, blob, offset, size."""
    made: set[str] = set()
    opened = ""
    source: Any = None
    try:
        for name, mode, blob, offset, size in rows:
            target = os.path.join(here, name)
            folder = os.path.dirname(target) if blob else target
            if folder not in made:
                os.makedirs(folder, exist_ok=True)
                made.add(folder)
            if not blob:
                continue
            if blob != opened:
                if source is not None:
                    source.close()
                opened, source = blob, open(payload.blob(blob), "rb")  # noqa: SIM115 - shared by its files
            source.seek(offset)
            _write(target, mode, source, size)
    finally:
        if source is not None:
            source.close()


def _write(target: str, mode: int, source: Any, size: int) -> None:
    with open(target, "wb") as file:
        while size > 0:
            part = source.read(min(size, _PART))
            if not part:
                raise OSError(f"{target} is not whole in the bundle")
            file.write(part)
            size -= len(part)
        os.chmod(file.fileno(), mode)


class Collector:
    """Fetches what matches, each file when it is new or has changed since the last look.

    Parameters
    ----------
    here : str
        The working directory.
    patterns : list of str
        Glob patterns; a folder means all it holds.
    report : Report
        Gets the files.
    """

    def __init__(self, here: str, patterns: list[str], report: Report) -> None:
        self._here = here
        self._patterns = patterns
        self._report = report
        self._seen: dict[str, tuple[int, int]] = {}
        for name in self._matching():
            self._is_news(name)

    def collect(self, position: int | None) -> None:
        """Fetch for the item that has just ended, or for the whole job."""
        names = self._matching()
        unflushed.write_out(os.path.join(self._here, name) for name in names)
        for name in names:
            if self._is_news(name):
                self._report.keep_file(os.path.join(self._here, name), name, position)

    def _is_news(self, name: str) -> bool:
        """A seen file's time is set back by a nanosecond: a clock's tick may hold several short items."""
        path = os.path.join(self._here, name)
        facts = os.stat(path)
        if self._seen.get(name) == (facts.st_size, facts.st_mtime_ns):
            return False
        with contextlib.suppress(OSError):  # somebody else's file
            os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns - 1))
        facts = os.stat(path)
        self._seen[name] = facts.st_size, facts.st_mtime_ns
        return True

    def _matching(self) -> list[str]:
        """Files inside the directory, by the way from it."""
        found = {name for pattern in self._patterns for name in _expand(self._here, pattern)}
        return sorted(name for name in found if self._is_inside(name) and not name.startswith(_OWN))

    def _is_inside(self, name: str) -> bool:
        path = os.path.realpath(os.path.join(self._here, name))
        return path.startswith(os.path.realpath(self._here) + os.sep) and os.path.isfile(path)


def _expand(here: str, pattern: str) -> Iterator[str]:
    import glob

    for path in glob.glob(os.path.join(glob.escape(here), pattern), recursive=True):
        name = os.path.relpath(path, here)
        if not os.path.isdir(path):
            yield name
        elif not pattern.endswith("**"):  # which finds the files by itself
            for folder, _, files in os.walk(path):
                yield from (os.path.relpath(os.path.join(folder, file), here) for file in files)
