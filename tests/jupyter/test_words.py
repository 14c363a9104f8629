from __future__ import annotations

import pytest

from nbbatch.errors import OptionError
from nbbatch.jupyter.words import split_line


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("  --vcpus  2 ", ["--vcpus", "2"]),
        ('--name "my job"', ["--name", "my job"]),
        ("--name='my job'", ["--name=my job"]),
        ('--env GREETING="hello world"', ["--env", "GREETING=hello world"]),
        ("--env 'JSON={\"a\": 1}'", ["--env", 'JSON={"a": 1}']),
        ('--in ""', ["--in", ""]),
        (r'--name "say \"hi\""', ["--name", 'say "hi"']),
        (r"a\ b C:\dir", ["a b", r"C:\dir"]),
    ],
)
def test_quotes_group_and_vanish(line, words):
    """Quote marks hold a value together and are not kept in it."""
    assert split_line(line) == words


@pytest.mark.parametrize(
    "expression",
    [
        '["a", "b c"]',
        "[f(x, 'y z') for x in names]",
        "range(20)",
        'table["a b"]',
        "{'k': [1, 2]}",
        r'["a\"b", "\n"]',
        '[")", "]"]',
    ],
)
def test_a_bracketed_expression_stays_as_written(expression):
    """Blanks and quotes inside brackets belong to the expression."""
    assert split_line(f"--array {expression} --item k") == ["--array", expression, "--item", "k"]


def test_nothing_is_expanded():
    """Dollar signs and braces reach the job unchanged."""
    assert split_line("--env A=$HOME --name {run}") == ["--env", "A=$HOME", "--name", "{run}"]


@pytest.mark.parametrize(("line", "culprit"), [('--name "x', '"'), ("--array [1, (2]", "never closed")])
def test_an_open_quote_or_bracket_is_refused(line, culprit):
    """What is never closed is named, with the cure."""
    with pytest.raises(OptionError, match=r"never closed") as caught:
        split_line(line)
    assert culprit in str(caught.value)
    assert caught.value.cure
