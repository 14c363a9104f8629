"""Requests against the model: types, required members, enums, patterns, lengths, ranges.

boto3 checks only types and required members and passes every enum through, and other clients check
nothing, so this is the server's work. A shape is compiled once into a function; what comes out is
the request with members unknown to the model left out, and members that are null as well (null
means absent). The path of a member is put together only when something is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from nbbatch.errors import ClientException
from nbbatch.wire.operations import Operation, Shapes, load_model

Check = Callable[[Any], Any]
"""Takes a value that is not null, gives the cleaned value, or raises `_Mismatch`."""

_INTEGERS = {"integer": 2**31, "long": 2**63}
_ANY_CASE = frozenset({"RetryAction", "ServiceJobRetryAction"})
"""Enums that AWS takes in any case: `RETRY` and `retry` are both seen in the wild."""
_SHOWN = 80


class _Mismatch(Exception):  # noqa: N818 - never leaves this module
    """What is wrong; the members and positions that lead there are added on the way up."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
        self.path: list[str | int] = []

    def at(self, step: str | int) -> _Mismatch:
        self.path.append(step)
        return self

    def __str__(self) -> str:
        steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in reversed(self.path))
        return f"{''.join(steps).removeprefix('.') or 'request'}: {self.text}"


def validate(operation: Operation, request: Any) -> dict[str, Any]:
    """Check a request and clean it.

    Parameters
    ----------
    operation : Operation
        Whose input shape counts.
    request : JSON value
        As it came.

    Returns
    -------
    dict
        A new object: known members that are not null.

    Raises
    ------
    ClientException
        Naming the member by its path, its value, and what it should have been.
    """
    key = (operation.service, operation.name)
    check = _checks.get(key)
    if check is None:
        check = _checks[key] = _compile_input(operation)
    try:
        cleaned: dict[str, Any] = check({} if request is None else request)
    except _Mismatch as mismatch:
        raise ClientException(str(mismatch)) from None
    return cleaned


_checks: dict[tuple[str, str], Check] = {}


def _compile_input(operation: Operation) -> Check:
    if operation.input_shape is None:
        return lambda _request: {}
    return _Compiler(load_model(operation.service).shapes).check(operation.input_shape)


class _Compiler:
    """Compiles shapes of one service; a shape that contains itself finds itself in `_known`."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._known: dict[str, Check] = {}

    def check(self, name: str) -> Check:
        if name in self._known:
            return self._known[name]

        def itself(value: Any) -> Any:
            return self._known[name](value)

        self._known[name] = itself
        shape = self._shapes[name]
        match shape["type"]:
            case "structure":
                made = self._structure(shape)
            case "list":
                made = self._list(shape)
            case "map":
                made = self._map(shape)
            case "string":
                made = _string(shape, any_case=name in _ANY_CASE)
            case "integer" | "long" as kind:
                made = _integer(shape, bound=_INTEGERS[kind])
            case "boolean":
                made = _boolean
            case "float" | "double":
                made = _number(shape)
            case _:
                made = _string({}, any_case=False)
        self._known[name] = made
        return made

    def _structure(self, shape: Mapping[str, Any]) -> Check:
        members = {name: self.check(member["shape"]) for name, member in shape["members"].items()}
        required = tuple(shape.get("required", ()))

        def structure(value: Any) -> dict[str, Any]:
            if type(value) is not dict:
                raise _Mismatch(f"{_show(value)} is not an object")
            cleaned: dict[str, Any] = {}
            for name, member in value.items():
                check = members.get(name)
                if check is None or member is None:
                    continue
                try:
                    cleaned[name] = check(member)
                except _Mismatch as mismatch:
                    raise mismatch.at(name) from None
            for name in required:
                if name not in cleaned:
                    raise _Mismatch("is required, and missing").at(name)
            return cleaned

        return structure

    def _list(self, shape: Mapping[str, Any]) -> Check:
        check, size = self.check(shape["member"]["shape"]), _size(shape, "entries")

        def items(value: Any) -> list[Any]:
            if type(value) is not list:
                raise _Mismatch(f"{_show(value)} is not a list")
            size(value)
            cleaned = []
            for index, item in enumerate(value):
                try:
                    cleaned.append(check(item))
                except _Mismatch as mismatch:
                    raise mismatch.at(index) from None
            return cleaned

        return items

    def _map(self, shape: Mapping[str, Any]) -> Check:
        """Keys and values; an empty map passes whatever the model's minimum, clients send it."""
        key, item = self.check(shape["key"]["shape"]), self.check(shape["value"]["shape"])
        size = _size({"max": shape["max"]} if "max" in shape else {}, "entries")

        def mapping(value: Any) -> dict[str, Any]:
            if type(value) is not dict:
                raise _Mismatch(f"{_show(value)} is not an object")
            size(value)
            cleaned = {}
            for name, member in value.items():
                try:
                    if member is not None:
                        cleaned[key(name)] = item(member)
                except _Mismatch as mismatch:
                    raise mismatch.at(name) from None
            return cleaned

        return mapping


def _string(shape: Mapping[str, Any], *, any_case: bool) -> Check:
    if "enum" in shape:
        return _enum(tuple(shape["enum"]), any_case=any_case)
    size = _size(shape, "characters")
    pattern = re.compile(shape["pattern"]) if "pattern" in shape else None
    plain = not {"min", "max", "pattern"} & shape.keys()

    def string(value: Any) -> str:
        if type(value) is not str:
            raise _Mismatch(f"{_show(value)} is not a string")
        if plain:
            return value
        size(value)
        if pattern is not None and pattern.fullmatch(value) is None:
            raise _Mismatch(f"{_show(value)} does not match {pattern.pattern}")
        return value

    return string


def _enum(words: tuple[str, ...], *, any_case: bool) -> Check:
    allowed = frozenset(words)

    def enum(value: Any) -> str:
        if type(value) is not str:
            raise _Mismatch(f"{_show(value)} is not a string")
        if value in allowed or (any_case and value.upper() in allowed):
            return value
        raise _Mismatch(f"{_show(value)} is not one of {', '.join(words)}")

    return enum


def _integer(shape: Mapping[str, Any], *, bound: int) -> Check:
    least, most = shape.get("min", -bound), shape.get("max", bound - 1)

    def integer(value: Any) -> int:
        if type(value) is not int:
            raise _Mismatch(f"{_show(value)} is not an integer")
        if not least <= value <= most:
            raise _Mismatch(f"{value} is not between {least} and {most}")
        return value

    return integer


def _number(shape: Mapping[str, Any]) -> Check:
    least, most = shape.get("min", float("-inf")), shape.get("max", float("inf"))

    def number(value: Any) -> float:
        if type(value) is not float and type(value) is not int:
            raise _Mismatch(f"{_show(value)} is not a number")
        if not least <= value <= most:
            raise _Mismatch(f"{value} is not between {least} and {most}")
        return value

    return number


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise _Mismatch(f"{_show(value)} is not true or false")
    return value


def _size(shape: Mapping[str, Any], unit: str) -> Callable[[Any], None]:
    least, most = shape.get("min", 0), shape.get("max", float("inf"))

    def size(value: Any) -> None:
        if not least <= len(value) <= most:
            bounds = f"at least {least}" if len(value) < least else f"at most {most}"
            raise _Mismatch(f"has {len(value)} {unit}, and may have {bounds}")

    return size


def _show(value: Any) -> str:
    if value is None:
        return "null"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
