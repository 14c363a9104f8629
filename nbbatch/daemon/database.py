"""The SQLite file: opening, migrating, named queries, transactions, and errors in words.

WAL with synchronous=FULL: a commit that returned survives a power cut. The file is locked for one
process, which also spares the shared memory file that network file systems lack. Migrations are
numbered files; `user_version` counts those that the file has seen.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from nbbatch.errors import StoreError

_HERE = Path(__file__).parent
_CACHE = "PRAGMA cache_size = -16384"
_LOG_BYTES = 4 << 20
"""What the log of SQLite has in it when it is carried over into the file, and begun anew."""
_CURES = {
    "SQLITE_FULL": "Make room on that disk.",
    "SQLITE_NOTADB": "Move the file away; the daemon then starts with an empty one.",
    "SQLITE_CORRUPT": "Move the file away; the daemon then starts with an empty one.",
    "SQLITE_BUSY": "Another process has it open; end that one.",
    "SQLITE_READONLY": "Make the file and its folder writable for you.",
    "SQLITE_CANTOPEN": "Make the folder writable for you.",
    "SQLITE_IOERR": "Look after the disk: is it full, or failing?",
}


def _load_queries(text: str) -> dict[str, str]:
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


_QUERIES = _load_queries((_HERE / "queries.sql").read_text(encoding="utf-8"))


class Database:
    """One open file; belongs to the thread that opened it."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    @classmethod
    def open(cls, path: Path) -> Database:
        """Open a file, made or brought up to date if need be.

        Raises
        ------
        StoreError
            When the file is damaged, of a newer version, in use, or cannot be written.
        """
        with _explained(path):
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            path.chmod(0o600)
            connection = sqlite3.connect(path, isolation_level=None, timeout=2)
            try:
                _configure(connection)
                _migrate(connection, path)
            except BaseException:
                connection.close()
                raise
        return cls(connection, path)

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()

    def read(self, query: str, parameters: Mapping[str, Any] | None = None) -> list[Any]:
        """All rows of a named query."""
        with _explained(self._path):
            return self._connection.execute(_QUERIES[query], parameters or {}).fetchall()

    def stream(self, query: str) -> Iterator[Any]:
        """The rows of a named query, one after the other."""
        with _explained(self._path):
            yield from self._connection.execute(_QUERIES[query])

    def write(self, query: str, rows: Iterable[tuple[Any, ...] | Mapping[str, Any]]) -> None:
        """Carry a named query out for each row."""
        self._connection.executemany(_QUERIES[query], rows)

    def lengthen_log(self) -> None:
        """Make SQLite's log as long as it gets: a commit that grows a file takes twice the time.

        What is written to that end is taken back, and the cache is made small so that it gets that
        far at all. A few ms; `flush_log` belongs behind it.
        """
        with _explained(self._path):
            self._connection.execute("PRAGMA cache_size = 16")
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.execute(_QUERIES["fill_log"], (_LOG_BYTES,))
            finally:
                _roll_back(self._connection)
                self._connection.execute(_CACHE)

    def flush_log(self) -> None:
        """Have the log's file on the disk, so that no commit waits for it; for any thread."""
        with _explained(self._path):
            descriptor = os.open(f"{self._path}-wal", os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside becomes durable at once, or not at all.

        Raises
        ------
        StoreError
            When it did not; everything is then as it was before.
        """
        with _explained(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                _roll_back(self._connection)
                raise


def _configure(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(_CACHE)
    connection.execute("PRAGMA journal_size_limit = 33554432")


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Carry out every migration that the file has not seen, all of them in one transaction."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    migrations = sorted((_HERE / "migrations").glob("*.sql"))
    if version > len(migrations):
        raise StoreError(
            f"The database {path} is of a newer version ({version}; this nbbatch knows {len(migrations)}).",
            cure="Upgrade nbbatch, or use another $NBBATCH_HOME.",
        )
    if version == len(migrations):
        return
    scripts = [migration.read_text(encoding="utf-8") for migration in migrations[version:]]
    steps = ["BEGIN IMMEDIATE;", *scripts, f"PRAGMA user_version = {len(migrations)};", "COMMIT;"]
    try:
        connection.executescript("\n".join(steps))
    except BaseException:
        _roll_back(connection)
        raise


def _roll_back(connection: sqlite3.Connection) -> None:
    # After a full disk or a failed write SQLite may have rolled back by itself.
    if connection.in_transaction:
        connection.execute("ROLLBACK")


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what SQLite or the file system says into what the user needs to know."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            f"The database {path} cannot be used: {error} ({_free_space(path)}).", cure=_cure(error)
        ) from error


def _cure(error: Exception) -> str:
    name = getattr(error, "sqlite_errorname", None) or ""
    return next(
        (cure for code, cure in _CURES.items() if name.startswith(code)),
        "Is the folder yours, and its disk whole?",
    )


def _free_space(path: Path) -> str:
    try:
        return f"{shutil.disk_usage(path.parent).free >> 20} MiB free there"
    except OSError as error:
        return f"its folder cannot be looked at: {error.strerror}"
