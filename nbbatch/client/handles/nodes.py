"""Multi-node parallel jobs: their main node tells what became of them.

DescribeJobs shows a multi-node job without a container. Its log, exit code and resources are those of
its main node, `<id>#<index>`, which exists once the job has been placed; here both are put together,
so that a handle of such a job reads like any other.
"""

from __future__ import annotations

from collections.abc import Sequence

from nbbatch.client.backend import Backend
from nbbatch.client.handles.outcome import Detail
from nbbatch.model.jobs import JobId, is_node_id, node_id


def with_main_nodes(backend: Backend, details: Sequence[Detail]) -> list[Detail]:
    """DescribeJobs' answers, those of multi-node jobs with the container of their main node.

    Parameters
    ----------
    details : sequence of mapping
        At most a hundred; costs one call more when a multi-node job is among them, else nothing.
    """
    mains = {detail["jobId"]: _main_node(detail) for detail in details if _is_parent(detail)}
    if not mains:
        return list(details)
    with backend.errors():
        found = backend.batch.describe_jobs(jobs=list(mains.values()))["jobs"]
    containers = {node["jobId"]: node["container"] for node in found if "container" in node}
    return [
        {**detail, "container": containers[main]}
        if (main := mains.get(detail["jobId"])) in containers
        else detail
        for detail in details
    ]


def _is_parent(detail: Detail) -> bool:
    return "nodeProperties" in detail and not is_node_id(detail["jobId"])


def _main_node(detail: Detail) -> JobId:
    return node_id(JobId(detail["jobId"]), detail["nodeProperties"]["mainNode"])
