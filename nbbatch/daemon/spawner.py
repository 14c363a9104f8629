"""The small process that runs jobs as processes, and outlives the daemon.

One thread, one selector loop. Orders wait here for room on the machine, so that the next child
starts the moment one ends, without asking anybody. A turn of the loop reaps, begins what there is
room for, and only then reports; each step is in the journal or in `run/exits` before the next, so
that whoever dies at whatever moment, the next spawner and the next daemon can tell never begun from
begun, and an end from a loss. When a spawner was killed, its successor first kills what is left of
its attempts: without their parent, their exit codes are lost.
"""

from __future__ import annotations

import fcntl
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from nbbatch.daemon.processes import start_clock
from nbbatch.daemon.spawner_attempts import Attempts
from nbbatch.daemon.spawner_journal import Journal, Past, read_past
from nbbatch.daemon.spawner_launch import Launcher, Scratch
from nbbatch.daemon.spawner_peer import Peer, is_own_user
from nbbatch.daemon.spawner_protocol import PROTOCOL, Order, RunFiles, line_of, message_of
from nbbatch.daemon.spawner_watch import end_orphans

TYPE_CHECKING = False  # as typing has it, which takes long to load
if TYPE_CHECKING:
    from typing import Any

_REPORT_SECONDS = 0.008
"""While orders wait, reports are held back this long, so that many travel together."""

_LONGEST_SLEEP = 3600.0
_LOCK_SECONDS = 2.0
_ORPHAN_SECONDS = 30.0


class Spawner:
    """The loop: connections in, steps of the attempts, reports out.

    Parameters
    ----------
    attempts : Attempts
        What the loop turns.
    listener : socket.socket
        Where daemons connect.
    idle_seconds : float
        How long it stays without an attempt and without a daemon.
    """

    def __init__(self, attempts: Attempts, listener: socket.socket, idle_seconds: float) -> None:
        self._attempts = attempts
        self._idle_seconds = idle_seconds
        self._idle_since = time.monotonic()
        self._reported_at = 0.0
        self._child_has_ended = True
        self._daemon: Peer | None = None
        self._selector = selectors.DefaultSelector()
        self._listener = listener
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, self._on_connection)
        self._wakes = _wake_on_child()
        self._selector.register(self._wakes, selectors.EVENT_READ, self._on_wake)

    def run(self) -> None:
        """Turn until there has been nothing to do, and no daemon, for the idle time."""
        while not self._is_over():
            for key, _ in self._selector.select(self._timeout()):
                key.data()
            self._turn()
        self._attempts.close()

    def _turn(self) -> None:
        attempts = self._attempts
        if self._child_has_ended:
            self._child_has_ended = False
            attempts.on_child()
        attempts.on_time(time.monotonic())
        attempts.admit()
        attempts.write_ends()
        self._report()

    def _report(self) -> None:
        """Tell the daemon; in a rush, not more often than every few milliseconds."""
        now = start_clock()
        if self._daemon is None or now < self._report_at():
            return
        self._reported_at = now
        started, ended = self._attempts.take_reports(now)
        self._daemon.send(f'["reports",[{",".join(started)}],[{",".join(ended)}]]\n'.encode())

    def _report_at(self) -> float:
        due = self._attempts.reports_due()
        return max(due, self._reported_at + _REPORT_SECONDS) if self._attempts.has_backlog else due

    def _timeout(self) -> float:
        now = time.monotonic()
        left = self._attempts.due() - now
        if self._daemon is not None:
            left = min(left, self._report_at() - start_clock())
        elif self._attempts.is_idle:
            left = min(left, self._idle_since + self._idle_seconds - now)
        return min(max(0.0, left), _LONGEST_SLEEP)

    def _is_over(self) -> bool:
        if self._daemon is not None or not self._attempts.is_idle:
            self._idle_since = time.monotonic()
            return False
        return time.monotonic() - self._idle_since >= self._idle_seconds

    def _on_wake(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._wakes, 1 << 12)
        self._child_has_ended = True

    def _on_connection(self) -> None:
        with suppress(BlockingIOError, ConnectionError):
            connection, _ = self._listener.accept()
            if is_own_user(connection):
                Peer(connection, self._selector, self._on_line, self._on_gone)
            else:
                connection.close()
                log("refused a connection of another user")

    def _on_gone(self, peer: Peer) -> None:
        if peer is self._daemon:
            self._daemon = None

    def _on_line(self, peer: Peer, line: bytes) -> None:
        try:
            word, rest = message_of(line)
            self._on_message(peer, word, rest)
        except Exception:  # noqa: BLE001 - no message may end the process that holds all jobs
            sys.excepthook(*sys.exc_info())

    def _on_message(self, peer: Peer, word: str, rest: Sequence[Any]) -> None:
        attempts = self._attempts
        if word == "hello":
            self._on_hello(peer, rest[0])
        elif peer is not self._daemon:
            log(f"left out a {word!r} from somebody who is not the daemon now")
        elif word == "start":
            for fields in rest[0]:
                attempts.on_start(Order(*fields))
        elif word == "stop":
            for job_id, attempt, grace in rest[0]:
                attempts.on_stop((job_id, attempt), grace)
        elif word == "settled":
            attempts.on_settled([(job_id, attempt) for job_id, attempt in rest[0]])

    def _on_hello(self, peer: Peer, hello: dict[str, Any]) -> None:
        welcome: dict[str, object] = {"protocol": PROTOCOL, "pid": os.getpid()}
        if hello["protocol"] != PROTOCOL:
            peer.send(line_of("welcome", welcome))
            return
        if self._daemon is not None and self._daemon is not peer:
            log("another daemon takes over")
            self._daemon.send(line_of("replaced"))
            self._daemon.close()
        self._daemon = peer
        peer.send(line_of("welcome", welcome | self._attempts.on_hello(hello)))
        self._attempts.keep_strays()


def log(text: str) -> None:
    """One line into `run/spawner.log`; never a command or an environment. A full disk gets none."""
    with suppress(OSError):
        os.write(2, f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {os.getpid()} {text}\n".encode())


def _wake_on_child() -> int:
    """A descriptor that becomes readable when a child has ended."""
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return reading


def _take_lock(files: RunFiles) -> int:
    """Be the only spawner of this home; one that nobody can reach any more has to go.

    The socket of a living spawner may be gone (somebody cleaned up), which is why its successor was
    started. Its lock says that it lives; its pid is in the locked file.
    """
    file = os.open(files.pid, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                _end_holder(os.pread(file, 32, 0))
                until += _LOCK_SECONDS
            time.sleep(0.002)
        else:
            os.ftruncate(file, 0)
            os.pwrite(file, b"%d\n" % os.getpid(), 0)
            return file


def _end_holder(pid: bytes) -> None:
    with suppress(ValueError, ProcessLookupError):
        log(f"ends spawner {int(pid)}, which holds the lock and cannot be reached")
        os.kill(int(pid), signal.SIGKILL)


def _end_leftovers(past: Past, mark: str) -> None:
    leaders = {pid: born for pid, born in (past.begun[name] for name in past.lost) if pid}
    killed = end_orphans(leaders, mark, _ORPHAN_SECONDS)
    if killed:
        log(f"killed {len(killed)} processes of an earlier spawner")


def main(arguments: Sequence[str]) -> None:
    """Be the spawner of a home.

    Parameters
    ----------
    arguments : sequence of str
        Home folder, the home's mark, the listening socket's descriptor, idle seconds.
    """
    home, mark, listener, idle_seconds = arguments
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGXCPU):
        signal.signal(number, signal.SIG_IGN)
    os.umask(0o022)
    os.set_inheritable(int(listener), False)  # or every job would keep it open
    files = RunFiles(home)
    lock = _take_lock(files)
    past = read_past(files)
    journal = Journal(files, past)
    _end_leftovers(past, mark)
    scratch = Scratch(files.scratch)
    attempts = Attempts(journal, past, Launcher(mark, scratch), scratch, log)
    Spawner(attempts, socket.socket(fileno=int(listener)), float(idle_seconds)).run()
    os.close(lock)
