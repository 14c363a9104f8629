"""The bench on which every executor is tried: it gives orders, keeps reports, and restarts daemons.

A `Kind` says how one executor is made, asked about and cleaned up; the tests in
`test_executor_contract.py` know nothing of it. When a test ends, the bench checks what holds for
every attempt: at most one start, exactly one end, in this order, over all restarts.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from docker_image import IMAGE

from nbbatch.daemon.logs import LogStore
from nbbatch.daemon.ports import AttemptReport, Executor, ExpectedAttempt, LogSink, Report
from nbbatch.model.containers import Container
from nbbatch.model.events import AttemptExited, AttemptStarted, AttemptVanished, StartAttempt, StopAttempt
from nbbatch.model.fleet import HostId
from nbbatch.model.jobs import JobId, log_stream_name
from nbbatch.model.resources import Resources

MACHINE = Resources(vcpus=4, memory=2048)
DEADLINE = 120.0
"""Seconds; only a test that fails waits that long."""


class Kind(Protocol):
    """What the bench must know about one executor.

    `keeps_order`: whether standard output and error are one pipe; Docker reads two of them, so that
    only the order within each is certain.
    """

    keeps_order: bool

    def make(self, home: Path, machine: Resources, report: Report, logs: LogSink) -> Executor:
        """One more executor for this home, as a daemon that has just started makes it."""
        ...

    def is_alive(self, home: Path, order: StartAttempt) -> bool:
        """Whether anything of the attempt still runs."""
        ...

    def remembers(self, home: Path, order: StartAttempt) -> bool:
        """Whether anything is kept of an attempt that has ended."""
        ...

    def clean(self, home: Path) -> None:
        """Leave nothing behind, however a test went."""
        ...


class Bench:
    """One executor at a time in one home, and all that was reported there."""

    def __init__(self, kind: Kind, home: Path, machine: Resources = MACHINE) -> None:
        self.kind = kind
        self.home = home
        self.machine = machine
        self.logs = LogStore(home / "logs")
        self.reports: list[AttemptReport] = []
        self.orders: list[StartAttempt] = []
        self.settles = True
        self._executor: Executor | None = None
        self._news = asyncio.Event()

    @property
    def executor(self) -> Executor:
        assert self._executor is not None
        return self._executor

    async def up(self, *expected: StartAttempt, running: bool | None = None) -> None:
        """A daemon comes up that has these attempts in its rows.

        Unless `running` says so, they are RUNNING when their start was reported, else STARTING.
        """
        self._executor = self.kind.make(self.home, self.machine, self._on_reports, self.logs)
        await self.executor.adopt(
            [
                ExpectedAttempt(order=order, was_running=bool(self.of(order)) if running is None else running)
                for order in expected
            ]
        )

    async def down(self) -> None:
        """The daemon goes."""
        if self._executor is not None:
            executor, self._executor = self._executor, None
            await executor.close()

    async def restart(self, *expected: StartAttempt, running: bool | None = None) -> None:
        """The daemon goes and comes again."""
        await self.down()
        await self.up(*expected, running=running)

    def order(
        self,
        *command: str,
        vcpus: float = 1,
        memory: int = 64,
        gpus: int = 0,
        environment: dict[str, str] | None = None,
        **container,
    ) -> StartAttempt:
        """An attempt of a job nobody has heard of."""
        job_id = JobId(str(uuid.uuid4()))
        resources = Resources(vcpus=vcpus, memory=memory, gpus=gpus)
        return StartAttempt(
            job_id=job_id,
            attempt=1,
            host=HostId("host"),
            container=Container(image=IMAGE, command=command, resources=resources, **container),
            environment=tuple((environment or {}).items()),
            resources=resources,
            log_stream=log_stream_name("contract", job_id, 1),
        )

    def shell(self, script: str, **options) -> StartAttempt:
        """An attempt that runs a shell script."""
        return self.order("/bin/sh", "-c", script, **options)

    def start(self, *orders: StartAttempt) -> None:
        self.orders += orders
        self.executor.start(orders)

    def stop(self, order: StartAttempt, grace_seconds: int = 30) -> None:
        stop = StopAttempt(job_id=order.job_id, attempt=order.attempt, grace_seconds=grace_seconds)
        self.executor.stop([stop])

    async def run(self, order: StartAttempt) -> AttemptExited:
        """Start an attempt and wait for its end."""
        self.start(order)
        return await self.end(order)

    async def end(self, order: StartAttempt) -> AttemptExited:
        """Wait until the attempt has ended, but not vanished."""
        report = await self._report_of(order, (AttemptExited, AttemptVanished))
        assert isinstance(report, AttemptExited), report
        return report

    async def started(self, order: StartAttempt) -> AttemptStarted:
        """Wait until the attempt is said to run."""
        report = await self._report_of(order, (AttemptStarted, AttemptExited, AttemptVanished))
        assert isinstance(report, AttemptStarted), report
        return report

    async def vanished(self, order: StartAttempt) -> None:
        """Wait until the attempt is said to have vanished."""
        report = await self._report_of(order, (AttemptExited, AttemptVanished))
        assert isinstance(report, AttemptVanished), report

    async def until(self, holds: Callable[[], object], what: str) -> None:
        """Wait for something that no report tells; looks at it often, and at every report."""
        deadline = time.monotonic() + DEADLINE
        while not holds():
            assert time.monotonic() < deadline, f"not within {DEADLINE} s: {what}"
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), 0.01)
            except TimeoutError:
                continue

    async def says(self, order: StartAttempt, text: str) -> None:
        """Wait until the attempt's log contains a text."""
        await self.until(lambda: text in self.log(order), f"{text!r} in the log")

    def log(self, order: StartAttempt) -> str:
        path = Path(self.logs.path(order.log_stream))
        return path.read_text() if path.exists() else ""

    def of(self, order: StartAttempt) -> list[AttemptReport]:
        """All reports of an attempt, in order."""
        name = (order.job_id, order.attempt)
        return [report for report in self.reports if (report.job_id, report.attempt) == name]

    def check(self) -> None:
        """What holds for every attempt, whatever happened."""
        for order in self.orders:
            kinds = [type(report) for report in self.of(order)]
            counts = Counter(kinds)
            assert counts[AttemptStarted] <= 1, kinds
            assert counts[AttemptExited] + counts[AttemptVanished] <= 1, kinds
            assert AttemptStarted not in kinds[1:], kinds

    async def _report_of(self, order: StartAttempt, kinds: tuple[type, ...]) -> AttemptReport:
        found: list[AttemptReport] = []

        def is_there() -> bool:
            found[:] = [report for report in self.of(order) if isinstance(report, kinds)]
            return bool(found)

        await self.until(
            is_there, f"{' or '.join(kind.__name__ for kind in kinds)} of {order.container.command}"
        )
        return found[0]

    def _on_reports(self, reports: Sequence[AttemptReport]) -> None:
        self.reports += reports
        self._news.set()
        ends = [report for report in reports if isinstance(report, AttemptExited)]
        if ends and self.settles and self._executor is not None:
            self._executor.settled(ends)
