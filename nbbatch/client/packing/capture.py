"""One value into the store: pickled, within its limit, or an error that says what cannot travel.

The walk that finds the attribute to blame runs only after pickling has failed. It looks for the
deepest part that does not pickle by itself, with a budget of time, and tells a cure by its type.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FunctionType, MethodType
from typing import Any

from nbbatch.client.store import Sink, Store
from nbbatch.errors import NbbatchError, UnpicklableError, ValueTooLargeError
from nbbatch.runner import pickling
from nbbatch.runner.items import write_items
from nbbatch.runner.pickling import Rules

_SECONDS = 3.0
"""How long the walk may take; what it has found by then is told."""
_DEPTH = 30

_CURES: Mapping[str, str] = {
    "generator": "Make it a list first, or create it inside the job.",
    "TextIOWrapper": "Send its path or its content, and open it inside the job.",
    "BufferedReader": "Send its path or its content, and open it inside the job.",
    "BufferedWriter": "Open it inside the job.",
    "lock": "Create it inside the job, or leave it out of the object's __getstate__.",
    "RLock": "Create it inside the job, or leave it out of the object's __getstate__.",
    "Thread": "Start it inside the job.",
    "socket": "Open it inside the job.",
    "Connection": "Open it inside the job, and send what it needs to connect.",
    "Cursor": "Fetch its rows first.",
    "module": "Import it inside the job.",
    "frame": "Send the values it holds instead.",
    "Process": "Start it inside the job.",
}


class Captor:
    """Puts values into a store, by rules shared between all values of one payload.

    Parameters
    ----------
    store : Store
        Takes what is too large for the manifest.
    rules : Rules
        Collects the names, modules and files that the pickles refer to.
    limit_bytes : int
        No value may be larger, pickled.
    likely : dict
        Blob by variable name as last sent; kept from one payload to the next by the caller.
    """

    def __init__(self, store: Store, rules: Rules, *, limit_bytes: int, likely: dict[str, str]) -> None:
        self.store = store
        self.rules = rules
        self._limit = limit_bytes
        self._likely = likely
        self.new: set[str] = set()

    def keep(self, name: str, value: Any, *, limit: int | None = None, cure: str = "") -> dict[str, Any]:
        """Keep a value and return its entry for the manifest.

        Parameters
        ----------
        name : str
            How the user knows it, for errors.
        value : Any
            What to keep.
        limit : int, optional
            Bytes it may have, where that is less than in general.
        cure : str
            What to do when it has more.

        Raises
        ------
        UnpicklableError, ValueTooLargeError, StoreError
        """
        room = self._limit if limit is None else min(limit, self._limit)

        def spill(dump: pickling.Dump) -> dict[str, Any]:
            return self._put(name, lambda sink: dump(_Bounded(sink, room, name, cure)))

        try:
            return pickling.encode(value, spill, self.rules, fatal=NbbatchError)
        except NbbatchError:
            raise
        except Exception as error:
            raise self.unpicklable(name, value, error) from error

    def keep_items(self, name: str, items: Sequence[Any]) -> dict[str, Any]:
        """Keep the items of an array as one blob in which each can be read by itself."""
        for dump, more in ((pickling.dump_plain, {}), (pickling.dump_cloud, {"is_cloud": True})):
            try:
                return {**self._put(name, self._items_writer(name, items, dump)), **more}
            except NbbatchError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever a __reduce__ raises
                failure = error
        position, item = next(
            (each for each in enumerate(items) if not _travels(each[1], self.rules)), (0, items)
        )
        raise self.unpicklable(f"{name}[{position}]", item, failure) from failure

    def _items_writer(
        self, name: str, items: Sequence[Any], dump: Callable[..., None]
    ) -> Callable[[Sink], None]:
        def write(sink: Sink) -> None:
            bounded = _Bounded(sink, self._limit, name, "")
            write_items(items, bounded, lambda item, file: dump(item, file, self.rules))

        return write

    def unpicklable(self, name: str, value: Any, error: Exception) -> UnpicklableError:
        """Find what is to blame and say so."""
        if any(isinstance(each, RecursionError) for each in (error, error.__cause__, error.__context__)):
            return UnpicklableError(
                f"{name} is nested too deeply to be pickled.", cure="Send it in a flatter form."
            )
        path, culprit = blame(name, value, self.rules)
        kind = type(culprit)
        full_name = (
            kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        )
        cure = _CURES.get(kind.__name__, "Leave it out, or create it inside the job.")
        return UnpicklableError(
            f"{path} is a {full_name}, which cannot travel to the job ({error}).", cure=cure
        )

    def _put(self, name: str, write: Callable[[Sink], object]) -> dict[str, Any]:
        blob = self.store.put_blob(write, likely=self._likely.get(name, ""))
        self._likely[name] = blob.name
        if blob.is_new:
            self.new.add(blob.name)
        return {"blob": blob.name, "size": blob.size}


class _Bounded:
    """A sink that refuses more than a value may have."""

    def __init__(self, sink: Sink, room: int, name: str, cure: str) -> None:
        self._sink = sink
        self._room = room
        self._limit = room
        self._name = name
        self._cure = cure

    def write(self, data: Any) -> int:
        self._room -= memoryview(data).nbytes
        if self._room < 0:
            raise ValueTooLargeError(
                f"{self._name} is larger than {size_text(self._limit)} when packed.",
                cure=self._cure
                or "Write it to a file or to S3 and read it in the job, or send a part of it.",
            )
        return self._sink.write(data)


def size_text(size: int) -> str:
    """Say a number of bytes with two or three digits, as in 1.2 MB; units of 1000."""
    if size < 1000:  # noqa: PLR2004 - the unit's own base, here and below
        return f"{size} B"
    value = float(size)
    units = ["TB", "GB", "MB", "kB"]
    while (value := value / 1000) >= 999.5 and len(units) > 1:  # noqa: PLR2004
        units.pop()
    return f"{value:.0f} {units[-1]}" if value >= 9.95 else f"{value:.1f} {units[-1]}"  # noqa: PLR2004


def blame(name: str, value: Any, rules: Rules) -> tuple[str, Any]:
    """Find the deepest part of a value that does not pickle by itself.

    Returns
    -------
    tuple
        Its path from `name`, such as `model.pool[0].lock`, and the part.
    """
    deadline = time.monotonic() + _SECONDS
    seen: set[int] = set()
    for _ in range(_DEPTH):
        seen.add(id(value))
        for suffix, part in _parts(value):
            if time.monotonic() > deadline:
                return name, value
            if id(part) not in seen and not _travels(part, rules):
                name, value = f"{name}{suffix}", part
                break
        else:
            break
    return name, value


def _travels(value: Any, rules: Rules) -> bool:
    probe = Rules(rules.namespace, {})
    try:
        pickling.dump_cloud(value, _Nowhere(), probe)
    except Exception:  # noqa: BLE001 - whatever a __reduce__ raises
        return False
    return True


class _Nowhere:
    def write(self, data: Any) -> int:
        return memoryview(data).nbytes


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """What pickling a value would pickle, each with how to reach it."""
    match value:
        case Mapping():
            yield from ((f"[{key!r}]", each) for key, each in value.items())
        case list() | tuple() | set() | frozenset():
            yield from ((f"[{number}]", each) for number, each in enumerate(value))
        case FunctionType():
            yield from _parts_of_function(value)
        case MethodType():
            yield (".__self__", value.__self__)
        case type():
            yield from ((f".{name}", each) for name, each in vars(value).items())
        case _:
            yield from _state(value)


def _parts_of_function(function: FunctionType) -> Iterator[tuple[str, Any]]:
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    for name, cell in cells:
        with contextlib.suppress(ValueError):  # a variable that was not bound yet
            yield f" → {name}", cell.cell_contents
    for number, default in enumerate(function.__defaults__ or ()):
        yield f" → default {number + 1}", default
    yield from ((f".{name}", each) for name, each in vars(function).items())


def _state(value: Any) -> Iterator[tuple[str, Any]]:
    try:
        state = value.__getstate__()
    except Exception:  # noqa: BLE001 - the very reason why it does not pickle, then it is to blame itself
        return
    for each in state if isinstance(state, tuple) else (state,):
        if isinstance(each, dict):
            yield from ((f".{name}", part) for name, part in each.items())
