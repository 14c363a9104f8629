"""Multi-node jobs get all their hosts at once or none: one node per host, in one environment.

Source: AWS Batch user guide, "Multi-node parallel jobs": single tenancy, On-Demand EC2 in a managed
environment, all capacity before anything starts. A node holds its whole host, whatever its
container asks for, so nothing else is placed beside it and the job pays for all of it. A gang that
does not fit keeps its place at the head of the queue and blocks what is behind it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from nbbatch.model.fleet import ComputeEnvironment, HostId, HostStatus
from nbbatch.model.jobs import Job, NodeProperties, NodeRange, Run
from nbbatch.model.resources import NOTHING, Resources
from nbbatch.scheduler.allocation import Offer
from nbbatch.scheduler.fleet import launch
from nbbatch.scheduler.hosts import EnvironmentState, HostState
from nbbatch.scheduler.lifecycle import Signal
from nbbatch.scheduler.queueing import QueueState
from nbbatch.scheduler.reasons import (
    BLOCKED_INSTANCE_TYPES,
    BLOCKED_MAX_VCPUS,
    BLOCKED_NO_ENVIRONMENT,
    BLOCKED_TOO_LARGE,
)
from nbbatch.scheduler.state import LiveJob, SchedulerState


def can_hold_nodes(environment: ComputeEnvironment) -> bool:
    """Whether nodes may run there (user guide: not on Spot, Fargate or UNMANAGED)."""
    return environment.type == "MANAGED" and environment.resource_type == "EC2"


def place_gang(state: SchedulerState, queue: QueueState, live: LiveJob, now: int) -> Run | None:
    """Give every node a host of its own.

    Returns
    -------
    Run or None
        The main node's, which starts first; None when there is not enough room for all.
    """
    properties, nodes, environment = live.job.nodes, live.nodes, gang_environment(state, queue)
    if properties is None or nodes is None or environment is None:
        return None
    plan = _plan(environment, properties)
    if plan is None:
        return None
    hosts = {
        index: place if isinstance(place, HostState) else launch(state, environment, place, now)
        for index, place in sorted(plan.items())
    }
    if any(host.host.status is HostStatus.REGISTERING for host in hosts.values()):
        return None  # those that were launched now are counted on the next time
    nodes.begin_attempt(live.job, now)
    nodes.holding = properties.count
    state.move(live, None, Signal.PLACED)
    for index, host in hosts.items():
        _put(state, live, index, host)
    main = nodes.runs[properties.main]
    live.run.attempt += 1
    live.run.environment, live.run.instance_type = main.environment, main.instance_type
    live.run.status_reason = live.run.blocked_since = None
    return main


def gang_environment(state: SchedulerState, queue: QueueState) -> EnvironmentState | None:
    """The one environment of a queue where its gangs are placed.

    [?] The user guide says that a gang for which the first environment has too little capacity
    blocks the queue. So there is no falling back for want of room; one that takes no jobs, or that
    can hold no nodes, is passed over.
    """
    known = (state.environments.get(name) for name in queue.queue.environments)
    usable = (
        one
        for one in known
        if one is not None and one.environment.accepts and can_hold_nodes(one.environment)
    )
    return next(usable, None)


def needed_by_others(job: Job) -> Resources:
    """What all nodes but the main one ask for together."""
    properties = job.nodes
    if properties is None:
        return NOTHING
    wanted = (
        properties.range_of(index).resources for index in range(properties.count) if index != properties.main
    )
    return sum(wanted, NOTHING)


def gang_blocked_reason(state: SchedulerState, queue: QueueState, properties: NodeProperties) -> str | None:
    """AWS's text for a gang that can never start as things are; None when it only has to wait."""
    environment = gang_environment(state, queue)
    if environment is None:
        return BLOCKED_NO_ENVIRONMENT
    vcpus = 0.0
    for wanted, indexes in _by_range(properties):
        offer = _first_offer(environment, wanted)
        if offer is None:
            known = (None, *(one.kind.name for one in environment.offers))
            return BLOCKED_TOO_LARGE if wanted.instance_type in known else BLOCKED_INSTANCE_TYPES
        vcpus += offer.room.vcpus * len(indexes)
    return BLOCKED_MAX_VCPUS if vcpus > environment.environment.max_vcpus else None


def explain_gang(state: SchedulerState, queue: QueueState, properties: NodeProperties) -> list[str]:
    """Why a gang that may start some day has not, in numbers."""
    environment = gang_environment(state, queue)
    if environment is None:
        names = ", ".join(queue.queue.environments)
        return [
            f"None of {names} can hold nodes now: it takes an enabled, managed environment of On-Demand EC2."
        ]
    known = environment.environment
    told = (
        f"Its {properties.count} nodes need a host each, all at the same time: {known.name} has "
        f"{len(_idle(environment))} idle hosts and {environment.provisioned:g} of {known.max_vcpus} vCPU in "
        "use by hosts."
    )
    return [told]


def _plan(
    environment: EnvironmentState, properties: NodeProperties
) -> Mapping[int, HostState | Offer] | None:
    """A host or the type of a new one for every node; None unless there is one for each.

    The largest nodes choose first, and each takes the cheapest idle host that fits, rather one that is
    there than one that is coming.
    """
    idle = _idle(environment)
    left = environment.environment.max_vcpus - environment.provisioned
    smallest = min((offer.room.vcpus for offer in environment.offers), default=float("inf"))
    if len(idle) + left // smallest < properties.count:
        return None
    plan: dict[int, HostState | Offer] = {}
    launched: Counter[str] = Counter()
    for wanted, indexes in _by_range(properties):
        fitting = [
            host for host in idle.values() if _suits(wanted, host.host.instance_type, host.host.capacity)
        ]
        for index, host in zip(indexes, fitting, strict=False):
            plan[index] = idle.pop(host.host.id)
        rest = [index for index in indexes if index not in plan]
        offer = _first_offer(environment, wanted) if rest else None
        if rest and offer is None:
            return None
        if offer is not None:
            left -= offer.room.vcpus * len(rest)
            launched[offer.kind.name] += len(rest)
            if launched[offer.kind.name] > offer.left:
                return None
            plan.update((index, offer) for index in rest)
    return plan if left >= 0 else None


def _idle(environment: EnvironmentState) -> dict[HostId, HostState]:
    """Hosts without any attempt, those that are there before those that are coming, the cheapest first."""
    idle = [
        host
        for host in environment.hosts.values()
        if not host.occupants and host.host.status is not HostStatus.DRAINING
    ]
    idle.sort(key=lambda host: (host.host.status is HostStatus.REGISTERING, host.host.price))
    return {host.host.id: host for host in idle}


def _by_range(properties: NodeProperties) -> list[tuple[NodeRange, list[int]]]:
    """Nodes by the range whose container they run, those with the largest containers first."""
    found: dict[int, tuple[NodeRange, list[int]]] = {}
    for index in range(properties.count):
        wanted = properties.range_of(index)
        found.setdefault(id(wanted), (wanted, []))[1].append(index)
    return sorted(found.values(), key=lambda item: _size(item[0].resources), reverse=True)


def _size(wanted: Resources) -> tuple[int, float, int]:
    return wanted.gpus, wanted.vcpus, wanted.memory


def _first_offer(environment: EnvironmentState, wanted: NodeRange) -> Offer | None:
    """The first type in the order of the environment's allocation strategy that suits these nodes."""
    most = environment.environment.max_vcpus
    return next(
        (
            offer
            for offer in environment.offers
            if offer.room.vcpus <= most and _suits(wanted, offer.kind.name, offer.room)
        ),
        None,
    )


def _suits(wanted: NodeRange, instance_type: str, room: Resources) -> bool:
    return wanted.instance_type in (None, instance_type) and wanted.resources.fits(room)


def _put(state: SchedulerState, live: LiveJob, index: int, host: HostState) -> None:
    """A node takes its whole host."""
    run = state.begin(live, index)
    state.move(live, index, Signal.PLACED)
    host.occupy(run.id, host.host.capacity)
    run.attempt = live.run.attempt + 1
    run.host = host.host.id
    run.environment = host.host.environment
    run.instance_type = host.host.instance_type
    run.price, run.spot_price = host.host.price, host.host.spot_price
