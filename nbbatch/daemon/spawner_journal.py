"""What the spawner must not forget: which attempts it has begun, and how each one ended.

Two append-only files of JSON lines in `run/`. `journal` has the intent to begin (written before the
process exists), its pid, and what was settled; `exits` has one line for each end, written before it
is reported. Writes are batched by the caller and not flushed to the disk: they survive the death of
every process, and after a power loss the boot id in the journal's first line no longer matches, so
that all that was under way counts as lost. Both files are rewritten when most of them is settled.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from errno import ENOSPC

from nbbatch.daemon.spawner_protocol import RunFiles, text_of

TYPE_CHECKING = False  # as typing has it, which takes long to load
if TYPE_CHECKING:
    from typing import Any

    from nbbatch.daemon.admission import Name

_COMPACT_AT = 1 << 18
"""Bytes after which a file is looked at; a few thousand attempts."""

_MOSTLY_SETTLED = 800
"""Bytes for each attempt that is left, above which most of a file is settled."""

_APPENDING = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC

_MEMBERS_OF_END = 9

_UNKNOWN_BOOT = "unknown"

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def boot_id() -> str:
    """Name of this run of the operating system; empty where there is none to read."""
    if sys.platform == "darwin":
        import subprocess  # noqa: PLC0415 - slow to load, and needed nowhere else

        told = subprocess.run(["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"], capture_output=True)  # noqa: PLW1510
        return told.stdout.decode().strip()
    with suppress(OSError), open(_BOOT_ID, encoding="ascii") as file:
        return file.read().strip()
    return ""


class Past:
    """What the files say when a spawner starts.

    `begun` maps each attempt that was begun and not settled to (pid, born), (0, 0.0) where the
    spawner died before it knew; `ended` maps ended ones to the text of their line. `rebooted` says
    that the machine went down since, or that the journal's beginning is damaged: attempts that the
    files do not name may have begun as well.
    """

    __slots__ = ("begun", "ended", "rebooted")

    def __init__(self) -> None:
        self.begun: dict[Name, tuple[int, float]] = {}
        self.ended: dict[Name, str] = {}
        self.rebooted = False

    @property
    def lost(self) -> set[Name]:
        """Begun, and nobody wrote down an end."""
        return self.begun.keys() - self.ended.keys()


def read_past(files: RunFiles) -> Past:
    """Read both files; lines that a crash tore are left out."""
    past = Past()
    lines = _lines(files.journal)
    if lines is not None:
        past.rebooted = not lines or lines[0] != ["boot", boot_id()]
        for line in lines:
            _replay(past, line)
        if past.rebooted:
            past.begun = dict.fromkeys(past.begun, (0, 0.0))
    for line in _lines(files.exits) or []:
        if len(line) == _MEMBERS_OF_END:
            past.ended[line[0], line[1]] = text_of(line)
    return past


def _replay(past: Past, line: list[Any]) -> None:
    with suppress(TypeError, ValueError, IndexError):
        match line:
            case ["begun", names]:
                for job_id, attempt in names:
                    past.begun[job_id, attempt] = (0, 0.0)
            case ["pid", children]:
                for job_id, attempt, pid, born in children:
                    past.begun[job_id, attempt] = (pid, born)
            case ["settled", names]:
                for job_id, attempt in names:
                    past.begun.pop((job_id, attempt), None)


def _lines(path: str) -> list[list[Any]] | None:
    """Each line that is a JSON array; None when there is no file."""
    try:
        with open(path, "rb") as file:
            raw = file.read().split(b"\n")
    except FileNotFoundError:
        return None
    lines = []
    for text in raw:
        with suppress(ValueError):
            line = json.loads(text)
            if isinstance(line, list):
                lines.append(line)
    return lines


class Journal:
    """The two files, open for appending.

    Parameters
    ----------
    files : RunFiles
        Where they are.
    past : Past
        What they said; it is written again, compacted, so that nothing torn stays behind.
    """

    def __init__(self, files: RunFiles, past: Past) -> None:
        boot = _UNKNOWN_BOOT if past.rebooted else boot_id()
        self._exits = _Appended(files.exits, past.ended.values())
        self._journal = _Appended(files.journal, _journal_lines(past.begun, boot))
        _flush_folder(files.folder)

    def begin(self, names: Iterable[Name]) -> None:
        """Write the intent to begin these attempts.

        Raises
        ------
        OSError
            When it cannot be written: none of them may be begun then.
        """
        self._journal.append([text_of(["begun", list(names)])])

    def born(self, children: Iterable[tuple[str, int, int, float]]) -> None:
        """Write (job id, attempt, pid, seconds since boot) of processes that exist now."""
        self._journal.append([text_of(["pid", list(children)])])

    def end(self, lines: Iterable[str]) -> None:
        """Write ends, each the text of one."""
        self._exits.append(lines)

    def settle(self, names: Iterable[Name]) -> None:
        """Write that these attempts need not be remembered."""
        self._journal.append([text_of(["settled", list(names)])])

    def is_worth_rewriting(self, left: int) -> bool:
        """Whether the files are long for `left` attempts that must still be remembered."""
        return max(self._exits.size, self._journal.size) > _COMPACT_AT + _MOSTLY_SETTLED * left

    def rewrite(self, begun: Mapping[Name, tuple[int, float]], ended: Mapping[Name, str]) -> None:
        """Replace both files by what is left; a crash in between leaves too much, never too little."""
        self._exits.replace(ended.values())
        self._journal.replace(_journal_lines(begun, boot_id()))


def _journal_lines(begun: Mapping[Name, tuple[int, float]], boot: str) -> list[str]:
    lines = [text_of(["boot", boot])]
    if begun:
        lines.append(text_of(["begun", list(begun)]))
        lines.append(text_of(["pid", [[*name, pid, born] for name, (pid, born) in begun.items() if pid]]))
    return lines


def _flush_folder(path: str) -> None:
    """That the journal exists must survive a power loss; what it says need not."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class _Appended:
    """A file of lines that only grows, or is replaced as a whole."""

    def __init__(self, path: str, lines: Iterable[str]) -> None:
        self._path = path
        self._file = -1
        self._is_torn = False
        self.replace(lines)

    def append(self, lines: Iterable[str]) -> None:
        data = "".join(f"{line}\n" for line in lines).encode()
        if self._is_torn:
            data = b"\n" + data
        written = os.write(self._file, data)
        self.size += written
        self._is_torn = written < len(data)
        if self._is_torn:
            raise OSError(ENOSPC, os.strerror(ENOSPC), self._path)

    def replace(self, lines: Iterable[str]) -> None:
        fresh = f"{self._path}.new"
        old, self._file = self._file, os.open(fresh, _APPENDING | os.O_TRUNC, 0o600)
        self.size, self._is_torn = 0, False
        try:
            self.append(lines)
            os.rename(fresh, self._path)
        except OSError:
            os.close(self._file)
            self._file = old
            raise
        if old >= 0:
            os.close(old)
