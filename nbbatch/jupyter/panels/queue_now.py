"""How a job queue stands, asked of a backend: a handful of calls, however many jobs wait in it.

Numbers over time are the local daemon's; where a backend keeps none, the reason stands in their place,
and jobs are counted by ListJobs up to a page.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nbbatch.client.backend import Backend
from nbbatch.client.capacity import Capacity, capacity_of, requirements_of
from nbbatch.client.handles.outcome import Detail
from nbbatch.errors import NotOnAwsError, UnknownNameError
from nbbatch.jupyter.figures.fleet import DEPTH, Depth, Share
from nbbatch.jupyter.figures.fleet import Capacity as Series
from nbbatch.jupyter.figures.fleet_numbers import ask_series, read_capacity, read_depth, shares
from nbbatch.jupyter.panels.handles import quietly
from nbbatch.model.arns import name_of
from nbbatch.model.jobs import JobStatus

_NEXT = 6
"""Jobs that come next of which the panel tells."""
_COUNTED = 100
"""Jobs of a status that are counted where nobody counts them for us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentNow:
    """A compute environment: its type, and vCPUs it may have, has, and uses (None: not told)."""

    name: str
    kind: str
    state: str
    most: float
    provisioned: float | None
    used: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NextJob:
    """A job of those that come next; `since` (epoch ms) is since when it stands there."""

    id: str
    name: str
    share: str
    wants: str
    reason: str
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueNow:
    """A job queue as it is.

    Parameters
    ----------
    name, backend, state, policy : str
        Its own; the state with the reason where it is not VALID; its scheduling policy, empty without one.
    priority : int
        Higher ones are served first.
    environments : sequence of EnvironmentNow
        In their order.
    counts : mapping
        Jobs by status, children one by one where `is_exact`; else arrays as one, and 100 is that or more.
    front : sequence of NextJob
        In the order in which they would start; `length` is how many there are, 100 at most.
    reasons : sequence of str
        Why the first of them does not start, in words.
    shares : sequence of Share
        Of a queue that shares.
    depth, vcpus : Depth, Capacity or None
        The last hour; None where `unknown` says why.
    now : float
        Epoch seconds.
    """

    name: str
    backend: str
    state: str
    policy: str
    priority: int
    environments: Sequence[EnvironmentNow]
    counts: Mapping[JobStatus, int]
    is_exact: bool
    front: Sequence[NextJob]
    length: int
    reasons: Sequence[str]
    shares: Sequence[Share]
    depth: Depth | None
    vcpus: Series | None
    unknown: str
    now: float


def ask_queue(backend: Backend, name: str, since: str = "1h") -> QueueNow:
    """How a queue stands now.

    Raises
    ------
    UnknownNameError
        The backend has no such queue; names the nearest.
    """
    capacity = capacity_of(backend, name, is_fresh=True)
    with backend.errors():
        queue = backend.batch.describe_job_queues(jobQueues=[name])["jobQueues"][0]
    snapshot = quietly(lambda: _snapshot(backend, name), {})
    policy = queue.get("schedulingPolicyArn") or ""
    front = snapshot.get("frontOfQueue", {}).get("jobs", ())
    ids = [one["jobArn"].rpartition("/")[2] for one in front]
    known = _with_series(backend, name, capacity, since)
    return replace(
        known,
        state=_state(queue),
        policy=name_of(policy, "scheduling-policy") if policy else "",
        priority=queue["priority"],
        front=_front(backend, ids[:_NEXT], front),
        length=len(front),
        reasons=_reasons(backend, ids[:1]),
        shares=_shares(backend, policy, snapshot) if policy else (),
    )


def _with_series(backend: Backend, name: str, capacity: Capacity, since: str) -> QueueNow:
    """What the daemon counts over time, or where nobody does, what can be counted now."""
    depth, vcpus, unknown, used = None, None, "", {}
    names = [one["computeEnvironmentName"] for one in capacity.environments]
    try:
        told = ask_series(backend, since)
        depth = read_depth(told, name)
        counts = {status: int(depth.jobs[status][-1] or 0) for status in DEPTH}
        used = {one: told["environments"][one] for one in names if one in told["environments"]}
        vcpus = read_capacity({**told, "environments": used}, None) if used else None
    except (NotOnAwsError, UnknownNameError) as error:  # the second: made a moment ago, nothing counted yet
        unknown = error.message
        counts = {status: _count(backend, name, status) for status in DEPTH}
    return QueueNow(
        name=name,
        backend=backend.name,
        state="",
        policy="",
        priority=0,
        environments=[
            _environment(one, used.get(one["computeEnvironmentName"])) for one in capacity.environments
        ],
        counts=counts,
        is_exact=not unknown,
        front=(),
        length=0,
        reasons=(),
        shares=(),
        depth=depth,
        vcpus=vcpus,
        unknown=unknown,
        now=time.time(),
    )


def _environment(detail: Mapping[str, Any], series: Mapping[str, Any] | None) -> EnvironmentNow:
    resources = detail.get("computeResources") or {}
    provisioned, used = resources.get("desiredvCpus"), None
    if series is not None:
        provisioned, used = series["DesiredvCpus"][-1], series["UsedvCpus"][-1]
    is_valid = detail.get("status", "VALID") == "VALID"
    return EnvironmentNow(
        name=detail["computeEnvironmentName"],
        kind=resources.get("type", "UNMANAGED"),
        state=str(detail.get("state", "ENABLED") if is_valid else detail["status"]),
        most=resources.get("maxvCpus", 0),
        provisioned=provisioned,
        used=used,
    )


def _snapshot(backend: Backend, name: str) -> Mapping[str, Any]:
    with backend.errors():
        snapshot: Mapping[str, Any] = backend.batch.get_job_queue_snapshot(jobQueue=name)
    return snapshot


def _state(queue: Mapping[str, Any]) -> str:
    if queue.get("status", "VALID") == "VALID":
        return str(queue["state"])
    return " ".join(filter(None, [queue["status"], queue.get("statusReason", "")]))


def _count(backend: Backend, queue: str, status: JobStatus) -> int:
    with backend.errors():
        page = backend.batch.list_jobs(jobQueue=queue, jobStatus=status.value, maxResults=_COUNTED)
    return len(page["jobSummaryList"])


def _front(backend: Backend, ids: Sequence[str], front: Sequence[Mapping[str, Any]]) -> list[NextJob]:
    if not ids:
        return []
    with backend.errors():
        found = {one["jobId"]: one for one in backend.batch.describe_jobs(jobs=list(ids))["jobs"]}
    since = {job_id: one.get("earliestTimeAtPosition", 0) for job_id, one in zip(ids, front, strict=False)}
    return [_next(found[job_id], since[job_id]) for job_id in ids if job_id in found]


def _next(detail: Detail, since: int) -> NextJob:
    wants = requirements_of(detail.get("container") or {})
    gpus = f", {wants.gpus} GPU" if wants.gpus else ""
    return NextJob(
        id=detail["jobId"],
        name=detail["jobName"],
        share=detail.get("shareIdentifier", ""),
        wants=f"{wants.vcpus:g} vCPU{gpus}" if wants.vcpus else "",
        reason=detail.get("statusReason", ""),
        since=since or detail["createdAt"],
    )


def _reasons(backend: Backend, first: Sequence[str]) -> tuple[str, ...]:
    """Why the head does not start; nothing where that may not be asked, or it has just started."""
    return tuple(
        reason
        for job_id in first
        for reason in quietly(lambda: backend.private("why", {"jobId": job_id})["reasons"], ())  # noqa: B023 - asked at once
    )


def _shares(backend: Backend, policy: str, snapshot: Mapping[str, Any]) -> list[Share]:
    with backend.errors():
        found = backend.batch.describe_scheduling_policies(arns=[policy])["schedulingPolicies"]
    weights = ((found[0].get("fairsharePolicy") or {}) if found else {}).get("shareDistribution") or ()
    used = (
        snapshot.get("queueUtilization", {}).get("fairshareUtilization", {}).get("topCapacityUtilization", ())
    )
    return shares(
        {
            one["shareIdentifier"]: float(sum(each["quantity"] for each in one["capacityUsage"]))
            for one in used
        },
        weights,
    )
