"""Prices asked of AWS: EC2 as moto plays it, the Price List API, which moto has not, as it was recorded."""

import json
from datetime import UTC, datetime

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from nbbatch.client.money.prices import PRICES, catalogue, refresh, shipped
from nbbatch.daemon.defaults import local_catalogue
from nbbatch.errors import BackendError, ConfigurationError
from nbbatch.model.resources import Resources

NOW = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
KEY = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}


def product(attributes, dollars) -> str:
    """One entry of PriceList, cut down to what is read."""
    dimension = {"unit": "Hrs", "pricePerUnit": {"USD": dollars}}
    terms = {"OnDemand": {"X.JRTCKXETXF": {"priceDimensions": {"X.JRTCKXETXF.6YS6EN2CT7": dimension}}}}
    return json.dumps({"product": {"attributes": attributes}, "terms": terms})


def ec2_product(name, vcpu, memory, dollars, processor="Intel Xeon 8375C", **more) -> str:
    facts = {"instanceType": name, "vcpu": vcpu, "memory": memory, "physicalProcessor": processor, **more}
    return product(facts, dollars)


EC2 = [
    ec2_product("m6i.large", "2", "8 GiB", "0.1150000000"),
    ec2_product("m6g.large", "2", "8 GiB", "0.0920000000", "AWS Graviton2 Processor"),
    ec2_product("p5.48xlarge", "192", "2,048 GiB", "60.5", gpu="8"),
    ec2_product("m6i.metal", "128", "512 GiB", "7.36"),
    ec2_product("x9.large", "2", "8 GiB", "0.2"),
    ec2_product("c6i.large", "2", "4 GiB", "0.0000000000"),
]
ECS = [
    product({"usagetype": "EUC1-Fargate-ARM-vCPU-Hours:perCPU"}, "0.03725"),
    product({"usagetype": "EUC1-Fargate-vCPU-Hours:perCPU"}, "0.04656"),
    product({"usagetype": "EUC1-Fargate-GB-Hours"}, "0.00511"),
]


@pytest.fixture
def pricing():
    """The Price List API, giving EC2 in two pages, then ECS."""
    client = boto3.client("pricing", "us-east-1", **KEY)
    with Stubber(client) as stub:
        stub.add_response("get_products", {"PriceList": EC2[:2], "NextToken": "more"})
        stub.add_response("get_products", {"PriceList": EC2[2:]})
        stub.add_response("get_products", {"PriceList": ECS})
        yield client
    client.close()


@pytest.fixture
def ec2():
    with mock_aws():
        client = boto3.client("ec2", "eu-central-1", **KEY)
        yield client
        client.close()


def test_prices_are_asked_and_kept(tmp_path, pricing, ec2):
    """Sizes, both prices, the architecture and Fargate; families that nobody knows, and metal, stay out."""
    asked = refresh(tmp_path, pricing=pricing, ec2=ec2, region="eu-central-1", now=NOW)
    assert set(asked.types) == {"m6i.large", "m6g.large", "p5.48xlarge"}
    known = catalogue(tmp_path)
    assert (known.region, known.as_of) == ("eu-central-1", "2026-02-03")
    assert known.types["m6i.large"].price == 0.115
    assert known.types["m6i.large"].spot_price == 0.00001, "what moto says"
    assert known.types["m6g.large"].architecture == "arm64"
    assert known.types["p5.48xlarge"].resources == Resources(vcpus=192, memory=2048 * 1024, gpus=8)
    assert (known.fargate.vcpu_hour, known.fargate.gb_hour) == (0.04656, 0.00511)
    assert known.types["r5.large"] == shipped().types["r5.large"], "what was not told stays as shipped"


def test_the_daemon_takes_refreshed_prices(tmp_path, pricing, ec2):
    """Its catalogue has them, and the types that are this machine as well."""
    refresh(tmp_path, pricing=pricing, ec2=ec2, region="eu-central-1", now=NOW)
    known = local_catalogue(Resources(vcpus=2, memory=7000), tmp_path / PRICES)
    assert known.types["m6i.large"].price == 0.115
    assert "local.machine" in known.types


def test_a_refusal_names_what_is_needed(tmp_path, ec2):
    """One line with AWS's words and the permissions; nothing is written."""
    client = boto3.client("pricing", "us-east-1", **KEY)
    with Stubber(client) as stub:
        stub.add_client_error("get_products", "AccessDeniedException", "not allowed", 400)
        with pytest.raises(BackendError, match=r"not allowed.*pricing:GetProducts"):
            refresh(tmp_path, pricing=client, ec2=ec2, region="eu-central-1", now=NOW)
    client.close()
    assert not (tmp_path / PRICES).exists()


def test_a_region_without_prices_is_told(tmp_path, ec2):
    """A slip of the pen does not leave an empty catalogue."""
    client = boto3.client("pricing", "us-east-1", **KEY)
    with Stubber(client) as stub:
        for _ in range(2):
            stub.add_response("get_products", {"PriceList": []})
        with pytest.raises(BackendError, match="no prices for region 'eu-nowhere-1'"):
            refresh(tmp_path, pricing=client, ec2=ec2, region="eu-nowhere-1", now=NOW)
    client.close()


def test_a_broken_file_is_named(tmp_path, caplog):
    """The client says which file; the daemon goes on with the shipped prices and logs it."""
    (tmp_path / PRICES).write_text('{"types": 3}')
    with pytest.raises(ConfigurationError, match=r"prices\.json cannot be read"):
        catalogue(tmp_path)
    known = local_catalogue(Resources(vcpus=2, memory=7000), tmp_path / PRICES)
    assert known.types["m6i.large"].price == 0.096
    assert "the shipped ones hold" in caplog.text
