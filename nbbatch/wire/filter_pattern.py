"""CloudWatch Logs' filter patterns: a text becomes a function that says whether a line matches.

Source: CloudWatch Logs user guide, "Filter pattern syntax". Three kinds are there: terms (`ERROR
"out of memory" -DEBUG`, `?ERROR ?WARN`), JSON (`{ $.level = "ERROR" && $.code >= 500 }`) and
space-delimited fields (`[ip, user, status=4*, ...]`). A regular expression between `%` may stand for a
term or for a value (`filter_regex`). Matching is case-sensitive; whether a term must be a whole word is
not documented [?], here it need not be, and whether an expression may stand beside other terms is not
either [?], here it may.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import msgspec

from nbbatch.errors import ClientException
from nbbatch.wire.filter_regex import RegexError, compile_regex

Matcher = Callable[[str], bool]
Condition = Callable[[Any], bool]

_DEEPEST = 20
_MOST_EXPRESSIONS = 2
_TOKEN = re.compile(
    r'\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|%[^%]*%)|(?P<sign>\|\||&&|!=|<=|>=|\.\.\.|[=<>(),])|(?P<word>[^\s"=<>!|&(),]+))'
)
_TERM = re.compile(
    r'\s*(?P<sign>[?-]?)(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|%(?P<regex>[^%]*)%(?!\S)|(?P<plain>[^\s"%]+))'
)
_STEP = re.compile(r"\.([A-Za-z0-9_@#-]+)|\[(\d{1,6})\]|\[\"([^\"]+)\"\]")
_FIELD = re.compile(r'"((?:[^"\\]|\\.)*)"|\[([^\]]*)\]|(\S+)')
_ORDERS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
)
_ABSENT = object()


@lru_cache(maxsize=64)
def compile_filter(pattern: str) -> Matcher:
    """Make a matcher of a pattern.

    Parameters
    ----------
    pattern : str
        As given to FilterLogEvents; an empty one matches every line.

    Raises
    ------
    ClientException
        When the pattern is malformed, or of a kind that is not there.
    """
    text = pattern.strip()
    marks = _outside_quotes(text).count("%")
    if marks % 2:
        raise _bad(pattern, "a % has no other; in a term, put it in quotes")
    if marks // 2 > _MOST_EXPRESSIONS:
        raise _bad(pattern, f"it may have at most {_MOST_EXPRESSIONS} regular expressions")
    if text.startswith("{") and text.endswith("}"):
        return _json_matcher(_Parser(pattern, text[1:-1]).condition())
    if text.startswith("[") and text.endswith("]"):
        return _fields_matcher(pattern, text[1:-1])
    return _terms_matcher(pattern, text)


def _bad(pattern: str, why: str) -> ClientException:
    return ClientException(f"Invalid filter pattern {pattern[:80]!r}: {why}.")


def _outside_quotes(text: str) -> str:
    return re.sub(r'"(?:[^"\\]|\\.)*"', "", text)


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _terms_matcher(pattern: str, text: str) -> Matcher:
    """All plain terms and none of the `-` ones; `?` means any, but only where every term has it."""
    place, terms = 0, []
    while place < len(text):
        found = _TERM.match(text, place)
        if found is None:
            mark = text[place:].lstrip(" ?-")[:1]
            raise _bad(
                pattern, f"a {'% ends within a term' if mark == '%' else 'quotation mark has no other'}"
            )
        terms.append((found["sign"], _term(pattern, found)))
        place = found.end()
    if terms and all(sign == "?" for sign, _ in terms):
        wanted = [is_in for _, is_in in terms]
        return lambda line: any(is_in(line) for is_in in wanted)
    without = [is_in for sign, is_in in terms if sign == "-"]
    needed = [is_in for sign, is_in in terms if sign != "-"]
    return lambda line: all(is_in(line) for is_in in needed) and not any(is_in(line) for is_in in without)


def _term(pattern: str, found: re.Match[str]) -> Matcher:
    if found["regex"] is not None:
        return _expression(pattern, found["regex"])
    term = found["plain"] if found["quoted"] is None else _unquoted(found["quoted"])
    return lambda line: term in line


def _expression(pattern: str, text: str) -> Matcher:
    try:
        return compile_regex(text)
    except RegexError as error:
        raise _bad(pattern, f"in the regular expression %{text}%, {error}") from error


def _json_matcher(condition: Condition) -> Matcher:
    def matches(line: str) -> bool:
        try:
            value = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError):
            return False
        return isinstance(value, dict | list) and condition(value)

    return matches


def _fields_matcher(pattern: str, text: str) -> Matcher:
    """Each field by its place; `...` stands for any number of them."""
    parts = [part.strip() for part in _split(text)]
    if parts.count("...") > 1:
        raise _bad(pattern, "... may stand in it once")
    gap = parts.index("...") if "..." in parts else None
    conditions = [None if part == "..." else _field_condition(pattern, part) for part in parts]

    def matches(line: str) -> bool:
        fields = [next(part for part in found if part or part == found[-1]) for found in _FIELD.findall(line)]
        missing = len(fields) - len(conditions)
        if gap is None:
            return missing == 0 and _all_hold(conditions, fields)
        if missing < -1:
            return False
        head, tail = conditions[:gap], conditions[gap + 1 :]
        return _all_hold(head, fields[:gap]) and _all_hold(tail, fields[len(fields) - len(tail) :])

    return matches


def _all_hold(conditions: Sequence[Condition | None], fields: Sequence[str]) -> bool:
    return all(known is None or known(field) for known, field in zip(conditions, fields, strict=True))


def _split(text: str) -> Iterator[str]:
    """At commas that are not in quotes, nor in a regular expression."""
    yield from re.findall(r'(?:"(?:[^"\\]|\\.)*"|%[^%]*%|[^,"%])+', text)


def _field_condition(pattern: str, part: str) -> Condition | None:
    if re.fullmatch(r"[A-Za-z_]\w*", part):
        return None
    return _Parser(pattern, part, has_selectors=False).condition()


@dataclass(slots=True)
class _Parser:
    """Conditions by recursive descent: `||` binds less than `&&`, parentheses most."""

    pattern: str
    text: str
    has_selectors: bool = True
    place: int = 0
    depth: int = 0

    def condition(self) -> Condition:
        made = self._any()
        if self._peek():
            raise _bad(self.pattern, f"{self._peek()!r} is not expected")
        return made

    def _any(self) -> Condition:
        parts = [self._all()]
        while self._peek() == "||":
            self._take()
            parts.append(self._all())
        return lambda value: any(part(value) for part in parts)

    def _all(self) -> Condition:
        parts = [self._one()]
        while self._peek() == "&&":
            self._take()
            parts.append(self._one())
        return lambda value: all(part(value) for part in parts)

    def _one(self) -> Condition:
        if self._peek() != "(":
            return self._comparison()
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _bad(self.pattern, "its parentheses are too deep")
        self._take()
        made = self._any()
        if self._take() != ")":
            raise _bad(self.pattern, "a parenthesis is not closed")
        self.depth -= 1
        return made

    def _comparison(self) -> Condition:
        select = self._selector(self._take())
        sign = self._take()
        match sign.upper():
            case "IS":
                wanted = {"NULL": None, "TRUE": True, "FALSE": False}.get(self._take().upper(), _ABSENT)
                if wanted is _ABSENT:
                    raise _bad(self.pattern, "IS is followed by NULL, TRUE or FALSE")
                return lambda value: select(value) is wanted
            case "NOT" if self._take().upper() == "EXISTS":
                return lambda value: select(value) is _ABSENT
            case "=" | "!=" | "<" | "<=" | ">" | ">=":
                holds = self._test(sign, self._take())
                return lambda value: holds(select(value))
            case _:
                raise _bad(self.pattern, f"{sign or 'its end'} is no comparison")

    def _selector(self, word: str) -> Callable[[Any], Any]:
        if not self.has_selectors:
            return lambda field: field
        if not word.startswith("$"):
            raise _bad(self.pattern, f"{word or 'its end'} is no selector such as $.level")
        steps, place = [], 1
        while place < len(word):
            found = _STEP.match(word, place)
            if found is None:
                raise _bad(self.pattern, f"{word} is no selector such as $.level or $.items[0]")
            steps.append(int(found[2]) if found[2] else found[1] or found[3])
            place = found.end()
        return lambda value: _walk(value, steps)

    def _test(self, sign: str, text: str) -> Condition:
        if not text:
            raise _bad(self.pattern, "a value is missing")
        if text.startswith("%"):
            return self._expression(sign, text)
        is_text = text.startswith('"')
        number = None if is_text else _number(text)
        order = _ORDERS.get(sign)
        if order is not None:
            if number is None:
                raise _bad(self.pattern, f"{text} is not a number")
            bound = number
            return lambda value: (known := _number(value)) is not None and order(known, bound)
        plain = _unquoted(text[1:-1]) if is_text else text
        glob = re.compile(translate(plain.replace("[", "[[]").replace("?", "[?]")))
        wants = sign == "="

        def equal(value: Any) -> bool:
            if value is _ABSENT or isinstance(value, dict | list) or value is None:
                return False
            if number is not None and (known := _number(value)) is not None:
                return (known == number) is wants
            return (glob.match(value if isinstance(value, str) else str(value)) is not None) is wants

        return equal

    def _expression(self, sign: str, text: str) -> Condition:
        if sign not in ("=", "!="):
            raise _bad(self.pattern, f"{sign} does not go with a regular expression")
        matches, wants = _expression(self.pattern, text.strip("%")), sign == "="
        return lambda value: (
            not (value is _ABSENT or value is None or isinstance(value, dict | list))
            and matches(value if isinstance(value, str) else str(value)) is wants
        )

    def _peek(self) -> str:
        found = _TOKEN.match(self.text, self.place)
        return found[0].strip() if found else self.text[self.place :].strip()

    def _take(self) -> str:
        found = _TOKEN.match(self.text, self.place)
        if found is None:
            if self.text[self.place :].strip():
                raise _bad(self.pattern, f"{self.text[self.place :].strip()[:20]!r} is not expected")
            return ""
        self.place = found.end()
        return found[0].strip()


def _walk(value: Any, steps: Sequence[str | int]) -> Any:
    for step in steps:
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return _ABSENT
            value = value[step]
        elif not isinstance(value, dict) or step not in value:
            return _ABSENT
        else:
            value = value[step]
    return value


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
