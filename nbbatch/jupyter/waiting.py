"""Wait for a job in the cell's own thread: status, log lines as they come, and what ■ means.

The shared watcher's thread only rings; everything said is said here. The first interrupt lets go of
the job, tells how to find it again, and listens for two more seconds: a second one within them takes
the job back. Letting go any other way (a kernel restart, a closed browser) never touches the job.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from nbbatch.client.arrays.array_jobs import ArrayJob
from nbbatch.client.handles.account import Account
from nbbatch.client.handles.handle import Handle
from nbbatch.client.handles.outcome import Detail, short_id
from nbbatch.client.logs import LogReader
from nbbatch.client.told import Told
from nbbatch.errors import NbbatchError
from nbbatch.jupyter.console import Console
from nbbatch.jupyter.story import is_array, phase, status_line
from nbbatch.model.jobs import TERMINAL

SECOND_INTERRUPT = 2.0
"""Seconds after an interrupt in which another one takes the job back."""
_TICK = 1.0
"""Seconds between two frames of a running clock."""
_ASK_AGAIN = 5.0
"""Seconds between two questions about cost, or about why a job waits."""
_LONGEST_SILENCE = 60.0
"""Seconds between two questions for an array's notes, in the end, while there are none."""
_WAITING = ("PENDING", "RUNNABLE")
_TRACEBACK = ("Traceback (most recent call last)", "  + Exception Group Traceback (most recent call last)")
_HOLD = 1.5
"""Seconds a traceback in the log is held back."""


class DetachedError(KeyboardInterrupt):
    """The cell was interrupted while it waited; its job is not lost.

    A KeyboardInterrupt, so that Run All stops as for any interrupted cell.
    """

    def _render_traceback_(self) -> list[str]:
        """IPython's hook: the story has said everything already."""
        return [f"KeyboardInterrupt: {self}"]


@contextmanager
def nothing_sent_yet(console: Console) -> Iterator[None]:
    """While a cell is read and packed: an interrupt stops it, and it is said that there is no job.

    Raises
    ------
    DetachedError
        When interrupted.
    """
    try:
        yield
    except KeyboardInterrupt:
        console.line("interrupted: nothing was sent")
        raise DetachedError("nothing was sent") from None


class HeldInterrupts:
    """Keeps interrupts back while a job is sent: whether it arrived must be known before anything is said.

    Off the main thread none ever comes.
    """

    def __init__(self) -> None:
        self._before: Any = None
        self._has_come = False

    def release(self) -> None:
        """Let them through from here on; one that has come by now is raised."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None
        if self._has_come:
            self._has_come = False
            raise KeyboardInterrupt

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, _number: int, _frame: object) -> None:
        self._has_come = True


@dataclass(frozen=True, slots=True)
class Watched:
    """A job watched to its end.

    Parameters
    ----------
    detail : mapping
        Its final JobDetail.
    log : str
        What was shown of its log.
    held : str
        A traceback at the log's end that was not shown: the error that follows shows it.
    """

    detail: Detail
    log: str = ""
    held: str = ""


def follow(job: Handle, console: Console, held: HeldInterrupts | None = None) -> Watched:
    """Tell how a job goes until it has ended; interrupts `held` until here count as its own.

    Raises
    ------
    DetachedError
        When interrupted.
    NbbatchError
        When the job cannot be watched any more.
    """
    try:
        if held is not None:
            held.release()
        return _follow(job, console)
    except KeyboardInterrupt:
        raise let_go(job, console) from None


def let_go(job: Handle, console: Console) -> DetachedError:
    """Say that the job goes on and how to find it; a second interrupt in time takes it back."""
    name, seconds = short_id(job.id), SECOND_INTERRUPT
    try:
        console.line(f"interrupted: job {name} goes on · %batch attach {name} waits for it again")
        console.line(f"interrupt again within {seconds:g} s to stop the job")
        time.sleep(seconds)
    except KeyboardInterrupt:
        job.terminate("Interrupted twice in the notebook")
        console.line(f"job {name} is being stopped")
        return DetachedError(f"job {name} is being stopped")
    return DetachedError(f"job {name} goes on without this cell")


@contextmanager
def its_end(job: Handle | None, console: Console) -> Iterator[None]:
    """While what a job left is brought here: an interrupt stops that, and nothing of the job is lost.

    Raises
    ------
    DetachedError
        When interrupted.
    """
    try:
        yield
    except KeyboardInterrupt:
        if job is None:
            raise
        name, status = short_id(job.id), job.detail()["status"]
        console.line(f"interrupted: job {name} has ended, {status} · %batch attach {name} brings its result")
        raise DetachedError(f"job {name} has ended, {status}; its result is kept") from None


def _follow(job: Handle, console: Console) -> Watched:
    asked, log = _Asked(job), LogText(console)
    vigil = _Vigil(job)
    with vigil:
        while True:
            is_over = vigil.is_over
            lines, detail = vigil.read(), vigil.latest()
            asked.told.take(vigil.take_notes())
            if detail is not None and detail["status"] not in TERMINAL:
                account, why = asked.account(detail), asked.why(detail)
                said = status_line(
                    detail, time.time(), account, why, told=str(asked.told), items=asked.items(detail)
                )
                console.status(said, (phase(detail), asked.told.tenth))
            log.add(lines)
            if is_over and detail is not None:
                job.keep(detail)
                break
            vigil.wait(_TICK)
    return Watched(job.detail(), log.shown, log.held)


def items_of(job: Handle | None) -> int | None:
    """Items of an array that nbbatch made, for the story; None of any other job."""
    try:
        return len(job) if isinstance(job, ArrayJob) else None
    except NbbatchError:  # a bundle that is gone is told of when its results are asked for
        return None


class LogText:
    """Passes log lines on as they come, but for a traceback that may be the job's last words.

    Such a traceback is shown by the error that is raised then; if the job goes on, it was not.
    """

    def __init__(self, console: Console, now: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._now = now
        self._held_since = 0.0
        self._parts: list[str] = []
        self.held = ""

    @property
    def shown(self) -> str:
        """All that was passed on."""
        return "".join(self._parts)

    def add(self, lines: Sequence[str]) -> None:
        """Take the lines that came since the last call, perhaps none.

        They are passed on as one text: a kernel loses messages when there are thousands of them.
        """
        passed: list[str] = []
        for line in lines:
            if not self.held and line.startswith(_TRACEBACK):
                self._held_since = self._now()
                self.held = f"{line}\n"
            elif self.held:
                self.held += f"{line}\n"
            else:
                passed.append(f"{line}\n")
        if self.held and self._now() - self._held_since > _HOLD:
            passed.append(self.held)
            self.held = ""
        self._show("".join(passed))

    def _show(self, text: str) -> None:
        if not text:
            return
        self._parts.append(text)
        self._console.log(text)


class _Vigil(LogReader):
    """A log reader that also tells what the job is by now."""

    def latest(self) -> Detail | None:
        """The newest JobDetail, None before the first."""
        if self._error is not None:
            raise self._error
        return self._detail


@dataclass(slots=True)
class _Asked:
    """Answers that cost a question, asked now and then while they matter."""

    job: Handle
    told: Told = field(default_factory=Told)
    _account: Account | None = None
    _why: str = ""
    _status: Any = None
    _due: float = 0.0
    _notes_due: float = 0.0
    _silence: float = _ASK_AGAIN
    _heard: int | None = None

    def items(self, detail: Detail) -> int | None:
        return items_of(self.job) if is_array(detail) else None

    def account(self, detail: Detail) -> Account | None:
        self._refresh(detail)
        return self._account

    def why(self, detail: Detail) -> str:
        self._refresh(detail)
        return self._why

    def _refresh(self, detail: Detail) -> None:
        now, state = time.monotonic(), phase(detail)
        if state == self._status and now < self._due:
            return
        is_first_sight = state != self._status
        self._status, self._due = state, now + _ASK_AGAIN
        has_children = is_array(detail)
        is_waiting = detail["status"] in _WAITING and not has_children
        self._why = self.job.why() if is_waiting and not is_first_sight else ""
        self._account = self.job.account() if has_children or detail["status"] == "RUNNING" else None
        if has_children and now >= self._notes_due:
            self._hear(now)

    def _hear(self, now: float) -> None:
        """Ask what an array's children tell; more seldom while they tell nothing."""
        notes = self.job.notes(since=self._heard)
        self.told.take(notes)
        self._heard = notes[-1].time + 1 if notes else self._heard
        self._silence = _ASK_AGAIN if notes else min(2 * self._silence, _LONGEST_SILENCE)
        self._notes_due = now + self._silence
