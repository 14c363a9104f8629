"""Answers about the list: a page of it, what changed in it, and waiting for that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from nbbatch.client.handles.outcome import Outcome, in_words
from nbbatch.client.options import suggestion
from nbbatch.client.summaries import describe_all
from nbbatch.errors import OptionError, UnknownNameError
from nbbatch.jupyter.routes.asked import Asked
from nbbatch.jupyter.routes.board import (
    Board,
    Changed,
    parse_cursor,
    parse_token,
    write_cursor,
    write_token,
)
from nbbatch.jupyter.routes.problems import NoDaemon, at
from nbbatch.jupyter.routes.shapes import Ended, JobRow, Jobs, News
from nbbatch.model.jobs import TERMINAL, JobStatus

MOST_ROWS = 1000
LONGEST_WAIT = 25.0
_LISTED = 100
_WAIT = 20.0
_ACTIVE = "active"
_MOST_ENDED = 100
"""Jobs whose end one answer tells; nobody reads more notifications."""

Filter = Callable[[JobRow], bool]


async def jobs(asked: Asked) -> Jobs:
    """GET `jobs`."""
    wanted = filter_of(asked)
    limit = int(asked.number("limit", _LISTED, lowest=1, highest=MOST_ROWS))
    with at("page"):
        after = parse_token(asked.query.get("page", ""))
    since = asked.query.get("since", "")
    board = asked.lane.board

    def answer() -> Jobs:
        board.catch_up()
        _check_queue(board, asked.query.get("queue", ""))
        version = parse_cursor(since, board) if since else None
        if version is not None:
            return _changed(board, board.changed_after(version), wanted)
        before = board.version
        page = board.page(wanted, limit, after)
        return Jobs(
            backend=board.backend.name,
            jobs=board.dressed(page.rows),
            token=write_token(page.after),
            cursor=write_cursor(board, before),
            is_reset=bool(since),
            total=page.total,
            is_total_exact=page.is_exact,
            queues=board.queues,
        )

    return await asked.lane.run(asked.folder, answer)


def _changed(board: Board, news: Changed, wanted: Filter) -> Jobs:
    """Rows that changed and are wanted; those that are not any more are gone for who asks."""
    total, is_exact = board.count(wanted)
    return Jobs(
        backend=board.backend.name,
        jobs=board.dressed([row for row in news.rows if wanted(row)]),
        gone=[*news.gone, *(row.id for row in news.rows if not wanted(row))],
        cursor=write_cursor(board, news.version),
        total=total,
        is_total_exact=is_exact,
        queues=board.queues,
    )


async def news(asked: Asked) -> News:
    """GET `news`: at once when there are some, else when there are, else when the time is up.

    A daemon that does not run is no failure here: a page asks as long as it is open, and a server's log
    should not fill with errors while nobody works.
    """
    try:
        return await _heard(asked)
    except NoDaemon as reason:
        return News(
            backend=asked.lane.backend.name, cursor=asked.query.get("cursor", ""), no_daemon=reason.message
        )


async def _heard(asked: Asked) -> News:
    """The same, of a backend that answers."""
    wait = asked.number("wait", _WAIT, lowest=0, highest=LONGEST_WAIT)
    is_hidden = asked.flag("hidden")
    board, cursor = asked.lane.board, asked.query.get("cursor", "")
    version = parse_cursor(cursor, board) if cursor else None
    if version is None:
        await asked.lane.run(asked.folder, board.catch_up)
        return News(backend=board.backend.name, cursor=write_cursor(board, board.version), is_reset=True)
    with asked.lane.follower.listening(is_hidden=is_hidden) as ear:
        await asked.lane.run(asked.folder, board.catch_up)
        loop = asyncio.get_running_loop()
        until = loop.time() + wait
        while board.version <= version and ear.error is None and (left := until - loop.time()) > 0:
            await ear.wait(left)
        if ear.error is not None:
            raise ear.error
    return await asked.lane.run(asked.folder, lambda: _news(board, version))


def _news(board: Board, version: int) -> News:
    changed = board.changed_after(version)
    return News(
        backend=board.backend.name,
        cursor=write_cursor(board, changed.version),
        jobs=board.dressed(changed.rows),
        gone=changed.gone,
        ended=list(_ended(board, changed.ended)),
    )


def _ended(board: Board, rows: Sequence[JobRow]) -> Iterable[Ended]:
    """The newest ones, told by their details; those that are kept no longer by their rows."""
    newest = rows[:_MOST_ENDED]
    told = {one["jobId"]: in_words(one) for one in describe_all(board.backend, [row.id for row in newest])}
    for row in newest:
        yield Ended(
            id=row.id,
            name=row.name,
            queue=row.queue,
            outcome=row.outcome or Outcome.EXITED,
            words=told.get(row.id, f"Job {row.name} is {row.words}."),
            stopped=row.stopped or row.created,
        )


def filter_of(asked: Asked) -> Filter:
    """Which rows a request wants.

    Raises
    ------
    OptionError
        There is no such status.
    """
    queue = asked.query.get("queue", "")
    text = asked.query.get("text", "").strip().lower()
    with at("status"):
        statuses = set(map(_status, filter(None, asked.query.get("status", "").split(","))))

    def wanted(row: JobRow) -> bool:
        if queue and row.queue != queue:
            return False
        if statuses and not statuses & _marks(row):
            return False
        return not text or any(text in known.lower() for known in (row.name, row.id, row.queue, row.notebook))

    return wanted


def _marks(row: JobRow) -> set[str]:
    """Words by which a row is found."""
    marks = {str(row.status), str(row.outcome or "")}
    return marks if row.status in TERMINAL else marks | {_ACTIVE}


def _status(word: str) -> str:
    known = {str(one).lower(): str(one) for one in [*JobStatus, *Outcome, _ACTIVE]}
    if word.strip().lower() not in known:
        raise OptionError(f"Jobs have no status {word[:40]!r}.", cure=suggestion(word, known.values()))
    return known[word.strip().lower()]


def _check_queue(board: Board, queue: str) -> None:
    if queue and queue not in board.queues:
        with at("queue"):
            raise UnknownNameError(
                f"Backend {board.backend.name} has no job queue {queue[:128]!r}.",
                cure=suggestion(queue, board.queues),
            )
