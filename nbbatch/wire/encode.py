"""The model to AWS JSON: jobs as DescribeJobs and ListJobs show them.

Fields by state follow the samples in the user guide: what is not there is absent, never null;
times are epoch milliseconds; references are ARNs with revision. Of a job's container the effective
values are shown, without AWS's own variables. The cost is per job of a DescribeJobs page, so a job
becomes one dict, put together from what its definition registered.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from nbbatch.model.arns import Arns
from nbbatch.model.jobs import (
    ACTIVE,
    Attempt,
    Container,
    Dependency,
    EvaluateOnExit,
    Job,
    JobStatus,
    JobView,
    RetryStrategy,
    Run,
    log_stream_name,
)

Json = dict[str, Any]

EMPTY_LISTS: Mapping[str, Any] = MappingProxyType(
    {
        name: []
        for name in (
            "command",
            "volumes",
            "environment",
            "mountPoints",
            "ulimits",
            "resourceRequirements",
            "secrets",
        )
    }
)
"""Lists that Describe calls always show, empty ones too."""


def encode_job(view: JobView, arns: Arns, now: int) -> Json:
    """A job as `JobDetail`.

    Parameters
    ----------
    view : JobView
        A single job, an array parent (with counts) or a child (with index).
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
        "attempts": [_attempt(known, run, arns) for known in run.attempts],
        "createdAt": run.created_at,
        "retryStrategy": encode_retry_strategy(job.retry_strategy),
        "dependsOn": [_dependency(known) for known in job.depends_on],
        "jobDefinition": arns.definition(job.definition),
        "parameters": job.parameters,
        "container": _container(job, run, arns, is_parent=is_parent),
        "tags": job.tags,
        "propagateTags": job.propagate_tags,
        "platformCapabilities": [job.platform],
        "eksAttempts": [],
        "isCancelled": run.is_cancelled,
        "isTerminated": run.is_terminated,
    }
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


def _add_array(shown: Json, view: JobView, now: int) -> None:
    if view.index is not None:
        shown["arrayProperties"] = {"index": view.index}
    elif view.counts is not None:
        stopped_at = view.run.stopped_at
        shown["arrayProperties"] = {
            "size": view.job.array_size,
            "statusSummary": {status: view.counts.get(status, 0) for status in JobStatus},
            "statusSummaryLastUpdatedAt": now if stopped_at is None else stopped_at,
        }


def _container(job: Job, run: Run, arns: Arns, *, is_parent: bool) -> Json:
    """Effective values of the container, and of the attempt under way or the last one."""
    container = job.container
    registered = container.as_registered
    shown: Json = {
        **EMPTY_LISTS,
        "networkInterfaces": [],
        **registered,
        "image": container.image,
        "command": container.command,
        "environment": [{"name": name, "value": value} for name, value in container.environment],
        "resourceRequirements": _requirements(container),
    }
    if job.platform == "FARGATE":
        shown.setdefault("fargatePlatformConfiguration", {"platformVersion": "LATEST"})
    if "vcpus" in registered:
        shown["vcpus"] = int(container.resources.vcpus)
    if "memory" in registered:
        shown["memory"] = container.resources.memory
    if is_parent:
        return shown
    if run.status in ACTIVE:
        shown |= _place(run, run.host, run.attempt, arns)
        if run.status is JobStatus.RUNNING:
            shown["logStreamName"] = _log_stream(job, run)
    elif run.status.is_terminal and run.attempts:
        shown |= _attempt_container(run.attempts[-1], run, arns)
    return shown


def _requirements(container: Container) -> list[Json]:
    """In the order registered, then what an override added; deprecated members stay what they are."""
    registered, resources = container.as_registered, container.resources
    amounts = {known["type"]: "" for known in registered.get("resourceRequirements", ())}
    if "vcpus" not in registered:
        amounts["VCPU"] = f"{resources.vcpus:g}"
    if "memory" not in registered:
        amounts["MEMORY"] = str(resources.memory)
    if resources.gpus:
        amounts["GPU"] = str(resources.gpus)
    return [{"type": kind, "value": value} for kind, value in amounts.items()]


def _place(run: Run, host: str | None, attempt: int, arns: Arns) -> Json:
    environment = run.environment or ""
    place = {"taskArn": arns.task(environment, run.id, attempt)}
    if host is not None and run.instance_type != "FARGATE":
        place["containerInstanceArn"] = arns.container_instance(environment, host)
    return place


def _log_stream(job: Job, run: Run) -> str:
    options = job.container.log_options
    prefix = dict(options).get("awslogs-stream-prefix") if options else None
    return log_stream_name(job.definition, run.id, run.attempt, prefix)


def _attempt(attempt: Attempt, run: Run, arns: Arns) -> Json:
    shown: Json = {
        "container": {**_attempt_container(attempt, run, arns), "networkInterfaces": []},
        "stoppedAt": attempt.stopped_at,
        "statusReason": attempt.status_reason,
    }
    if attempt.started_at is not None:
        shown["startedAt"] = attempt.started_at
    return shown


def _attempt_container(attempt: Attempt, run: Run, arns: Arns) -> Json:
    shown = _place(run, attempt.host, attempt.number, arns)
    if attempt.started_at is not None:
        shown["logStreamName"] = attempt.log_stream
    return shown | _end_of(attempt)


def _ended_container(run: Run) -> Json:
    return _end_of(run.attempts[-1]) if run.status.is_terminal and run.attempts else {}


def _end_of(attempt: Attempt) -> Json:
    end: Json = {}
    if attempt.exit_code is not None:
        end["exitCode"] = attempt.exit_code
    if attempt.reason is not None:
        end["reason"] = attempt.reason
    return end


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
