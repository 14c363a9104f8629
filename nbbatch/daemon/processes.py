"""Reading the machine's process table: which processes belong to an attempt, and what they hold.

On Linux from /proc, elsewhere from one call of `ps`, which knows no environment. An attempt is the
leader of its own session; its descendants belong to it, and so does whatever carries its MARKER.
Nothing here signals a process.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import suppress

from nbbatch.daemon.spawner_protocol import MARKER

IS_LINUX = sys.platform.startswith("linux")

_MIB = 1 << 20
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_PR_SET_CHILD_SUBREAPER = 36
_MARKER_IS = f"{MARKER}=".encode()
_SAME_START = 1.5
"""Seconds by which two readings of one process's start may differ; ps(1) tells whole seconds."""


class Process:
    """One row of the process table.

    `session` is the process group where the system does not tell the session; `born` is by
    `start_clock`, `resident` in MiB.
    """

    __slots__ = ("born", "group", "parent", "pid", "resident", "session")

    def __init__(self, pid: int, parent: int, group: int, session: int, born: float, resident: float) -> None:
        self.pid = pid
        self.parent = parent
        self.group = group
        self.session = session
        self.born = born
        self.resident = resident


Table = Mapping[int, Process]


def process_table() -> Table:
    """Every process that runs now, zombies left out."""
    rows = _rows_of_proc() if IS_LINUX else _rows_of_ps()
    return {row.pid: row for row in rows}


def _rows_of_proc() -> Iterator[Process]:
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError, ValueError):
                row = _row_of_stat(int(entry), _read(f"/proc/{entry}/stat"))
                if row is not None:
                    yield row


def _row_of_stat(pid: int, stat: bytes) -> Process | None:
    """proc(5): the fields behind the name, which is in parentheses and may contain anything."""
    fields = stat[stat.rindex(b")") + 2 :].split()
    if fields[0] in b"ZX":
        return None
    parent, group, session = int(fields[1]), int(fields[2]), int(fields[3])
    return Process(pid, parent, group, session, int(fields[19]) / _TICKS, int(fields[21]) * _PAGE / _MIB)


def _rows_of_ps() -> Iterator[Process]:
    import subprocess  # noqa: PLC0415 - slow to load, and needed only where there is no /proc

    now = start_clock()
    command = ["/bin/ps", "-A", "-o", "pid=,ppid=,pgid=,rss=,etime=,stat="]
    for line in subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines():
        pid, parent, group, kib, elapsed, state = line.split(None, 5)
        if not state.startswith("Z"):
            born = now - _seconds_of(elapsed)
            yield Process(int(pid), int(parent), int(group), int(group), born, int(kib) / 1024)


def _seconds_of(elapsed: str) -> float:
    """ps(1): [[days-]hours:]minutes:seconds."""
    days, _, clock = elapsed.rpartition("-")
    seconds = 0
    for part in clock.split(":"):
        seconds = 60 * seconds + int(part)
    return 86_400.0 * int(days or 0) + seconds


def start_clock() -> float:
    """Now, by the clock that counts when a process was born."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if IS_LINUX else time.time()


def marker(pid: int) -> str:
    """Value of MARKER in a process's environment; empty where it has none or cannot be read."""
    if not IS_LINUX:
        return ""
    with suppress(OSError):
        for variable in _read(f"/proc/{pid}/environ").split(b"\0"):
            if variable.startswith(_MARKER_IS):
                return variable[len(_MARKER_IS) :].decode(errors="replace")
    return ""


def families(table: Table, leaders: Container[int]) -> dict[int, list[Process]]:
    """Processes of each attempt: its session, and descendants that have left it.

    Parameters
    ----------
    leaders : container of int
        Pids of the attempts' first processes.

    Returns
    -------
    dict of int to list of Process
        By leader; a leader without any process is left out.
    """
    found: dict[int, list[Process]] = {}
    for process in table.values():
        ancestor: Process | None = process
        while ancestor is not None and ancestor.session not in leaders:
            ancestor = table.get(ancestor.parent)
        if ancestor is not None:
            found.setdefault(ancestor.session, []).append(process)
    return found


def orphans(table: Table, leaders: Mapping[int, float], mark: str) -> list[Process]:
    """Processes that attempts of an earlier spawner have left.

    Parameters
    ----------
    leaders : mapping of int to float
        Pid and start of each attempt that may still run. A pid counts only while the process that
        has it started then; afterwards its number may belong to somebody else.
    mark : str
        The home's mark, as it stands in MARKER.
    """
    alive = {
        pid for pid, born in leaders.items() if pid in table and abs(table[pid].born - born) < _SAME_START
    }
    mine = {process.pid for family in families(table, alive).values() for process in family}
    me = os.getpid()
    return [
        process
        for pid, process in table.items()
        if pid != me and (pid in mine or marker(pid).startswith(f"{mark}:"))
    ]


def memory_of(family: Iterable[Process], limit: int) -> float:
    """MiB that these processes hold together.

    Resident memory counts a page once for each process that shares it, so an attempt that forked
    many workers looks larger than it is. Only when that sum is over the limit is the exact and
    dearer number read.
    """
    processes = list(family)
    resident = sum(process.resident for process in processes)
    if resident <= limit or not IS_LINUX:
        return resident
    return sum(_proportional(process) for process in processes)


def _proportional(process: Process) -> float:
    """`Pss` of proc_pid_smaps(5): each shared page divided by the number of its users."""
    with suppress(OSError):
        for line in _read(f"/proc/{process.pid}/smaps_rollup").splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) / 1024
    return _resident_now(process)


def _resident_now(process: Process) -> float:
    """Where `Pss` cannot be read: nothing if the process has ended since, with what it shared."""
    with suppress(OSError, ValueError):
        row = _row_of_stat(process.pid, _read(f"/proc/{process.pid}/stat"))
        if row is not None and row.born == process.born:
            return row.resident
    return 0.0


def adopt_descendants() -> bool:
    """Become the parent of every descendant whose own parent dies, instead of the system's init.

    Returns
    -------
    bool
        Whether the system can (Linux: prctl(2), PR_SET_CHILD_SUBREAPER).
    """
    if not IS_LINUX:
        return False
    import ctypes  # noqa: PLC0415 - slow to load; the first job need not wait for it

    return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


class Children:
    """The calling process's own children, read again and again from one open file."""

    def __init__(self) -> None:
        self._file = -1
        with suppress(OSError):
            self._file = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY)

    def read(self) -> list[int]:
        """Pids, zombies among them; empty where the system does not tell."""
        if self._file < 0:
            return []
        return [int(pid) for pid in os.pread(self._file, 1 << 20, 0).split()]


def _read(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY)
    try:
        parts = []
        while part := os.read(file, 1 << 16):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(file)
