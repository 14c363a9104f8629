"""Options: what people type, read once, refused early and with a cure."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbbatch.client.options import Options, option_names, split_options
from nbbatch.errors import OptionError


def test_amounts_become_the_units_of_aws_batch():
    """Memory is read as MiB, a timeout as seconds, vCPUs as a number."""
    options = Options.parse({"memory": "4G", "timeout": "2h", "vcpus": "2", "gpus": 1, "retries": "3"})
    assert (options.memory, options.timeout, options.vcpus) == (4096, 7200, 2.0)
    assert (options.gpus, options.retries) == (1, 3)


def test_none_means_not_given():
    """A keyword that is None leaves the backend's default."""
    assert Options.parse({"queue": None, "memory": None, "env": None}) == Options()


@pytest.mark.parametrize("env", [{"A": 1, "B": "x=y"}, ["A=1", "B=x=y"]])
def test_environment_is_a_mapping_or_a_list_of_pairs(env):
    """The equals sign parts a name from its value only once."""
    assert Options.parse({"env": env}).env == {"A": "1", "B": "x=y"}


def test_an_unknown_option_names_the_nearest_known_one():
    """A mistyped option is refused with the word that was meant."""
    with pytest.raises(OptionError, match="Did you mean 'memory'"):
        Options.parse({"memroy": "4G"})


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("memory", "a lot", "not an amount"),
        ("vcpus", "1.5", "not a size"),
        ("timeout", "10s", "no less than 60"),
        ("max_cost", "0", "a number of dollars above 0"),
        ("max_cost", "much", "a number of dollars above 0"),
        ("retries", 10, "from 0 to 9"),
        ("retries", True, "from 0 to 9"),
        ("gpus", -1, "whole number of GPUs"),
        ("name", "my job", "letters, digits"),
        ("share", "team-a", "letters and digits"),
        ("priority", 10000, "from 0 to 9999"),
        ("queue", "", "not empty"),
        ("env", "A", "NAME=VALUE"),
        ("env", {"AWS_BATCH_JOB_ID": "1"}, "belongs to the service"),
        ("env", {"NBBATCH_BUNDLE": "/"}, "belongs to the service"),
        ("env", {"A B": "1"}, "names of environment variables"),
        ("spot", "maybe", "true or false"),
        ("tags", {f"t{n}": "" for n in range(51)}, "allows 50"),
    ],
)
def test_a_value_that_is_not_understood_is_refused_by_name(name, value, text):
    """The error says which option, which value, and what it takes."""
    with pytest.raises(OptionError, match=text):
        Options.parse({name: value})


def test_dependencies_are_ids_or_handles():
    """`depends` takes a handle, an id, several ids in one text, or a list of both; `after` is the same."""
    handle = SimpleNamespace(id="abc")
    assert Options.parse({"depends": handle}).depends == ("abc",)
    assert Options.parse({"depends": "a,b"}).depends == ("a", "b")
    assert Options.parse({"after": ["a", handle]}).depends == ("a", "abc")


def test_image_and_definition_exclude_each_other():
    """A job definition already has an image."""
    with pytest.raises(OptionError, match="either image or definition"):
        Options.parse({"image": "python:3.12", "definition": "mine:3"})


def test_defaults_fill_what_was_not_said():
    """Own values win; environment and tags are merged by name; own image drops a default definition."""
    defaults = Options(queue="q", memory=1024, definition="d", env={"A": "1", "B": "1"})
    options = Options(memory=4096, image="i", env={"B": "2"}).over(defaults)
    assert (options.queue, options.memory, options.image, options.definition) == ("q", 4096, "i", None)
    assert options.env == {"A": "1", "B": "2"}


def test_keywords_part_into_options_and_arguments():
    """What is no option belongs to the function."""
    assert split_options({"vcpus": 2, "lr": 0.1, "after": "a"}) == ({"vcpus": 2, "after": "a"}, {"lr": 0.1})


@given(
    st.dictionaries(
        st.sampled_from(option_names()), st.none() | st.text("aG1=,. -", max_size=8) | st.integers()
    )
)
def test_whatever_is_given_is_read_or_refused_as_the_users_mistake(given_options):
    """No text and no number makes parsing fail with anything but OptionError."""
    with contextlib.suppress(OptionError):
        Options.parse(given_options)
