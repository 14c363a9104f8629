"""What of a notebook a form is read against: settings, variables, and what it calls nbbatch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from nbbatch.client.config import load_config
from nbbatch.jupyter.launcher.reading import Scene


def scene_of(shell: Any) -> Scene:
    """The scene as it is now.

    Raises
    ------
    ConfigurationError
        A file of settings is wrong.
    """
    names = {} if shell is None else shell.user_ns
    return Scene(config=load_config(), names=frozenset(names), module=_module(names))


def names_of(namespace: Mapping[str, Any], wanted: Callable[[Any], bool]) -> list[str]:
    """Variables of a person whose value is of a kind."""
    mine = [name for name in [*namespace] if name[0] != "_" and name not in ("In", "Out")]
    return sorted(name for name in mine if wanted(namespace.get(name)))


def _module(namespace: Mapping[str, Any]) -> str:
    """The shortest name by which a notebook has imported nbbatch."""
    found = [
        name
        for name, value in [*namespace.items()]
        if isinstance(value, ModuleType) and value.__name__ == "nbbatch" and name[0] != "_"
    ]
    return min(found, key=len, default="")
