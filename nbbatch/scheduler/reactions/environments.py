"""Compute environments that come, change and go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from nbbatch.model.events import (
    ComputeEnvironmentCreated,
    ComputeEnvironmentDeleted,
    ComputeEnvironmentUpdated,
    Effect,
)
from nbbatch.model.fleet import ComputeEnvironment, ResourceStatus
from nbbatch.model.rehearsal import REHEARSED, read_rehearsal
from nbbatch.scheduler.draining import GRACE_SECONDS, retire_host, stop_host
from nbbatch.scheduler.fleet import (
    add_environment,
    change,
    keep_warm,
    launch,
    refresh_offers,
    settle,
    watch_idle,
)
from nbbatch.scheduler.hosts import EnvironmentState
from nbbatch.scheduler.state import SchedulerState


def on_compute_environment_created(
    state: SchedulerState, event: ComputeEnvironmentCreated, now: int
) -> list[Effect]:
    """Hosts for its minvCpus come at once, others with the jobs; UNMANAGED, this machine is its host."""
    added = add_environment(state, event.environment)
    state.changes.environments[event.environment.name] = event.environment
    if event.environment.is_managed:
        desired = event.environment.request.get("computeResources", {}).get("desiredvCpus", 0)
        keep_warm(state, added, max(event.environment.min_vcpus, desired), now)
    elif added.offers:
        launch(state, added, added.offers[0], now)
    return []


def retag_environment(state: SchedulerState, known: EnvironmentState, tags: Mapping[str, str]) -> None:
    """Tags are settings of a rehearsal, too: those that came hold from now on, those that went do not."""
    unset = ComputeEnvironment(name="")
    settings = {name: getattr(unset, name) for name in REHEARSED} | read_rehearsal(tags)
    change(state, known, replace(known.environment, tags=tags, **settings))
    refresh_offers(state, known)
    _look_again(state, known)


def on_compute_environment_updated(
    state: SchedulerState, event: ComputeEnvironmentUpdated, now: int
) -> list[Effect]:
    """A scaling update holds at once; an infrastructure update when the last old host is gone."""
    known = state.environments[event.environment.name]
    environment = event.environment
    if event.replaces_hosts:
        environment = replace(environment, status=ResourceStatus.UPDATING)
    change(state, known, replace(environment, short_since=None))
    refresh_offers(state, known)
    effects: list[Effect] = []
    if event.replaces_hosts:
        for host in list(known.hosts.values()):
            effects += retire_host(state, host, now, event.job_seconds)
    _look_again(state, known)
    settle(state, known, now)
    keep_warm(state, known, event.desired_vcpus or 0, now)
    return effects


def on_compute_environment_deleted(
    state: SchedulerState, event: ComputeEnvironmentDeleted, now: int
) -> list[Effect]:
    """Its hosts go, and it goes with the last of them.

    [?] What becomes of jobs that still run is not documented for EC2; they are stopped as when any
    host is terminated, and their retry strategy decides. Fargate environments become INVALID (user
    guide, "Delete a compute environment").
    """
    known = state.environments[event.name]
    if known.environment.is_fargate and any(host.occupants for host in known.hosts.values()):
        reason = (
            "CLIENT_ERROR - Fargate tasks still run; terminate them before deleting the compute environment."
        )
        change(state, known, replace(known.environment, status=ResourceStatus.INVALID, status_reason=reason))
        return []
    change(state, known, replace(known.environment, status=ResourceStatus.DELETING))
    effects: list[Effect] = []
    for host in list(known.hosts.values()):
        effects += stop_host(state, host, now, GRACE_SECONDS)
    if event.name in state.environments:
        settle(state, known, now)
    return effects


def _look_again(state: SchedulerState, known: EnvironmentState) -> None:
    """The idle time or minvCpus may be less now than when an idle host was last looked at."""
    for host in known.hosts.values():
        if not host.occupants:
            watch_idle(state, host)
