"""Pack what a job runs into a bundle: code, values by name, local modules, and how to start them.

The nouns a caller fills in are here (`Cell`, `Call`, `Command`), and what it gets back (`Packed`
with its `Receipt`). Which names a cell needs is in `names.py`, which of them may go is in
`guards.py`, how a value becomes bytes in `capture.py`, what came back in `results.py`. The other
end of the manifest is `nbbatch.runner`.
"""

from __future__ import annotations

import linecache
import shlex
import sys
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from nbbatch.client.capture import Captor, size_text
from nbbatch.client.carried import cloudpickle_zip, runner_zip
from nbbatch.client.guards import held_back
from nbbatch.client.localmodules import local_modules as find_local_modules
from nbbatch.client.localmodules import pack_modules
from nbbatch.client.names import Names, read_names
from nbbatch.client.store import Sink, Store
from nbbatch.errors import OptionError, UnknownNameError
from nbbatch.runner.payload import MANIFEST_VERSION
from nbbatch.runner.pickling import Rules
from nbbatch.version import __version__

_CODE_WORDS = (
    ("function", "function", "functions"),
    ("class", "class", "classes"),
    ("module", "local module", "local modules"),
)
_LIKELY: dict[str, str] = {}
"""Blob by name of the variable, as last sent by this process."""

LIMIT_BYTES = 2 << 30
"""No value may be larger, packed."""
ASK_BYTES = 256 << 20
"""A value that nobody named (see `Cell.named`) may not be larger, packed."""
WARN_BYTES = 64 << 20
"""Above this the receipt warns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A notebook cell.

    Parameters
    ----------
    source : str
        As in the notebook; IPython syntax included.
    language : str
        `python`, `bash`, or a command line that gets the script file as its last word, such as `Rscript`.
    inputs : mapping
        Values by name: `choose_inputs(read_names(source), namespace).values`, or those of `--in`.
        What their functions read of the namespace is found and added by `pack`.
    named : set of str
        The inputs the user named; they pass the guards for credentials and `ASK_BYTES`.
    modules : mapping
        Imported modules by the name the cell knows them under: `{"np": "numpy"}`.
    held_back : mapping
        `Chosen.held_back`: a NameError in the job says why, and the receipt lists it.
    outputs : sequence of str, optional
        Names that must come back; None: `candidates`, as far as they can travel.
    candidates : sequence of str
        Names the cell assigns; empty: `read_names(source).returns`.
    items : sequence, optional
        An array: the cell runs once for each, under the name `item_name` (a script: `$ITEM` and `$1`).
    chunk : int
        Items per child, one after the other, each in a fresh namespace.
    label : str
        File name shown in tracebacks, such as `In [5]`.
    """

    source: str
    language: str = "python"
    inputs: Mapping[str, Any] = field(default_factory=dict)
    named: Set[str] = frozenset()
    modules: Mapping[str, str] = field(default_factory=dict)
    held_back: Mapping[str, str] = field(default_factory=dict)
    outputs: Sequence[str] | None = None
    candidates: Sequence[str] = ()
    item_name: str = "item"
    items: Sequence[Any] | None = None
    chunk: int = 1
    label: str = "cell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function's call, or with `calls` one per child of an array.

    Parameters
    ----------
    function : callable
        Defined anywhere: notebook, local module, installed package.
    args, kwargs : sequence, mapping
        Arguments of every call.
    calls : sequence of (args, kwargs), optional
        Of each call of an array; its args go before `args`, its kwargs over `kwargs`.
    chunk : int
        Calls per child: child `i` makes the calls `i * chunk` and following.
    """

    function: Any
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    calls: Sequence[tuple[Sequence[Any], Mapping[str, Any]]] | None = None
    chunk: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program with files: only for images that have python3; others need no bundle at all.

    Parameters
    ----------
    argv : sequence of str
        The program and its arguments.
    files : mapping or sequence of paths
        Files of this machine, placed in the working directory; a mapping says under which name.
    fetch : sequence of str
        Glob patterns of files to bring back.
    """

    argv: Sequence[str]
    files: Mapping[str, str] | Sequence[str] = ()
    fetch: Sequence[str] = ()


Payload = Cell | Call | Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One line of the receipt: `kind` is value, function, class, module or file; sizes in bytes."""

    name: str
    kind: str
    size: int
    is_new: bool = True
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What goes and what comes back; `str()` is the middle of the magic's first line."""

    sent: tuple[Sent, ...]
    back: tuple[str, ...]
    held_back: Mapping[str, str]
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        """As in `sends df (1.2 MB), model (340 kB), 2 functions · back: scores`."""
        parts = [
            f"{each.name} ({size_text(each.size)})" for each in self.sent if each.kind in ("value", "file")
        ]
        counts = Counter(each.kind for each in self.sent)
        for kind, *words in _CODE_WORDS:
            if counts[kind]:
                parts.append(f"{counts[kind]} {words[counts[kind] > 1]}")
        back = f" · back: {', '.join(self.back)}" if self.back else ""
        return f"sends {', '.join(parts) or 'the code only'}{back}"

    @property
    def size(self) -> int:
        """Bytes of everything sent."""
        return sum(each.size for each in self.sent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A bundle in its store, ready to be submitted.

    Parameters
    ----------
    bundle_id, url : str
        `url` is what NBBATCH_BUNDLE holds.
    command : tuple of str
        The job's command.
    environment : mapping
        Variables the job needs in addition to the user's.
    array_size : int, optional
        Number of children, which may be 1 (then submit a plain job: its index is 0); None: no array.
    """

    bundle_id: str
    url: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    array_size: int | None
    receipt: Receipt


def pack(
    payload: Payload,
    store: Store,
    *,
    namespace: Mapping[str, Any] | None = None,
    python: str = "python3",
    is_same_environment: bool = False,
    local_modules: bool = True,
    limit_bytes: int = LIMIT_BYTES,
    ask_bytes: int = ASK_BYTES,
) -> Packed:
    """Put a payload into the store.

    Parameters
    ----------
    payload : Cell, Call or Command
        What to run.
    store : Store
        Where; a `DryStore` only weighs.
    namespace : mapping, optional
        The notebook's variables, in which its functions look up their globals; `__main__`'s by default.
    python : str
        The interpreter in the job: `sys.executable` where the job sees this environment.
    is_same_environment : bool
        The job sees this machine's Python installation: the kernel's `sys.path` is restored there.
    local_modules : bool
        Send the source of the modules of the project folder that the payload imports.
    limit_bytes, ask_bytes : int
        Largest packed value, and the largest one that goes without being named.

    Raises
    ------
    UnpicklableError
        Names the variable and the attribute that cannot travel.
    ValueTooLargeError
        A value is over its limit; names the option that sends it.
    StoreError
        The store cannot be written; nothing half is left in it.
    """
    variables = vars(sys.modules["__main__"]) if namespace is None else namespace
    rules = Rules(variables, known={})
    captor = Captor(store, rules, limit_bytes=limit_bytes, likely=_LIKELY)
    parcel = _Parcel(captor, ask_bytes=ask_bytes)
    match payload:
        case Cell(language="python"):
            _add_cell(parcel, payload)
        case Cell():
            _add_script(parcel, payload)
        case Call():
            _add_call(parcel, payload)
        case Command():
            _add_command(parcel, payload)
    if parcel.manifest["kind"] in ("cell", "call"):
        parcel.add_environment(with_modules=local_modules, is_same=is_same_environment)
    return parcel.close(python)


class _Parcel:
    """A bundle being filled: manifest, blobs, receipt."""

    def __init__(self, captor: Captor, *, ask_bytes: int) -> None:
        self.captor = captor
        self.manifest: dict[str, Any] = {"version": MANIFEST_VERSION, "client": __version__}
        self.array_size: int | None = None
        self.back: tuple[str, ...] = ()
        self.imports: set[str] = set()
        self._ask_bytes = ask_bytes
        self._sent: list[Sent] = []
        self._held: dict[str, str] = {}
        self._blobs: dict[str, str] = {}

    def keep(self, name: str, value: Any, *, is_named: bool, because: str = "") -> dict[str, Any]:
        """Keep a value and put it on the receipt."""
        asked = f"If the job needs it, name it: --in {name} (up to {size_text(LIMIT_BYTES)})."
        entry = self.captor.keep(
            name, value, limit=None if is_named else self._ask_bytes, cure="" if is_named else asked
        )
        size = entry.get("size", len(entry.get("data", "")) * 3 // 4)
        is_new = entry.get("blob") is None or entry["blob"] in self.captor.new
        self._sent.append(Sent(name=name, kind=_kind(value), size=size, is_new=is_new, because=because))
        return self._linked(entry)

    def keep_items(self, name: str, items: Sequence[Any], chunk: int) -> None:
        """Keep the items of an array."""
        if not items:
            raise OptionError(
                "The array has no items, so there is nothing to run.", cure="Give at least one item."
            )
        if chunk < 1:
            raise OptionError(f"chunk is {chunk}: each child runs at least one item.")
        entry = self._linked(self.captor.keep_items(name, items))
        self.manifest["items"] = {**entry, "count": len(items), "chunk": chunk}
        self.array_size = ceil(len(items) / chunk)

    def keep_inputs(self, values: Mapping[str, Any], modules: Mapping[str, str], named: Set[str]) -> None:
        """Keep variables, then those that their functions read, and so on."""
        self.manifest |= {"inputs": {}, "modules": dict(modules)}
        for name, value in values.items():
            self.manifest["inputs"][name] = self.keep(name, value, is_named=name in named)
        self.keep_needs(named)

    def keep_needs(self, named: Set[str] = frozenset()) -> None:
        """Keep what functions that go by value read of the notebook, as far as it is there."""
        done = {*self.manifest["inputs"], *self.manifest["modules"], *self._held}
        while missing := [name for name in self.captor.rules.needs if name not in done]:
            done.update(missing)
            values = {name: self.captor.rules.namespace[name] for name in missing}
            self._held |= held_back({name: value for name, value in values.items() if name not in named})
            for name, value in values.items():
                if isinstance(value, ModuleType):
                    self.manifest["modules"][name] = value.__name__
                elif name not in self._held:
                    entry = self.keep(name, value, is_named=name in named, because="a function reads it")
                    self.manifest["inputs"][name] = entry

    def add_environment(self, *, with_modules: bool, is_same: bool) -> None:
        """Add what makes the job's Python like this one: version, paths, local modules, cloudpickle."""
        self.manifest["python"] = "{}.{}".format(*sys.version_info[:2])
        self.manifest["held_back"] = self._held
        self.manifest["sources"] = self.manifest.get("sources", {}) | _sources(self.captor.rules.files)
        self.manifest["path"] = [str(Path(folder).absolute()) for folder in sys.path] if is_same else []
        self.manifest["cloudpickle"] = None if is_same else self._put(cloudpickle_zip())
        if with_modules:
            self._add_local_modules()

    def _add_local_modules(self) -> None:
        names = {*self.imports, *self.manifest["modules"].values(), *self.captor.rules.modules}
        modules = find_local_modules(names)
        if not modules:
            return
        self.manifest["local_modules"] = self._put(pack_modules(modules))
        # Only an unpacked package finds its data files; code alone is imported from the zip.
        self.manifest["unpacks_modules"] = any(
            place.is_dir() and _has_data(place) for place in modules.values()
        )
        self._sent += [Sent(name=name, kind="module", size=0) for name in modules]

    def place(self, name: str, path: Path) -> dict[str, Any]:
        """Keep a file that is to be in the working directory."""
        if not path.is_file():
            raise UnknownNameError(
                f"There is no file {path}.", cure="Check the path; it is relative to the notebook."
            )

        def write(sink: Sink) -> None:
            with path.open("rb") as file:
                while part := file.read(1 << 20):
                    sink.write(part)

        blob = self.captor.store.put_blob(write)
        self._sent.append(Sent(name=name, kind="file", size=blob.size, is_new=blob.is_new))
        return {**self._linked({"blob": blob.name}), "mode": path.stat().st_mode & 0o777 | 0o600}

    def hold_back(self, held: Mapping[str, str]) -> None:
        """Remember what the user is told was not sent."""
        self._held |= held

    def close(self, python: str) -> Packed:
        """Make the bundle appear in the store."""
        store = self.captor.store
        bundle_id = str(uuid.uuid4())
        runner = self._put(runner_zip())
        blobs = {**self._blobs, "runner.pyz": runner}
        url = store.create_bundle(bundle_id, manifest=msgspec.json.encode(self.manifest), blobs=blobs)
        folder = url.removeprefix("file://")
        return Packed(
            bundle_id=bundle_id,
            url=url,
            command=(python, f"{folder}/runner.pyz", folder),
            environment={"NBBATCH_BUNDLE": url},
            array_size=self.array_size,
            receipt=Receipt(
                sent=tuple(self._sent), back=self.back, held_back=self._held, warnings=self._warnings()
            ),
        )

    def _warnings(self) -> tuple[str, ...]:
        large = [each for each in self._sent if each.size > WARN_BYTES and each.is_new]
        return tuple(
            f"{each.name} is large ({size_text(each.size)}); sending it takes time" for each in large
        )

    def _linked(self, entry: dict[str, Any]) -> dict[str, Any]:
        if "blob" in entry:
            self._blobs[f"blobs/{entry['blob']}"] = entry["blob"]
        return entry

    def _put(self, content: bytes) -> str:
        blob = self.captor.store.put_blob(lambda sink: sink.write(content))
        self._blobs[f"blobs/{blob.name}"] = blob.name
        return blob.name


def _add_cell(parcel: _Parcel, cell: Cell) -> None:
    names = read_names(cell.source, label=cell.label)
    candidates = cell.candidates or names.returns
    outputs = None if cell.outputs is None else list(cell.outputs)
    parcel.manifest |= {
        "kind": "cell",
        "label": cell.label,
        "source": names.python,
        "is_ipython": names.is_ipython,
        "outputs": outputs,
        "candidates": list(candidates),
        "item_name": cell.item_name,
        "sources": {cell.label: _shown_source(cell.source, names)},
    }
    parcel.back = tuple(candidates if outputs is None else outputs)
    parcel.imports |= set(names.imports)
    parcel.hold_back(cell.held_back)
    parcel.keep_inputs(cell.inputs, cell.modules, frozenset(cell.named))
    if cell.items is not None:
        parcel.keep_items(cell.item_name, cell.items, cell.chunk)
        parcel.keep_needs(frozenset(cell.named))


def _shown_source(source: str, names: Names) -> str:
    """The cell as the user wrote it, unless its lines would not be those that run."""
    is_same_length = source.count("\n") == names.python.rstrip("\n").count("\n")
    return source if is_same_length else names.python


def _add_script(parcel: _Parcel, cell: Cell) -> None:
    is_bash = cell.language == "bash"
    for name in (*cell.inputs, *(cell.outputs or ()), cell.item_name):
        if not (name.isidentifier() and name.isascii()):
            raise OptionError(f"{name!r} cannot be the name of a shell variable.")
    parcel.manifest |= {
        "kind": "script",
        "argv": ["bash", "-e"] if is_bash else shlex.split(cell.language),
        "source": cell.source,
        "file_name": "cell.sh" if is_bash else "cell",
        "keeps_variables": is_bash,
        "variables": {name: _shell_text(name, value) for name, value in cell.inputs.items()},
        "outputs": list(cell.outputs or ()),
        "item_name": cell.item_name,
    }
    parcel.back = tuple(cell.outputs or ())
    if cell.items is not None:
        parcel.keep_items(cell.item_name, cell.items, cell.chunk)


def _shell_text(name: str, value: Any) -> str:
    if isinstance(value, str | int | float):
        return str(value)
    raise OptionError(
        f"{name} is a {type(value).__name__}: only text and numbers become variables of a script.",
        cure="Write it to a file and send that, or use a Python cell.",
    )


def _add_call(parcel: _Parcel, call: Call) -> None:
    parcel.manifest |= {"kind": "call", "label": "call", "inputs": {}, "modules": {}}
    name = getattr(call.function, "__name__", type(call.function).__name__)
    parcel.manifest["function"] = parcel.keep(name, call.function, is_named=True)
    parcel.manifest["args"] = [
        parcel.keep(f"argument {number}", value, is_named=True)
        for number, value in enumerate(call.args, start=1)
    ]
    parcel.manifest["kwargs"] = {
        key: parcel.keep(key, value, is_named=True) for key, value in call.kwargs.items()
    }
    if call.calls is not None:
        calls = [(tuple(args), dict(kwargs)) for args, kwargs in call.calls]
        parcel.keep_items("calls", calls, call.chunk)
    parcel.keep_needs()


def _add_command(parcel: _Parcel, command: Command) -> None:
    files = (
        command.files
        if isinstance(command.files, Mapping)
        else {Path(each).name: each for each in command.files}
    )
    for name in files:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise OptionError(f"{name!r} is not a path inside the job's working directory.")
    parcel.manifest |= {
        "kind": "command",
        "argv": list(command.argv),
        "placed": {name: parcel.place(name, Path(path)) for name, path in files.items()},
        "fetch": list(command.fetch),
    }


def _kind(value: Any) -> str:
    if isinstance(value, type):
        return "class"
    return "function" if callable(value) and hasattr(value, "__code__") else "value"


def _sources(files: Iterable[str]) -> dict[str, str]:
    """Source of the notebook cells that functions come from, for the tracebacks."""
    return {name: "".join(lines) for name in sorted(files) if (lines := linecache.getlines(name))}


def _has_data(folder: Path) -> bool:
    return any(path.is_file() and path.suffix not in (".py", ".pyc", ".pyi") for path in folder.rglob("*"))
