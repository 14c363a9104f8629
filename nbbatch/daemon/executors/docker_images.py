"""Images are fetched once for all attempts that wait for them, apart from the other calls.

A pull may take minutes; it has its own few threads, so that containers of other images go on.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from nbbatch.daemon.executors.docker_containers import fetch_image
from nbbatch.daemon.executors.docker_link import EngineLink

_PULLS = 2


class Images:
    """Fetches images through a link."""

    def __init__(self, link: EngineLink) -> None:
        self._link = link
        self._pool = ThreadPoolExecutor(_PULLS, "docker-pull")
        self._fetches: dict[str, asyncio.Task[None]] = {}
        self._is_closed = False

    async def fetch(self, image: str, stopping: asyncio.Event) -> None:
        """Wait until an image is there, or until a stop is asked for.

        Raises
        ------
        CouldNotStartError
            When the image cannot be had.
        """
        fetch = self._fetches.get(image)
        if fetch is None:
            fetch = asyncio.create_task(self._fetch(image))
            fetch.add_done_callback(_look_at)
            self._fetches[image] = fetch
        stop = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait({fetch, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
        if fetch.done():
            fetch.result()

    async def _fetch(self, image: str) -> None:
        try:
            await self._link.patiently(fetch_image, image, lambda: self._is_closed, pool=self._pool)
        finally:
            del self._fetches[image]

    async def close(self) -> None:
        """Give up what is being fetched."""
        self._is_closed = True
        fetches = list(self._fetches.values())
        for fetch in fetches:
            fetch.cancel()
        await asyncio.gather(*fetches, return_exceptions=True)
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)


def _look_at(fetch: asyncio.Task[None]) -> None:
    """Those who waited have been told; when all have been stopped, nobody needs to be."""
    if not fetch.cancelled():
        fetch.exception()
