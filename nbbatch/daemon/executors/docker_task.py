"""One attempt that is several containers: begins them in their order, ends them together.

Each container lives as that of a one-container attempt does (`DockerExecutor._live`); what is decided
between them are `scheduler.tasks`' rules. Nothing is remembered here that the engine does not keep:
after a restart the containers that are there tell how far the task has come, so a container that
has begun is never begun again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from nbbatch.daemon.executors.docker_attempt import LiveAttempt, Stage
from nbbatch.daemon.executors.docker_errors import EngineRefusedError
from nbbatch.daemon.executors.docker_exits import FAILED_TO_START
from nbbatch.errors import CouldNotStartError
from nbbatch.model.containers import ContainerEnd
from nbbatch.model.events import AttemptExited, AttemptStarted, AttemptVanished, StartAttempt
from nbbatch.model.jobs import Usage
from nbbatch.scheduler.tasks import Progress, decisive, given_up, is_decided, next_deadline, ready


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What a task needs done: `open` its namespaces, `live` one container's life, `terminate` one."""

    open: Callable[[LiveAttempt], Awaitable[None]]
    look: Callable[[LiveAttempt], Awaitable[None]]
    live: Callable[[LiveAttempt], Awaitable[AttemptExited | AttemptVanished]]
    terminate: Callable[[LiveAttempt], Coroutine[Any, Any, None]]
    close: Callable[[LiveAttempt], Awaitable[None]]
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    report: Callable[[AttemptStarted], None]


def members_of(whole: LiveAttempt) -> tuple[LiveAttempt, ...]:
    """A live attempt for each of several containers; none when there is only one."""
    order = whole.order
    if not order.others:
        return ()
    first = replace(order, others=(), resources=order.container.resources)
    return tuple(_member(whole, known) for known in (first, *order.others))


def _member(whole: LiveAttempt, order: StartAttempt) -> LiveAttempt:
    name = f"{whole.name}-{order.container.name}"
    return LiveAttempt(order=order, name=name, stage=Stage.ACTIVE, whole=whole)


class TaskRun:
    """The life of one attempt of several containers, from admission (or adoption) to its end."""

    def __init__(self, whole: LiveAttempt, hands: Hands) -> None:
        self._whole, self._hands = whole, hands
        self._members = {member.order.container.name: member for member in whole.members}
        self._containers = tuple(member.order.container for member in whole.members)
        self._lives: dict[str, asyncio.Task[AttemptExited | AttemptVanished]] = {}
        self._ends: dict[str, ContainerEnd] = {}
        self._usages: list[Usage] = []
        self._is_lost = False

    async def run(self) -> AttemptExited | AttemptVanished:
        """Until nothing of it runs any more."""
        try:
            return await self._run()
        finally:
            for life in self._lives.values():
                life.cancel()

    async def _run(self) -> AttemptExited | AttemptVanished:
        try:
            await self._hands.open(self._whole)
        except CouldNotStartError as error:
            return self._never_began(error.message)
        await self._resume()
        while not self._is_over():
            self._step()
            await self._news()
        await self._hands.close(self._whole)
        return self._whole.vanished() if self._is_lost else self._end()

    async def _resume(self) -> None:
        """First learn how far those are that had begun before; nobody else begins until then."""
        begun = [member for member in self._members.values() if member.begun]
        if self._whole.was_running and len(begun) < len(self._members):
            self._is_lost = True
        for member in begun:
            await self._hands.look(member)
            self._begin(member)
        ended = [self._lives[_name(member)] for member in begun if member.died.is_set()]
        if ended:
            await asyncio.wait(ended)
        self._gather()

    def _step(self) -> None:
        """Stop all or begin some, and tell when all have begun."""
        if not self._is_stopping():
            for container in ready(self._containers, self._progress()):
                self._begin(self._members[container.name])
        else:
            for member in self._members.values():
                if _name(member) in self._lives and not member.stopping.is_set():
                    self._stop(member)
        if self._whole.started_at is None and len(self._progress().started) == len(self._members):
            self._tell_started()

    def _begin(self, member: LiveAttempt) -> None:
        name = _name(member)
        if name not in self._lives:
            self._lives[name] = asyncio.ensure_future(self._hands.live(member))
            self._lives[name].add_done_callback(lambda _life: self._whole.changed.set())

    def _stop(self, member: LiveAttempt) -> None:
        member.grace_seconds = member.order.container.stop_timeout or self._whole.grace_seconds
        member.stopping.set()
        if member.begun:
            self._hands.spawn(self._hands.terminate(member))

    def _is_stopping(self) -> bool:
        return (
            self._whole.stopping.is_set() or self._is_lost or is_decided(self._containers, self._progress())
        )

    def _is_over(self) -> bool:
        """No container runs, and none will: all have ended, or the rest will not begin."""
        if any(not life.done() for life in self._lives.values()):
            return False
        return len(self._ends) == len(self._members) or self._is_stopping()

    async def _news(self) -> None:
        """Wait until something has happened to a container, a stop was asked for, or time is up."""
        deadline = next_deadline(self._containers, self._progress())
        wait = None if deadline is None or self._is_stopping() else max(0.0, deadline / 1000 - time.time())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._whole.changed.wait(), wait)
        self._whole.changed.clear()
        self._gather()

    def _gather(self) -> None:
        for name, life in self._lives.items():
            if life.done() and name not in self._ends:
                self._note_end(self._members[name], life)
        if not self._is_stopping():
            given = given_up(self._containers, self._progress(), _now())
            if given is not None:
                self._ends[given.name] = replace(given, stopped_at=_now())

    def _note_end(self, member: LiveAttempt, life: asyncio.Task[AttemptExited | AttemptVanished]) -> None:
        member.stage = Stage.ENDED
        member.over.set()
        try:
            end = life.result()
        except EngineRefusedError:
            end = member.vanished()
        if isinstance(end, AttemptVanished):
            self._is_lost = True
            self._ends[_name(member)] = ContainerEnd(name=_name(member), started_at=member.started_at)
            return
        self._usages.append(end.usage)
        self._ends[_name(member)] = ContainerEnd(
            name=_name(member),
            exit_code=end.exit_code,
            reason=end.reason,
            started_at=end.started_at,
            stopped_at=end.stopped_at,
        )

    def _progress(self) -> Progress:
        started = {
            name: member.started_at for name, member in self._members.items() if member.started_at is not None
        }
        return Progress(started=started, ends=self._ends)

    def _tell_started(self) -> None:
        order, started = self._whole.order, self._progress().started
        self._whole.started_at = max(started.values())
        if not self._whole.was_running:
            self._hands.report(
                AttemptStarted(job_id=order.job_id, attempt=order.attempt, started_at=self._whole.started_at)
            )

    def _end(self) -> AttemptExited:
        """The attempt's end out of those of its containers, in the order of the definition."""
        ends = tuple(self._ends.get(known.name, ContainerEnd(name=known.name)) for known in self._containers)
        decided = decisive(self._containers, ends)
        started = self._progress().started
        return self._exited(
            exit_code=decided.exit_code,
            reason=decided.reason,
            started_at=self._whole.started_at or min(started.values(), default=None),
            stopped_at=max((end.stopped_at or 0 for end in ends), default=0) or _now(),
            containers=ends,
        )

    def _exited(self, *, exit_code: int | None, **known: Any) -> AttemptExited:
        order = self._whole.order
        if exit_code is None:
            known["status_reason"] = FAILED_TO_START
        return AttemptExited(
            job_id=order.job_id,
            attempt=order.attempt,
            exit_code=exit_code,
            usage=_sum_of(self._usages),
            **known,
        )

    def _never_began(self, reason: str) -> AttemptExited:
        ends = tuple(ContainerEnd(name=known.name) for known in self._containers)
        return self._exited(exit_code=None, reason=reason, stopped_at=_now(), containers=ends)


def _name(member: LiveAttempt) -> str:
    return member.order.container.name


def _sum_of(usages: list[Usage]) -> Usage:
    """All containers together; of the memory, the most they can have had at once."""
    seconds = [known.cpu_seconds for known in usages if known.cpu_seconds is not None]
    peaks = [known.peak_memory for known in usages if known.peak_memory is not None]
    return Usage(cpu_seconds=sum(seconds) if seconds else None, peak_memory=sum(peaks) if peaks else None)


def _now() -> int:
    return time.time_ns() // 1_000_000
