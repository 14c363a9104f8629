"""A notebook that has run as a job, or is running: what it recorded, how long its cells took, where it failed.

Everything stands in the notebook itself, as papermill and scrapbook write it; the runner keeps it in
the job's results after each cell, so there is one for a job that was killed, too.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING, Any

from nbbatch.client.store import Store
from nbbatch.runner.items import read_item
from nbbatch.runner.notebook import COMPLETED, FAILED, RUNNING, with_parameters
from nbbatch.runner.recording import SERIES, TABLE, scraps_of

if TYPE_CHECKING:
    import pandas as pd

_KEPT = re.compile(r"(?:.*/)?(\d+)\.(\d+)\.(\d+)\.ipynb")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of an executed notebook.

    Parameters
    ----------
    index : int
        Its place among all cells, from 0.
    count : int or None
        Its number as in `In [5]`; None for text, and for what was not reached.
    kind, source : str
        `code`, `markdown` or `raw`, and what is in it.
    status : str
        `pending`, `running`, `completed` or `failed`.
    seconds : float or None
        How long it ran.
    error : str
        The exception and its text, empty where there is none.
    """

    index: int
    count: int | None
    kind: str
    source: str
    status: str
    seconds: float | None
    error: str


class ExecutedNotebook:
    """A notebook with what its execution has made of it so far.

    Parameters
    ----------
    load : callable
        Reads it, when it is needed first.
    name : str
        As in its file's name.
    summary : mapping, optional
        The runner's own: `scraps` and `seconds`; saves reading the notebook for those.
    """

    def __init__(
        self, load: Callable[[], Any], *, name: str, summary: Mapping[str, Any] | None = None
    ) -> None:
        self._load = load
        self._summary = summary
        self.name = name

    @cached_property
    def notebook(self) -> Any:
        """The nbformat node."""
        return self._load()

    @cached_property
    def values(self) -> dict[str, Any]:
        """What it recorded with `nbbatch.record` or scrapbook's `glue`, by name."""
        scraps = scraps_of(self.notebook) if self._summary is None else self._summary["scraps"]
        return {name: _value(scrap) for name, scrap in scraps.items()}

    @property
    def seconds(self) -> float | None:
        """How long it ran, the kernel's start included; None while it does."""
        if self._summary is not None:
            return float(self._summary["seconds"])
        about = self.notebook.metadata.get("papermill") or {}
        ran = [cell.seconds for cell in self.cells if cell.seconds is not None]
        return about.get("duration") or (sum(ran) if ran else None)

    @property
    def parameters(self) -> dict[str, Any]:
        """With which it ran."""
        return dict((self.notebook.metadata.get("papermill") or {}).get("parameters") or {})

    @property
    def cells(self) -> list[Cell]:
        """Its cells, in order."""
        return [_cell(index, cell) for index, cell in enumerate(self.notebook.cells)]

    @property
    def failure(self) -> Cell | None:
        """The cell that failed, or that the job did not survive; None where there is none."""
        return next((cell for cell in self.cells if cell.status in (FAILED, RUNNING)), None)

    def frame(self) -> pd.DataFrame:
        """A DataFrame of its cells.

        Returns
        -------
        pandas.DataFrame
            By `cell` (its index): `count`, `kind`, `status`, `seconds`, `error`, `source` (the first line).
        """
        import pandas as pd  # noqa: PLC0415 - 0.2 s that only tables need

        columns = ("count", "kind", "status", "seconds", "error", "source")
        rows = [{name: getattr(cell, name) for name in columns} for cell in self.cells]
        frame = pd.DataFrame(rows, columns=list(columns), index=pd.RangeIndex(len(rows), name="cell"))
        frame["source"] = [cell.source.strip().partition("\n")[0] for cell in self.cells]
        return frame.astype({"count": "Int64"})

    def save(self, place: str | Path) -> str:
        """Write it to a file, or to whatever papermill can write to (`s3://`, `gs://`, ...).

        Folders are made; a notebook that failed gets papermill's red line at its top.

        Returns
        -------
        str
            The place.
        """
        write_notebook(_marked(self.notebook, self.failure), str(place))
        return str(place)

    def __repr__(self) -> str:
        done = sum(cell.status == COMPLETED for cell in self.cells)
        failed = f" · failed in cell {self.failure.index}" if self.failure else ""
        values = f" · {', '.join(self.values)}" if self.values else ""
        return f"<ExecutedNotebook {self.name} · {done} of {len(self.cells)} cells{failed}{values}>"


@dataclass(frozen=True, slots=True)
class NotebookBundle:
    """The bundle of a notebook's job: what was sent, and what there is of each run.

    Parameters
    ----------
    store, bundle_id : Store, str
        Where it is.
    settings : mapping
        Of its manifest.
    items : mapping or None
        Of its manifest: the parameters of an array's runs.
    chunk : int
        Runs per child.
    """

    store: Store
    bundle_id: str
    settings: Mapping[str, Any]
    items: Mapping[str, Any] | None
    chunk: int

    @property
    def output(self) -> str:
        """Where the executed notebooks are wanted: a place with the names of parameters in braces."""
        return str(self.settings["output"])

    def place_of(self, position: int) -> str:
        """Where the notebook of a run is wanted; empty where `output` was not given."""
        if not self.output or self.items is None:
            return self.output
        return place_of(self.output, self.parameters(position), position)

    def kept(self) -> dict[int, str]:
        """Path of the newest notebook of each run that has begun, by position; one listing at any size."""
        newest: dict[int, tuple[int, str]] = {}
        for path in self.store.list(self.bundle_id, "results"):
            match = _KEPT.fullmatch(path)
            if match:
                attempt, position = int(match[2]), int(match[3])
                newest[position] = max((attempt, path), newest.get(position, (0, "")))
        return {position: path for position, (_, path) in newest.items()}

    def read(self, path: str) -> Any:
        """One of them."""
        with self.store.open(self.bundle_id, path) as file:
            return _node(file.read())

    def sent(self, position: int) -> Any:
        """The notebook as it was sent, with the parameters of the run."""
        node = self.read(f"blobs/{self.settings['blob']}")
        if self.items is None:
            return node
        code = self._item(self.settings["sources"]["blob"], position)
        return with_parameters(node, self.parameters(position), code)

    def parameters(self, position: int) -> dict[str, Any]:
        """With which one of the runs runs."""
        if self.items is not None:
            return dict(self._item(self.items["blob"], position)[1])
        return dict(self.sent(0).metadata.papermill.get("parameters") or {})

    def _item(self, blob: str, position: int) -> Any:
        with self.store.open(self.bundle_id, f"blobs/{blob}") as file:
            return read_item(file, position)


def place_of(pattern: str, parameters: Mapping[str, Any], position: int) -> str:
    """An output's place with the parameters of a run in it; a slash in a value makes no folder."""
    words = {
        name: value if isinstance(value, bool | int | float) else str(value).replace("/", "-")
        for name, value in parameters.items()
    }
    return pattern.format(**{"index": position, **words})


def read_bundle(store: Store, bundle_id: str) -> NotebookBundle:
    """The bundle of a notebook's job."""
    with store.open(bundle_id, "manifest.json") as file:
        manifest = json.load(file)
    return NotebookBundle(
        store, bundle_id, manifest["notebook"], manifest.get("items"), manifest.get("chunk", 1)
    )


def write_notebook(node: Any, place: str) -> None:
    """Write a notebook, to a file of this machine complete or not at all."""
    import nbformat  # noqa: PLC0415 - only notebooks need it

    if "://" in place:
        from papermill.iorw import write_ipynb  # noqa: PLC0415 - papermill takes half a second to load

        write_ipynb(node, place)
        return
    path = Path(place).expanduser().absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = mkstemp(prefix=f".{path.name}-", dir=path.parent)  # others may save it right now
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(nbformat.writes(node))
    Path(draft).chmod(0o666 & ~_umask())
    Path(draft).replace(path)


def _umask() -> int:
    """Of the process; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _node(content: bytes) -> Any:
    import nbformat  # noqa: PLC0415 - only notebooks need it

    return nbformat.from_dict(json.loads(content))


def _cell(index: int, cell: Any) -> Cell:
    about = cell.metadata.get("papermill") or {}
    errors = [output for output in cell.get("outputs", ()) if output.output_type == "error"]
    return Cell(
        index=index,
        count=cell.get("execution_count"),
        kind=cell.cell_type,
        source=cell.source,
        status=about.get("status") or "pending",
        seconds=about.get("duration"),
        error=f"{errors[-1].ename}: {errors[-1].evalue}" if errors else "",
    )


def _marked(node: Any, failure: Cell | None) -> Any:
    """With papermill's two cells that lead the reader to the failure."""
    if failure is None or failure.status != FAILED:
        return node
    import nbformat  # noqa: PLC0415 - only notebooks need it
    from papermill.execute import (  # noqa: PLC0415 - papermill takes half a second to load
        ERROR_ANCHOR_MSG,
        ERROR_MARKER_TAG,
        ERROR_MESSAGE_TEMPLATE,
    )

    tags = {"tags": [ERROR_MARKER_TAG]}
    head = nbformat.v4.new_markdown_cell(ERROR_MESSAGE_TEMPLATE % failure.count, metadata=tags)
    anchor = nbformat.v4.new_markdown_cell(ERROR_ANCHOR_MSG, metadata=tags)
    cells: Sequence[Any] = node.cells
    before, after = cells[: failure.index], cells[failure.index :]
    return nbformat.from_dict({**node, "cells": [head, *before, anchor, *after]})


def _value(scrap: Mapping[str, Any]) -> Any:
    """A recorded value as it was; a table that cannot be read here as it stands in the notebook."""
    data = scrap.get("data")
    if scrap.get("nbbatch") in (TABLE, SERIES):
        import pandas as pd  # noqa: PLC0415 - 0.2 s that only tables need

        frame = pd.read_json(io.StringIO(json.dumps(data)), orient="table")
        return frame if scrap["nbbatch"] == TABLE else frame.iloc[:, 0]
    if scrap.get("encoder") == "pandas":
        import pandas as pd  # noqa: PLC0415 - 0.2 s that only tables need

        return pd.read_parquet(io.BytesIO(base64.b64decode(str(data))))
    return _number(data)


def _number(data: Any) -> Any:
    """Give back the numbers that JSON has no word for."""
    match data:
        case {"$float": text}:
            return float(text)
        case dict():
            return {key: _number(each) for key, each in data.items()}
        case list():
            return [_number(each) for each in data]
        case _:
            return data
