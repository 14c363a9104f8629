"""One field of the form as widgets: what is typed, and below it where its value comes from, or what is wrong.

An empty field shows the setting in force in its place. Label and help are the control's own description
and tooltip, which screen readers read.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

import anywidget
import ipywidgets
import traitlets

from nbbatch.jupyter.launcher.form import Field
from nbbatch.jupyter.widgets import script_of

_LISTED = frozenset({"queue", "image", "definition", "function", "notebook", "preset", "backend", "array"})
"""Fields that offer what there is, and take anything."""


class Control:
    """A field as widgets.

    Parameters
    ----------
    field : Field
        It.
    text : str
        What stands in it at first.
    changed : callable
        Gets the field's name and its text whenever a person has changed it.
    """

    def __init__(self, field: Field, text: str, changed: Callable[[str, str], None]) -> None:
        self.field = field
        self.input = _input(field, text)
        self._note = ipywidgets.HTML()
        self._note.add_class("nbb-note")
        self.box = ipywidgets.VBox([self.input, self._note])
        self.box.add_class("nbb-field")
        self.input.observe(lambda change: changed(field.name, change["new"] or ""), "value")

    @property
    def text(self) -> str:
        """What stands in it."""
        return str(self.input.value or "")

    def show(self, note: str, problem: str = "") -> None:
        """Say what is wrong with it, or where its value comes from."""
        if problem:
            self.box.add_class("nbb-wrong")
            self._note.value = f'<span role="alert">{html.escape(problem)}</span>'
        else:
            self.box.remove_class("nbb-wrong")
            self._note.value = html.escape(note)

    def stand_in(self, text: str) -> None:
        """What holds while it is empty."""
        if hasattr(self.input, "placeholder"):
            self.input.placeholder = text

    def offer(self, texts: Iterable[str]) -> None:
        """What there is to choose from."""
        if isinstance(self.input, ipywidgets.Combobox):
            self.input.options = tuple(dict.fromkeys(texts))

    def set_visible(self, *, is_visible: bool) -> None:
        """Whether it is part of the form now."""
        self.box.layout.display = None if is_visible else "none"


class Handover(anywidget.AnyWidget):
    """What only the front end can do: Copy and Insert, and saying that the kernel is gone; see `handover.js`."""

    _esm = script_of(Path(__file__).with_name("handover.js"))
    form = traitlets.Unicode().tag(sync=True)
    source = traitlets.Unicode().tag(sync=True)
    reason = traitlets.Unicode().tag(sync=True)

    def __init__(self) -> None:
        name = uuid4().hex
        super().__init__(model_id=name, form=name)


def _input(field: Field, text: str) -> Any:
    common: dict[str, Any] = {
        "description": field.label,
        "tooltip": field.help,
        "description_allow_html": False,
        "value": text,
        "layout": ipywidgets.Layout(width="auto", margin="2px 0"),
    }
    if field.choices:
        return ipywidgets.Dropdown(options=field.choices, **common)
    if field.is_long:
        return ipywidgets.Textarea(rows=3, **common)
    if field.name in _LISTED:
        return ipywidgets.Combobox(ensure_option=False, **common)
    return ipywidgets.Text(**common)
