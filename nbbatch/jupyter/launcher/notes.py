"""What stands in and below each field of a draft: the setting in force, its origin, what is wrong. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from nbbatch.client.config import Config
from nbbatch.client.origins import Setting, settings_of
from nbbatch.client.spec import queue_of
from nbbatch.errors import NbbatchError
from nbbatch.jupyter.launcher.draft import Draft
from nbbatch.jupyter.launcher.form import BY_NAME, FIELDS, PAIRS
from nbbatch.jupyter.launcher.reading import Problem
from nbbatch.jupyter.settings import in_words

_NOTHING = {
    "image": "this Python environment",
    "gpus": "0",
    "retries": "0",
    "timeout": "none",
    "max_cost": "none",
    "preset": "none",
    "name": "by what runs",
    "item": "item",
    "array": "none: runs once",
    "in": "what the cell reads",
    "out": "what the cell assigns",
    "lang": "python",
    "bind": "none",
    "depends": "none",
    "share": "none",
    "priority": "of the definition",
    "value_limit": "256M",
    "arguments": "none",
    "parameters": "those of the notebook",
    "output": "none",
    "code": "the next cell: write it here, or insert the line above one",
}
"""What an empty field means where no setting says anything."""


@dataclass(frozen=True, slots=True)
class Note:
    """Of one field: the text that stands in for an empty one, what stands below, and what is wrong."""

    stand_in: str
    below: str
    problem: str = ""


def settings_for(draft: Draft, config: Config) -> list[Setting]:
    """The settings in force for the backend and preset of a draft; those of none where there are no such."""
    chosen = {name: draft.form.text(name) or None for name in ("backend", "preset")}
    try:
        return settings_of(config, **chosen)
    except NbbatchError:
        return settings_of(config)


def notes_of(draft: Draft, settings: Sequence[Setting], problems: Sequence[Problem]) -> dict[str, Note]:
    """For each field, by name."""
    known = {one.name: one for one in settings}
    wrong = {one.field: str(one) for one in reversed(problems)}
    return {
        one.name: _note(one.name, draft, known, wrong.get(one.name, ""))
        for one in FIELDS
        if draft.form.kind in one.kinds
    }


def reason(problems: Sequence[Problem]) -> str:
    """Why nothing can be run, in a line; empty when it can."""
    if not problems:
        return ""
    first = problems[0]
    label = BY_NAME[first.field].label if first.field else ""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{label}: {first}{more}" if label else f"{first}{more}"


def _note(name: str, draft: Draft, known: Mapping[str, Setting], problem: str) -> Note:
    setting = _setting(name, draft, known)
    value = in_words(setting) if setting is not None else ""
    shown = value or _NOTHING.get(name, "")
    origin = _short(setting.source) if setting is not None and value else ""
    if not draft.form.text(name):
        said = value if BY_NAME[name].choices and value else ""
        return Note(shown, ", ".join(filter(None, [said, origin])), problem)
    if name in PAIRS or not value:
        return Note(shown, "", problem)
    below = f"else {value} ({origin})" if name in draft.changes else f"as set already ({origin})"
    return Note(shown, below, problem)


def _setting(name: str, draft: Draft, known: Mapping[str, Setting]) -> Setting | None:
    """What holds where the field is empty; the queue follows GPUs and Spot."""
    setting = known.get(name)
    if name != "queue" or setting is None or draft.options is None or draft.form.text("queue"):
        return setting
    queue = queue_of(draft.options)
    return setting if queue == setting.value else Setting(name=name, value=queue, source="for such jobs")


def _short(source: str) -> str:
    """A file by its name, as there is no room for its folder."""
    return PurePath(source).name if source.startswith("/") else source
