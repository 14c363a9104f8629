"""The runs below the form: each with its story, its outputs, and what can be done to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import ipywidgets

from nbbatch.client.handles.handle import Handle
from nbbatch.errors import NbbatchError
from nbbatch.jupyter.launcher.draft import Draft
from nbbatch.jupyter.launcher.page import Page, PageConsole
from nbbatch.jupyter.launcher.run import start
from nbbatch.jupyter.panels.open import panel
from nbbatch.model.jobs import TERMINAL

_PAUSE = 0.2
"""Seconds between two looks at a page that changes: a job may print thousands of lines."""


class RunView:
    """One run as widgets.

    Parameters
    ----------
    shell : InteractiveShell
        Gets what comes back.
    draft : Draft
        What runs.
    gone : callable
        Told when the person removes it.
    """

    def __init__(self, shell: Any, draft: Draft, gone: Callable[[RunView], None]) -> None:
        self._draft = draft
        self._job: Handle | None = None
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()
        self._drawing = threading.Lock()
        self._over = threading.Event()
        self._story, self._output = ipywidgets.HTML(), ipywidgets.Output()
        self._stop = _button("Stop", "Stop the job", self._on_stop, disabled=True)
        self._remove = _button(
            "Remove", "Take this from the page; the job goes on", lambda _: gone(self), disabled=False
        )
        buttons = ipywidgets.HBox([self._stop, self._remove])
        self._places = _Places()
        self.box = ipywidgets.VBox([self._story, self._places.box, self._output, buttons])
        self.box.add_class("nbb-run")
        self.page = Page(shell, self._on_change)
        self.console = PageConsole(self.page, self._tell)

    @property
    def job(self) -> Handle | None:
        """Its handle, once there is one."""
        return self._job

    @property
    def story(self) -> str:
        """What was told so far, as HTML."""
        return str(self._story.value)

    def start(self) -> None:
        """Run it."""
        self.console.line(self._draft.line)
        start(self._draft, self.page, self.console, on_job=self._on_job, on_end=self._on_end)

    def wait(self, timeout: float) -> bool:
        """Wait until nothing more comes; False when the time was up."""
        return self._over.wait(timeout)

    def _tell(self, story: str) -> None:
        self._story.value = f'<pre class="nbb-story" role="log">{story}</pre>'

    def _on_job(self, job: Handle) -> None:
        self._job = job
        self._stop.disabled = False
        with suppress(NbbatchError):  # the story tells what is wrong
            panel(job).show(self._places)

    def _on_end(self) -> None:
        self._stop.disabled = True
        self._stop.layout.display = "none"
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
        self._flush()
        self._over.set()

    def _on_stop(self, _button: Any) -> None:
        """Stop the job; asking the backend takes a moment."""
        self._stop.disabled = True
        threading.Thread(target=self._terminate, name="nbbatch-stop", daemon=True).start()

    def _terminate(self) -> None:
        job = self._job
        try:
            if job is not None and job.detail()["status"] not in TERMINAL:
                job.terminate("Stopped in the launcher")
        except NbbatchError as error:
            self.page.show_error(error)

    def _on_change(self) -> None:
        with self._lock:
            if self._timer is None:
                self._timer = threading.Timer(_PAUSE, self._flush)
                self._timer.daemon = True
                self._timer.start()

    def _flush(self) -> None:
        """Show the page as it is now; one at a time, or an older look at it could be shown last."""
        with self._lock:
            self._timer = None
        with self._drawing:
            self._output.outputs = self.page.outputs


class _Places:
    """Where the panel of a job is drawn: a widget for each of its displays, so that none disturbs another.

    To the panel it is a shell without a kernel: no cell runs here.
    """

    kernel = None

    def __init__(self) -> None:
        self.box = ipywidgets.VBox()
        self.display_pub = self.events = self
        self._outputs: dict[str, Any] = {}

    def publish(
        self,
        data: Mapping[str, Any],
        metadata: Mapping[str, Any] | None = None,
        *,
        transient: Mapping[str, Any] | None = None,
        update: bool = False,
    ) -> None:
        """As a shell's display publisher does."""
        name = str((transient or {}).get("display_id", ""))
        if not update or name not in self._outputs:
            self._outputs[name] = ipywidgets.Output()
            self.box.children = tuple(self._outputs.values())
        shown = {"output_type": "display_data", "data": dict(data), "metadata": dict(metadata or {})}
        self._outputs[name].outputs = (shown,)

    def register(self, _event: str, _call: Callable[..., Any]) -> None:
        """Nothing: no cell that runs replaces what is shown here."""


def _button(text: str, help_text: str, on_click: Callable[[Any], None], *, disabled: bool) -> Any:
    made = ipywidgets.Button(
        description=text, tooltip=help_text, disabled=disabled, layout=ipywidgets.Layout(width="auto")
    )
    made.on_click(on_click)
    return made
