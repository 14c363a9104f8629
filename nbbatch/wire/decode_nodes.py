"""`nodeProperties` and `nodeOverrides`: AWS JSON to the model.

Source: API reference, NodeProperties, NodeRangeProperty and NodeOverrides. Checks that need nothing
but the JSON are made here, with AWS's texts where they are known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from nbbatch.errors import ClientException
from nbbatch.model.containers import Container, Task
from nbbatch.model.jobs import NodeProperties, NodeRange
from nbbatch.model.requests import NO_OVERRIDES, NodeOverrides, NodeRangeOverride
from nbbatch.wire.decode_container import decode_container, decode_overrides
from nbbatch.wire.decode_task import decode_task, decode_task_overrides

MAX_NODES = 1000
MAX_RANGES = 5

_TARGETS = re.compile(r"([0-9]{0,6})(:?)([0-9]{0,6})")
_OTHERS = ("eksProperties", "consumableResourceProperties")
_OTHER_OVERRIDES = ("eksPropertiesOverride", "consumableResourcePropertiesOverride")


def decode_nodes(properties: Mapping[str, Any], platform: str) -> NodeProperties:
    """Read `nodeProperties` of a job definition.

    Raises
    ------
    ClientException
        In AWS's words where they are known (aws_batch_semantics, section 27).
    """
    if platform != "EC2":
        name = platform.capitalize() if platform == "FARGATE" else platform
        raise ClientException(f"{name} does not support MNP jobs")
    count, main = properties["numNodes"], properties["mainNode"]
    if not 1 <= count <= MAX_NODES:
        raise ClientException(f"Number of nodes must be between 1 and {MAX_NODES}.")
    if not 0 <= main < count:
        raise ClientException("Main node index is out of range, must be less than numNodes.")
    entries = properties["nodeRangeProperties"]
    if len(entries) > MAX_RANGES:
        raise ClientException(f"Maximum allowed size of node range properties is {MAX_RANGES}")
    ranges = tuple(_range(entry, platform) for entry in entries)
    _check_cover(ranges, count)
    return NodeProperties(count=count, main=main, ranges=ranges)


def decode_node_overrides(overrides: Mapping[str, Any] | None) -> NodeOverrides | None:
    """Read `nodeOverrides` of SubmitJob; None where there are none.

    Raises
    ------
    ClientException
        In AWS's words where they are known.
    """
    if not overrides:
        return None
    entries = overrides.get("nodePropertyOverrides", ())
    return NodeOverrides(
        count=overrides.get("numNodes"), ranges=tuple(_range_override(entry) for entry in entries)
    )


def parse_targets(text: str) -> tuple[int, int | None]:
    """First and last node that `targetNodes` means; the last is None where it is left open.

    [?] A number alone is not documented; it is taken as that one node.

    Raises
    ------
    ClientException
        In AWS's words.
    """
    match = _TARGETS.fullmatch(text)
    if match is None or not text:
        raise ClientException("targetNodes should contain only digits.")
    first, colon, last = match.groups()
    if not colon:
        return int(text), int(text)
    start, end = int(first or 0), int(last) if last else None
    if end is not None and end < start:
        raise ClientException(f"targetNodes: {text} ends before it begins.")
    return start, end


def _range(entry: Mapping[str, Any], platform: str) -> NodeRange:
    target = entry["targetNodes"]
    first, last = parse_targets(target)
    _refuse(entry, _OTHERS)
    container, task = _containers(entry, target, platform)
    return NodeRange(
        target=target,
        first=first,
        last=last,
        container=container,
        task=task,
        instance_type=_instance_type(entry) or entry.get("container", {}).get("instanceType"),
    )


def _containers(entry: Mapping[str, Any], target: str, platform: str) -> tuple[Container, Task | None]:
    """Either a `container` or `ecsProperties`, whose task is that of each node of the range."""
    if "ecsProperties" not in entry and "container" not in entry:
        raise ClientException(f"Must specify container for node range {target}")
    if "ecsProperties" not in entry:
        return decode_container(entry["container"], platform), None
    if "container" in entry:
        raise ClientException(f"Cannot use both container and ecsProperties for node range {target}")
    return decode_task(entry["ecsProperties"], platform)


def _range_override(entry: Mapping[str, Any]) -> NodeRangeOverride:
    first, last = parse_targets(entry["targetNodes"])
    _refuse(entry, _OTHER_OVERRIDES)
    given = dict(entry.get("containerOverrides", {}))
    instance_type = given.pop("instanceType", None)
    return NodeRangeOverride(
        target=entry["targetNodes"],
        first=first,
        last=last,
        overrides=decode_overrides(given) if given else NO_OVERRIDES,
        task_overrides=decode_task_overrides(entry.get("ecsPropertiesOverride", {})),
        instance_type=_instance_type(entry) or instance_type,
    )


def _instance_type(entry: Mapping[str, Any]) -> str | None:
    """`instanceTypes` is a list of at most one (API reference, NodeRangeProperty)."""
    types: Sequence[str] = entry.get("instanceTypes", ())
    if len(types) > 1:
        raise ClientException(f"instanceTypes: has {len(types)} entries, and may have at most 1")
    return types[0] if types else None


def _refuse(entry: Mapping[str, Any], members: Sequence[str]) -> None:
    for member in members:
        if entry.get(member):
            raise ClientException(f"{member} of a node range is not there yet in nbbatch.")


def _check_cover(ranges: Sequence[NodeRange], count: int) -> None:
    """Every node belongs to a range, and no range goes beyond the last node.

    [?] AWS documents the former, without its words; whether it minds the latter is not known.
    """
    for known in ranges:
        if max(known.first, known.last or 0) >= count:
            raise ClientException(
                f"targetNodes: {known.target} goes beyond node {count - 1}, the last of {count}."
            )
    covered = {
        index
        for known in ranges
        for index in range(known.first, count if known.last is None else known.last + 1)
    }
    missing = sorted(set(range(count)) - covered)
    if missing:
        raise ClientException(
            f"nodeRangeProperties: the node ranges must cover all {count} nodes; {missing[0]} is in none."
        )
