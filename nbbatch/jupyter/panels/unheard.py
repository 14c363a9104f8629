"""What panels have in common of which nobody tells that something changed: they look at their own pace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nbbatch.jupyter.panels.actions import Button


class Unheard:
    """A view that is only looked at; see `panel.View`.

    Parameters
    ----------
    figures : tuple of str
        Names of the figures that a person may choose; none at first.
    """

    def __init__(self, *figures: str) -> None:
        self._figures = figures

    @property
    def buttons(self) -> tuple[Button, ...]:
        """A choice among its figures."""
        choices = ("", *self._figures)
        title = "A figure under the panel, with numbers where the pointer rests"
        return (Button(name="figure", label="figure", title=title, kind="choice", choices=choices),)

    def listen(self, _ring: Callable[..., None]) -> Callable[[], None]:
        """Nobody rings."""
        return _nothing

    def act(self, _name: str, _values: Mapping[str, Any]) -> None:
        """There is nothing to be done but to look."""


def _nothing() -> None:
    """Ends nothing."""
