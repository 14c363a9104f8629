"""Runs attempts as plain processes of this machine, through the spawner of the home.

The executor only keeps books: which attempts are under way, what of them was reported, and which
ends the rows do not have yet. Physical admission, processes and their ends are the spawner's, which
goes on while there is no daemon. When the connection breaks, the executor connects again, starting
a new spawner if need be, and compares its books with what that one knows: the same comparison that
a new daemon makes when it comes up.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from nbbatch.daemon.admission import Name
from nbbatch.daemon.executors.process_limits import lack_of, refusal_of
from nbbatch.daemon.ports import AttemptReport, ExpectedAttempt, LogSink, Report
from nbbatch.daemon.secret_store import SecretStore
from nbbatch.daemon.spawner_link import Link, open_link
from nbbatch.daemon.spawner_protocol import PROTOCOL, base_environment, line_of
from nbbatch.errors import BackendUnreachableError, CouldNotStartError, NbbatchError
from nbbatch.model.events import AttemptExited, AttemptStarted, AttemptVanished, StartAttempt, StopAttempt
from nbbatch.model.jobs import JobId, Usage, task_id
from nbbatch.model.resources import NOTHING, Resources

LOOPBACK = "127.0.0.1"
_ORDERS_A_LINE = 64
"""So many, that the spawner can begin the first while the rest is on its way."""

_COME_UP_SECONDS = 5.0
"""Until then, a spawner that ends as the daemon connects (it was idle) or fails to start is tried again."""

_WELCOME_SECONDS = 90.0
"""A new spawner may have to wait for the death of what an old one has left."""

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 5.0

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class _Known:
    """An attempt in the books; without `order` it has ended, and the rows may not know it yet."""

    __slots__ = ("is_started", "order", "stop")

    def __init__(self, order: StartAttempt, *, is_started: bool = False) -> None:
        self.order: StartAttempt | None = order
        self.is_started = is_started
        self.stop: int | None = None


class ProcessExecutor:
    """Runs attempts through the home's spawner; implements `ports.Executor`.

    Parameters
    ----------
    home : Path
        The home folder.
    machine : Resources
        What all running attempts together may use: vCPUs (already oversubscribed), memory, GPUs.
    report : Report
        Takes what happened to attempts.
    logs : LogSink
        Says where the attempts' output goes.
    idle_seconds : float
        How long a spawner stays that has no attempt and no daemon.
    """

    name = "process"
    runs_tasks = False

    def __init__(
        self, home: Path, machine: Resources, report: Report, logs: LogSink, *, idle_seconds: float = 60.0
    ) -> None:
        self._home = home.resolve()
        self._machine = machine
        self._report = report
        self._logs = logs
        self._idle_seconds = idle_seconds
        self._known: dict[Name, _Known] = {}
        self._link: Link | None = None
        self._welcome: asyncio.Future[dict[str, Any]] | None = None
        self._reconnection: asyncio.Task[None] | None = None
        self._is_over = False
        self._secrets = SecretStore(home)
        self._lookups: set[asyncio.Task[None]] = set()

    async def adopt(self, expected: Sequence[ExpectedAttempt]) -> None:
        """See `Executor.adopt`.

        Raises
        ------
        BackendUnreachableError
            When the spawner cannot be started or is of another version.
        """
        for attempt in expected:
            order = attempt.order
            self._known[order.job_id, order.attempt] = _Known(order, is_started=attempt.was_running)
        until = time.monotonic() + _COME_UP_SECONDS
        while self._link is None:
            try:
                await self._connect()
            except BackendUnreachableError:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(_FIRST_PAUSE)

    def start(self, orders: Sequence[StartAttempt]) -> None:
        """See `Executor.start`."""
        fresh = [order for order in orders if (order.job_id, order.attempt) not in self._known]
        for order in fresh:
            self._known[order.job_id, order.attempt] = _Known(order)
        if self._link is not None:
            self._send_orders(fresh)

    def stop(self, orders: Sequence[StopAttempt]) -> None:
        """See `Executor.stop`."""
        stops = []
        for order in orders:
            known = self._known.get((order.job_id, order.attempt))
            if known is not None and known.order is not None:
                known.stop = order.grace_seconds
                stops.append((order.job_id, order.attempt, order.grace_seconds))
        if stops:
            self._send(line_of("stop", stops))

    def settled(self, attempts: Sequence[AttemptExited]) -> None:
        """See `Executor.settled`."""
        names = [(attempt.job_id, attempt.attempt) for attempt in attempts]
        for name in names:
            self._known.pop(name, None)
        self._send(_encode(("settled", names)) + b"\n")

    async def close(self) -> None:
        """See `Executor.close`."""
        self._is_over = True
        for lookup in self._lookups:
            lookup.cancel()
        if self._reconnection is not None:
            self._reconnection.cancel()
            await asyncio.wait([self._reconnection])
        if self._link is not None:
            await self._link.close()
            self._link = None

    # The line to the spawner.

    def _send(self, data: bytes) -> None:
        """What is lost without a connection is in the books, and said again when there is one."""
        if self._link is not None:
            self._link.send(data)

    async def _connect(self) -> None:
        self._welcome = asyncio.get_running_loop().create_future()
        link = await open_link(self._home, self._idle_seconds, self._on_line, self._on_lost)
        try:
            link.send(line_of("hello", self._hello()))
            welcome = await asyncio.wait_for(self._welcome, _WELCOME_SECONDS)
            if welcome["protocol"] != PROTOCOL:
                raise BackendUnreachableError(
                    f"Jobs of another version of nbbatch run in process {welcome['pid']}.",
                    cure="Wait until they have ended, or end that process and with it the jobs.",
                )
        except TimeoutError as error:
            await link.close()
            raise BackendUnreachableError(f"The spawner of {self._home} does not answer.") from error
        except (NbbatchError, asyncio.CancelledError):
            await link.close()
            raise
        self._link = link
        self._reconcile(welcome)

    def _hello(self) -> dict[str, object]:
        machine = self._machine
        return {
            "protocol": PROTOCOL,
            "expected": list(self._known),
            "machine": [machine.vcpus, machine.memory, machine.gpus],
            "environment": base_environment(os.environ),
            "devices": _visible_devices(machine.gpus),
        }

    def _on_line(self, line: bytes) -> None:
        word, *rest = _decode(line)
        if word == "reports":
            self._on_reports(*rest)
        elif word == "welcome" and self._welcome is not None and not self._welcome.done():
            self._welcome.set_result(rest[0])
        elif word == "replaced":
            _log.warning("Another daemon has taken over the spawner of %s.", self._home)
            self._is_over = True

    def _on_lost(self) -> None:
        self._link = None
        if self._welcome is not None and not self._welcome.done():
            self._welcome.set_exception(
                BackendUnreachableError(f"The spawner of {self._home} ended before it answered.")
            )
        elif not self._is_over:
            _log.warning("The spawner of %s is gone.", self._home)
            if self._reconnection is None or self._reconnection.done():
                self._reconnection = asyncio.create_task(self._reconnect())

    async def _reconnect(self) -> None:
        pause = _FIRST_PAUSE
        while self._link is None and not self._is_over:
            try:
                await self._connect()
            except (NbbatchError, OSError) as error:
                _log.error("%s Trying again in %g s.", error, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    # The books.

    def _reconcile(self, welcome: dict[str, Any]) -> None:
        """Make reports of what the spawner knows; begin what it has never heard of."""
        running = {(job_id, attempt): at for job_id, attempt, at in welcome["running"]}
        waiting = {(job_id, attempt) for job_id, attempt in welcome["waiting"]}
        ended = {(end[0], end[1]): end for end in map(_decode, welcome["ended"])}
        lost = {(job_id, attempt) for job_id, attempt in welcome["lost"]}
        unheard: list[StartAttempt] = []
        reports: list[AttemptReport] = []
        for name, known in self._known.items():
            if known.order is None or name in waiting:
                continue
            if name in running:
                reports += self._started(*name, running[name])
            elif name in ended:
                reports += self._ended(ended[name])
            elif name in lost or known.is_started:
                known.order = None
                reports.append(AttemptVanished(job_id=JobId(name[0]), attempt=name[1]))
            else:
                unheard.append(known.order)
        if reports:
            self._report(reports)
        self._send_orders(unheard)
        self._repeat_stops()

    def _repeat_stops(self) -> None:
        stops = [
            (*name, known.stop)
            for name, known in self._known.items()
            if known.order is not None and known.stop is not None
        ]
        if stops:
            self._send(line_of("stop", stops))

    def _on_reports(self, started: list[list[Any]], ended: list[list[Any]]) -> None:
        reports: list[AttemptReport] = []
        for start in started:
            reports += self._started(*start)
        for end in ended:
            reports += self._ended(end)
        if reports:
            self._report(reports)

    def _started(self, job_id: str, attempt: int, started_at: int) -> list[AttemptReport]:
        known = self._known.get((job_id, attempt))
        if known is None or known.is_started or known.order is None:
            return []
        known.is_started = True
        return [AttemptStarted(job_id=JobId(job_id), attempt=attempt, started_at=started_at)]

    def _ended(self, end: list[Any]) -> list[AttemptReport]:
        job_id, attempt, code, started_at, stopped_at, reason, status_reason, cpu_seconds, peak = end
        known = self._known.get((job_id, attempt))
        if known is None or known.order is None:
            return []
        known.order = None
        return [
            AttemptExited(
                job_id=job_id,
                attempt=attempt,
                exit_code=code,
                started_at=started_at,
                stopped_at=stopped_at,
                reason=reason,
                status_reason=status_reason,
                usage=Usage(cpu_seconds=cpu_seconds, peak_memory=peak),
            )
        ]

    def _send_orders(self, orders: Sequence[StartAttempt]) -> None:
        ready = [order for order in orders if self._is_ready(order)]
        for first in range(0, len(ready), _ORDERS_A_LINE):
            wires = []
            for order in ready[first : first + _ORDERS_A_LINE]:
                try:
                    wires.append(_wire_order(order, self._prepare_log(order)))
                except OSError as error:
                    self._refuse(order, f"its log file cannot be made: {error.strerror}")
            self._send(_line_of_orders(wires))

    def _is_ready(self, order: StartAttempt) -> bool:
        """Whether an order may go to the spawner now; one with secrets goes when they are there."""
        refusal = refusal_of(order)
        if refusal:
            self._refuse(order, refusal)
        elif order.container.secrets:
            task = asyncio.get_running_loop().create_task(self._send_with_secrets(order))
            self._lookups.add(task)
            task.add_done_callback(self._lookups.discard)
        return not refusal and not order.container.secrets

    async def _send_with_secrets(self, order: StartAttempt) -> None:
        """Look the secrets up on a thread, and let only the spawner have them."""
        try:
            secrets = await asyncio.to_thread(self._secrets.resolve, order.container.secrets)
        except CouldNotStartError as error:
            self._end_unseen(order, error.message)
            return
        container = replace(order.container, secrets=())
        environment = (*order.environment, *secrets)
        self._send_orders([replace(order, container=container, environment=environment)])
        self._repeat_stops()

    def _prepare_log(self, order: StartAttempt) -> str:
        """The log file; it begins with what a process cannot be given."""
        path, lack = self._logs.path(order.log_stream), lack_of(order.container)
        if lack and not self._logs.size(order.log_stream):
            Path(path).touch(mode=0o600)
            Path(path).write_text(lack, encoding="utf-8")
        return path

    def _refuse(self, order: StartAttempt, why: str) -> None:
        """End an attempt that the spawner never sees; like all reports, not from within `start`."""
        self._end_unseen(order, f"CannotStartContainerError: {why}")

    def _end_unseen(self, order: StartAttempt, reason: str) -> None:
        end = [order.job_id, order.attempt, None, None, _now(), reason, "Task failed to start", None, None]
        asyncio.get_running_loop().call_soon(self._on_reports, [], [end])


def _wire_order(order: StartAttempt, log: str) -> tuple[object, ...]:
    """The order as `spawner_protocol.Order` takes it; nodes of a job find their main node on this machine."""
    if order.follows_main:
        order = order.told_main_node(LOOPBACK)
    container, resources, gang = order.container, order.resources, order.gang
    main = "" if gang is None or not order.follows_main else gang.main
    others = NOTHING if gang is None else gang.others
    return (
        order.job_id,
        order.attempt,
        container.command,
        order.environment,
        resources.vcpus,
        resources.memory,
        resources.gpus,
        container.resources.memory,
        log,
        task_id(order.job_id, order.attempt),
        [(limit.name, limit.soft, limit.hard) for limit in container.ulimits],
        main,
        (others.vcpus, others.memory, others.gpus),
    )


def _line_of_orders(wires: Sequence[tuple[object, ...]]) -> bytes:
    try:
        return _encode(("start", wires)) + b"\n"
    except UnicodeEncodeError:
        return line_of("start", wires)  # lone surrogates: the slow encoder escapes them


def _visible_devices(gpus: int) -> list[str]:
    """What to call the GPUs: the daemon may have been given only some of the machine's."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = [name.strip() for name in visible.split(",") if name.strip()]
    return (names or [str(index) for index in range(gpus)])[:gpus]


def _now() -> int:
    return time.time_ns() // 1_000_000
