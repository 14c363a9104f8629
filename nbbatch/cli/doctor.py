"""`nbbatch doctor`: what is in order and what is not, with what to do."""

from __future__ import annotations

import json
import sys

import click

from nbbatch.client.doctor.checkup import doctor as examine


@click.command()
@click.argument("backend", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--policy", is_flag=True, help="Only the IAM policy of exactly what is missing.")
def doctor(backend: str | None, as_json: bool, policy: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Look at everything a job needs on a BACKEND; ends with 1 where jobs cannot run."""
    report = examine(backend)
    if policy:
        click.echo(json.dumps(report.policy, indent=2))
    else:
        click.echo(json.dumps(report.to_dict(), indent=2) if as_json else repr(report))
    sys.exit(0 if report.is_well else 1)
