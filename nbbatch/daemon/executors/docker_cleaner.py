"""Takes away what attempts leave in the engine: containers, the volumes they shared, gangs' networks.

Every step waits for the engine to answer and may be tried again; what is gone already is as good as
removed, and what the engine refuses to remove is logged and left for the next connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nbbatch.daemon.executors.docker_attempt import LiveAttempt
from nbbatch.daemon.executors.docker_containers import remove, remove_volumes
from nbbatch.daemon.executors.docker_errors import EngineRefusedError
from nbbatch.daemon.executors.docker_link import EngineLink
from nbbatch.daemon.executors.docker_networks import GangNetworks, networks, remove_network
from nbbatch.daemon.executors.docker_spec import TASK_LABEL, has_named_volumes

if TYPE_CHECKING:
    from nbbatch.daemon.executors.docker_engine import Engine

_log = logging.getLogger(__name__)


class Cleaner:
    """Removes things of one daemon.

    Parameters
    ----------
    link : EngineLink
        To the engine.
    label : str
        What this daemon puts on all it makes, as `name=value`.
    in_use : GangNetworks
        Networks that stay.
    """

    def __init__(self, link: EngineLink, label: str, in_use: GangNetworks) -> None:
        self._link = link
        self._label = label
        self._in_use = in_use

    async def remove(self, attempt: LiveAttempt) -> None:
        """Remove the containers of an attempt, whether or not they run, and the volumes they shared."""
        for name in attempt.names:
            await self._remove(name, remove)
        if has_named_volumes(attempt.order):
            await self._remove(f"{TASK_LABEL}={attempt.name}", remove_volumes)

    async def remove_network(self, name: str) -> None:
        """Remove a network that nobody uses any more."""
        await self._remove(name, remove_network)

    async def sweep(self, strays: Sequence[str]) -> None:
        """Remove these containers, and volumes and networks that nobody knows any more."""
        await asyncio.gather(*(self._remove(name, remove) for name in strays))
        await self._remove(self._label, remove_volumes)  # those in use stay
        for name in await self._link.patiently(networks, self._label):
            if name not in self._in_use:
                await self.remove_network(name)

    async def _remove(self, name: str, step: Callable[[Engine, str], None]) -> None:
        try:
            await self._link.patiently(step, name)
        except EngineRefusedError as refusal:
            _log.warning("Cannot remove %s: %s", name, refusal)
