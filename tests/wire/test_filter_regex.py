"""CloudWatch Logs' regular expressions against lines, and against Python's own where both have a say."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbbatch.wire import filter_regex
from nbbatch.wire.filter_regex import RegexError, compile_regex


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("^[hc]at", "hat trick", True),
        ("^[hc]at", "a hat", False),
        ("[hc]at$", "that", True),
        ("[hc]at$", "hats", False),
        ("colou?r", "color", True),
        ("[abcx-z]", "--y--", True),
        ("[^a-z]", "abc", False),
        ("^a{3,5}$", "aaaa", True),
        ("^a{3,5}$", "aa", False),
        ("^a{3,5}$", "aaaaaa", False),
        ("^a{2}$", "aa", True),
        ("^a{2,}$", "aaaaaaaaa", True),
        ("gray|grey", "a grey cat", True),
        (r"10\.10\.0\.1", "10x10.0.1", False),
        (r"10\.10\.0\.1", "10.10.0.1", True),
        (r"\d\D\s\S\w\W", "1a b_!", True),
        (r"\x28\d+\x29", "f(17)", True),
        ("a.c", "a\u00e4c", True),
        (r"^\W$", "\u00e4", True),
        ("a*b*", "", True),
        ("^$", "", True),
        ("^$", "x", False),
        ("a|", "zzz", True),
        (r"[.?\]]", "]", True),
        ("[a-]", "-", True),
    ],
)
def test_what_the_guide_names_matches_as_it_says(text, line, expected):
    """Anchors, classes, repetitions, choices and escapes, anywhere in the line unless anchored."""
    assert compile_regex(text)(line) is expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("something!", "'!' is not supported"),
        ("(a)", "not supported"),
        ("a b", "not supported"),
        ("\u00e4", "multi-byte"),
        ("", "empty"),
        ("*a", "nothing before"),
        ("a**", "nothing before"),
        ("a^b", "beginning only"),
        ("a$b", "end only"),
        ("[a", "not closed"),
        ("[]", "empty"),
        ("[z-a]", "ends before"),
        (r"[\d-z]", "between two"),
        ("a{", "followed by"),
        ("a{3,1}", "ends before"),
        ("a{2000}", "more than 1000"),
        ("a{900}b{900}", "more than 1000"),
        ("a{600}|b{600}", "more than 1000"),
        (r"\b", "not supported"),
        ("a\\", "stands at its end"),
    ],
)
def test_what_it_does_not_take_is_refused(text, why):
    """In words that say what of it."""
    with pytest.raises(RegexError, match=why):
        compile_regex(text)


_ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", "-", r"\."])
_COUNTS = st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,3}", "{2,}", "{0,2}"])
_ROWS = st.lists(st.tuples(_ATOMS, _COUNTS).map("".join), min_size=1, max_size=6).map("".join)
_EXPRESSIONS = st.lists(
    st.tuples(st.sampled_from(["", "^"]), _ROWS, st.sampled_from(["", "$"])).map("".join),
    min_size=1,
    max_size=3,
).map("|".join)


@settings(max_examples=400, deadline=None)
@given(_EXPRESSIONS, st.text(alphabet="aab1-.\u00e4\n", max_size=12))
def test_it_agrees_with_pythons(text, line):
    """Whatever is put together of what both know, they find the same."""
    theirs = re.compile(text.replace("$", r"\Z"), re.ASCII).search(line) is not None
    assert compile_regex(text)(line) is theirs


@given(st.text(alphabet="ab^$?[]{}|\\*+.0129,-dsx!(", max_size=25), st.text(max_size=20))
def test_any_text_is_refused_or_works(text, line):
    """Nothing makes it fail in another way."""
    try:
        matches = compile_regex(text)
    except RegexError:
        return
    assert matches(line) in (True, False)


@pytest.mark.parametrize(
    "text",
    [
        "a*a*a*a*a*a*a*a*a*a*c$",
        "a?" * 400 + "a{400}b",
        "[ab]*a[ab]{400}c",
        ".*.*.*.*.*z",
        "a+" * 30 + "z",
    ],
)
def test_no_expression_takes_more_than_the_lines_length(text):
    """Four times the line, not sixteen times the work: what makes others try every way at once costs one pass."""
    matches = compile_regex(text)
    lines = ["ab" * 2_000 + "a" * 4_000, "ab" * 8_000 + "a" * 16_000]
    took = []
    for line in lines:
        begin = time.process_time()
        assert matches(line) is False
        took.append(time.process_time() - begin)
    assert took[1] < 10 * took[0] + 0.2


def test_what_is_remembered_of_lines_is_bounded(monkeypatch):
    """An expression with more states than are kept matches all the same."""
    monkeypatch.setattr(filter_regex, "_MOST_STEPS", 50)
    matches = compile_regex("[ab]*[a-][ab]{12}[cd]")
    line = "".join("ab"[number * number // 7 % 2] for number in range(3_000))
    assert not matches(line)
    assert matches(line + "a" * 13 + "c")
    assert len(matches.__self__._states) <= 51
