"""Reads about queues: snapshots, scheduling policies, consumable resources, and service nouns.

As in `views`, nothing here changes anything or waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nbbatch.daemon.loop import Loop
from nbbatch.daemon.paging import page_size
from nbbatch.daemon.store import Store
from nbbatch.daemon.views import MAX_NAMED, Views
from nbbatch.errors import ClientException
from nbbatch.model.arns import Arns, name_of
from nbbatch.model.fleet import JobQueue
from nbbatch.model.jobs import JobId, JobStatus, Run
from nbbatch.scheduler.commands.consumables import resolve_consumable
from nbbatch.scheduler.commands.policies import quota_shares_of, resolve_quota_share
from nbbatch.scheduler.commands.queues import find_queue
from nbbatch.scheduler.consumables import available, in_use
from nbbatch.scheduler.fairshare import UNIT
from nbbatch.scheduler.queueing import QueueState
from nbbatch.scheduler.state import SchedulerState
from nbbatch.wire.encode_container import Json
from nbbatch.wire.encode_queue import (
    encode_consumable,
    encode_consumable_summary,
    encode_needing_job,
    encode_policy,
    encode_quota_share,
    encode_service_environment,
)

MAX_FRONT, MAX_TOP_SHARES = 100, 20


class QueueViews:
    """Answers that change nothing."""

    def __init__(self, loop: Loop, store: Store, views: Views) -> None:
        self._loop = loop
        self._store = store
        self._views = views

    @property
    def _state(self) -> SchedulerState:
        return self._loop.state

    def snapshot(self, request: Json, arns: Arns) -> Json:
        """GetJobQueueSnapshot: the next jobs in the order in which they would start, and who uses what."""
        queue = self._state.queues[self._queue(request["jobQueue"]).name]
        now = self._state.now
        jobs = [
            {
                "jobArn": arns.job(run.id),
                "earliestTimeAtPosition": _at_position_since(run),
            }
            for live, index in self._state.runnable(queue, MAX_FRONT)
            for run in [self._state.run_of(live, index)]
        ]
        reply: Json = {"frontOfQueue": {"jobs": jobs, "lastUpdatedAt": now}}
        if queue.queue.service_environments:
            names = [
                known.name.rpartition("/")[2] for known in quota_shares_of(self._state, queue.queue.name)
            ]
            shares: Json = {name: [] for name in names}
            reply["frontOfQuotaShares"] = {"quotaShares": shares, "lastUpdatedAt": now}
        reply["queueUtilization"] = self._utilization(queue, now)
        return reply

    def describe_policies(self, request: Json, arns: Arns) -> Json:
        """DescribeSchedulingPolicies: known ones in the order asked for."""
        references = request["arns"]
        if len(references) > MAX_NAMED:
            raise ClientException(f"arns: has {len(references)} entries, and may have at most {MAX_NAMED}")
        names = dict.fromkeys(name_of(reference, "scheduling-policy") for reference in references)
        known = self._state.policies
        return {"schedulingPolicies": [encode_policy(known[name], arns) for name in names if name in known]}

    def list_policies(self, request: Json, arns: Arns) -> Json:
        """ListSchedulingPolicies, by name."""
        known = self._state.policies
        return self._by_name("schedulingPolicies", request, known, lambda name: {"arn": arns.policy(name)})

    def describe_consumable(self, request: Json, arns: Arns) -> Json:
        """DescribeConsumableResource."""
        resource = resolve_consumable(self._state, request["consumableResource"])
        return encode_consumable(
            resource, arns, in_use=in_use(self._state, resource), available=available(self._state, resource)
        )

    def list_consumables(self, request: Json, arns: Arns) -> Json:
        """ListConsumableResources, by name; filtered by name or `prefix*` in any case."""
        known = self._state.consumables
        filters = _filters(request, "CONSUMABLE_RESOURCE_NAME")
        names = [
            name
            for name in known
            if all(any(_matches(name, value) for value in values) for values in filters.values())
        ]
        return self._by_name(
            "consumableResources",
            request,
            names,
            lambda name: encode_consumable_summary(
                known[name], arns, in_use=in_use(self._state, known[name])
            ),
        )

    def list_jobs_by_consumable(self, request: Json, arns: Arns) -> Json:
        """ListJobsByConsumableResource: jobs that need it, newest first, finished ones too."""
        resource = resolve_consumable(self._state, request["consumableResource"])
        filters = _filters(request, "JOB_STATUS", "JOB_NAME")
        statuses = [_status(value) for value in filters.get("JOB_STATUS", ())]
        limit = page_size(request, MAX_NAMED)
        paging = self._views.paging
        before = paging.position("ListJobsByConsumableResource", request)
        rows = self._store.list_needing(
            resource.name,
            limit=limit + 1,
            before=before,
            statuses=statuses,
            names=filters.get("JOB_NAME", []),
        )
        reply: Json = {
            "jobs": [encode_needing_job(row.view, quantity, arns) for row, quantity in rows[:limit]]
        }
        if len(rows) > limit:
            last = rows[limit - 1][0].sequence
            reply["nextToken"] = paging.token("ListJobsByConsumableResource", request, last)
        return reply

    def describe_service_environments(self, request: Json, arns: Arns) -> Json:
        """DescribeServiceEnvironments: the named ones, or all by name."""
        known = self._state.service_environments
        wanted = {name_of(one, "service-environment") for one in request.get("serviceEnvironments") or known}
        return self._by_name(
            "serviceEnvironments",
            request,
            [name for name in known if name in wanted],
            lambda name: encode_service_environment(known[name], arns),
        )

    def describe_quota_share(self, request: Json, arns: Arns) -> Json:
        """DescribeQuotaShare."""
        return encode_quota_share(resolve_quota_share(self._state, request["quotaShareArn"]), arns)

    def list_quota_shares(self, request: Json, arns: Arns) -> Json:
        """ListQuotaShares of a queue, by name."""
        queue = self._queue(request["jobQueue"])
        shares = {known.name: known for known in quota_shares_of(self._state, queue.name)}
        return self._by_name(
            "quotaShares",
            request,
            shares,
            lambda name: {
                member: value
                for member, value in encode_quota_share(shares[name], arns).items()
                if member != "tags"
            },
        )

    def describe_service_job(self, request: Json, _arns: Arns) -> Json:
        """DescribeServiceJob: there never is one."""
        raise ClientException(f"Service job {request['jobId']} does not exist.")

    def list_service_jobs(self, request: Json, _arns: Arns) -> Json:
        """ListServiceJobs: none, of a queue that is there."""
        if request.get("jobQueue"):
            self._queue(request["jobQueue"])
        return {"jobSummaryList": []}

    def _queue(self, reference: str) -> JobQueue:
        queue = find_queue(self._state, reference)
        if queue is None:
            raise ClientException(f"Job Queue {reference} does not exist")
        return queue

    def _by_name(
        self, member: str, request: Json, names: Iterable[str], encode: Callable[[str], Json]
    ) -> Json:
        return self._views.page(member, request, sorted(names), place=lambda name: name, encode=encode)

    def _utilization(self, queue: QueueState, now: int) -> Json:
        used: Json = {"totalCapacityUsage": [_vcpus(_used_vcpus(self._state, queue))], "lastUpdatedAt": now}
        if queue.policy is not None:
            busy = sorted(
                ((share.ledger.busy, name) for name, share in queue.shares.items() if share.ledger.busy),
                key=lambda known: (-known[0], known[1]),
            )
            used["fairshareUtilization"] = {
                "activeShareCount": len(busy),
                "topCapacityUtilization": [
                    {"shareIdentifier": name, "capacityUsage": [_vcpus(units / UNIT)]}
                    for units, name in busy[:MAX_TOP_SHARES]
                ],
            }
        return used


def _at_position_since(run: Run) -> int:
    """Epoch ms since which a job may have been at its place.

    [?] AWS says when a job came to its present position; here it is when it was submitted, or when its
    last attempt ended: since then only others' moves have changed its place.
    """
    return run.attempts[-1].stopped_at if run.attempts else run.created_at


def _used_vcpus(state: SchedulerState, queue: QueueState) -> float:
    """VCPUs of a queue's attempts: by the hosts, of which there are fewer than jobs."""
    used = 0.0
    for name in queue.queue.environments:
        known = state.environments.get(name)
        for host in known.hosts.values() if known is not None else ():
            for run_id, amount in host.occupants.items():
                live = state.jobs.get(JobId(run_id.partition("#")[0].partition(":")[0]))
                if live is not None and live.job.queue == queue.queue.name:
                    used += amount.vcpus
    return used


def _vcpus(quantity: float) -> Json:
    return {"capacityUnit": "VCPU", "quantity": quantity}


def _filters(request: Json, *names: str) -> dict[str, list[str]]:
    """Filters by name; a name that is not known is refused."""
    found: dict[str, list[str]] = {}
    for entry in request.get("filters") or ():
        name, values = entry.get("name"), entry.get("values") or []
        if name not in names:
            raise ClientException(f"filters.name: {name!r} is not one of {', '.join(names)}")
        if not all(values) or not values:
            raise ClientException(f"filters.values: {name} takes at least one value, and none that is empty.")
        found[name] = values
    return found


def _matches(name: str, pattern: str) -> bool:
    name, pattern = name.lower(), pattern.lower()
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _status(value: str) -> JobStatus:
    if value not in set(JobStatus):
        raise ClientException(f"filters.values: {value!r} is not one of {', '.join(JobStatus)}")
    return JobStatus(value)
