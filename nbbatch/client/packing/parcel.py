"""A bundle being filled: manifest, blobs, and what the receipt will say of them.

Values that functions of the notebook read travel with them, found while the functions are pickled;
so do the local modules that pickles and code refer to. What each kind of payload needs beyond that
is in `bundle.py`.
"""

from __future__ import annotations

import linecache
import sys
import uuid
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import msgspec

from nbbatch.client.arrays.inputs import Blocks, table_of
from nbbatch.client.files.fetched import FETCH_VARIABLE
from nbbatch.client.files.workdir import Chosen, Files, Member, index_of, keep
from nbbatch.client.handles.references import References
from nbbatch.client.images.preflight import Preflight
from nbbatch.client.packing.bytecode import global_names, submodules
from nbbatch.client.packing.capture import Captor, size_text
from nbbatch.client.packing.carried import cloudpickle_zip, runner_zip
from nbbatch.client.packing.digest import entry_key, function_digest
from nbbatch.client.packing.guards import held_back
from nbbatch.client.packing.localmodules import local_modules, pack_modules
from nbbatch.client.packing.settings import settings_of
from nbbatch.client.store import Store
from nbbatch.errors import OptionError
from nbbatch.runner.payload import MANIFEST_VERSION
from nbbatch.runner.pickling import Rules
from nbbatch.version import __version__

LIMIT_BYTES = 2 << 30
"""No value may be larger, packed."""
ASK_BYTES = 256 << 20
"""A value that nobody named (see `Cell.named`) may not be larger, packed."""
WARN_BYTES = 64 << 20
"""Above this the receipt warns."""


UPSTREAM = "upstream"
"""File of a bundle: URLs of the bundles whose results it reads, one a line."""

_LIKELY: dict[str, str] = {}
"""Blob by name of the variable, as last sent by this process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One line of the receipt: `kind` is value, function, class, module or file; sizes in bytes."""

    name: str
    kind: str
    size: int
    is_new: bool = True
    because: str = ""


class Parcel:
    """A bundle being filled.

    Parameters
    ----------
    store : Store
        Where it will be.
    namespace : mapping
        The notebook's variables.
    limit_bytes, ask_bytes : int
        Largest packed value, and the largest one that goes without being named.
    """

    def __init__(
        self, store: Store, namespace: Mapping[str, Any], *, limit_bytes: int, ask_bytes: int
    ) -> None:
        rules = Rules(namespace, known={})
        self.captor = Captor(store, rules, limit_bytes=limit_bytes, likely=_LIKELY)
        self.manifest: dict[str, Any] = {"version": MANIFEST_VERSION, "client": __version__}
        self.array_size: int | None = None
        self.back: tuple[str, ...] = ()
        self.imports: set[str] = set()
        self.codes: list[CodeType] = []
        self._ask_bytes = ask_bytes
        self.sent: list[Sent] = []
        self.held_back: dict[str, str] = {}
        self.functions: dict[str, str] = {}
        self.references = References()
        self.paired: frozenset[str] = frozenset()
        self.environment: dict[str, str] = {}
        self.preflight: Preflight | None = None
        self._notes: tuple[str, ...] = ()
        self._blobs: dict[str, str] = {}

    def take_references(self) -> None:
        """From here on, where a value is a job's handle, the job's own value will arrive."""
        self.captor.rules.replace = self.references.replace

    def keep(self, name: str, value: Any, *, is_named: bool, because: str = "") -> dict[str, Any]:
        """Keep a value and put it on the receipt."""
        asked = f"If the job needs it, name it: --in {name} (up to {size_text(LIMIT_BYTES)})."
        entry = self.captor.keep(
            name, value, limit=None if is_named else self._ask_bytes, cure="" if is_named else asked
        )
        size = entry.get("size", len(entry.get("data", "")) * 3 // 4)
        is_new = entry.get("blob") is None or entry["blob"] in self.captor.new
        self.sent.append(Sent(name=name, kind=_kind(value), size=size, is_new=is_new, because=because))
        if code := function_digest(value):
            self.functions[entry_key(entry)] = code
        return self._linked(entry)

    def keep_items(self, name: str, items: Sequence[Any], chunk: int) -> None:
        """Keep the items of an array; the rows of a table as one block for each child."""
        if not len(items):
            raise OptionError(
                "The array has no items, so there is nothing to run.", cure="Give at least one item."
            )
        if chunk < 1:
            raise OptionError(f"chunk is {chunk}: each child runs at least one item.")
        table, rows = table_of(items), 0
        if table is not None:
            rows = chunk
            kept = self.captor.keep_items(name, Blocks(table, rows))
        else:
            kept = self.captor.keep_items(name, items)
        entry = {**self._linked(kept), "count": len(items), "rows": rows}
        self.manifest |= {"items": entry, "chunk": chunk}
        self.array_size = ceil(len(items) / chunk)

    def keep_list(self, name: str, items: Sequence[Any]) -> dict[str, Any]:
        """Keep a list of which each item can be read by itself; gives its entry."""
        return self._linked(self.captor.keep_items(name, items))

    def keep_text(self, name: str, text: str) -> str:
        """Keep a text as a file; gives its blob."""
        content = text.encode()
        self.sent.append(Sent(name=name, kind="file", size=len(content)))
        return self._put(content)

    def keep_inputs(
        self, values: Mapping[str, Any], modules: Mapping[str, str], named: AbstractSet[str]
    ) -> None:
        """Keep variables, then those that their functions read, and so on."""
        self.manifest |= {"inputs": {}, "modules": dict(modules)}
        for name, value in values.items():
            self.manifest["inputs"][name] = self.keep(name, value, is_named=name in named)
        self.keep_needs(named)

    def keep_needs(self, named: AbstractSet[str] = frozenset()) -> None:
        """Keep what functions that go by value read of the notebook, as far as it is there."""
        done = {*self.manifest["inputs"], *self.manifest["modules"], *self.held_back}
        while missing := [name for name in self._needs() if name not in done]:
            done.update(missing)
            values = {name: self.captor.rules.namespace[name] for name in missing}
            self.held_back |= held_back({name: value for name, value in values.items() if name not in named})
            for name, value in values.items():
                if isinstance(value, ModuleType):
                    self.manifest["modules"][name] = value.__name__
                elif name not in self.held_back:
                    entry = self.keep(name, value, is_named=name in named, because="a function reads it")
                    self.manifest["inputs"][name] = entry

    def _needs(self) -> list[str]:
        """What functions that went by value so far read of the notebook."""
        read = (name for code in self.captor.rules.codes for name in global_names(code))
        return [name for name in dict.fromkeys(read) if name in self.captor.rules.namespace]

    def look_at(self, preflight: Preflight) -> None:
        """Look at the job's image, whose Python must fit, before anything is kept."""
        self.preflight = preflight
        preflight.check_python()

    def check(self, needs: Mapping[str, str]) -> None:
        """Look whether the image has these modules, before more is kept; see `preflight.py`."""
        if self.preflight is not None:
            self.preflight.check(needs)

    def check_modules(self) -> None:
        """The same for what the values that go refer to."""
        self.check(
            dict.fromkeys(sorted(self.captor.rules.modules), "a value that is sent is made of it")
            | dict.fromkeys(self.manifest["modules"].values(), "the notebook's import")
        )

    def add_environment(self, *, with_modules: bool, is_same: bool) -> None:
        """Add what makes the job's Python like this one: version, paths, local modules, cloudpickle."""
        self.manifest["python"] = "{}.{}".format(*sys.version_info[:2])
        self.manifest["held_back"] = self.held_back
        codes = self.captor.rules.codes
        self.manifest["submodules"] = submodules(self.manifest["modules"].values(), [*self.codes, *codes])
        self.manifest["sources"] = self.manifest.get("sources", {}) | _sources(
            code.co_filename for code in codes
        )
        self.manifest["settings"] = settings_of()
        self.manifest["cloudpickle"] = None if is_same else self._put(cloudpickle_zip())
        self.add_paths(with_modules=with_modules, is_same=is_same)

    def add_paths(self, *, with_modules: bool, is_same: bool) -> None:
        """Add where modules are found: this Python's paths where the job sees it, and the local modules."""
        self.manifest["path"] = [str(Path(folder).absolute()) for folder in sys.path] if is_same else []
        if with_modules:
            self._add_local_modules()

    def _add_local_modules(self) -> None:
        names = {*self.imports, *self.manifest["modules"].values(), *self.captor.rules.modules}
        modules = local_modules(names)
        if not modules:
            return
        self.manifest["local_modules"] = self._put(pack_modules(modules))
        # Only an unpacked package finds its data files; code alone is imported from the zip.
        self.manifest["unpacks_modules"] = any(
            place.is_dir() and _has_data(place) for place in modules.values()
        )
        self.sent += [Sent(name=name, kind="module", size=0) for name in modules]

    def add_files(self, files: Files, chosen: Chosen) -> None:
        """Keep files that the job shall find in its working directory, and note what it shall bring back."""
        members = chosen.members
        if members:
            rows, is_new = keep(members, self.captor.store.put_blob)
            for _, _, blob, _, _ in rows:
                self._linked({"blob": blob} if blob else {})
            self.manifest["files"] = self._put(index_of(rows))
            self.sent += [_group(name, group, is_new) for name, group in chosen.groups.items()]
        if files.fetch:
            self.manifest |= {"fetch": list(files.fetch), "fetch_to": files.fetch_to}
            self.environment[FETCH_VARIABLE] = files.fetch_to or "."
            self.back += files.fetch
        self._notes += chosen.notes

    def hold_back(self, values: Mapping[str, Any]) -> None:
        """Note which of these values, which the code reads and nobody sends, are credentials."""
        self.held_back |= held_back(values)

    def seal(self) -> tuple[str, str]:
        """Make the bundle appear in the store; gives its id and URL."""
        bundle_id = str(uuid.uuid4())
        self._note_upstream()
        blobs = {**self._blobs, "runner.pyz": self._put(runner_zip())}
        url = self.captor.store.create_bundle(
            bundle_id, manifest=msgspec.json.encode(self.manifest), blobs=blobs
        )
        return bundle_id, url

    def _note_upstream(self) -> None:
        """Say which earlier bundles the job reads: in the manifest, and for who mounts them in a file."""
        urls = list(dict.fromkeys(one.url for one in self.references.found))
        if urls:
            self.manifest["upstream"] = urls
            self._blobs[UPSTREAM] = self.captor.store.put_blob(
                lambda sink: sink.write("\n".join(urls).encode())
            ).name

    def warnings(self) -> tuple[str, ...]:
        """Say which values are large, and which files of a folder stay here."""
        large = [each for each in self.sent if each.size > WARN_BYTES and each.is_new]
        unknown = self.preflight.notes() if self.preflight is not None else ()
        return (
            self._notes
            + unknown
            + tuple(f"{each.name} is large ({size_text(each.size)}); sending it takes time" for each in large)
        )

    def _linked(self, entry: dict[str, Any]) -> dict[str, Any]:
        if "blob" in entry:
            self._blobs[f"blobs/{entry['blob']}"] = entry["blob"]
        return entry

    def _put(self, content: bytes) -> str:
        blob = self.captor.store.put_blob(lambda sink: sink.write(content))
        self._blobs[f"blobs/{blob.name}"] = blob.name
        return blob.name


def _group(name: str, members: Sequence[Member], is_new: Mapping[str, bool]) -> Sent:
    """The receipt's line for one thing asked for: a file, or all of a folder or a pattern."""
    found = [member for member in members if member.path is not None]
    told = name if [member.name for member in found] == [name] else _files_of(len(found), name)
    size = sum(member.size for member in found)
    return Sent(name=told, kind="file", size=size, is_new=any(is_new[member.name] for member in found))


def _files_of(count: int, name: str) -> str:
    """As in `3 files of data/*.csv`."""
    return f"{count:,} {'file' if count == 1 else 'files'} of {name}"


def _kind(value: Any) -> str:
    if isinstance(value, type):
        return "class"
    return "function" if callable(value) and hasattr(value, "__code__") else "value"


def _sources(files: Iterable[str]) -> dict[str, str]:
    """Source of the notebook cells that functions come from, for the tracebacks."""
    return {name: "".join(lines) for name in sorted(set(files)) if (lines := linecache.getlines(name))}


def _has_data(folder: Path) -> bool:
    return any(path.is_file() and path.suffix not in (".py", ".pyc", ".pyi") for path in folder.rglob("*"))
