"""What grows is bounded: old events are deleted and old samples thinned out, a little at a time.

`$NBBATCH_EVENTS_DAYS` says for how many days events are kept (30), `$NBBATCH_EVENTS_TICKS` of how
many commits at most (1,000,000). The event log that a replay starts from reaches back
`$NBBATCH_LOG_DAYS` (90) and up to a quarter more: it begins with a snapshot, and a new one is taken
every quarter of that time. And what a fresh file makes slow is done once beforehand, when the first
moments of a daemon are over.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable

from nbbatch.daemon.store import Store
from nbbatch.errors import ConfigurationError, StoreError

EVERY_SECONDS = 600.0
SETTLED_SECONDS = 2.0
"""How long a daemon is left to those who wait for its start."""
_DAY_MS = 86_400_000
_SNAPSHOTS = 4
"""How many are taken in the time that the log is kept for."""
_log = logging.getLogger(__name__)


class Housekeeping:
    """Keeps the rows of one home in bounds.

    Parameters
    ----------
    now : callable
        Epoch ms.

    Raises
    ------
    ConfigurationError
        When a setting is no number.
    """

    def __init__(self, store: Store, now: Callable[[], int]) -> None:
        self._store = store
        self._now = now
        self._kept_ms = _setting("NBBATCH_EVENTS_DAYS", 30) * _DAY_MS
        self._kept_ticks = _setting("NBBATCH_EVENTS_TICKS", 1_000_000)
        self._log_ms = _setting("NBBATCH_LOG_DAYS", 90) * _DAY_MS
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look after the rows from now on."""
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def tidy(self) -> None:
        """Once; others have their turn between the steps."""
        now = self._now()
        has_more = True
        while has_more:
            has_more = self._store.feed.prune(before=now - self._kept_ms, most_rows=self._kept_ticks)
            await asyncio.sleep(0)
        self._store.samples.thin(now)
        await self._shorten_log(now)

    async def prepare(self) -> None:
        """Once per daemon: commits find a log that need not grow."""
        self._store.lengthen_log()
        await asyncio.to_thread(self._store.flush_log)

    async def _shorten_log(self, now: int) -> None:
        if self._store.snapshots.is_due(now - self._log_ms // _SNAPSHOTS):
            self._store.take_snapshot()
        has_more = True
        while has_more:
            has_more = self._store.snapshots.prune(before=now - self._log_ms)
            await asyncio.sleep(0)

    async def _keep(self) -> None:
        await asyncio.sleep(SETTLED_SECONDS)
        await self._try(self.prepare)
        while True:
            await self._try(self.tidy)
            await asyncio.sleep(EVERY_SECONDS)

    async def _try(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except StoreError as error:
            _log.warning("The rows stay as they are for now: %s", error)


def _setting(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 40):
        raise ConfigurationError(f"{name} is {text!r}.", cure="Set it to a whole number from 1.")
    return int(text)
