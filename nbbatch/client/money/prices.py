"""Prices: the catalogue that is shipped, and newer numbers asked of AWS itself.

`refresh` asks the Price List API (`pricing:GetProducts`) for on-demand prices and sizes, EC2
(`ec2:DescribeSpotPriceHistory`) for what Spot costs now, and writes `prices.json` into the home
folder, in the format of the shipped file. The daemon reads it when it starts; attempts keep the price
that they were placed with.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from nbbatch.errors import BackendError, ConfigurationError
from nbbatch.model.fleet import Catalogue, FargatePrices, InstanceType, parse_catalogue
from nbbatch.model.resources import Resources

PRICES = "prices.json"
PRICE_LIST_REGION = "us-east-1"
"""Where the Price List API answers, for all regions."""
_LINUX = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
}
_FARGATE_VCPU = re.compile(r"([A-Z0-9]+-)?Fargate-vCPU-Hours:perCPU")
_FARGATE_GB = re.compile(r"([A-Z0-9]+-)?Fargate-GB-Hours")
_AT_ONCE = 100
"""Instance types in one question for Spot prices."""


def shipped() -> Catalogue:
    """The catalogue of this version of nbbatch."""
    return parse_catalogue(files("nbbatch.model").joinpath("instance_types.json").read_text(encoding="utf-8"))


def catalogue(folder: Path) -> Catalogue:
    """The shipped catalogue with the newer prices of a home folder, if there are any.

    Raises
    ------
    ConfigurationError
        When the file there cannot be read.
    """
    path = folder / PRICES
    if not path.exists():
        return shipped()
    try:
        return shipped().updated(parse_catalogue(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"Prices in {path} cannot be read: {error!r}.", cure="Remove the file, or refresh it."
        ) from error


def refresh(folder: Path, *, pricing: Any, ec2: Any, region: str, now: datetime) -> Catalogue:
    """Ask AWS for the prices of a region and keep them in a home folder.

    Parameters
    ----------
    pricing, ec2 : boto3 clients
        Of the Price List API and, in the region meant, of EC2.
    region : str
        Such as `eu-central-1`.
    now : datetime
        Aware; the prices' date.

    Returns
    -------
    Catalogue
        What was written.

    Raises
    ------
    BackendError
        When AWS does not answer, refuses, or knows no prices for the region.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - boto3 is slow to import

    try:
        asked = _ask(pricing, ec2, region, now)
    except (BotoCoreError, ClientError) as error:
        raise BackendError(
            f"AWS does not tell its prices: {error}",
            cure="It takes credentials that may call pricing:GetProducts and ec2:DescribeSpotPriceHistory.",
        ) from error
    if not asked.types:
        raise BackendError(f"AWS has no prices for region {region!r}.", cure="Name another --region.")
    _write(folder / PRICES, asked)
    return asked


def _ask(pricing: Any, ec2: Any, region: str, now: datetime) -> Catalogue:
    known = shipped()
    families = {kind.family for kind in known.types.values()}
    found = {
        kind.name: kind for kind in _on_demand(pricing, region) if kind.family in families and kind.price > 0
    }
    spot = _spot_prices(ec2, sorted(found), now)
    return Catalogue(
        types={
            name: replace(kind, spot_price=min(kind.price, spot.get(name, kind.price)))
            for name, kind in sorted(found.items())
        },
        source="AWS Price List API (Linux, on demand); Spot: the lowest of the region's zones at that time, "
        "the on-demand price where none was offered",
        as_of=now.date().isoformat(),
        region=region,
        fargate=_fargate(pricing, region, known.fargate),
    )


def _on_demand(pricing: Any, region: str) -> Iterator[InstanceType]:
    for product in _products(pricing, "AmazonEC2", {**_LINUX, "regionCode": region}):
        facts, price = product["product"]["attributes"], _price(product)
        name = facts.get("instanceType", "")
        if price is None or "." not in name or ".metal" in name:
            continue
        yield InstanceType(
            name=name,
            resources=Resources(
                vcpus=int(facts["vcpu"]), memory=_mib(facts["memory"]), gpus=int(facts.get("gpu", 0))
            ),
            price=price,
            spot_price=price,
            architecture="arm64" if "Graviton" in facts.get("physicalProcessor", "") else "x86_64",
        )


def _fargate(pricing: Any, region: str, known: FargatePrices) -> FargatePrices:
    """Fargate's two prices; its share for Spot is not in the price list and stays as shipped."""
    prices = {
        product["product"]["attributes"].get("usagetype", ""): _price(product)
        for product in _products(pricing, "AmazonECS", {"regionCode": region})
    }
    vcpu = next((price for name, price in prices.items() if price and _FARGATE_VCPU.fullmatch(name)), None)
    gigabyte = next((price for name, price in prices.items() if price and _FARGATE_GB.fullmatch(name)), None)
    if vcpu is None or gigabyte is None:
        return known
    return replace(known, vcpu_hour=vcpu, gb_hour=gigabyte)


def _products(pricing: Any, service: str, wanted: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()]
    for page in pricing.get_paginator("get_products").paginate(ServiceCode=service, Filters=filters):
        yield from (json.loads(product) for product in page["PriceList"])


def _price(product: Mapping[str, Any]) -> float | None:
    """Dollars per hour on demand; None where the product is not sold so."""
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            return float(dimension["pricePerUnit"].get("USD", 0)) or None
    return None


def _mib(text: str) -> int:
    """`8 GiB` or `1,952 GiB` as MiB."""
    return int(float(text.removesuffix(" GiB").replace(",", "")) * 1024)


def _spot_prices(ec2: Any, names: Sequence[str], now: datetime) -> dict[str, float]:
    """The lowest current price over the zones, by instance type."""
    latest: dict[tuple[str, str], tuple[datetime, float]] = {}
    for start in range(0, len(names), _AT_ONCE):
        for entry in _spot_history(ec2, names[start : start + _AT_ONCE], now):
            place = (entry["InstanceType"], entry["AvailabilityZone"])
            told = (entry["Timestamp"], float(entry["SpotPrice"]))
            latest[place] = max(latest.get(place, told), told)
    lowest: dict[str, float] = {}
    for (name, _zone), (_at, price) in latest.items():
        lowest[name] = min(price, lowest.get(name, price))
    return lowest


def _spot_history(ec2: Any, names: Sequence[str], now: datetime) -> Iterable[Mapping[str, Any]]:
    pages = ec2.get_paginator("describe_spot_price_history").paginate(
        InstanceTypes=list(names),
        ProductDescriptions=["Linux/UNIX", "Linux/UNIX (Amazon VPC)"],
        StartTime=now,
    )
    return (entry for page in pages for entry in page["SpotPriceHistory"])


def _write(path: Path, asked: Catalogue) -> None:
    """The format of `instance_types.json`, in one piece or not at all."""
    rows = {
        kind.name: [
            kind.resources.vcpus,
            kind.resources.memory,
            kind.resources.gpus,
            kind.price,
            kind.spot_price,
        ]
        for kind in asked.types.values()
    }
    text = json.dumps(
        {
            "source": asked.source,
            "as_of": asked.as_of,
            "region": asked.region,
            "columns": ["vcpus", "memory_mib", "gpus", "usd_per_hour", "spot_usd_per_hour"],
            "arm64": sorted({kind.family for kind in asked.types.values() if kind.architecture == "arm64"}),
            "fargate": {
                "usd_per_vcpu_hour": asked.fargate.vcpu_hour,
                "usd_per_gb_hour": asked.fargate.gb_hour,
                "spot_share": asked.fargate.spot_share,
            },
            "types": rows,
        },
        indent=1,
    )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
