"""`nbbatch ...` for terminals: the local backend's daemon, and what another AWS client needs to use it."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import click

from nbbatch.client.backend import get_backend
from nbbatch.client.config import home
from nbbatch.client.costs import ask as ask_costs
from nbbatch.client.daemon_process import LOG, find_daemon, stop_by_signal
from nbbatch.client.events import events as read_events
from nbbatch.client.local_backend import this_machine
from nbbatch.client.prices import PRICE_LIST_REGION, PRICES, catalogue, refresh
from nbbatch.daemon.secret_store import SecretStore
from nbbatch.errors import NbbatchError
from nbbatch.version import __version__

_LOOK_SECONDS = 0.2
_CLEARED = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
"""Variables that would win over the exported key."""


class _Commands(click.Group):
    """Shows nbbatch's errors as a line, not as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except NbbatchError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nbbatch")
def main() -> None:
    """Notebook cells, functions, scripts and images as AWS Batch jobs."""


@main.command()
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


@main.command()
@click.option("--days", default=30, show_default=True, help="How many days, today among them (UTC).")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def costs(days: int, as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Show what jobs cost by day and queue, and what hosts stood idle, in dollars."""
    known = ask_costs(days, "local")
    if as_json:
        click.echo(json.dumps(known, indent=2))
        return
    queues = ("day", "queue", "attempts", "seconds", "charged", "onDemand", "lost", "saved")
    click.echo(_table(queues, known["queues"]))
    click.echo()
    click.echo(_table(("day", "environment", "hosts", "used", "idle"), known["environments"]))


@main.group()
def local() -> None:
    """The local backend: a daemon that is AWS Batch for this machine."""


@local.command()
def start() -> None:
    """Start the daemon, if it does not run."""
    backend = get_backend("local")
    click.echo(_summary(backend.private("status", {})))


@local.command()
def stop() -> None:
    """Stop the daemon; jobs go on, and the next daemon takes them over."""
    if stop_by_signal(home()):
        click.echo("The daemon has stopped. Its jobs go on.")
    else:
        click.echo("The daemon does not run.")


@local.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def status(as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Say whether the daemon runs, and what it does."""
    if find_daemon(home()) is None:
        click.echo(
            json.dumps({"running": False, "home": str(home())}) if as_json else "The daemon does not run."
        )
        sys.exit(3)
    known = get_backend("local").private("status", {})
    click.echo(json.dumps({"running": True, **known}, indent=2) if as_json else _summary(known))


@local.command()
@click.option("--follow", "-f", is_flag=True, help="Go on as it grows.")
@click.option("--lines", "-n", default=50, show_default=True, help="How many lines from the end.")
def logs(follow: bool, lines: int) -> None:  # noqa: FBT001 - click passes flags so
    """Show the daemon's own log."""
    path = home() / LOG
    if not path.exists():
        raise click.ClickException(f"There is no log at {path}: no daemon has run here yet.")
    with suppress(KeyboardInterrupt):
        for text in _lines(path, lines, follow=follow):
            click.echo(text, nl=False)


@local.command()
@click.option("--shell", type=click.Choice(["sh", "fish", "csh"]), default="sh", show_default=True)
def env(shell: str) -> None:
    """Print what makes any AWS client in this shell talk to the daemon: eval "$(nbbatch local env)"."""
    endpoint = this_machine().address.endpoint
    exports = {
        "AWS_ENDPOINT_URL_BATCH": endpoint.url,
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": endpoint.url,
        "AWS_ACCESS_KEY_ID": endpoint.access_key_id,
        "AWS_SECRET_ACCESS_KEY": endpoint.secret_access_key,
        "AWS_DEFAULT_REGION": endpoint.region,
    }
    setting = {"sh": "export {}={}", "fish": "set -gx {} {}", "csh": "setenv {} {}"}[shell]
    clearing = {"sh": "unset {}", "fish": "set -e {}", "csh": "unsetenv {}"}[shell]
    for name, value in exports.items():
        click.echo(setting.format(name, shlex.quote(value)))
    for name in _CLEARED:
        click.echo(clearing.format(name))


@local.group("secrets")
def secret_values() -> None:
    """Values for the secrets of job definitions, kept in a file that only you can read."""


@secret_values.command("set")
@click.argument("name")
@click.option("--from-file", type=click.File("r"), help="Read the value from a file; - is standard input.")
def set_secret(name: str, from_file: TextIO | None) -> None:
    """Keep a value under NAME, a name or an ARN; asks for it without showing it."""
    value = (
        from_file.read().removesuffix("\n")
        if from_file
        else click.prompt("Value", hide_input=True, default="")
    )
    home().mkdir(mode=0o700, parents=True, exist_ok=True)
    SecretStore(home()).put(name, value)
    click.echo(f"{name} is kept.")


@secret_values.command("list")
def list_secrets() -> None:
    """Show the names, not the values."""
    for name in SecretStore(home()).names():
        click.echo(name)


@secret_values.command("delete")
@click.argument("name")
def delete_secret(name: str) -> None:
    """Forget a value."""
    if not SecretStore(home()).delete(name):
        raise click.ClickException(f"There is no secret {name}.")
    click.echo(f"{name} is forgotten.")


@local.command()
@click.argument("target", metavar="JOB|HOST|POOL")
@click.option("--notice", type=click.FloatRange(0, 3600), help="Seconds from the notice to the end.")
def interrupt(target: str, notice: float | None) -> None:
    """Reclaim a host as Spot does: that of a job, one by its id, or all Spot hosts of an instance type."""
    body = {"target": target, "noticeSeconds": notice}
    hosts = get_backend("local").private("interrupt", body)["hosts"]
    click.echo(f"Notice is given to {', '.join(hosts)}.")


@main.group()
def prices() -> None:
    """What hosts cost: the catalogue that jobs are priced by."""


@prices.command()
def show() -> None:
    """Say where the prices come from, and list them."""
    known = catalogue(home())
    click.echo(f"{known.region}, {known.as_of}: {known.source}")
    for kind in known.types.values():
        click.echo(f"{kind.name:<14} {kind.resources!s:<32} ${kind.price:<9g} ${kind.spot_price:g} Spot")


@prices.command("refresh")
@click.option("--region", default="us-east-1", show_default=True, help="The region whose prices to take.")
@click.option("--profile", help="AWS profile with the credentials.")
def refresh_prices(region: str, profile: str | None) -> None:
    """Ask AWS for its prices of today; the daemon takes them when it is started next."""
    import boto3  # noqa: PLC0415 - slow to import
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    try:
        session = boto3.Session(profile_name=profile)
        pricing, ec2 = session.client("pricing", PRICE_LIST_REGION), session.client("ec2", region)
    except BotoCoreError as error:
        raise click.ClickException(f"{error}") from error
    now = datetime.now(UTC)
    known = refresh(home(), pricing=pricing, ec2=ec2, region=region, now=now)
    click.echo(f"{len(known.types)} instance types of {region} are in {home() / PRICES}.")


@local.group("events")
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


@local.command()
@click.option("--per-day", type=click.FloatRange(min=0), metavar="DOLLARS", help="What a day (UTC) may cost.")
@click.option("--none", "no_cap", is_flag=True, help="Let a day cost what it takes.")
def budget(per_day: float | None, no_cap: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Show or set what a day may cost: when it is spent, what runs is stopped and the rest waits."""
    if per_day is not None and no_cap:
        raise click.UsageError("--per-day and --none exclude each other.")
    backend = get_backend("local")
    if per_day is not None or no_cap:
        known = backend.private("set-budget", {"perDay": per_day})
    else:
        known = backend.private("budget", {})
    cap = f"of ${known['perDay']:g} a day" if "perDay" in known else "today; there is no cap"
    click.echo(f"${known['spentToday']:.4f} {cap}")


@local.command()
def token() -> None:
    """Make a token that lets Prometheus read /nbbatch/v1/metrics, and print what it needs."""
    endpoint = this_machine().address.endpoint
    path = home() / "metrics.token"
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32))
    click.echo(f"url               {endpoint.url}/nbbatch/v1/metrics")
    click.echo(f"credentials_file  {path}")


def _table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
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


def _event_line(event: Mapping[str, Any]) -> str:
    detail = event["detail"]
    status = "BLOCKED" if event["detail-type"].endswith("Blocked") else detail["status"]
    reason = f"  {detail['statusReason']}" if "statusReason" in detail else ""
    return f"{event['time']}  {status:9}  {detail['jobId']}  {detail['jobName']}{reason}"


def _summary(known: dict[str, Any]) -> str:
    machine = known["machine"]
    since = datetime.fromtimestamp(known["startedAt"] / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    jobs = ", ".join(f"{count} {name}" for name, count in known["jobs"].items() if count) or "none"
    gpus = f", {machine['gpus']} GPU" if machine["gpus"] else ""
    return "\n".join(
        (
            f"nbbatch {known['version']} runs as process {known['pid']} since {since}",
            f"home      {known['home']}",
            f"executor  {known['executor']['name']}: {known['executor']['detail']}",
            f"machine   {machine['vcpus']:g} vCPU, {machine['memory']} MiB{gpus}",
            f"jobs      {jobs}",
        )
    )


def _lines(path: Path, count: int, *, follow: bool) -> Iterator[str]:
    """The last lines of a file, then what is appended to it, also when it is rotated away."""
    with path.open(encoding="utf-8", errors="replace") as log:
        yield from log.readlines()[-count:]
        while follow:
            text = log.readline()
            if text:
                yield text
            elif path.exists() and path.stat().st_ino != os.fstat(log.fileno()).st_ino:
                yield from _lines(path, sys.maxsize, follow=True)
                return
            else:
                time.sleep(_LOOK_SECONDS)


if __name__ == "__main__":
    main()
