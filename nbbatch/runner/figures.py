"""matplotlib figures as the notebook's inline backend draws them.

Which formats it draws is registered with IPython's formatters by `%config InlineBackend...` or
`set_matplotlib_formats`, here as in the notebook; a PNG in a tight box is the default.
"""

from __future__ import annotations

import binascii
import io
import sys

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MIMES = {
    "png": "image/png",
    "retina": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
}
DEFAULT: dict[str, dict[str, Any]] = {"png": {"bbox_inches": "tight"}}
_PNG_SIZE = slice(16, 24)


def formats_of(shell: Any) -> dict[str, dict[str, Any]]:
    """Formats and their options that a shell draws figures in.

    Returns
    -------
    dict
        Options of `savefig` by format; empty where nothing or the default was chosen.
    """
    figure = getattr(sys.modules.get("matplotlib.figure"), "Figure", None)
    found: dict[str, dict[str, Any]] = {}
    for mime in dict.fromkeys(MIMES.values()) if figure is not None else ():
        printer = shell.display_formatter.formatters[mime].type_printers.get(figure)
        if printer is not None:
            options = dict(getattr(printer, "keywords", {}))
            options.pop("base64", None)
            name = "retina" if "retina" in getattr(printer.func, "__name__", "") else _format_of(mime)
            name = str(options.pop("fmt", name))
            found[name] = {"bbox_inches": "tight", **options}
    found = found or _configured()
    return {} if found == DEFAULT else found


def _configured() -> dict[str, dict[str, Any]]:
    """What `%config InlineBackend` says, before the first figure is drawn and registers it."""
    module = sys.modules.get("matplotlib_inline.config")
    if module is None or not module.InlineBackend.initialized():
        return {}
    chosen = module.InlineBackend.instance()
    options = {"bbox_inches": "tight", **chosen.print_figure_kwargs}
    return dict.fromkeys(sorted(chosen.figure_formats), options)


def _format_of(mime: str) -> str:
    return next(name for name, each in MIMES.items() if each == mime)


def bundle_of(figure: Any, formats: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw a figure; one without anything on it gives nothing, as in the notebook."""
    data: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    if not figure.axes and not figure.lines:
        return data, metadata
    for name, options in (formats or DEFAULT).items():
        image = _drawn(figure, name, options)
        if name == "retina":
            metadata[MIMES[name]] = _half_size(image)
        is_text = name == "svg"
        data[MIMES[name]] = (
            image.decode() if is_text else binascii.b2a_base64(image, newline=False).decode("ascii")
        )
    return data, metadata


def _drawn(figure: Any, name: str, options: Mapping[str, Any]) -> bytes:
    file = io.BytesIO()
    if figure.canvas is None or not hasattr(figure.canvas, "print_figure"):
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        FigureCanvasAgg(figure)
    look = {"facecolor": figure.get_facecolor(), "edgecolor": figure.get_edgecolor()}
    dpi = figure.dpi * 2 if name == "retina" else figure.dpi
    kind = "png" if name == "retina" else name
    figure.canvas.print_figure(file, **{"format": kind, "dpi": dpi, **look, **options})
    return file.getvalue()


def _half_size(image: bytes) -> dict[str, int]:
    size = image[_PNG_SIZE]
    return {"width": int.from_bytes(size[:4], "big") // 2, "height": int.from_bytes(size[4:], "big") // 2}
