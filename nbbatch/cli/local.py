"""`nbbatch local ...`: the local backend's daemon, and what another AWS client needs to use it."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from nbbatch.cli.events import rules
from nbbatch.cli.secrets import secret_values
from nbbatch.client.backend import get_backend
from nbbatch.client.config import home
from nbbatch.client.daemon_process import LOG, find_daemon, stop_by_signal
from nbbatch.client.local_backend import this_machine

_LOOK_SECONDS = 0.2
_CLEARED = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
"""Variables that would win over the exported key."""


@click.group()
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


@local.command()
@click.argument("target", metavar="JOB|HOST|POOL")
@click.option("--notice", type=click.FloatRange(0, 3600), help="Seconds from the notice to the end.")
def interrupt(target: str, notice: float | None) -> None:
    """Reclaim a host as Spot does: that of a job, one by its id, or all Spot hosts of an instance type."""
    body = {"target": target, "noticeSeconds": notice}
    hosts = get_backend("local").private("interrupt", body)["hosts"]
    click.echo(f"Notice is given to {', '.join(hosts)}.")


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


for _group in (rules, secret_values):
    local.add_command(_group)
