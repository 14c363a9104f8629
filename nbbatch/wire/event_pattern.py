"""EventBridge's event patterns: a JSON value becomes a function that says whether an event matches.

Source: EventBridge user guide, "Event pattern syntax". A pattern names members; each must hold one of
a list of values, which are literal or one of `prefix`, `suffix`, `equals-ignore-case`, `wildcard`,
`anything-but`, `numeric` and `exists`; `$or` takes alternatives. Other operators are refused.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from nbbatch.errors import ClientException

Matcher = Callable[[Any], bool]

_DEEPEST = 20
_ABSENT = object()
_ORDERS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {"<": operator.lt, "<=": operator.le, "=": operator.eq, ">=": operator.ge, ">": operator.gt}
)


def compile_pattern(pattern: Any) -> Matcher:
    """Make a matcher of a pattern.

    Parameters
    ----------
    pattern : JSON object
        An empty one matches every event.

    Raises
    ------
    ClientException
        When it is malformed or has an operator that is not there; names the place.
    """
    return _members(pattern, "pattern")


def _bad(path: str, why: str) -> ClientException:
    return ClientException(f"{path}: {why}")


def _members(pattern: Any, path: str) -> Matcher:
    """Every member of an object must match."""
    if not isinstance(pattern, dict):
        raise _bad(path, "is not a JSON object")
    if path.count(".") > _DEEPEST:
        raise _bad(path[:80], f"is deeper than {_DEEPEST} members")
    tests = [_alternatives(value, path) for name, value in pattern.items() if name == "$or"]
    members = {name: _member(value, f"{path}.{name}") for name, value in pattern.items() if name != "$or"}

    def matches(value: Any) -> bool:
        held = value if isinstance(value, dict) else {}
        return all(test(value) for test in tests) and all(
            test(held.get(name, _ABSENT)) for name, test in members.items()
        )

    return matches


def _alternatives(patterns: Any, path: str) -> Matcher:
    if not isinstance(patterns, list) or not patterns:
        raise _bad(f"{path}.$or", "is not a list of patterns")
    tests = [_members(pattern, f"{path}.$or") for pattern in patterns]
    return lambda value: any(test(value) for test in tests)


def _member(pattern: Any, path: str) -> Matcher:
    if isinstance(pattern, dict):
        return _members(pattern, path)
    if not isinstance(pattern, list) or not pattern:
        raise _bad(path, "is neither an object nor a list of values")
    tests = [_value(one, path) for one in pattern]

    def matches(value: Any) -> bool:
        """Of a list in the event, one element is enough."""
        values = value if isinstance(value, list) else [value]
        return any(test(one) for test in tests for one in values)

    return matches


def _value(pattern: Any, path: str) -> Matcher:
    if isinstance(pattern, list):
        raise _bad(path, "has a list in a list")
    if not isinstance(pattern, dict):
        return lambda value: value == pattern and isinstance(value, bool) == isinstance(pattern, bool)
    if len(pattern) != 1:
        raise _bad(path, f"an operator has one member, this has {len(pattern)}")
    ((name, wanted),) = pattern.items()
    match name, wanted:
        case "exists", bool():
            return lambda value: (value is not _ABSENT) is wanted
        case "numeric", list():
            return _numeric(wanted, path)
        case "anything-but", _:
            return _anything_but(wanted, path)
        case (("prefix" | "suffix" | "equals-ignore-case" | "wildcard"), _):
            return _text(name, wanted, path)
        case _:
            raise _bad(path, f"{name!r} is no operator that nbbatch knows, or its value is not of its kind")


def _text(name: str, wanted: Any, path: str) -> Matcher:
    if isinstance(wanted, dict) and list(wanted) == ["equals-ignore-case"] and name != "wildcard":
        return _text_test(name, str(wanted["equals-ignore-case"]).lower(), str.lower)
    if not isinstance(wanted, str):
        raise _bad(path, f"{name} takes a text")
    return _text_test(name, wanted, lambda text: text)


def _text_test(name: str, wanted: str, shape: Callable[[str], str]) -> Matcher:
    test: Callable[[str], bool]
    match name:
        case "prefix":
            test = lambda text: shape(text).startswith(wanted)  # noqa: E731 - one of four of a kind
        case "suffix":
            test = lambda text: shape(text).endswith(wanted)  # noqa: E731
        case "wildcard":
            parts = [re.escape(part) for part in re.split(r"\*+", wanted)]
            glob = re.compile("(?s:" + ".*?".join(parts) + r")\Z")
            test = lambda text: glob.match(text) is not None  # noqa: E731
        case _:
            test = lambda text: text.lower() == wanted.lower()  # noqa: E731
    return lambda value: isinstance(value, str) and test(value)


def _anything_but(wanted: Any, path: str) -> Matcher:
    tests = [_value(one, path) for one in (wanted if isinstance(wanted, list) else [wanted])]
    return lambda value: value is not _ABSENT and not any(test(value) for test in tests)


def _numeric(wanted: Sequence[Any], path: str) -> Matcher:
    pairs = list(zip(wanted[::2], wanted[1::2], strict=False))
    known = all(
        order in _ORDERS and isinstance(bound, int | float) and not isinstance(bound, bool)
        for order, bound in pairs
        if isinstance(order, str)
    )
    if not pairs or len(wanted) % 2 or not known or not all(isinstance(order, str) for order, _ in pairs):
        raise _bad(path, 'numeric takes comparisons and numbers, such as [">", 0, "<=", 5]')
    tests = [(_ORDERS[order], bound) for order, bound in pairs]

    def matches(value: Any) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and all(holds(value, bound) for holds, bound in tests)

    return matches
