"""What the local daemon tells of a job, told of a job on AWS from what AWS's own services know.

Why a job waits comes from DescribeJobs, its queue and the queue's snapshot; what it cost from how long
its attempts ran, the type of its host, and the catalogue's prices. The answers have the shape of the
daemon's. What may not be asked with the user's rights is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Any, Protocol

from nbbatch.client.backend import Backend
from nbbatch.client.capacity import Capacity, capacity_of, catalogue, requirements_of
from nbbatch.client.handles.outcome import Detail, short_id
from nbbatch.client.summaries import EVERY_STATUS, summaries
from nbbatch.errors import NbbatchError
from nbbatch.model.jobs import TERMINAL, JobStatus
from nbbatch.model.resources import Resources

_CLUSTER = re.compile(r"arn:[^:]+:ecs:[^:]+:\d+:container-instance/([^/]+)/.+")
_AT_ONCE = 100
"""Ids in one call of DescribeJobs, ARNs in one of DescribeContainerInstances."""
_A_PAGE = 1000
"""Children in one call of ListJobs, which allows so many by status."""
_types: dict[str, str] = {}
"""Instance type by host, empty where ECS does not tell it; a host keeps its type."""
_STARTING = "it has its host, and its container starts: the image is fetched"
_CHILD_STATUSES = ("SUCCEEDED", "FAILED", "RUNNING")


class Account(Backend, Protocol):
    """A backend that has clients of other services, too."""

    def asking_client(self, service: str) -> Any:
        """A boto3 client for what can be done without."""


def why(backend: Backend, job_id: str) -> dict[str, Any]:
    """Reasons for which a job has not started, as sentences; none for one that runs or has ended."""
    with backend.errors():
        details = backend.batch.describe_jobs(jobs=[job_id])["jobs"]
    return {"reasons": [reason for detail in details for reason in _reasons(backend, detail)]}


def _reasons(backend: Backend, detail: Detail) -> Iterator[str]:
    match detail["status"]:
        case "SUBMITTED" | "PENDING" if detail.get("dependsOn"):
            yield from _dependencies(backend, detail)
        case "RUNNABLE":
            if detail.get("statusReason"):
                yield str(detail["statusReason"])
            with suppress(NbbatchError):  # whoever may not ask for the queue is told the rest
                yield from _of_queue(backend, detail["jobQueue"])
            with suppress(NbbatchError):
                yield from _of_snapshot(backend, detail)
        case "STARTING":
            yield _STARTING


def _dependencies(backend: Backend, detail: Detail) -> Iterator[str]:
    ids = [one["jobId"] for one in detail["dependsOn"] if one.get("jobId")]
    with backend.errors():
        found = backend.batch.describe_jobs(jobs=ids)["jobs"] if ids else []
    for one in found:
        if one["status"] not in TERMINAL:
            yield f"it waits for job {one['jobName']} ({short_id(one['jobId'])}), which is {one['status']}"


def _of_queue(backend: Backend, queue: str) -> Iterator[str]:
    """What of the queue and its environments keeps jobs from hosts."""
    with backend.errors():
        known = backend.batch.describe_job_queues(jobQueues=[queue])["jobQueues"]
    if known and known[0].get("state") == "DISABLED":
        yield f"queue {known[0]['jobQueueName']} is DISABLED"
    for one in capacity_of(backend, queue, is_fresh=True).environments:
        name, resources = one["computeEnvironmentName"], one.get("computeResources") or {}
        if one.get("status") == "INVALID":
            yield f"environment {name} is INVALID: {one.get('statusReason', 'AWS gives no reason')}"
        elif one.get("state") == "DISABLED":
            yield f"environment {name} is DISABLED"
        elif resources.get("maxvCpus") and resources.get("desiredvCpus") == resources["maxvCpus"]:
            yield f"environment {name} has all of its {resources['maxvCpus']} vCPUs"


def _of_snapshot(backend: Backend, detail: Detail) -> Iterator[str]:
    with backend.errors():
        reply = backend.batch.get_job_queue_snapshot(jobQueue=detail["jobQueue"])
    front = [one["jobArn"] for one in reply.get("frontOfQueue", {}).get("jobs", ())]
    if detail.get("jobArn") in front:
        yield f"it is number {front.index(detail['jobArn']) + 1} in its queue"
    elif front:
        yield f"at least {len(front)} jobs are before it in its queue"


def accounts(backend: Account, job_ids: Sequence[str]) -> dict[str, Any]:
    """Estimated cost and the time run of jobs; of an array over all its children's last attempts."""
    details: list[Detail] = []
    for start in range(0, len(job_ids), _AT_ONCE):
        with backend.errors():
            details += backend.batch.describe_jobs(jobs=list(job_ids[start : start + _AT_ONCE]))["jobs"]
    types = _instance_types(backend, {_host_of(detail) for detail in details} - {""})
    return {"jobs": [_account(backend, one, types.get(_host_of(one), "")) for one in details]}


def _account(backend: Account, detail: Detail, kind: str) -> dict[str, Any]:
    is_array = "size" in (detail.get("arrayProperties") or {})
    seconds = sum(_children_ran(backend, detail["jobId"]) if is_array else _attempts_ran(detail))
    capacity = capacity_of(backend, detail["jobQueue"])
    wanted = requirements_of(detail.get("container") or {})
    on_demand, spot = _hourly(capacity, kind, wanted) or (0.0, 0.0)
    hours = seconds / 3600
    return {
        "jobId": detail["jobId"],
        "cost": on_demand * hours,
        "spotCost": spot * hours,
        "seconds": seconds,
        "instanceType": kind,
    }


def _attempts_ran(detail: Detail) -> Iterator[float]:
    """Seconds of each attempt; one under way is not among `attempts` yet."""
    attempts = list(detail.get("attempts") or ())
    for one in attempts or ([detail] if detail.get("stoppedAt") else ()):
        yield _between(one)


def _children_ran(backend: Backend, job_id: str) -> Iterator[float]:
    for status in _CHILD_STATUSES:
        with backend.errors():
            pages = backend.batch.get_paginator("list_jobs").paginate(arrayJobId=job_id, jobStatus=status)
            yield from (_between(one) for page in pages for one in page["jobSummaryList"])


def _between(one: Mapping[str, Any]) -> float:
    started, stopped = one.get("startedAt"), one.get("stoppedAt")
    return max(0.0, (stopped - started) / 1000) if started and stopped else 0.0


def _host_of(detail: Detail) -> str:
    """ARN of the last attempt's host, empty on Fargate and before it started."""
    return str((detail.get("container") or {}).get("containerInstanceArn") or "")


def _instance_types(backend: Account, hosts: AbstractSet[str]) -> dict[str, str]:
    """Instance type by host, as far as ECS tells: it forgets hosts soon after they went."""
    _ask_for_types(backend, hosts - _types.keys())
    return {arn: _types[arn] for arn in hosts if _types.get(arn)}


def _ask_for_types(backend: Account, hosts: AbstractSet[str]) -> None:
    """Ask ECS once for each host; no answer is remembered, too."""
    clusters: dict[str, list[str]] = {}
    for arn in sorted(hosts):
        cluster = _CLUSTER.fullmatch(arn)
        if cluster is not None:
            clusters.setdefault(cluster[1], []).append(arn)
    _types.update(dict.fromkeys(hosts, ""))
    for name, arns in clusters.items():
        for start in range(0, len(arns), _AT_ONCE):
            with suppress(NbbatchError), backend.errors():
                ecs = backend.asking_client("ecs")
                _types.update(_told_by_ecs(ecs, name, arns[start : start + _AT_ONCE]))


def _told_by_ecs(ecs: Any, cluster: str, arns: Sequence[str]) -> dict[str, str]:
    reply = ecs.describe_container_instances(cluster=cluster, containerInstances=list(arns))
    return {
        one["containerInstanceArn"]: attribute["value"]
        for one in reply["containerInstances"]
        for attribute in one.get("attributes", ())
        if attribute["name"] == "ecs.instance-type"
    }


def _hourly(capacity: Capacity, kind: str, wanted: Resources) -> tuple[float, float] | None:
    """Dollars per hour, on demand and Spot, on this type of host, else on the cheapest that fits."""
    from nbbatch.scheduler.cost import share_of_host  # noqa: PLC0415 - only who asks for costs needs it

    if capacity.is_fargate:
        fargate = catalogue().fargate
        return fargate.price(wanted), fargate.price(wanted) * fargate.spot_share
    kinds = catalogue().expand((kind,) if kind else capacity.instance_types)
    shares = [(share_of_host(wanted, one.resources), one) for one in kinds if wanted.fits(one.resources)]
    return min(((share * one.price, share * one.spot_price) for share, one in shares), default=None)


def listing(backend: Backend, body: Mapping[str, Any]) -> dict[str, Any]:
    """Jobs of a queue in every status, newest first, a hundred a page: as DescribeJobs tells them.

    `before` is a token of ListJobs. ListJobs tells neither variables nor counts of children.
    """
    token = {"nextToken": body["before"]} if body.get("before") else {}
    with backend.errors():
        page = backend.batch.list_jobs(
            jobQueue=body["jobQueue"], maxResults=_AT_ONCE, **EVERY_STATUS, **token
        )
        ids = [one["jobId"] for one in page["jobSummaryList"]]
        details = backend.batch.describe_jobs(jobs=ids)["jobs"] if ids else []
    return {"jobs": details, "next": page.get("nextToken")}


def children(backend: Backend, job_id: str) -> dict[str, Any]:
    """All children of an array as columns, in calls of a thousand; hosts are not told by ListJobs."""
    from nbbatch.client.arrays.children import as_columns  # noqa: PLC0415 - numpy, which only figures need

    with backend.errors():
        parent = backend.batch.describe_jobs(jobs=[job_id])["jobs"][0]
    found = {
        one["arrayProperties"]["index"]: one
        for status in JobStatus
        for one in summaries(backend, maxResults=_A_PAGE, arrayJobId=job_id, jobStatus=status.value)
    }
    return as_columns(found, size=parent["arrayProperties"]["size"])
