"""SubmitJob of a multi-node parallel job: where it may run, and what `nodeOverrides` change.

Source: API reference, NodeOverrides and NodePropertyOverride; user guide, "Multi-node parallel
jobs". AWS's texts for most of these refusals are not known [?].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from nbbatch.errors import ClientException
from nbbatch.model.containers import Container, Task
from nbbatch.model.fleet import JobQueue
from nbbatch.model.jobs import JobDefinition, NodeProperties, NodeRange
from nbbatch.model.requests import NO_OVERRIDES, JobDraft, NodeOverrides, NodeRangeOverride
from nbbatch.scheduler.commands.overrides import merge, merge_task
from nbbatch.scheduler.gang import can_hold_nodes
from nbbatch.scheduler.state import SchedulerState

MAX_NODES = 1000


def settle_nodes(
    state: SchedulerState,
    queue: JobQueue,
    definition: JobDefinition,
    draft: JobDraft,
    parameters: Mapping[str, str],
) -> NodeProperties | None:
    """The nodes of a job as they will run; None for a job of type container.

    Raises
    ------
    ClientException
        When the queue cannot run nodes, or overrides do not go with the definition.
    """
    nodes = definition.nodes
    if nodes is None:
        if draft.node_overrides is not None:
            raise ClientException("nodeOverrides can only be given for multi-node parallel jobs.")
        return None
    for name, is_given in (
        ("containerOverrides", draft.overrides is not NO_OVERRIDES),
        ("ecsPropertiesOverride", bool(draft.task_overrides)),
    ):
        if is_given:
            raise ClientException(f"{name} cannot be given for multi-node parallel jobs; use nodeOverrides.")
    if draft.array_size is not None:
        raise ClientException("arrayProperties cannot be given for multi-node parallel jobs.")
    _check_queue(state, queue)
    overrides = draft.node_overrides or NodeOverrides()
    _check_targets(nodes, overrides)
    return NodeProperties(
        count=_count(nodes, overrides),
        main=nodes.main,
        ranges=tuple(_merge_range(known, overrides, parameters) for known in nodes.ranges),
    )


def _check_queue(state: SchedulerState, queue: JobQueue) -> None:
    """[?] Whether AWS refuses such a job or lets it wait for ever is not documented."""
    known = [state.environments[name].environment for name in queue.environments]
    if not any(can_hold_nodes(environment) for environment in known):
        kinds = ", ".join(f"{one.name} ({one.type}, {one.resource_type})" for one in known)
        raise ClientException(
            "Multi-node parallel jobs run in MANAGED compute environments of type EC2 (On-Demand) only; "
            f"job queue {queue.name} has {kinds}."
        )


def _check_targets(nodes: NodeProperties, overrides: NodeOverrides) -> None:
    """An override names a whole range of the definition."""
    known = {(one.first, one.last) for one in nodes.ranges}
    strange = [one.target for one in overrides.ranges if (one.first, one.last) not in known]
    if strange:
        raise ClientException(
            f"NodeOverride targets should match job definition. Non matching targets - {', '.join(strange)}"
        )


def _count(nodes: NodeProperties, overrides: NodeOverrides) -> int:
    """`numNodes` may change where a range is open above, to more than its lower bound and the main node."""
    count = overrides.count
    if count is None:
        return nodes.count
    if not 1 <= count <= MAX_NODES:
        raise ClientException(f"Number of nodes must be between 1 and {MAX_NODES}.")
    open_ranges = [one.first for one in nodes.ranges if one.last is None]
    if not open_ranges:
        raise ClientException(
            "nodeOverrides.numNodes can only be given when a node range of the job definition has no upper "
            "bound, such as 0: or 1:"
        )
    if count <= min(open_ranges):
        raise ClientException(
            f"nodeOverrides.numNodes: {count} must be more than {min(open_ranges)}, the lower bound of the "
            "node range without an upper one."
        )
    if nodes.main >= count:
        raise ClientException("Main node index is out of range, must be less than numNodes.")
    return count


def _merge_range(known: NodeRange, overrides: NodeOverrides, parameters: Mapping[str, str]) -> NodeRange:
    given = [one for one in overrides.ranges if (one.first, one.last) == (known.first, known.last)]
    own = given[-1] if given else NodeRangeOverride(target=known.target, first=known.first, last=known.last)
    container, task = _merge_containers(known, own, parameters)
    return replace(
        known, container=container, task=task, instance_type=own.instance_type or known.instance_type
    )


def _merge_containers(
    known: NodeRange, own: NodeRangeOverride, parameters: Mapping[str, str]
) -> tuple[Container, Task | None]:
    if known.task is None:
        if own.task_overrides:
            raise ClientException(
                f"ecsPropertiesOverride: node range {known.target} has no ecsProperties; use containerOverrides."
            )
        return merge(known.container, own.overrides, parameters), None
    if own.overrides is not NO_OVERRIDES:
        raise ClientException(
            f"containerOverrides: node range {known.target} has ecsProperties; use ecsPropertiesOverride."
        )
    return merge_task(
        known.container, known.task, own.task_overrides, parameters, f"node range {known.target}"
    )
