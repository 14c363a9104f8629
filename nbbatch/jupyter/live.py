"""Live values for completion, asked only of a daemon that runs already."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from nbbatch.client.backend import Backend, get_backend
from nbbatch.client.capacity import queue_names
from nbbatch.client.config import home, load_config
from nbbatch.client.daemon_process import running_pid
from nbbatch.client.handles.handle import Handle
from nbbatch.client.handles.outcome import short_id
from nbbatch.client.listing import jobs
from nbbatch.client.spec import HOST_IMAGE, OWN_NAME
from nbbatch.jupyter.completion import Live

_KEEP = 5.0
"""Seconds that an answer is good for: Tab is pressed several times in a row."""
_NEWEST = 50
"""Jobs a completion offers."""


def live_values(shell: Any) -> Live:
    """Where completion gets its values from for a shell."""
    newest = _kept(_newest)
    return Live(
        queues=_kept(lambda: queue_names(get_backend()) if is_reachable() else []),
        jobs=lambda: [*handles_of(shell.user_ns), *newest()],
        backends=lambda: load_config().backends,
        presets=lambda: load_config().presets,
        definitions=_kept(lambda: definitions_of(get_backend()) if is_reachable() else []),
        images=_kept(lambda: images_of(get_backend()) if is_reachable() else []),
        variables=lambda: variables_of(shell.user_ns, shell.user_ns_hidden),
    )


def is_reachable() -> bool:
    """Whether asking the default backend starts nothing: its daemon runs, or it is not local."""
    place = load_config().find_backend()
    return place.kind != "local" or bool(running_pid(Path(place.home) if place.home else home()))


def handles_of(namespace: Mapping[str, Any]) -> list[str]:
    """Variables that hold a job's handle."""
    return [name for name, value in namespace.items() if isinstance(value, Handle) and name[0] != "_"]


def definitions_of(backend: Backend) -> list[str]:
    """Registered job definitions, by name and with each revision; not those that nbbatch made."""
    known = [one for one in _definitions(backend) if not OWN_NAME.fullmatch(one["jobDefinitionName"])]
    names = [one["jobDefinitionName"] for one in known]
    return [*names, *(f"{one['jobDefinitionName']}:{one['revision']}" for one in known)]


def images_of(backend: Backend) -> list[str]:
    """Images that definitions name, and those that the Docker Engine here has."""
    named = {(one.get("containerProperties") or {}).get("image", "") for one in _definitions(backend)}
    return sorted({*named, *_tags_here()} - {"", HOST_IMAGE})


def _definitions(backend: Backend) -> list[Mapping[str, Any]]:
    with backend.errors():
        pages = backend.batch.get_paginator("describe_job_definitions").paginate(status="ACTIVE")
        return [one for page in pages for one in page["jobDefinitions"]]


def _tags_here() -> list[str]:
    """Tags of the engine's images; none where no engine answers at once."""
    import docker  # noqa: PLC0415 - only a Tab behind --image needs it

    try:
        client = docker.from_env(timeout=1)
    except docker.errors.DockerException:
        return []
    try:
        return [tag for image in client.api.images() for tag in image.get("RepoTags") or ()]
    except (docker.errors.DockerException, OSError):
        return []
    finally:
        client.close()


def variables_of(namespace: dict[str, Any], hidden: Iterable[str] = ()) -> list[str]:
    """Names a person has assigned: no modules, nothing of IPython's own."""
    return [
        name
        for name, value in namespace.items()
        if not name.startswith("_") and name not in hidden and not isinstance(value, ModuleType)
    ]


def _newest() -> list[str]:
    return [short_id(row.id) for row in jobs(limit=_NEWEST)] if is_reachable() else []


def _kept(ask: Callable[[], Iterable[str]]) -> Callable[[], Iterable[str]]:
    """The answer, asked again only when it is old."""
    answer: list[str] = []
    due = 0.0

    def get() -> Iterable[str]:
        nonlocal due
        if time.monotonic() >= due:
            answer[:] = ask()
            due = time.monotonic() + _KEEP
        return answer

    return get
