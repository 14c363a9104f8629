"""Hosts: found by their free room, launched when a job needs one, gone when nobody does.

Sources: AWS Batch user guide, "Allocation strategies", "Compute environment parameters" and "Compute
resource memory management" (a host offers less than its nominal memory); API reference,
ComputeResource (maxvCpus may be exceeded by one instance, except with BEST_FIT on demand). AWS
documents neither the cadence of scaling nor how long it waits for capacity: each such guess is in a
function of its own that says so.

A host is REGISTERING until its environment's launch delay is over, then ACTIVE, and DRAINING once it
takes no more jobs. Only ACTIVE hosts are in `rooms`, where placement looks.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf

from nbbatch.model.events import Effect
from nbbatch.model.fleet import (
    AGENT_RESERVE,
    DEFAULT_FAMILIES,
    AllocationStrategy,
    ComputeEnvironment,
    Host,
    HostId,
    HostStatus,
    InstanceType,
    ResourceStatus,
)
from nbbatch.model.rehearsal import of_pool
from nbbatch.model.resources import NOTHING, Resources
from nbbatch.scheduler.allocation import Offer, in_order, place_of, to_try
from nbbatch.scheduler.hosts import EnvironmentState, HostState
from nbbatch.scheduler.spot import interruption_time
from nbbatch.scheduler.state import Deadline, DeadlineKind, SchedulerState

KERNEL_SHARE = 7985 / 8192
"""What an m4.large registers of its 8 GiB: the rest is the kernel's."""
MACHINE_TYPES = ("local.gpu", "local.machine")
"""Types that are this whole machine; the first one known is the host of UNMANAGED environments."""
FARGATE = "FARGATE"
"""Instance type of a Fargate task's host."""


def usable(nominal: Resources) -> Resources:
    """What a host of this nominal size offers to jobs."""
    return Resources(
        vcpus=nominal.vcpus, memory=int(nominal.memory * KERNEL_SHARE) - AGENT_RESERVE, gpus=nominal.gpus
    )


def capacity_wait_ms() -> int:
    """How long a queue waits for an environment without capacity before it looks at the next one.

    [?] The user guide says that Batch moves on, and not when; a minute is what users report at least.
    """
    return 60_000


def idle_ms(environment: ComputeEnvironment, host: HostState) -> int:
    """How long this host may be idle before it goes.

    [?] AWS documents no cadence of scaling in; here it is a setting, a minute by default. What it does
    document: `minScaleDownDelayMinutes` counts from the end of the last job, and not for a host that
    never had one (API reference, ComputeScalingPolicy).
    """
    delay = environment.scale_down_minutes * 60 if host.used_until is not None else 0
    return int(max(environment.idle_seconds, delay) * 1000)


def add_environment(state: SchedulerState, environment: ComputeEnvironment) -> EnvironmentState:
    """Make an environment known, with the types it may launch; its hosts come by other ways."""
    added = EnvironmentState(environment=environment, fargate=state.catalogue.fargate)
    state.environments[environment.name] = added
    state.supply += 1
    refresh_offers(state, added)
    return added


def refresh_offers(state: SchedulerState, known: EnvironmentState) -> None:
    """Put the instance types of an environment in order anew: its settings or pools have changed."""
    environment = known.environment
    if not environment.is_managed:
        machine = [state.catalogue.types[name] for name in MACHINE_TYPES if name in state.catalogue.types]
        known.offers = tuple(_offer(known, kind) for kind in machine[:1])
        known.largest = tuple(offer.room for offer in known.offers)
        return
    offers = [_offer(known, kind) for kind in state.catalogue.expand(environment.instance_types)]
    most = environment.bid_percentage / 100
    if environment.is_spot:
        offers = [offer for offer in offers if offer.price <= most * offer.kind.price]
    known.offers = in_order(environment.strategy, offers)
    known.largest = tuple(
        replace(offer.room, vcpus=min(offer.room.vcpus, environment.max_vcpus))
        for offer in known.offers
        if offer.room.vcpus <= environment.max_vcpus or not _is_strict(environment)
    )


def add_host(state: SchedulerState, host: Host) -> HostState:
    """Make a host known, all of it free."""
    known = state.environments[host.environment]
    room = host.capacity
    added = HostState(
        host=host, vcpus=room.vcpus, memory=room.memory, gpus=room.gpus, used_until=host.used_until
    )
    known.hosts[host.id] = added
    state.supply += 1
    known.provisioned += room.vcpus
    known.by_type[host.instance_type] = known.by_type.get(host.instance_type, 0) + 1
    match host.status:
        case HostStatus.ACTIVE:
            known.rooms.add(added)
        case HostStatus.REGISTERING:
            known.arriving.add(added)
            state.remind(host.ready_at, DeadlineKind.HOST_READY, host.id)
        case HostStatus.DRAINING:
            pass
    if host.stops_at is not None and host.ends_at is None:
        state.remind(host.stops_at, DeadlineKind.HOST_STOPS, host.id)
    if known.environment.pools:
        refresh_offers(state, known)
    return added


def remove_host(state: SchedulerState, host: HostState, now: int) -> None:
    """Let an empty host go, and see what its environment does without it."""
    known = state.environments[host.host.environment]
    del known.hosts[host.host.id]
    state.supply += 1
    known.provisioned -= host.host.capacity.vcpus
    known.by_type[host.host.instance_type] -= 1
    if not known.by_type[host.host.instance_type]:
        del known.by_type[host.host.instance_type]
    if host.rooms is not None:
        host.rooms.remove(host)
    state.changes.hosts[host.host.id] = None
    if known.environment.pools:
        refresh_offers(state, known)
        if known.environment.short_since is not None:
            change(state, known, replace(known.environment, short_since=None))
    settle(state, known, now)


def change(state: SchedulerState, known: EnvironmentState, environment: ComputeEnvironment) -> None:
    """Remember an environment as it is from now on."""
    known.environment = environment
    state.supply += 1
    state.changes.environments[environment.name] = environment


def settle(state: SchedulerState, known: EnvironmentState, now: int) -> None:
    """End an update or a deletion whose old hosts are gone, and keep minvCpus warm.

    [?] AWS takes about a minute for either, with nothing to do as well; here they are over with the
    last of the old hosts.
    """
    environment = known.environment
    if environment.status is ResourceStatus.DELETING:
        if not known.hosts:
            del state.environments[environment.name]
            state.supply += 1
            state.changes.environments[environment.name] = None
        return
    if environment.status is ResourceStatus.UPDATING:
        if any(host.host.status is HostStatus.DRAINING for host in known.hosts.values()):
            return
        change(state, known, replace(environment, status=ResourceStatus.VALID))
    keep_warm(state, known, environment.min_vcpus, now)


def keep_warm(state: SchedulerState, known: EnvironmentState, vcpus: float, now: int) -> None:
    """Have hosts for at least so many vCPUs; a DISABLED environment keeps its minvCpus, too."""
    if known.environment.status is not ResourceStatus.VALID or known.environment.is_fargate:
        return
    while known.provisioned < vcpus and (offer := choose(known, NOTHING)) is not None:
        watch_idle(state, launch(state, known, offer, now))


def find_host(
    state: SchedulerState, environments: tuple[str, ...], wanted: Resources, now: int
) -> HostState | None:
    """A host with room in the first of these environments that can supply one.

    None also while the environment whose turn it is has a host on its way, or may yet get capacity.
    """
    for name in environments:
        known = state.environments.get(name)
        if known is None or not known.environment.accepts:
            continue
        host = _host_now(state, known, wanted, now)
        if host is not None:
            return host
        if _is_coming(known, wanted) or _awaits_capacity(state, known, wanted, now):
            return None
    return None


def host_for(
    state: SchedulerState, environment: EnvironmentState, wanted: Resources, now: int
) -> HostState | None:
    """A host of this environment with room for the job, launched if it can be there at once."""
    return _host_now(state, environment, wanted, now) if environment.environment.accepts else None


def choose(known: EnvironmentState, wanted: Resources) -> Offer | None:
    """The type to launch now for a job; None when maxvCpus or the pools leave no room for it."""
    return next((offer for offer in _allowed(known, wanted) if offer.left > 0), None)


def may_launch(known: EnvironmentState) -> bool:
    """Whether there is a job for which a host could be launched here now."""
    environment = known.environment
    headroom = environment.max_vcpus - known.provisioned
    if headroom <= 0 or not environment.accepts or not environment.is_managed:
        return False
    if environment.is_fargate:
        return True
    most = headroom if _is_strict(environment) else inf
    return any(offer.left > 0 and offer.room.vcpus <= most for offer in known.offers)


def launch(state: SchedulerState, known: EnvironmentState, offer: Offer, now: int) -> HostState:
    """Bring a host up; it takes jobs once the environment's launch delay is over."""
    environment, kind = known.environment, offer.kind
    host_id, ready_at = state.new_host_id(), now + int(environment.launch_seconds * 1000)
    rate = offer.interruptions if environment.is_spot else 0.0
    host = Host(
        id=host_id,
        environment=environment.name,
        instance_type=kind.name,
        capacity=offer.room,
        price=kind.price,
        spot_price=kind.spot_price,
        launched_at=now,
        status=HostStatus.REGISTERING if ready_at > now else HostStatus.ACTIVE,
        is_spot=environment.is_spot,
        ready_at=ready_at,
        stops_at=interruption_time(state.seed, host_id, rate, ready_at),
        grace_seconds=environment.notice_seconds,
    )
    added = add_host(state, host)
    state.changes.hosts[host_id] = added
    return added


def largest(environment: EnvironmentState) -> tuple[Resources, ...]:
    """What each type that this environment may ever launch offers to one job."""
    return environment.largest


def short_type(known: EnvironmentState, wanted: Resources) -> str | None:
    """The instance type whose pool has no host left for this job; None when that is not what it lacks."""
    if not known.environment.pools:
        return None
    allowed = _allowed(known, wanted)
    return allowed[0].kind.name if allowed and all(offer.left <= 0 for offer in allowed) else None


def vacated(state: SchedulerState, host: HostState, now: int) -> None:
    """An attempt has left this host."""
    if host.occupants:
        return
    if host.host.status is HostStatus.DRAINING or host.host.instance_type == FARGATE:
        remove_host(state, host, now)
        return
    state.changes.hosts[host.host.id] = host
    watch_idle(state, host)


def watch_idle(state: SchedulerState, host: HostState) -> None:
    """Look at this host again when it has been idle for its time."""
    environment = state.environments[host.host.environment].environment
    if host.is_watched or host.host.status is not HostStatus.ACTIVE or not environment.is_managed:
        return
    host.is_watched = True
    state.remind(host.idle_since + idle_ms(environment, host), DeadlineKind.IDLE_HOST, host.host.id)


def on_idle_host(state: SchedulerState, deadline: Deadline, now: int) -> list[Effect]:
    """Give a host back that has had no job for its time, down to minvCpus."""
    host = host_by_id(state, deadline.subject)
    if host is None:
        return []
    host.is_watched = False
    if host.occupants or host.host.status is not HostStatus.ACTIVE:
        return []
    known = state.environments[host.host.environment]
    if now < host.idle_since + idle_ms(known.environment, host):
        watch_idle(state, host)
    elif known.provisioned - host.host.capacity.vcpus >= known.environment.min_vcpus:
        remove_host(state, host, now)
    return []


def on_host_ready(state: SchedulerState, deadline: Deadline, _now: int) -> list[Effect]:
    """A host that was launched takes jobs from now on."""
    host = host_by_id(state, deadline.subject)
    if host is None or host.host.status is not HostStatus.REGISTERING:
        return []
    known = state.environments[host.host.environment]
    known.arriving.remove(host)
    host.host = replace(host.host, status=HostStatus.ACTIVE)
    known.rooms.add(host)
    state.changes.hosts[host.host.id] = host
    watch_idle(state, host)
    return []


def on_capacity_wait(_state: SchedulerState, _deadline: Deadline, _now: int) -> list[Effect]:
    """Placement follows every event; the environment has been waited for, so it looks further now."""
    return []


def remind_again(state: SchedulerState) -> None:
    """Set the deadlines that environments had when their rows were written."""
    for known in state.environments.values():
        if known.environment.short_since is not None:
            due = known.environment.short_since + capacity_wait_ms()
            state.remind(due, DeadlineKind.CAPACITY_WAIT, known.environment.name)
        if known.environment.launch_seconds:
            state.remind(state.now, DeadlineKind.LOOK_AHEAD, "")


def host_by_id(state: SchedulerState, host_id: str) -> HostState | None:
    """The host of that id, whichever environment it is in."""
    for known in state.environments.values():
        host = known.hosts.get(HostId(host_id))
        if host is not None:
            return host
    return None


def _host_now(
    state: SchedulerState, known: EnvironmentState, wanted: Resources, now: int
) -> HostState | None:
    host = known.rooms.first(wanted)
    if host is not None or known.environment.launch_seconds:
        return host
    offer = choose(known, wanted)
    return None if offer is None else launch(state, known, offer, now)


def _is_coming(known: EnvironmentState, wanted: Resources) -> bool:
    """Whether a host that is coming up, or that may be launched to come up, has room for this."""
    if known.arriving.first(wanted) is not None:
        return True
    return bool(known.environment.launch_seconds) and choose(known, wanted) is not None


def _offer(known: EnvironmentState, kind: InstanceType) -> Offer:
    """An instance type as this environment could launch it now."""
    environment = known.environment
    most = of_pool(environment.pools, kind.name)
    return Offer(
        kind=kind,
        room=kind.resources if environment.is_fargate else usable(kind.resources),
        price=kind.spot_price if environment.is_spot else kind.price,
        place=place_of(
            kind.name,
            kind.family,
            environment.instance_types,
            lambda word: DEFAULT_FAMILIES.get(word, (word,)),
        ),
        interruptions=of_pool(environment.interruptions, kind.name) or 0.0,
        left=inf if most is None else most - known.by_type.get(kind.name, 0),
    )


def _is_strict(environment: ComputeEnvironment) -> bool:
    """Whether maxvCpus is never exceeded (API reference, ComputeResource.allocationStrategy)."""
    return environment.is_fargate or (
        environment.strategy is AllocationStrategy.BEST_FIT and not environment.is_spot
    )


def _allowed(known: EnvironmentState, wanted: Resources) -> list[Offer]:
    """Types to try for a job that maxvCpus allows now; those that stay below it go first."""
    environment = known.environment
    headroom = environment.max_vcpus - known.provisioned
    if headroom <= 0 or wanted.vcpus > environment.max_vcpus or not environment.is_managed:
        return []
    if environment.is_fargate:
        task = _fargate(known, wanted)
        return [task] if task.room.vcpus <= headroom else []
    fitting = to_try(environment.strategy, known.offers, wanted)
    within = [offer for offer in fitting if offer.room.vcpus <= headroom]
    return within if within or _is_strict(environment) else fitting


def _fargate(known: EnvironmentState, wanted: Resources) -> Offer:
    """A host of the size of one task."""
    price = known.fargate.price(wanted)
    spot_price = price * known.fargate.spot_share
    return _offer(known, InstanceType(name=FARGATE, resources=wanted, price=price, spot_price=spot_price))


def _awaits_capacity(state: SchedulerState, known: EnvironmentState, wanted: Resources, now: int) -> bool:
    """Whether this environment is short of capacity, and not for long enough to look further."""
    if short_type(known, wanted) is None:
        return False
    since = known.environment.short_since
    if since is None:
        since = now
        change(state, known, replace(known.environment, short_since=now))
        state.remind(now + capacity_wait_ms(), DeadlineKind.CAPACITY_WAIT, known.environment.name)
    return now - since < capacity_wait_ms()
