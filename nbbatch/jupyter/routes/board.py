"""The list of a backend's jobs as this server knows it: loaded in large pages, then kept by what changed.

One board serves all tabs. A question first lets it catch up, which is one small call where the backend
tells what changed, and for an AWS account at most one look every few seconds. While somebody waits for
news one thread listens for changes; when nobody does it goes, so that an idle sidebar costs nothing.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import Any, NamedTuple

from nbbatch.client.backend import Backend
from nbbatch.client.capacity import queue_names
from nbbatch.client.handles.outcome import Detail
from nbbatch.client.summaries import describe_all
from nbbatch.errors import BackendUnreachableError, OptionError
from nbbatch.jupyter.routes.rows import row_of, same
from nbbatch.jupyter.routes.shapes import JobRow
from nbbatch.model.jobs import TERMINAL

FRESH_SECONDS = 2.0
"""For so long what an account told is taken for what is."""
MOST_DESCRIBED = 300
"""When more jobs changed at once, pages are quicker than asking for each."""
MOST_GROWTH = 20
"""Pages that one question may load."""
FIRST_PAGE, LATER_PAGE = 200, 1000
"""Jobs of a queue that are loaded at first, more than a list asks for then, and when somebody goes on."""
_RECENTLY = 300.0
"""Seconds in which a job can have come and ended between two looks."""
_GONE_KEPT = 10_000
_DIGITS = 15

Place = tuple[int, str]
"""Where a row stands in the list: when it was submitted, and its id."""


class Page(NamedTuple):
    """Rows in order, the place behind the last one (None at the end), and how many match so far."""

    rows: list[JobRow]
    after: Place | None
    total: int
    is_exact: bool


class Changed(NamedTuple):
    """Rows that changed after a version, ids that went, rows that ended, and the version now."""

    rows: list[JobRow]
    gone: list[str]
    ended: list[JobRow]
    version: int


@dataclass(slots=True)
class _Queue:
    """How far a queue's jobs are loaded: down to `oldest`, the next page begins at `before`."""

    before: Any = None
    oldest: float = float("inf")
    is_complete: bool = False


@dataclass(slots=True)
class _Known:
    """Rows by id, the last changed one last, with the version of its last change and of its end."""

    rows: dict[str, JobRow] = field(default_factory=dict)
    versions: OrderedDict[str, int] = field(default_factory=OrderedDict)
    ends: OrderedDict[str, int] = field(default_factory=OrderedDict)
    gone: OrderedDict[str, int] = field(default_factory=OrderedDict)
    version: int = 0


class Board:
    """The jobs of one backend; any thread may ask.

    Parameters
    ----------
    backend : Backend
        Where they are.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.name = secrets.token_hex(4)
        self._lock = threading.RLock()
        self._known = _Known()
        self._queues: dict[str, _Queue] = {}
        self._order: list[JobRow] | None = None
        self._cursor: int | None = None
        self._looked = self._failed = float("-inf")
        self._failure: BackendUnreachableError | None = None
        self._costs: dict[str, float] = {}
        self._failures: dict[str, tuple[int, dict[str, int]]] = {}

    @property
    def version(self) -> int:
        """Grows with every change."""
        return self._known.version

    @property
    def queues(self) -> list[str]:
        """Names of the queues, as they were when it was last looked."""
        return sorted(self._queues)

    @property
    def cursor(self) -> int | None:
        """Behind the last change that is known, by the daemon's numbers."""
        return self._cursor

    def catch_up(self, *, is_forced: bool = False) -> None:
        """Know what happened until now."""
        with self._lock:
            if self.backend.tells_changes:
                body = {"cursor": self._cursor, "timeoutMs": 0}
                self.absorb(self.backend.private("changes", body))
            elif is_forced or time.monotonic() - self._looked > FRESH_SECONDS:
                self._try_to_look()

    def expire(self) -> None:
        """What an account told is not what is any more: something was asked of it."""
        self._looked = self._failed = float("-inf")

    def _try_to_look(self) -> None:
        """That nobody answered holds for a moment, too: whoever asked meanwhile need not wait as long again."""
        if self._failure is not None and time.monotonic() - self._failed < FRESH_SECONDS:
            raise BackendUnreachableError(self._failure.message, cure=self._failure.cure)
        try:
            self._look()
        except BackendUnreachableError as error:
            self._failed, self._failure = time.monotonic(), error
            raise

    def absorb(self, answer: Any) -> None:
        """Take what the daemon said has changed."""
        with self._lock:
            changed: list[str] = answer["changed"]
            if answer["missed"] or len(changed) > MOST_DESCRIBED:
                self._reload()
            elif changed:
                found = describe_all(self.backend, changed)
                self._take(found, is_news=True)
                self._drop(set(changed) - {one["jobId"] for one in found})
            self._cursor = answer["cursor"]

    def page(self, wanted: Callable[[JobRow], bool], limit: int, after: Place | None = None) -> Page:
        """Rows that are wanted, newest first, from behind a place on; loads what it needs."""
        for _ in range(MOST_GROWTH):
            with self._lock:
                is_complete, horizon = self._is_complete(), int(self._horizon())
                matching = [row for row in self._listed() if wanted(row)]
                safe = [
                    row
                    for row in matching
                    if row.created > horizon and (after is None or _place(row) < after)
                ]
                if len(safe) > limit or is_complete or not self._grow():
                    break
        rows = safe[:limit]
        place: Place | None = None
        if len(safe) > limit:
            place = _place(rows[-1])
        elif not is_complete:
            place = (horizon + 1, "")  # of jobs of one millisecond some may not be loaded yet
        return Page(rows, place, len(matching), is_complete)

    def count(self, wanted: Callable[[JobRow], bool]) -> tuple[int, bool]:
        """How many rows are wanted of those that are loaded, and whether that are all."""
        with self._lock:
            return sum(map(wanted, self._known.rows.values())), self._is_complete()

    def changed_after(self, version: int) -> Changed:
        """What changed after a version."""
        with self._lock:
            known = self._known
            ids = list(_newer(known.versions, version))
            ended = [known.rows[job_id] for job_id in _newer(known.ends, version) if job_id in known.rows]
            gone = [job_id for job_id in _newer(known.gone, version) if job_id not in known.rows]
            return Changed([known.rows[job_id] for job_id in ids], gone, ended, known.version)

    def row(self, job_id: str) -> JobRow | None:
        """A job's row, as it was when it was last looked."""
        return self._known.rows.get(job_id)

    def dressed(self, rows: Sequence[JobRow]) -> list[JobRow]:
        """The rows with what costs a call more: dollars, and how children failed."""
        from nbbatch.jupyter.routes.dress import dress  # noqa: PLC0415 - it stands beside this module

        return dress(self.backend, rows, self._costs, self._failures)

    def _reload(self) -> None:
        """The newest of each queue again, as far back as was known; what is not there any more went."""
        depth = self._horizon() if self._queues else float("inf")
        self._queues = {name: _Queue() for name in queue_names(self.backend)}
        seen: set[str] = set()
        for name in self._queues:
            seen |= self._load(name)
        for _ in range(MOST_GROWTH):
            least = self._least_known()
            if depth >= self._horizon() or least is None:
                break
            seen |= self._load(least)
        if self._known.rows:
            horizon = self._horizon()
            known = [row for row in self._known.rows.values() if row.created >= horizon]
            self._drop({row.id for row in known} - seen)
            self._forget([row for row in self._known.rows.values() if row.created < horizon])
        self._looked = time.monotonic()

    def _forget(self, rows: Sequence[JobRow]) -> None:
        """Rows that are loaded again when somebody scrolls there; whoever shows them has to ask anew."""
        for row in rows:
            del self._known.rows[row.id]
            self._known.versions.pop(row.id, None)
        if rows:
            self.name, self._order = secrets.token_hex(4), None

    def _look(self) -> None:
        """An account's newest jobs, and what became of those that had not ended."""
        if not self._queues:
            self._reload()
            return
        seen: set[str] = set()
        for name in queue_names(self.backend):
            if name not in self._queues:
                seen |= self._load(name)
                continue
            jobs = self.backend.private("listing", {"jobQueue": name})["jobs"]
            self._take(jobs, is_news=True)
            seen |= {one["jobId"] for one in jobs}
        going = [row.id for row in self._known.rows.values() if row.status not in TERMINAL]
        left = [job_id for job_id in going if job_id not in seen]
        found = describe_all(self.backend, left)
        self._take(found)
        self._drop(set(left) - {one["jobId"] for one in found})
        self._looked = time.monotonic()

    def _grow(self) -> bool:
        """Load a page of the queue that is known least far back; whether there was one."""
        name = self._least_known()
        if name is None:
            return False
        self._load(name)
        return True

    def _least_known(self) -> str | None:
        """The queue of which the fewest days are loaded; None where all are complete."""
        open_ = [name for name, one in self._queues.items() if not one.is_complete]
        return max(open_, key=lambda name: self._queues[name].oldest, default=None)

    def _load(self, name: str) -> set[str]:
        queue = self._queues.setdefault(name, _Queue())
        body: dict[str, Any] = {"jobQueue": name, "limit": LATER_PAGE if queue.before else FIRST_PAGE}
        if queue.before:
            body["before"] = queue.before
        answer = self.backend.private("listing", body)
        jobs: list[Detail] = answer["jobs"]
        self._take(jobs, name)
        queue.before = answer["next"]
        queue.is_complete = not queue.before
        queue.oldest = min([one["createdAt"] for one in jobs], default=queue.oldest)
        return {one["jobId"] for one in jobs}

    def _horizon(self) -> float:
        """Nothing younger than this is missing."""
        return max((one.oldest for one in self._queues.values() if not one.is_complete), default=0)

    def _is_complete(self) -> bool:
        return all(one.is_complete for one in self._queues.values())

    def _listed(self) -> list[JobRow]:
        if self._order is None:
            self._order = sorted(self._known.rows.values(), key=_place, reverse=True)
        return self._order

    def _take(self, details: Iterable[Detail], queue: str = "", *, is_news: bool = False) -> None:
        fresh = [row_of(detail, queue) for detail in details]
        fresh = [row for row in fresh if (old := self._known.rows.get(row.id)) is None or not same(old, row)]
        if not fresh:
            return
        known = self._known
        known.version += 1
        for row in fresh:
            if _has_ended(known.rows.get(row.id), row, is_news=is_news):
                _note(known.ends, row.id, known.version)
            known.rows[row.id] = row
            known.gone.pop(row.id, None)
            _note(known.versions, row.id, known.version)
        self._order = None

    def _drop(self, ids: set[str]) -> None:
        known = self._known
        mine = [job_id for job_id in ids if known.rows.pop(job_id, None) is not None]
        if not mine:
            return
        known.version += 1
        for job_id in mine:
            known.versions.pop(job_id, None)
            _note(known.gone, job_id, known.version)
        self._order = None


def _has_ended(old: JobRow | None, row: JobRow, *, is_news: bool) -> bool:
    """Whether a row tells of an end; one that is new does when its job was over before anybody looked."""
    if row.status not in TERMINAL:
        return False
    if old is not None:
        return old.status not in TERMINAL
    return is_news and row.stopped is not None and row.stopped > 1000 * (time.time() - _RECENTLY)


def _place(row: JobRow) -> Place:
    return row.created, row.id


def _note(versions: OrderedDict[str, int], job_id: str, version: int) -> None:
    versions[job_id] = version
    versions.move_to_end(job_id)
    if len(versions) > _GONE_KEPT * 10:
        versions.popitem(last=False)


def _newer(versions: OrderedDict[str, int], version: int) -> Iterator[str]:
    return takewhile(lambda job_id: versions[job_id] > version, islice(reversed(versions), None))


def parse_cursor(text: str, board: Board) -> int | None:
    """The version that a cursor means; None where it is another board's."""
    name, _, version = text.rpartition("-")
    if name != board.name or not version.isdecimal():
        return None
    return int(version)


def write_cursor(board: Board, version: int) -> str:
    """A version as a cursor."""
    return f"{board.name}-{version}"


def parse_token(text: str) -> Place | None:
    """The place that a page's token means.

    Raises
    ------
    OptionError
        It is none.
    """
    if not text:
        return None
    created, _, job_id = text.partition(".")
    if not created.isdecimal() or len(created) > _DIGITS:
        raise OptionError(f"page: {text[:60]!r} is not one that an earlier page gave.")
    return int(created), job_id


def write_token(place: Place | None) -> str:
    """A place as a token; empty for none."""
    return "" if place is None else f"{place[0]}.{place[1]}"
