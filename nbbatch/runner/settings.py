"""How the notebook shows things, for the job: options that an earlier cell has set there.

A library's options are set in the moment the job imports it, and no library is imported for it. An
option that the job's version of the library does not know is left out.
"""

from __future__ import annotations

import contextlib

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def hooks(settings: Mapping[str, Any]) -> dict[str, Callable[[Any], None]]:
    """What to call with each library's module once it is imported, by the module's name."""
    known = {"numpy": _numpy, "pandas": _pandas, "matplotlib": _matplotlib, "plotly.io": _plotly}
    return {name: _setter(known[name], values) for name, values in settings.get("modules", {}).items()}


def _setter(apply: Callable[[Any, str, Any], object], values: Mapping[str, Any]) -> Callable[[Any], None]:
    def hook(module: Any) -> None:
        for name, value in values.items():
            with contextlib.suppress(Exception):
                apply(module, name, value)

    return hook


def _numpy(numpy: Any, name: str, value: Any) -> None:
    numpy.set_printoptions(**{name: value})


def _pandas(pandas: Any, name: str, value: Any) -> None:
    pandas.set_option(name, value)


def _matplotlib(matplotlib: Any, name: str, value: Any) -> None:
    matplotlib.rcParams[name] = value


def _plotly(io: Any, name: str, value: Any) -> None:
    getattr(io, f"{name}s").default = value


def filter_warnings(filters: list[list[Any]]) -> None:
    """Set warning filters; the first of them counts first."""
    import builtins
    import warnings

    for action, message, category, module, line in reversed(filters):
        warnings.filterwarnings(action, message or "", getattr(builtins, category), module or "", line)
