"""Hosts come when a job needs one and go when they have been idle: scale out, scale to zero.

Sources: AWS Batch user guide, "Allocation strategies" (BEST_FIT: the cheapest type that fits, and
maxvCpus is never exceeded) and "Compute resource memory management" (a host offers less than its
nominal memory). AWS does not document its cadence [?]; here a host is there at once and goes after
its environment's `idle_seconds`.
"""

from __future__ import annotations

from nbbatch.model.events import Effect
from nbbatch.model.fleet import AGENT_RESERVE, ComputeEnvironment, Host, HostId, InstanceType
from nbbatch.model.resources import Resources
from nbbatch.scheduler.cost import FARGATE_SPOT_SHARE, fargate_price
from nbbatch.scheduler.state import Deadline, DeadlineKind, EnvironmentState, HostState, SchedulerState

KERNEL_SHARE = 7985 / 8192
"""What an m4.large registers of its 8 GiB: the rest is the kernel's."""


def usable(nominal: Resources) -> Resources:
    """What a host of this nominal size offers to jobs."""
    return Resources(
        vcpus=nominal.vcpus, memory=int(nominal.memory * KERNEL_SHARE) - AGENT_RESERVE, gpus=nominal.gpus
    )


def add_environment(state: SchedulerState, environment: ComputeEnvironment) -> None:
    """Make an environment known, its types sorted by price."""
    types = sorted(state.catalogue.expand(environment.instance_types), key=lambda known: known.price)
    state.environments[environment.name] = EnvironmentState(
        environment=environment, types=tuple((known, usable(known.resources)) for known in types)
    )


def add_host(state: SchedulerState, host: Host) -> HostState:
    """Make a host known, all of it free."""
    environment = state.environments[host.environment]
    room = host.capacity
    added = HostState(
        host=host, vcpus=room.vcpus, memory=room.memory, gpus=room.gpus, idle_since=host.launched_at
    )
    environment.hosts[host.id] = added
    environment.provisioned += room.vcpus
    return added


def host_for(
    state: SchedulerState, environment: EnvironmentState, wanted: Resources, now: int
) -> HostState | None:
    """A host of this environment with room for the job, launched if need be; None when there is none."""
    if not environment.environment.accepts:
        return None
    for host in environment.hosts.values():
        if host.has_room(wanted):
            return host
    return _launch(state, environment, wanted, now)


def largest(environment: EnvironmentState) -> tuple[Resources, ...]:
    """What each type that this environment may ever launch offers to one job."""
    most = environment.environment.max_vcpus
    return tuple(room for _, room in environment.types if room.vcpus <= most)


def is_spot(state: SchedulerState, environment: str | None) -> bool:
    """Whether an environment's capacity is charged at Spot prices."""
    known = state.environments.get(environment or "")
    return known is not None and known.environment.resource_type in ("SPOT", "FARGATE_SPOT")


def watch_idle(state: SchedulerState, host: HostState) -> None:
    """Look at this host again when it has been idle for its environment's time."""
    idle_seconds = state.environments[host.host.environment].environment.idle_seconds
    state.remind(host.idle_since + idle_seconds * 1000, DeadlineKind.IDLE_HOST, host.host.id)


def on_idle_host(state: SchedulerState, deadline: Deadline, now: int) -> list[Effect]:
    """Give a host back that has had no job for its environment's idle time, down to minvCpus."""
    host_id = HostId(deadline.subject)
    for environment in state.environments.values():
        host = environment.hosts.get(host_id)
        if host is None or host.occupants:
            continue
        idle_ms = environment.environment.idle_seconds * 1000
        left = environment.provisioned - host.host.capacity.vcpus
        if now - host.idle_since >= idle_ms and left >= environment.environment.min_vcpus:
            del environment.hosts[host_id]
            environment.provisioned = left
            state.changes.hosts[host_id] = None
    return []


def _launch(
    state: SchedulerState, environment: EnvironmentState, wanted: Resources, now: int
) -> HostState | None:
    if environment.environment.resource_type in ("FARGATE", "FARGATE_SPOT"):
        price = fargate_price(wanted)
        kind = InstanceType(
            name="FARGATE", resources=wanted, price=price, spot_price=price * FARGATE_SPOT_SHARE
        )
        return _add_launched(state, environment, kind, wanted, now)
    for kind, room in environment.types:
        if wanted.fits(room):
            return _add_launched(state, environment, kind, room, now)
    return None


def _add_launched(
    state: SchedulerState, environment: EnvironmentState, kind: InstanceType, room: Resources, now: int
) -> HostState | None:
    if environment.provisioned + room.vcpus > environment.environment.max_vcpus:
        return None
    host = Host(
        id=state.new_host_id(),
        environment=environment.environment.name,
        instance_type=kind.name,
        capacity=room,
        price=kind.price,
        spot_price=kind.spot_price,
        launched_at=now,
    )
    state.changes.hosts[host.id] = host
    return add_host(state, host)
