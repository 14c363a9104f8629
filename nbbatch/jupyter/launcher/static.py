"""The launcher where no widgets are: the line, what holds and why, and how to change it. Pure.

A saved notebook keeps it, too: it reads on GitHub and after the kernel is gone.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from nbbatch.client.origins import Setting
from nbbatch.jupyter.console import MARK
from nbbatch.jupyter.launcher.draft import Draft
from nbbatch.jupyter.launcher.form import BY_NAME
from nbbatch.jupyter.launcher.style import STATIC, static_style
from nbbatch.jupyter.settings import in_words

SHOWN = ("backend", "queue", "image", "vcpus", "memory", "gpus", "spot", "retries", "timeout", "max_cost")
"""Options of which it says what holds, also where the line does not name them."""
_FLAT = "padding:0 1.2em 0 0;text-align:left;border:none"
_HOW = (
    'Other values: nbbatch.launch(queue="gpu", vcpus=4), or write the line above your own cell.',
    "%%batch -h shows all options, %batch config where settings come from.",
)
_FORM = "The form is there when the cell runs again."
_CALL = "Other values: nbbatch.launch(...) with them, or change the line."


def static_bundle(draft: Draft, settings: Sequence[Setting]) -> dict[str, str]:
    """MIME bundle of a draft."""
    return {"text/plain": static_text(draft, settings), "text/html": static_html(draft, settings)}


def static_text(draft: Draft, settings: Sequence[Setting]) -> str:
    """As lines of text."""
    rows = [*rows_of(draft, settings)]
    width = max((len(name) for name, _, _ in rows), default=0)
    middle = max((len(value) for _, value, _ in rows), default=0)
    fields = [f"  {name:<{width}}  {value:<{middle}}  {origin}".rstrip() for name, value, origin in rows]
    lines = [f"{MARK} the launcher's line:", *_indented(draft.source), *_wrong(draft), *fields, *how(draft)]
    return "\n".join(lines)


def static_html(draft: Draft, settings: Sequence[Setting]) -> str:
    """The same for notebooks."""
    cells = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows_of(draft, settings))
    texts = "".join(f"<div>{html.escape(text)}</div>" for text in (*_wrong(draft), _FORM, *how(draft)))
    line = f"<pre style='margin:0 0 4px'>{html.escape(draft.source.rstrip())}</pre>"
    table = f"<table style='border:none;margin:0'><tbody>{cells}</tbody></table>"
    return f'{static_style()}<div class="{STATIC}">{line}{table}{texts}</div>'


def rows_of(draft: Draft, settings: Sequence[Setting]) -> Iterator[tuple[str, str, str]]:
    """Field, value and where it comes from: what the line says, and what holds without it."""
    said = {name: draft.form.text(name) for name in BY_NAME if name in draft.changes}
    known = {one.name: one for one in settings}
    for name in dict.fromkeys([*SHOWN, *said]):
        if name in said:
            yield name, said[name], "the line"
        elif name in known and (value := in_words(known[name])):
            yield name, value, known[name].source


def how(draft: Draft) -> tuple[str, ...]:
    """How to change it by words."""
    return _HOW if draft.is_cell else (_CALL,)


def _wrong(draft: Draft) -> list[str]:
    return [f"{one.field or 'line'}: {one}" for one in draft.problems]


def _cell(text: str) -> str:
    return f'<td style="{_FLAT}">{html.escape(text)}</td>'


def _indented(source: str) -> list[str]:
    return [f"  {line}" for line in source.rstrip().splitlines()]
