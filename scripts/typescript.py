"""The sidebar's shapes as TypeScript, and the statuses' colours as constants and CSS variables.

From the Structs of `nbbatch/jupyter/routes/shapes*.py`: their members, types and docstrings. Texts in a
status's colour need more contrast than marks do (WCAG 2.1, 4.5:1 against 3:1), so they get it here.
"""

from __future__ import annotations

import ast
import inspect
import re
import types
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from nbbatch.client.colours import KINDS
from nbbatch.client.handles.outcome import Outcome
from nbbatch.jupyter.figures.palette import Theme
from nbbatch.jupyter.routes import shapes, shapes_job, shapes_money, shapes_submit
from nbbatch.jupyter.routes.table import PREFIX, ROUTES
from nbbatch.model.jobs import JobStatus

MODULES = (shapes, shapes_job, shapes_money, shapes_submit)
BASES = (shapes.Answer, shapes.Request)
TEXT_CONTRAST = 4.5
TEXT_GROUNDS = {Theme.LIGHT: "#e0edf9", Theme.DARK: "#2d3138"}
"""What a chosen row of the list has behind its words in JupyterLab's themes (`--nbbatch-chosen`)."""
_LINEAR = 0.04045
"""Below this sRGB is linear (IEC 61966-2-1)."""
_WORDS = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null", Any: "unknown"}
_HEAD = """/* Written by scripts/shapes from nbbatch/jupyter/routes/shapes*.py and nbbatch/client/colours.py. */
"""


def typescript() -> str:
    """The whole of `frontend/src/shapes.ts`."""
    parts = [_HEAD, *_enums(), *_aliases(), *map(_interface, structs_of(MODULES)), _routes(), *_colours()]
    return "\n".join(parts)


def css() -> str:
    """The whole of `frontend/style/colours.css`."""
    marks = "".join(f"  --nbbatch-{_slug(kind)}: {known.colour};\n" for kind, known in KINDS.items())
    texts = {theme: _texts(theme) for theme in TEXT_GROUNDS}
    return (
        f"{_HEAD}\n/* Marks: the same on light and dark grounds. */\n:root {{\n{marks}}}\n\n"
        f"/* Texts, with a contrast of {TEXT_CONTRAST}:1 on the ground of a chosen row. */\n"
        f":root,\nbody[data-jp-theme-light='true'] {{\n{texts[Theme.LIGHT]}}}\n\n"
        f"body[data-jp-theme-light='false'] {{\n{texts[Theme.DARK]}}}\n"
    )


def structs_of(modules: Sequence[types.ModuleType]) -> Iterator[type[msgspec.Struct]]:
    """The shapes that modules define, in their order."""
    for module in modules:
        for thing in vars(module).values():
            if inspect.isclass(thing) and issubclass(thing, BASES) and thing.__module__ == module.__name__:
                yield from () if thing in BASES else (thing,)


def _enums() -> Iterator[str]:
    for kind in (JobStatus, Outcome):
        values = ", ".join(f"'{value}'" for value in kind)
        constant = "STATUSES" if kind is JobStatus else "OUTCOMES"
        doc = _comment(inspect.getdoc(kind) or "", "")
        yield f"{doc}export type {kind.__name__} = (typeof {constant})[number];\n"
        yield f"export const {constant} = [{values}] as const;\n"


def _alias_names() -> dict[Any, str]:
    return {
        thing: name
        for module in MODULES
        for name, thing in vars(module).items()
        if get_origin(thing) is Literal
    }


def _aliases() -> Iterator[str]:
    docs = {name: text for module in MODULES for name, text in _constants(module)}
    for thing, name in _alias_names().items():
        yield f"{_comment(docs.get(name, ''), '')}export type {name} = {_literal(thing)};\n"


def _constants(module: types.ModuleType) -> Iterator[tuple[str, str]]:
    """Names and docstrings of a module's assignments."""
    body = ast.parse(inspect.getsource(module)).body
    for one, after in pairwise(body):
        match one, after:
            case (
                ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str() as text)),
            ):
                yield name, text


def _interface(kind: type[msgspec.Struct]) -> str:
    about, members = documented(inspect.getdoc(kind) or "")
    hints = get_type_hints(kind)
    is_request = issubclass(kind, shapes.Request)
    lines = []
    for one in msgspec.structs.fields(kind):
        mark = "?" if is_request and not one.required else ""
        lines.append(
            f"{_comment(members[one.name], '  ')}  {one.encode_name}{mark}: {_type(hints[one.name])};"
        )
    return f"{_comment(about, '')}export interface {_name(kind)} {{\n" + "\n".join(lines) + "\n}\n"


def _name(kind: type) -> str:
    return f"I{kind.__name__}"


def documented(text: str) -> tuple[str, dict[str, str]]:
    """What a numpy docstring says of the whole and of each parameter."""
    about, _, rest = text.partition("\nParameters\n")
    members: dict[str, str] = {}
    names: list[str] = []
    for line in rest.splitlines()[1:]:
        if line and not line.startswith(" "):
            names = re.split(r",\s*", line.partition(" : ")[0])
        elif line.strip():
            members |= {name: f"{members.get(name, '')} {line.strip()}".strip() for name in names}
    return about.strip(), members


def typescript_of(kind: type[msgspec.Struct], member: str) -> str:
    """The type of a member."""
    return _type(get_type_hints(kind)[member])


def _type(hint: Any) -> str:
    named = {kind: kind.__name__ for kind in (JobStatus, Outcome)} | _alias_names()
    inner = get_args(hint)
    if hint in named or hint in _WORDS:
        return (named | _WORDS)[hint]
    match get_origin(hint):
        case origin if origin in (Union, types.UnionType):
            word = " | ".join(map(_type, inner))
        case origin if origin is Literal:
            word = _literal(hint)
        case origin if origin is list:
            word = _type(inner[0])
            word = f"({word})[]" if " " in word else f"{word}[]"
        case origin if origin is dict:
            word = f"Record<string, {_type(inner[1])}>"
        case _:
            word = _name(hint)
    return word


def _literal(hint: Any) -> str:
    return " | ".join(f"'{value}'" for value in get_args(hint))


def _comment(text: str, indent: str) -> str:
    text = re.sub(r"\bNone\b", "null", text)
    lines = [line.strip() for line in text.splitlines()]
    if not text:
        return ""
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    return (
        f"{indent}/**\n" + "".join(f"{indent} * {line}".rstrip() + "\n" for line in lines) + f"{indent} */\n"
    )


def _routes() -> str:
    """What each route takes and gives, for a typed `request`."""
    lines = []
    for one in ROUTES:
        body = _name(one.request) if one.request else "null"
        query = " | ".join(f"'{name}'" for name in one.query) or "never"
        lines.append(
            f"{_comment(one.about, '  ')}  '{one.method} {one.path}': "
            f"{{ request: {body}; answer: {_name(one.answer)}; query: {query} }};"
        )
    return (
        f"/** Below the server's base address. */\nexport const PREFIX = '{PREFIX}';\n\n"
        "/** Every route: what it takes and gives; all of them also take `backend` and `folder`. */\n"
        "export interface IRoutes {\n" + "\n".join(lines) + "\n}\n"
    )


def _colours() -> Iterator[str]:
    yield "/** What a job looks like: its status, or how it failed. */"
    yield "export type Look = Exclude<JobStatus, 'FAILED'> | Exclude<Outcome, 'succeeded' | 'children failed'>;\n"
    for constant, doc, of in (
        ("LOOK_NAMES", "For people.", lambda known: known.name),
        ("COLOURS", "Of marks, on light and dark grounds alike.", lambda known: known.colour),
    ):
        yield _table(constant, doc, {kind: of(known) for kind, known in KINDS.items()})
    yield _table(
        "LOOK_VARIABLES",
        "CSS variables of style/colours.css; with `-text` behind them those of texts.",
        {kind: f"--nbbatch-{_slug(kind)}" for kind in KINDS},
    )


def _table(constant: str, doc: str, values: dict[Any, str]) -> str:
    lines = "".join(f"  {_key(kind)}: {_quoted(value)},\n" for kind, value in values.items())
    return f"/** {doc} */\nexport const {constant}: Record<Look, string> = {{\n{lines.removesuffix(chr(10))[:-1]}\n}};\n"


def _key(kind: StrEnum) -> str:
    return str(kind) if str(kind).isidentifier() else f"'{kind}'"


def _quoted(text: str) -> str:
    return f"'{text}'"


def _slug(kind: StrEnum) -> str:
    return str(kind).lower().replace(" ", "-")


def _texts(theme: Theme) -> str:
    return "".join(
        f"  --nbbatch-{_slug(kind)}-text: {text_colour(known.colour, theme)};\n"
        for kind, known in KINDS.items()
    )


def text_colour(colour: str, theme: Theme) -> str:
    """The colour with as little ink in it as a text needs on the theme's grounds."""
    ground, ink = TEXT_GROUNDS[theme], "#000000" if theme is Theme.LIGHT else "#ffffff"
    mixes = (_mixed(colour, ink, step / 20) for step in range(21))
    return next(mix for mix in mixes if contrast(mix, ground) >= TEXT_CONTRAST)


def contrast(one: str, other: str) -> float:
    """WCAG's contrast of two colours, 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _mixed(colour: str, ink: str, share: float) -> str:
    pairs = zip(_channels(colour), _channels(ink), strict=True)
    return "#" + "".join(f"{round(255 * (a + (b - a) * share)):02x}" for a, b in pairs)


def _luminance(colour: str) -> float:
    linear = [c / 12.92 if c <= _LINEAR else ((c + 0.055) / 1.055) ** 2.4 for c in _channels(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _channels(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
