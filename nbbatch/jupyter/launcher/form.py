"""The launcher's form as a value: what stands in its fields, as texts. Pure.

A field that is empty says nothing: then the settings in force decide (`%batch config`), which the
form shows in its place. What a text means is decided in `reading`, what becomes of it in `draft`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from nbbatch.client.like import RESIZED
from nbbatch.client.options import Options, suggestion
from nbbatch.errors import OptionError
from nbbatch.jupyter.flags import FLAGS, CellLine
from nbbatch.jupyter.words import quoted

_MIB_PER_GIB = 1024
_MINUTE, _HOUR = 60, 3600


class Kind(StrEnum):
    """What runs."""

    CELL = "cell"
    FUNCTION = "function"
    NOTEBOOK = "notebook"


EVERY = frozenset(Kind)
CALLS = frozenset({Kind.FUNCTION, Kind.NOTEBOOK})
CELLS, FUNCTIONS, NOTEBOOKS = (frozenset({kind}) for kind in Kind)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the form.

    Parameters
    ----------
    name : str
        As the option is named in Python, or a word of the launcher's own.
    label : str
        Beside it.
    group : str
        Part of the form that it stands in.
    help : str
        A sentence for tooltip and screen reader.
    kinds : frozenset of Kind
        For what it makes sense.
    choices : tuple of (str, str)
        Label and text of each choice; empty where anything can be typed.
    is_long : bool
        Whether its text has several lines.
    """

    name: str
    label: str
    group: str
    help: str
    kinds: frozenset[Kind] = EVERY
    choices: tuple[tuple[str, str], ...] = ()
    is_long: bool = False


RUNS, WHERE, SIZE, ARRAY, LIMITS, MORE = "What runs", "Where", "Size", "Array", "Limits", "More"
_HELPS = {flag.key: flag.help for flag in FLAGS}
_FLOW = (
    ("wait and show its outputs", ""),
    ("go on at once (--detach)", "detach"),
)


def _option(name: str, label: str, group: str, **more: Any) -> Field:
    return Field(name, label, group, _HELPS[name], **more)


FIELDS = (
    Field("code", "cell", RUNS, "code of the cell; may be written later", CELLS, is_long=True),
    Field("function", "function", RUNS, "a function of this notebook", FUNCTIONS),
    Field("arguments", "arguments", RUNS, "as in a call: data, lr=0.1", FUNCTIONS),
    Field("notebook", "notebook", RUNS, "path of the notebook that runs", NOTEBOOKS),
    Field("parameters", "parameters", RUNS, 'as in a call: day="2026-01-01", lr=0.1', NOTEBOOKS),
    Field("output", "output", RUNS, "where the executed notebook is saved: out/{name}.ipynb", NOTEBOOKS),
    Field("flow", "then", RUNS, "what this notebook does meanwhile", CELLS, choices=_FLOW),
    Field("bind", "handle", RUNS, "variable that gets the job's handle (--as in a cell)"),
    _option("backend", "backend", WHERE),
    _option("preset", "preset", WHERE),
    _option("queue", "queue", WHERE),
    _option("image", "image", WHERE),
    _option("vcpus", "vCPU", SIZE),
    _option("memory", "memory", SIZE),
    _option("gpus", "GPU", SIZE),
    Field(
        "spot",
        "capacity",
        SIZE,
        "Spot capacity is cheaper and may be interrupted",
        choices=(("as the queue has", ""), ("Spot", "yes"), ("on demand", "no")),
    ),
    Field("array", "items", ARRAY, "one run per item of this Python expression: range(20), df, files"),
    _option("item", "item name", ARRAY, kinds=CELLS),
    _option("retries", "retries", LIMITS),
    _option("timeout", "timeout", LIMITS),
    _option("max_cost", "budget", LIMITS),
    _option("name", "name", LIMITS),
    _option("in", "send", MORE, kinds=CELLS),
    _option("out", "bring back", MORE, kinds=CELLS),
    _option("lang", "language", MORE, kinds=CELLS),
    Field("env", "env", MORE, 'variables of the job: A=1 GREETING="hello world"'),
    Field("tags", "tags", MORE, "tags of the job: team=blue study=3"),
    _option("files", "files", MORE),
    _option("workdir", "work folder", MORE),
    _option("fetch", "fetch", MORE),
    _option("fetch_to", "fetch to", MORE),
    _option("definition", "definition", MORE),
    _option("like", "like job", MORE),
    _option("depends", "after jobs", MORE),
    _option("priority", "priority", MORE),
    _option("share", "share", MORE),
    _option("value_limit", "value limit", MORE),
    Field(
        "cache",
        "cache",
        MORE,
        "take the result of an earlier job of the same code, inputs and image",
        choices=(("as set", ""), ("yes", "yes"), ("no", "no")),
    ),
)
BY_NAME = {one.name: one for one in FIELDS}
OPTIONS = tuple(one.name for one in FIELDS if one.name in {each.name for each in fields(Options)})
"""Fields that are options of a job, in the order in which a line has them."""
PAIRS, LISTS = ("env", "tags"), ("files", "fetch", "depends")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What stands in the fields.

    Parameters
    ----------
    kind : Kind
        What runs.
    texts : mapping of str to str
        By the field's name; a missing one is empty.
    """

    kind: Kind = Kind.CELL
    texts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def text(self, name: str) -> str:
        """What stands in a field, without the blanks around it; empty where the field is not shown."""
        return self.texts.get(name, "").strip() if self.kind in BY_NAME[name].kinds else ""

    def having(self, **texts: str) -> Form:
        """The form with other texts in some fields."""
        return replace(self, texts=MappingProxyType({**self.texts, **texts}))


def form_of(given: Mapping[str, Any]) -> Form:
    """A form with the fields filled in that a call names.

    Parameters
    ----------
    given : mapping
        Options as in `nbbatch.submit`, and the launcher's own words: `array`, `item`, `function`,
        `arguments`, `notebook`, `parameters`, `code`, ...

    Raises
    ------
    OptionError
        When a name is unknown or a value is not understood.
    """
    own = {name: value for name, value in given.items() if name in BY_NAME and name not in OPTIONS}
    rest = {name: value for name, value in given.items() if name not in own}
    for name in rest:
        if name not in OPTIONS and name != "after":
            raise OptionError(f"The launcher has no field {name!r}.", cure=suggestion(name, [*BY_NAME]))
    options = {name: value for name, value in rest.items() if value is not None}
    texts = {name: _own_text(name, value) for name, value in own.items() if value is not None}
    read = Options.parse(options)
    if any(place for place, _ in read.files or ()):
        raise OptionError(
            "The launcher sends files to the same path only.", cure="Give files as paths, not as a mapping."
        )
    kind = Kind.FUNCTION if "function" in texts else Kind.NOTEBOOK if "notebook" in texts else Kind.CELL
    return Form(kind=kind, texts=MappingProxyType(texts | texts_of(read)))


def form_of_line(line: CellLine) -> Form:
    """A form filled in as the line of a `%%batch` cell says."""
    own = {
        "in": None if line.inputs is None else ",".join(line.inputs),
        "out": None if line.outputs is None else ",".join(line.outputs),
        "array": line.array,
        "item": line.item if line.item != "item" else None,
        "lang": line.language,
        "bind": line.bind,
        "flow": "detach" if line.detach and not line.bind else None,
    }
    texts = {name: value for name, value in own.items() if value}
    return Form(texts=MappingProxyType(texts | texts_of(line.options)))


def texts_of(options: Options) -> dict[str, str]:
    """Options as a person would type them into the fields."""
    given = {name: getattr(options, name) for name in OPTIONS}
    return {name: _text(name, value) for name, value in given.items() if value not in (None, {}, ())}


def _text(name: str, value: Any) -> str:
    return _WRITTEN.get(name, str)(value)


def _memory(mib: int) -> str:
    return f"{mib // _MIB_PER_GIB}G" if mib % _MIB_PER_GIB == 0 else f"{mib}M"


def _number(value: float) -> str:
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def _pairs(value: Mapping[str, str]) -> str:
    return " ".join(quoted(f"{key}={text}") for key, text in value.items())


def _switch(value: bool) -> str:  # noqa: FBT001 - one of two texts
    return "yes" if value else "no"


def _like(job: Any) -> str:
    """An id or name as it is, of a handle its id, of a right-sized one both."""
    if hasattr(job, "advice"):
        return f"{job.job.id}{RESIZED}"
    return str(getattr(job, "id", job))


def _duration(seconds: int) -> str:
    for length, unit in ((_HOUR, "h"), (_MINUTE, "m")):
        if seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


_WRITTEN: Mapping[str, Callable[[Any], str]] = {
    "memory": _memory,
    "value_limit": lambda size: _memory(size >> 20),
    "timeout": _duration,
    "spot": _switch,
    "cache": _switch,
    "env": _pairs,
    "tags": _pairs,
    "files": lambda files: ",".join(path for _, path in files),
    "fetch": ",".join,
    "depends": ",".join,
    "like": _like,
    "vcpus": _number,
    "max_cost": _number,
}


def _own_text(name: str, value: Any) -> str:
    """What the launcher's own words may be given as: a function is known by its name, items by their text."""
    if callable(value):
        value = getattr(value, "__name__", value)
    if name == "parameters" and isinstance(value, Mapping):
        return ", ".join(f"{key}={each!r}" for key, each in value.items())
    if isinstance(value, str):
        return value
    if name in ("in", "out") and isinstance(value, list | tuple):
        return ",".join(value)
    return repr(value)
