"""text/plain as IPython lays it out, without IPython.

A container that is too long for a line goes one item to a line; the outermost group is broken first
(Oppen's algorithm, 1980). Objects may print themselves by IPython's `_repr_pretty_(p, cycle)`: `Printer`
has the methods that such a method calls. A test compares all of it with IPython's own.
"""

from __future__ import annotations

import re
import sys
import types
from collections import deque

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

WIDTH = 79
MOST_ITEMS = 1000


def pretty(value: Any, *, width: int = WIDTH, most_items: int = MOST_ITEMS, float_format: str = "") -> str:
    """Represent a value as IPython's `Out[n]` shows it.

    Parameters
    ----------
    value : Any
        What to show.
    width, most_items : int
        Columns of a line; items of a container that are shown.
    float_format : str
        As in `%.3f`, what `%precision` has set; empty for `repr`.
    """
    printer = Printer(width, most_items, float_format)
    printer.pretty(value)
    printer.flush()
    return printer.getvalue()


class _Group:
    """Text that is broken at all of its breaks or at none."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.pending = 0
        self.is_broken = False


class _Break:
    """Where a group may be broken."""

    def __init__(self, separator: str, group: _Group, indentation: int) -> None:
        self.separator = separator
        self.group = group
        self.indentation = indentation


class Printer:
    """What `_repr_pretty_` methods draw on."""

    verbose = False

    def __init__(self, width: int = WIDTH, most_items: int = MOST_ITEMS, float_format: str = "") -> None:
        self.max_width = width
        self.max_seq_length = most_items
        self.float_format = float_format
        self.indentation = 0
        self.stack: list[int] = []
        self._written: list[str] = []
        self._column = 0
        self._waiting: deque[str | _Break] = deque()
        self._waiting_width = 0
        self._open = [_Group(0)]
        self._unbroken: list[list[_Group]] = [list(self._open)]

    def getvalue(self) -> str:
        """The text so far, without what still waits."""
        return "".join(self._written)

    def text(self, text: str) -> None:
        """Add text that is never broken."""
        if not self._waiting:
            self._put(text)
            return
        self._waiting.append(text)
        self._waiting_width += len(text)
        self._break_while_too_long()

    def breakable(self, sep: str = " ") -> None:
        """Add a separator in the place of which the line may be broken."""
        group = self._open[-1]
        if group.is_broken:
            self.flush()
            self._put_line_end(self.indentation)
            return
        group.pending += 1
        self._waiting.append(_Break(sep, group, self.indentation))
        self._waiting_width += len(sep)
        self._break_while_too_long()

    def break_(self) -> None:
        """Break the line here in any case."""
        self._break_outermost()
        self.flush()
        self._put_line_end(self.indentation)

    def begin_group(self, indent: int = 0, open: str = "") -> None:  # noqa: A002 - IPython's own signature
        """Begin a group, `indent` columns further in."""
        if open:
            self.text(open)
        group = _Group(self._open[-1].depth + 1)
        self._open.append(group)
        while len(self._unbroken) <= group.depth:
            self._unbroken.append([])
        self._unbroken[group.depth].append(group)
        self.indentation += indent

    def end_group(self, dedent: int = 0, close: str = "") -> None:
        """End the innermost group."""
        self.indentation -= dedent
        group = self._open.pop()
        if not group.pending:
            self._forget(group)
        if close:
            self.text(close)

    def group(self, indent: int = 0, open: str = "", close: str = "") -> _InGroup:  # noqa: A002
        """A group as a context manager."""
        return _InGroup(self, indent, open, close)

    def indent(self, indent: int) -> _Indented:
        """Indentation as a context manager."""
        return _Indented(self, indent)

    def flush(self) -> None:
        """Write what waits."""
        while self._waiting:
            self._put_next()
        self._waiting_width = 0

    def pretty(self, value: Any) -> None:
        """Add a value in its own way."""
        is_cycle = id(value) in self.stack
        self.stack.append(id(value))
        self.begin_group()
        try:
            _printer_of(value)(value, self, is_cycle)
        finally:
            self.end_group()
            self.stack.pop()

    def items(self, values: Iterable[Any]) -> Iterator[Any]:
        """Each of the values, commas and breaks between them, up to the most that are shown."""
        for number, value in enumerate(values):
            if number:
                self.text(",")
                self.breakable()
            if self.max_seq_length and number >= self.max_seq_length:
                self.text("...")
                return
            yield value

    def _put(self, text: str) -> None:
        self._written.append(text)
        self._column += len(text)

    def _put_line_end(self, indentation: int) -> None:
        self._written.append("\n" + " " * indentation)
        self._column = indentation

    def _put_next(self) -> None:
        piece = self._waiting.popleft()
        if isinstance(piece, str):
            self._waiting_width -= len(piece)
            self._put(piece)
            return
        self._waiting_width -= len(piece.separator)
        piece.group.pending -= 1
        if piece.group.is_broken:
            self._put_line_end(piece.indentation)
            return
        if not piece.group.pending:
            self._forget(piece.group)
        self._put(piece.separator)

    def _break_while_too_long(self) -> None:
        while self._column + self._waiting_width > self.max_width and self._break_outermost():
            pass

    def _break_outermost(self) -> bool:
        group = self._outermost()
        while group is not None and group.pending:
            self._put_next()
        while group is not None and self._waiting and isinstance(self._waiting[0], str):
            self._put_next()
        return group is not None

    def _outermost(self) -> _Group | None:
        """The outermost group that can be broken, broken; those around it are from now on, too."""
        for groups in self._unbroken:
            for number, group in enumerate(reversed(groups)):
                if group.pending:
                    del groups[number]  # sic: which one IPython forgets here decides about what follows
                    group.is_broken = True
                    return group
            for group in groups:
                group.is_broken = True
            groups.clear()
        return None

    def _forget(self, group: _Group) -> None:
        groups = self._unbroken[group.depth]
        if group in groups:
            groups.remove(group)


class _InGroup:
    def __init__(self, printer: Printer, indent: int, start: str, end: str) -> None:
        self._printer = printer
        self._indent = indent
        self._start = start
        self._end = end

    def __enter__(self) -> None:
        self._printer.begin_group(self._indent, self._start)

    def __exit__(self, *_: object) -> None:
        self._printer.end_group(self._indent, self._end)


class _Indented:
    def __init__(self, printer: Printer, indent: int) -> None:
        self._printer = printer
        self._indent = indent

    def __enter__(self) -> None:
        self._printer.indentation += self._indent

    def __exit__(self, *_: object) -> None:
        self._printer.indentation -= self._indent


def _printer_of(value: Any) -> Callable[[Any, Printer, bool], object]:
    """How a value is printed: by a type of its own below, its `_repr_pretty_`, or its `repr`."""
    for kind in getattr(value, "__class__", type(value)).__mro__:
        if kind in _BY_TYPE:
            return _BY_TYPE[kind]
        if kind.__module__ == "collections" and kind.__name__ in _OF_COLLECTIONS:
            return _print_collection
        if callable(vars(kind).get("_repr_pretty_")):
            return vars(kind)["_repr_pretty_"]  # type: ignore[no-any-return]
        if kind is not object and callable(vars(kind).get("__repr__")):
            return _print_repr
    has_none = vars(object)["__repr__"] is getattr(type(value), "__repr__", None)
    return _print_plain_object if has_none else _print_repr


def _print_repr(value: Any, p: Printer, is_cycle: bool) -> None:  # noqa: ARG001, FBT001
    with p.group():
        for number, line in enumerate(repr(value).splitlines()):
            if number:
                p.break_()
            p.text(line)


def _print_plain_object(value: Any, p: Printer, is_cycle: bool) -> None:  # noqa: FBT001
    p.begin_group(1, "<")
    p.pretty(type(value))
    p.text(f" at 0x{id(value):x}{' ...' if is_cycle else ''}")
    p.end_group(1, ">")


def _print_float(value: float, p: Printer, is_cycle: bool) -> None:  # noqa: FBT001
    if p.float_format:
        p.text(p.float_format % value)
    else:
        _print_repr(value, p, is_cycle)


def _sequence(start: str, end: str) -> Callable[[Any, Printer, bool], object]:
    def show(value: Any, p: Printer, is_cycle: bool) -> None:  # noqa: FBT001
        if is_cycle:
            p.text(f"{start}...{end}")
            return
        p.begin_group(len(start), start)
        for item in p.items(value):
            p.pretty(item)
        if len(value) == 1 and isinstance(value, tuple):
            p.text(",")
        p.end_group(len(start), end)

    return show


def _set(start: str, end: str) -> Callable[[Any, Printer, bool], object]:
    show = _sequence(start, end)

    def show_sorted(value: Any, p: Printer, is_cycle: bool) -> None:  # noqa: FBT001
        if not value and not is_cycle:
            p.text(f"{type(value).__name__}()")
            return
        is_short = not p.max_seq_length or len(value) < p.max_seq_length
        show(_sorted(value) if is_short and not is_cycle else value, p, is_cycle)

    return show_sorted


def _sorted(values: Iterable[Any]) -> list[Any]:
    for key in (None, str):
        try:
            return sorted(values, key=key)
        except Exception:  # noqa: S112 - whatever a comparison raises; the next way is tried
            continue
    return list(values)


def _mapping(start: str, end: str) -> Callable[[Any, Printer, bool], object]:
    def show(value: Any, p: Printer, is_cycle: bool) -> None:  # noqa: FBT001
        if is_cycle:
            p.text("{...}")
            return
        p.begin_group(len(start), start)
        for key in p.items(value.keys()):
            p.pretty(key)
            p.text(": ")
            p.pretty(value[key])
        p.end_group(len(start), end)

    return show


def _print_type(value: Any, p: Printer, is_cycle: bool) -> None:  # noqa: FBT001
    if next(kind for kind in type(value).__mro__ if "__repr__" in vars(kind)) is not type:
        _print_repr(value, p, is_cycle)
    else:
        p.text(_full_name(value.__module__, value.__qualname__))


def _print_function(value: Any, p: Printer, is_cycle: bool) -> None:  # noqa: ARG001, FBT001
    from inspect import signature

    try:
        arguments = str(signature(value))
    except ValueError:
        arguments = ""
    p.text(f"<function {_full_name(value.__module__, value.__qualname__)}{arguments}>")


def _full_name(module: str | None, name: str) -> str:
    return name if module in (None, "", "builtins") else f"{module}.{name}"


def _print_exception(value: Any, p: Printer, is_cycle: bool) -> None:  # noqa: ARG001, FBT001
    _print_call(_full_name(type(value).__module__, type(value).__qualname__), value.args, p)


def _print_collection(value: Any, p: Printer, is_cycle: bool) -> None:  # noqa: FBT001
    kind = next(kind for kind in type(value).__mro__ if kind.__module__ == "collections")
    arguments = (_Raw("..."),) if is_cycle else _OF_COLLECTIONS[kind.__name__](value)
    named = {} if is_cycle or getattr(value, "maxlen", None) is None else {"maxlen": value.maxlen}
    _print_call(type(value).__name__, arguments, p, named)


def _print_namespace(value: Any, p: Printer, is_cycle: bool) -> None:  # noqa: FBT001
    _print_call("namespace", (_Raw("..."),) if is_cycle else (), p, {} if is_cycle else vars(value))


def _print_pattern(value: Any, p: Printer, is_cycle: bool) -> None:  # noqa: ARG001, FBT001
    flags = "|".join(f"re.{name}" for name in _FLAGS if value.flags & getattr(re, name))
    raw = _Raw("r" + repr(value.pattern).replace("\\\\", "\\"))
    _print_call("re.compile", (raw, _Raw(flags)) if value.flags else (raw,), p)


def _print_call(name: str, arguments: Iterable[Any], p: Printer, named: Any = None) -> None:
    with p.group(), p.group(len(name) + 1, f"{name}(", ")"):
        words = [*((None, value) for value in arguments), *(named or {}).items()]
        for number, (word, value) in enumerate(words):
            if number:
                p.text(",")
                p.breakable()
            if word is None:
                p.pretty(value)
            else:
                with p.group(len(word) + 1, f"{word}="):
                    p.pretty(value)


class _Raw:
    """Text that prints as it is."""

    def __init__(self, text: str) -> None:
        self._text = text

    def _repr_pretty_(self, p: Printer, is_cycle: bool) -> None:  # noqa: ARG002, FBT001
        p.text(self._text)


_FLAGS = ("IGNORECASE", "LOCALE", "MULTILINE", "DOTALL", "UNICODE", "VERBOSE", "DEBUG")
_OF_COLLECTIONS: dict[str, Callable[[Any], tuple[Any, ...]]] = {
    "defaultdict": lambda value: (value.default_factory, dict(value)),
    "OrderedDict": lambda value: (list(value.items()),) if value else (),
    "deque": lambda value: (list(value),),
    "Counter": lambda value: (dict(value.most_common()),) if value else (),
    "UserList": lambda value: (value.data,),
}
_BY_TYPE: dict[Any, Callable[[Any, Printer, bool], object]] = {
    float: _print_float,
    tuple: _sequence("(", ")"),
    list: _sequence("[", "]"),
    dict: _mapping("{", "}"),
    set: _set("{", "}"),
    frozenset: _set("frozenset({", "})"),
    type(sys): _print_repr,
    type: _print_type,
    types.FunctionType: _print_function,
    types.BuiltinFunctionType: _print_function,
    types.SimpleNamespace: _print_namespace,
    types.MappingProxyType: _mapping("mappingproxy({", "})"),
    type(__import__("os").environ): _mapping("environ{", "}"),
    re.Pattern: _print_pattern,
    BaseException: _print_exception,
    **dict.fromkeys((int, str, bytes, range, slice, bool, type(None), types.MethodType), _print_repr),
}
