"""AWS's operations, one small function each: request -> decode -> command in the loop -> reply.

The table at the end of the constructor is all that is there; every other operation of the model is
answered with an error that says so. Requests have been checked for types by `validate` before a
handler sees them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any
from uuid import uuid4

import msgspec

from nbbatch.daemon.log_views import LogViews
from nbbatch.daemon.loop import Loop
from nbbatch.daemon.queue_operations import QueueOperations
from nbbatch.daemon.store import Store
from nbbatch.daemon.tags import TagOperations
from nbbatch.daemon.views import Views
from nbbatch.errors import ClientException
from nbbatch.model.arns import Arns
from nbbatch.model.events import Event
from nbbatch.model.jobs import Job, JobId
from nbbatch.scheduler.commands.definitions import deregister_definition, register_definition
from nbbatch.scheduler.commands.environments import (
    create_environment,
    delete_environment,
    update_environment,
)
from nbbatch.scheduler.commands.queues import create_queue
from nbbatch.scheduler.commands.stop_jobs import cancel_job, terminate_job
from nbbatch.scheduler.commands.submit_job import submit_job
from nbbatch.scheduler.state import SchedulerState
from nbbatch.version import __version__
from nbbatch.wire.bulk import check_job_id, decode_job_ids, encode_bulk
from nbbatch.wire.decode import decode_definition, decode_job, decode_reason
from nbbatch.wire.decode_environment import decode_environment_request, decode_environment_update
from nbbatch.wire.decode_queue import decode_queue_request
from nbbatch.wire.encode_container import Json
from nbbatch.wire.operations import Operation
from nbbatch.wire.validate import validate

MAX_JOB_BYTES = 30 << 10
MAX_DEFINITION_BYTES = 24 << 10
"""AWS's quotas for SubmitJob's payload and a job definition."""

Handler = Callable[[Json, Arns], Awaitable[Json]]
_encode = msgspec.json.Encoder().encode


class Api:
    """AWS Batch and the part of CloudWatch Logs that goes with it.

    Parameters
    ----------
    loop : Loop
        Where changes are made.
    store : Store
        Where finished jobs are.
    views, logs : Views, LogViews
        Answers that change nothing.
    account : str
        Account number in ARNs.
    """

    def __init__(self, *, loop: Loop, store: Store, views: Views, logs: LogViews, account: str) -> None:
        self._loop = loop
        self._store = store
        self._arns = lru_cache(maxsize=64)(lambda region: Arns(region, account))
        tags = TagOperations(loop, store)
        self._handlers: Mapping[tuple[str, str], Handler] = {
            **QueueOperations(loop, store, views).handlers,
            ("batch", "SubmitJob"): self.submit_job,
            ("batch", "CancelJob"): self.cancel_job,
            ("batch", "TerminateJob"): self.terminate_job,
            ("batch", "CancelJobs"): self.cancel_jobs,
            ("batch", "TerminateJobs"): self.terminate_jobs,
            ("batch", "TerminateServiceJobs"): self.terminate_service_jobs,
            ("batch", "RegisterJobDefinition"): self.register_job_definition,
            ("batch", "DeregisterJobDefinition"): self.deregister_job_definition,
            ("batch", "CreateComputeEnvironment"): self.create_compute_environment,
            ("batch", "UpdateComputeEnvironment"): self.update_compute_environment,
            ("batch", "DeleteComputeEnvironment"): self.delete_compute_environment,
            ("batch", "CreateJobQueue"): self.create_job_queue,
            ("batch", "TagResource"): tags.tag_resource,
            ("batch", "UntagResource"): tags.untag_resource,
            ("batch", "ListTagsForResource"): tags.list_tags_for_resource,
            ("batch", "DescribeJobs"): _at_once(views.describe_jobs),
            ("batch", "ListJobs"): _at_once(views.list_jobs),
            ("batch", "DescribeJobDefinitions"): _at_once(views.describe_definitions),
            ("batch", "DescribeJobQueues"): _at_once(views.describe_queues),
            ("batch", "DescribeComputeEnvironments"): _at_once(views.describe_environments),
            ("logs", "GetLogEvents"): logs.get_log_events,
            ("logs", "FilterLogEvents"): logs.filter_log_events,
            ("logs", "DescribeLogGroups"): logs.describe_log_groups,
            ("logs", "DescribeLogStreams"): logs.describe_log_streams,
        }

    async def call(self, operation: Operation, request: Any, region: str) -> Json:
        """Carry out one operation.

        Parameters
        ----------
        operation : Operation
            From the model.
        request : JSON value
            As it came.
        region : str
            Appears in ARNs.

        Raises
        ------
        ClientException
            When the request is wrong, or the operation is not there yet.
        """
        handler = self._handlers.get((operation.service, operation.name))
        if handler is None:
            raise ClientException(f"{operation.name} is not there yet in nbbatch {__version__}.")
        return await handler(validate(operation, request), self._arns(region))

    async def submit_job(self, request: Json, arns: Arns) -> Json:
        """SubmitJob; the reply comes once the job is durable."""
        _check_size(request, MAX_JOB_BYTES)
        draft = decode_job(request)
        job_id = JobId(str(uuid4()))

        def submit(state: SchedulerState, now: int) -> tuple[list[Event], Job]:
            events, job = submit_job(state, draft, job_id=job_id, now=now, finished=self._store)
            self._check_executor(job)
            return events, job

        job = await self._loop.apply(submit)
        return {"jobArn": arns.job(job.id), "jobName": job.name, "jobId": job.id}

    def _check_executor(self, job: Job) -> None:
        executor = self._loop.executor
        if job.most_containers > 1 and executor is not None and not executor.runs_tasks:
            raise ClientException(
                f"Job definition {job.definition} has {job.most_containers} containers, which need Docker; this "
                "machine runs jobs as processes. Start a Docker Engine, then nbbatch local stop and start."
            )

    async def cancel_job(self, request: Json, _arns: Arns) -> Json:
        """CancelJob."""
        reason = decode_reason(request)
        await self._loop.apply(lambda state, _now: cancel_job(state, request["jobId"], reason))
        return {}

    async def terminate_job(self, request: Json, _arns: Arns) -> Json:
        """TerminateJob."""
        reason = decode_reason(request)
        await self._loop.apply(lambda state, _now: terminate_job(state, request["jobId"], reason))
        return {}

    async def cancel_jobs(self, request: Json, _arns: Arns) -> Json:
        """CancelJobs: each job as by CancelJob, all in one tick."""
        return await self._stop_each(request, cancel_job)

    async def terminate_jobs(self, request: Json, _arns: Arns) -> Json:
        """TerminateJobs: each job as by TerminateJob, all in one tick."""
        return await self._stop_each(request, terminate_job)

    async def terminate_service_jobs(self, request: Json, _arns: Arns) -> Json:
        """TerminateServiceJobs: nbbatch runs no service jobs, and an unknown job counts as successful."""
        decode_reason(request)
        return {"successful": decode_job_ids(request), "errors": []}

    async def _stop_each(self, request: Json, stop: Callable[..., Any]) -> Json:
        reason = decode_reason(request)
        ids = decode_job_ids(request)

        async def stop_one(job_id: str) -> None:
            check_job_id(job_id)
            await self._loop.apply(lambda state, _now: stop(state, job_id, reason))

        outcomes = await asyncio.gather(*map(stop_one, ids), return_exceptions=True)
        return encode_bulk(list(zip(ids, outcomes, strict=True)))

    async def register_job_definition(self, request: Json, arns: Arns) -> Json:
        """RegisterJobDefinition."""
        _check_size(request, MAX_DEFINITION_BYTES)
        draft = decode_definition(request)
        registered = await self._loop.apply(lambda state, _now: register_definition(state, draft))
        return {
            "jobDefinitionName": registered.name,
            "jobDefinitionArn": arns.definition(registered.key),
            "revision": registered.revision,
        }

    async def deregister_job_definition(self, request: Json, _arns: Arns) -> Json:
        """DeregisterJobDefinition."""
        reference = request["jobDefinition"]
        await self._loop.apply(lambda state, _now: deregister_definition(state, reference))
        return {}

    async def create_compute_environment(self, request: Json, arns: Arns) -> Json:
        """CreateComputeEnvironment."""
        draft = decode_environment_request(request)
        made = await self._loop.apply(lambda state, _now: create_environment(state, draft))
        return {
            "computeEnvironmentName": made.name,
            "computeEnvironmentArn": arns.environment(made.name),
        }

    async def update_compute_environment(self, request: Json, arns: Arns) -> Json:
        """UpdateComputeEnvironment."""
        changed = await self._loop.apply(
            lambda state, _now: update_environment(
                state,
                request["computeEnvironment"],
                lambda known: decode_environment_update(known, request),
            )
        )
        return {
            "computeEnvironmentName": changed.name,
            "computeEnvironmentArn": arns.environment(changed.name),
        }

    async def delete_compute_environment(self, request: Json, _arns: Arns) -> Json:
        """DeleteComputeEnvironment."""
        reference = request["computeEnvironment"]
        await self._loop.apply(lambda state, _now: delete_environment(state, reference))
        return {}

    async def create_job_queue(self, request: Json, arns: Arns) -> Json:
        """CreateJobQueue."""
        draft = decode_queue_request(request)
        made = await self._loop.apply(lambda state, _now: create_queue(state, draft))
        return {"jobQueueName": made.name, "jobQueueArn": arns.queue(made.name)}


def _at_once(view: Callable[[Json, Arns], Json]) -> Handler:
    """A handler that waits for nothing."""

    async def handler(request: Json, arns: Arns) -> Json:
        return view(request, arns)

    return handler


def _check_size(request: Json, most: int) -> None:
    size = len(_encode(request))
    if size > most:
        raise ClientException(f"The request has {size} bytes, and may have at most {most}.")
