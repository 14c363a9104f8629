"""What the loop needs from the outside world: the four ports behind which fakes may stand.

All calls are made on the daemon's one asyncio thread and must not block it for longer than a local
system call; an executor that needs threads keeps them to itself and reports back through `Report`,
which may be called on the loop's thread only (use `loop.call_soon_threadsafe`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from nbbatch.model.events import AttemptExited, AttemptStarted, AttemptVanished, StartAttempt, StopAttempt

AttemptReport = AttemptStarted | AttemptExited | AttemptVanished
Report = Callable[[Sequence[AttemptReport]], None]
"""Hand reports to the loop; called with as many as came together, in order per attempt."""


class Clock(Protocol):
    """Where `now` comes from."""

    def now(self) -> int:
        """Epoch milliseconds, never going backwards within a process."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedAttempt:
    """An attempt the rows call STARTING or RUNNING when the daemon starts.

    `order` is what StartAttempt said, so that an attempt that was decided but never begun can be
    begun now.
    """

    order: StartAttempt
    was_running: bool


class Executor(Protocol):
    """Runs attempts. Each attempt's name is its job id and number.

    A started attempt leads to at most one AttemptStarted and exactly one AttemptExited or
    AttemptVanished, over any number of daemon restarts.
    """

    name: str
    runs_tasks: bool
    """Whether one attempt may be several containers."""

    async def adopt(self, expected: Sequence[ExpectedAttempt]) -> None:
        """Come up, then reconcile: called once, before any other call.

        For each expected attempt: still running -> adopt it (AttemptStarted, if it was not running
        in the rows); finished meanwhile -> AttemptExited with the true exit code; never begun ->
        start it; begun and vanished, or its exit code is lost -> make sure that nothing of it runs
        any more, then AttemptVanished. Whatever else of this daemon still runs is stopped and
        removed: its end is already in the rows.
        """
        ...

    def start(self, orders: Sequence[StartAttempt]) -> None:
        """Begin these attempts as soon as the machine has room, in this order."""
        ...

    def stop(self, orders: Sequence[StopAttempt]) -> None:
        """Stop these attempts; one that has ended already is left alone."""
        ...

    def settled(self, attempts: Sequence[AttemptExited]) -> None:
        """These ends are durable in the rows now: what was kept of them for recovery may go."""
        ...

    async def close(self) -> None:
        """Let go without stopping anything: attempts go on without the daemon."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEvent:
    """One line of a log stream; times are epoch ms, `offset` is the byte at which it begins."""

    timestamp: int
    message: str
    ingestion_time: int
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Lines and the byte offsets just before the first and just behind the last of them."""

    events: tuple[LogEvent, ...]
    start: int
    end: int


class LogSink(Protocol):
    """Log streams on disk: executors append raw bytes to `path`, readers page through lines."""

    def path(self, stream: str) -> str:
        """Absolute path of the file behind a stream; its folder exists afterwards."""
        ...

    def size(self, stream: str) -> int:
        """Bytes written so far; 0 when nothing was written yet."""
        ...
