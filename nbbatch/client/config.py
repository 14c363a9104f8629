"""Settings: which backend, and what a job gets when its line does not say.

Later sources win: the defaults; the user's file (`config.toml` in platformdirs' configuration
folder for `nbbatch`); the project's `nbbatch.toml`, in the working folder or the nearest one above
it; the environment (`NBBATCH_BACKEND`, `NBBATCH_QUEUE`, ...). Options of a call win over all of them.

::

    backend = "local"
    queue = "default"
    vcpus = 2
    memory = "4G"
    image = "python:3.12-slim"
    value_limit = "500M"

    [backends.prod]
    kind = "aws"
    region = "eu-central-1"
    profile = "research"
    queue = "analysis"
    store = "s3://bucket/prefix"
    image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/research:3"
    job_role = "nbbatch-job"
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nbbatch.errors import ConfigurationError, OptionError, UnknownNameError
from nbbatch.model.resources import parse_memory, parse_vcpus

PROJECT_FILE, USER_FILE = "nbbatch.toml", "config.toml"
KINDS = ("local", "aws")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendConfig:
    """A place where jobs run. `home` is a local daemon's folder; the rest is for AWS, see docs/aws.md."""

    name: str
    kind: str = "local"
    home: str | None = None
    region: str | None = None
    profile: str | None = None
    queue: str | None = None
    store: str | None = None
    image: str | None = None
    job_role: str | None = None
    execution_role: str | None = None
    log_group: str | None = None
    endpoint_url: str | None = None


LOCAL = BackendConfig(name="local")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What was set; None where nothing was.

    Parameters
    ----------
    backend : str
        Name of the backend that jobs go to.
    queue, image : str or None
        Default job queue and image.
    vcpus : float or None
        Default number of vCPUs.
    memory : int or None
        Default memory in MiB.
    value_limit : int or None
        Bytes above which a value is not sent.
    backends : mapping of str to BackendConfig
        By name; `local` is always there.
    """

    backend: str = "local"
    queue: str | None = None
    vcpus: float | None = None
    memory: int | None = None
    image: str | None = None
    value_limit: int | None = None
    backends: Mapping[str, BackendConfig] = field(default_factory=lambda: MappingProxyType({"local": LOCAL}))

    def find_backend(self, name: str | None = None) -> BackendConfig:
        """Settings of a backend, the default one without a name.

        Raises
        ------
        UnknownNameError
            When there is none of that name; names the nearest.
        """
        wanted = name or self.backend
        known = self.backends.get(wanted)
        if known is None:
            raise UnknownNameError(
                f"There is no backend {wanted!r}.", cure=_nearest(wanted, self.backends, "There are")
            )
        return known


def home() -> Path:
    """The local daemon's folder: `$NBBATCH_HOME`, or the user's data folder for nbbatch."""
    given = os.environ.get("NBBATCH_HOME")
    if given:
        return Path(given).expanduser().resolve()
    import platformdirs  # noqa: PLC0415 - not needed where the home is set

    return platformdirs.user_data_path("nbbatch")


def load_config(folder: Path | None = None) -> Config:
    """Read the settings that hold in a folder, by default the working folder.

    Raises
    ------
    ConfigurationError
        When a file cannot be read, or a key or value in it is not one; names file, key and cure.
    """
    settings: dict[str, Any] = {}
    backends: dict[str, BackendConfig] = {"local": LOCAL}
    for path in (_user_file(), _project_file(folder or Path.cwd())):
        if path is not None:
            found = _read_file(path)
            backends |= _read_backends(found.pop("backends", {}), str(path))
            settings |= _read_settings(found, str(path))
    settings |= _read_environment(os.environ)
    return Config(**settings, backends=MappingProxyType(backends))


def _user_file() -> Path | None:
    import platformdirs  # noqa: PLC0415 - several milliseconds that not every import needs

    path = platformdirs.user_config_path("nbbatch") / USER_FILE
    return path if path.is_file() else None


def _project_file(folder: Path) -> Path | None:
    candidates = (parent / PROJECT_FILE for parent in (folder, *folder.parents))
    return next((path for path in candidates if path.is_file()), None)


def _read_file(path: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - most projects have no file

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error}.", cure="Correct it, or move it away."
        ) from error


def _read_settings(found: Mapping[str, Any], source: str) -> dict[str, Any]:
    return {key: _read_value(_READERS, key, value, source) for key, value in found.items()}


def _read_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    given = {key: environment.get(f"NBBATCH_{key.upper()}") for key in _READERS}
    return _read_settings({key: value for key, value in given.items() if value}, "the environment")


def _read_backends(found: Any, source: str) -> dict[str, BackendConfig]:
    if not isinstance(found, dict) or not all(isinstance(table, dict) for table in found.values()):
        raise ConfigurationError(f"backends in {source} is no table.", cure="Write [backends.NAME].")
    return {
        name: _read_backend(name, table, f"[backends.{name}] of {source}") for name, table in found.items()
    }


def _read_backend(name: str, table: Mapping[str, Any], source: str) -> BackendConfig:
    known = {key.name: _text for key in fields(BackendConfig) if key.name != "name"}
    values = {key: _read_value(known, key, value, source) for key, value in table.items()}
    kind = values.get("kind", "local")
    if kind not in KINDS:
        raise ConfigurationError(
            f"kind = {kind!r} in {source} is not known.", cure=f"Use {' or '.join(KINDS)}."
        )
    return BackendConfig(name=name, **values)


def _read_value(readers: Mapping[str, Callable[[Any], Any]], key: str, value: Any, source: str) -> Any:
    reader = readers.get(key)
    if reader is None:
        raise ConfigurationError(
            f"{key!r} in {source} is not a setting.", cure=_nearest(key, readers, "Settings are")
        )
    try:
        return reader(value)
    except (OptionError, TypeError) as error:
        raise ConfigurationError(f"{key} = {value!r} in {source} is not right: {error}") from error


def _nearest(word: str, known: Mapping[str, Any], otherwise: str) -> str:
    close = get_close_matches(word, known, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"{otherwise}: {', '.join(sorted(known))}."


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("it is no text.")
    return value


def _bytes(value: Any) -> int:
    return parse_memory(value) << 20


_READERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "backend": _text,
        "queue": _text,
        "vcpus": parse_vcpus,
        "memory": parse_memory,
        "image": _text,
        "value_limit": _bytes,
    }
)
