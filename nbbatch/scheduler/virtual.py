"""The executor of a simulation: it takes the scheduler's effects and says what became of them, and when.

It runs nothing. What will happen is an event in a heap under the virtual clock; the simulation hands
each to the reactor when its time has come, as a daemon does with an executor's reports. What real
executors decide for themselves is played here: how long a host takes to be there, how long an
attempt runs, a machine that has room for only so many at once, and Spot hosts that are reclaimed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from types import MappingProxyType
from typing import TYPE_CHECKING

from nbbatch.model.events import (
    AttemptExited,
    AttemptStarted,
    AttemptVanished,
    Effect,
    Event,
    StartAttempt,
    StopAttempt,
)
from nbbatch.model.fleet import HostId
from nbbatch.model.jobs import JobId, split_child_id
from nbbatch.model.resources import Resources
from nbbatch.scheduler.state import HostState, SchedulerState
from nbbatch.scheduler.workload import MS, Work

if TYPE_CHECKING:
    from random import Random

MS_PER_HOUR = 3_600_000
TERMINATED = 143
"""Exit code of a container that obeys SIGTERM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a world does that no event of the scheduler decides.

    Parameters
    ----------
    launch : mapping of str to float
        By compute environment: seconds until a new host can start its first attempt.
    interruptions : mapping of str to float
        By compute environment: how often an hour each of its hosts is reclaimed.
    start : float
        Seconds from an attempt's placement on a host that is there until it runs: image, container.
    stop : float
        Seconds from SIGTERM to the end.
    machine : Resources or None
        What the one machine behind all hosts can run at once; None where every host is real.
    """

    launch: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    interruptions: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    start: float = 0.0
    stop: float = 0.0
    machine: Resources | None = None


@dataclass(frozen=True, slots=True)
class _Reclaim:
    """A host is taken back; every attempt on it is lost."""

    environment: str
    host: HostId


class VirtualExecutor:
    """Plays what happens to attempts.

    Parameters
    ----------
    state : SchedulerState
        Only read: where hosts are, and what is on them.
    chance : Random
        Of the world: when hosts are reclaimed, and what later attempts do.
    """

    def __init__(self, state: SchedulerState, conditions: Conditions, chance: Random) -> None:
        self.work: dict[JobId, Work] = {}
        self._state = state
        self._conditions = conditions
        self._chance = chance
        self._heap: list[tuple[int, int, Event | _Reclaim]] = []
        self._pushed = 0
        self._under_way: dict[JobId, StartAttempt] = {}
        self._waiting: deque[StartAttempt] = deque()
        self._room = conditions.machine
        self._start = round(conditions.start * MS)
        self._watched: set[HostId] = set()

    def next_time(self) -> int | None:
        """When the next thing happens; None when nothing is under way."""
        while self._heap:
            at, _, event = self._heap[0]
            if not self._is_over(event):
                return at
            heappop(self._heap)
        return None

    def happen(self) -> list[Event]:
        """What happens at that time; several events when a host goes with all that ran on it."""
        at, _, event = heappop(self._heap)
        if isinstance(event, _Reclaim):
            return self._reclaim(event, at)
        if isinstance(event, AttemptStarted):
            self._run(event, at)
        elif isinstance(event, AttemptExited):
            self._let_go(event.job_id, at)
        return [event]

    def carry_out(self, effects: list[Effect], now: int) -> None:
        """Take what the scheduler wants done."""
        for effect in effects:
            match effect:
                case StartAttempt():
                    self._under_way[effect.job_id] = effect
                    self._take_in(effect, now)
                case StopAttempt():
                    self._stop(effect, now)

    def _take_in(self, order: StartAttempt, now: int) -> None:
        if self._room is None:
            self._begin(order, now)
        else:
            self._waiting.append(order)
            self._admit(now)

    def _admit(self, now: int) -> None:
        """First in, first out, as the local executors admit attempts to their one machine."""
        while self._waiting and self._room is not None:
            amount = self._amount(self._waiting[0].resources)
            if not amount.fits(self._room):
                return
            self._room -= amount
            self._begin(self._waiting.popleft(), now)

    def _amount(self, wanted: Resources) -> Resources:
        """What an attempt takes of the machine: never more than there is."""
        most = self._conditions.machine or wanted
        return Resources(
            vcpus=min(wanted.vcpus, most.vcpus),
            memory=min(wanted.memory, most.memory),
            gpus=min(wanted.gpus, most.gpus),
        )

    def _begin(self, order: StartAttempt, now: int) -> None:
        at = max(now, self._host_is_there(order)) + self._start
        self._push(at, AttemptStarted(job_id=order.job_id, attempt=order.attempt, started_at=at))

    def _host_is_there(self, order: StartAttempt) -> int:
        """When the order's host has been launched; its first order also sets the time it is reclaimed at.

        Where the scheduler itself waits for hosts, `launch` is left out.
        """
        if not self._conditions.launch and not self._conditions.interruptions:
            return 0
        host = self._host(order)
        name = host.host.environment
        there = host.host.launched_at + round(self._conditions.launch.get(name, 0.0) * MS)
        if host.host.id not in self._watched:
            self._watched.add(host.host.id)
            self._expect_reclaim(_Reclaim(name, host.host.id), there)
        return there

    def _host(self, order: StartAttempt) -> HostState:
        known = self._state.environments.values()
        return next(hosts for place in known if (hosts := place.hosts.get(order.host)) is not None)

    def _expect_reclaim(self, reclaim: _Reclaim, now: int) -> None:
        rate = self._conditions.interruptions.get(reclaim.environment, 0.0)
        if rate > 0:
            self._push(now + round(self._chance.expovariate(rate) * MS_PER_HOUR), reclaim)

    def _reclaim(self, reclaim: _Reclaim, now: int) -> list[Event]:
        """All attempts on the host vanish; an equal host takes its place, until it is reclaimed too."""
        host = self._state.environments[reclaim.environment].hosts[reclaim.host]
        lost: list[Event] = []
        for job_id in sorted(host.occupants):
            order = self._under_way[job_id]
            self._let_go(job_id, now)
            lost.append(AttemptVanished(job_id=job_id, attempt=order.attempt))
        self._expect_reclaim(reclaim, now)
        return lost

    def _run(self, event: AttemptStarted, now: int) -> None:
        parent, index = split_child_id(event.job_id)
        length, code = self.work[parent].attempt(index, event.attempt, self._chance)
        self._push_exit(event.job_id, event.attempt, code, now + length)

    def _stop(self, effect: StopAttempt, now: int) -> None:
        if effect.job_id in self._under_way:
            at = now + round(self._conditions.stop * MS)
            self._push_exit(effect.job_id, effect.attempt, TERMINATED, at)

    def _push_exit(self, job_id: JobId, attempt: int, code: int, at: int) -> None:
        self._push(at, AttemptExited(job_id=job_id, attempt=attempt, exit_code=code, stopped_at=at))

    def _let_go(self, job_id: JobId, now: int) -> None:
        """An attempt is over: the machine has its room again."""
        order = self._under_way.pop(job_id)
        if self._room is None:
            return
        if order in self._waiting:
            self._waiting.remove(order)
        else:
            self._room += self._amount(order.resources)
        self._admit(now)

    def _push(self, at: int, event: Event | _Reclaim) -> None:
        self._pushed += 1
        heappush(self._heap, (at, self._pushed, event))

    def _is_over(self, event: Event | _Reclaim) -> bool:
        """Whether what was expected cannot happen any more."""
        match event:
            case AttemptExited() | AttemptStarted():
                order = self._under_way.get(event.job_id)
                return order is None or order.attempt != event.attempt
            case _Reclaim():
                return event.host not in self._state.environments[event.environment].hosts
            case _:
                return False
