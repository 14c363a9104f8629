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
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbatch.daemon.admission import Admission, Name
from nbbatch.daemon.executors.docker_attempt import LiveAttempt, Stage
from nbbatch.daemon.executors.docker_cleaner import Cleaner
from nbbatch.daemon.executors.docker_containers import Step, begin, inspect, kill
from nbbatch.daemon.executors.docker_errors import EngineRefusedError
from nbbatch.daemon.executors.docker_events import ContainerEvent
from nbbatch.daemon.executors.docker_exits import SUSPICIOUS, died_with_engine, epoch_ms, never_ran
from nbbatch.daemon.executors.docker_images import Images
from nbbatch.daemon.executors.docker_link import EngineLink, Listing
from nbbatch.daemon.executors.docker_networks import GangNetworks, enter_gang
from nbbatch.daemon.executors.docker_output import Output
from nbbatch.daemon.executors.docker_pause import open_task
from nbbatch.daemon.executors.docker_probe import engine_address, probe
from nbbatch.daemon.executors.docker_spec import (
    DAEMON_LABEL,
    Network,
    Placement,
    container_name,
    gpus_of,
)
from nbbatch.daemon.executors.docker_task import Hands, TaskRun, members_of
from nbbatch.daemon.ports import AttemptReport, ExpectedAttempt, LogSink, Report
from nbbatch.daemon.secret_store import SecretStore
from nbbatch.errors import BackendUnreachableError, CouldNotStartError
from nbbatch.model.events import AttemptExited, AttemptStarted, AttemptVanished, StartAttempt, StopAttempt
from nbbatch.model.resources import Resources

if TYPE_CHECKING:
    from nbbatch.daemon.executors.docker_engine import Engine

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
    runs_tasks = True

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
        self._home, self._report = home, report
        self._daemon_id, self._network = daemon_id, network
        self._secrets = SecretStore(home)
        self._link = EngineLink(found, f"{DAEMON_LABEL}={daemon_id}", max_in_flight)
        self._images = Images(self._link)
        self._admission = Admission(machine.vcpus, machine.memory, machine.gpus)
        self._networks = GangNetworks()
        self._cleaner = Cleaner(self._link, f"{DAEMON_LABEL}={daemon_id}", self._networks)
        self._attempts: dict[Name, LiveAttempt] = {}
        self._by_container: dict[str, LiveAttempt] = {}
        self._output = Output(self._link, logs)
        self._tasks: set[asyncio.Task[None]] = set()
        self._sampler: asyncio.TimerHandle | None = None
        self._is_reconciled = False
        self._hands = Hands(
            open=self._open_task,
            look=self._look,
            live=self._live,
            terminate=self._terminate,
            close=self._close_task,
            spawn=self._spawn,
            report=lambda start: self._report([start]),
        )

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
            elif attempt.members:
                attempt.changed.set()
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
                self._spawn(self._cleaner.remove(attempt))

    async def close(self) -> None:
        """Let go of the engine; containers run on."""
        if self._sampler is not None:
            self._sampler.cancel()
        for attempt in self._by_container.values():
            if attempt.follow_timer is not None:
                attempt.follow_timer.cancel()
        await self._link.disconnect()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._output.close(self._by_container.values())
        await self._images.close()
        await self._link.close()

    # The queue.

    def _know(self, order: StartAttempt, stage: Stage) -> LiveAttempt:
        name = container_name(order.job_id, order.attempt)
        attempt = LiveAttempt(order=order, name=name, stage=stage)
        attempt.members = members_of(attempt)
        self._attempts[attempt.key] = attempt
        self._by_container |= {known.name: known for known in (*attempt.members, attempt)}
        self._networks.enter(attempt.order)
        return attempt

    def _forget(self, attempt: LiveAttempt) -> None:
        for name in attempt.names:
            self._by_container.pop(name, None)
        if self._attempts.pop(attempt.key, None) is not None:
            unused = self._networks.leave(attempt.order)
            if unused is not None:
                self._spawn(self._cleaner.remove_network(unused))

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
            end = attempt.vanished()
        attempt.stage = Stage.ENDED
        attempt.over.set()
        if isinstance(end, AttemptVanished):
            await self._cleaner.remove(attempt)
            self._forget(attempt)
        self._admission.release(attempt.key)
        self._report([end])
        self._admit()

    async def _live(self, attempt: LiveAttempt) -> AttemptExited | AttemptVanished:
        if attempt.members:
            return await TaskRun(attempt, self._hands).run()
        end = None if attempt.begun else await self._begin(attempt)
        return await self._until_end(attempt) if end is None else end

    async def _begin(self, attempt: LiveAttempt) -> AttemptExited | None:
        """Create and start the container; an end where it does not come to that."""
        wanted = attempt.order.container.secrets
        try:
            if wanted:
                attempt.secrets = await asyncio.to_thread(self._secrets.resolve, wanted)
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
        order, placement = attempt.order, self._placement(attempt)
        if not attempt.stopping.is_set():
            order, placement = enter_gang(engine, order, placement)
        return begin(engine, attempt.name, order, placement, attempt.stopping.is_set)

    def _placement(self, attempt: LiveAttempt) -> Placement:
        return Placement(
            daemon_id=self._daemon_id,
            home=self._home,
            gpus=attempt.gpus,
            network=self._network,
            task=attempt.whole.name if attempt.whole is not None else "",
            secrets=attempt.secrets,
        )

    # What a task of several containers needs beside the lives of its containers.

    async def _open_task(self, whole: LiveAttempt) -> None:
        """Share the GPUs out, and have the namespaces that the containers share."""
        gpus = list(whole.gpus)
        for member in whole.members:
            count = member.order.resources.gpus
            member.gpus, gpus = tuple(gpus[:count]), gpus[count:]
        await self._link.patiently(self._open_task_once, whole)

    def _open_task_once(self, engine: Engine, whole: LiveAttempt) -> None:
        """A node's containers are in its gang's network by their pause container."""
        open_task(engine, whole.name, *enter_gang(engine, whole.order, self._placement(whole)))

    async def _close_task(self, whole: LiveAttempt) -> None:
        await self._signal(whole, "SIGKILL")

    async def _until_end(self, attempt: LiveAttempt) -> AttemptExited | AttemptVanished:
        """Watch a container that has begun, to its end."""
        if attempt.stopping.is_set():
            self._spawn(self._terminate(attempt))
        self._output.follow_soon(attempt)
        end = None
        while end is None:
            await attempt.died.wait()
            attempt.died.clear()
            end = await self._end(attempt)
        return end

    async def _end(self, attempt: LiveAttempt) -> AttemptExited | AttemptVanished | None:
        """What became of a container that is said to be dead; None when it runs after all."""
        details = await self._link.patiently(inspect, attempt.name)
        if details is not None:
            self._take_notice(attempt, details)
            if details["State"]["Running"]:
                return None
            await self._output.complete(attempt)
        end = attempt.exited(details)
        if end is None or await self._went_with_engine(attempt, end):
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
            await self._link.patiently(kill, attempt.name, signal)
        except EngineRefusedError as refusal:
            _log.warning("Cannot send %s to %s: %s", signal, attempt.name, refusal)

    # What is learned on the way: start, output, usage.

    async def _look(self, attempt: LiveAttempt) -> None:
        """Inspect a container whose events may have been missed."""
        details = await self._link.patiently(inspect, attempt.name)
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
        if attempt.whole is not None:
            attempt.whole.changed.set()
        elif not attempt.was_running:
            order = attempt.order
            self._report([AttemptStarted(job_id=order.job_id, attempt=order.attempt, started_at=at)])
        if self._sampler is None:
            self._sample()

    def _sample(self) -> None:
        """Look at what the running containers use, as long as there are any."""
        self._sampler = None
        live = [known for known in self._by_container.values() if known.is_running and not known.members]
        for attempt in live:
            attempt.look_at_usage()
        if live:
            self._sampler = asyncio.get_running_loop().call_later(_SAMPLE_EVERY, self._sample)

    # What the engine tells.

    def _on_event(self, event: ContainerEvent) -> None:
        attempt = self._by_container.get(event.name)
        if attempt is None or attempt.members or attempt.stage is Stage.ENDED:
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
        self._spawn(self._cleaner.sweep(sorted(found.keys() - self._by_container.keys())))
        for attempt in list(self._attempts.values()):
            if attempt.stage is Stage.EXPECTED:
                self._find(attempt, found)
        for attempt in list(self._by_container.values()):
            if attempt.stage is Stage.ACTIVE and attempt.begun and not attempt.members:
                self._spawn(self._look(attempt))
        self._is_reconciled = True
        self._admit()

    def _find(self, attempt: LiveAttempt, found: Mapping[str, Mapping[str, Any]]) -> None:
        """Take over an expected attempt's containers, or draw the conclusion that there are none."""
        there = [found[name] for name in attempt.names if name in found]
        if not there:
            self._conclude(attempt)
            return
        attempt.gpus = gpus_of(there[-1]["Labels"])
        for known in attempt.members or (attempt,):
            known.begun = known.name in found and found[known.name]["State"] != _CREATED
        attempt.count_again(self._admission)
        self._activate(attempt)

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


def _now() -> int:
    return time.time_ns() // 1_000_000
