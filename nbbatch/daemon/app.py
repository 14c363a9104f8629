"""Composition root: the daemon's parts, put together, brought up, and let down again.

Order matters. The lock comes first; rows before the executor, which is told what should be running;
the executor before the socket, so that the first request finds everything in place; the endpoint
file last. What only requests need is imported while the executor comes up. On the way down the
endpoint file goes first. Jobs go on without the daemon.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbatch.daemon.defaults import default_world, local_catalogue
from nbbatch.daemon.events_feed import EventsFeed
from nbbatch.daemon.executors.docker_probe import probe
from nbbatch.daemon.home import (
    ADDRESS,
    DATABASE,
    ENDPOINT,
    PRICES,
    STREAMS,
    Identity,
    load_identity,
    lock_home,
    save_identity,
    write_private,
)
from nbbatch.daemon.housekeeping import Housekeeping
from nbbatch.daemon.logs import LogStore
from nbbatch.daemon.loop import Loop
from nbbatch.daemon.machine import this_machine
from nbbatch.daemon.metrics import Metrics
from nbbatch.daemon.ports import Executor
from nbbatch.daemon.store import Store
from nbbatch.daemon.watch import Watch
from nbbatch.errors import BackendUnreachableError, ConfigurationError
from nbbatch.model.arns import Arns
from nbbatch.model.containers import SEARCH_PATH
from nbbatch.model.events import Event
from nbbatch.model.resources import Resources
from nbbatch.scheduler.restore import restore
from nbbatch.scheduler.state import Changes, SchedulerState
from nbbatch.version import __version__

if TYPE_CHECKING:
    from nbbatch.daemon.front import Front

REGION = "us-east-1"
ACCOUNT = "123456789012"
EXECUTORS = ("docker", "process")
_PROBE_SECONDS = 1.0
_log = logging.getLogger(__name__)


class WallClock:
    """Epoch milliseconds that never run backwards within this process."""

    def __init__(self) -> None:
        self._latest = 0

    def now(self) -> int:
        """The time."""
        self._latest = max(self._latest, time.time_ns() // 1_000_000)
        return self._latest


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which executor runs jobs, and why that one."""

    name: str
    detail: str


async def serve(home: Path, *, port: int | None = None, on_ready: Callable[[], None] = lambda: None) -> None:
    """Be the daemon of a home until a signal or the stop route ends it.

    Parameters
    ----------
    home : Path
        Its folder, absolute; made when it is not there.
    port : int, optional
        Listen there or fail; otherwise where the last daemon of this home did, if that is free.
    on_ready : callable
        Called once requests are taken.

    Raises
    ------
    HomeTakenError
        When this home has a daemon.
    StoreError
        When its database cannot be used.
    BackendUnreachableError
        When the port is taken, or the chosen executor cannot come up.
    """
    lock = lock_home(home)
    (home / ENDPOINT).unlink(missing_ok=True)
    store = Store.open(home / DATABASE)
    try:
        daemon = _Daemon(home, store, load_identity(home))
        await daemon.run(port, on_ready)
    finally:
        store.close()
        os.close(lock)


class _Daemon:
    """The parts, and their coming and going."""

    def __init__(self, home: Path, store: Store, identity: Identity) -> None:
        self._home, self._store, self._identity = home, store, identity
        self._machine = this_machine()
        catalogue = local_catalogue(self._machine, home / PRICES)
        self._clock = WallClock()
        self._logs = LogStore(home / STREAMS)
        self._watch = Watch(time.time_ns() // 1000, self._logs.size)
        self._loop = Loop(
            restore=lambda: restore(store.load(), catalogue),
            store=store,
            clock=self._clock,
            on_commit=self._note,
        )
        self._feed = EventsFeed(store.feed, self._loop.state.seed, Arns(REGION, ACCOUNT))
        self._housekeeping = Housekeeping(store, self._clock.now)
        self._metrics = Metrics(store.samples, self._loop.state, store.ledger.totals())
        self._stopping = asyncio.Event()
        self._started_at = self._clock.now()
        self._executor = Choice(name="", detail="")

    async def run(self, port: int | None, on_ready: Callable[[], None]) -> None:
        self._heed_signals()
        await self._make_world()
        self._executor = await choose_executor(self._loop.state, self._identity.executor)
        front = await self._bring_up(self._make_executor(self._executor.name))
        try:
            self._publish(self._listen(front, port))
            front.delivery.start()
            self._housekeeping.start()
            on_ready()
            await self._stopping.wait()
        finally:
            await self._let_go(front)

    async def _bring_up(self, executor: Executor) -> Front:
        """The executor, and while it comes up, what answers requests."""
        starting = asyncio.create_task(self._loop.start(executor))
        await asyncio.sleep(0)  # what the executor starts first is on its way before the imports
        try:
            return self._compose()
        finally:
            await starting

    def _compose(self) -> Front:
        from nbbatch.daemon.front import make_front  # noqa: PLC0415 - see there

        return make_front(
            home=self._home,
            identity=self._identity,
            account=ACCOUNT,
            loop=self._loop,
            store=self._store,
            logs=self._logs,
            watch=self._watch,
            feed=self._feed,
            metrics=self._metrics,
            arns=Arns(REGION, ACCOUNT),
            now=self._clock.now,
            about=self._about,
            stop=self._stopping.set,
        )

    def _note(self, events: Sequence[tuple[int, Event]], changes: Changes) -> None:
        """After each commit: wake who waits for jobs or events, and count."""
        self._watch.note(changes.touched)
        self._feed.note()
        self._metrics.note(events, changes, self._loop.state)

    def _heed_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)

    async def _make_world(self) -> None:
        """At first start: environments and queues, so that the first job needs no set-up."""
        state = self._loop.state
        if not state.environments and not state.queues and not state.sequence:
            events = default_world(self._machine, state.catalogue)
            await self._loop.apply(lambda _state, _now: (events, None))

    def _make_executor(self, name: str) -> Executor:
        room = self._room()
        if name == "docker":
            from nbbatch.daemon.executors.docker import DockerExecutor  # noqa: PLC0415 - only where it is used

            return DockerExecutor(self._home, room, self._loop.report, self._logs, self._identity.daemon_id)
        from nbbatch.daemon.executors.process import ProcessExecutor  # noqa: PLC0415 - only where it is used

        return ProcessExecutor(self._home, room, self._loop.report, self._logs)

    def _room(self) -> Resources:
        """What may run at once."""
        return replace(self._machine, vcpus=self._machine.vcpus * _oversubscription())

    def _listen(self, front: Front, wanted: int | None) -> int:
        """Take the port that is asked for, or the last one, or any."""
        for port in (self._identity.port, 0) if wanted is None else (wanted,):
            try:
                return front.server.listen(port)
            except OSError as error:
                _log.warning("Port %s cannot be used: %s", port, error.strerror)
                reason = error
        raise BackendUnreachableError(
            f"The daemon cannot listen on {ADDRESS}:{wanted or 0}: {reason.strerror}.",
            cure="Choose another --port, or leave it out.",
        ) from reason

    def _publish(self, port: int) -> None:
        identity = replace(self._identity, port=port, executor=self._executor.name)
        if identity != self._identity:
            save_identity(self._home, identity)
            self._identity = identity
        write_private(
            self._home / ENDPOINT,
            {
                "version": __version__,
                "url": f"http://{ADDRESS}:{port}",
                "pid": os.getpid(),
                "region": REGION,
                "account": ACCOUNT,
                "access_key_id": identity.access_key_id,
                "secret_access_key": identity.secret_access_key,
                "executor": self._executor.name,
                "started_at": self._started_at,
            },
        )
        _log.info("nbbatch %s listens on port %d; %s.", __version__, port, self._executor.detail)

    async def _let_go(self, front: Front) -> None:
        (self._home / ENDPOINT).unlink(missing_ok=True)
        _log.info("The daemon goes; jobs go on.")
        self._watch.close()
        await self._housekeeping.close()
        await front.delivery.close()
        self._feed.close()
        await front.server.close()
        await self._loop.close()
        self._metrics.close()

    def _about(self) -> dict[str, Any]:
        return {
            "version": __version__,
            "pid": os.getpid(),
            "home": str(self._home),
            "startedAt": self._started_at,
            "executor": asdict(self._executor),
            "machine": asdict(self._machine),
            "room": asdict(self._room()),
            "path": SEARCH_PATH if self._executor.name == "docker" else os.environ.get("PATH", os.defpath),
        }


async def choose_executor(state: SchedulerState, last: str) -> Choice:
    """Docker if it answers in time, else processes; `$NBBATCH_EXECUTOR` decides otherwise.

    While attempts are under way, only the executor that started them knows how they end.

    Raises
    ------
    ConfigurationError
        When `$NBBATCH_EXECUTOR` names none.
    """
    wanted = os.environ.get("NBBATCH_EXECUTOR", "")
    if wanted and wanted not in EXECUTORS:
        raise ConfigurationError(
            f"NBBATCH_EXECUTOR is {wanted!r}.", cure=f"Set it to {' or '.join(EXECUTORS)}, or leave it out."
        )
    if last and last != wanted and _has_attempts(state):
        return Choice(name=last, detail=f"jobs that were started by {last} still run, so it stays")
    if wanted:
        return Choice(name=wanted, detail=f"NBBATCH_EXECUTOR is {wanted}")
    version = await probe(wait=_PROBE_SECONDS)
    if version is None:
        return Choice(name="process", detail="no Docker Engine answers, so jobs run as processes")
    return Choice(name="docker", detail=f"jobs run in containers of Docker Engine {version}")


def _has_attempts(state: SchedulerState) -> bool:
    return any(live.under_way() for live in state.jobs.values())


def _oversubscription() -> float:
    """How many vCPUs of jobs a core may have at once."""
    text = os.environ.get("NBBATCH_OVERSUBSCRIBE", "1")
    with suppress(ValueError):
        if float(text) >= 1:
            return float(text)
    raise ConfigurationError(f"NBBATCH_OVERSUBSCRIBE is {text!r}.", cure="Set it to a number from 1.")
