"""One shared watcher for all handles of a process: who waits is woken, nobody polls by himself.

Each backend has at most one watcher thread; it lives while somebody waits. On the local backend it
keeps one long poll open that the daemon answers when something changed, so nothing on the way to a
result waits for a tick; on AWS it asks DescribeJobs with growing pauses. Either way DescribeJobs, a
hundred ids a call, is what listeners are told. The idea is submitit's shared watcher.

The thread never prints and never raises into anybody's cell: listeners get details or an error.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from nbbatch.client.backend import Backend
from nbbatch.client.handles.nodes import with_main_nodes
from nbbatch.client.handles.outcome import Detail
from nbbatch.client.longpoll import LongPoll
from nbbatch.client.summaries import IDS_PER_CALL, batches
from nbbatch.errors import BackendError, NbbatchError, UnknownNameError
from nbbatch.model.jobs import TERMINAL

LONGEST_POLL = 25.0
"""Seconds a long poll stays open; the daemon's own limit is 30."""
LINGER = 5.0
"""Seconds the thread stays after the last waiter left, for the next one."""
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 10.0
"""Seconds between two looks at AWS: longer while nothing changes."""
GROWTH = 1.1
"""By so much, which makes a pause a tenth of what was waited already: nobody waits much longer for it."""
LONGEST_REST = 0.25
"""Seconds at most in which the changes of an array's children are gathered into one look."""
REST_SHARE = 0.1
"""Part of the time already waited that gathering may add, so that short arrays lose nothing."""
APPEARANCE = 30.0
"""Seconds after which a job that AWS does not show yet counts as unknown."""
PATIENCE = 60.0
"""Seconds the backend may stay away before those who wait are told."""

_log = logging.getLogger(__name__)


class Listener(Protocol):
    """Who wants to know about a job; called on the watcher's thread, so it must be quick."""

    def on_change(self, detail: Detail) -> None:
        """The job is this now; called at once with what it is, and last when it ended."""

    def on_failure(self, error: NbbatchError) -> None:
        """The job cannot be watched (any more); nothing will follow."""


@dataclass(eq=False, slots=True, kw_only=True)
class Watch:
    """One listener's interest in one job, until the job ends or `close()`."""

    job_id: str
    listener: Listener
    watcher: Watcher
    since: float = field(default_factory=time.monotonic)
    told: Detail | None = None

    def close(self) -> None:
        """Lose interest; the listener is not called again, except by a call under way."""
        self.watcher.forget(self)


@dataclass(eq=False, slots=True, kw_only=True)
class StreamWatch:
    """A reader's wish to be woken when a log stream is longer than what it has seen."""

    stream: str
    seen: int
    wake: Callable[[], object]


@dataclass(eq=False, slots=True)
class _Interest:
    """All that is watched; guarded by the watcher's lock.

    `rests` says until when the changes of an array are gathered.
    """

    watches: dict[str, list[Watch]] = field(default_factory=dict)
    rests: dict[str, float] = field(default_factory=dict)
    streams: list[StreamWatch] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.watches or self.streams)

    def new_ids(self) -> list[str]:
        """Jobs of which some listener was told nothing yet."""
        return [
            job_id for job_id, watches in self.watches.items() if any(one.told is None for one in watches)
        ]

    def take_rested(self, now: float) -> list[str]:
        """Arrays that have rested: what they did meanwhile is behind the cursor, so they are looked at."""
        rested = [job_id for job_id, until in self.rests.items() if until <= now]
        for job_id in rested:
            del self.rests[job_id]
        return rested

    def drop(self, job_id: str) -> list[Watch]:
        """Forget a job; returns who watched it."""
        self.rests.pop(job_id, None)
        return self.watches.pop(job_id, [])


class Watcher:
    """Watches jobs and log streams of one backend on one thread; see `watcher_of`."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._lock = threading.Lock()
        self._interest = _Interest()
        self._poll: LongPoll | None = None
        self._cursor: int | None = None
        self._pause = SHORTEST_PAUSE
        self._failing_since: float | None = None

    @property
    def is_awake(self) -> bool:
        """Whether the thread is there."""
        return self._poll is not None

    def watch(self, job_id: str, listener: Listener) -> Watch:
        """Tell `listener` what the job is now, and at every change until it ended."""
        watch = Watch(job_id=job_id, listener=listener, watcher=self)
        with self._lock:
            self._interest.watches.setdefault(job_id, []).append(watch)
            self._wake()
        return watch

    def watch_stream(self, watch: StreamWatch) -> None:
        """Wake the reader once, when its stream has grown; local backends only."""
        with self._lock:
            self._interest.streams.append(watch)
            self._wake()

    def forget(self, watch: Watch) -> None:
        """Take a watch out; the last one of a job ends the looking at it."""
        with self._lock:
            left = [other for other in self._interest.watches.get(watch.job_id, ()) if other is not watch]
            if left:
                self._interest.watches[watch.job_id] = left
            else:
                self._interest.drop(watch.job_id)

    def forget_stream(self, watch: StreamWatch) -> None:
        """The reader does not want to be woken any more."""
        with self._lock:
            self._interest.streams = [other for other in self._interest.streams if other is not watch]

    def _wake(self) -> None:
        """Make the thread look again, starting it where there is none; called with the lock held."""
        self._pause = SHORTEST_PAUSE
        if self._poll is not None:
            self._poll.wake()
            return
        self._poll = LongPoll()
        threading.Thread(target=self._run, args=[self._poll], name="nbbatch-watch", daemon=True).start()

    def _run(self, poll: LongPoll) -> None:
        try:
            while self._is_wanted(poll):
                self._attempt_round(poll)
        finally:
            with self._lock:
                self._poll = None if self._poll is poll else self._poll
            poll.close()

    def _is_wanted(self, poll: LongPoll) -> bool:
        """Whether to go on: somebody waits, or came within the time of grace."""
        if not self._interest:
            poll.pause(LINGER)
        with self._lock:
            if not self._interest:
                self._poll = None
            return bool(self._interest)

    def _attempt_round(self, poll: LongPoll) -> None:
        try:
            self._round(poll)
            self._failing_since = None
        except BackendError as error:
            self._cursor = None
            self._bear(poll, error)
        except NbbatchError as error:
            self._give_up(error)
        except Exception as error:  # noqa: BLE001 - who waits must not wait for a dead thread
            _log.exception("The watcher failed")
            self._give_up(BackendError(f"The watcher failed: {error!r}.", cure="Please report it."))

    def _bear(self, poll: LongPoll, error: BackendError) -> None:
        """Wait for a backend that went away, as long as patience lasts."""
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        if now - self._failing_since > PATIENCE:
            self._failing_since = None
            self._give_up(error)
        else:
            poll.pause(min(2.0, 0.05 + (now - self._failing_since) / 4))

    def _give_up(self, error: NbbatchError) -> None:
        with self._lock:
            watches = [watch for every in self._interest.watches.values() for watch in every]
            streams = self._interest.streams
            self._interest = _Interest()
        for watch in watches:
            _call(watch.listener.on_failure, error)
        for stream in streams:
            _call(stream.wake)

    def _round(self, poll: LongPoll) -> None:
        """Look once: wait until something may have changed, ask what it is, tell it.

        A daemon that died is started again; one that the user stopped is waited for.
        """
        backend = self._backend
        if self._failing_since is not None:
            backend.renew(start=False)
        with self._lock:
            new = self._interest.new_ids()
            has_others = len(new) < len(self._interest.watches)
            ids = [*new, *self._interest.take_rested(time.monotonic())]
        if new and not has_others and backend.tells_changes:
            self._cursor = self._newest_cursor(backend, poll)
        if not ids or self._cursor is None:
            ids = self._wait_locally(backend, poll) if backend.tells_changes else self._wait_remotely(poll)
        for batch in batches(ids, IDS_PER_CALL):
            with backend.errors():
                details = backend.batch.describe_jobs(jobs=batch)["jobs"]
            for detail in with_main_nodes(backend, details):
                self._tell(detail["jobId"], detail)
            self._tell_missing(set(batch) - {detail["jobId"] for detail in details}, backend)

    def _wait_locally(self, backend: Backend, poll: LongPoll) -> list[str]:
        """Ids that changed, by the daemon's word; none when woken because new ones came.

        A new job is described before it is part of a long poll. The poll's cursor is older than that
        look, so nothing that happens in between is missed.
        """
        question, longest = self._question(time.monotonic())
        reply = poll.ask(backend, "watch", question | {"timeoutMs": round(1000 * longest)}, patience=longest)
        if reply is None:
            return []
        self._cursor = reply["cursor"]
        self._wake_readers(reply["grown"])
        changed: list[str] = reply["changed"]
        return changed

    def _newest_cursor(self, backend: Backend, poll: LongPoll) -> int | None:
        """Where to go on from when all jobs are new; an older one would tell of them what is known then."""
        question: dict[str, Any] = {"cursor": None, "jobIds": [], "streams": {}, "timeoutMs": 0}
        reply = poll.ask(backend, "watch", question, patience=LONGEST_POLL)
        return None if reply is None else int(reply["cursor"])

    def _question(self, now: float) -> tuple[dict[str, Any], float]:
        with self._lock:
            interest = self._interest
            question = {
                "cursor": self._cursor,
                "jobIds": [job_id for job_id in interest.watches if job_id not in interest.rests],
                "streams": {watch.stream: watch.seen for watch in interest.streams},
            }
            return question, min(
                [LONGEST_POLL, *(max(0.0, until - now) for until in interest.rests.values())]
            )

    def _wait_remotely(self, poll: LongPoll) -> list[str]:
        """All ids, after a pause that grows while nothing changes; new ones are looked at at once."""
        with self._lock:
            is_new = bool(self._interest.new_ids())
            pause, self._pause = self._pause, min(GROWTH * self._pause, LONGEST_PAUSE)
        if not is_new:
            poll.pause(pause)
        with self._lock:
            return list(self._interest.watches)

    def _wake_readers(self, grown: Iterable[str]) -> None:
        names = set(grown)
        with self._lock:
            woken = [watch for watch in self._interest.streams if watch.stream in names]
            self._interest.streams = [watch for watch in self._interest.streams if watch.stream not in names]
        for watch in woken:
            _call(watch.wake)

    def _tell(self, job_id: str, detail: Detail) -> None:
        with self._lock:
            watches = [watch for watch in self._interest.watches.get(job_id, ()) if watch.told != detail]
            for watch in watches:
                watch.told = detail
            if detail["status"] in TERMINAL:
                self._interest.drop(job_id)
            elif watches:
                self._pause = SHORTEST_PAUSE
            self._let_rest(job_id)
        for watch in watches:
            _call(watch.listener.on_change, detail)

    def _let_rest(self, job_id: str) -> None:
        """Gather what an array's children do next: a thousand of them may end within a second.

        The daemon calls a child changed when any child of its array did.
        """
        watches = self._interest.watches.get(job_id)
        is_of_array = ":" in job_id or any(
            "statusSummary" in (one.told or {}).get("arrayProperties", {}) for one in watches or ()
        )
        if watches and is_of_array:
            now = time.monotonic()
            self._interest.rests[job_id] = now + min(LONGEST_REST, REST_SHARE * (now - watches[0].since))

    def _tell_missing(self, job_ids: Iterable[str], backend: Backend) -> None:
        """Jobs that are not there; on AWS a new one may take a while to appear."""
        latest = time.monotonic() - (0.0 if backend.tells_changes else APPEARANCE)
        for job_id in job_ids:
            error = UnknownNameError(
                f"Backend {backend.name!r} knows no job {job_id!r}.", cure="Its record may have expired."
            )
            for watch in self._drop_missing(job_id, latest):
                _call(watch.listener.on_failure, error)

    def _drop_missing(self, job_id: str, latest: float) -> list[Watch]:
        with self._lock:
            watches = self._interest.watches.get(job_id, ())
            return [] if any(watch.since > latest for watch in watches) else self._interest.drop(job_id)


def _call(function: Callable[..., object], *arguments: object) -> None:
    """Call a listener; its error is the listener's own and must not end the watching of others."""
    try:
        function(*arguments)
    except Exception:  # noqa: BLE001 - see above
        _log.exception("A job's callback raised")


_watchers: dict[tuple[Any, ...], Watcher] = {}
_watchers_lock = threading.Lock()


def watcher_of(backend: Backend) -> Watcher:
    """The process's one watcher of a backend."""
    with _watchers_lock:
        return _watchers.setdefault(_identity(backend), Watcher(backend))


def _identity(backend: Backend) -> tuple[Any, ...]:
    return (backend.name, backend.identity)


def _start_afresh() -> None:
    """A forked child has none of the parent's threads, and perhaps a lock that one of them held."""
    global _watchers_lock  # noqa: PLW0603 - a lock cannot be made new in place
    _watchers_lock = threading.Lock()
    _watchers.clear()


os.register_at_fork(after_in_child=_start_afresh)
