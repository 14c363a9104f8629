"""What panels have in common of which nobody tells that something changed: they look at their own pace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nbbatch.jupyter.panels.actions import Button


class Unheard:
    """A view that is only looked at; see `panel.View`."""

    buttons: tuple[Button, ...] = ()

    def listen(self, _ring: Callable[..., None]) -> Callable[[], None]:
        """Nobody rings."""
        return _nothing

    def act(self, _name: str, _values: Mapping[str, Any]) -> None:
        """There is nothing to be done but to look."""


def _nothing() -> None:
    """Ends nothing."""
