from __future__ import annotations

import math
import os

import pytest

from nbbatch.client.guards import choose_inputs, looks_secret
from nbbatch.client.names import read_names
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
