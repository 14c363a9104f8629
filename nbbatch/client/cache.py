"""Results that are there already: the same code, values and environment need not run again.

With the option `cache` a job that succeeded is noted under a key made of all that could change its
result: the packed manifest (code, inputs, items, files, local modules), the image, definition or
installed packages, and its environment variables. Where it runs, how large and how long it may be does
not count. The notes lie in the store beside the bundles, so another machine with the same store finds
them, too. A note is believed only while the job is known, has succeeded, and its bundle is there.
"""

from __future__ import annotations

import json
import sys
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from nbbatch.client.arrays.indexes import bundle_of
from nbbatch.client.backend import Backend, get_backend
from nbbatch.client.bundle import Packed
from nbbatch.client.capacity import definition_of
from nbbatch.client.handles.outcome import Detail
from nbbatch.client.options import Options
from nbbatch.client.packing.digest import digest
from nbbatch.client.summaries import describe_all
from nbbatch.errors import StoreError

_EPOCH = "cache-epoch"
"""Bundle that holds a word of every key: with another one, all notes are forgotten."""
_PACKAGES = ("site-packages", "dist-packages")


def find_cached(packed: Packed, options: Options) -> str | None:
    """Id of the newest job that did the same and whose result is there; None without one.

    Parameters
    ----------
    packed : Packed
        From `pack_for`.
    options : Options
        With defaults, from `resolve`.
    """
    backend = get_backend(options.backend)
    noted = _read(backend, _note_id(backend, packed, options))
    if noted is None:
        return None
    details = describe_all(backend, [noted["job"]])
    return noted["job"] if any(_is_there(backend, one) for one in details) else None


def remember(packed: Packed, options: Options, job_id: str) -> None:
    """Note a job that was just submitted; it counts once it has succeeded."""
    backend = get_backend(options.backend)
    _write(backend, _note_id(backend, packed, options), {"job": job_id})


def cache_clear(*, backend: str | None = None) -> None:
    """Forget which results are there, so that everything runs again; the results stay with their jobs.

    Parameters
    ----------
    backend : str, optional
        A configured backend; the default one otherwise.
    """
    _write(get_backend(backend), _EPOCH, {"epoch": uuid.uuid4().hex})


def _is_there(backend: Backend, detail: Detail) -> bool:
    bundle_id = bundle_of(detail)
    return detail["status"] == "SUCCEEDED" and bool(bundle_id) and backend.store.exists(bundle_id)


def _note_id(backend: Backend, packed: Packed, options: Options) -> str:
    epoch = (_read(backend, _EPOCH) or {}).get("epoch", "")
    variables = dict(sorted(options.env.items()))
    return f"cache-{digest([epoch, packed.digest, packed.array_size, variables, _surroundings(backend, options)])}"


def _surroundings(backend: Backend, options: Options) -> list[Any]:
    """What the job will find around it: an image, a revision of a definition, or what is installed here."""
    if options.definition:
        definition = definition_of(backend, options.definition) or {}
        return [options.definition, definition.get("revision")]
    if not backend.sees_this_python(options):
        return [backend.suited(options).image]
    folders = [Path(folder) for folder in sys.path if Path(folder).name in _PACKAGES]
    return [sys.version, sys.prefix, *(_installed(folder) for folder in folders)]


def _installed(folder: Path) -> list[Any]:
    """A folder of packages; installing, upgrading and removing one changes the folder itself."""
    try:
        return [str(folder), folder.stat().st_mtime_ns]
    except OSError:
        return [str(folder)]


def _read(backend: Backend, note_id: str) -> dict[str, Any] | None:
    with suppress(FileNotFoundError, ValueError), backend.store.open(note_id, "manifest.json") as file:
        content: dict[str, Any] = json.load(file)
        return content
    return None


def _write(backend: Backend, note_id: str, content: dict[str, Any]) -> None:
    """Replace a note; of two who do so at once, one prevails."""
    backend.store.delete(note_id)
    try:
        backend.store.create_bundle(note_id, manifest=json.dumps(content).encode(), blobs={})
    except StoreError:
        if not backend.store.exists(note_id):
            raise
