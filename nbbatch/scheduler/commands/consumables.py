"""CreateConsumableResource, UpdateConsumableResource, DeleteConsumableResource, and who needs one.

Source: API reference of these operations. A deleted resource leaves the jobs that need it waiting;
made anew under its name, it lets them go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nbbatch.errors import ClientException
from nbbatch.model.arns import name_of
from nbbatch.model.events import ConsumableResourceChanged, Event, NounDeleted
from nbbatch.model.fleet import ConsumableResource
from nbbatch.scheduler.state import SchedulerState

MAX_CONSUMABLES = 50_000
TOKEN_MS = 8 * 3600 * 1000
"""How long a client token is remembered (API reference, UpdateConsumableResource)."""


def create_consumable(
    state: SchedulerState, resource: ConsumableResource, *, now: int
) -> tuple[list[Event], ConsumableResource]:
    """Make a consumable resource.

    Raises
    ------
    ClientException
        When the name is taken, or there are too many.
    """
    if resource.name in state.consumables:
        raise ClientException(f"Object already exists: consumable resource {resource.name}")
    if len(state.consumables) >= MAX_CONSUMABLES:
        raise ClientException(f"The limit of {MAX_CONSUMABLES} consumable resources is reached.")
    made = replace(resource, created_at=now)
    return [ConsumableResourceChanged(resource=made)], made


def update_consumable(
    state: SchedulerState, reference: str, operation: str, quantity: int, *, token: str | None, now: int
) -> tuple[list[Event], ConsumableResource]:
    """SET, ADD to or REMOVE from the total quantity; a repeated client token changes nothing more.

    Raises
    ------
    ClientException
        When the resource does not exist, the total would be negative, or a client token comes again
        with another request.
    """
    resource = resolve_consumable(state, reference)
    asked = f"{operation} {quantity}"
    recent = tuple(known for known in resource.updates if known[1] > now)
    for known, _, before in recent:
        if known == token and before == asked:
            return [], resource
        if known == token:
            raise ClientException(f"clientToken: {token!r} was used for another request: {before}.")
    total = _total(resource, operation, quantity)
    if total < 0:
        raise ClientException(
            f"totalQuantity cannot be a negative number. {resource.name} has {resource.total}, REMOVE {quantity}."
        )
    if token is not None:
        recent = (*recent, (token, now + TOKEN_MS, asked))
    updated = replace(resource, total=total, updates=recent)
    return [ConsumableResourceChanged(resource=updated)], updated


def delete_consumable(state: SchedulerState, reference: str) -> tuple[list[Event], None]:
    """Delete a consumable resource; attempts keep what they have."""
    resource = resolve_consumable(state, reference)
    return [NounDeleted(kind=ConsumableResource.__name__, name=resource.name)], None


def resolve_consumable(state: SchedulerState, reference: str) -> ConsumableResource:
    """The consumable resource that a name or ARN means.

    Raises
    ------
    ClientException
        When there is none.
    """
    found = state.consumables.get(name_of(reference, "consumable-resource"))
    if found is None:
        raise ClientException(f"ConsumableResource {reference} not found.")
    return found


def resolve_consumables(
    state: SchedulerState, needs: Sequence[tuple[str, int]]
) -> tuple[tuple[str, int], ...]:
    """Names and quantities of what a job needs; quantity 0 is nothing.

    Raises
    ------
    ClientException
        When one does not exist.
    """
    return tuple((resolve_consumable(state, name).name, need) for name, need in needs if need)


def _total(resource: ConsumableResource, operation: str, quantity: int) -> int:
    match operation:
        case "SET":
            return quantity
        case "ADD":
            return resource.total + quantity
        case _:
            return resource.total - quantity
