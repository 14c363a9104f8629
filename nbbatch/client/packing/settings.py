"""How the notebook shows things, for a job to show them alike: options set by an earlier cell.

Only what differs from a library's defaults is sent, and only of libraries that the notebook has
imported; nothing is imported to find out. `nbbatch.runner.settings` is the other end. What is no
text, number, flag or list of them stays here, as does a warning filter for a class of a library.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nbbatch.runner.figures import formats_of

_NUMPY = {
    "edgeitems": 3,
    "threshold": 1000,
    "floatmode": "maxprec",
    "precision": 8,
    "suppress": False,
    "linewidth": 75,
    "nanstr": "nan",
    "infstr": "inf",
    "sign": "-",
}
"""numpy's own print options."""
_OF_THE_SCREEN = frozenset(("backend", "backend_fallback", "interactive", "toolbar", "savefig.directory"))
"""matplotlib's parameters that say where this notebook draws, not how."""
_STOCK = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
"""Classes of the filters that every Python starts with."""


def settings_of(shell: Any = None) -> dict[str, Any]:
    """Settings of this process that change what a cell shows.

    Parameters
    ----------
    shell : InteractiveShell, optional
        The notebook's; looked up when left out.

    Returns
    -------
    dict
        For the manifest: empty where everything is as it is by default.
    """
    shell = shell or _running_shell()
    found = {
        "modules": dict(_of_modules()),
        "warnings": _warning_filters(),
        **({} if shell is None else _of_shell(shell)),
    }
    return {name: value for name, value in found.items() if value}


def _running_shell() -> Any:
    module = sys.modules.get("IPython.core.interactiveshell")
    return module.InteractiveShell._instance if module is not None else None  # noqa: SLF001 - instance() would make one


def _of_shell(shell: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if shell.ast_node_interactivity != "last_expr":
        found["interactivity"] = shell.ast_node_interactivity
    with contextlib.suppress(AttributeError, KeyError):
        plain = shell.display_formatter.formatters["text/plain"]
        shown = {
            "float_format": plain.float_format if plain.float_precision else "",
            "is_pretty": plain.pprint,
            "width": plain.max_width,
            "most_items": plain.max_seq_length,
        }
        default = {"float_format": "", "is_pretty": True, "width": 79, "most_items": 1000}
        found["plain"] = {name: value for name, value in shown.items() if value != default[name]}
    if formats := formats_of(shell):
        found["figures"] = formats
    return found


def _of_modules() -> Iterator[tuple[str, dict[str, Any]]]:
    readers = {"numpy": _numpy, "pandas": _pandas, "matplotlib": _matplotlib, "plotly.io": _plotly}
    for name, read in readers.items():
        if name in sys.modules:
            with contextlib.suppress(AttributeError, KeyError):  # another version of the library
                if changed := _plain_ones(read(sys.modules[name])):
                    yield name, changed


def _numpy(numpy: Any) -> Mapping[str, Any]:
    options = numpy.get_printoptions()
    return {name: options[name] for name, value in _NUMPY.items() if options[name] != value}


def _pandas(pandas: Any) -> Mapping[str, Any]:
    config = pandas._config.config  # noqa: SLF001 - the public reader warns of each deprecated option
    values = dict(_flat(config._global_config))  # noqa: SLF001
    return {
        name: values[name]
        for name, option in config._registered_options.items()  # noqa: SLF001
        if name in values and values[name] != option.defval
    }


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _matplotlib(matplotlib: Any) -> Mapping[str, Any]:
    defaults = matplotlib.rcParamsDefault
    read = matplotlib.RcParams._get  # noqa: SLF001 - reading `backend` in the usual way would choose one
    return {
        name: repr(value) if type(value).__name__ == "Cycler" else value
        for name in defaults
        if name not in _OF_THE_SCREEN and (value := read(matplotlib.rcParams, name)) != read(defaults, name)
    }


def _plotly(io: Any) -> Mapping[str, Any]:
    shown = {"template": io.templates.default, "renderer": io.renderers.default}
    return {name: value for name, value in shown.items() if value not in ("plotly", "plotly_mimetype", "")}


def _plain_ones(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if _is_plain(value)
    }


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or type(value) in (str, int, float, bool)


def _warning_filters() -> list[list[Any]]:
    """Filters that somebody has set: first comes the one that counts first."""
    found = []
    filters: Sequence[tuple[Any, ...]] = warnings.filters
    for action, message, category, module, line in filters:
        is_stock = category in _STOCK and not message and module in (None, "__main__")
        if is_stock or category.__module__ != "builtins" or _is_of_a_library(message):
            continue
        found.append([action, _pattern(message), category.__name__, _pattern(module), line])
    return found


def _is_of_a_library(message: Any) -> bool:
    """Set by what any kernel or numpy does when it starts, not by a person."""
    pattern = _pattern(message) or ""
    return "Trio's signal handling" in pattern or pattern.endswith("size changed")


def _pattern(expression: Any) -> str | None:
    return getattr(expression, "pattern", expression) or None
