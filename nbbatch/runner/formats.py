"""A value's rich representation as a MIME bundle, as the notebook would show it, without IPython.

Follows IPython's DisplayFormatter: `_ipython_display_`, then `_repr_mimebundle_`, then the
`_repr_*_` methods; text/plain is always there. Two kinds of objects that IPython or a renderer
would format are known by name: matplotlib figures (image/png as the inline backend makes it) and
plotly figures (their JSON). IPython's pretty printer is used for nested containers and functions
that `repr` would show otherwise, where IPython is installed.
"""

from __future__ import annotations

import binascii
import sys

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
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
PLOTLY = "application/vnd.plotly.v1+json"
_CANARY = "_ipython_canary_method_should_not_exist_"
_SCALARS = (int, float, complex, str, bytes, bool, type(None))
_CONTAINERS = (list, tuple, dict)
_LINE = 79


def mime_bundle(value: Any, include: Any = None, exclude: Any = None) -> tuple[Bundle, Bundle]:
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
    data, metadata = _rich(value, include, exclude)
    if "text/plain" not in data:
        data["text/plain"] = plain(value)
    if include:
        data = {mime: part for mime, part in data.items() if mime in include}
    if exclude:
        data = {mime: part for mime, part in data.items() if mime not in exclude}
    return data, {mime: part for mime, part in metadata.items() if part}


def _rich(value: Any, include: Any, exclude: Any) -> tuple[Bundle, Bundle]:
    if isinstance(value, (type, *_SCALARS, *_CONTAINERS)) and type(value) in (type, *_SCALARS, *_CONTAINERS):
        return {}, {}
    if is_matplotlib_figure(value):
        return {"image/png": _base64(png_of_figure(value))}, {}
    bundle = _bundle_of(value, include, exclude)
    for mime, name in METHODS:
        if mime not in bundle[0]:
            _add(bundle, mime, _call(value, name))
    return bundle


def _bundle_of(value: Any, include: Any, exclude: Any) -> tuple[Bundle, Bundle]:
    arguments: Bundle = {"include": include, "exclude": exclude}
    if is_plotly_figure(value):
        arguments["renderer"] = "plotly_mimetype"
    found = _call(value, "_repr_mimebundle_", **arguments)
    data, metadata = found if isinstance(found, tuple) else (found, None)
    return dict(data or {}), dict(metadata or {})


def _add(bundle: tuple[Bundle, Bundle], mime: str, found: Any) -> None:
    if found is None:
        return
    data, metadata = found if isinstance(found, tuple) and len(found) == 2 else (found, None)  # noqa: PLR2004
    bundle[0][mime] = _base64(data) if isinstance(data, bytes) else data
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


def _call(value: Any, name: str, **arguments: Any) -> Any:
    method = method_of(value, name)
    if method is None:
        return None
    try:
        return method(**arguments)
    except NotImplementedError:
        return None
    except Exception as error:
        # The value is there all the same: IPython prints the error and shows what else it has.
        print(f"{type(value).__name__}.{name}: {type(error).__name__}: {error}", file=sys.stderr)
        return None


def plain(value: Any) -> str:
    """text/plain of a value: `repr`, or where that would differ, IPython's pretty printer."""
    try:
        text = repr(value)
        if not _is_pretty_different(value, text):
            return text
        try:
            from IPython.lib.pretty import pretty
        except ImportError:
            return text
        return str(pretty(value))  # type: ignore[no-untyped-call]
    except Exception as error:
        return f"<{type(value).__name__}: its repr raised {type(error).__name__}: {error}>"


def _is_pretty_different(value: Any, text: str) -> bool:
    kind = type(value)
    if kind in _SCALARS:
        return False
    if kind in _CONTAINERS:
        return len(text) > _LINE or "\n" in text or not _is_simple(value)
    if kind in (set, frozenset):
        return len(value) > 1
    return callable(value) or hasattr(value, "_repr_pretty_") or kind.__repr__ in _BUILTIN_REPRS


_BUILTIN_REPRS: tuple[object, ...] = (
    list.__repr__,
    tuple.__repr__,
    dict.__repr__,
    set.__repr__,
    BaseException.__repr__,
)


def _is_simple(value: Any) -> bool:
    """Whether a container holds scalars and simple containers only."""
    if type(value) is dict:
        return all(map(_is_simple, value)) and all(map(_is_simple, value.values()))
    if type(value) in _CONTAINERS:
        return all(map(_is_simple, value))
    return type(value) in _SCALARS


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data).decode("ascii")


def is_matplotlib_figure(value: Any) -> bool:
    """Whether it is a figure, without importing matplotlib."""
    return _has_base(value, "matplotlib.figure", "Figure")


def is_plotly_figure(value: Any) -> bool:
    """Whether it is a figure, without importing plotly."""
    return _has_base(value, "plotly.basedatatypes", "BaseFigure")


def _has_base(value: Any, module: str, name: str) -> bool:
    return module in sys.modules and isinstance(value, getattr(sys.modules[module], name, ()))


def png_of_figure(figure: Any) -> bytes:
    """Draw a matplotlib figure as the inline backend does: tight box, its own resolution and colours."""
    import io

    file = io.BytesIO()
    if figure.canvas is None or not hasattr(figure.canvas, "print_png"):
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        FigureCanvasAgg(figure)
    figure.canvas.print_figure(
        file, format="png", dpi=figure.dpi, bbox_inches="tight",
        facecolor=figure.get_facecolor(), edgecolor=figure.get_edgecolor(),
    )  # fmt: skip
    return file.getvalue()
