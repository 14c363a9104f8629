"""Hosts that have to go while jobs run on them: Spot, infrastructure updates, deletions.

A DRAINING host takes no more jobs. Its attempts are asked to stop (SIGTERM, and SIGKILL when the
notice is over) at once or when their time is up; the host is gone with the last of them. What they
leave behind is told by `spot.as_interrupted`; the retry strategy then decides as for any lost host.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from nbbatch.model.events import Effect, HostInterrupted, StopAttempt
from nbbatch.model.fleet import HostStatus
from nbbatch.model.jobs import JobId
from nbbatch.scheduler.fleet import host_by_id, remove_host
from nbbatch.scheduler.hosts import HostState
from nbbatch.scheduler.state import Deadline, DeadlineKind, SchedulerState

GRACE_SECONDS = 30
"""Between SIGTERM and SIGKILL when a host is replaced (ECS stop timeout)."""


def on_host_interrupted(state: SchedulerState, event: HostInterrupted, now: int) -> list[Effect]:
    """The host's notice comes now."""
    host = host_by_id(state, event.host)
    if host is None:
        return []
    grace_seconds = host.host.grace_seconds if event.notice_seconds is None else event.notice_seconds
    _note_reclaimed(state, host)
    return stop_host(state, host, now, grace_seconds)


def on_host_stops(state: SchedulerState, deadline: Deadline, now: int) -> list[Effect]:
    """The time has come at which Spot reclaims a host, or at which a replaced host's jobs are over."""
    host = host_by_id(state, deadline.subject)
    if host is None or host.host.stops_at is None or now < host.host.stops_at:
        return []
    _note_reclaimed(state, host)
    return stop_host(state, host, now, host.host.grace_seconds)


def stop_host(state: SchedulerState, host: HostState, now: int, grace_seconds: float) -> list[Effect]:
    """Take no more jobs, and ask those on the host to end within this time."""
    if host.host.ends_at is not None:
        return []
    host.host = replace(host.host, ends_at=now + int(grace_seconds * 1000))
    _drain(state, host, now)
    return list(_stops(state, host, ceil(grace_seconds)))


def retire_host(state: SchedulerState, host: HostState, now: int, job_seconds: int) -> list[Effect]:
    """Take no more jobs; those on the host may go on for this time, and are stopped then."""
    if job_seconds <= 0:
        return stop_host(state, host, now, GRACE_SECONDS)
    if host.host.ends_at is None:
        stops_at = min(now + job_seconds * 1000, host.host.stops_at or now + job_seconds * 1000)
        host.host = replace(host.host, stops_at=stops_at, grace_seconds=GRACE_SECONDS)
        state.remind(stops_at, DeadlineKind.HOST_STOPS, host.host.id)
        _drain(state, host, now)
    return []


def standing_stops(state: SchedulerState, now: int) -> list[StopAttempt]:
    """Attempts that were asked to stop with their hosts; whether they were told nobody knows."""
    return [
        order
        for known in state.environments.values()
        for host in known.hosts.values()
        if host.host.ends_at is not None
        for order in _stops(state, host, max(0, ceil((host.host.ends_at - now) / 1000)))
    ]


def _note_reclaimed(state: SchedulerState, host: HostState) -> None:
    """Spot takes the host back, which was not on its way out anyway."""
    if host.host.is_spot and host.host.status is not HostStatus.DRAINING:
        state.changes.reclaimed.append(host.host)


def _drain(state: SchedulerState, host: HostState, now: int) -> None:
    host.host = replace(host.host, status=HostStatus.DRAINING)
    if host.rooms is not None:
        host.rooms.remove(host)
    state.changes.hosts[host.host.id] = host
    if not host.occupants:
        remove_host(state, host, now)


def _stops(state: SchedulerState, host: HostState, grace_seconds: int) -> list[StopAttempt]:
    return [
        StopAttempt(job_id=job_id, attempt=_attempt(state, job_id), grace_seconds=grace_seconds)
        for job_id in host.occupants
    ]


def _attempt(state: SchedulerState, job_id: JobId) -> int:
    found = state.find(job_id)
    return state.run_of(*found).attempt if found is not None else 0
