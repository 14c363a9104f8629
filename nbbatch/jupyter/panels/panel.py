"""A panel: frames of a view behind display ids, drawn by one thread that is rung when something changed.

The view says what there is to see (`look`), who rings (`listen`), and what a button does (`act`). The
panel decides when it is drawn, keeps the last frame in the notebook, and stops: when there is nothing
more to come, when its cell runs again or is deleted, when it is closed, with the kernel. It never
prints; it updates displays of its own, which land where they were put, whatever cell runs by then.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from uuid import uuid4

from nbbatch.client.backend import hurried
from nbbatch.errors import NbbatchError
from nbbatch.jupyter.console import current_shell, has_live_display
from nbbatch.jupyter.panels.actions import Button, Controls
from nbbatch.jupyter.panels.frame import Frame, figure_bundle
from nbbatch.jupyter.panels.pace import Pace
from nbbatch.jupyter.panels.parts import trouble
from nbbatch.jupyter.panels.shown import forget, remember

_LINGER = 900.0
"""Seconds for which buttons work after nothing moves any more."""
_LONGEST_SETTLING = 10.0
"""Seconds for which a cell that has ended waits for the last frame of its panel."""
_FIGURES_REST = 5
"""Frames between two drawings of a figure, which costs more than all the rest."""
_EMPTY = {"text/plain": "", "text/html": ""}
_log = logging.getLogger(__name__)

Publish = Callable[..., Any]
Ring = Callable[..., None]


class View(Protocol):
    """What a panel shows. All calls but the first come from the panel's thread, or a button's."""

    @property
    def buttons(self) -> tuple[Button, ...]:
        """Its actions; none for a panel that is only looked at."""
        ...

    def look(self) -> Frame:
        """How things stand now: a number of calls of the backend that does not grow with what is shown."""
        ...

    def listen(self, ring: Ring) -> Callable[[], None]:
        """Have `ring()` called when something changed, if anybody tells, with `now=True` at the end.

        Gives what ends that.
        """
        ...

    def act(self, name: str, values: Mapping[str, Any]) -> None:
        """Do what a button says, with what stands in the panel's fields; may raise an NbbatchError."""
        ...


class Panel:
    """A live panel; the last thing of a cell draws itself.

    Parameters
    ----------
    view : View
        What it shows.
    figure : str
        The figure shown under it at first; empty for none.
    pace : Pace, optional
        How often it is drawn.
    """

    def __init__(self, view: View, *, figure: str = "", pace: Pace | None = None) -> None:
        self.view = view
        self.frame: Frame | None = None
        self.cell = ""
        self.drawn = 0
        self._id = uuid4().hex
        self._pace = pace or Pace()
        self._figure = figure
        self._figure_due = 0
        self._controls: Controls | None = None
        self._publish: Publish | None = None
        self._news = threading.Condition()
        self._is_rung = self._is_urgent = self._is_closed = False
        self._trouble = self._refusal = ""
        self._edition = self._figure_edition = 0
        self._shown: Mapping[str, str] = _EMPTY
        self._figure_shown: Mapping[str, Any] = _EMPTY
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return (self.frame or self.look()).text

    def look(self) -> Frame:
        """How things stand now, asked and drawn; who does not answer is told of, and asked again."""
        with hurried():
            return self.view.look()

    @property
    def is_live(self) -> bool:
        """Whether it goes on being drawn."""
        return self._thread is not None and self._thread.is_alive() and not self._is_closed

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """How things stand, where nothing can be redrawn."""
        return self.look().bundle()

    def _ipython_display_(self, **_: Any) -> None:
        """IPython's hook, which falls back to the static picture."""
        if not has_live_display(current_shell()):
            raise NotImplementedError
        self.show()

    def show(self, shell: Any = None) -> None:
        """Draw it in the output of the cell that runs, and keep it drawn; showing it again moves it.

        Parameters
        ----------
        shell : InteractiveShell, optional
            Whose displays are the place for it; the notebook's own without it.

        Raises
        ------
        NbbatchError
            When the backend does not answer the first time.
        """
        self.close()
        shell = shell or current_shell()
        self._publish = shell.display_pub.publish
        self._id, self._is_closed, self._figure_due = uuid4().hex, False, 0
        self._edition = self._figure_edition = 0
        self._shown, self._figure_shown, self._refusal = _EMPTY, _EMPTY, ""
        frame = self.look()
        self._controls = Controls(self._id, self._buttons(frame), self._on_action)
        self._place("frame", self._bundle(frame))
        if self._controls.widget is not None:
            self._place("buttons", self._controls.bundle())
        if frame.figures:
            self._place("figure", _EMPTY)
        self._draw(frame)
        remember(self, shell)
        self._thread = threading.Thread(target=self._run, args=[self._id], name="nbbatch-panel", daemon=True)
        self._thread.start()

    def ring(self, *, now: bool = False) -> None:
        """Something changed: draw soon, or at once."""
        with self._news:
            self._is_rung = True
            self._is_urgent = self._is_urgent or now
            self._news.notify_all()

    def close(self) -> None:
        """Stop drawing; what was drawn last stays, and its buttons go."""
        with self._news:
            self._is_closed = True
            self._news.notify_all()
        if self._controls is not None:
            self._controls.close()
        forget(self)

    def leave(self) -> None:
        """The kernel ends: stop drawing. That the panel stands still from here on, the page sees and says itself."""
        self._controls = None
        self.close()

    def settle(self, timeout: float = _LONGEST_SETTLING) -> bool:
        """Wait until the last frame is drawn, of something that has ended; False when the time was up first."""
        self.ring(now=True)
        with self._news:
            return self._news.wait_for(lambda: self._is_closed or self._is_settled(), timeout)

    def _is_settled(self) -> bool:
        return self.frame is not None and self.frame.is_last

    def choose_figure(self, name: str) -> None:
        """Show another of the figures from the next frame on; an empty name: none."""
        self._figure, self._figure_due = name, 0
        self.ring(now=True)

    def _run(self, shown: str) -> None:
        """Draw until there is nothing more to draw, then listen to the buttons for a while."""
        began = time.monotonic()
        stop_listening = self._listen()
        try:
            while self._goes_on(shown, time.monotonic() - began):
                had_trouble = bool(self._trouble)
                self._refresh()
                if had_trouble and not self._trouble:  # who rings may have given the backend up meanwhile
                    stop_listening()
                    stop_listening = self._listen()
        finally:
            stop_listening()
            if self._id == shown and self._controls is not None:
                self._controls.offer(())  # the model stays, for a page that was loaded before the last frame

    def _goes_on(self, shown: str, age: float) -> bool:
        """Wait until it is time for another frame; False when there will be none."""
        is_last = self._is_settled()
        has_news = self._rest(self._pace.least(age), _LINGER if is_last else self._pace.most(age))
        is_wanted = self._id == shown and not self._is_closed
        return is_wanted and (has_news or not is_last)

    def _listen(self) -> Callable[[], None]:
        try:
            return self.view.listen(self.ring)
        except NbbatchError as error:
            self._trouble = str(error)
            return lambda: None

    def _rest(self, least: float, most: float) -> bool:
        """Wait for news, but not less than `least`; whether there are any."""
        with self._news:
            self._news.wait_for(lambda: self._is_urgent or self._is_closed, least)
            is_rung = self._news.wait_for(lambda: self._is_rung or self._is_closed, max(0.0, most - least))
            self._is_rung = self._is_urgent = False
            return is_rung

    def _refresh(self) -> None:
        """Look and draw; a backend that does not answer is told of in the panel, and asked again later."""
        before = self.frame
        if before is not None:
            self._draw_text(before)  # what a button was answered, before anything is asked
        try:
            frame = self.look()
        except NbbatchError as error:
            self._tell(str(error))
            return
        except Exception as error:  # noqa: BLE001 - who looks at it must not look at a dead thread
            _log.exception("A panel could not be drawn")
            self._tell(f"This panel stopped: {error!r}. Please report it.")
            self.close()
            return
        self._pace.note(has_news=before is None or before.state != frame.state)
        self._trouble = ""
        self._draw(frame)

    def _tell(self, trouble_now: str) -> None:
        self._trouble = trouble_now
        self._pace.note(has_news=False)
        if self.frame is not None:
            self._draw(self.frame)

    def _draw(self, frame: Frame) -> None:
        self._draw_text(frame)
        if self._controls is not None:
            self._controls.offer(self._buttons(frame))
            self._controls.disable(frame.disabled)
        if self._draw_figure(frame):
            self._figure_edition = self._edition + 1
            self._draw_page(frame)
        self.frame = frame
        self.drawn += 1
        with self._news:
            self._news.notify_all()

    def _draw_text(self, frame: Frame) -> None:
        if self._bundle(frame) != self._shown:
            self._draw_page(frame)

    def _draw_page(self, frame: Frame) -> None:
        """Text and HTML, as an edition of their own: `controls.js` sees whether a page has it."""
        self._edition += 1
        self._shown = self._bundle(frame)
        self._place("frame", self._shown, update=True)
        if self._controls is not None:
            self._controls.tell(self._edition, self._told(since=0) if frame.is_last else {})

    def _buttons(self, frame: Frame) -> tuple[Button, ...]:
        """The view's, and which figure is shown."""
        if not frame.figures:
            return self.view.buttons
        names = (*frame.figures, "")
        about = "What plotly draws below, to be zoomed and read point by point"
        choice = Button(
            name="figure", label="figure", title=about, kind="choice", value=self._figure, choices=names
        )
        return (*self.view.buttons, choice)

    def _bundle(self, frame: Frame) -> dict[str, str]:
        """What is shown of a frame: `controls.js` finds clicks by the panel's id."""
        told = [text for text in (self._refusal, self._trouble) if text]
        said, more = "".join(f"\n{text}" for text in told), "".join(trouble(text) for text in told)
        marks = f'data-nbbatch-of="{self._id}" data-nbbatch-edition="{self._edition}"'
        page = f"<div {marks}>{frame.html}{more}</div>"
        return {"text/plain": f"{frame.text}{said}", "text/html": page}

    def _draw_figure(self, frame: Frame) -> bool:
        """Draw the chosen figure, where it is time to and it is another; whether it was drawn."""
        if not frame.figures or (self.drawn < self._figure_due and not frame.is_last):
            return False
        self._figure_due = self.drawn + _FIGURES_REST
        make = frame.figures.get(self._figure)
        figure = None if make is None else make()
        told = _EMPTY if figure is None else figure_bundle(figure)
        if told == self._figure_shown:
            return False
        self._figure_shown = told
        # plotly's renderer keeps the graph it has, so another kind of output comes in between, of its height; a
        # notebook that is saved just then has what the figure says
        height = 0 if figure is None else int(figure.layout.height or 0)
        between = f'<div style="height:{height}px;overflow:hidden">{told["text/html"]}</div>'
        self._place("figure", {"text/plain": told["text/plain"], "text/html": between}, update=True)
        self._place("figure", told, update=True)
        return True

    def _place(self, part: str, bundle: Mapping[str, Any], *, update: bool = False) -> None:
        if self._publish is not None:
            self._publish(bundle, {}, transient={"display_id": f"{self._id}-{part}"}, update=update)

    def _on_action(self, name: str, values: Mapping[str, Any]) -> None:
        """A button was pressed, on whatever thread; a refusal stands in the panel until the next press."""
        if name == "frame":
            self._answer(int(values.get("edition") or 0))
            return
        refused = ""
        try:
            if name == "figure":
                self.choose_figure(str(values.get("figure", "")))
            else:
                self.view.act(name, values)
        except NbbatchError as error:
            refused = str(error)
        self._refusal = refused
        self.ring(now=True)

    def _answer(self, edition: int) -> None:
        if self._controls is not None:
            self._controls.send(self._told(since=edition))

    def _told(self, *, since: int) -> dict[str, Any]:
        """What displays would show, for a page that has that edition: one that was loaded again has lost them."""
        figure = self._figure_shown if self._figure_edition > since else None
        return {"frame": dict(self._shown), "figure": figure}
