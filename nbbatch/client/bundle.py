"""Pack what a job runs into a bundle: code, values by name, local modules, and how to start them.

What a caller fills in is in `packing/payloads.py`, what it gets back is here (`Packed` with its `Receipt`). How
a payload becomes a manifest is in `packing/contents.py`, files sent along are in `files/workdir.py`, names that
a cell needs in `packing/names.py`, which of them may go in `packing/guards.py`, values as bytes in
`packing/capture.py`, what came back in `results.py`. The other end of the manifest is `nbbatch.runner`.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from nbbatch.client.files.workdir import Files, choose
from nbbatch.client.images.preflight import Preflight
from nbbatch.client.packing.capture import size_text
from nbbatch.client.packing.contents import fill
from nbbatch.client.packing.digest import (
    CODE_VARIABLE,
    CONTENT_VARIABLE,
    OF_CELL,
    content_digest,
    digest,
    entry_key,
    manifest_digest,
)
from nbbatch.client.packing.parcel import ASK_BYTES, LIMIT_BYTES, Parcel, Sent
from nbbatch.client.packing.payloads import Call, Cell, Payload
from nbbatch.client.pipelines.dependencies import Upstream
from nbbatch.client.store import Store

_CODE_WORDS = (
    ("function", "function", "functions"),
    ("class", "class", "classes"),
    ("module", "local module", "local modules"),
)


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
    code, digest : str
        What is the same for every run of the same code, and for every run of it with the same values.
    upstream : Upstream
        Jobs whose values are among what was packed.
    """

    bundle_id: str
    url: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    array_size: int | None
    receipt: Receipt
    code: str = ""
    digest: str = ""
    upstream: Upstream = field(default_factory=Upstream)


def pack(
    payload: Payload,
    store: Store,
    *,
    namespace: Mapping[str, Any] | None = None,
    files: Files | None = None,
    preflight: Callable[[Collection[str]], Preflight] | None = None,
    python: str = "python3",
    is_same_environment: bool = False,
    local_modules: bool = True,
    limit_bytes: int = LIMIT_BYTES,
    ask_bytes: int = ASK_BYTES,
) -> Packed:
    """Put a payload into the store.

    Parameters
    ----------
    payload : Cell, Call, Command or Notebook
        What to run.
    store : Store
        Where; a `DryStore` only weighs.
    namespace : mapping, optional
        The notebook's variables, in which its functions look up their globals; `__main__`'s by default.
    files : Files, optional
        What the job finds in its working directory, and what comes back from there.
    preflight : callable, optional
        Given the top-level names of files that are sent along, makes the look at the job's image.
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
    EnvironmentMismatchError
        The image surely lacks a module, or has another Python.
    UnpicklableError
        Names the variable and the attribute that cannot travel.
    ValueTooLargeError
        A value is over its limit; names the option that sends it.
    StoreError
        The store cannot be written; nothing half is left in it.
    """
    variables = vars(sys.modules["__main__"]) if namespace is None else namespace
    parcel = Parcel(store, variables, limit_bytes=limit_bytes, ask_bytes=ask_bytes)
    chosen = choose(files) if files else None  # before anything is kept: it may be refused
    if preflight is not None and _runs_python(payload):
        parcel.look_at(preflight({_top(name) for name in chosen.members} if chosen else ()))
    fill(parcel, payload)
    if files and chosen:
        parcel.add_files(files, chosen)
    _add_surroundings(parcel, with_modules=local_modules, is_same=is_same_environment)
    return _sealed(parcel, python)


def _add_surroundings(parcel: Parcel, *, with_modules: bool, is_same: bool) -> None:
    """What Python needs around the payload; a notebook is text, which any version reads."""
    match parcel.manifest["kind"]:
        case "cell" | "call":
            parcel.check_modules()
            parcel.add_environment(with_modules=with_modules, is_same=is_same)
        case "notebook":
            parcel.add_paths(with_modules=with_modules, is_same=is_same)


def _runs_python(payload: Payload) -> bool:
    return isinstance(payload, Call) or (isinstance(payload, Cell) and payload.language == "python")


def _top(name: str) -> str:
    """What a file sent along can be imported as."""
    return name.partition("/")[0].removesuffix(".py")


def _sealed(parcel: Parcel, python: str) -> Packed:
    bundle_id, url = parcel.seal()
    code, store = _code_of(parcel), parcel.captor.store
    own = {"NBBATCH_BUNDLE": url, CODE_VARIABLE: code}
    own[CONTENT_VARIABLE] = content_digest(parcel.manifest, parcel.functions)
    return Packed(
        bundle_id=bundle_id,
        url=url,
        command=store.command(bundle_id, python),
        environment={**own, **store.environment(), **parcel.environment},
        array_size=parcel.array_size,
        receipt=Receipt(
            sent=tuple(parcel.sent),
            back=parcel.back,
            held_back=parcel.held_back,
            warnings=parcel.warnings(),
        ),
        code=code,
        digest=manifest_digest(parcel.manifest, parcel.functions),
        upstream=Upstream(references=tuple(parcel.references.found), paired=parcel.paired),
    )


def _code_of(parcel: Parcel) -> str:
    """Digest of the code alone: a cell's or script's source, a called function, a command's words."""
    manifest = parcel.manifest
    if "function" in manifest:
        key = entry_key(manifest["function"])
        return parcel.functions.get(key) or digest(key)
    source = manifest.get("source")
    return ("" if source is None else OF_CELL) + digest([source, manifest.get("argv")])
