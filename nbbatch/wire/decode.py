"""AWS JSON to the model: job definitions and SubmitJob.

Takes requests that `validate` has cleaned. What depends on the daemon's state (whether a queue
exists, which revision is meant) is left to the scheduler's commands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from nbbatch.errors import ClientException
from nbbatch.model.containers import Container, Task
from nbbatch.model.jobs import Dependency, DependencyType, EvaluateOnExit, JobDefinition, JobId, RetryStrategy
from nbbatch.model.requests import NO_OVERRIDES, JobDraft
from nbbatch.wire.decode_consumable import decode_needs
from nbbatch.wire.decode_container import decode_container, decode_overrides
from nbbatch.wire.decode_nodes import decode_node_overrides, decode_nodes
from nbbatch.wire.decode_task import decode_task, decode_task_overrides

MAX_DEPENDENCIES = 20
MAX_EVALUATE_ON_EXIT = 5
MAX_CONDITION = 512
MAX_RETRY_ATTEMPTS = 10
MIN_TIMEOUT = 60
MAX_PRIORITY = 9999
MAX_REASON = 1024

_JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_SHARE = re.compile(r"[A-Za-z0-9]{1,255}")
_CODE_CONDITION = re.compile(r"\d*\*?")
_TEXT_CONDITION = re.compile(r"[A-Za-z0-9.:\s]*\*?")
_CONDITIONS = {
    "onExitCode": _CODE_CONDITION,
    "onReason": _TEXT_CONDITION,
    "onStatusReason": _TEXT_CONDITION,
}
_PLATFORMS = ("FARGATE", "EC2", "MANAGED_INSTANCES")
_NO_EKS = (
    "EKS jobs cannot run here: the local backend starts containers on this machine and has no Kubernetes "
    "cluster; use containerProperties or ecsProperties."
)


def decode_definition(request: Mapping[str, Any]) -> JobDefinition:
    """Read RegisterJobDefinition's input; the revision is 0 until the state gives one.

    Raises
    ------
    ClientException
        In AWS's words where they are known (aws_batch_semantics, section 27).
    """
    name = checked_name(request["jobDefinitionName"], "Job Definition")
    _check_kind(request)
    platform = _platform(request.get("platformCapabilities", ()))
    nodes = decode_nodes(request["nodeProperties"], platform) if request["type"] == "multinode" else None
    main = None if nodes is None else nodes.range_of(nodes.main)
    container, task = _containers(request, platform) if main is None else (main.container, main.task)
    return JobDefinition(
        name=name,
        revision=0,
        container=container,
        task=task,
        nodes=nodes,
        type=request["type"],
        parameters=request.get("parameters", {}),
        retry_strategy=decode_retry_strategy(request.get("retryStrategy")),
        timeout=decode_timeout(request.get("timeout")),
        scheduling_priority=_priority(request.get("schedulingPriority")),
        propagate_tags=request.get("propagateTags", False),
        platform=platform,
        consumables=decode_needs(request.get("consumableResourceProperties")) or (),
        tags=decode_tags(request.get("tags")),
        request=request,
    )


def decode_job(request: Mapping[str, Any]) -> JobDraft:
    """Read SubmitJob's input.

    Raises
    ------
    ClientException
        In AWS's words where they are known (aws_batch_semantics, section 27).
    """
    if _JOB_NAME.fullmatch(request["jobName"]) is None:
        raise ClientException("Job name should match valid pattern")
    share = request.get("shareIdentifier")
    if share is not None and _SHARE.fullmatch(share) is None:
        raise ClientException(f"shareIdentifier: {share!r} is not 1 to 255 letters and digits.")
    if request.get("eksPropertiesOverride"):
        raise ClientException(f"eksPropertiesOverride: {_NO_EKS}")
    overrides = request.get("containerOverrides")
    return JobDraft(
        name=request["jobName"],
        queue=request["jobQueue"],
        definition=request["jobDefinition"],
        parameters=request.get("parameters", {}),
        overrides=decode_overrides(overrides) if overrides else NO_OVERRIDES,
        task_overrides=decode_task_overrides(request.get("ecsPropertiesOverride", {})),
        node_overrides=decode_node_overrides(request.get("nodeOverrides")),
        array_size=request.get("arrayProperties", {}).get("size"),
        depends_on=_dependencies(request.get("dependsOn", ())),
        retry_strategy=decode_retry_strategy(request.get("retryStrategy")),
        timeout=decode_timeout(request.get("timeout")),
        share_identifier=share,
        scheduling_priority=_priority(request.get("schedulingPriorityOverride")),
        propagate_tags=request.get("propagateTags"),
        consumables=decode_needs(request.get("consumableResourcePropertiesOverride")),
        tags=decode_tags(request.get("tags")),
    )


def decode_retry_strategy(strategy: Mapping[str, Any] | None) -> RetryStrategy | None:
    """Read `retryStrategy`; None where there is none."""
    if strategy is None:
        return None
    attempts = strategy.get("attempts")
    if attempts is None:
        raise ClientException("RetryAttempts must be provided with retry strategy.")
    if not 1 <= attempts <= MAX_RETRY_ATTEMPTS:
        raise ClientException("RetryAttempts must be between 1 and 10.")
    rules = strategy.get("evaluateOnExit", ())
    if len(rules) > MAX_EVALUATE_ON_EXIT:
        raise ClientException("Up to 5 evaluateOnExit condition can be specified.")
    return RetryStrategy(attempts=attempts, evaluate_on_exit=tuple(_rule(rule) for rule in rules))


def decode_timeout(timeout: Mapping[str, Any] | None) -> int | None:
    """Read `timeout` as seconds; None where there is none."""
    seconds: int | None = (timeout or {}).get("attemptDurationSeconds")
    if seconds is not None and seconds < MIN_TIMEOUT:
        raise ClientException("AttemptDurationSeconds in Timeout must be at least 60 seconds.")
    return seconds


def decode_tags(tags: Mapping[str, str] | None) -> Mapping[str, str]:
    """Read `tags`; keys that belong to AWS are refused."""
    for key in tags or ():
        if key.lower().startswith("aws:"):
            raise ClientException(f"tags: {key!r} cannot be set: the prefix aws: is reserved.")
    return tags or {}


def decode_reason(request: Mapping[str, Any]) -> str:
    """Read the reason of CancelJob and TerminateJob, which like the id may not be empty.

    The text is seen in the wild; AWS documents only that both are required.
    """
    for member in ("jobId", "reason"):
        if request.get(member) == "":
            raise ClientException(f"'{member}' is a required field (cannot be an empty string)")
    reason: str = request["reason"]
    if len(reason) > MAX_REASON:
        raise ClientException(f"reason: has {len(reason)} characters, and may have at most {MAX_REASON}")
    return reason


def checked_name(name: str, what: str) -> str:
    """A name that keeps to AWS's pattern for resources."""
    if _NAME.fullmatch(name) is None:
        raise ClientException(f"{what} name should match a valid pattern.")
    return name


def _check_kind(request: Mapping[str, Any]) -> None:
    if request["type"] == "multinode":
        _check_multinode(request)
        return
    if "nodeProperties" in request:
        raise ClientException("nodeProperties can only be given for a job definition of type multinode.")
    given = [name for name in ("containerProperties", "ecsProperties", "eksProperties") if name in request]
    match given:
        case ["containerProperties"] | ["ecsProperties"]:
            pass
        case ["containerProperties", other, *_]:
            raise ClientException(f"Cannot use both ECS containerProperties and {other}")
        case ["ecsProperties", "eksProperties"]:
            raise ClientException("Cannot use both ecsProperties and eksProperties")
        case ["eksProperties"]:
            raise ClientException(f"eksProperties: {_NO_EKS}")
        case _:
            raise ClientException("containerProperties is required for a job definition of type container.")


def _containers(request: Mapping[str, Any], platform: str) -> tuple[Container, Task | None]:
    """The first container, and what `ecsProperties` say of the others."""
    if "ecsProperties" in request:
        return decode_task(request["ecsProperties"], platform)
    return decode_container(request["containerProperties"], platform), None


def _check_multinode(request: Mapping[str, Any]) -> None:
    if "nodeProperties" not in request:
        raise ClientException("Node properties of multinode job is required.")
    for other in ("containerProperties", "ecsProperties", "eksProperties"):
        if other in request:
            raise ClientException(f"Cannot use both nodeProperties and {other}")


def _platform(capabilities: Sequence[str]) -> str:
    if len(capabilities) > 1:
        raise ClientException("Exactly 1 capability must be provided.")
    platform = capabilities[0] if capabilities else "EC2"
    if platform not in _PLATFORMS:
        raise ClientException(
            f"Capability {platform} is not valid. Valid capabilities: [{', '.join(_PLATFORMS)}]"
        )
    return platform


def _priority(priority: int | None) -> int | None:
    if priority is not None and not 0 <= priority <= MAX_PRIORITY:
        raise ClientException("Scheduling priority must be between 0 and 9999.")
    return priority


def _rule(rule: Mapping[str, str]) -> EvaluateOnExit:
    conditions = {name: rule[name] for name in _CONDITIONS if rule.get(name)}
    if not conditions:
        raise ClientException(
            "EvaluateOnExit should contain at least one of onExitCode, onReason or onStatusReason."
        )
    for name, text in conditions.items():
        if len(text) > MAX_CONDITION:
            raise ClientException("Evaluate on exit condition cannot exceed 512 characters.")
        if _CONDITIONS[name].fullmatch(text) is None:
            raise ClientException("Evaluate on exit condition contains restricted characters.")
    return EvaluateOnExit(
        action=rule["action"].lower(),
        on_exit_code=conditions.get("onExitCode"),
        on_reason=conditions.get("onReason"),
        on_status_reason=conditions.get("onStatusReason"),
    )


def _dependencies(entries: Sequence[Mapping[str, str]]) -> tuple[Dependency, ...]:
    if len(entries) > MAX_DEPENDENCIES:
        raise ClientException(
            f"dependsOn: has {len(entries)} entries, and may have at most {MAX_DEPENDENCIES}"
        )
    return tuple(
        Dependency(
            job_id=JobId(entry["jobId"]) if entry.get("jobId") else None,
            type=DependencyType(entry["type"]) if "type" in entry else None,
        )
        for entry in entries
    )
