"""Every invariant of the scheduler's state, checked from scratch: slow, and meant for tests.

What the state keeps twice (counts, free room, places in a queue) must agree with what it is made
of. `SchedulerState.validate()` is the way in.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from nbbatch.errors import NbbatchBugError
from nbbatch.model.fleet import HostId, ResourceStatus
from nbbatch.model.fleet import HostStatus as S
from nbbatch.model.jobs import ACTIVE, JobId, JobStatus
from nbbatch.model.resources import Resources
from nbbatch.scheduler.queue_invariants import check_consumables, check_queue

if TYPE_CHECKING:
    from nbbatch.scheduler.hosts import EnvironmentState
    from nbbatch.scheduler.nodes import Nodes
    from nbbatch.scheduler.state import LiveJob, SchedulerState

STATUSES = tuple(JobStatus)
_CLOSE = 1e-9
"""Dollars per hour."""


def check_invariants(state: SchedulerState) -> None:
    """Check them all.

    Raises
    ------
    NbbatchBugError
        Naming the first invariant that does not hold.
    """
    active = _check_jobs(state)
    _check_hosts(state, active)
    for name, queue in state.queues.items():
        _require(
            queue.live == sum(live.job.queue == name for live in state.jobs.values()), f"count of {name}"
        )
        check_queue(state, queue)
    check_consumables(state)
    _check_spending(state)
    for awaited, waiting in state.dependents.items():
        _require(bool(waiting), f"an empty set of dependents of {awaited}")
        _require(all(job_id in state.jobs for job_id in waiting), f"dependents of {awaited} live")


def _check_spending(state: SchedulerState) -> None:
    """Rates are sums of the prices of what runs; they are kept as floating-point numbers."""
    total = 0.0
    for job_id, live in state.jobs.items():
        rate = 0.0
        for _, run in live.under_way():
            if run.status is JobStatus.RUNNING:
                rate += run.spot_price if run.is_spot else run.price
        _require(abs(live.spending.rate - rate) < _CLOSE, f"{job_id} spends at the prices of its attempts")
        total += rate
    _require(abs(state.day_spending.rate - total) < _CLOSE, "the day spends at the prices of all attempts")


def _check_jobs(state: SchedulerState) -> dict[JobId, Resources]:
    active: dict[JobId, Resources] = {}
    for job_id, live in state.jobs.items():
        _require(not live.run.status.is_terminal, f"{job_id} is live, so not terminal")
        entries = state.queues[live.job.queue].lane(live.job)
        if live.children is not None:
            _check_children(state, live, active)
            continue
        if live.nodes is not None:
            _check_nodes(state, live, live.nodes, active)
        if live.run.status is JobStatus.RUNNABLE:
            _require(any(entry[2] == job_id for entry in entries), f"{job_id} is queued")
        _require(
            (live.run.host is not None) == (live.run.status in ACTIVE and live.nodes is None),
            f"{job_id} has a host iff active",
        )
        _require(
            (live.run.status is JobStatus.PENDING) == bool(live.waits_for), f"{job_id} waits iff PENDING"
        )
        if live.run.status in ACTIVE and live.nodes is None:
            active[job_id] = live.job.resources
    return active


def _check_children(state: SchedulerState, live: LiveJob, active: dict[JobId, Resources]) -> None:
    children, job_id = live.children, live.job.id
    if children is None:
        return
    for code in range(len(STATUSES)):
        _require(children.counts[code] == children.statuses.count(code), f"{job_id} counts its children")
    _require(children.unfinished > 0, f"{job_id} is live, so a child is unfinished")
    _require(live.run.status in (JobStatus.SUBMITTED, JobStatus.PENDING), f"{job_id} is an array parent")
    for index, run in children.runs.items():
        _require(run.status is children.status(index), f"{run.id} agrees with its parent's byte")
        _require((run.host is not None) == (run.status in ACTIVE), f"{run.id} has a host iff active")
        if run.status in ACTIVE:
            active[run.id] = live.job.resources
    for index in children.in_status(*ACTIVE):
        _require(index in children.runs, f"active child {index} of {job_id} has a run")
    waiting = children.in_status(JobStatus.RUNNABLE)
    reachable = {*children.ready, *children.retried, *range(children.cursor, len(children.statuses))}
    _require(reachable.issuperset(waiting), f"RUNNABLE children of {job_id} can be reached")
    queued = any(entry[2] == job_id for entry in state.queues[live.job.queue].lane(live.job))
    _require(not waiting or queued, f"{job_id} is queued")


def _check_nodes(state: SchedulerState, live: LiveJob, nodes: Nodes, active: dict[JobId, Resources]) -> None:
    job_id, properties = live.job.id, live.job.nodes
    if properties is None:
        raise NbbatchBugError(f"Invariant broken: {job_id} is a multi-node job.")
    _require(len(nodes.runs) in (0, properties.count), f"{job_id} has all of its nodes or none")
    _require(nodes.holding == len(nodes.under_way), f"{job_id} counts its nodes")
    _require((live.run.status in ACTIVE) == (nodes.holding > 0), f"{job_id} is active iff a node is")
    if live.run.status not in ACTIVE:
        return
    main = nodes.runs[properties.main]
    _require(live.run.attempt == main.attempt, f"{job_id} is in its main node's attempt")
    _require(main.status not in ACTIVE or main.status is live.run.status, f"{job_id} is as its main node is")
    for index in nodes.under_way:
        run = nodes.runs[index]
        if live.run.status is JobStatus.STARTING:
            _require(run.status is JobStatus.STARTING, f"{run.id} does not run before its main node")
        host = state.environments[run.environment or ""].hosts[HostId(run.host or "")]
        _require(list(host.occupants) == [run.id], f"{run.id} has its host to itself")
        active[run.id] = host.host.capacity


def _check_hosts(state: SchedulerState, active: dict[JobId, Resources]) -> None:
    placed: dict[JobId, Resources] = {}
    for environment in state.environments.values():
        vcpus = 0.0
        for host in environment.hosts.values():
            used = sum(host.occupants.values(), Resources())
            free = Resources(vcpus=host.vcpus, memory=host.memory, gpus=host.gpus)
            _require(used + free == host.host.capacity, f"{host.host.id} adds up")
            _require(min(free.vcpus, free.memory, free.gpus) >= 0, f"{host.host.id} is not over capacity")
            _require(not placed.keys() & host.occupants.keys(), f"{host.host.id} shares no attempt")
            placed.update(host.occupants)
            vcpus += host.host.capacity.vcpus
        _require(vcpus == environment.provisioned, f"{environment.environment.name} counts its vCPUs")
        _check_environment(environment)
    _require(placed == active, "attempts on hosts are the active jobs")


def _check_environment(environment: EnvironmentState) -> None:
    name, kinds = environment.environment.name, Counter[str]()
    environment.rooms.check()
    environment.arriving.check()
    for host in environment.hosts.values():
        kinds[host.host.instance_type] += 1
        status = host.host.status
        index = {S.ACTIVE: environment.rooms, S.REGISTERING: environment.arriving}.get(status)
        _require(host.rooms is index, f"{host.host.id} is found by its room iff it takes jobs")
        _require(status is not S.REGISTERING or not host.occupants, f"{host.host.id} is not up yet")
        _require(status is not S.DRAINING or bool(host.occupants), f"{host.host.id} drains while it has jobs")
        _require(host.host.ends_at is None or status is S.DRAINING, f"{host.host.id} ends while draining")
    _require(kinds == environment.by_type, f"{name} counts its hosts by type")
    is_going = environment.environment.status is ResourceStatus.DELETING
    _require(not is_going or bool(environment.hosts), f"{name} goes without hosts")


def _require(holds: bool, invariant: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise NbbatchBugError(f"Invariant broken: {invariant}.")
