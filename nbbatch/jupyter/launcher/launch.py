"""`nbbatch.launch()` and `%batch launch`: the form where it can live, its text everywhere else."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import uuid4

from IPython.core.display_functions import publish_display_data
from IPython.core.getipython import get_ipython

from nbbatch.client.origins import Setting
from nbbatch.jupyter.console import has_live_display
from nbbatch.jupyter.errors import told
from nbbatch.jupyter.flags import parse_cell_line
from nbbatch.jupyter.launcher.draft import Draft, draft_of
from nbbatch.jupyter.launcher.form import Form, form_of, form_of_line
from nbbatch.jupyter.launcher.notes import settings_for
from nbbatch.jupyter.launcher.scene import scene_of
from nbbatch.jupyter.launcher.static import static_bundle, static_text

_VIEW = "application/vnd.jupyter.widget-view+json"


@told
def launch(**options: Any) -> None:
    """Show a form that chooses what a job gets, and the line that says it.

    Parameters
    ----------
    **options
        What stands in it at first: options as in `submit`, and `array`, `item`, `code` of a cell;
        `function` and `arguments`; or `notebook` and `parameters`.

    Raises
    ------
    OptionError
        One of them is unknown or malformed.

    Notes
    -----
    Where no widgets are (a terminal, papermill, CI) it prints the line, what holds and why. A saved
    notebook keeps the same as text.

    Examples
    --------
    >>> nbbatch.launch(queue="gpu", vcpus=4)  # doctest: +SKIP
    >>> nbbatch.launch(function=train, arguments="df, lr=0.1", array="seeds")  # doctest: +SKIP
    """
    show_form(get_ipython(), form_of(options))


def show_launcher(shell: Any, line: str) -> None:
    """`%batch launch [options of %%batch]`."""
    show_form(shell, form_of_line(parse_cell_line(line)))


def show_form(shell: Any, form: Form) -> None:
    """The form of a notebook, or its text."""
    _load_magics(shell)
    if has_live_display(shell):
        _show_widgets(shell, form)
    else:
        _show_text(shell, form)


def _load_magics(shell: Any) -> None:
    """The line is one of `%%batch`: let there be one."""
    if shell is not None and "BatchMagics" not in shell.magics_manager.registry:
        shell.extension_manager.load_extension("nbbatch")


def _show_widgets(shell: Any, form: Form) -> None:
    from nbbatch.jupyter.launcher.view import Launcher  # noqa: PLC0415 - widgets take their time to import

    still = _Still()
    launcher = Launcher(shell, form, still.show)
    view = {"version_major": 2, "version_minor": 0, "model_id": launcher.box.model_id}
    publish_display_data({_VIEW: view, "text/plain": "nbbatch.launch"})  # type: ignore[no-untyped-call]
    still.show(launcher.draft, launcher.settings)


class _Still:
    """The display that stays in the saved notebook: the form as text, hidden while the form lives."""

    def __init__(self) -> None:
        self._id = uuid4().hex
        self._shown: dict[str, str] = {}

    def show(self, draft: Draft, settings: list[Setting]) -> None:
        bundle = static_bundle(draft, settings)
        if bundle != self._shown:
            is_update = bool(self._shown)
            self._shown = bundle
            publish_display_data(bundle, transient={"display_id": self._id}, update=is_update)  # type: ignore[no-untyped-call]


def _show_text(shell: Any, form: Form) -> None:
    """What holds, as text; on a terminal the line stands at the next prompt."""
    scene = scene_of(shell)
    draft = draft_of(form, scene)
    print(static_text(draft, settings_for(draft, scene.config)))  # noqa: T201 - it was asked for
    if shell is not None and getattr(shell, "kernel", None) is None and not draft.problems:
        with suppress(NotImplementedError):
            shell.set_next_input(f"{draft.source}\n" if draft.is_cell else draft.source)
