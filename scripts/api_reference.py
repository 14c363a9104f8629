"""The page of the Python API, from the docstrings of what `nbbatch` exports; `scripts/docs` writes it.

griffe reads code and numpy docstrings without importing anything; here is only how a name looks on
the page. A class brings its public methods and properties, also those it inherits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import griffe

from nbbatch import _HOME_OF

ROOT = Path(__file__).resolve().parent.parent
NOT_FOR_CALLING = {"load_ipython_extension", "unload_ipython_extension"}
"""What IPython calls; people write `%load_ext nbbatch`."""
_LONGEST_LINE = 88
_MARK_OF = {"positional-only": "/", "keyword-only": "*"}

PAGE = """# Python API

Written by `scripts/docs` from the docstrings. Everything here is `nbbatch.<name>` after `import nbbatch`;
what the words of a cell mean is in the [reference](reference.md).

{names}
"""


def api_page() -> str:
    """The whole page."""
    package = griffe.load("nbbatch", search_paths=[str(ROOT)], docstring_parser="numpy")
    names = [name for name in _HOME_OF if name not in NOT_FOR_CALLING]
    blocks = [block for name in sorted(names, key=_order) for block in _exported(package, name)]
    return PAGE.format(names="\n\n".join(blocks))


def _order(name: str) -> tuple[bool, str]:
    """Functions first, then classes."""
    return name[0].isupper(), name


def _exported(package: Any, name: str) -> Iterator[str]:
    module = _HOME_OF[name].removeprefix("nbbatch.")
    yield from _described(package[module][name], f"nbbatch.{name}", level=2)


def _described(thing: Any, name: str, *, level: int) -> Iterator[str]:
    """A heading, the signature, the docstring; of a class its members, too."""
    if thing.is_alias:
        thing = thing.final_target
    yield f"{'#' * level} `{name}`"
    if thing.is_function:
        yield f"```python\n{_signature(thing, name.rpartition('.')[2])}\n```"
    yield from _sections(thing)
    if thing.is_class:
        for word, member in sorted(thing.all_members.items()):
            if not word.startswith("_") and (member.is_function or "property" in member.labels):
                yield from _described(member, f"{thing.name}.{word}", level=level + 1)


def _signature(function: Any, name: str) -> str:
    returns = f" -> {function.returns}" if function.returns else ""
    arguments = list(_arguments(function.parameters))
    line = f"{name}({', '.join(arguments)}){returns}"
    if len(line) <= _LONGEST_LINE:
        return line
    return f"{name}(\n" + "".join(f"    {argument},\n" for argument in arguments) + f"){returns}"


def _arguments(parameters: Iterable[Any]) -> Iterator[str]:
    last = ""
    for parameter in parameters:
        kind = parameter.kind.value
        if parameter.name in ("self", "cls"):
            continue
        if last == "positional-only" != kind:
            yield "/"
        if kind == "keyword-only" and last not in ("keyword-only", "variadic positional"):
            yield "*"
        yield _argument(parameter, kind)
        last = kind
    if last == "positional-only":
        yield "/"


def _argument(parameter: Any, kind: str) -> str:
    stars = {"variadic positional": "*", "variadic keyword": "**"}.get(kind, "")
    hint = f": {parameter.annotation}" if parameter.annotation else ""
    default = f" = {parameter.default}" if parameter.default is not None and not stars else ""
    return f"{stars}{parameter.name}{hint}{default}"


def _sections(thing: Any) -> Iterator[str]:
    if thing.docstring is None:
        return
    for section in thing.docstring.parse("numpy"):
        match section.kind.value:
            case "text":
                yield _plain(section.value)
            case "examples":
                yield "**Examples**"
                yield "\n\n".join(_example(*part) for part in section.value)
            case "parameters" | "other parameters" | "attributes":
                yield _listed("Parameters", section.value)
            case "returns" | "yields":
                yield _listed(section.kind.value.title(), section.value)
            case "raises" | "warns":
                yield _listed("Raises", section.value)


def _example(kind: Any, text: str) -> str:
    return f"```pycon\n{text}\n```" if kind.value == "examples" else _plain(text)


def _listed(title: str, entries: Iterable[Any]) -> str:
    return "\n".join([f"**{title}**", "", *(_entry(entry) for entry in entries)])


def _entry(entry: Any) -> str:
    name = getattr(entry, "name", "")
    kind = str(entry.annotation or "")
    head = " ".join(part for part in (f"`{name}`" if name else "", f"*{kind}*" if kind else "") if part)
    return f"- {head}: {' '.join(_plain(entry.description).split())}"


def _plain(text: str) -> str:
    """Docstrings mark code with one backtick or two, as Markdown does; a literal block is indented."""
    return re.sub(r"::\n\n((?:    .*\n?|\n)+)", lambda found: f":\n\n{found[1]}", text).strip()
