"""The log streams of attempts: live while a container runs, complete when it has ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from nbbatch.daemon.executors.docker_attempt import LiveAttempt
from nbbatch.daemon.executors.docker_containers import bring_log_home
from nbbatch.daemon.executors.docker_errors import EngineRefusedError
from nbbatch.daemon.executors.docker_link import EngineLink
from nbbatch.daemon.executors.docker_logs import LogFollower
from nbbatch.daemon.ports import LogSink

_LIVE_LOGS = 64
"""Logs followed at the same time; what is beyond comes home when its container ends."""
_FOLLOW_AFTER = 0.3
"""Seconds a container has run when its log is worth following: most short ones never cost that."""

_log = logging.getLogger(__name__)


class Output:
    """Brings containers' output into their log streams.

    Parameters
    ----------
    link : EngineLink
        To the engine, which keeps the output until it is here.
    logs : LogSink
        Where it goes.
    """

    def __init__(self, link: EngineLink, logs: LogSink) -> None:
        self._link, self._logs = link, logs
        self._followers = ThreadPoolExecutor(_LIVE_LOGS, "docker-log")

    def follow_soon(self, attempt: LiveAttempt) -> None:
        """Make the log live, if the container runs for a while."""
        attempt.follow_timer = asyncio.get_running_loop().call_later(_FOLLOW_AFTER, self._follow, attempt)

    async def complete(self, attempt: LiveAttempt) -> None:
        """Complete the log stream; a log that cannot be had does not change how the job ended."""
        if attempt.follow_timer is not None:
            attempt.follow_timer.cancel()  # one writer at a time
        follower, attempt.follower = attempt.follower, None
        if follower is not None and await follower.finish():
            return
        try:
            await self._link.patiently(bring_log_home, attempt.name, self._path(attempt))
        except (EngineRefusedError, OSError) as error:
            _log.warning("The log of %s is incomplete: %s", attempt.name, error)

    async def close(self, attempts: Iterable[LiveAttempt]) -> None:
        """Stop following."""
        for attempt in attempts:
            if attempt.follower is not None:
                attempt.follower.close()
        await asyncio.to_thread(self._followers.shutdown, cancel_futures=True)

    def _follow(self, attempt: LiveAttempt) -> None:
        open_log = partial(self._link.engine.log, attempt.name, follow=True)
        attempt.follower = LogFollower(self._followers, open_log, self._path(attempt))

    def _path(self, attempt: LiveAttempt) -> Path:
        return Path(self._logs.path(attempt.order.log_stream))
