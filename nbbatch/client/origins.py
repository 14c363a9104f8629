"""Where each setting comes from: its value, and the file and line or the variable that set it.

The layers of `nbbatch.client.config` know the file; the line is looked for only when somebody asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from nbbatch.client.config import Config, Layer, default_names, variable_of
from nbbatch.client.options import Options
from nbbatch.client.spec import DEFAULT_RESOURCES, queue_of

_TABLE = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?")
_DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting that holds.

    Parameters
    ----------
    name : str
        As it is written in a file; of several pairs with the pair's name: `env.A`.
    value : Any
        In AWS Batch's units; None where nothing was set and the backend decides.
    source : str
        `default`, or who set it: `/path/nbbatch.toml:3`, `NBBATCH_QUEUE`, `BatchMagics.queue`.
    """

    name: str
    value: Any
    source: str


def settings_of(config: Config, *, backend: str | None = None, preset: str | None = None) -> list[Setting]:
    """Every setting as it holds for a backend and a preset.

    Raises
    ------
    UnknownNameError
        When there is no such backend or preset.
    """
    layers = config.layers(backend=backend, preset=preset)
    merged = config.defaults(backend=backend, preset=preset)
    plain = [name for name in default_names() if name not in ("env", "tags")]
    return [
        *(_setting(name, merged, layers) for name in plain),
        *(one for name in ("env", "tags") for one in _pairs(name, merged, layers)),
    ]


def presets_of(config: Config) -> list[Setting]:
    """The presets: options in words, and where each is defined."""
    return [
        Setting(name=f"presets.{name}", value=in_words(layer.options), source=_place_of(layer))
        for name, layer in config.presets.items()
    ]


def in_words(options: Options) -> str:
    """Options that say something: `queue=gpu gpus=1`."""
    given = {one.name: getattr(options, one.name) for one in fields(options)}
    return " ".join(f"{key}={value}" for key, value in given.items() if value not in (None, {}, ()))


def _setting(name: str, merged: Options, layers: Sequence[Layer]) -> Setting:
    value = getattr(merged, name)
    layer = next((one for one in reversed(layers) if getattr(one.options, name) is not None), None)
    if layer is None or value is None or value != getattr(layer.options, name):
        return Setting(name=name, value=_fallback(name, merged), source=_DEFAULT)
    return Setting(name=name, value=value, source=origin(layer, name))


def _fallback(name: str, merged: Options) -> Any:
    """What nbbatch itself gives a job where nobody said."""
    known = {
        "backend": merged.backend,
        "queue": queue_of(merged),
        "vcpus": DEFAULT_RESOURCES.vcpus,
        "memory": DEFAULT_RESOURCES.memory,
    }
    return known.get(name)


def _pairs(name: str, merged: Options, layers: Sequence[Layer]) -> Iterator[Setting]:
    pairs: Mapping[str, str] = getattr(merged, name)
    for key, value in pairs.items():
        layer = next(one for one in reversed(layers) if key in getattr(one.options, name))
        yield Setting(name=f"{name}.{key}", value=value, source=origin(layer, name, key))


def origin(layer: Layer, name: str, key: str = "") -> str:
    """Who set an option of a layer, as precisely as it is known."""
    if layer.path is not None:
        line = line_of(layer.path, layer.table, name, key)
        return f"{layer.path}:{line}" if line else str(layer.path)
    match layer.source:
        case "the environment":
            return variable_of(name)
        case "this session":
            return f"BatchMagics.{name}"
        case other:
            return other


def _place_of(preset: Layer) -> str:
    if preset.path is None:
        return preset.source
    parent, _, name = preset.table.rpartition(".")
    line = line_of(preset.path, parent, name)
    return f"{preset.path}:{line}" if line else str(preset.path)


def line_of(path: Path, table: str, name: str, key: str = "") -> int | None:
    """The line of a TOML file in which a key of a table is set, counted from 1.

    None where it is written in a way that a glance does not find, such as a dotted key.
    """
    here, found = "", None
    inner = f"{table}.{name}".lstrip(".")
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        head = _TABLE.fullmatch(text)
        if head is not None:
            here = head[1].replace('"', "").replace("'", "")
            found = found or (number if here == inner else None)
        elif (here == table and _sets(text, name)) or (key and here == inner and _sets(text, key)):
            return number
    return found


def _sets(text: str, key: str) -> bool:
    return re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", text) is not None
