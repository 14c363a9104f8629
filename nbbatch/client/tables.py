"""Small tables that show themselves, as text and as HTML, without a DataFrame behind them."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self, SupportsIndex, TypeVar, overload

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a head; numbers stand to the right."""

    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    empty: str = "nothing to show"

    def __repr__(self) -> str:
        if not self.rows:
            return self.empty
        every = [self.head, *self.rows]
        widths = [max(len(row[column]) for row in every) for column in range(len(self.head))]
        return "\n".join("  ".join(map(_pad, row, widths)).rstrip() for row in every)

    def _repr_html_(self) -> str:
        if not self.rows:
            return f"<div>{html.escape(self.empty)}</div>"
        head = "".join(f'<th style="text-align:left">{html.escape(cell)}</th>' for cell in self.head)
        body = "".join(f"<tr>{''.join(map(_html_cell, row))}</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _pad(cell: str, width: int) -> str:
    return cell.rjust(width) if _is_number(cell) else cell.ljust(width)


def _html_cell(cell: str) -> str:
    side = "right" if _is_number(cell) else "left"
    return f'<td style="text-align:{side}">{html.escape(cell)}</td>'


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "", 1).isdigit()


class TableOf(list[Row]):
    """A list of facts that a notebook shows as a table; what is cut out of it is one, too."""

    row_type: ClassVar[type]

    def table(self) -> Table:
        """As text in columns."""
        raise NotImplementedError

    def frame(self) -> Any:
        """The rows as a DataFrame."""
        import pandas as pd  # noqa: PLC0415 - 0.2 s that only tables need

        names = [one.name for one in fields(self.row_type)]
        return pd.DataFrame([[getattr(row, name) for name in names] for row in self], columns=names)

    @overload
    def __getitem__(self, key: SupportsIndex, /) -> Row: ...
    @overload
    def __getitem__(self, key: slice, /) -> Self: ...
    def __getitem__(self, key: SupportsIndex | slice, /) -> Row | Self:
        if isinstance(key, slice):
            return type(self)(super().__getitem__(key))
        return super().__getitem__(key)

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()
