"""From the texts of a form to options and to what is wrong with them, field by field. Pure.

The readers are those of the magic and of `nbbatch.submit`, so that a form, a line and a call refuse the
same things in the same words.
"""

from __future__ import annotations

import ast
import keyword
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nbbatch.client.config import Config
from nbbatch.client.options import option_names, read_option
from nbbatch.errors import NbbatchError, OptionError
from nbbatch.jupyter.errors import in_magic_words
from nbbatch.jupyter.launcher.form import BY_NAME, LISTS, OPTIONS, PAIRS, Form, Kind
from nbbatch.jupyter.words import split_line


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a form cannot be sent: the field that it is about, what is wrong, what to do."""

    field: str
    message: str
    cure: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, [self.message, in_magic_words(self.cure)]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a form is read against.

    Parameters
    ----------
    config : Config
        The settings in force.
    names : frozenset of str
        Variables of the notebook.
    module : str
        How the notebook calls nbbatch: `nbbatch`, `nb`; empty where it has not imported it.
    """

    config: Config = field(default_factory=Config)
    names: frozenset[str] = frozenset()
    module: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Options by name as far as they could be read, and what is wrong."""

    values: Mapping[str, Any]
    problems: tuple[Problem, ...]


def read_form(form: Form, scene: Scene) -> Reading:
    """Read every field that says something."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name in OPTIONS:
        if text := form.text(name):
            try:
                values[name] = read_option(name, given_of(name, text))
            except NbbatchError as error:
                problems.append(_problem(name, error))
    problems += [*_unknown(values, scene), *_together(form), *_array(form), *_lines(form)]
    problems += _BY_KIND[form.kind](form, scene)
    return Reading(values=values, problems=tuple(problems))


def given_of(name: str, text: str) -> Any:
    """A field's text as its option takes it: pairs as in a shell, lists separated by commas."""
    if name in PAIRS:
        return split_line(text)
    if name in LISTS:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def keywords_of(text: str) -> dict[str, str]:
    """Keyword arguments as they would stand in a call: the source of each value by its name.

    Raises
    ------
    OptionError
        It is no list of keyword arguments.
    """
    call = _call(text)
    if call.args or any(one.arg is None for one in call.keywords):
        raise OptionError(f"{text!r} has a value without a name.", cure="Write name=value, name=value.")
    source = f"_({text})"
    return {str(one.arg): ast.get_source_segment(source, one.value) or "" for one in call.keywords}


def _problem(name: str, error: NbbatchError) -> Problem:
    return Problem(name, error.message, error.cure or "")


def _unknown(values: Mapping[str, Any], scene: Scene) -> Iterator[Problem]:
    """A backend or preset that the settings do not have."""
    finders: Mapping[str, Callable[[str], Any]] = {
        "backend": scene.config.find_backend,
        "preset": scene.config.find_preset,
    }
    for name, find in finders.items():
        if name in values:
            try:
                find(values[name])
            except NbbatchError as error:
                yield _problem(name, error)


def _together(form: Form) -> Iterator[Problem]:
    """What excludes each other, in the words of the form."""
    if form.text("image") and form.text("definition"):
        yield Problem("definition", "A job definition already names its image.", "Give one of them.")
    if form.text("spot") == "yes" and form.text("queue"):
        yield Problem("queue", "A queue has its kind of capacity; Spot chooses a queue.", "Give one of them.")
    if form.text("item") and not form.text("array"):
        yield Problem("item", "This names the item of an array, and there are no items.", "Give items.")
    if form.text("bind") and not _is_name(form.text("bind")):
        yield Problem("bind", f"{form.text('bind')!r} is no name of a variable.", "Use a name like job.")


def _array(form: Form) -> Iterator[Problem]:
    if (text := form.text("array")) and not _is_expression(text):
        yield Problem("array", f"{text} is no Python expression.", "Write range(20) or a variable's name.")


def _lines(form: Form) -> Iterator[Problem]:
    """A line is one line."""
    for name in BY_NAME:
        if "\n" in form.text(name) and not BY_NAME[name].is_long:
            yield Problem(name, "It has more than one line.", "Put it into a variable or a file.")


def _of_cell(form: Form, _scene: Scene) -> Iterator[Problem]:
    for name in ("in", "out"):
        strange = [each for each in given_of("files", form.text(name)) if not _is_name(each)]
        if strange:
            yield Problem(name, f"{strange[0]!r} is no name of a variable.", "Use names like df,x1.")
    item = form.text("item")
    if item and not _is_name(item):
        yield Problem("item", f"{item!r} is no name of a variable.", "Use a name like row.")


def _of_function(form: Form, scene: Scene) -> Iterator[Problem]:
    function, arguments = form.text("function"), form.text("arguments")
    root = function.partition(".")[0]
    if not function:
        yield Problem("function", "No function is named.", "Choose one of this notebook.")
    elif not all(map(_is_name, function.split("."))):
        yield Problem("function", f"{function!r} is no name of a function.", "Use a name like train.")
    elif root not in scene.names:
        yield Problem("function", f"This notebook has no {root!r}.", "Define or import it first.")
    try:
        call = _call(arguments)
    except OptionError as error:
        yield _problem("arguments", error)
        return
    taken = [one.arg for one in call.keywords if one.arg in option_names()]
    if taken:
        yield Problem("arguments", f"{taken[0]} is an option of the job.", "Give it in its own field.")
    if call.args and form.text("array"):
        yield Problem(
            "arguments", "Each item is the only argument by place.", "Give the others by name: lr=0.1."
        )


def _of_notebook(form: Form, _scene: Scene) -> Iterator[Problem]:
    if not form.text("notebook"):
        yield Problem("notebook", "No notebook is named.", "Give the path of one.")
    try:
        keywords_of(form.text("parameters"))
    except OptionError as error:
        yield _problem("parameters", error)


_BY_KIND = {Kind.CELL: _of_cell, Kind.FUNCTION: _of_function, Kind.NOTEBOOK: _of_notebook}


def _call(arguments: str) -> ast.Call:
    try:
        body = ast.parse(f"_({arguments})", mode="eval").body
    except (SyntaxError, ValueError):
        body = None
    if not isinstance(body, ast.Call) or not isinstance(body.func, ast.Name):
        raise OptionError(f"{arguments!r} are no arguments of a call.", cure="Write them as data, lr=0.1.")
    return body


def _is_expression(text: str) -> bool:
    try:
        ast.parse(text, mode="eval")
    except (SyntaxError, ValueError):
        return False
    return True


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)
