"""Save as preset: a small form that asks for the name and the place, and replaces nothing unasked."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets

from nbbatch.client import session
from nbbatch.client.config import load_config
from nbbatch.client.options import NOT_DEFAULTS, Options, read_option
from nbbatch.client.preset_files import has_preset, place_for, write_preset
from nbbatch.errors import NbbatchError, OptionError
from nbbatch.jupyter import presets
from nbbatch.jupyter.launcher.draft import Draft
from nbbatch.jupyter.launcher.form import LISTS, PAIRS, texts_of
from nbbatch.jupyter.launcher.reading import given_of

_SESSION = "session"
_PLAIN = ("vcpus", "gpus", "retries", "priority", "max_cost", "spot", "cache")
"""Options that a file has as numbers and booleans."""


class PresetForm:
    """Where a draft is kept under a name.

    Parameters
    ----------
    shell : InteractiveShell
        Gets the preset's magic.
    draft : callable
        Gives the draft as it is by then.
    """

    def __init__(self, shell: Any, draft: Callable[[], Draft]) -> None:
        self._shell, self._draft = shell, draft
        path = place_for(Path.cwd())
        words = f"{path.name} in {path.parent}" + ("" if path.is_file() else " (new)")
        wide = ipywidgets.Layout(width="auto")
        self.name = ipywidgets.Text(
            description="preset", placeholder="gpu", tooltip="its name: gpu becomes %%gpu", layout=wide
        )
        self.place = ipywidgets.Dropdown(
            description="into",
            options=[(words, str(path)), ("this session only", _SESSION)],
            tooltip="a file stays, a session ends with the kernel",
            layout=wide,
        )
        self.replaces = ipywidgets.Checkbox(
            description="replace the one of that name", value=False, indent=False, layout=wide
        )
        self.save = ipywidgets.Button(
            description="Save", tooltip="Save the preset", button_style="primary", layout=wide
        )
        self.said = ipywidgets.HTML()
        row = ipywidgets.HBox(
            [self.name, self.place, self.replaces, self.save], layout=ipywidgets.Layout(flex_flow="row wrap")
        )
        self.box = ipywidgets.VBox([row, self.said], layout=ipywidgets.Layout(display="none"))
        self.save.on_click(lambda _: self._on_save())

    def toggle(self) -> None:
        """Show it, or hide it."""
        is_hidden = self.box.layout.display == "none"
        self.box.layout.display = None if is_hidden else "none"
        self.said.value = ""

    def _on_save(self) -> None:
        try:
            self._tell(self._save(self.name.value.strip()))
        except (NbbatchError, OSError) as error:
            cure = getattr(error, "cure", "") or ""
            self._tell(f"{error} {cure}".rstrip(), is_wrong=True)

    def _save(self, name: str) -> str:
        options = kept_options(self._draft())
        session.check_preset_name(name)
        if self.place.value != _SESSION:
            path = Path(self.place.value)
            if has_preset(path, name) and not self.replaces.value:
                raise OptionError(
                    f"{path} has a preset {name} already.", cure="Tick replace, or choose another name."
                )
            write_preset(path, name, values_of(options), replace=self.replaces.value)
            self._register()
            return f"Saved as [presets.{name}] in {path}: %%{name} runs a cell with it."
        if name in load_config().presets and not self.replaces.value:
            raise OptionError(
                f"There is a preset {name} already.", cure="Tick replace, or choose another name."
            )
        presets.magic(name, **values_of(options))
        return f"Saved for this session: %%{name} runs a cell with it."

    def _register(self) -> None:
        magics = self._shell.magics_manager.registry.get("BatchMagics")
        if magics is not None:
            presets.register_all(magics)

    def _tell(self, text: str, *, is_wrong: bool = False) -> None:
        style = ' class="nbb-reason" role="alert"' if is_wrong else ' role="status"'
        self.said.value = f"<span{style}>{html.escape(text)}</span>"


def kept_options(draft: Draft) -> Options:
    """What a preset of a draft holds: what its line says, over the preset that it names.

    Raises
    ------
    OptionError
        There is nothing to keep, or something is wrong.
    """
    if draft.problems:
        raise OptionError(str(draft.problems[0]))
    kept = [name for name in draft.changes if name not in NOT_DEFAULTS]
    options = Options(**{name: read_option(name, given_of(name, draft.form.text(name))) for name in kept})
    if named := draft.form.text("preset"):
        options = options.over(load_config().find_preset(named).options)
    if options == Options():
        raise OptionError(
            "Nothing differs from the settings, so there is nothing to keep.", cure="Change a field first."
        )
    return options


def values_of(options: Options) -> dict[str, Any]:
    """Options as a file has them, in a person's words: `memory = "4G"`."""
    values: dict[str, Any] = {}
    for name, text in texts_of(options).items():
        value = getattr(options, name)
        if name in PAIRS:
            values[name] = dict(value)
        elif name in _PLAIN:
            values[name] = int(value) if value == int(value) and not isinstance(value, bool) else value
        elif name in LISTS:
            values[name] = text.split(",")
        else:
            values[name] = text
    return values
