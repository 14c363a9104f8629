"""Pictures of boards as inline SVG, and tables with marks in them: for saved notebooks, without scripts. Pure.

They follow `parts`: a picture is as wide as the notebook lets it, and every number in it stands in text, too.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nbbatch.client.handles.shown import badge
from nbbatch.jupyter.panels.parts import WIDTH, escaped, rect, svg

_MOST_POINTS = 80
"""Points of a curve: a saved picture stays a few kB."""
_GROUND = "rgba(128,128,128,.16)"
_WEAK = "var(--jp-ui-font-color2,#757575)"
_CELL = "padding:2px 10px 2px 0;text-align:{side};vertical-align:top"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: text, and what else a person should see of it.

    Parameters
    ----------
    text : str
        What it says.
    colour : str
        Of a mark before it; empty for none.
    link : str
        Where it leads; empty for nowhere.
    share : float or None
        A bar under it, from 0 to 1.
    note : str
        A weak second line.
    """

    text: str
    colour: str = ""
    link: str = ""
    share: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a column: its word, whether numbers stand in it, and what a click on it does."""

    word: str
    is_number: bool = False
    act: str = ""
    title: str = ""


def stacked(layers: Sequence[tuple[str, Sequence[float | None]]], said: str, *, height: float = 56) -> str:
    """Areas over even steps, one on top of the other; unknown values are a gap.

    Parameters
    ----------
    layers : sequence of (colour, values)
        From the ground up.
    said : str
        What it says to who does not see it.
    """
    length = max((len(values) for _, values in layers), default=0)
    if length < 2:  # noqa: PLR2004 - an area has two ends
        return ""
    places = _places(length)
    step = WIDTH / max(1, len(places) - 1)
    floor = [0.0] * len(places)
    tops = []
    for colour, values in layers:
        floor = [low + (values[place] or 0.0) for low, place in zip(floor, places, strict=True)]
        tops.append((colour, floor))
    most = max(floor, default=0.0) or 1.0
    body = "".join(_area(colour, top, step, height, most) for colour, top in reversed(tops))
    return svg(height, body + _base(height), said)


def curve(values: Sequence[float | None], colour: str, most: float, *, height: float = 56) -> str:
    """A dotted line over a picture of the same height, for `over`."""
    places = _places(len(values))
    step = WIDTH / max(1, len(places) - 1)
    points = " ".join(
        f"{number * step:.4g},{height - (height - 2) * (values[place] or 0.0) / (most or 1.0):.4g}"
        for number, place in enumerate(places)
    )
    return (
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.4" stroke-dasharray="3 3" '
        'vector-effect="non-scaling-stroke"/>'
    )


def capacity(
    used: Sequence[float | None],
    provisioned: Sequence[float | None],
    wanted: Sequence[float | None],
    colours: tuple[str, str, str],
    said: str,
    *,
    height: float = 56,
) -> str:
    """VCPUs used in those that are there, under a line of those that were wanted."""
    if len(used) < 2:  # noqa: PLR2004 - as above
        return ""
    places = _places(len(used))
    step = WIDTH / max(1, len(places) - 1)
    most = max([value or 0.0 for column in (used, provisioned, wanted) for value in column]) or 1.0
    areas = "".join(
        _area(colour, [values[place] or 0.0 for place in places], step, height, most, opacity=opacity)
        for colour, values, opacity in ((colours[1], provisioned, 0.3), (colours[0], used, 0.9))
    )
    return svg(height, areas + curve(wanted, colours[2], most, height=height) + _base(height), said)


def bars(
    layers: Sequence[tuple[str, Sequence[float]]], names: Sequence[str], said: str, *, height: float = 56
) -> str:
    """Upright bars side by side, each stacked of its layers; a name shows where a pointer rests."""
    totals = [sum(values[place] for _, values in layers) for place in range(len(names))]
    most, wide = max(totals, default=0.0) or 1.0, WIDTH / max(1, len(names))
    marks = []
    for place, name in enumerate(names):
        at = height
        for colour, values in layers:
            tall = (height - 2) * values[place] / most
            at -= tall
            if tall > 0:
                marks.append(rect(place * wide + wide * 0.12, at, wide * 0.76, tall, colour, name))
    return svg(height, "".join(marks) + _base(height), said)


def table(head: Sequence[Column], body: Iterable[Sequence[Cell]]) -> str:
    """A table with marks, bars and links; numbers stand to the right.

    Columns in which nothing stands are left out; without rows there is no table.
    """
    body = list(body)
    shown = [place for place, column in enumerate(zip(*body, strict=True)) if any(map(_has_content, column))]
    if not shown:
        return ""
    lines = ["".join(_cell(line[place], head[place]) for place in shown) for line in body]
    top = "".join(_head(head[place]) for place in shown)
    rows = "".join(f"<tr>{line}</tr>" for line in lines)
    return (
        f'<div style="overflow-x:auto"><table style="margin:4px 0 6px;border-collapse:collapse"><thead><tr>{top}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def code(text: str) -> str:
    """A line of Python to be copied."""
    return (
        '<pre style="font-family:var(--jp-code-font-family,monospace);font-size:12px;line-height:1.4;margin:4px 0;'
        'padding:6px 8px;background:rgba(128,128,128,.1);white-space:pre-wrap;overflow-wrap:anywhere;user-select:all">'
        f"{escaped(text)}</pre>"
    )


def _has_content(cell: Cell) -> bool:
    return bool(cell.text or cell.note) or cell.share is not None


def _head(column: Column) -> str:
    style = _CELL.format(side="right" if column.is_number else "left") + f";color:{_WEAK};font-weight:normal"
    if not column.act:
        rest = f' title="{html.escape(column.title)}"' if column.title else ""
        return f'<th style="{style}"{rest}>{escaped(column.word)}</th>'
    told = html.escape(column.word.rstrip(" ▲▼"))
    return (
        f'<th style="{style};white-space:nowrap"><span role="button" tabindex="0" data-act="{column.act}" data-column="{told}" '
        f'title="{html.escape(column.title)}" style="cursor:pointer">{escaped(column.word)}</span></th>'
    )


def _cell(cell: Cell, column: Column) -> str:
    text = escaped(cell.text)
    if cell.colour:
        text = badge(cell.colour, cell.text)
    if cell.link:
        text = f'<a href="{html.escape(cell.link)}" target="_blank" rel="noopener">{text}</a>'
    if cell.share is not None:
        text += _bar(cell.share, cell.colour)
    if cell.note:
        text += f'<div style="color:{_WEAK};font-size:11px;white-space:normal;max-width:34em">{escaped(cell.note)}</div>'
    style = _CELL.format(side="right" if column.is_number else "left") + ";white-space:nowrap"
    return f'<td style="{style}">{text}</td>'


def _bar(share: float, colour: str) -> str:
    wide = 100 * min(1.0, max(0.0, share))
    fill = f'<div style="background:{colour or "#265cbf"};height:4px;width:{wide:.0f}%"></div>'
    return f'<div style="background:{_GROUND};height:4px;min-width:60px;margin-top:2px">{fill}</div>'


def _places(length: int) -> list[int]:
    """At most so many places, the last one always among them."""
    step = -(-length // _MOST_POINTS)
    return list(range((length - 1) % step, length, step))


def _area(
    colour: str, top: Sequence[float], step: float, height: float, most: float, *, opacity: float = 0.9
) -> str:
    points = " ".join(
        f"{place * step:.4g},{height - (height - 2) * value / most:.4g}" for place, value in enumerate(top)
    )
    return f'<polygon points="0,{height:g} {points} {WIDTH},{height:g}" fill="{colour}" fill-opacity="{opacity}"/>'


def _base(height: float) -> str:
    return f'<rect x="0" y="{height - 0.5:g}" width="{WIDTH}" height="0.5" fill="rgba(128,128,128,.6)"/>'
