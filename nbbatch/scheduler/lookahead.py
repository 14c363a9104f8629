"""Hosts for the jobs behind the head: what waits is packed onto hosts that come up, before they are up.

Where a host takes time to come, launching one for the head of a queue at a time would bring up a
hundred waiting jobs in a hundred delays. So the RUNNABLE jobs of the queues whose head waits are gone
through in their order, put onto hosts on their way in thought, and for those that find no room
there, hosts are launched, until maxvCpus is reached. Only environments with a launch delay need this.
"""

from __future__ import annotations

from collections.abc import Sequence

from nbbatch.model.events import Effect
from nbbatch.model.jobs import JobId
from nbbatch.model.resources import Resources
from nbbatch.scheduler.fleet import choose, launch, may_launch
from nbbatch.scheduler.hosts import EnvironmentState, HostState
from nbbatch.scheduler.queueing import QueueState
from nbbatch.scheduler.rooms import RoomIndex
from nbbatch.scheduler.state import Deadline, DeadlineKind, SchedulerState

MOST_JOBS = 10_000
"""Jobs of one queue that are looked at in one go."""
Plan = dict[str, RoomIndex]
"""Hosts on their way by environment, as they will be with the jobs put there so far."""


def pause_ms() -> int:
    """How often the jobs of the queues are counted at most; bounds the work under many submissions.

    [?] AWS documents no cadence of scaling out.
    """
    return 1_000


def look_ahead(state: SchedulerState, queues: Sequence[QueueState], now: int) -> None:
    """Launch hosts for the jobs of queues whose head waits, at once or when the pause is over."""
    delayed = [queue for queue in queues if _has_delay(state, queue)]
    if not delayed:
        return
    again_at = state.looked_ahead_at + pause_ms()
    if now < again_at:
        if not state.looks_again:
            state.looks_again = True
            state.remind(again_at, DeadlineKind.LOOK_AHEAD, "")
        return
    state.looked_ahead_at = now
    plan: Plan = {}
    for queue in delayed:
        if not _may_bring(state, delayed):
            return  # mostly all hosts are there that may be, and a plan would be for nothing
        _plan_queue(state, queue, plan, now)


def on_look_ahead(state: SchedulerState, _deadline: Deadline, _now: int) -> list[Effect]:
    """Placement follows every event, and looks ahead again if a head still waits."""
    state.looks_again = False
    return []


def _has_delay(state: SchedulerState, queue: QueueState) -> bool:
    for name in queue.queue.environments:
        known = state.environments.get(name)
        if known is not None and known.environment.launch_seconds:
            return True
    return False


def _may_bring(state: SchedulerState, queues: Sequence[QueueState]) -> bool:
    """Whether an environment of these queues may launch a host that takes time to come."""
    names = {name for queue in queues for name in queue.queue.environments}
    found = (state.environments[name] for name in names if name in state.environments)
    return any(known.environment.launch_seconds and may_launch(known) for known in found)


def _plan_queue(state: SchedulerState, queue: QueueState, plan: Plan, now: int) -> None:
    """Go through the queue until a job finds no place: those behind it wait for it anyway."""
    for live, _index in state.runnable(queue, MOST_JOBS):
        if live.job.nodes is not None:
            return  # a gang launches its own hosts when its turn comes
        if not _foresee(state, queue, live.job.resources, plan, now):
            return


def _foresee(state: SchedulerState, queue: QueueState, wanted: Resources, plan: Plan, now: int) -> bool:
    """Put one job onto a host on its way, launching one if need be."""
    for name in queue.queue.environments:
        known = state.environments.get(name)
        if known is None or not known.environment.accepts or not known.environment.launch_seconds:
            continue
        rooms = plan.get(name)
        if rooms is None:
            rooms = plan[name] = _coming(known)
        host = rooms.first(wanted)
        if host is None and (offer := choose(known, wanted)) is not None:
            host = _copy(launch(state, known, offer, now))
            rooms.add(host)
        if host is not None:
            host.occupy(JobId(str(len(host.occupants))), wanted)
            return True
    return False


def _coming(known: EnvironmentState) -> RoomIndex:
    rooms = RoomIndex()
    for host in known.hosts.values():
        if host.rooms is known.arriving:
            rooms.add(_copy(host))
    return rooms


def _copy(host: HostState) -> HostState:
    return HostState(host=host.host, vcpus=host.vcpus, memory=host.memory, gpus=host.gpus)
