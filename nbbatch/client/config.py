"""Settings: which backend, and what a job gets when its line does not say.

One order for cells and calls; later sources win (docs/configuration.md): the defaults; the user's
file (`config.toml` in platformdirs' configuration folder for `nbbatch`); the project's
`nbbatch.toml`, in the working folder or the nearest one above it; the table of the backend that is
used; the environment (`NBBATCH_QUEUE`, ...); this session (`nbbatch.client.session`); a preset; the
line. Every source is a `Layer`, so that each value can be told with its origin.

::

    queue = "default"
    memory = "4G"
    value_limit = "500M"
    tags = { team = "blue" }

    [presets.gpu]
    queue = "gpu"
    gpus = 1

    [backends.prod]
    kind = "aws"
    region = "eu-central-1"
    queue = "analysis"
    store = "s3://bucket/prefix"
    image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/research:3"
    job_role = "nbbatch-job"
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nbbatch.client import session
from nbbatch.client.checks import check_backend
from nbbatch.client.options import NOT_DEFAULTS, Options, option_names, read_option
from nbbatch.errors import ConfigurationError, OptionError, UnknownNameError

PROJECT_FILE, USER_FILE = "nbbatch.toml", "config.toml"
KINDS = ("local", "aws")
_NOTHING = Options()
_PAIRS = ("env", "tags")
"""Options of several NAME=VALUE pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendConfig:
    """A place where jobs run. `home` is a local daemon's folder; queue, image and tags are for any.

    Parameters
    ----------
    name, kind : str
        As in `[backends.NAME]`; `local` or `aws`.
    home : str or None
        Folder of a local daemon.
    queue, image : str or None
        For jobs that name none.
    tags : mapping of str to str
        Of every job.
    region, profile, endpoint_url : str or None
        Of the AWS account; another endpoint than AWS's own.
    store : str or None
        Where payloads go: `s3://bucket/prefix`.
    job_role, execution_role, log_group : str or None
        ARNs of the roles a job's containers run and start with; where their logs go.
    """

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
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)


LOCAL = BackendConfig(name="local")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What one source sets.

    Parameters
    ----------
    source : str
        A file's path, `[backends.prod]`, `the environment`, `this session`, `[presets.gpu]`.
    options : Options
        Its values, read.
    path : Path or None
        The file they stand in.
    table : str
        The table of the file, empty for its top.
    """

    source: str
    options: Options
    path: Path | None = None
    table: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What was set, by source.

    Parameters
    ----------
    files : tuple of Layer
        The user's and the project's file, as far as they are there.
    environment, session : Layer
        Environment variables; what was set by hand in this process.
    backends : mapping of str to BackendConfig
        By name; `local` is always there.
    presets : mapping of str to Layer
        By name.
    backend_paths : mapping of str to Path
        The file each backend's table stands in.
    """

    files: tuple[Layer, ...] = ()
    environment: Layer = field(default_factory=lambda: Layer(source="the environment", options=Options()))
    session: Layer = field(default_factory=lambda: Layer(source="this session", options=Options()))
    backends: Mapping[str, BackendConfig] = field(default_factory=lambda: MappingProxyType({"local": LOCAL}))
    presets: Mapping[str, Layer] = field(default_factory=lambda: MappingProxyType({}))
    backend_paths: Mapping[str, Path] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def backend(self) -> str:
        """Name of the backend that jobs go to when their line names none."""
        return self._chosen("")

    def find_backend(self, name: str | None = None) -> BackendConfig:
        """Settings of a backend, the default one without a name.

        Raises
        ------
        UnknownNameError
            When there is none of that name; names the nearest.
        """
        check_backend(name)
        wanted = name or self._chosen("")
        known = self.backends.get(wanted)
        if known is None:
            raise UnknownNameError(
                f"There is no backend {wanted!r}.", cure=_nearest(wanted, self.backends, "There are")
            )
        return known

    def find_preset(self, name: str) -> Layer:
        """A preset by its name.

        Raises
        ------
        UnknownNameError
            When there is none of that name; names the nearest.
        """
        known = self.presets.get(name)
        if known is None:
            otherwise = "There are" if self.presets else "Write [presets.NAME] into nbbatch.toml"
            raise UnknownNameError(
                f"There is no preset {name!r}.", cure=_nearest(name, self.presets, otherwise)
            )
        return known

    def layers(self, *, backend: str | None = None, preset: str | None = None) -> list[Layer]:
        """What holds for a backend and a preset, the weakest first.

        Raises
        ------
        UnknownNameError
            When there is no such backend or preset.
        """
        over = [self.environment, self.session, *([self.find_preset(preset)] if preset else [])]
        place = self.find_backend(backend or self._chosen(preset or ""))
        return [*self.files, self._backend_layer(place), *over]

    def defaults(self, *, backend: str | None = None, preset: str | None = None) -> Options:
        """What a job gets where its line says nothing; `layers` as one, its backend among them."""
        layers = self.layers(backend=backend, preset=preset)
        merged = Options()
        for layer in layers:
            merged = over(layer.options, merged) if layer.options != _NOTHING else merged
        return replace(merged, backend=backend or self._chosen(preset or ""))

    def _chosen(self, preset: str) -> str:
        """Which backend the strongest source names."""
        layers = [*self.files, self.environment, self.session]
        layers += [self.find_preset(preset)] if preset else []
        named = [layer.options.backend for layer in layers if layer.options.backend]
        return named[-1] if named else "local"

    def _backend_layer(self, place: BackendConfig) -> Layer:
        return Layer(
            source=f"[backends.{place.name}]",
            options=Options(queue=place.queue, image=place.image, tags=place.tags),
            path=self.backend_paths.get(place.name),
            table=f"backends.{place.name}",
        )


def over(options: Options, defaults: Options) -> Options:
    """Options over weaker ones, where a queue and what chooses one give way to each other.

    Whoever asks for Spot or GPUs gets the backend's queue for them, not the configured one; whoever
    names a queue has chosen its kind of capacity.
    """
    chooses = options.spot is not None or bool(options.gpus)
    if options.queue is None and chooses:
        defaults = replace(defaults, queue=None)
    elif options.queue is not None and options.spot is None:
        defaults = replace(defaults, spot=None)
    return options.over(defaults)


def home() -> Path:
    """The local daemon's folder: `$NBBATCH_HOME`, or the user's data folder for nbbatch."""
    given = os.environ.get("NBBATCH_HOME")
    if given:
        return Path(given).expanduser().resolve()
    import platformdirs  # noqa: PLC0415 - not needed where the home is set

    return platformdirs.user_data_path("nbbatch")


_working_folder: ContextVar[Path | None] = ContextVar("nbbatch_working_folder", default=None)


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Have the settings of a folder hold for what this thread or task does, as if it were started there."""
    token = _working_folder.set(folder)
    try:
        yield
    finally:
        _working_folder.reset(token)


def working_folder() -> Path:
    """Where this process, or what it does right now, is at work."""
    return _working_folder.get() or Path.cwd()


def load_config(folder: Path | None = None) -> Config:
    """Read the settings that hold in a folder, by default the working folder.

    Raises
    ------
    ConfigurationError
        When a file cannot be read, or a key or value in it is not one; names file, key and cure.
    """
    paths = (user_file(), project_file(folder or working_folder()))
    files = [_read_file(path) for path in paths if path is not None]
    given = session.current()
    return Config(
        files=tuple(file.top for file in files),
        environment=_read_environment(os.environ),
        session=Layer(source="this session", options=given.options),
        backends=MappingProxyType(
            {"local": LOCAL} | {name: one for file in files for name, one in file.backends.items()}
        ),
        presets=MappingProxyType(
            {name: one for file in files for name, one in file.presets.items()}
            | {name: Layer(source="nbbatch.magic", options=one) for name, one in given.presets.items()}
        ),
        backend_paths=MappingProxyType({name: file.path for file in files for name in file.backends}),
    )


def user_file() -> Path | None:
    """The user's own file, if there is one."""
    import platformdirs  # noqa: PLC0415 - several milliseconds that not every import needs

    path = platformdirs.user_config_path("nbbatch") / USER_FILE
    return path if path.is_file() else None


def project_file(folder: Path) -> Path | None:
    """The nearest `nbbatch.toml`, in a folder or above it."""
    candidates = (parent / PROJECT_FILE for parent in (folder, *folder.parents))
    return next((path for path in candidates if path.is_file()), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file of settings, read."""

    path: Path
    top: Layer
    backends: Mapping[str, BackendConfig]
    presets: Mapping[str, Layer]


_files: dict[Path, tuple[tuple[int, int], _File]] = {}
"""Files as they were when last read; every cell asks several times."""


def _read_file(path: Path) -> _File:
    try:
        stat = path.stat()
        stamp = (stat.st_mtime_ns, stat.st_size)
        known = _files.get(path)
        if known is None or known[0] != stamp:
            known = _files[path] = stamp, _parsed(path, path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error}.", cure="Correct it, or move it away."
        ) from error
    return known[1]


def _parsed(path: Path, text: str) -> _File:
    import tomllib  # noqa: PLC0415 - most projects have no file

    found = tomllib.loads(text)
    backends = _tables(found.pop("backends", {}), "backends", path)
    presets = _tables(found.pop("presets", {}), "presets", path)
    return _File(
        path=path,
        top=Layer(source=str(path), options=_read_options(found, str(path)), path=path),
        backends={name: _read_backend(name, table, path) for name, table in backends.items()},
        presets={name: _read_preset(name, table, path) for name, table in presets.items()},
    )


def _tables(found: Any, word: str, path: Path) -> dict[str, Mapping[str, Any]]:
    if not isinstance(found, dict) or not all(isinstance(table, dict) for table in found.values()):
        raise ConfigurationError(f"{word} in {path} is no table.", cure=f"Write [{word}.NAME].")
    return found


def _read_preset(name: str, table: Mapping[str, Any], path: Path) -> Layer:
    source = f"[presets.{name}]"
    try:
        session.check_preset_name(name)
    except OptionError as error:
        raise ConfigurationError(f"{source} of {path}: {error.message}", cure=error.cure) from error
    options = _read_options(table, f"{source} of {path}")
    return Layer(source=source, options=options, path=path, table=f"presets.{name}")


def _read_backend(name: str, table: Mapping[str, Any], path: Path) -> BackendConfig:
    source = f"[backends.{name}] of {path}"
    known = [key.name for key in fields(BackendConfig) if key.name != "name"]
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in known:
            raise _strange(key, known, source)
        reader = key if key in ("queue", "image", "tags") else "backend"
        values[key] = _read_value(key, reader, value, source)
    kind = values.get("kind", "local")
    if kind not in KINDS:
        raise ConfigurationError(
            f"kind = {kind!r} in {source} is not known.", cure=f"Use {' or '.join(KINDS)}."
        )
    return BackendConfig(name=name, **values)


def default_names() -> list[str]:
    """Options that may be set ahead of a line."""
    return [name for name in option_names() if name not in NOT_DEFAULTS]


def variable_of(name: str) -> str:
    """The environment variable of an option: `NBBATCH_MAX_COST`."""
    return f"NBBATCH_{name.upper()}"


def _read_options(found: Mapping[str, Any], source: str) -> Options:
    known = default_names()
    for key in found:
        if key not in known:
            raise _strange(key, [*known, "backends", "presets"], source)
    return _options_of({key: _read_value(key, key, value, source) for key, value in found.items()}, source)


def _read_environment(environment: Mapping[str, str]) -> Layer:
    source = "the environment"
    given = {name: text for name in default_names() if (text := environment.get(variable_of(name)))}
    values = {
        name: _read_value(variable_of(name), name, _words(name, text), source) for name, text in given.items()
    }
    return Layer(source=source, options=_options_of(values, source))


def _words(name: str, text: str) -> str | list[str]:
    """A variable's text; several pairs stand in one as in a shell: `A=1 B="x y"`."""
    return shlex.split(text) if name in _PAIRS else text


def _options_of(values: Mapping[str, Any], source: str) -> Options:
    try:
        return Options(**values)
    except OptionError as error:
        raise ConfigurationError(f"In {source}: {error.message}", cure=error.cure) from error


def _read_value(key: str, option: str, value: Any, source: str) -> Any:
    try:
        return read_option(option, value)
    except (OptionError, ValueError) as error:
        raise ConfigurationError(f"{key} = {value!r} in {source} is not right: {error}") from error


def _strange(key: str, known: list[str], source: str) -> ConfigurationError:
    return ConfigurationError(
        f"{key!r} in {source} is not a setting.", cure=_nearest(key, dict.fromkeys(known), "Settings are")
    )


def _nearest(word: str, known: Mapping[str, Any], otherwise: str) -> str:
    close = get_close_matches(word, known, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"{otherwise}: {', '.join(sorted(known))}." if known else f"{otherwise}."
