"""CloudWatch Logs' filter patterns against lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbbatch.errors import ClientException
from nbbatch.wire.filter_pattern import compile_filter


@pytest.mark.parametrize(
    ("pattern", "line", "expected"),
    [
        ("", "anything", True),
        ("ERROR", "an ERROR happened", True),
        ("ERROR", "an error happened", False),
        ("ERROR memory", "memory ERROR", True),
        ("ERROR memory", "ERROR", False),
        ('"out of memory"', "it ran out of memory", True),
        ('"out of memory"', "memory ran out of it", False),
        ("ERROR -DEBUG", "ERROR DEBUG", False),
        ("ERROR -DEBUG", "ERROR", True),
        ("-DEBUG", "INFO", True),
        ("?ERROR ?WARN", "WARN", True),
        ("?ERROR ?WARN", "INFO", False),
        ("?ERROR WARN", "WARN", False),
        ("?ERROR WARN", "ERROR WARN", True),
        (r'"say \"yes\""', 'say "yes"', True),
    ],
)
def test_terms(pattern, line, expected):
    """Terms are all needed, quoted ones stay together, - excludes, ? means any where all have it."""
    assert compile_filter(pattern)(line) is expected


@pytest.mark.parametrize(
    ("pattern", "line", "expected"),
    [
        ("%AUTHORIZED%", "[ERROR 401] UNAUTHORIZED REQUEST", True),
        ("%[Ee]rror|[Ff]ail% job", "job failed: a Fail", True),
        ("%[Ee]rror|[Ff]ail% job", "an error", False),
        (r"-%\d{3}% ERROR", "ERROR 401", False),
        (r"-%\d{3}% ERROR", "ERROR 40", True),
        ('?%^WARN% ?"out of"', "it ran out of memory", True),
        (r"?%^WARN% ?FATAL", "no WARN", False),
        (r"{ $.user.id = %^u-\d+$% }", '{"user": {"id": "u-17"}}', True),
        (r"{ $.user.id != %^u-\d+$% && $.n = %^4..$% }", '{"user": {"id": "x"}, "n": 404}', True),
        (r"{ $.user.id != %^u% }", "{}", False),
        (r"[ip=%^127\.0\.0\.[1-9]$%, user, ..., code=%^4\d{1,2}$%]", "127.0.0.1 alice x 404", True),
        (r"[ip=%^127\.0\.0\.[1-9]$%, user, ..., code=%^4\d{1,2}$%]", "127.0.0.12 alice x 404", False),
        ('"100%"', "100% done", True),
    ],
)
def test_expressions_stand_for_terms_and_values(pattern, line, expected):
    """Between % signs, beside other terms, in JSON and in fields; a % in quotes is a % sign."""
    assert compile_filter(pattern)(line) is expected


LINE = '{"level": "ERROR", "code": 503, "user": {"id": "u-17"}, "tags": ["a", "b"], "ok": true, "x": null}'


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ('{ $.level = "ERROR" }', True),
        ('{ $.level = "ERR*" }', True),
        ('{ $.level != "ERROR" }', False),
        ("{ $.code >= 500 }", True),
        ("{ $.code = 503 }", True),
        ("{ $.code < 500 }", False),
        ('{ $.user.id = "u-*" && $.tags[1] = "b" }', True),
        ('{ $.level = "INFO" || ($.code > 1 && $.ok IS TRUE) }', True),
        ("{ $.x IS NULL }", True),
        ("{ $.y NOT EXISTS }", True),
        ("{ $.level NOT EXISTS }", False),
        ('{ $.y != "z" }', False),
        ("{ $.level > 3 }", False),
    ],
)
def test_json(pattern, expected):
    """Selectors, comparisons with wildcards and numbers, and their combinations look into JSON lines."""
    assert compile_filter(pattern)(LINE) is expected
    assert not compile_filter(pattern)("not JSON")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[ip, user, request, status=404, bytes]", True),
        ("[ip, user, request, status=4*, bytes > 1000]", True),
        ("[ip, user, request, status=4*, bytes > 5000]", False),
        ("[ip, user]", False),
        ("[..., status=404, bytes]", True),
        ("[ip=127.*, ...]", True),
        ('[ip, user=bob || user="alice", ...]', True),
        ('[ip, user, request="GET *", ...]', True),
    ],
)
def test_fields(pattern, expected):
    """Fields are compared by place; quotation marks keep one together; ... is any number of them."""
    assert compile_filter(pattern)('127.0.0.1 alice "GET /x" 404 1534') is expected


@pytest.mark.parametrize(
    "pattern",
    [
        "%ERR.*",
        "100%",
        "a%b%c",
        "%a% %b% %c%",
        "{ $.a > %b% }",
        "%a(b)%",
        '"open',
        "{ level = 1 }",
        "{ $.a ~ 1 }",
        "{ $.a > b }",
        "{ $.a = }",
        "{ ($.a = 1 }",
        "{ " + "(" * 60 + "$.a = 1" + ")" * 60 + " }",
        "[a, ..., b, ...]",
        "{ $.a = 1 $.b = 2 }",
        "{ $..a = 1 }",
    ],
)
def test_what_cannot_be_understood_is_refused(pattern):
    """A pattern that is malformed or not supported is refused in words, never taken for something else."""
    with pytest.raises(ClientException, match="Invalid filter pattern"):
        compile_filter(pattern)


@given(st.text(max_size=60) | st.text(alphabet='{}[]()$.="&|?-%* a1,', max_size=60), st.text(max_size=40))
def test_any_pattern_is_either_refused_or_works(pattern, line):
    """No text makes the matcher fail in another way."""
    try:
        matches = compile_filter(pattern)
    except ClientException:
        return
    assert matches(line) in (True, False)
