"""A graph of steps as text and as a picture, left to right: pure.

A step's column is the length of the longest way to it, so every arrow points to the right. Inside a
column steps stand near what they wait for. No script, fixed colours on their own ground: the picture
reads in dark notebooks, on GitHub, and after the kernel is gone.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType

from nbbatch.client.colours import colour_of
from nbbatch.errors import OptionError

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _EDGE = 148, 44, 40, 18, 12
_NOTE = 18
"""Height of a line below the picture."""
_LONGEST = 21
"""Letters of a name or a state that fit into a box."""
_MARKS = {"SUCCEEDED": "✓", "FAILED": "✗", "RUNNING": "▶", "STARTING": "▶"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A step: its name, status (empty before it was submitted), state in words, and what it waits for."""

    name: str
    status: str = ""
    state: str = ""
    after: tuple[str, ...] = ()


def in_order(after: Mapping[str, Sequence[str]]) -> list[str]:
    """Names so that each comes behind what it waits for, else in the order given.

    Raises
    ------
    OptionError
        Some wait for each other in a circle, or for one that is not there.
    """
    for name, wanted in after.items():
        for one in wanted:
            if one not in after:
                raise OptionError(f"Step {name!r} waits for {one!r}, which is no step of this pipeline.")
    try:
        return list(TopologicalSorter(after).static_order())
    except CycleError as error:
        way = " → ".join(reversed(error.args[1]))
        raise OptionError(
            f"These steps wait for each other: {way}.", cure="Take one of the dependencies away."
        ) from None


def as_text(nodes: Sequence[Node], retried: Mapping[str, str] = MappingProxyType({})) -> str:
    """A line for each step, in an order in which they may run, and what a retry did with each."""
    by_name = {node.name: node for node in nodes}
    width = max((len(node.name) for node in nodes), default=0)
    lines = [_line(by_name[name], width) for name in in_order({node.name: node.after for node in nodes})]
    return "\n".join([*lines, *_said(retried)])


def _said(retried: Mapping[str, str]) -> list[str]:
    return [f"retry · {name}: {what}" for name, what in retried.items()]


def _line(node: Node, width: int) -> str:
    after = f"  ← {', '.join(node.after)}" if node.after else ""
    return f"{_MARKS.get(node.status, '·')} {node.name:<{width}}  {node.state or 'not submitted'}{after}"


def as_svg(nodes: Sequence[Node], retried: Mapping[str, str] = MappingProxyType({})) -> str:
    """A picture of the graph, and below it what a retry did with each step."""
    places = _places(nodes)
    columns = 1 + max((column for column, _ in places.values()), default=0)
    rows = 1 + max((row for _, row in places.values()), default=0)
    width = columns * (_WIDTH + _GAP_X) - _GAP_X + 2 * _EDGE
    height = rows * (_HEIGHT + _GAP_Y) - _GAP_Y + 2 * _EDGE
    notes = [_note(text, height + number * _NOTE) for number, text in enumerate(_said(retried))]
    width, height = max([width, *(7 * len(text) for text in _said(retried))]), height + len(notes) * _NOTE
    arrows = [_arrow(places[before], places[node.name]) for node in nodes for before in node.after]
    boxes = [_box(node, places[node.name]) for node in nodes]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12" '
        'style="max-width:100%;height:auto">'
        '<defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="#757575"/></marker></defs>'
        f"{''.join(arrows)}{''.join(boxes)}{''.join(notes)}</svg>"
    )


def _note(text: str, y: int) -> str:
    return f'<text x="{_EDGE}" y="{y + 8}" fill="#757575">{html.escape(text)}</text>'


def _places(nodes: Sequence[Node]) -> dict[str, tuple[int, int]]:
    """Column and row of each step."""
    by_name = {node.name: node for node in nodes}
    columns: dict[str, int] = {}
    for name in in_order({node.name: node.after for node in nodes}):
        columns[name] = 1 + max((columns[before] for before in by_name[name].after), default=-1)
    places: dict[str, tuple[int, int]] = {}
    for column in range(1 + max(columns.values(), default=-1)):
        here = [name for name, mine in columns.items() if mine == column]
        here.sort(key=lambda name: _middle([places[before][1] for before in by_name[name].after]))
        places |= {name: (column, row) for row, name in enumerate(here)}
    return places


def _middle(rows: Sequence[int]) -> float:
    return sum(rows) / len(rows) if rows else 0.0


def _corner(place: tuple[int, int]) -> tuple[int, int]:
    column, row = place
    return _EDGE + column * (_WIDTH + _GAP_X), _EDGE + row * (_HEIGHT + _GAP_Y)


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    (x1, y1), (x2, y2) = _corner(start), _corner(end)
    x1, y1, y2 = x1 + _WIDTH, y1 + _HEIGHT // 2, y2 + _HEIGHT // 2
    bend = x1 + _GAP_X // 2, x2 - _GAP_X // 2
    return (
        f'<path d="M{x1} {y1}C{bend[0]} {y1} {bend[1]} {y2} {x2} {y2}" fill="none" '
        'stroke="#757575" stroke-width="1.5" marker-end="url(#a)"/>'
    )


def _box(node: Node, place: tuple[int, int]) -> str:
    x, y = _corner(place)
    colour = colour_of(node.status)
    middle = x + _WIDTH // 2
    return (
        f"<g><title>{html.escape(f'{node.name}: {node.state}')}</title>"
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="5" fill="#fff" '
        f'stroke="{colour}" stroke-width="2"/>'
        f'<text x="{middle}" y="{y + 18}" text-anchor="middle" fill="#212121" font-weight="bold">'
        f"{_short(node.name)}</text>"
        f'<text x="{middle}" y="{y + 35}" text-anchor="middle" fill="#424242">'
        f"{_short(_in_box(node.state) or 'not submitted')}</text></g>"
    )


def _in_box(state: str) -> str:
    """A red box is FAILED; the room is for how: `dependency failed`, `exited 0.7 s`."""
    return state.removeprefix("FAILED (").replace(")", "", 1) if state.startswith("FAILED (") else state


def _short(text: str) -> str:
    return html.escape(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")
