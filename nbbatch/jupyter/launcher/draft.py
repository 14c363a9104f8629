"""What a form comes to: the line that says the same, what is wrong with it, what its cost depends on. Pure.

Only what differs from the settings in force goes into the line. Whether something does is decided by what
the settings and the line come to together, so that a word is left out only where that changes nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nbbatch.client.config import Config, over
from nbbatch.client.options import Options
from nbbatch.client.spec import DEFAULT_RESOURCES
from nbbatch.errors import NbbatchError
from nbbatch.jupyter.flags import FLAGS, parse_cell_line
from nbbatch.jupyter.launcher.form import FIELDS, LISTS, OPTIONS, PAIRS, Form, Kind
from nbbatch.jupyter.launcher.reading import Problem, Scene, given_of, keywords_of, read_form
from nbbatch.jupyter.words import quoted, split_line

MAGIC = "%%batch"
_FLAGS = {flag.key: flag.word for flag in FLAGS}
_SWITCHES = {
    ("spot", "yes"): "--spot",
    ("spot", "no"): "--on-demand",
    ("cache", "yes"): "--cache",
    ("cache", "no"): "--no-cache",
}
_NUMBERS = ("vcpus", "gpus", "retries", "priority", "max_cost")
_BOUND = {
    (Kind.FUNCTION, False): ("job", "submit"),
    (Kind.FUNCTION, True): ("arr", "map"),
    (Kind.NOTEBOOK, False): ("run", "run_notebook"),
    (Kind.NOTEBOOK, True): ("sweep", "map_notebook"),
}
"""Variable and function of a call, for a single one and for one per item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a form comes to.

    Parameters
    ----------
    form : Form
        It.
    line : str
        `%%batch --queue gpu`, or the Python that says the same; as far as it is right.
    changes : tuple of str
        Options in it, by name: what differs from the settings in force.
    problems : tuple of Problem
        Why it cannot be sent; empty when it can.
    options : Options or None
        All that holds for the job, settings included; None while there are problems.
    """

    form: Form
    line: str
    changes: tuple[str, ...]
    problems: tuple[Problem, ...]
    options: Options | None

    @property
    def source(self) -> str:
        """What goes into a cell: the line, and the code below it."""
        return f"{self.line}\n{self.form.texts.get('code', '')}" if self.is_cell else self.line

    @property
    def bound(self) -> str:
        """The variable that a call binds."""
        return self.form.text("bind") or _BOUND[self.form.kind, bool(self.form.text("array"))][0]

    @property
    def is_cell(self) -> bool:
        """Whether it is a cell with a magic."""
        return self.form.kind is Kind.CELL

    def problem_of(self, name: str) -> Problem | None:
        """What is wrong with a field."""
        return next((one for one in self.problems if one.field == name), None)


def draft_of(form: Form, scene: Scene) -> Draft:
    """What a form comes to with the settings in force."""
    reading = read_form(form, scene)
    problems = reading.problems
    options, changes = None, tuple(reading.values)
    if not problems:
        try:
            options = in_force(Options(**reading.values), scene.config)
            changes = _differing(reading.values, scene.config)
        except NbbatchError as error:
            problems = (Problem("", error.message, error.cure or ""),)
    write = _magic if form.kind is Kind.CELL else _call
    line = write(form, changes, scene)
    problems = problems or tuple(_refused(form, line))
    return Draft(
        form=form, line=line, changes=changes, problems=problems, options=None if problems else options
    )


def in_force(options: Options, config: Config) -> Options:
    """Options over the settings, and nbbatch's own where neither says anything."""
    merged = over(options, config.defaults(backend=options.backend, preset=options.preset))
    if merged.definition is not None:
        return merged
    vcpus = DEFAULT_RESOURCES.vcpus if merged.vcpus is None else merged.vcpus
    memory = DEFAULT_RESOURCES.memory if merged.memory is None else merged.memory
    return replace(merged, vcpus=vcpus, memory=memory)


def _differing(values: Mapping[str, Any], config: Config) -> tuple[str, ...]:
    """Names without which something else would hold; a preset that was chosen stays."""
    wanted, kept = in_force(Options(**values), config), dict(values)
    for name in values:
        fewer = {other: value for other, value in kept.items() if other != name}
        if name != "preset" and in_force(Options(**fewer), config) == wanted:
            kept = fewer
    return tuple(kept)


def _magic(form: Form, changes: tuple[str, ...], _scene: Scene) -> str:
    return " ".join([MAGIC, *_words(form, changes)])


def _words(form: Form, changes: tuple[str, ...]) -> Iterator[str]:
    """Words of the line, in the order of the form."""
    for name in (one.name for one in FIELDS):
        text = form.text(name)
        if not text or (name in OPTIONS and name not in changes):
            continue
        match name:
            case "bind":
                yield from _valued("--as", text)
            case "flow":
                yield from () if form.text("bind") else ("--detach",)
            case "spot" | "cache":
                yield _SWITCHES[name, text]
            case "env" | "tags":
                yield from (word for pair in _pairs(text) for word in _valued(_FLAGS[name], pair))
            case _ if name in _FLAGS:
                yield from _valued(_FLAGS[name], text)


def _valued(flag: str, text: str) -> Iterator[str]:
    """A flag and its value; what looks like a flag itself is tied to it."""
    yield f"{flag}={quoted(text)}" if text.startswith("-") else f"{flag} {quoted(text)}"


def _pairs(text: str) -> list[str]:
    try:
        return split_line(text)
    except NbbatchError:
        return []


def _call(form: Form, changes: tuple[str, ...], scene: Scene) -> str:
    name, function = _BOUND[form.kind, bool(form.text("array"))]
    given = [*_payload(form), *(f"{each}={_literal(each, form.text(each))}" for each in changes)]
    call = f"{form.text('bind') or name} = {scene.module or 'nbbatch'}.{function}({', '.join(given)})"
    return call if scene.module else f"import nbbatch\n\n{call}"


def _payload(form: Form) -> Iterator[str]:
    """What runs, as arguments of the call."""
    if form.kind is Kind.FUNCTION:
        yield from filter(None, (form.text("function"), form.text("array"), form.text("arguments")))
        return
    yield _text(form.text("notebook"))
    yield from filter(None, (form.text("array"),))
    try:
        pairs = keywords_of(form.text("parameters"))
    except NbbatchError:
        pairs = {}
    if pairs:
        values = ", ".join(f"{_text(name)}: {value}" for name, value in pairs.items())
        yield f"parameters={{{values}}}"
    if output := form.text("output"):
        yield f"output={_text(output)}"


def _literal(name: str, text: str) -> str:
    """An option's text as Python."""
    match name:
        case "spot" | "cache":
            return str(text == "yes")
        case _ if name in _NUMBERS and _is_number(text):
            return text
        case _ if name in PAIRS:
            pairs = (pair.partition("=")[::2] for pair in _pairs(text))
            return f"{{{', '.join(f'{_text(key)}: {_text(value)}' for key, value in pairs)}}}"
        case _ if name in LISTS:
            return f"[{', '.join(map(_text, given_of(name, text)))}]"
    return _text(text)


def _text(text: str) -> str:
    """A text as Python, in double quotes where that needs no care."""
    return f'"{text}"' if text.isprintable() and not set(text) & set('"\\') else repr(text)


def _is_number(text: str) -> bool:
    try:
        return isinstance(ast.literal_eval(text), int | float)
    except (ValueError, SyntaxError):
        return False


def _refused(form: Form, line: str) -> Iterator[Problem]:
    """What the magic's own parser, or Python's, would still not take."""
    try:
        if form.kind is Kind.CELL:
            parse_cell_line(line.removeprefix(MAGIC))
        else:
            ast.parse(line)
    except NbbatchError as error:
        yield Problem("", error.message, error.cure or "")
    except (SyntaxError, ValueError) as error:
        yield Problem("", f"{line} is not Python: {error}.")
