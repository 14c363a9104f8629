"""Handles among a cell's variables: in the job each is the value of its job, which the cell's job waits for.

As for an argument of `nbbatch.submit`. The receipt says so for each; `--keep-handles` leaves them what
they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nbbatch.client.handles.handle import Handle
from nbbatch.client.handles.outcome import short_id
from nbbatch.client.handles.references import referable_in
from nbbatch.client.packing.payloads import Cell
from nbbatch.jupyter.console import Console

_MOST_NAMED = 3


def value_notes(cell: Cell) -> Iterator[str]:
    """A line of the receipt for each variable in which handles arrive as values."""
    if not cell.takes_values:
        return
    for name, value in [*cell.inputs.items(), *([(cell.item_name, cell.items)] if cell.items else [])]:
        handles = list(dict.fromkeys(one for one in referable_in(value) if isinstance(one, Handle)))
        if not handles:
            continue
        verb = (
            "is the value"
            if handles == [value]
            else "has the values"
            if len(handles) > 1
            else "has the value"
        )
        yield f"{name} {verb} of {_named(handles)}, which the cell waits for · --keep-handles sends the handle itself"


def with_values_here(cell: Cell, console: Console) -> Cell:
    """The cell with the values of handles among its variables, waited for here: it runs without a queue."""
    if not cell.takes_values:
        return cell
    inputs = dict(cell.inputs)
    for name, value in inputs.items():
        if isinstance(value, Handle):
            console.line(f"{name} is the value of {_named([value])}, which is waited for")
            inputs[name] = value.result()
    return replace(cell, inputs=inputs, takes_values=False)


def _named(handles: list[Handle]) -> str:
    named = ", ".join(f"job {short_id(one.id)} ({one.name})" for one in handles[:_MOST_NAMED])
    rest = len(handles) - _MOST_NAMED
    return f"{named} and {rest} more" if rest > 0 else named
