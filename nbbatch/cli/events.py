"""`nbbatch events`, and `nbbatch local events`: status changes of jobs, shown or delivered."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import click

from nbbatch.client.backend import get_backend
from nbbatch.client.events import events as read_events


@click.command()
@click.option("--follow", "-f", is_flag=True, help="Go on as things happen.")
@click.option("--job", help="Only events of this job; of an array with its children.")
@click.option("--queue", help="Only events of jobs of this queue.")
@click.option("--since", type=float, metavar="HOURS", help="Only events of the last so many hours.")
@click.option("--json", "as_json", is_flag=True, help="As EventBridge events, one JSON object a line.")
def events(follow: bool, job: str | None, queue: str | None, since: float | None, as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Show status changes of jobs, oldest first."""
    start = None if since is None else time.time() - since * 3600
    with suppress(KeyboardInterrupt):
        for event in read_events(job=job, queue=queue, since=start, follow=follow, backend="local"):
            click.echo(json.dumps(event) if as_json else _event_line(event))


def _event_line(event: Mapping[str, Any]) -> str:
    detail = event["detail"]
    status = "BLOCKED" if event["detail-type"].endswith("Blocked") else detail["status"]
    reason = f"  {detail['statusReason']}" if "statusReason" in detail else ""
    return f"{event['time']}  {status:9}  {detail['jobId']}  {detail['jobName']}{reason}"


@click.group("events")
def rules() -> None:
    """Where events go: commands and URLs that get status changes of jobs."""


@rules.command("add")
@click.argument("name")
@click.option("--command", help="A shell command; it gets events as JSON lines on standard input.")
@click.option("--url", help="Gets each event as the JSON body of a POST.")
@click.option("--pattern", default="{}", help="An EventBridge event pattern, as JSON.")
def add_rule(name: str, command: str | None, url: str | None, pattern: str) -> None:
    """Deliver events from now on, each at least once; what fails is tried again for a day."""
    try:
        wanted = json.loads(pattern)
    except ValueError as error:
        raise click.BadParameter(f"is not JSON: {error}", param_hint="--pattern") from error
    get_backend("local").private(
        "add-rule", {"name": name, "command": command, "url": url, "pattern": wanted}
    )
    click.echo(f"Events go to {command or url}.")


@rules.command("remove")
@click.argument("name")
def remove_rule(name: str) -> None:
    """Deliver by this rule no more."""
    get_backend("local").private("remove-rule", {"name": name})
    click.echo(f"Rule {name} is gone.")


@rules.command("list")
def list_rules() -> None:
    """Show all rules and what is wrong with them."""
    for rule in get_backend("local").private("rules", {})["rules"]:
        target = rule.get("command") or rule.get("url")
        pattern = json.dumps(rule["pattern"]) if rule["pattern"] else "everything"
        click.echo(f"{rule['name']}: {pattern} to {target}")
        if "trouble" in rule:
            click.echo(f"  {rule['trouble']}")
