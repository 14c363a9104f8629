"""`%batch config` and `%batch backend`: what holds, where it comes from, and how to change it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nbbatch.client.config import BackendConfig, home, load_config
from nbbatch.client.format import dollars, memory, size
from nbbatch.client.handles.outcome import duration_in_words
from nbbatch.client.origins import Setting, presets_of, settings_of
from nbbatch.client.tables import Table
from nbbatch.jupyter.commands import Call
from nbbatch.jupyter.console import console_for

_HINT = "%config BatchMagics.NAME = ... sets one for this session, NAME = ... in nbbatch.toml for the project"

_WRITTEN: Mapping[str, Callable[[Any], str]] = {
    "memory": memory,
    "value_limit": size,
    "max_cost": dollars,
    "timeout": duration_in_words,
    "vcpus": "{:g}".format,
    "spot": lambda wanted: "yes" if wanted else "no",
}


def show_config(shell: Any, call: Call, _backend: str | None) -> Table:
    """`%batch config [--preset NAME] [--backend NAME]`: settings, values and origins."""
    config = load_config()
    settings = [*settings_of(config, **call.options), *presets_of(config)]
    console_for(shell).line(_HINT)
    return Table(("setting", "value", "from"), [(one.name, in_words(one), one.source) for one in settings])


def in_words(setting: Setting) -> str:
    """A setting's value as it would be written; empty where nobody set it and nbbatch does not either."""
    if setting.value is None:
        return ""
    return _WRITTEN.get(setting.name, str)(setting.value)


def use_backend(shell: Any, call: Call, _backend: str | None) -> Table | None:
    """`%batch backend [NAME]`: the backends as a table, or another one for this session."""
    config, console = load_config(), console_for(shell)
    if call.job:
        chosen = config.find_backend(call.job)
        shell.magics_manager.registry["BatchMagics"].set_trait("backend", chosen.name)
        console.line(f"cells and calls of this session go to {chosen.name} ({where(chosen)})")
        return None
    used = config.find_backend().name
    source = next(one.source for one in settings_of(config) if one.name == "backend")
    console.line(f"{used} is used ({source}) · %batch backend NAME changes it for this session")
    rows = [_row(one, used) for one in config.backends.values()]
    return Table(("backend", "kind", "where", "queue", "used"), rows)


def where(place: BackendConfig) -> str:
    """Where a backend is, in words."""
    if place.kind == "local":
        return f"this machine, {place.home or home()}"
    parts = [place.region, place.profile and f"profile {place.profile}", place.store]
    return ", ".join(filter(None, parts)) or "AWS, by its own settings"


def _row(place: BackendConfig, used: str) -> tuple[str, ...]:
    is_used = "← used" if place.name == used else ""
    return place.name, place.kind, where(place), place.queue or "", is_used
