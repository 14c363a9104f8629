"""Values to bytes and back, by one rule for both sides of a job.

Plain pickle first: cheap, and readable without cloudpickle. A function of the notebook goes by
value, bound to `__main__` of the process that loads it and not to copies of the globals it reads:
functions share the notebook's variables in the job as they do in the notebook, and those variables
travel by name, each once and visible on the receipt. What plain pickle cannot do, classes of the
notebook and closures above all, cloudpickle does, with its functions bound in the same way.

Pickles are streamed in protocol 5: buffers of arrays go to and come from the file without a copy.
"""

from __future__ import annotations

import binascii
import importlib
import io
import marshal
import pickle
import sys
from types import FunctionType, ModuleType

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType
    from typing import Any

    Dump = Callable[[Any], None]

INLINE_BYTES = 4096
"""Pickles up to this size stand in the manifest itself."""


class NotPlainError(Exception):
    """Plain pickle would refer to something that is not there on the other side."""


class Rules:
    """What may be referred to by name, and a record of what was met while pickling.

    Parameters
    ----------
    namespace : dict
        `__main__`'s variables on this side.
    known : dict
        Those of them that the other side has under the same name; the client's notebook knows
        nothing of the job's, so there it is empty.

    Attributes
    ----------
    modules : set of str
        Modules that the pickles refer to.
    codes : dict
        Code of the functions that went by value and read the namespace.
    offer_cloudpickle : callable
        Called before cloudpickle is imported.
    replace : callable
        Recipe for an object that goes as something else; NotImplemented for all others.
    """

    def __init__(self, namespace: Mapping[str, Any], known: dict[str, Any]) -> None:
        self.namespace = namespace
        self.known = known
        self.modules: set[str] = set()
        self.codes: dict[CodeType, None] = {}
        self.offer_cloudpickle: Callable[[], object] = int
        self.replace: Callable[[Any], Any] = _as_it_is

    def note(self, thing: Any) -> None:
        """Record where a function, a class or a module comes from."""
        name = thing.__name__ if isinstance(thing, ModuleType) else getattr(thing, "__module__", None)
        if isinstance(name, str):
            self.modules.add(name)

    def is_known(self, thing: Any) -> bool:
        """Whether the other side has this very function or class of `__main__`."""
        return self.known.get(thing.__qualname__, self) is thing

    def is_bound(self, thing: Any) -> bool:
        """Whether a function reads the namespace."""
        return getattr(thing, "__globals__", None) is self.namespace

    def reduce(self, thing: Any) -> Any:
        """Plain pickle's recipe for a class, function or module; NotImplemented leaves it to pickle.

        Raises
        ------
        NotPlainError
            By name it would not be found on the other side, and by value it is cloudpickle's matter.
        """
        if thing is FunctionType:
            return (getattr, (Module("types"), "FunctionType"))
        if isinstance(thing, ModuleType) and sys.modules.get(thing.__name__) is thing:
            return (importlib.import_module, (thing.__name__,))
        if getattr(thing, "__module__", None) != "__main__" or self.is_known(thing):
            return NotImplemented
        if isinstance(thing, FunctionType) and self.is_bound(thing) and thing.__closure__ is None:
            return self._by_value(thing)
        raise NotPlainError(repr(thing))

    def _by_value(self, function: FunctionType) -> tuple[Any, ...]:
        self.codes[function.__code__] = None
        made = (_Code(function.__code__), _MainGlobals(), function.__name__, function.__defaults__)
        names = ("__qualname__", "__kwdefaults__", "__annotations__", "__doc__")
        return (FunctionType, made, (vars(function), {name: getattr(function, name) for name in names}))

    def bind(self, function: FunctionType, reduced: Any) -> Any:
        """Cloudpickle's recipe for a function, bound to the other side's `__main__`."""
        make, (code, _globals, *rest), (attributes, slots), *more = reduced
        self.codes[function.__code__] = None
        return (make, (code, _MainGlobals(), *rest), (attributes, {**slots, "__globals__": {}}), *more)


def _as_it_is(_thing: Any) -> Any:
    return NotImplemented


class _MainGlobals:
    """Unpickles as the variables of `__main__`."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (getattr, (Module("__main__"), "__dict__"))


class Module:
    """Unpickles as a module."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __reduce__(self) -> tuple[Any, ...]:
        return (importlib.import_module, (self._name,))


class _Code:
    """Unpickles as a code object, in a Python of the same minor version."""

    def __init__(self, code: CodeType) -> None:
        self._code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return (marshal.loads, (marshal.dumps(self._code),))


class PlainPickler(pickle.Pickler):
    """The standard pickler, stopping where it would refer to what only this side has."""

    def __init__(self, file: Any, rules: Rules) -> None:
        super().__init__(file, protocol=5)
        self._rules = rules

    def reducer_override(self, thing: Any) -> Any:
        """Pickle's hook, called for everything that is not a builtin container or scalar."""
        if isinstance(thing, (type, FunctionType, ModuleType)):
            self._rules.note(thing)
            return self._rules.reduce(thing)
        return self._rules.replace(thing)


def dump_plain(value: Any, file: Any, rules: Rules) -> None:
    """Pickle with the standard library alone.

    Raises
    ------
    NotPlainError
        The value refers to something of the notebook.
    """
    PlainPickler(file, rules).dump(value)


def dump_cloud(value: Any, file: Any, rules: Rules) -> None:
    """Pickle with cloudpickle: functions and classes of the notebook by value."""
    _cloud_pickler()(file, rules).dump(value)


_CLOUD: list[Any] = []


def _cloud_pickler() -> Any:
    if not _CLOUD:
        _CLOUD.append(_make_cloud_pickler())
    return _CLOUD[0]


def _make_cloud_pickler() -> Any:
    import cloudpickle

    class CloudPickler(cloudpickle.Pickler):  # type: ignore[misc]
        """Cloudpickle's, with functions of the notebook bound to `__main__`."""

        def __init__(self, file: Any, rules: Rules) -> None:
            super().__init__(file, protocol=5)
            self._rules = rules

        def reducer_override(self, thing: Any) -> Any:
            if isinstance(thing, io.TextIOWrapper) and thing not in (sys.stdout, sys.stderr):
                # Cloudpickle would read the file to its end and send that.
                raise pickle.PicklingError("an open file")
            if not isinstance(thing, (type, FunctionType, ModuleType)):
                replaced = self._rules.replace(thing)
                return super().reducer_override(thing) if replaced is NotImplemented else replaced
            self._rules.note(thing)
            if not isinstance(thing, ModuleType) and self._rules.is_known(thing):
                return thing.__qualname__
            reduced = super().reducer_override(thing)
            is_bound = isinstance(reduced, tuple) and self._rules.is_bound(thing)
            return self._rules.bind(thing, reduced) if is_bound else reduced  # type: ignore[arg-type]

    return CloudPickler


def pickled(value: Any, keep: Callable[[Dump], Any], rules: Rules, fatal: Any = OSError) -> tuple[Any, bool]:
    """Pickle plainly, else by cloudpickle.

    Parameters
    ----------
    value : Any
        What to pickle.
    keep : callable
        Calls the `Dump` it is given, which pickles the value, with a file; when that raises it leaves nothing behind.
    rules : Rules
        Of this side.
    fatal : exception type or tuple of them
        Errors of `keep` that a second try would not mend.

    Returns
    -------
    tuple
        What `keep` returned, and whether cloudpickle is needed to read it.
    """
    try:
        return keep(lambda file: dump_plain(value, file, rules)), False
    except fatal:
        raise
    except Exception:
        rules.offer_cloudpickle()
        return keep(lambda file: dump_cloud(value, file, rules)), True


def encode(value: Any, spill: Callable[[Dump], Any], rules: Rules, fatal: Any = OSError) -> dict[str, Any]:
    """Make a value's entry in a manifest: small ones inline, others what `spill` says of them.

    Returns
    -------
    dict
        `data` (base64) or spill's keys, and `is_cloud` where cloudpickle is needed to read it.
    """
    is_small = type(value) in _SIMPLE and sys.getsizeof(value) <= INLINE_BYTES
    if is_small and len(data := pickle.dumps(value, 5)) <= INLINE_BYTES:
        return {"data": binascii.b2a_base64(data, newline=False).decode("ascii")}

    def keep(dump: Dump) -> dict[str, Any]:
        small = _Small()
        return {"data": small.text()} if small.takes(dump) else dict(spill(dump))

    entry, is_cloud = pickled(value, keep, rules, fatal)
    return {**entry, "is_cloud": True} if is_cloud else dict(entry)


def decode(entry: Mapping[str, Any], read: Callable[[Mapping[str, Any]], Any]) -> Any:
    """Load the value of an entry; `read` opens what is not inline, positioned at its pickle."""
    if "data" in entry:
        return pickle.loads(binascii.a2b_base64(entry["data"]))
    with read(entry) as file:
        return pickle.load(file)


_SIMPLE = frozenset((int, float, bool, str, bytes, type(None)))
"""Nothing in these is the notebook's: a million of them are kept without a pickler each."""


class _OverflowError(Exception):
    """More than fits inline."""


class _Small:
    """A file in memory that refuses to grow."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def takes(self, dump: Dump) -> bool:
        """Whether all of it fits."""
        try:
            dump(self)
        except _OverflowError:
            return False
        return True

    def write(self, data: Any) -> None:
        self._size += memoryview(data).nbytes
        if self._size > INLINE_BYTES:
            raise _OverflowError
        self._parts.append(bytes(data))

    def text(self) -> str:
        return binascii.b2a_base64(b"".join(self._parts), newline=False).decode("ascii")
