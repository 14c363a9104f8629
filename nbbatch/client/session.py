"""What was set by hand in this process: defaults of every job, and presets made from code.

`%config BatchMagics.queue = "gpu"` and `%batch backend prod` write the defaults, `nbbatch.magic` the
presets. They stand between the environment and the line; see `nbbatch.client.config`. Any thread may
ask; what is given is a value and never changes.
"""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nbbatch.client.options import Options
from nbbatch.errors import OptionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Defaults of this process, and presets by name."""

    options: Options = field(default_factory=Options)
    presets: Mapping[str, Options] = field(default_factory=dict)


_session = Session()


def current() -> Session:
    """What holds now."""
    return _session


def set_defaults(given: Mapping[str, Any]) -> None:
    """Replace the defaults of this process.

    Parameters
    ----------
    given : mapping
        By option name, as a person gives them; None and what is missing is no default.

    Raises
    ------
    OptionError
        When a value is not understood; then nothing changes.
    """
    _replace(options=Options.parse(given))


def add_preset(name: str, options: Options) -> None:
    """Add a preset, or replace it."""
    check_preset_name(name)
    _replace(presets={**_session.presets, name: options})


def forget() -> None:
    """Forget all of it."""
    _replace(options=Options(), presets={})


def check_preset_name(name: Any) -> None:
    """Refuse a name that cannot stand behind `%%`.

    Raises
    ------
    OptionError
        When it is no Python identifier, or one of nbbatch's own words.
    """
    if (
        not isinstance(name, str)
        or not name.isidentifier()
        or keyword.iskeyword(name)
        or name.startswith("_")
        or name == "batch"
    ):
        raise OptionError(
            f"{name!r} cannot be the name of a preset.", cure="Use a word such as gpu: it becomes %%gpu."
        )


def _replace(**changes: Any) -> None:
    global _session  # noqa: PLW0603 - one value for the process, replaced as a whole
    _session = replace(_session, **changes)
