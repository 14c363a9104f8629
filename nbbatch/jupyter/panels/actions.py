"""The buttons of a panel: a widget without a view, whose script puts them beside the panel's frames.

A widget's view in a saved notebook reads "Error displaying widget" once its kernel is gone. So nothing
of this one is displayed: as soon as its model is there, `controls.js` fills the empty place that the
panel left for buttons, listens to clicks on what is drawn, and takes all away when the model goes. A
saved notebook holds the empty place; a front end without widgets shows the panel without buttons. A
page that is loaded again finds the model in the kernel, and its buttons are there again. Displays are
lost to such a page: what it shows has an older edition than the model, so the script asks for the frame.
The kernel says that it has heard a click before it does what it says; where its end is seen, a line says
so in their place.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from nbbatch.jupyter.console import has_widgets
from nbbatch.jupyter.widgets import script_of

_REMEMBERED = 64
"""Messages of the script that are known again when they come twice."""

Act = Callable[[str, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """One control.

    Parameters
    ----------
    name : str
        Of the action, for `View.act`.
    label, title : str
        What stands on it, and what a person reads who rests on it.
    kind : str
        `button`; `copy`, which puts `value` on the clipboard; `number`, a field with a button, for a whole
        number below `most`; `choice`, one of `choices`; `slider`, one of `choices`, which have an order.
    value : str
        What is copied or chosen at first.
    choices : tuple of str
        Of a `choice` or `slider`.
    most : int
        Of a `number`.
    """

    name: str
    label: str
    title: str = ""
    kind: str = "button"
    value: str = ""
    choices: tuple[str, ...] = ()
    most: int = 0


class Controls:
    """The buttons of one panel, until it is closed.

    Parameters
    ----------
    panel : str
        Id of the panel, which stands in its HTML.
    buttons : tuple of Button
        In their order; without any, or where the front end has no widgets, there is none.
    act : callable
        Called with the name of an action and the values of the fields, on whatever thread.
    """

    def __init__(self, panel: str, buttons: tuple[Button, ...], act: Act) -> None:
        self._panel = panel
        self._act = act
        self._lock = threading.Lock()
        self._heard: deque[Any] = deque(maxlen=_REMEMBERED)
        self.widget: Any = _make(panel, buttons) if buttons and has_widgets() else None
        if self.widget is not None:
            self.widget.on_msg(self._on_message)

    def bundle(self) -> dict[str, str]:
        """The place for the buttons: nothing to be seen until the script fills it."""
        return {"text/plain": "", "text/html": f'<div data-nbbatch-buttons="{self._panel}"></div>'}

    def disable(self, names: Iterable[str]) -> None:
        """Let only the other actions be chosen."""
        with self._lock:
            if self.widget is not None and self.widget.disabled != (wanted := sorted(names)):
                self.widget.disabled = wanted

    def offer(self, buttons: tuple[Button, ...]) -> None:
        """Have other buttons, where they are others."""
        with self._lock:
            if self.widget is not None and self.widget.buttons != (wanted := _plain(buttons)):
                self.widget.buttons = wanted

    def tell(self, edition: int, last: Mapping[str, Any]) -> None:
        """Say which edition of the frame was put into its display; the last one a page need not ask for."""
        with self._lock:
            if self.widget is not None:
                with self.widget.hold_sync():
                    self.widget.last, self.widget.edition = dict(last), edition

    def send(self, content: Mapping[str, Any]) -> None:
        """Answer the script."""
        with self._lock:
            if self.widget is not None:
                self.widget.send(content)

    def close(self) -> None:
        """Take the buttons away."""
        with self._lock:
            widget, self.widget = self.widget, None
        if widget is not None:
            widget.close()

    def _on_message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        widget = self.widget
        name = str(content.get("action", "")) if isinstance(content, dict) else ""
        if widget is None or not name:
            return
        is_new = self._note_heard(content.get("id"))
        widget.send({"heard": content.get("id")})
        if is_new and name not in widget.disabled:
            self._act(name, content.get("values") or {})

    def _note_heard(self, message: Any) -> bool:
        """Whether it is heard for the first time; the script says again, another way, what nobody seems to hear."""
        with self._lock:
            is_new = message is None or message not in self._heard
            self._heard.append(message)
        return is_new


def _make(panel: str, buttons: tuple[Button, ...]) -> Any:
    return _kind()(model_id=panel, panel=panel, buttons=_plain(buttons))


def _plain(buttons: tuple[Button, ...]) -> list[dict[str, Any]]:
    return [{**asdict(button), "choices": list(button.choices)} for button in buttons]


@cache
def _kind() -> type:
    """The widget's class; made when the first panel has buttons, since widgets take a while to import."""
    import traitlets  # noqa: PLC0415 - as above
    from anywidget import AnyWidget  # noqa: PLC0415 - as above

    class PanelControls(AnyWidget):
        """Model of a panel's buttons."""

        _esm = script_of(Path(__file__).with_name("controls.js"))
        panel = traitlets.Unicode().tag(sync=True)
        buttons: Any = traitlets.List().tag(sync=True)
        disabled: Any = traitlets.List().tag(sync=True)
        edition = traitlets.Int().tag(sync=True)
        last: Any = traitlets.Dict().tag(sync=True)

    return PanelControls
