"""A value's rich representation as a MIME bundle, as the notebook would show it, without IPython.

Follows IPython's DisplayFormatter: `_ipython_display_` (which is the caller's), `_repr_mimebundle_`,
then the `_repr_*_` methods; text/plain is always there. Two kinds of objects that IPython or a
renderer would format are known by name: matplotlib figures and plotly figures (their JSON).
"""

from __future__ import annotations

import binascii
import sys

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Bundle = dict[str, Any]

METHODS = (
    ("text/html", "_repr_html_"),
    ("text/markdown", "_repr_markdown_"),
    ("image/svg+xml", "_repr_svg_"),
    ("image/png", "_repr_png_"),
    ("application/pdf", "_repr_pdf_"),
    ("image/jpeg", "_repr_jpeg_"),
    ("text/latex", "_repr_latex_"),
    ("application/json", "_repr_json_"),
    ("application/javascript", "_repr_javascript_"),
)
_CANARY = "_ipython_canary_method_should_not_exist_"
_SCALARS = (int, float, complex, str, bytes, bool, type(None))
_CONTAINERS = (list, tuple, dict)
_LINE = 79
_FEW = 1000
"""Items of a container; more are not all shown."""


class Formatter:
    """Makes MIME bundles in the manner the notebook is set to.

    Parameters
    ----------
    settings : mapping
        Those of the notebook, see `settings`.
    on_error : callable
        Gets what a display method raised: the notebook shows it, and what else the value has.
    """

    def __init__(self, settings: Mapping[str, Any], on_error: Callable[[Exception], object]) -> None:
        self.settings = settings
        self._on_error = on_error

    def bundle(self, value: Any, include: Any = None, exclude: Any = None) -> tuple[Bundle, Bundle]:
        """Represent a value.

        Parameters
        ----------
        value : Any
            Not a class: its methods would be unbound.
        include, exclude : collection of str, optional
            MIME types to keep or to leave out, as `display` takes them.

        Returns
        -------
        tuple of dict
            Data and metadata by MIME type; binary formats in base64.
        """
        data, metadata = self._rich(value, include, exclude)
        if "text/plain" not in data:
            self._try(data, "text/plain", value)
        if include:
            data = {mime: part for mime, part in data.items() if mime in include}
        if exclude:
            data = {mime: part for mime, part in data.items() if mime not in exclude}
        return data, {mime: part for mime, part in metadata.items() if part}

    def _rich(self, value: Any, include: Any, exclude: Any) -> tuple[Bundle, Bundle]:
        if isinstance(value, (type, *_SCALARS, *_CONTAINERS)) and type(value) in (
            type,
            *_SCALARS,
            *_CONTAINERS,
        ):
            return {}, {}
        if is_matplotlib_figure(value):
            from . import figures

            return figures.bundle_of(value, self._figure_formats())
        bundle = self._own_bundle(value, include, exclude)
        for mime, name in METHODS:
            if mime not in bundle[0]:
                _add(bundle, mime, self._call(value, name))
        return bundle

    def _figure_formats(self) -> Any:
        """What the cell has chosen by now, else the notebook."""
        shells = sys.modules.get("IPython.core.interactiveshell")
        if shells is not None and shells.InteractiveShell.initialized():
            from . import figures

            return figures.formats_of(shells.InteractiveShell.instance()) or self.settings.get("figures")
        return self.settings.get("figures")

    def _own_bundle(self, value: Any, include: Any, exclude: Any) -> tuple[Bundle, Bundle]:
        found = self._call(value, "_repr_mimebundle_", include=include, exclude=exclude)
        data, metadata = found if isinstance(found, tuple) else (found, None)
        return dict(data or {}), dict(metadata or {})

    def plotly_bundle(self, figure: Any) -> Bundle:
        """What `fig.show()` displays: the renderer's data alone."""
        chosen = self.settings.get("modules", {}).get("plotly.io", {}).get("renderer", "plotly_mimetype")
        return dict(self._call(figure, "_repr_mimebundle_", renderer=chosen) or {})

    def _call(self, value: Any, name: str, **arguments: Any) -> Any:
        method = method_of(value, name)
        if method is None:
            return None
        try:
            return method(**arguments)
        except NotImplementedError:
            return None
        except Exception as error:
            self._on_error(error)
            return None

    def _try(self, data: Bundle, mime: str, value: Any) -> None:
        try:
            data[mime] = self.plain(value)
        except Exception as error:
            self._on_error(error)

    def plain(self, value: Any) -> str:
        """text/plain of a value: `repr`, or where that would differ, as IPython lays it out."""
        options = dict(self.settings.get("plain", {}))
        if not options.pop("is_pretty", True):
            return repr(value)
        if type(value) in _SCALARS and "float_format" not in options:
            return repr(value)
        if not options and type(value) in _CONTAINERS and _is_simple(value):
            text = repr(value)
            if len(text) <= _LINE and "\n" not in text:
                return text
        from .pretty import pretty

        return pretty(value, **options)


def _add(bundle: tuple[Bundle, Bundle], mime: str, found: Any) -> None:
    if found is None:
        return
    data, metadata = found if isinstance(found, tuple) and len(found) == 2 else (found, None)  # noqa: PLR2004
    bundle[0][mime] = (
        binascii.b2a_base64(data, newline=False).decode("ascii") if isinstance(data, bytes) else data
    )
    if metadata:
        bundle[1][mime] = metadata


def method_of(value: Any, name: str) -> Any:
    """Find a display method that the object really has; None where there is none.

    Objects that answer to every name are known by their answer to one that nobody has.
    """
    if isinstance(value, type):
        return None
    try:
        if getattr(value, _CANARY, None) is not None:
            return None
        method = getattr(value, name, None)
    except Exception:
        return None
    return method if callable(method) else None


def _is_simple(value: Any) -> bool:
    """Whether a container holds scalars and simple containers only, and few of them."""
    if type(value) not in _CONTAINERS:
        return type(value) in _SCALARS
    parts = (*value, *value.values()) if type(value) is dict else value
    return len(parts) < _FEW and all(map(_is_simple, parts))


def is_matplotlib_figure(value: Any) -> bool:
    """Whether it is a figure, without importing matplotlib."""
    return _has_base(value, "matplotlib.figure", "Figure")


def is_plotly_figure(value: Any) -> bool:
    """Whether it is a figure, without importing plotly."""
    return _has_base(value, "plotly.basedatatypes", "BaseFigure")


def _has_base(value: Any, module: str, name: str) -> bool:
    return module in sys.modules and isinstance(value, getattr(sys.modules[module], name, ()))
