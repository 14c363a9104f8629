"""`nbbatch prices ...`: the catalogue that jobs are priced by."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from nbbatch.client.aws.clients import AwsClients
from nbbatch.client.config import BackendConfig, home
from nbbatch.client.money.prices import PRICE_LIST_REGION, PRICES, catalogue, refresh


@click.group()
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
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - slow to import

    account = AwsClients(BackendConfig(name="prices", kind="aws", region=region, profile=profile))
    try:
        pricing, ec2 = account.client("pricing", region=PRICE_LIST_REGION), account.client("ec2")
    except BotoCoreError as error:
        raise click.ClickException(f"{error}") from error
    now = datetime.now(UTC)
    known = refresh(home(), pricing=pricing, ec2=ec2, region=region, now=now)
    click.echo(f"{len(known.types)} instance types of {region} are in {home() / PRICES}.")
