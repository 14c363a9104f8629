"""The model to AWS JSON: jobs as DescribeJobs and ListJobs show them.

Fields by state follow the samples in the user guide: what is not there is absent, never null;
times are epoch milliseconds; references are ARNs with revision. Of a job's container the effective
values are shown, without AWS's own variables. The cost is per job of a DescribeJobs page, so a job
becomes one dict, put together from what its definition registered.
"""

from __future__ import annotations

from msgspec.structs import replace

from nbbatch.model.arns import Arns
from nbbatch.model.jobs import (
    ACTIVE,
    Attempt,
    Dependency,
    EvaluateOnExit,
    Job,
    JobStatus,
    JobView,
    RetryStrategy,
    Run,
)
from nbbatch.wire.encode_container import Json, attempt_container, encode_container, end_of
from nbbatch.wire.encode_nodes import encode_nodes, node_details, node_summary
from nbbatch.wire.encode_task import encode_task, encode_task_attempt


def encode_job(view: JobView, arns: Arns, now: int) -> Json:
    """A job as `JobDetail`.

    Parameters
    ----------
    view : JobView
        A single job, an array parent (with counts), a multi-node job, a child or node (with index).
    arns : Arns
        Of the caller's region.
    now : int
        Epoch ms; when an array's counts were last right.
    """
    job, run = view.job, view.run
    status = run.status
    is_parent = view.counts is not None
    detail: Json = {
        "jobArn": arns.job(run.id),
        "jobName": job.name,
        "jobId": run.id,
        "jobQueue": arns.queue(job.queue),
        "status": status,
        "attempts": _attempts(view, arns),
        "createdAt": run.created_at,
        "retryStrategy": encode_retry_strategy(job.retry_strategy),
        "dependsOn": [_dependency(known) for known in job.depends_on],
        "jobDefinition": arns.definition(job.definition),
        "parameters": job.parameters,
        "tags": job.tags,
        "propagateTags": job.propagate_tags,
        "platformCapabilities": [job.platform],
        "eksAttempts": [],
        "isCancelled": run.is_cancelled,
        "isTerminated": run.is_terminated,
    }
    if job.nodes is None or view.index is not None:
        detail |= _containers(job, run, arns, is_parent=is_parent)
    if run.status_reason and status not in ACTIVE:
        detail["statusReason"] = run.status_reason
    _add_times(detail, run, is_parent=is_parent)
    if job.timeout is not None:
        detail["timeout"] = {"attemptDurationSeconds": job.timeout}
    if job.share_identifier is not None:
        detail["shareIdentifier"] = job.share_identifier
    if job.scheduling_priority is not None:
        detail["schedulingPriority"] = job.scheduling_priority
    if job.consumables:
        detail["consumableResourceProperties"] = encode_needs(job, arns)
    _add_array(detail, view, now)
    if job.nodes is not None:
        _add_nodes(detail, view, arns)
    return detail


def encode_summary(view: JobView, arns: Arns, now: int) -> Json:
    """A job as `JobSummary`; parameters as in `encode_job`."""
    job, run = view.job, view.run
    summary: Json = {
        "jobArn": arns.job(run.id),
        "jobId": run.id,
        "jobName": job.name,
        "createdAt": run.created_at,
        "status": run.status,
        "jobDefinition": arns.definition(job.definition),
    }
    if run.status_reason and run.status not in ACTIVE:
        summary["statusReason"] = run.status_reason
    _add_times(summary, run, is_parent=view.counts is not None)
    if job.share_identifier is not None:
        summary["shareIdentifier"] = job.share_identifier
    if run.is_cancelled:
        summary["isCancelled"] = True
    if run.is_terminated:
        summary["isTerminated"] = True
    ended = _ended_container(run)
    if ended:
        summary["container"] = ended
    _add_array(summary, view, now)
    if job.nodes is not None:
        summary["nodeProperties"] = node_summary(view)
    return summary


def encode_needs(job: Job, arns: Arns) -> Json:
    """`consumableResourceProperties` of a job."""
    return {
        "consumableResourceList": [
            {"consumableResource": arns.consumable(name), "quantity": need} for name, need in job.consumables
        ]
    }


def encode_retry_strategy(strategy: RetryStrategy) -> Json:
    """`retryStrategy`, with actions in lower case as the service shows them."""
    return {
        "attempts": strategy.attempts,
        "evaluateOnExit": [_rule(rule) for rule in strategy.evaluate_on_exit],
    }


def _add_times(shown: Json, run: Run, *, is_parent: bool) -> None:
    """`startedAt` is of the current or last attempt; an array never started."""
    if run.status.is_terminal:
        started_at = run.started_at
        if started_at is None and run.attempts:
            started_at = run.attempts[-1].started_at
        if run.stopped_at is not None:
            shown["stoppedAt"] = run.stopped_at
    else:
        started_at = run.started_at if run.status is JobStatus.RUNNING else None
    if started_at is not None and not is_parent:
        shown["startedAt"] = started_at


def _containers(job: Job, run: Run, arns: Arns, *, is_parent: bool) -> Json:
    if job.task is None:
        return {"container": encode_container(job, run, arns, is_parent=is_parent)}
    return {"ecsProperties": {"taskProperties": [encode_task(job, job.task, run, arns, is_parent=is_parent)]}}


def _add_nodes(detail: Json, view: JobView, arns: Arns) -> None:
    """A node is shown with its container, the job itself with the containers of all ranges."""
    job = view.job
    if job.nodes is None:
        return
    if view.index is not None:
        detail["nodeDetails"] = node_details(view)
        return
    detail["nodeProperties"] = encode_nodes(
        job.nodes,
        lambda known: _containers(
            replace(job, container=known.container, task=known.task), view.run, arns, is_parent=True
        ),
    )


def _add_array(shown: Json, view: JobView, now: int) -> None:
    if view.job.nodes is not None:
        return
    if view.index is not None:
        shown["arrayProperties"] = {"index": view.index}
    elif view.counts is not None:
        stopped_at = view.run.stopped_at
        shown["arrayProperties"] = {
            "size": view.job.array_size,
            "statusSummary": {status: view.counts.get(status, 0) for status in JobStatus},
            "statusSummaryLastUpdatedAt": now if stopped_at is None else stopped_at,
        }


def _attempts(view: JobView, arns: Arns) -> list[Json]:
    """Ended attempts; those of a multi-node job are its main node's tasks."""
    job, run = view.job, view.run
    if job.nodes is not None and view.index is None:
        run = replace(run, id=job.child_id(job.nodes.main))
    return [_attempt(known, job, run, arns) for known in run.attempts]


def _attempt(attempt: Attempt, job: Job, run: Run, arns: Arns) -> Json:
    shown: Json = {"stoppedAt": attempt.stopped_at, "statusReason": attempt.status_reason}
    if job.task is None:
        shown["container"] = {**attempt_container(attempt, job, run, arns), "networkInterfaces": []}
    else:
        shown["taskProperties"] = [encode_task_attempt(attempt, job, run, arns)]
    if attempt.started_at is not None:
        shown["startedAt"] = attempt.started_at
    return shown


def _ended_container(run: Run) -> Json:
    return end_of(run.attempts[-1]) if run.status.is_terminal and run.attempts else {}


def _dependency(dependency: Dependency) -> Json:
    shown: Json = {}
    if dependency.job_id is not None:
        shown["jobId"] = dependency.job_id
    if dependency.type is not None:
        shown["type"] = dependency.type
    return shown


def _rule(rule: EvaluateOnExit) -> Json:
    given = {
        "onStatusReason": rule.on_status_reason,
        "onReason": rule.on_reason,
        "onExitCode": rule.on_exit_code,
        "action": rule.action,
    }
    return {name: value for name, value in given.items() if value is not None}
