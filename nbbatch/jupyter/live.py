"""Live values for completion, asked only of a daemon that runs already."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from nbbatch.client.backend import get_backend
from nbbatch.client.capacity import queue_names
from nbbatch.client.config import home, load_config
from nbbatch.client.daemon_process import running_pid
from nbbatch.client.listing import jobs
from nbbatch.client.outcome import short_id
from nbbatch.jupyter.completion import Live

_KEEP = 5.0
"""Seconds that an answer is good for: Tab is pressed several times in a row."""
_NEWEST = 50
"""Jobs a completion offers."""


def live_values(shell: Any) -> Live:
    """Where completion gets its values from for a shell."""
    return Live(
        queues=_kept(lambda: queue_names(get_backend()) if is_reachable() else []),
        jobs=_kept(lambda: [short_id(row.id) for row in jobs(limit=_NEWEST)] if is_reachable() else []),
        backends=lambda: load_config().backends,
        variables=lambda: variables_of(shell.user_ns, shell.user_ns_hidden),
    )


def is_reachable() -> bool:
    """Whether asking the default backend starts nothing: its daemon runs, or it is not local."""
    place = load_config().find_backend()
    return place.kind != "local" or bool(running_pid(Path(place.home) if place.home else home()))


def variables_of(namespace: dict[str, Any], hidden: Iterable[str] = ()) -> list[str]:
    """Names a person has assigned: no modules, nothing of IPython's own."""
    return [
        name
        for name, value in namespace.items()
        if not name.startswith("_") and name not in hidden and not isinstance(value, ModuleType)
    ]


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
