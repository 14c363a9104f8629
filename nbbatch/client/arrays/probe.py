"""The first items of a function that was never measured, run ahead of its array, to choose the chunk.

A million quick items in ten thousand children take as long as ten thousand starts; items that last
minutes must have a child each. Nobody knows which it is before some have run. So a small job, named
`<name>-probe`, runs the items from the first on until a third of a second is over. The array is submitted
with a chunk chosen by that, on the same bundle, and its first child takes what the probe has done as if
an earlier attempt of its own had. If the first item is not over after a second it is slow: then each
child gets one item, and the first child waits for the probe instead of running that item again.

Only where a job starts within moments, which is on this machine; on AWS a host may take minutes to come.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nbbatch.client.arrays.chunks import Chunk, choose_chunk, in_words
from nbbatch.client.arrays.indexes import INDEXES, PROBE, RETRY_BASE
from nbbatch.client.backend import get_backend
from nbbatch.client.bundle import Packed
from nbbatch.client.handles.outcome import short_id
from nbbatch.client.jobs import Job
from nbbatch.client.options import Options
from nbbatch.client.store import Store
from nbbatch.client.submission import send, weighing

FEWEST = 200
"""Items from which on a probe pays: fewer children start sooner than one finds out."""
BUDGET = 0.3
"""Seconds in which the probe begins new items."""
SLOW = 1.0
"""Seconds after which an item that is not over counts as slow."""
PATIENCE = 3.0
"""Seconds in which the probe must have begun: where jobs wait for room nothing is lost by small children."""
_LOOK = 0.1
_PROBE_SECONDS = "NBBATCH_PROBE_SECONDS"
_BLOCK = 50
"""Rows of a table in a block while nobody knows the chunk."""
_LOCK, _ITEMS = "results/0.lock", "results/0.0.items"


@dataclass(frozen=True, slots=True)
class Probed:
    """What was found: the bundle with its chunk settled, and the chunk in words."""

    packed: Packed
    chunk: Chunk


def is_worthwhile(chunk: Chunk, items: int, options: Options) -> bool:
    """Whether to probe: many items of unknown length, and nothing that ties a job to one place."""
    has_ties = (options.depends, options.cache, options.files, options.workdir, options.fetch)
    is_open = chunk.is_guess and items >= FEWEST and not any(has_ties) and weighing.get() is None
    return is_open and get_backend(options.backend).tells_changes


def block_of(chunk: Chunk) -> int:
    """Items that are packed together before the chunk is known."""
    return max(chunk.size, _BLOCK)


def probe(packed: Packed, options: Options, *, name: str, items: int, guess: Chunk, slots: int) -> Probed:
    """Run the first items of a packed array, and choose its chunk by what they took.

    Parameters
    ----------
    guess : Chunk
        What is taken where the probe tells nothing.
    slots : int
        Children that the queue can run at once.
    """
    store = get_backend(options.backend).store
    if packed.upstream.references:
        return _settled(store, packed, guess, items)
    job = _start(packed, options, name)
    try:
        has_begun = _await(job, store, packed.bundle_id)
    except BaseException:
        job.terminate("Interrupted while its array was being submitted")
        raise
    took = _measured(store, packed.bundle_id) if job.done() else ()
    chunk = _chosen(took, items, guess, slots, options.timeout)
    told = {PROBE: job.id} if has_begun else {}
    packed = replace(packed, environment={**packed.environment, **told})
    why = f"{chunk.why}, in job {short_id(job.id)}" if took else chunk.why
    return _settled(store, packed, replace(chunk, why=why), items)


def _start(packed: Packed, options: Options, name: str) -> Job:
    told = {_PROBE_SECONDS: str(BUDGET), RETRY_BASE: "-1", INDEXES: "0"}
    alone = replace(packed, array_size=None, environment={**packed.environment, **told})
    own = replace(options, name=f"{(options.name or name)[:120]}-probe", retries=0)
    backend = options.backend or get_backend().name
    return Job(send(alone, own, name=own.name or name), backend=backend, name=own.name or name)


def _await(job: Job, store: Store, bundle_id: str) -> bool:
    """Wait until the probe has ended or its first item is slow; whether it has begun."""
    started, begun = time.monotonic(), 0.0
    while not job.wait(_LOOK):
        now = time.monotonic()
        begun = begun or (now if store.exists(bundle_id, _LOCK) else 0.0)
        if begun and now - begun > SLOW:
            return True
        if not begun and now - started > PATIENCE and job.cancel("Its array does not wait for it"):
            return False
    return True


def _measured(store: Store, bundle_id: str) -> Sequence[float]:
    """Seconds of each item that the probe has ended."""
    try:
        with store.open(bundle_id, _ITEMS) as file:
            lines = [json.loads(line) for line in file if line.endswith(b"\n")]
    except FileNotFoundError:
        return ()
    return [entry["seconds"] for entries in lines for entry in entries if "seconds" in entry]


def _chosen(took: Sequence[float], items: int, guess: Chunk, slots: int, timeout: int | None) -> Chunk:
    if not took:
        return guess
    seconds = sum(took) / len(took)
    chunk = choose_chunk("auto", items, seconds=seconds, slots=slots, timeout=timeout)
    first = f"the first {len(took):,} items" if len(took) > 1 else "the first item"
    return Chunk(size=min(items, max(chunk.size, len(took))), why=f"{first} took {in_words(seconds)} each")


def _settled(store: Store, packed: Packed, chunk: Chunk, items: int) -> Probed:
    """Write the chunk into the bundle: nothing but the probe, for which it is all one, has read it."""
    with store.open(packed.bundle_id, "manifest.json") as file:
        manifest = json.load(file)
    store.replace_manifest(packed.bundle_id, json.dumps({**manifest, "chunk": chunk.size}).encode())
    return Probed(replace(packed, array_size=-(-items // chunk.size)), chunk)
