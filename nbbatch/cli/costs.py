"""`nbbatch costs`: what jobs cost by day, as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from nbbatch.client.format import dollars
from nbbatch.client.money.costs import HOST_COLUMNS, QUEUE_COLUMNS
from nbbatch.client.money.costs import ask as ask_costs

_LEFT_OUT = ("submitted", "succeeded", "failed", "cpuSeconds")
_QUEUES = {name: title for name, title in QUEUE_COLUMNS.items() if name not in _LEFT_OUT}
"""What fits a terminal."""


@click.command()
@click.option("--days", default=30, show_default=True, help="How many days, today among them (UTC).")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def costs(days: int, as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Show what jobs cost by day and queue, and what hosts stood idle, in dollars."""
    known = ask_costs(days, "local")
    if as_json:
        click.echo(json.dumps(known, indent=2))
        return
    click.echo(table(_QUEUES, known["queues"]))
    click.echo()
    click.echo(table(HOST_COLUMNS, known["environments"]))


def table(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as text under the columns' titles, numbers to the right."""
    cells = [list(columns.values()), *([_cell(name, row[name]) for name in columns] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    left = 2  # day and name
    return "\n".join(
        "  ".join(
            text.ljust(width) if place < left else text.rjust(width)
            for place, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )


def _cell(name: str, value: Any) -> str:
    """Seconds to a tenth; every other fraction is money."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.1f}" if name == "seconds" else dollars(value)
