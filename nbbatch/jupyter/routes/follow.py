"""Who waits for news of a board, and the one thread that listens for it as long as anybody waits."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from nbbatch.client.backend import Standing, hurried
from nbbatch.client.longpoll import LongPoll
from nbbatch.errors import BackendUnreachableError, NbbatchError
from nbbatch.jupyter.routes.board import Board
from nbbatch.jupyter.routes.problems import no_daemon

LONGEST_POLL = 25.0
REST = 0.15
"""Seconds in which what follows a change is gathered: nobody reads faster."""
LINGER = 5.0
SHORTEST_PAUSE, LONGEST_PAUSE, HIDDEN_PAUSE = 2.0, 20.0, 60.0
"""Seconds between two looks at an account: longer while nothing changes, and longest when nobody looks."""
GROWTH = 1.3
_log = logging.getLogger(__name__)


class Ear:
    """One waiting request; rung from the listening thread."""

    def __init__(self, *, is_hidden: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self.is_hidden = is_hidden
        self.error: NbbatchError | None = None

    def ring(self, error: NbbatchError | None = None) -> None:
        """Something happened; any thread may say so."""
        self.error = error
        self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float) -> bool:
        """Until it rings, or the time is up; whether it rang since the last call."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Follower:
    """Listens for changes of one board while somebody waits."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._lock = threading.Lock()
        self._ears: set[Ear] = set()
        self._poll: LongPoll | None = None
        self._pause = SHORTEST_PAUSE

    @property
    def is_awake(self) -> bool:
        """Whether the thread is there."""
        return self._poll is not None

    @contextmanager
    def listening(self, *, is_hidden: bool) -> Iterator[Ear]:
        """Have the thread ring an ear at every change."""
        ear = Ear(is_hidden=is_hidden)
        with self._lock:
            self._ears.add(ear)
            if self._poll is None:
                self._poll = LongPoll()
                threading.Thread(
                    target=self._listen, args=[self._poll], name="nbbatch-board", daemon=True
                ).start()
            elif not self._board.backend.tells_changes and not is_hidden:
                self._poll.wake()
        try:
            yield ear
        finally:
            with self._lock:
                self._ears.discard(ear)

    def _listen(self, poll: LongPoll) -> None:
        with hurried():
            self._run(poll)

    def _run(self, poll: LongPoll) -> None:
        told = self._board.version
        try:
            while self._is_wanted(poll):
                if self._board.version == told:  # else somebody's question brought what nobody was told yet
                    self._round(poll)
                if self._board.version != told:
                    told = self._board.version
                    self._tell()
                    poll.pause(REST)
        except NbbatchError as error:
            self._end(poll, error)
        except Exception as error:  # noqa: BLE001 - who waits must not wait for a dead thread
            _log.exception("The board's thread failed")
            lost = BackendUnreachableError(f"The server lost the backend: {type(error).__name__}.")
            self._end(poll, lost)
        finally:
            poll.close()

    def _end(self, poll: LongPoll, error: NbbatchError) -> None:
        """The thread is over, and why; whoever comes from here on gets a new one."""
        with self._lock:
            self._poll = None if self._poll is poll else self._poll
        self._tell(error)

    def _is_wanted(self, poll: LongPoll) -> bool:
        if not self._ears:
            poll.pause(LINGER)
        with self._lock:
            if not self._ears:
                self._poll = None
            return bool(self._ears)

    def _round(self, poll: LongPoll) -> None:
        backend = self._board.backend
        if not backend.tells_changes:
            self._look(poll)
            return
        question = {"cursor": self._board.cursor, "timeoutMs": round(1000 * LONGEST_POLL)}
        try:
            answer = poll.ask(backend, "changes", question, patience=LONGEST_POLL)
        except BackendUnreachableError as error:
            if backend.standing() is Standing.STOPPED:
                raise no_daemon(Standing.STOPPED) from error
            if not self._ears:  # nobody waits any more: a daemon is not started for nobody
                return
            backend.renew(start=False)  # a daemon that died is started again, as by every client
            return
        if answer is not None:
            self._board.absorb(answer)

    def _look(self, poll: LongPoll) -> None:
        with self._lock:
            is_hidden = all(ear.is_hidden for ear in self._ears)
        poll.pause(HIDDEN_PAUSE if is_hidden else self._pause)
        version = self._board.version
        self._board.catch_up(is_forced=True)
        has_changed = self._board.version != version
        self._pause = SHORTEST_PAUSE if has_changed else min(GROWTH * self._pause, LONGEST_PAUSE)

    def _tell(self, error: NbbatchError | None = None) -> None:
        with self._lock:
            ears = list(self._ears)
        for ear in ears:
            ear.ring(error)
