from __future__ import annotations

import math
import os

import pytest

from nbbatch.client.packing.guards import choose_inputs, looks_secret
from nbbatch.client.packing.names import read_names
from nbbatch.errors import UnknownNameError

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("password", "x"),
        ("DB_PASSWD", "x"),
        ("api_token", "x"),
        ("AWS_SECRET_ACCESS_KEY", b"x"),
        ("openai_api_key", "x"),
        ("text", "AKIA" + "A" * 16),
        ("text", PEM),
        ("dsn", "postgresql://reader:hunter22@db.example.com/prod"),
        ("text", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "x" * 43),
        ("text", "glpat-" + "a" * 20),
        ("text", "sk_live_" + "a" * 24),
        ("text", "hf_" + "a" * 34),
        ("text", "AIza" + "a" * 35),
        ("header", "Bearer " + "a" * 30),
        ("config", {"url": "redis://user:secret99@cache:6379/0"}),
        ("config", {"user": "u", "password": "p"}),
        ("config", {"key": PEM}),
        ("env", os.environ),
    ],
)
def test_credentials_are_recognised(name: str, value: object) -> None:
    """Text under a telling name, keys in text, and mappings that hold either are credentials."""
    assert looks_secret(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tokens", ["a", "b"]),
        ("tokenizer", "bert"),
        ("n_tokens", 5),
        ("secret_santa", [1]),
        ("password", ""),
        ("author", "Poe"),
        ("text", "an AKIAm and -----BEGIN CERTIFICATE-----"),
        ("config", {"n_tokens": 5}),
        ("compass", "north"),
        ("url", "https://example.com:8080/a@b"),
        ("mail", "mailto:me@example.com"),
        ("s3", "s3://bucket/key:with@signs"),
        ("text", "Bearer of bad news"),
        ("digest", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    ],
)
def test_ordinary_values_are_not(name: str, value: object) -> None:
    """Lists, numbers and text under names that only resemble are none."""
    assert not looks_secret(name, value)


def test_free_names_are_chosen() -> None:
    """Values and modules that the cell reads are chosen; a credential is held back with its reason."""
    space = {"x": 1, "y": 2, "m": math, "api_key": "k", "unread": 3}
    chosen = choose_inputs(read_names("x + y + m.pi + api_key + nowhere"), space)
    assert dict(chosen.values) == {"x": 1, "y": 2}
    assert dict(chosen.modules) == {"m": "math"}
    assert "credential" in chosen.held_back["api_key"]


def test_named_inputs_are_the_only_values() -> None:
    """With names given only these values go, credentials included; code that is read still goes."""

    def f() -> None: ...

    space = {"x": 1, "y": 2, "f": f, "m": math, "token": "t"}
    chosen = choose_inputs(read_names("f(x + y + m.pi)"), space, named=["x", "token"])
    assert dict(chosen.values) == {"f": f, "x": 1, "token": "t"}
    assert dict(chosen.modules) == {"m": "math"}
    assert not chosen.held_back


def test_unknown_name_is_refused_with_a_guess() -> None:
    """A name that is not in the notebook is an error that names the nearest one."""
    with pytest.raises(UnknownNameError, match=r"'modle'.*model"):
        choose_inputs(read_names("1"), {"model": 1}, named=["modle"])
