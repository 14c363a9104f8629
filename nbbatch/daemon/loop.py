"""Decide, commit, carry out: the one place where events meet the state, the rows and the executor.

One asyncio thread owns the state. A tick takes all commands and reports that have come in, lets the
scheduler decide, writes events and rows in one transaction, and only then answers the callers; what else
follows from it comes behind the answers, which nobody should wait for longer than for the disk: the
effects go to the executor, and whoever follows the commits is told. When a tick fails, the state is built again from the rows, as
after a restart: nothing was carried out, so nothing is lost. On a full disk callers are told and
reports wait for the next try; anything else is a bug, and its items are then tried one by one, so
that one bad item harms no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from nbbatch.daemon.ports import AttemptReport, Clock, Executor, ExpectedAttempt
from nbbatch.errors import NbbatchBugError, NbbatchError, StoreError
from nbbatch.model.events import AttemptExited, Effect, Event, StartAttempt, StopAttempt, Ticked
from nbbatch.model.jobs import JobStatus, Run
from nbbatch.scheduler.draining import standing_stops
from nbbatch.scheduler.orders import start_order
from nbbatch.scheduler.reactor import handle
from nbbatch.scheduler.state import Changes, LiveJob, SchedulerState

RETRY_SECONDS = 1.0
"""How long after a failed commit the next one is tried."""

T = TypeVar("T")
Command = Callable[[SchedulerState, int], tuple[Sequence[Event], T]]
"""Check a request against the state; name the events that follow and the reply. Changes nothing."""

_log = logging.getLogger(__name__)


class Rows(Protocol):
    """What the loop needs of the store."""

    def commit(self, events: Sequence[tuple[int, Event]], changes: Changes, state: SchedulerState) -> None:
        """Write one tick: the events and what they changed, in one transaction."""
        ...


@dataclass(slots=True)
class _Tick:
    """What one tick takes in and brings out."""

    reports: list[AttemptReport]
    commands: list[tuple[Command[Any], asyncio.Future[Any]]]
    happened: list[tuple[int, Event]] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    answers: list[tuple[asyncio.Future[Any], Any]] = field(default_factory=list)
    changes: Changes | None = None


class Loop:
    """The daemon's heart.

    Parameters
    ----------
    restore : callable
        Builds the state from the rows.
    store : Rows
        Durable rows and event log.
    clock : Clock
        Where `now` comes from.
    on_commit : callable
        Called after each commit with its events and what they changed.
    """

    def __init__(
        self,
        *,
        restore: Callable[[], SchedulerState],
        store: Rows,
        clock: Clock,
        on_commit: Callable[[Sequence[tuple[int, Event]], Changes], None] = lambda _events, _changes: None,
    ) -> None:
        self.state = restore()
        self.executor: Executor | None = None
        self.on_commit = on_commit
        self._restore = restore
        self._store = store
        self._clock = clock
        self._commands: list[tuple[Command[Any], asyncio.Future[Any]]] = []
        self._reports: list[AttemptReport] = []
        self._tick_is_due = False
        self._decided: list[_Tick] = []
        self._one_by_one = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at: int | None = None

    async def start(self, executor: Executor) -> None:
        """Take the executor up, reconcile what ran while nobody watched, and begin to tick."""
        self.executor = executor
        await executor.adopt(self._expected())
        executor.stop([StopAttempt(job_id=run.id, attempt=run.attempt) for run in self._stopping()])
        executor.stop(standing_stops(self.state, self._clock.now()))
        self._schedule()

    async def apply(self, command: Command[T]) -> T:
        """Run a command in the next tick.

        Returns
        -------
        T
            The command's reply, once what it decided is durable.

        Raises
        ------
        ClientException
            What the command raised; nothing has changed then.
        StoreError
            When it could not be made durable; nothing has changed then either.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._commands.append((command, future))
        self._schedule()
        return await future

    def report(self, reports: Sequence[AttemptReport]) -> None:
        """Take an executor's reports into the next tick."""
        self._reports += reports
        self._schedule()

    async def close(self) -> None:
        """Stop ticking; attempts go on without the daemon."""
        self._tick_is_due = True
        self._follow_up()
        if self._alarm is not None:
            self._alarm.cancel()
        if self.executor is not None:
            await self.executor.close()

    def _schedule(self) -> None:
        if not self._tick_is_due:
            self._tick_is_due = True
            asyncio.get_running_loop().call_soon(self._tick)

    def _tick(self) -> None:
        self._tick_is_due = False
        tick = self._take()
        try:
            self._decide(tick)
        except StoreError as error:
            self._put_off(tick, error)
            return
        except Exception as error:  # noqa: BLE001 - any bug must leave state and rows in step
            _log.exception("A tick failed; the state is built again from the rows.")
            self._isolate(tick, error)
            return
        for future, reply in tick.answers:
            if not future.done():
                future.set_result(reply)
        self._decided.append(tick)
        if tick.answers:
            asyncio.get_running_loop().call_soon(self._follow_up)
        else:
            self._follow_up()

    def _take(self) -> _Tick:
        """All that has come in, or after a failure just the first of it."""
        if self._one_by_one:
            self._one_by_one -= 1
            reports, self._reports = self._reports[:1], self._reports[1:]
            taken = 0 if reports else 1
            commands, self._commands = self._commands[:taken], self._commands[taken:]
            if self._reports or self._commands:
                self._schedule()
            return _Tick(reports=reports, commands=commands)
        reports, self._reports = self._reports, []
        commands, self._commands = self._commands, []
        return _Tick(reports=reports, commands=commands)

    def _decide(self, tick: _Tick) -> None:
        """Let everything happen in the state, then make it durable."""
        now = max(self._clock.now(), self.state.now)
        for report in tick.reports:
            self._happen(tick, report, now)
        deadline = self.state.next_deadline()
        if deadline is not None and deadline <= now:
            self._happen(tick, Ticked(), now)
        for command, future in tick.commands:
            try:
                following, reply = command(self.state, now)
            except NbbatchError as error:
                if not future.done():
                    future.set_exception(error)
                continue
            for event in following:
                self._happen(tick, event, now)
            tick.answers.append((future, reply))
        if tick.happened:
            tick.changes = self.state.drain_changes()
            self._store.commit(tick.happened, tick.changes, self.state)

    def _happen(self, tick: _Tick, event: Event, now: int) -> None:
        tick.happened.append((now, event))
        tick.effects += handle(self.state, event, now)

    def _put_off(self, tick: _Tick, error: StoreError) -> None:
        """The rows cannot be written now: tell the callers, keep the reports for the next try."""
        _log.error("A tick could not be made durable: %s", error)
        for _, future in tick.commands:
            if not future.done():
                future.set_exception(error)
        self._reports = [*tick.reports, *self._reports]
        self.state = self._restore()
        self._tick_is_due = True
        asyncio.get_running_loop().call_later(RETRY_SECONDS, self._tick)

    def _isolate(self, tick: _Tick, error: Exception) -> None:
        """Find the bad item: all are tried again one by one, a single one that fails is dropped."""
        self.state = self._restore()
        items = len(tick.reports) + len(tick.commands)
        if items > 1:
            self._reports = [*tick.reports, *self._reports]
            self._commands = [*tick.commands, *self._commands]
            self._one_by_one = max(self._one_by_one, items)
            self._schedule()
            return
        _log.critical("Dropped after an error: %s", tick.reports or "one request")
        for _, future in tick.commands:
            if not future.done():
                future.set_exception(NbbatchBugError(f"The request could not be handled: {error!r}."))

    def _follow_up(self) -> None:
        """Whatever was decided and is durable, in the order of the ticks."""
        decided, self._decided = self._decided, []
        for tick in decided:
            self._carry_out(tick.reports, tick.effects)
            if tick.changes is not None:
                self.on_commit(tick.happened, tick.changes)

    def _carry_out(self, reports: Sequence[AttemptReport], effects: Sequence[Effect]) -> None:
        if self.executor is not None:
            ends = [report for report in reports if isinstance(report, AttemptExited)]
            if ends:
                self.executor.settled(ends)
            stops = [effect for effect in effects if isinstance(effect, StopAttempt)]
            starts = [effect for effect in effects if isinstance(effect, StartAttempt)]
            if starts:
                self.executor.start(starts)
            if stops:
                self.executor.stop(stops)
        self._set_alarm()

    def _set_alarm(self) -> None:
        """Wake up at the next deadline."""
        deadline = self.state.next_deadline()
        if deadline == self._alarm_at and self._alarm is not None:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm, self._alarm_at = None, deadline
        if deadline is not None:
            delay = max(0.0, (deadline - self._clock.now()) / 1000)
            self._alarm = asyncio.get_running_loop().call_later(delay, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._schedule()

    def _active(self) -> list[tuple[LiveJob, int | None, Run]]:
        return [(live, index, run) for live in self.state.jobs.values() for index, run in live.ordered()]

    def _expected(self) -> list[ExpectedAttempt]:
        return [
            ExpectedAttempt(order=start_order(live, index, run), was_running=run.status is JobStatus.RUNNING)
            for live, index, run in self._active()
        ]

    def _stopping(self) -> list[Run]:
        """Attempts whose stop was decided; whether it was carried out nobody knows."""
        return [run for _, _, run in self._active() if run.stop_reason is not None]
