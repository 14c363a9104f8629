"""AWS JSON to the model: consumable resources, and what a definition or a job needs of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbbatch.errors import ClientException
from nbbatch.model.arns import name_of
from nbbatch.model.fleet import ConsumableResource

MAX_NEEDS = 5
_KINDS = ("REPLENISHABLE", "NON_REPLENISHABLE")
_OPERATIONS = ("SET", "ADD", "REMOVE")


def decode_needs(properties: Mapping[str, Any] | None) -> tuple[tuple[str, int], ...] | None:
    """Read `consumableResourceProperties`: names and quantities; None where there is none.

    Raises
    ------
    ClientException
        In AWS's words where they are known (aws_batch_semantics, section 27).
    """
    if properties is None:
        return None
    entries = properties.get("consumableResourceList", ())
    if len(entries) > MAX_NEEDS:
        raise ClientException("Each ConsumableResourceProperty can have at most 5 consumableResources")
    needs = {_name(entry): _quantity(entry.get("quantity", 0)) for entry in entries}
    if len(needs) < len(entries):
        raise ClientException("Cannot have duplicate consumableResource in consumableResourceProperties")
    return tuple(needs.items())


def decode_consumable(name: str, request: Mapping[str, Any], tags: Mapping[str, str]) -> ConsumableResource:
    """Read CreateConsumableResource's input; its time of creation is not known yet.

    Raises
    ------
    ClientException
        In AWS's words where they are known (aws_batch_semantics, section 27).
    """
    total = request.get("totalQuantity", 0)
    if total < 0:
        raise ClientException("totalQuantity cannot be a negative number.")
    kind = request.get("resourceType", _KINDS[0])
    if kind not in _KINDS:
        raise ClientException(f"resourceType: {kind!r} is not one of {', '.join(_KINDS)}")
    return ConsumableResource(name=name, total=total, created_at=0, type=kind, tags=tags)


def decode_consumable_update(request: Mapping[str, Any]) -> tuple[str, int]:
    """Read UpdateConsumableResource's operation and quantity."""
    operation = request.get("operation", _OPERATIONS[0])
    if operation not in _OPERATIONS:
        raise ClientException(f"operation: {operation!r} is not one of {', '.join(_OPERATIONS)}")
    return operation, _quantity(request.get("quantity", 0))


def _name(entry: Mapping[str, Any]) -> str:
    reference = entry.get("consumableResource")
    if not reference:
        raise ClientException("consumableResource: is required, and missing")
    return name_of(reference, "consumable-resource")


def _quantity(quantity: int) -> int:
    if quantity < 0:
        raise ClientException(f"quantity: {quantity} cannot be a negative number.")
    return quantity
