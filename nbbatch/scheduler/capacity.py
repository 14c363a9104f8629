"""What a compute environment can give a job, in words and numbers: the environment's part of *why*.

Says the one thing that keeps the job from a host there: the environment takes no jobs, no host of its
types is large enough, hosts are on their way, its pools are empty, or maxvCpus is reached.
"""

from __future__ import annotations

from collections.abc import Sequence

from nbbatch.model.fleet import AGENT_RESERVE
from nbbatch.model.resources import Resources
from nbbatch.scheduler.fleet import largest, short_type
from nbbatch.scheduler.hosts import EnvironmentState
from nbbatch.scheduler.reasons import BLOCKED_NO_CAPACITY
from nbbatch.scheduler.state import SchedulerState


def blocking_shortage(environments: Sequence[EnvironmentState], wanted: Resources) -> str | None:
    """AWS's text when one of these environments has no capacity for this job; None when none lacks it."""
    short = [name for known in environments if (name := short_type(known, wanted)) is not None]
    return BLOCKED_NO_CAPACITY.format(instance_type=short[0]) if short else None


def explain_environment(state: SchedulerState, known: EnvironmentState, wanted: Resources) -> str:
    """Why this job has no host in this environment now."""
    environment = known.environment
    name, rooms = environment.name, largest(known)
    if not environment.accepts:
        return f"{name} takes no jobs: {environment.state}, {environment.status}."
    if not environment.is_fargate and not rooms:
        return f"{name} has no instance type that it could launch."
    if not environment.is_fargate and not any(wanted.fits(room) for room in rooms):
        return f"{name}: {_too_large(rooms, wanted)}"
    if environment.is_fargate and wanted.vcpus > environment.max_vcpus:
        return f"{name}: the job wants {wanted}; its maxvCpus are {environment.max_vcpus}."
    told = _coming(state, known) or _shortage(known, wanted)
    return f"{name}: {told or _in_use(known, wanted)}"


def _too_large(rooms: Sequence[Resources], wanted: Resources) -> str:
    biggest = max(rooms, key=lambda room: (room.gpus, room.memory, room.vcpus))
    return (
        f"the job wants {wanted}; its largest host offers {biggest} "
        f"(the kernel's share and {AGENT_RESERVE} MiB for the agent are off)."
    )


def _coming(state: SchedulerState, known: EnvironmentState) -> str:
    ready = [host.host.ready_at for host in known.hosts.values() if host.rooms is known.arriving]
    if not ready:
        return ""
    seconds = max(0.0, (min(ready) - state.now) / 1000)
    hosts = "1 host is" if len(ready) == 1 else f"{len(ready)} hosts are"
    return f"{hosts} coming up, the first is ready in {seconds:g} s."


def _shortage(known: EnvironmentState, wanted: Resources) -> str:
    short = short_type(known, wanted)
    return f"there is no capacity for {short} ({known.by_type.get(short, 0)} of them run)." if short else ""


def _in_use(known: EnvironmentState, wanted: Resources) -> str:
    most, left = known.environment.max_vcpus, known.environment.max_vcpus - known.provisioned
    room = f"{left:g} vCPU left" if left > 0 else "none left"
    return f"{known.provisioned:g} of {most} vCPU in use by hosts ({room}), none has room for {wanted}."
