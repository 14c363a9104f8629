"""The strip of an array's children: a cell for each, or at thousands a cell for a few dozen. Pure.

Cells of one colour are one path, so that the picture of 10,000 children is not much larger than that of
a hundred. A cell that stands for several is divided by their states, what failed at the bottom, and
never so thin that it cannot be seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nbbatch.client.colours import KINDS
from nbbatch.client.handles.outcome import Outcome
from nbbatch.jupyter.figures.palette import CODES, ORDER
from nbbatch.jupyter.panels.parts import WIDTH, svg
from nbbatch.model.jobs import JobStatus

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_CELLS, _IN_A_ROW, _FEW = 400, 100, 50
"""Cells in all, in a row, and up to which there is only one row."""
_TALL, _LOW, _GAP = 22, 16, 1.0
_THINNEST = 0.25
"""Part of a cell that a failure takes at least."""
_FAILED = [CODES[kind] for kind in ORDER if isinstance(kind, Outcome)]
_UPWARDS = [*_FAILED, *(CODES[status] for status in reversed(JobStatus) if status in CODES)]
"""Codes from the bottom of a divided cell to its top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """How the children are laid out.

    Parameters
    ----------
    size : int
        Children.
    each : int
        Children of a cell.
    columns, rows : int
        Cells.
    """

    size: int
    each: int
    columns: int
    rows: int

    @property
    def height(self) -> float:
        """Of the picture."""
        return self.rows * (_TALL if self.rows == 1 else _LOW)

    def children_at(self, across: float, down: float) -> range:
        """The children of the cell at these parts of the width and the height; none behind the last."""
        column, row = int(across * self.columns), int(down * self.rows)
        first = (row * self.columns + column) * self.each
        return range(min(first, self.size), min(first + self.each, self.size))


def layout(size: int) -> Strip:
    """The strip of so many children."""
    each = max(1, -(-size // MOST_CELLS))
    cells = -(-size // each)
    columns = cells if cells <= _FEW else _IN_A_ROW
    return Strip(size=size, each=each, columns=max(1, columns), rows=max(1, -(-cells // max(1, columns))))


def pick(codes: NDArray[np.uint8], among: range) -> int | None:
    """The child that somebody means who points at these: one that failed, else one that runs, else the first."""
    if not len(among):
        return None
    part = codes[among.start : among.stop]
    for wanted in (_FAILED, [CODES[JobStatus.RUNNING]]):
        found = np.flatnonzero(np.isin(part, wanted))
        if len(found):
            return among.start + int(found[0])
    return among.start


def draw_strip(codes: NDArray[np.uint8], chosen: int | None = None) -> str:
    """The strip as SVG; clicks on it are told as the action `point`."""
    strip = layout(len(codes))
    shares = _shares(codes, strip)
    wide, tall = WIDTH / strip.columns, strip.height / strip.rows
    paths = _paths(shares, strip, wide, tall)
    marks = "".join(f'<path fill="{KINDS[ORDER[code]].colour}" d="{path}"/>' for code, path in paths.items())
    picture = svg(strip.height, marks + _ring(strip, chosen, wide, tall), _said(codes, strip))
    return picture.replace("<svg ", '<svg data-act="point" ', 1).replace(
        "display:block", "display:block;cursor:pointer", 1
    )


def _shares(codes: NDArray[np.uint8], strip: Strip) -> NDArray[np.float64]:
    """Part of each cell that each code takes; what failed is seen whatever its part is."""
    cells = strip.columns * strip.rows
    of_cell = np.arange(len(codes)) // strip.each
    counts = np.bincount(of_cell * len(ORDER) + codes, minlength=cells * len(ORDER))
    shares: NDArray[np.float64] = counts.reshape(cells, len(ORDER)) / strip.each
    failed = shares[:, _FAILED].sum(axis=1)
    is_thin = (failed > 0) & (failed < _THINNEST)
    rest = shares.sum(axis=1) - failed
    grown = np.where(is_thin, _THINNEST / np.maximum(failed, 1e-9), 1.0)
    shrunk = np.where(is_thin & (rest > 0), (rest + failed - _THINNEST) / np.maximum(rest, 1e-9), 1.0)
    others = [code for code in range(len(ORDER)) if code not in _FAILED]
    shares[:, _FAILED] *= grown[:, None]
    shares[:, others] *= shrunk[:, None]
    return shares


def _paths(shares: NDArray[np.float64], strip: Strip, wide: float, tall: float) -> Mapping[int, str]:
    """One path for each code: runs of whole cells of one colour are one box where there is no gap."""
    gap = _GAP if strip.columns <= _IN_A_ROW else 0.0
    paths: dict[int, list[str]] = {}
    for cell, code in zip(*np.nonzero(shares), strict=True):
        row, column = divmod(int(cell), strip.columns)
        below = sum(float(shares[cell, other]) for other in _UPWARDS[: _UPWARDS.index(int(code))])
        part = float(shares[cell, code])
        top = (row + 1) * tall - gap - (tall - gap) * (below + part)
        box = f"M{column * wide:.5g} {top:.4g}h{wide - gap:.4g}v{(tall - gap) * part:.3g}h{gap - wide:.4g}z"
        paths.setdefault(int(code), []).append(box)
    return {code: "".join(boxes) for code, boxes in paths.items()}


def _ring(strip: Strip, chosen: int | None, wide: float, tall: float) -> str:
    """A line around the cell of the chosen child."""
    if chosen is None:
        return ""
    row, column = divmod(chosen // strip.each, strip.columns)
    return (
        f'<rect x="{column * wide:.4g}" y="{row * tall:.4g}" width="{wide - 1:.4g}" height="{tall - 1:.4g}" '
        'fill="none" stroke="var(--jp-ui-font-color0,#808080)" stroke-width="2" vector-effect="non-scaling-stroke"/>'
    )


def _said(codes: NDArray[np.uint8], strip: Strip) -> str:
    found, numbers = np.unique(codes, return_counts=True)
    counts = ", ".join(
        f"{number:,} {KINDS[ORDER[code]].name}" for code, number in zip(found, numbers, strict=True)
    )
    each = f"; a cell is {strip.each} children" if strip.each > 1 else ""
    return f"children: {counts}{each}"
