"""Multi-node parallel jobs as AWS JSON: `nodeProperties` of a definition or job, `nodeDetails` of a node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nbbatch.model.jobs import JobView, NodeProperties, NodeRange

Json = dict[str, Any]


def encode_nodes(nodes: NodeProperties, containers: Callable[[NodeRange], Json]) -> Json:
    """`nodeProperties`; `containers` shows one range's `container` or `ecsProperties`."""
    return {
        "numNodes": nodes.count,
        "mainNode": nodes.main,
        "nodeRangeProperties": [
            {
                "targetNodes": known.target,
                **containers(known),
                **_instance_types(known),
            }
            for known in nodes.ranges
        ],
    }


def _instance_types(known: NodeRange) -> Json:
    """Not repeated where the container says it already, in its older member `instanceType`."""
    said = known.container.as_registered.get("instanceType")
    return {} if known.instance_type in (None, said) else {"instanceTypes": [known.instance_type]}


def node_details(view: JobView) -> Json:
    """`nodeDetails` of a node."""
    nodes = view.job.nodes
    return {"nodeIndex": view.index, "isMainNode": nodes is not None and view.index == nodes.main}


def node_summary(view: JobView) -> Json:
    """`NodePropertiesSummary` of a multi-node job or of one of its nodes."""
    nodes = view.job.nodes
    count = {"numNodes": nodes.count} if nodes is not None else {}
    return count if view.index is None else {**node_details(view), **count}
