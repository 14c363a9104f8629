"""`nbbatch local secrets ...`: values for the secrets of job definitions."""

from __future__ import annotations

from typing import TextIO

import click

from nbbatch.client.config import home
from nbbatch.daemon.secret_store import SecretStore


@click.group("secrets")
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
