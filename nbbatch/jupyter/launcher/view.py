"""The launcher as widgets: fields around a form, which is a value, and what follows from it beside them.

Each change makes a new draft at once, here; what has to be asked of a backend follows when it comes.
Callbacks may run in any thread, and none of them waits for anything.
"""

from __future__ import annotations

import html
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

import ipywidgets

from nbbatch.client.origins import Setting
from nbbatch.errors import NbbatchError
from nbbatch.jupyter.launcher.asking import Latest
from nbbatch.jupyter.launcher.controls import Control, Handover
from nbbatch.jupyter.launcher.draft import Draft, draft_of
from nbbatch.jupyter.launcher.facts import Facts, Inquiry
from nbbatch.jupyter.launcher.form import ARRAY, FIELDS, LIMITS, MORE, RUNS, SIZE, WHERE, Form, Kind
from nbbatch.jupyter.launcher.keeping import PresetForm
from nbbatch.jupyter.launcher.notes import notes_of, reason, settings_for
from nbbatch.jupyter.launcher.reading import Problem, Scene
from nbbatch.jupyter.launcher.runs import RunView
from nbbatch.jupyter.launcher.scene import names_of, scene_of
from nbbatch.jupyter.launcher.style import CLASS, form_style

_COLUMNS = "repeat(auto-fill, minmax(min(100%, 250px), 1fr))"
_MOST_FILES = 200
"""Notebooks offered of the working folder."""


class Launcher:
    """The form of one notebook.

    Parameters
    ----------
    shell : InteractiveShell
        The notebook.
    form : Form
        What stands in it at first.
    settled : callable
        Gets each draft, with the settings around it, once the backend has answered to it.
    """

    def __init__(
        self,
        shell: Any,
        form: Form,
        settled: Callable[[Draft, list[Setting]], None] = lambda _draft, _settings: None,
    ) -> None:
        self._shell, self._form, self._settled = shell, form, settled
        self._lock = threading.RLock()
        self._facts = Facts()
        self._settings: list[Setting] = []
        self._scene = scene_of(shell)
        self.controls = {one.name: Control(one, form.texts.get(one.name, ""), self._type) for one in FIELDS}
        self.kind = ipywidgets.ToggleButtons(
            options=[(f"a {kind}" if kind is not Kind.CELL else "a cell", kind) for kind in Kind],
            value=form.kind,
            tooltips=[
                "a cell of this notebook, by %%batch",
                "a function of this notebook, by nbbatch.submit or nbbatch.map",
                "a whole notebook, by nbbatch.run_notebook or nbbatch.map_notebook",
            ],
            style={"button_width": "auto"},
        )
        self.more = ipywidgets.ToggleButton(
            description="More options",
            tooltip="Variables, files, environment, tags and so on",
            layout=ipywidgets.Layout(width="auto"),
        )
        self.facts, self.line, self.reason = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
        self.handover = Handover()
        self.run = _button("Run", "Run it as if it had been typed; its output appears below", "primary")
        self.keep = _button("Save as preset", "Keep these options under a name, for %%NAME")
        self.presets = PresetForm(shell, lambda: self.draft)
        self.runs = ipywidgets.VBox()
        self.run_views: list[RunView] = []
        self._boxes: dict[str, Any] = {}
        self.box = self._assembled()
        self._asking: Latest[Draft, Facts] = Latest(
            Inquiry(shell.user_ns).answer, self._take, lock=self._lock
        )
        self.draft = self._drafted()
        self._listen()
        self._refresh()

    def wait(self, timeout: float) -> bool:
        """Wait until the backend has answered to what stands in the form; False when the time was up."""
        return self._asking.wait(timeout)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why it cannot be run: what is wrong here, else what the backend refuses."""
        return self.draft.problems or self._facts.problems

    @property
    def settings(self) -> list[Setting]:
        """The settings in force for it."""
        return self._settings

    def _listen(self) -> None:
        self.kind.observe(lambda change: self._choose(change["new"]), "value")
        self.more.observe(lambda _: self._lay_out(), "value")
        self.run.on_click(lambda _: self._on_run())
        self.keep.on_click(lambda _: self.presets.toggle())

    def _type(self, name: str, text: str) -> None:
        with self._lock:
            self._form = self._form.having(**{name: text})
            self._refresh()

    def _choose(self, kind: Kind) -> None:
        with self._lock:
            self._form = Form(kind=kind, texts=self._form.texts)
            self._refresh()

    def _drafted(self) -> Draft:
        """The draft of the form as it is; a file of settings that went wrong is a problem like any other."""
        try:
            self._scene = scene_of(self._shell)
            draft = draft_of(self._form, self._scene)
            self._settings = settings_for(draft, self._scene.config)
        except NbbatchError as error:
            problem = Problem("", error.message, error.cure or "")
            return Draft(form=self._form, line="", changes=(), problems=(problem,), options=None)
        return draft

    def _refresh(self) -> None:
        """Follow the form: what needs nobody else at once, the rest when it comes."""
        self.draft = self._drafted()
        self._facts = Facts(
            offer=self._facts.offer,
            gives=self._facts.gives,
            cost=self._facts.cost,
            trouble=self._facts.trouble,
        )
        self._lay_out()
        self._show()
        self._asking.ask(self.draft)

    def _take(self, _draft: Draft, facts: Facts) -> None:
        self._facts = facts
        self._show()
        self._settled(self.draft, self._settings)

    def _show(self) -> None:
        problems = self.problems
        for name, note in notes_of(self.draft, self._settings, problems).items():
            self.controls[name].stand_in(note.stand_in)
            self.controls[name].show(note.below, note.problem)
        for name, texts in _offers(self._scene, self._facts, self._shell.user_ns).items():
            self.controls[name].offer(texts)
        why = reason(problems)
        self.line.value = (
            f'<pre class="nbb-line" aria-label="the line">{html.escape(self.draft.source.rstrip())}</pre>'
        )
        self.facts.value = _in_html(self._facts, is_asking=self.draft.options is not None)
        self.reason.value = f'<span class="nbb-reason" role="status">{html.escape(why)}</span>' if why else ""
        self.run.disabled, self.run.tooltip = bool(why), why or "Run it as if it had been typed"
        self.keep.disabled = bool(why)
        self.handover.source, self.handover.reason = self.draft.source, why

    def _lay_out(self) -> None:
        """Which fields are part of the form now."""
        for control in self.controls.values():
            control.set_visible(is_visible=self._form.kind in control.field.kinds)
        self._boxes[MORE].layout.display = None if self.more.value else "none"

    def _on_run(self) -> None:
        """A run of its own, above those before it."""
        if self.problems:
            return
        view = RunView(self._shell, self.draft, self._forget)
        with self._lock:
            self.run_views.insert(0, view)
            self.runs.children = tuple(one.box for one in self.run_views)
        view.start()

    def _forget(self, view: RunView) -> None:
        with self._lock:
            self.run_views.remove(view)
            self.runs.children = tuple(one.box for one in self.run_views)

    def _assembled(self) -> Any:
        grids = {RUNS: (RUNS,), "main": (WHERE, SIZE, ARRAY, LIMITS), MORE: (MORE,)}
        for name, groups in grids.items():
            boxes = [one.box for one in self.controls.values() if one.field.group in groups]
            self._boxes[name] = _grid(boxes)
        self.controls["code"].box.add_class("nbb-wide")
        has_more = any(self._form.text(one.name) for one in FIELDS if one.group == MORE)
        self.more.value = has_more
        buttons = [self.run, self.handover, self.keep, self.more]
        box = ipywidgets.VBox(
            [
                ipywidgets.HTML(form_style()),
                self.kind,
                *self._boxes.values(),
                self.facts,
                self.line,
                ipywidgets.HBox(
                    buttons, layout=ipywidgets.Layout(flex_flow="row wrap", align_items="center")
                ),
                self.reason,
                self.presets.box,
                self.runs,
            ]
        )
        box.add_class(CLASS)
        return box


def _grid(boxes: list[Any]) -> Any:
    grid = ipywidgets.GridBox(boxes, layout=ipywidgets.Layout(grid_template_columns=_COLUMNS))
    grid.add_class("nbb-grid")
    return grid


def _button(text: str, help_text: str, style: str = "") -> Any:
    wide = ipywidgets.Layout(width="auto")
    return ipywidgets.Button(description=text, tooltip=help_text, button_style=style, layout=wide)


def _offers(scene: Scene, facts: Facts, namespace: Mapping[str, Any]) -> dict[str, list[str]]:
    """What fields have to choose from."""
    known = {
        "backend": list(scene.config.backends),
        "preset": list(scene.config.presets),
        "function": names_of(namespace, lambda value: isinstance(value, FunctionType)),
        "array": names_of(namespace, lambda value: hasattr(value, "__len__") and not isinstance(value, str)),
        "notebook": sorted(_notebooks()),
    }
    if facts.offer is not None:
        known |= {
            "queue": [one.name for one in facts.offer.queues],
            "image": [*facts.offer.images],
            "definition": [*facts.offer.definitions],
        }
    return known


def _notebooks() -> Iterator[str]:
    for _, path in zip(range(_MOST_FILES), Path().glob("*.ipynb"), strict=False):
        yield str(path)


def _in_html(facts: Facts, *, is_asking: bool) -> str:
    if facts.trouble:
        return f'<div class="nbb-facts" role="status"><span class="nbb-trouble">{html.escape(facts.trouble)}</span></div>'
    lines = [*filter(None, [facts.gives]), *facts.cost]
    text = "\n".join(lines) or ("asking the backend…" if is_asking else "")
    return f'<div class="nbb-facts" role="status">{html.escape(text)}</div>'
