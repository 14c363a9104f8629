"""The regular expressions of CloudWatch Logs' filter patterns, matched in one pass over a line.

Source: CloudWatch Logs user guide, "Supported regular expressions (regex) syntax". There are no groups,
so an expression is a choice between rows of characters, each perhaps repeated. It becomes an automaton
whose states are made as lines need them: a line takes time by its length alone, whatever the expression,
which Python's `re` does not promise. What the guide does not name is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from string import ascii_letters, digits
from typing import NamedTuple

MOST_PLACES = 1000
"""Characters that an expression may ask for, repetitions counted."""
_MOST_STEPS = 10_000
"""Steps of an automaton that are kept; one that needs more works each out when it comes."""

_SYMBOLS = ":_#=@/;,-"
_OPERATORS = "^$?[]{}|\\*+."
_LITERALS = frozenset(ascii_letters + digits + _SYMBOLS)
_ASCII = frozenset(map(chr, range(128)))
_OTHER = "\x80"
"""Stands for every character beyond ASCII: no expression can name one."""
_ANY = _ASCII | {_OTHER}
_DIGIT, _SPACE = frozenset(digits), frozenset("\t\n\f\r ")
_WORD = frozenset(ascii_letters + digits + "_")
_CLASSES = {
    "d": _DIGIT,
    "D": _ANY - _DIGIT,
    "s": _SPACE,
    "S": _ANY - _SPACE,
    "w": _WORD,
    "W": _ANY - _WORD,
}
_COUNT = re.compile(r"\{(\d{1,4})(?:(,) ?(\d{0,4}))?\}")
_HEX = re.compile(r"x([0-7][0-9A-Fa-f])")


class RegexError(ValueError):
    """Says why an expression is not taken."""


class _Place(NamedTuple):
    """One of these characters; perhaps none of them, perhaps more."""

    characters: frozenset[str]
    is_optional: bool
    repeats: bool


@dataclass(frozen=True, slots=True)
class _Row:
    """One choice: places in a row, perhaps at the line's beginning or end."""

    places: tuple[_Place, ...]
    at_start: bool
    at_end: bool

    @property
    def literal(self) -> str:
        """The longest text that every match has in it."""
        texts = [""]
        for place in self.places:
            is_sure = len(place.characters) == 1 and not place.is_optional
            is_known = is_sure and _OTHER not in place.characters
            texts[-1] += next(iter(place.characters)) if is_known else ""
            if not is_known or place.repeats:
                texts.append("")
        return max(texts, key=len)


def compile_regex(text: str) -> Callable[[str], bool]:
    """Make a function that says whether an expression matches anywhere in a line.

    Parameters
    ----------
    text : str
        The expression, without the `%` around it.

    Raises
    ------
    RegexError
        When it holds what CloudWatch Logs does not take, or is too large.
    """
    rows = list(_Parser(text).rows())
    if sum(len(row.places) for row in rows) > MOST_PLACES:
        raise RegexError(f"it asks for more than {MOST_PLACES} characters")
    literals = [row.literal for row in rows]
    automaton = _Automaton(rows)
    if not all(literals):
        return automaton.matches
    return lambda line: any(literal in line for literal in literals) and automaton.matches(line)


@dataclass(slots=True)
class _Parser:
    text: str
    at: int = 0

    def rows(self) -> Iterator[_Row]:
        """The choices."""
        strange = next((one for one in self.text if one not in _LITERALS and one not in _OPERATORS), None)
        if strange is not None:
            raise RegexError(
                f"{strange!r} is not supported; write it as \\xhh" if strange in _ASCII else _MULTI
            )
        if not self.text:
            raise RegexError("it is empty")
        while True:
            yield self._row()
            if not self._take("|"):
                break
        if self.at < len(self.text):
            raise RegexError(f"{self.text[self.at]!r} is not expected")

    def _row(self) -> _Row:
        at_start = self._take("^")
        places: list[_Place] = []
        while self._peek() not in ("", "|", "$"):
            characters = self._atom()
            places += _repeated(characters, *self._count())
            if len(places) > MOST_PLACES:
                raise RegexError(f"it asks for more than {MOST_PLACES} characters")
        at_end = self._take("$")
        if self._peek() not in ("", "|"):
            raise RegexError("$ may stand at the end only")
        return _Row(tuple(places), at_start, at_end)

    def _atom(self) -> frozenset[str]:
        one = self._next()
        match one:
            case ".":
                return _ANY - {"\n"}
            case "[":
                return self._class()
            case "\\":
                return self._escape()
            case _ if one in _LITERALS:
                return frozenset(one)
            case "^":
                raise RegexError("^ may stand at the beginning only")
            case _:
                raise RegexError(f"{one!r} has nothing before it to which it belongs")

    def _escape(self) -> frozenset[str]:
        found = _HEX.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
            return frozenset(chr(int(found[1], 16)))
        one = self._next()
        if one in _CLASSES:
            return _CLASSES[one]
        if one and one in _OPERATORS + _SYMBOLS:
            return frozenset(one)
        raise RegexError(f"\\{one} is not supported" if one else "\\ stands at its end")

    def _class(self) -> frozenset[str]:
        is_negated = self._take("^")
        found: frozenset[str] = frozenset()
        while not self._take("]"):
            if not self._peek():
                raise RegexError("[ is not closed")
            first = self._member()
            if self._peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                first = _between(first, self._member())
            found |= first
        if not found:
            raise RegexError("[] is empty")
        return _ANY - found if is_negated else found

    def _member(self) -> frozenset[str]:
        one = self._next()
        return self._escape() if one == "\\" else frozenset(one)

    def _count(self) -> tuple[int, int | None]:
        """Least and most repetitions; the most is None where there is no limit."""
        one = self._peek()
        if one == "{":
            found = _COUNT.match(self.text, self.at)
            if found is None:
                raise RegexError("{ is followed by one or two numbers and }")
            self.at = found.end()
            least = int(found[1])
            most = least if not found[2] else int(found[3]) if found[3] else None
            if most is not None and most < least:
                raise RegexError(f"{found[0]} ends before it begins")
            return least, most
        counts = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if one not in counts:
            return 1, 1
        self.at += 1
        return counts[one]

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _next(self) -> str:
        one = self._peek()
        self.at += 1
        return one

    def _take(self, wanted: str) -> bool:
        is_there = self._peek() == wanted
        self.at += is_there
        return is_there


_MULTI = "multi-byte characters are not supported"


def _between(first: frozenset[str], last: frozenset[str]) -> frozenset[str]:
    if len(first) != 1 or len(last) != 1:
        raise RegexError("- stands between two characters")
    low, high = ord(min(first)), ord(min(last))
    if high < low:
        raise RegexError(f"{chr(low)}-{chr(high)} ends before it begins")
    return frozenset(map(chr, range(low, high + 1)))


def _repeated(characters: frozenset[str], least: int, most: int | None) -> Iterator[_Place]:
    """The places of one character that may come so often."""
    if max(least, most or 0) > MOST_PLACES:
        raise RegexError(f"it asks for more than {MOST_PLACES} characters")
    if most is None:
        for _ in range(least - 1):
            yield _Place(characters, is_optional=False, repeats=False)
        yield _Place(characters, is_optional=least == 0, repeats=True)
        return
    for number in range(most):
        yield _Place(characters, is_optional=number >= least, repeats=False)


class _Step(dict[str, "_Step"]):
    """A state: how far the rows have got, each as a bit; by the next character, the state that follows."""

    __slots__ = ("automaton", "bits", "is_over", "matches_at_end")

    def __init__(self, automaton: _Automaton, bits: int) -> None:
        super().__init__()
        self.automaton, self.bits = automaton, bits
        self.is_over = bool(bits & automaton.over)
        self.matches_at_end = bool(bits & (automaton.over | automaton.over_at_end))

    def __missing__(self, character: str) -> _Step:
        known = self[character] = self.automaton.follow(self, character)
        return known


class _Automaton:
    """Places of all rows one behind the other: bit k of a state says that a match may stand before place k."""

    def __init__(self, rows: Sequence[_Row]) -> None:
        self.over = self.over_at_end = self._always = first = 0
        self._places: list[_Place | None] = []
        for row in rows:
            start = 1 << len(self._places)
            self._places += [*row.places, None]
            end = 1 << len(self._places) - 1
            first |= start
            self._always |= 0 if row.at_start else start
            self.over |= 0 if row.at_end else end
            self.over_at_end |= end
        self._repeats = self._mask(lambda place: place.repeats)
        self._leaps = _leaps(self._mask(lambda place: place.is_optional))
        self._masks: dict[str, int] = {}
        self._start = _Step(self, self._past_optional(first))
        self._states = {self._start.bits: self._start}
        self._steps = 0

    def matches(self, line: str) -> bool:
        """Whether any row is in the line."""
        step = self._start
        if step.is_over:
            return True
        for at, character in enumerate(line):
            step = step[character]
            if step.is_over:
                return True
            if self._steps > _MOST_STEPS:
                return self._matches_rest(step.bits, line[at + 1 :])
        return step.matches_at_end

    def follow(self, step: _Step, character: str) -> _Step:
        """The state behind another character."""
        self._steps += 1
        bits = self._next(step.bits, character)
        if bits not in self._states:
            self._states[bits] = _Step(self, bits)
        return self._states[bits]

    def _matches_rest(self, bits: int, line: str) -> bool:
        for character in line:
            bits = self._next(bits, character)
            if bits & self.over:
                return True
        return bool(bits & self.over_at_end)

    def _next(self, bits: int, character: str) -> int:
        one = character if character in _ASCII else _OTHER
        if one not in self._masks:
            self._masks[one] = self._mask(lambda place: one in place.characters)
        met = bits & self._masks[one]
        return self._past_optional(self._always | met << 1 | met & self._repeats)

    def _past_optional(self, bits: int) -> int:
        for optional, length in self._leaps:
            bits |= (bits & optional) << length
        return bits

    def _mask(self, holds: Callable[[_Place], bool]) -> int:
        return sum(1 << at for at, place in enumerate(self._places) if place is not None and holds(place))


def _leaps(optional: int) -> list[tuple[int, int]]:
    """Where 1, 2, 4 ... optional places follow one another: together they leap over any number."""
    leaps, length = [], 1
    while optional:
        leaps.append((optional, length))
        optional &= optional >> length
        length *= 2
    return leaps
