"""Status changes as EventBridge shows them (user guide, "AWS Batch EventBridge events")."""

from __future__ import annotations

from datetime import UTC, datetime

from nbbatch.model.arns import Arns
from nbbatch.model.jobs import JobView
from nbbatch.wire.encode import encode_job
from nbbatch.wire.encode_container import Json

STATE_CHANGE = "Batch Job State Change"
QUEUE_BLOCKED = "Batch Job Queue Blocked"


def encode_event(view: JobView, arns: Arns, *, event_id: str, at: int, is_blocked: bool) -> Json:
    """An event whose detail is what DescribeJobs says of the job.

    Parameters
    ----------
    view : JobView
        The job as it was then.
    event_id : str
        The same whenever this event is delivered.
    at : int
        Epoch ms.
    is_blocked : bool
        Whether it tells that the job blocks its queue, not that its status changed.
    """
    detail = encode_job(view, arns, at)
    resources = [detail["jobArn"]]
    if is_blocked:
        resources.append(detail["jobQueue"])
    return {
        "version": "0",
        "id": event_id,
        "detail-type": QUEUE_BLOCKED if is_blocked else STATE_CHANGE,
        "source": "aws.batch",
        "account": arns.account,
        "time": datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": arns.region,
        "resources": resources,
        "detail": detail,
    }
