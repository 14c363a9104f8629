"""What a job has left: rich outputs, and the executed notebook, saved where it can be opened.

A notebook is written beside its source under a name with the job's short id, and never over a file
that stands there: the same state of the same job is found again, anything else gets a number.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from nbbatch.client.arrays.array_jobs import ArrayJob
from nbbatch.client.arrays.indexes import bundle_of
from nbbatch.client.handles.outcome import short_id
from nbbatch.client.notebooks.handles import NotebookJob
from nbbatch.client.results import ItemResult, Result
from nbbatch.errors import ConfigurationError, OptionError, ResultLostError
from nbbatch.jupyter.routes.asked import Asked, Contents
from nbbatch.jupyter.routes.detail import handle_of
from nbbatch.jupyter.routes.problems import NotFoundError, at
from nbbatch.jupyter.routes.shapes_job import Cell, ItemEnd, Outputs, RemoteError, SavedNotebook
from nbbatch.model.jobs import TERMINAL

MOST_BYTES = 20 << 20
"""Of outputs in one answer; a notebook that has more is better opened."""
MOST_ITEMS = 100_000_000
_MOST_TRIES = 1000


async def outputs(asked: Asked) -> Outputs:
    """GET `jobs/<id>/outputs`."""

    def answer() -> Outputs:
        handle = handle_of(asked)
        if isinstance(handle, ArrayJob):
            raise OptionError("An array leaves nothing of its own.", cure="Ask for a child: <id>:<index>.")
        if isinstance(handle, NotebookJob):
            wanted = asked.query.get("item", "")
            _choose(handle, int(asked.number("item", 0, lowest=0, highest=MOST_ITEMS)) if wanted else None)
            return _of_notebook(handle, asked)
        return _of_job(handle)

    return await asked.lane.run(asked.folder, answer)


def _of_job(handle: Any) -> Outputs:
    told = handle.detail()
    if told["status"] not in TERMINAL or not bundle_of(told):
        return Outputs(id=handle.id)
    try:
        result: Result = handle.load()
    except ResultLostError:
        return Outputs(id=handle.id)
    kept, is_cut = _cut(result.outputs)
    info = result.error
    return Outputs(
        id=handle.id,
        items=[_item(one) for one in result.items] if len(result.items) > 1 else [],
        outputs=kept,
        error=None
        if info is None
        else RemoteError(type=info.type, message=info.message, traceback=info.traceback),
        is_cut=is_cut,
    )


def _item(one: ItemResult) -> ItemEnd:
    error = "" if one.error is None else f"{one.error.type}: {one.error.message}".splitlines()[0]
    return ItemEnd(
        position=one.position, state="failed" if error else "succeeded", error=error, seconds=one.seconds
    )


def _choose(handle: NotebookJob, position: int | None) -> None:
    """Have the handle be about one of the runs of a child that has several."""
    if position is None:
        return
    runs = _runs(handle)
    if position not in runs:
        with at("item"):
            raise NotFoundError(f"The job ran no item {position}.", cure=f"It has {runs[0]} to {runs[-1]}.")
    handle.place = position - runs[0]


def _runs(handle: NotebookJob) -> range:
    """Positions of the runs of its child."""
    bundle, first = handle.bundle, handle.position - handle.place
    count = 1 if bundle.items is None else int(bundle.items["count"])
    return range(first, min(first + bundle.chunk, max(count, first + 1)))


def _of_runs(handle: NotebookJob) -> list[ItemEnd]:
    """How the runs of a child ended; those of which nobody told yet are left."""
    runs = _runs(handle)
    if len(runs) == 1:
        return []
    told: dict[int, ItemEnd] = {}
    if handle.detail()["status"] in TERMINAL:
        with suppress(ResultLostError):
            told = {one.position: _item(one) for one in handle.load().items}
    return [told.get(position, ItemEnd(position=position, state="left")) for position in runs]


def _of_notebook(handle: NotebookJob, asked: Asked) -> Outputs:
    run = handle.executed()
    has_begun = handle.position in handle.bundle.kept()
    every = [dict(one) for cell in run.notebook.cells for one in cell.get("outputs", ())] if has_begun else []
    kept, is_cut = _cut(every)
    failed = next((one for one in reversed(every) if one["output_type"] == "error"), None)
    items = _of_runs(handle)
    return Outputs(
        id=handle.id,
        items=items,
        item=handle.position if items else None,
        outputs=kept,
        error=None if failed is None else _error(failed),
        values={name: repr(value) for name, value in run.values.items()} if has_begun else {},
        cells=[_cell(one) for one in run.cells],
        can_save=has_begun,
        path=_saved(handle, asked.contents) or "",
        is_cut=is_cut,
    )


def _error(failed: dict[str, Any]) -> RemoteError:
    return RemoteError(
        type=str(failed.get("ename", "")),
        message=str(failed.get("evalue", "")),
        traceback="\n".join(failed.get("traceback", ())),
    )


def _cell(one: Any) -> Cell:
    return Cell(
        index=one.index,
        count=one.count,
        kind=one.kind,
        source=one.source,
        status=one.status,
        seconds=one.seconds,
        error=one.error,
    )


def _cut(outputs: Iterable[Any]) -> tuple[list[dict[str, Any]], bool]:
    """As many as fit into an answer, and whether some were left out."""
    kept: list[dict[str, Any]] = []
    left, is_cut = MOST_BYTES, False
    for one in outputs:
        size = len(msgspec.json.encode(one))
        if size > left:
            is_cut = True
            continue
        left -= size
        kept.append(dict(one))
    return kept, is_cut


async def save(asked: Asked) -> SavedNotebook:
    """POST `jobs/<id>/outputs`."""

    def answer() -> SavedNotebook:
        handle = handle_of(asked)
        if not isinstance(handle, NotebookJob):
            raise OptionError(f"Job {handle.name} runs no notebook.", cure="Its outputs can be looked at.")
        _choose(handle, asked.body.item)
        if handle.position not in handle.bundle.kept():
            raise NotFoundError(
                f"Job {handle.name} has no executed notebook yet.", cure="Wait until it runs."
            )
        with at("folder"):
            folder = _folder(handle, asked)
        return _save(handle, folder, asked.contents)

    return await asked.lane.run(asked.folder, answer)


def _save(handle: NotebookJob, folder: Path, contents: Contents) -> SavedNotebook:
    text = _text_of(handle)
    stem = _stem(handle)
    for number in range(1, _MOST_TRIES):
        place = folder / (f"{stem}.ipynb" if number == 1 else f"{stem}-{number}.ipynb")
        path = contents.path(place)
        if path is None:
            break
        try:
            with place.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            if _reads(place) != text:
                continue
            return SavedNotebook(path=path, is_new=False)
        except OSError as error:
            raise ConfigurationError(
                f"{path} cannot be written: {error.strerror}.", cure="Name another folder."
            ) from error
        return SavedNotebook(path=path, is_new=True)
    raise OptionError(f"There is no free name for the notebook in {folder}.", cure="Name another folder.")


def _stem(handle: NotebookJob) -> str:
    """Its name with the job's short id, and with the item where a child has several."""
    item = f"-item-{handle.position}" if len(_runs(handle)) > 1 else ""
    return f"{_source(handle).stem}-{short_id(handle.id).replace(':', '-')}{item}"


def _text_of(handle: NotebookJob) -> str:
    """The notebook as `save` writes it: a failed one is marked."""
    with tempfile.TemporaryDirectory(prefix="nbbatch-") as folder:
        draft = Path(folder) / "executed.ipynb"
        handle.executed().save(draft)
        return draft.read_text(encoding="utf-8")


def _reads(place: Path) -> str:
    try:
        return place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _source(handle: NotebookJob) -> Path:
    """Where the notebook came from; only its name where nobody knows."""
    about = handle.bundle.sent(handle.position).metadata.get("papermill") or {}
    return Path(str(about.get("input_path") or f"{handle.name}.ipynb"))


def _folder(handle: NotebookJob, asked: Asked) -> Path:
    """The folder that was asked for, else the source's, else the root."""
    if asked.body.folder:
        folder = asked.contents.place(asked.body.folder)
        if not folder.is_dir():
            raise NotFoundError(
                f"There is no folder {asked.body.folder!r}.", cure="Make it, or name another."
            )
        return folder
    source = _source(handle)
    path = asked.contents.path(source.parent) if source.is_absolute() else None
    with suppress(NotFoundError):  # what a bundle says of its source is not to be trusted
        folder = asked.contents.root if path is None else asked.contents.place(path)
        return folder if folder.is_dir() else asked.contents.root
    return asked.contents.root


def _saved(handle: NotebookJob, contents: Contents) -> str | None:
    """Where it was saved before: by its `output`, or by this module."""
    place = handle.place_of_output()
    if place and "://" not in place and Path(place).is_file():
        return contents.path(Path(place))
    source = _source(handle)
    folder = source.parent if source.is_absolute() else contents.root
    saved = folder / f"{_stem(handle)}.ipynb"
    return contents.path(saved) if _is_of(saved) else None


def _is_of(place: Path) -> bool:
    """Whether a notebook stands there."""
    try:
        return "cells" in json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
