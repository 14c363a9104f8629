"""The daemon's own server before nothing: signatures are checked, and every request has one answer.

`python -m benchmarks.canned` prints its port and serves until it is ended. What a real request takes
longer than this is what the daemon does for it. With a file's name behind it, each answer waits for a
commit of as many bytes as a job's, in the thread that answers: that much longer is the disk's.
"""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, cast

from nbbatch.daemon.auth import Verifier
from nbbatch.daemon.server import Server

KEY, SECRET, REGION = "NBBATCHCANNED", "canned", "us-east-1"
JOB = "00000000-0000-4000-8000-000000000000"
REPLY = {"jobArn": f"arn:aws:batch:{REGION}:123456789012:job/{JOB}", "jobName": "bench", "jobId": JOB}


PAGES, PAGE = 6, 4096
"""What a SubmitJob writes into SQLite's log, in pages and bytes."""


class Canned:
    """An API that knows one answer, and gives it at once or when `before` is done."""

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self._before = before

    async def call(self, *_: Any) -> dict[str, str]:
        """Answer."""
        self._before()
        return REPLY


def committing(path: str) -> Callable[[], None]:
    """One commit of a job's bytes, durable when it returns; the log has its length already."""
    database = sqlite3.connect(path, isolation_level=None)
    for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
        database.execute(f"PRAGMA {pragma}")
    database.execute("CREATE TABLE pages (id INTEGER PRIMARY KEY, page BLOB)")
    database.executemany("INSERT INTO pages VALUES (?, ?)", [(number, b"") for number in range(PAGES)])
    turns = count()

    def commit() -> None:
        page = next(turns).to_bytes(8) * (PAGE // 8 - 25)  # SQLite passes over a page that stays as it is
        database.execute("BEGIN IMMEDIATE")
        database.executemany(
            "UPDATE pages SET page = ? WHERE id = ?", [(page, each) for each in range(PAGES)]
        )
        database.execute("COMMIT")

    for _ in range(4 * 1000 // PAGES):  # until SQLite begins its log anew
        commit()
    return commit


async def serve(path: str | None) -> None:
    """Serve for ever."""
    anything = cast("Any", Canned() if path is None else Canned(committing(path)))
    server = Server(verifier=Verifier(KEY, SECRET, time.time), api=anything, private=anything)
    print(server.listen(), flush=True)
    await asyncio.Event().wait()


@contextmanager
def canned_batch(path: str | None = None) -> Iterator[tuple[Any, int]]:
    """A boto3 client of such a server, and its pid; with a path, it commits there before it answers."""
    import boto3

    command = [sys.executable, "-m", "benchmarks.canned", *([path] if path else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            port = server.stdout.readline().strip() if server.stdout else ""
            client = boto3.client(
                "batch",
                endpoint_url=f"http://127.0.0.1:{port}",
                region_name=REGION,
                aws_access_key_id=KEY,
                aws_secret_access_key=SECRET,
            )
            yield client, server.pid
        finally:
            server.kill()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1] if sys.argv[1:] else None))
