"""Operations on queues, scheduling policies, consumable resources and service nouns.

As in `api`: request -> decode -> command in the loop -> reply. `handlers` is what `Api` adds to its
own table. Service jobs are SageMaker's training jobs: what can be kept as metadata is, running one is
refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from nbbatch.daemon.loop import Loop
from nbbatch.daemon.queue_views import QueueViews
from nbbatch.daemon.store import Store
from nbbatch.daemon.views import Views
from nbbatch.errors import ClientException
from nbbatch.model.arns import Arns, name_of
from nbbatch.scheduler.commands.consumables import create_consumable, delete_consumable, update_consumable
from nbbatch.scheduler.commands.policies import (
    create_policy,
    create_quota_share,
    create_service_environment,
    delete_policy,
    delete_quota_share,
    delete_service_environment,
    update_policy,
    update_quota_share,
    update_service_environment,
)
from nbbatch.scheduler.commands.queues import delete_queue, update_queue
from nbbatch.wire.decode import checked_name, decode_tags
from nbbatch.wire.decode_consumable import decode_consumable, decode_consumable_update
from nbbatch.wire.decode_queue import (
    check_limits,
    check_sharing,
    decode_policy,
    decode_policy_update,
    decode_queue_update,
    decode_quota_share,
    decode_service_environment,
)
from nbbatch.wire.encode_container import Json

Handler = Callable[[Json, Arns], Awaitable[Json]]


class QueueOperations:
    """Handlers of these operations, by name."""

    def __init__(self, loop: Loop, store: Store, views: Views) -> None:
        self._loop = loop
        reads = QueueViews(loop, store, views)
        self.handlers: Mapping[tuple[str, str], Handler] = {
            ("batch", name): handler
            for name, handler in {
                "UpdateJobQueue": self.update_job_queue,
                "DeleteJobQueue": self.delete_job_queue,
                "GetJobQueueSnapshot": _at_once(reads.snapshot),
                "CreateSchedulingPolicy": self.create_scheduling_policy,
                "UpdateSchedulingPolicy": self.update_scheduling_policy,
                "DeleteSchedulingPolicy": self.delete_scheduling_policy,
                "DescribeSchedulingPolicies": _at_once(reads.describe_policies),
                "ListSchedulingPolicies": _at_once(reads.list_policies),
                "CreateConsumableResource": self.create_consumable_resource,
                "UpdateConsumableResource": self.update_consumable_resource,
                "DeleteConsumableResource": self.delete_consumable_resource,
                "DescribeConsumableResource": _at_once(reads.describe_consumable),
                "ListConsumableResources": _at_once(reads.list_consumables),
                "ListJobsByConsumableResource": _at_once(reads.list_jobs_by_consumable),
                "CreateServiceEnvironment": self.create_service_environment,
                "UpdateServiceEnvironment": self.update_service_environment,
                "DeleteServiceEnvironment": self.delete_service_environment,
                "DescribeServiceEnvironments": _at_once(reads.describe_service_environments),
                "CreateQuotaShare": self.create_quota_share,
                "UpdateQuotaShare": self.update_quota_share,
                "DeleteQuotaShare": self.delete_quota_share,
                "DescribeQuotaShare": _at_once(reads.describe_quota_share),
                "ListQuotaShares": _at_once(reads.list_quota_shares),
                "SubmitServiceJob": _at_once(_submit_service_job),
                "DescribeServiceJob": _at_once(reads.describe_service_job),
                "ListServiceJobs": _at_once(reads.list_service_jobs),
                "UpdateServiceJob": _at_once(reads.describe_service_job),
                "TerminateServiceJob": _at_once(lambda _request, _arns: {}),
            }.items()
        }

    async def update_job_queue(self, request: Json, arns: Arns) -> Json:
        """UpdateJobQueue."""
        changes = decode_queue_update(request)
        queue = await self._loop.apply(lambda state, _now: update_queue(state, changes))
        return {"jobQueueName": queue.name, "jobQueueArn": arns.queue(queue.name)}

    async def delete_job_queue(self, request: Json, _arns: Arns) -> Json:
        """DeleteJobQueue."""
        await self._loop.apply(lambda state, _now: delete_queue(state, request["jobQueue"]))
        return {}

    async def create_scheduling_policy(self, request: Json, arns: Arns) -> Json:
        """CreateSchedulingPolicy."""
        draft = decode_policy(request)
        made = await self._loop.apply(lambda state, _now: create_policy(state, draft))
        return {"name": made.name, "arn": arns.policy(made.name)}

    async def update_scheduling_policy(self, request: Json, _arns: Arns) -> Json:
        """UpdateSchedulingPolicy."""
        changed = decode_policy_update(name_of(request["arn"], "scheduling-policy"), request)
        await self._loop.apply(lambda state, _now: update_policy(state, request["arn"], changed))
        return {}

    async def delete_scheduling_policy(self, request: Json, _arns: Arns) -> Json:
        """DeleteSchedulingPolicy."""
        await self._loop.apply(lambda state, _now: delete_policy(state, request["arn"]))
        return {}

    async def create_consumable_resource(self, request: Json, arns: Arns) -> Json:
        """CreateConsumableResource."""
        name = checked_name(request["consumableResourceName"], "ConsumableResource")
        draft = decode_consumable(name, request, decode_tags(request.get("tags")))
        made = await self._loop.apply(lambda state, now: create_consumable(state, draft, now=now))
        return {
            "consumableResourceName": made.name,
            "consumableResourceArn": arns.consumable(made.name),
        }

    async def update_consumable_resource(self, request: Json, arns: Arns) -> Json:
        """UpdateConsumableResource."""
        operation, quantity = decode_consumable_update(request)
        reference, token = request["consumableResource"], request.get("clientToken")
        updated = await self._loop.apply(
            lambda state, now: update_consumable(state, reference, operation, quantity, token=token, now=now)
        )
        return {
            "consumableResourceName": updated.name,
            "consumableResourceArn": arns.consumable(updated.name),
            "totalQuantity": updated.total,
        }

    async def delete_consumable_resource(self, request: Json, _arns: Arns) -> Json:
        """DeleteConsumableResource."""
        await self._loop.apply(lambda state, _now: delete_consumable(state, request["consumableResource"]))
        return {}

    async def create_service_environment(self, request: Json, arns: Arns) -> Json:
        """CreateServiceEnvironment."""
        draft = decode_service_environment(request)
        made = await self._loop.apply(lambda state, _now: create_service_environment(state, draft))
        return _service_environment(made.name, arns)

    async def update_service_environment(self, request: Json, arns: Arns) -> Json:
        """UpdateServiceEnvironment."""
        if "capacityLimits" in request:
            check_limits(request["capacityLimits"])
        reference = request.pop("serviceEnvironment")
        made = await self._loop.apply(
            lambda state, _now: update_service_environment(state, reference, request)
        )
        return _service_environment(made.name, arns)

    async def delete_service_environment(self, request: Json, _arns: Arns) -> Json:
        """DeleteServiceEnvironment."""
        reference = request["serviceEnvironment"]
        await self._loop.apply(lambda state, _now: delete_service_environment(state, reference))
        return {}

    async def create_quota_share(self, request: Json, arns: Arns) -> Json:
        """CreateQuotaShare."""
        draft = decode_quota_share(request)
        made = await self._loop.apply(
            lambda state, _now: create_quota_share(state, request["jobQueue"], draft)
        )
        return _quota_share(made.name, arns)

    async def update_quota_share(self, request: Json, arns: Arns) -> Json:
        """UpdateQuotaShare."""
        if "capacityLimits" in request:
            check_limits(request["capacityLimits"])
        if "resourceSharingConfiguration" in request:
            check_sharing(request["resourceSharingConfiguration"])
        arn = request.pop("quotaShareArn")
        made = await self._loop.apply(lambda state, _now: update_quota_share(state, arn, request))
        return _quota_share(made.name, arns)

    async def delete_quota_share(self, request: Json, _arns: Arns) -> Json:
        """DeleteQuotaShare."""
        await self._loop.apply(lambda state, _now: delete_quota_share(state, request["quotaShareArn"]))
        return {}


def _submit_service_job(request: Json, _arns: Arns) -> Json:
    raise ClientException(
        f"{request['serviceJobType']} jobs run on SageMaker AI, which nbbatch does not have on this machine. "
        "Submit to an AWS account, or run the training's image with SubmitJob."
    )


def _service_environment(name: str, arns: Arns) -> Json:
    return {"serviceEnvironmentName": name, "serviceEnvironmentArn": arns.service_environment(name)}


def _quota_share(name: str, arns: Arns) -> Json:
    queue, _, share = name.rpartition("/")
    return {"quotaShareName": share, "quotaShareArn": arns.quota_share(queue, share)}


def _at_once(view: Callable[[Json, Arns], Json]) -> Handler:
    """A handler that waits for nothing."""

    async def handler(request: Json, arns: Arns) -> Json:
        return view(request, arns)

    return handler
