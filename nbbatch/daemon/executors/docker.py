"""Attempts as Docker containers.

The life of an admitted attempt is one coroutine, `_run`, read from top to bottom: create and start
the container, wait for its end, bring its log home, report. Ends are learned from the engine's
event stream, never by polling. A container's name comes from its job and attempt, so each step may
be tried again: one that is there already is taken over, and only one that has never begun is
started.

The engine may go and come back at any time. Attempts not yet begun wait for it; at each connection
the containers are listed and what was missed is made up for. A container that ended with an exit
code of its own is reported with it; one that is gone, or that dockerd itself stopped when it went
down or came up again, has lost its host: AttemptVanished, and the job's retry rule decides.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbatch.daemon.admission import Admission, Name
from nbbatch.daemon.executors.docker_attempt import LiveAttempt, Stage
from nbbatch.daemon.executors.docker_containers import Step, begin, bring_log_home
from nbbatch.daemon.executors.docker_errors import EngineGoneError, EngineRefusedError
from nbbatch.daemon.executors.docker_events import ContainerEvent
from nbbatch.daemon.executors.docker_exits import SUSPICIOUS, died_with_engine, epoch_ms, never_ran
from nbbatch.daemon.executors.docker_images import Images
from nbbatch.daemon.executors.docker_link import EngineLink, Listing
from nbbatch.daemon.executors.docker_logs import LogFollower
from nbbatch.daemon.executors.docker_networks import GangNetworks, enter_gang, networks, remove_network
from nbbatch.daemon.executors.docker_probe import engine_address, probe
from nbbatch.daemon.executors.docker_spec import (
    DAEMON_LABEL,
    Network,
    Placement,
    container_name,
    gpus_of,
)
from nbbatch.daemon.ports import AttemptReport, ExpectedAttempt, LogSink, Report
from nbbatch.errors import BackendUnreachableError, CouldNotStartError
from nbbatch.model.events import AttemptExited, AttemptStarted, AttemptVanished, StartAttempt, StopAttempt
from nbbatch.model.resources import Resources

if TYPE_CHECKING:
    from nbbatch.daemon.executors.docker_engine import Engine

_LIVE_LOGS = 64
"""Logs followed at the same time; what is beyond comes home when its container ends."""
_FOLLOW_AFTER = 0.3
"""Seconds a container has run when its log is worth following: most short ones never cost that."""
_SAMPLE_EVERY = 0.25
_COME_UP = 10.0
"""Seconds that `adopt` waits for the engine; later, it is reconciled when it answers."""
_ALIVE = frozenset({"running", "paused", "restarting"})
_CREATED = "created"

_log = logging.getLogger(__name__)


class DockerExecutor:
    """Runs attempts as containers of one Docker Engine.

    Parameters
    ----------
    home : Path
        The daemon's home; containers see nothing of it but their own bundle.
    machine : Resources
        What may be in use at once.
    report : Report
        Where reports go, on the asyncio thread.
    logs : LogSink
        Where output goes.
    daemon_id : str
        Label of this daemon's containers, the same after a restart.
    max_in_flight : int
        Engine calls at the same time.
    network : {"bridge", "host"}
        `bridge` gives each job a network namespace of its own, as Docker does by default, where
        the host answers as `host.docker.internal`; `host` is the host's own network, about 120 ms
        cheaper per container, where all jobs share its ports.
    address : str, optional
        Where the engine is; found by itself when not given.

    Raises
    ------
    BackendUnreachableError
        When there is no address of an engine to try.
    """

    name = "docker"

    def __init__(
        self,
        home: Path,
        machine: Resources,
        report: Report,
        logs: LogSink,
        daemon_id: str,
        max_in_flight: int = 8,
        *,
        network: Network = "bridge",
        address: str | None = None,
    ) -> None:
        found = address or engine_address()
        if found is None:
            raise BackendUnreachableError(
                "No Docker Engine was found.", cure="Start Docker, or say where it is in DOCKER_HOST."
            )
        self._home, self._report, self._logs = home, report, logs
        self._daemon_id, self._network = daemon_id, network
        self._link = EngineLink(found, f"{DAEMON_LABEL}={daemon_id}", max_in_flight)
        self._images = Images(self._link)
        self._admission = Admission(machine.vcpus, machine.memory, machine.gpus)
        self._networks = GangNetworks()
        self._attempts: dict[Name, LiveAttempt] = {}
        self._by_container: dict[str, LiveAttempt] = {}
        self._followers = ThreadPoolExecutor(_LIVE_LOGS, "docker-log")
        self._tasks: set[asyncio.Task[None]] = set()
        self._sampler: asyncio.TimerHandle | None = None
        self._is_reconciled = False

    # The port.

    async def adopt(self, expected: Sequence[ExpectedAttempt]) -> None:
        """Connect and reconcile; an engine that is away is reconciled as soon as it answers."""
        for entry in expected:
            self._know(entry.order, Stage.EXPECTED).was_running = entry.was_running
        self._link.open(self._on_event, self._reconcile)
        try:
            await asyncio.wait_for(self._link.up.wait(), _COME_UP)
        except TimeoutError:
            _log.warning("The Docker Engine at %s does not answer; jobs wait for it.", self._link.address)

    def start(self, orders: Sequence[StartAttempt]) -> None:
        """Queue these attempts; one that is known already is left as it is."""
        refused: list[AttemptReport] = []
        for order in orders:
            if (order.job_id, order.attempt) not in self._attempts:
                refused += self._queue(order)
        if refused:
            self._report(refused)
        self._admit()

    def stop(self, orders: Sequence[StopAttempt]) -> None:
        """Stop these attempts; one that still waits is over at once."""
        withdrawn: list[AttemptReport] = []
        for order in orders:
            attempt = self._attempts.get((order.job_id, order.attempt))
            if attempt is None or attempt.stopping.is_set():
                continue
            attempt.stopping.set()
            attempt.grace_seconds = order.grace_seconds
            if attempt.stage is Stage.WAITING:
                withdrawn.append(self._withdraw(attempt))
            elif attempt.stage is Stage.ACTIVE and attempt.begun:
                self._spawn(self._terminate(attempt))
        if withdrawn:
            self._report(withdrawn)
            self._admit()

    def settled(self, attempts: Sequence[AttemptExited]) -> None:
        """Remove the containers of these attempts."""
        for end in attempts:
            attempt = self._attempts.get((end.job_id, end.attempt))
            if attempt is not None:
                self._forget(attempt)
                self._spawn(self._remove(attempt.name))

    async def close(self) -> None:
        """Let go of the engine; containers run on."""
        if self._sampler is not None:
            self._sampler.cancel()
        for attempt in self._attempts.values():
            if attempt.follow_timer is not None:
                attempt.follow_timer.cancel()
        await self._link.disconnect()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for attempt in self._attempts.values():
            if attempt.follower is not None:
                attempt.follower.close()
        await asyncio.to_thread(self._followers.shutdown, cancel_futures=True)
        await self._images.close()
        await self._link.close()

    # The queue.

    def _know(self, order: StartAttempt, stage: Stage) -> LiveAttempt:
        name = container_name(order.job_id, order.attempt)
        attempt = LiveAttempt(order=order, name=name, stage=stage)
        self._attempts[attempt.key] = self._by_container[name] = attempt
        self._networks.enter(order)
        return attempt

    def _forget(self, attempt: LiveAttempt) -> None:
        self._by_container.pop(attempt.name, None)
        if self._attempts.pop(attempt.key, None) is not None:
            unused = self._networks.leave(attempt.order)
            if unused is not None:
                self._spawn(self._remove(unused, remove_network))

    def _queue(self, order: StartAttempt) -> list[AttemptReport]:
        """Let an attempt wait for room; its end instead, when there can never be any."""
        attempt = self._know(order, Stage.WAITING)
        refusal = self._admission.refusal(attempt.amount, attempt.others)
        if refusal:
            self._forget(attempt)
            return [never_ran(order, _now(), f"CannotCreateContainerError: {refusal}")]
        if attempt.enter_behind_main(self._admission):
            self._activate(attempt)
        else:
            self._admission.wait(attempt.key, attempt.amount, attempt.others)
        return []

    def _admit(self) -> None:
        """Run whoever there is room for, once it is known what runs already."""
        while self._is_reconciled and (admitted := self._admission.admit()) is not None:
            key, gpus = admitted
            attempt = self._attempts[key]
            attempt.gpus = gpus
            self._activate(attempt)

    def _activate(self, attempt: LiveAttempt) -> None:
        attempt.stage = Stage.ACTIVE
        self._spawn(self._run(attempt))

    def _withdraw(self, attempt: LiveAttempt) -> AttemptExited:
        self._admission.withdraw(attempt.key)
        self._forget(attempt)
        return never_ran(attempt.order, _now())

    # The life of one attempt.

    async def _run(self, attempt: LiveAttempt) -> None:
        """From admission, or from being found begun, to the report of the end."""
        try:
            end = await self._live(attempt)
        except EngineRefusedError as refusal:
            _log.warning("The Docker Engine has lost %s: %s", attempt.name, refusal)
            await self._remove(attempt.name)
            end = attempt.vanished()
        attempt.stage = Stage.ENDED
        attempt.over.set()
        self._admission.release(attempt.key)
        if isinstance(end, AttemptVanished):
            self._forget(attempt)
        self._report([end])
        self._admit()

    async def _live(self, attempt: LiveAttempt) -> AttemptExited | AttemptVanished:
        end = None if attempt.begun else await self._begin(attempt)
        return await self._until_end(attempt) if end is None else end

    async def _begin(self, attempt: LiveAttempt) -> AttemptExited | None:
        """Create and start the container; an end where it does not come to that."""
        try:
            while True:
                step = await self._link.patiently(self._begin_once, attempt)
                if step is not Step.IMAGE_MISSING:
                    break
                await self._images.fetch(attempt.order.container.image, attempt.stopping)
        except CouldNotStartError as error:
            return never_ran(attempt.order, _now(), error.message)
        if step is Step.STOPPED:
            return never_ran(attempt.order, _now())
        attempt.begun = True
        if step is Step.FOUND:
            await self._look(attempt)
        return None

    def _begin_once(self, engine: Engine, attempt: LiveAttempt) -> Step:
        placement = Placement(
            daemon_id=self._daemon_id, home=self._home, gpus=attempt.gpus, network=self._network
        )
        order = attempt.order
        if not attempt.stopping.is_set():
            order, placement = enter_gang(engine, order, placement)
        return begin(engine, order, placement, attempt.stopping.is_set)

    async def _until_end(self, attempt: LiveAttempt) -> AttemptExited | AttemptVanished:
        """Watch a container that has begun, to its end."""
        if attempt.stopping.is_set():
            self._spawn(self._terminate(attempt))
        attempt.follow_timer = asyncio.get_running_loop().call_later(_FOLLOW_AFTER, self._follow, attempt)
        end = None
        while end is None:
            await attempt.died.wait()
            attempt.died.clear()
            end = await self._end(attempt)
        return end

    async def _end(self, attempt: LiveAttempt) -> AttemptExited | AttemptVanished | None:
        """What became of a container that is said to be dead; None when it runs after all."""
        details = await self._link.patiently(_inspect, attempt.name)
        if details is not None:
            self._take_notice(attempt, details)
            if details["State"]["Running"]:
                return None
            await self._bring_log_home(attempt)
        end = attempt.exited(details)
        if end is None or await self._went_with_engine(attempt, end):
            await self._link.patiently(_remove, attempt.name)
            return attempt.vanished()
        return end

    async def _went_with_engine(self, attempt: LiveAttempt, end: AttemptExited) -> bool:
        """Whether dockerd took it along; one that goes down closes its door before it kills."""
        if attempt.stopping.is_set() or end.exit_code not in SUSPICIOUS or end.reason is not None:
            return False
        return died_with_engine(end, self._link.outage) or await probe(self._link.address) is None

    async def _terminate(self, attempt: LiveAttempt) -> None:
        """SIGTERM now, SIGKILL after the grace; no thread waits in between."""
        await self._signal(attempt, "SIGTERM")
        with suppress(TimeoutError):
            await asyncio.wait_for(attempt.over.wait(), attempt.grace_seconds)
            return
        await self._signal(attempt, "SIGKILL")

    async def _signal(self, attempt: LiveAttempt, signal: str) -> None:
        try:
            await self._link.patiently(_kill, attempt.name, signal)
        except EngineRefusedError as refusal:
            _log.warning("Cannot send %s to %s: %s", signal, attempt.name, refusal)

    async def _remove(self, name: str, step: Callable[[Engine, str], None] | None = None) -> None:
        """Remove a container, or by `step` something else of this name."""
        try:
            await self._link.call(step or _remove, name)
        except EngineGoneError:
            _log.debug("%s is removed at the next connection.", name)
        except EngineRefusedError as refusal:
            _log.warning("Cannot remove %s: %s", name, refusal)

    async def _sweep(self, strays: Sequence[str]) -> None:
        """Remove containers and networks that nobody knows any more."""
        await asyncio.gather(*(self._remove(name) for name in strays))
        with suppress(EngineGoneError):
            for name in await self._link.call(networks, f"{DAEMON_LABEL}={self._daemon_id}"):
                if name not in self._networks:
                    await self._remove(name, remove_network)

    # What is learned on the way: start, output, usage.

    async def _look(self, attempt: LiveAttempt) -> None:
        """Inspect a container whose events may have been missed."""
        details = await self._link.patiently(_inspect, attempt.name)
        if details is not None:
            self._take_notice(attempt, details)
        if details is None or not details["State"]["Running"]:
            attempt.died.set()

    def _take_notice(self, attempt: LiveAttempt, details: Mapping[str, Any]) -> None:
        attempt.container_id = details["Id"]
        started_at = epoch_ms(details["State"]["StartedAt"])
        if started_at is not None:
            self._note_start(attempt, started_at)

    def _note_start(self, attempt: LiveAttempt, at: int) -> None:
        if attempt.started_at is not None:
            return
        attempt.started_at = at
        if not attempt.was_running:
            order = attempt.order
            self._report([AttemptStarted(job_id=order.job_id, attempt=order.attempt, started_at=at)])
        if self._sampler is None:
            self._sample()

    def _follow(self, attempt: LiveAttempt) -> None:
        """Make the log live."""
        open_log = partial(self._link.engine.log, attempt.name, follow=True)
        attempt.follower = LogFollower(self._followers, open_log, self._path(attempt))

    async def _bring_log_home(self, attempt: LiveAttempt) -> None:
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

    def _path(self, attempt: LiveAttempt) -> Path:
        return Path(self._logs.path(attempt.order.log_stream))

    def _sample(self) -> None:
        """Look at what the running containers use, as long as there are any."""
        self._sampler = None
        live = [attempt for attempt in self._attempts.values() if attempt.is_running]
        for attempt in live:
            attempt.look_at_usage()
        if live:
            self._sampler = asyncio.get_running_loop().call_later(_SAMPLE_EVERY, self._sample)

    # What the engine tells.

    def _on_event(self, event: ContainerEvent) -> None:
        attempt = self._by_container.get(event.name)
        if attempt is None or attempt.stage is Stage.ENDED:
            return
        attempt.container_id = event.container_id
        match event.action:
            case "start":
                self._note_start(attempt, event.at)
            case "oom":
                attempt.out_of_memory = True
            case "die":
                attempt.death = event
                attempt.died.set()

    def _reconcile(self, listing: Listing) -> None:
        """Compare what there is with what is known, at each connection."""
        found = {entry["Names"][0].lstrip("/"): entry for entry in listing}
        self._spawn(self._sweep(sorted(found.keys() - self._by_container.keys())))
        for attempt in list(self._attempts.values()):
            if attempt.stage is Stage.EXPECTED:
                self._find(attempt, found.get(attempt.name))
            elif attempt.stage is Stage.ACTIVE and attempt.begun:
                self._spawn(self._look(attempt))
        self._is_reconciled = True
        self._admit()

    def _find(self, attempt: LiveAttempt, found: Mapping[str, Any] | None) -> None:
        """Take over an expected attempt's container, or draw the conclusion that there is none."""
        if found is None:
            self._conclude(attempt)
            return
        attempt.gpus = gpus_of(found["Labels"])
        attempt.begun = found["State"] != _CREATED
        attempt.count_again(self._admission)
        self._activate(attempt)
        if attempt.begun:
            self._spawn(self._look(attempt))

    def _conclude(self, attempt: LiveAttempt) -> None:
        self._forget(attempt)
        if attempt.was_running:
            self._report([attempt.vanished()])
        elif attempt.stopping.is_set():
            self._report([never_ran(attempt.order, _now())])
        else:
            self.start([attempt.order])

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._let_go)

    def _let_go(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("The Docker executor failed at an attempt.", exc_info=error)


def _inspect(engine: Engine, name: str) -> dict[str, Any] | None:
    return engine.inspect(name)


def _kill(engine: Engine, name: str, signal: str) -> None:
    engine.kill(name, signal)


def _remove(engine: Engine, name: str) -> None:
    engine.remove(name)


def _now() -> int:
    return time.time_ns() // 1_000_000
