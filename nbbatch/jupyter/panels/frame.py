"""One frame of a panel: how things stand at a moment, as text, as HTML, and as a figure. Pure.

The HTML says everything without any script, so a saved notebook reads on GitHub, in nbviewer and after
the kernel is gone; the figure is what plotly adds where there is one. `parts` has the pieces of HTML.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

PLOTLY = "application/vnd.plotly.v1+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """How things stand.

    Parameters
    ----------
    lines : tuple of str
        All of it as text, without a mark before it.
    html : str
        The same for people who see it, from `parts.page`; small, and without scripts.
    state : hashable
        What tells this frame from another when only clocks have moved: a panel refreshes more slowly
        while it stays.
    is_last : bool
        Whether nothing will change any more.
    figures : mapping
        Figures that can be had by name, each as a call that draws it from numbers this frame has.
    disabled : frozenset of str
        Names of actions that make no sense now.
    """

    lines: tuple[str, ...]
    html: str
    state: Hashable = None
    is_last: bool = False
    figures: Mapping[str, Callable[[], Any]] | None = None
    disabled: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)

    def bundle(self) -> dict[str, str]:
        """MIME bundle of all but the figure."""
        return {"text/plain": self.text, "text/html": self.html}


def figure_bundle(figure: Any) -> dict[str, Any]:
    """MIME bundle of a plotly figure without its picture or plotly.js: where nothing draws it, its headline."""
    told = (figure.layout.title.text or "").replace("<br>", " · ")
    content = figure.to_plotly_json()
    # not `responsive`: its figure collapses when JupyterLab lays out anew, which sizes figures itself
    content["config"] = {"displayModeBar": False}
    headline = html.unescape(told)
    quiet = f'<div style="opacity:.7;font-size:12px">{html.escape(headline)}</div>' if headline else ""
    return {PLOTLY: _plain(content), "text/plain": headline, "text/html": quiet}


def _plain(content: Any) -> Any:
    """The figure as JSON's own types; plotly packs arrays of numbers."""
    import json  # noqa: PLC0415

    from plotly.utils import PlotlyJSONEncoder  # noqa: PLC0415 - only who shows a figure needs it

    return json.loads(json.dumps(content, cls=PlotlyJSONEncoder))
