"""Secrets: the private file, AWS's services (moto stands for them), and what is told when one is missing."""

from __future__ import annotations

import json

import boto3
import pytest
from moto_server import moto_server

from nbbatch.daemon.secret_store import SECRETS, SecretStore
from nbbatch.errors import ConfigurationError, CouldNotStartError

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db/password-AbCdEf"


@pytest.fixture
def store(tmp_path, monkeypatch):
    for name in ("NBBATCH_SECRETS", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL_SSM"):
        monkeypatch.delenv(name, raising=False)
    return SecretStore(tmp_path)


def missing(store, source) -> str:
    with pytest.raises(CouldNotStartError) as caught:
        store.resolve([("X", source)])
    return caught.value.message


@pytest.mark.parametrize(
    ("kept", "asked"),
    [
        ("token", "token"),
        (ARN, ARN),
        ("db/password", ARN),
        ("db/password-AbCdEf", ARN),
        ("/app/key", "arn:aws:ssm:us-east-1:123456789012:parameter/app/key"),
        ("app/key", "/app/key"),
    ],
)
def test_a_name_or_an_arn_finds_its_value(store, kept, asked):
    """The file may name a secret as the definition does, or by the name within the ARN."""
    store.put(kept, "s3cr3t")
    assert store.resolve([("X", asked)]) == (("X", "s3cr3t"),)


def test_a_json_key_behind_the_arn_takes_one_member(store):
    """As ECS has it: `<arn>:<key>::`."""
    store.put("db/password", json.dumps({"user": "u", "port": 5}))
    assert store.resolve([("U", f"{ARN}:user::"), ("P", f"{ARN}:port::")]) == (("U", "u"), ("P", "5"))
    assert missing(store, f"{ARN}:host::").endswith("has no JSON key 'host'")


def test_the_file_is_private_and_shows_no_values(store, tmp_path):
    """Only its owner can read it, and one that others can read is not used."""
    store.put("b", "1")
    store.put("a", "2")
    assert store.names() == ["a", "b"]
    assert (tmp_path / SECRETS).stat().st_mode & 0o777 == 0o600
    assert (store.delete("a"), store.delete("a"), store.names()) == (True, False, ["b"])
    (tmp_path / SECRETS).chmod(0o644)
    assert "can be read by others" in missing(store, "b")
    with pytest.raises(ConfigurationError, match="chmod 600"):
        store.names()


def test_a_damaged_file_is_told_without_its_content(store, tmp_path):
    """Its text may be a secret."""
    (tmp_path / SECRETS).touch(0o600)
    (tmp_path / SECRETS).write_text('{"a": "hush')
    assert "hush" not in missing(store, "a")


def test_a_missing_secret_says_how_to_set_it(store):
    """ECS's own beginning, then what to do."""
    assert missing(store, "token") == (
        "ResourceInitializationError: unable to pull secrets or registry auth: token is not in secrets.json "
        "(nbbatch local secrets set), and no AWS endpoint is set up"
    )


@pytest.fixture
def aws(store, monkeypatch):
    """Secrets Manager and SSM at an address of their own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with moto_server() as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", address)
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", address)
        made = [
            boto3.client(name, endpoint_url=address, region_name="us-east-1")
            for name in ("secretsmanager", "ssm")
        ]
        yield made
        for client in made:
            client.close()


def test_aws_is_asked_where_it_is_set_up(store, aws):
    """Secrets Manager by ARN and key, SSM by name and ARN; the file comes first."""
    manager, parameters = aws
    arn = manager.create_secret(Name="db", SecretString='{"user": "u"}')["ARN"]
    parameters.put_parameter(Name="/app/key", Value="k", Type="SecureString")
    found = store.resolve(
        [
            ("U", f"{arn}:user::"),
            ("ALL", arn),
            ("K", "/app/key"),
            ("A", "arn:aws:ssm:us-east-1:123456789012:parameter/app/key"),
        ]
    )
    assert found == (("U", "u"), ("ALL", '{"user": "u"}'), ("K", "k"), ("A", "k"))
    store.put("/app/key", "mine")
    assert store.resolve([("K", "/app/key")]) == (("K", "mine"),)


def test_what_aws_does_not_have_is_told_by_its_code(store, aws):
    """AWS's error code and the secret's name."""
    assert "ResourceNotFoundException: " + ARN in missing(store, ARN)
    assert "ParameterNotFound: none" in missing(store, "none")


def test_an_endpoint_that_does_not_answer_is_a_start_failure(store, monkeypatch):
    """It is told as any other reason not to start."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert "EndpointConnectionError: ssm did not give none" in missing(store, "none")
