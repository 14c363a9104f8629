"""How values of the model are written into rows and events into the log: as JSON, by msgspec.

An event is `[now, kind, members]`, where the kind is its class's name. Members that a newer version
added have defaults, so older rows can be read; a row that cannot be read is a `StoreError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar, get_args

import msgspec

from nbbatch.errors import StoreError
from nbbatch.model.events import Event, JobSubmitted
from nbbatch.model.jobs import JobId, JobStatus
from nbbatch.scheduler.state import STATUSES

T = TypeVar("T")
Counts = Mapping[JobStatus, int]

encode = msgspec.json.Encoder().encode
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}
_KINDS: Mapping[str, type[Any]] = MappingProxyType({kind.__name__: kind for kind in get_args(Event)})


def decode(kind: type[T], data: bytes) -> T:
    """Read one value of a row.

    Raises
    ------
    StoreError
        When the bytes are not what this version writes.
    """
    decoder = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS[kind] = msgspec.json.Decoder(kind)
    try:
        value: T = decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise StoreError(
            f"A row of the database cannot be read: {error}.",
            cure="Move nbbatch.db away to start anew, and report this with it.",
        ) from error
    return value


def encode_events(events: Sequence[tuple[int, Event]], jobs: Mapping[JobId, bytes]) -> bytes:
    """One tick's events as one value; `jobs` are those that it submitted, encoded already."""
    return encode([(now, type(event).__name__, _members(event, jobs)) for now, event in events])


def _members(event: Event, jobs: Mapping[JobId, bytes]) -> Any:
    if not isinstance(event, JobSubmitted):
        return event
    return {"job": msgspec.Raw(jobs[event.job.id]), "finished_dependencies": event.finished_dependencies}


def decode_events(data: bytes) -> list[tuple[int, Event]]:
    """The events of one tick."""
    rows = decode(list[tuple[int, str, msgspec.Raw]], data)
    return [(now, decode(_kind(name), bytes(raw))) for now, name, raw in rows]


def _kind(name: str) -> type[Any]:
    if name not in _KINDS:
        raise StoreError(
            f"The event log holds a {name!r}, which this version does not know.", cure="Upgrade nbbatch."
        )
    return _KINDS[name]


def decode_counts(data: bytes | None) -> Counts | None:
    """Number of children by status; None for a job that is no array."""
    return None if data is None else dict(zip(STATUSES, decode(list[int], data), strict=True))
