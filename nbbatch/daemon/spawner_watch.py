"""Keeping hold of running attempts: their process groups, their memory, and what they leave behind.

An attempt is a session of its own, and a signal to its process group reaches nearly all of it. What
has moved to another group or session becomes a child of the spawner as soon as its own parent is
gone (on Linux), so that nothing outlives its attempt there; elsewhere only the group is sure.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Container, Iterator, Mapping
from contextlib import suppress

from nbbatch.daemon.admission import Name
from nbbatch.daemon.processes import (
    Children,
    adopt_descendants,
    families,
    marker,
    memory_of,
    orphans,
    process_table,
    start_clock,
)
from nbbatch.daemon.spawner_protocol import Order, name_in

_MAXRSS_PER_MIB = (1 << 20) if sys.platform == "darwin" else (1 << 10)
"""getrusage(2) counts bytes on macOS and KiB on Linux."""


class Child:
    """The first process of an attempt, not reaped yet.

    `started_at` is epoch ms, `born` by the start clock, `peak` the largest memory seen, in MiB.
    """

    __slots__ = ("born", "is_over_memory", "is_stopping", "is_unwanted", "order", "peak", "pid", "started_at")

    def __init__(self, order: Order, pid: int) -> None:
        self.order = order
        self.pid = pid
        self.started_at = epoch_ms()
        self.born = start_clock()
        self.peak = 0.0
        self.is_stopping = False
        self.is_over_memory = False
        self.is_unwanted = False


def epoch_ms() -> int:
    """Now, in AWS Batch's unit."""
    return time.time_ns() // 1_000_000


def mib_of(maxrss: int) -> float:
    """`ru_maxrss` in MiB."""
    return maxrss / _MAXRSS_PER_MIB


def signal_group(leader: int, number: signal.Signals) -> None:
    """Send a signal to an attempt's process group, if there still is one."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def end_hoarders(running: Mapping[int, Child], born_before: float) -> Iterator[Child]:
    """Measure attempts that were born before that time, and kill those that hold too much.

    Yields
    ------
    Child
        Each that was killed.
    """
    if all(child.born > born_before for child in running.values()):
        return
    for leader, family in families(process_table(), running).items():
        child = running[leader]
        if child.born > born_before:
            continue
        limit = child.order.memory_limit or sys.maxsize
        memory = memory_of(family, limit)
        child.peak = max(child.peak, memory)
        if memory > limit and not child.is_over_memory:
            child.is_over_memory = True
            signal_group(leader, signal.SIGKILL)
            for process in family:
                _kill(process.pid)
            yield child


class Strays:
    """Processes whose parent died inside an attempt; the kernel gives them to the spawner."""

    def __init__(self) -> None:
        self._children = Children() if adopt_descendants() else None

    @property
    def come_here(self) -> bool:
        """Whether the kernel does so."""
        return self._children is not None

    def end(self, running: Container[int], names: Container[Name], helpers: Container[int]) -> None:
        """Kill those whose attempt has ended.

        Parameters
        ----------
        running, names : containers
            Leaders and names of the attempts that still run.
        helpers : container of int
            Children that belong to the spawner itself.
        """
        if self._children is None:
            return
        for pid in self._children.read():
            if pid not in running and pid not in helpers and not _belongs(pid, running, names):
                _kill(pid)


def _belongs(pid: int, running: Container[int], names: Container[Name]) -> bool:
    """Whether a stray is part of a running attempt; without session and marker it cannot be told."""
    with suppress(ProcessLookupError):
        if os.getsid(pid) in running:
            return True
    with suppress(ValueError):
        return name_in(marker(pid)) in names
    return bool(running)


def end_orphans(leaders: Mapping[int, float], mark: str, patience: float) -> list[int]:
    """Kill what an earlier spawner's attempts have left, and wait until it is gone.

    Parameters
    ----------
    leaders : mapping of int to float
        Pid and start of attempts without a recorded end.
    patience : float
        Seconds after which a process that does not die (one stuck in the kernel) is left alone.

    Returns
    -------
    list of int
        Pids that were killed.
    """
    killed: dict[int, None] = {}
    until = time.monotonic() + patience
    while found := orphans(process_table(), leaders, mark):
        for process in found:
            killed[process.pid] = None
            _kill(process.pid)
        if time.monotonic() > until:
            break
        time.sleep(0.002)
    return list(killed)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
