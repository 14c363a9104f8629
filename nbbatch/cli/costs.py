"""`nbbatch costs`: what jobs cost by day, as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from nbbatch.client.money.costs import ask as ask_costs


@click.command()
@click.option("--days", default=30, show_default=True, help="How many days, today among them (UTC).")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def costs(days: int, as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Show what jobs cost by day and queue, and what hosts stood idle, in dollars."""
    known = ask_costs(days, "local")
    if as_json:
        click.echo(json.dumps(known, indent=2))
        return
    queues = ("day", "queue", "attempts", "seconds", "charged", "onDemand", "lost", "saved")
    click.echo(table(queues, known["queues"]))
    click.echo()
    click.echo(table(("day", "environment", "hosts", "used", "idle"), known["environments"]))


def table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as text, numbers to the right; money to a hundredth of a cent."""
    cells = [
        columns,
        *([f"{row[c]:.4f}" if isinstance(row[c], float) else str(row[c]) for c in columns] for row in rows),
    ]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    left = 2  # day and name
    return "\n".join(
        "  ".join(
            text.ljust(width) if place < left else text.rjust(width)
            for place, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )
