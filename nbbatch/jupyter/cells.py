"""One `%%batch` cell from its text to its outputs: choose, pack, tell, submit, wait, show.

The steps stand here in order; each is a module of its own. Whatever can be refused is refused before
anything is sent, and whatever fails later raises, so that Run All stops.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from nbbatch.client.arrays.array_jobs import ArrayJob, map_packed
from nbbatch.client.arrays.chunks import Chunk, key_of, packing_words
from nbbatch.client.arrays.inputs import list_items
from nbbatch.client.arrays.mapping import chunk_of
from nbbatch.client.backend import get_backend
from nbbatch.client.bundle import Packed
from nbbatch.client.capacity import as_far_as_known
from nbbatch.client.handles.handle import Handle
from nbbatch.client.handles.outcome import in_words, short_id
from nbbatch.client.images.built import Image
from nbbatch.client.jobs import Job, submit_packed
from nbbatch.client.like import RESIZED, Resized
from nbbatch.client.listing import find
from nbbatch.client.options import Options
from nbbatch.client.packing.guards import Chosen, choose_inputs, named_values
from nbbatch.client.packing.names import Names, read_names
from nbbatch.client.packing.payloads import Cell
from nbbatch.client.spec import job_name
from nbbatch.client.submission import complete, pack_for
from nbbatch.errors import OptionError, UnknownNameError
from nbbatch.jupyter.console import Console
from nbbatch.jupyter.errors import no_python
from nbbatch.jupyter.finish import Ending, finish
from nbbatch.jupyter.flags import CellLine
from nbbatch.jupyter.local import run_here
from nbbatch.jupyter.panels.cell import with_panel
from nbbatch.jupyter.places import place_of
from nbbatch.jupyter.receipts import (
    cost_lines,
    estimate_asked,
    estimate_seen,
    in_receipt,
    receipt_of,
)
from nbbatch.jupyter.story import Place, receipt_line, receipt_notes
from nbbatch.jupyter.syntax import check_magics
from nbbatch.jupyter.upstream import value_notes, with_values_here
from nbbatch.jupyter.waiting import HeldInterrupts, follow, nothing_sent_yet

_BINDS_UNSEEN = frozenset({"exec", "globals", "setattr", "get_ipython", "update"})
"""Words of cells that may assign names that do not stand there."""


def run_cell(
    shell: Any,
    line: CellLine,
    source: str,
    console: Console,
    *,
    has_panel: bool | None = None,
    on_job: Callable[[Handle], None] = lambda _: None,
) -> Any:
    """Run a cell as a job.

    Parameters
    ----------
    shell : InteractiveShell
        The notebook.
    line : CellLine
        What stood behind `%%batch`.
    source : str
        The cell below it.
    console : Console
        Where the story is told.
    has_panel : bool or None
        Whether a panel takes the place of the status line where the line does not say so; None: an array's.
    on_job : callable
        Gets the handle as soon as there is one.

    Returns
    -------
    Job or ArrayJob or None
        The handle where the notebook goes on without waiting and nothing was to be bound to it.

    Raises
    ------
    UserError
        When something is wrong with the line, the cell or the values; nothing was sent then.
    JobError
        When the job fails.
    DetachedError
        When interrupted while waiting; the job goes on.
    """
    if line.local:
        options = options_of(line, shell.user_ns)
        cell = make_cell(shell, line, source, options)
        run_here(shell, with_values_here(cell, console), options, line.outputs, console)
        return None
    if line.dry_run:
        return _run_dry(shell, line, source, console)
    with nothing_sent_yet(console):
        options = options_of(line, shell.user_ns)
        place = place_of(get_backend(options.backend), options)
        cell = make_cell(shell, line, source, options)
        packed = pack_for(cell, options, namespace=shell.user_ns)
        _tell_receipt(console, packed, place, cell, in_receipt(estimate_seen(packed, cell, options)))
    with HeldInterrupts() as held:
        job = _submit(cell, packed, options)
        on_job(job)
        if line.bind:
            shell.user_ns[line.bind] = job
        if job.is_cached:
            console.line(
                f"nothing was sent: {in_words(job.detail())} It did the same, so its result is taken"
            )
        if line.detach:
            return _say_detached(console, job, line.bind)
        console = with_panel(console, job, wanted=has_panel if line.panel is None else line.panel)
        watched = follow(job, console, held)
    finish(Ending(shell, console, job, watched, line.outputs))
    return None


def _run_dry(shell: Any, line: CellLine, source: str, console: Console) -> None:
    """The receipt and the cost, as far as they can be known; no credentials are needed."""
    with as_far_as_known() as unchecked:
        options = options_of(line, shell.user_ns)
        place = place_of(get_backend(options.backend), options)
        cell = make_cell(shell, line, source, options)
        packed = pack_for(cell, options, namespace=shell.user_ns, is_dry=True)
        _tell_receipt(console, packed, place, cell, in_receipt(estimate_seen(packed, cell, options)))
        for text in cost_lines(estimate_asked(packed, cell, options)):
            console.line(text)
    for what in unchecked:
        console.line(f"not checked: {what}")
    console.line("dry run: nothing was sent")


def attach_to(shell: Any, job: Job | ArrayJob, outputs: Sequence[str] | None, console: Console) -> None:
    """Wait for a job submitted anywhere, then bring its outputs and variables here.

    Raises
    ------
    JobError
        When the job failed.
    DetachedError
        When interrupted while waiting; the job goes on.
    """
    console.line(f"job {short_id(job.id)} {job.name} on {job.backend_name}")
    console = with_panel(console, job, wanted=True)
    watched = follow(job, console)
    finish(Ending(shell, console, job, watched, outputs))


def options_of(line: CellLine, namespace: Mapping[str, Any]) -> Options:
    """The line's options over the configured ones, with dependencies as full ids."""
    given = with_named_like(_with_image(line.options, namespace), namespace)
    depends = tuple(_id_of(text, namespace) for text in given.depends)
    return complete(replace(given, depends=depends))


def _id_of(text: str, namespace: Mapping[str, Any]) -> str:
    """The id of a job that is named by the variable of its handle; any other word as it is."""
    held = namespace.get(text)
    return held.id if isinstance(held, Handle) else text


def _with_image(options: Options, namespace: Mapping[str, Any]) -> Options:
    """An image named by the variable that holds it, as `env` or `$env`, by its real name."""
    held = namespace.get((options.image or "").removeprefix("$"))
    return replace(options, image=str(held)) if isinstance(held, Image) else options


def with_named_like(options: Options, namespace: Mapping[str, Any]) -> Options:
    """A job that `--like` names by the variable of its handle, as that handle."""
    name = str(options.like).removesuffix(RESIZED)
    held = namespace.get(name)
    if not isinstance(held, Handle | Resized):
        return options
    if isinstance(held, Handle) and name != options.like:
        held = held.resized()
    return replace(options, like=held)


def find_job(text: str, namespace: Mapping[str, Any], backend: str | None) -> Any:
    """A handle by its variable, or a job by its name, its id or the beginning of that.

    Raises
    ------
    UnknownNameError
        When there is none, or more than one.
    """
    handle = namespace.get(text)
    return handle if isinstance(handle, Handle) else find(text, backend=backend)


def _tell_receipt(console: Console, packed: Packed, place: Place, cell: Cell, estimate: str) -> None:
    items = None if cell.items is None else len(cell.items)
    receipt = receipt_of(packed, cell)
    packing = packing_words(items or 0, Chunk(size=cell.chunk, why=cell.chunk_why))
    console.line(receipt_line(receipt, place, items, packing=packing, estimate=estimate))
    for note in (*filter(None, [place.aside]), *value_notes(cell), *receipt_notes(receipt)):
        console.line(note)


def _submit(cell: Cell, packed: Packed, options: Options) -> Job | ArrayJob:
    """Submit a packed cell; the job lives from here on, whatever becomes of the notebook."""
    name = job_name(cell.label)
    if cell.items is None:
        return submit_packed(packed, options, name=name)
    packing = packing_words(len(cell.items), Chunk(size=cell.chunk, why=cell.chunk_why))
    return map_packed(packed, options, name=name, inputs=cell.items, packing=packing)


def _say_detached(console: Console, job: Job | ArrayJob, bound: str | None) -> Job | ArrayJob | None:
    name = short_id(job.id)
    handle = f"{bound} is its handle · " if bound else ""
    console.line(
        f"job {name} submitted · {handle}%batch attach {name} waits for it and brings its outputs here"
    )
    return None if bound else job


def make_cell(shell: Any, line: CellLine, source: str, options: Options) -> Cell:
    """The payload of a cell: its text and the values it needs."""
    items = None if line.array is None else read_items(line.array, shell.user_ns)
    chunk = Chunk(size=1)
    if items is not None:
        chunk = chunk_of("auto", len(items), options, key_of(with_magic_line(source)))
    label = f"In [{len(shell.user_ns['In']) - 1}]"
    if line.language is not None:
        language = line.language
        return Cell(
            source=source,
            language=language,
            inputs=named_values(line.inputs or (), shell.user_ns),
            outputs=line.outputs,
            items=items,
            chunk=chunk.size,
            chunk_why=chunk.why,
            item_name=line.item,
            label=label,
        )
    source = with_magic_line(source)
    names = _names_of(source, label)
    if names.is_ipython:
        check_magics(names.python, shell)
    _check_outputs(line, names)
    chosen = _choose(names, line, shell.user_ns, has_items=items is not None)
    returned = tuple(name for name in names.returns if name != line.item or items is None)
    return Cell(
        source=source,
        inputs=chosen.values,
        named=frozenset(line.inputs or ()),
        modules=chosen.modules,
        outputs=line.outputs,
        candidates=returned,
        items=items,
        chunk=chunk.size,
        chunk_why=chunk.why,
        item_name=line.item,
        label=label,
        takes_values=not line.keep_handles,
    )


def _check_outputs(line: CellLine, names: Names) -> None:
    """Refuse a name of `--out` that no word of the cell is, before the job has run for nothing."""
    words = set(re.findall(r"\w+", names.python)) | {*(line.inputs or ()), line.item}
    strange = [name for name in line.outputs or () if name not in words]
    if strange and not words & _BINDS_UNSEEN and "import *" not in names.python:
        near = get_close_matches(strange[0], names.assigns, n=1)
        raise UnknownNameError(
            f"--out names {strange[0]}, which the cell does not assign.",
            cure=f"Did you mean {near[0]}?" if near else "Assign it in the cell, or take it off --out.",
        )


def _names_of(source: str, label: str) -> Names:
    try:
        return read_names(source, label=label)
    except SyntaxError as error:
        raise no_python(error) from error


def with_magic_line(source: str) -> str:
    """The cell with a comment where its `%%batch` line was: then line numbers are the notebook's.

    A cell magic below it has to stay the first line.
    """
    return source if source.lstrip().startswith("%%") else f"# %%batch\n{source}"


def read_items(expression: str, namespace: Mapping[str, Any]) -> Sequence[Any]:
    """Items of an array from the Python expression of `--array`, read as `nbbatch.map` reads them.

    Raises
    ------
    OptionError
        When the expression fails, cannot be iterated, or has no items.
    """
    return list_items(_evaluate(expression, namespace))


def _evaluate(expression: str, namespace: Mapping[str, Any]) -> Any:
    try:
        code = compile(expression.strip(), "--array", "eval")
        return eval(code, dict(namespace))  # noqa: S307 - the user's own expression, as in any cell
    except Exception as error:
        raise OptionError(
            f"--array {expression} cannot be evaluated: {type(error).__name__}: {error}.",
            cure="It takes a Python expression, such as range(20) or a variable's name.",
        ) from error


def _choose(names: Names, line: CellLine, namespace: Mapping[str, Any], *, has_items: bool) -> Chosen:
    """Inputs as named, or as read; an empty `--in` sends no variable, and the item is the job's own."""
    if line.inputs == ():
        names = replace(names, reads=(), changes=())
    elif has_items:
        names = replace(names, reads=tuple(name for name in names.reads if name != line.item))
    return choose_inputs(names, namespace, named=line.inputs or ())
