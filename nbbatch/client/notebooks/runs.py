"""Notebooks as jobs: `run_notebook` runs one, `map_notebook` one for each set of parameters.

The notebook travels as a file: its parameters are put into it here, as papermill does it, and in the
job it is executed by nbclient in a kernel of its own. Where a word of a call says nothing, the
environment (`NBBATCH_VCPUS`, ...), the notebook's own metadata (`nbbatch`) and the configuration are
asked, in this order.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from nbbatch.client.backend import get_backend
from nbbatch.client.packing.payloads import Notebook
from nbbatch.client.bundle import Packed
from nbbatch.client.arrays.chunks import WORTH_A_CHILD_OF_NOTEBOOKS, key_of
from nbbatch.client.notebooks.executed import place_of
from nbbatch.client.arrays.inputs import list_items
from nbbatch.client.arrays.mapping import chunk_of
from nbbatch.client.notebooks.source import (
    Source,
    check_parameters,
    injected,
    modules_beside,
    parameters_code,
    plain_parameters,
    read_notebook,
)
from nbbatch.client.notebooks.handles import NotebookJob
from nbbatch.client.notebooks.place import check_imports, check_place
from nbbatch.client.checks import check_path, check_text, is_number, refusal
from nbbatch.client.options import Options, option_names, suggestion
from nbbatch.client.spec import job_name
from nbbatch.client.submission import pack_for, resolve, send
from nbbatch.client.notebooks.sweeps import Sweep
from nbbatch.errors import OptionError

METADATA = "nbbatch"
"""Key of the notebook's metadata under which it may keep options of its job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """How the cells are executed: seconds, see `run_notebook`."""

    cell_timeout: int | None = None
    start_timeout: int = 60
    autosave: int = 30

    def __post_init__(self) -> None:
        for word in ("cell_timeout", "start_timeout", "autosave"):
            given = getattr(self, word)
            is_left = given is None and word == "cell_timeout"
            if not is_left and (not is_number(given) or given < 0):
                raise refusal(word, given, "a number of seconds")


def run_notebook(
    notebook: Any,
    parameters: Mapping[str, Any] | str | None = None,
    *,
    output: str | Path = "",
    kernel: str | None = None,
    cell_timeout: int | None = None,
    start_timeout: int = 60,
    autosave: int = 30,
    **options: Any,
) -> NotebookJob:
    """Run a notebook as a job.

    Parameters
    ----------
    notebook : path, address or NotebookNode
        A file, or whatever else papermill reads: `s3://`, `gs://`, `abs://`, `http://`, ...
    parameters : mapping or path of a YAML file, optional
        Values for its cell tagged `parameters`: numbers, text, lists, dicts.
    output : path or address, optional
        Where the executed notebook is saved as soon as the job has ended, by this process or whoever asks
        for the result. `{name}` is the notebook's name, `{lr}` the parameter `lr`.
    kernel : str, optional
        Instead of the notebook's own. Of Python another kernel will do where that one is missing.
    cell_timeout, start_timeout, autosave : int
        Seconds that one cell may run (`timeout` is the whole job's), that the kernel may take to start, and
        between two savings within a long cell.
    **options
        As in `submit`: `vcpus`, `memory`, `queue`, `image`, `backend`, ...

    Returns
    -------
    NotebookJob
        At once; `result()` waits. `notebook()`, `values` and `frame()` show what there is meanwhile.

    Raises
    ------
    UnknownNameError, OptionError, EnvironmentMismatchError
        There is no such notebook; it has no such parameter, or an option is malformed; the image, or this
        machine, has no such kernel. Nothing was sent.

    Examples
    --------
    >>> run = nbbatch.run_notebook("report.ipynb", {"day": "2026-01-01"}, output="out/{name}.ipynb")  # doctest: +SKIP
    >>> run.result().values  # doctest: +SKIP
    """
    check_text("kernel", kernel, "the name of a kernel, such as python3")
    source = read_notebook(notebook, kernel=kernel)
    values = plain_parameters(parameters or {})
    check_parameters(source, values)
    place = _place(source, output, [values])
    place = place_of(place, values, 0) if place else ""
    execution = Execution(cell_timeout=cell_timeout, start_timeout=start_timeout, autosave=autosave)
    resolved = resolve_for(source, options)
    job = submit_source(source, injected(source, values), output=place, execution=execution, options=resolved)
    if place:
        job.add_done_callback(NotebookJob.keep_output)
    return job


def map_notebook(
    notebook: Any,
    items: Any = None,
    /,
    *,
    grid: Mapping[str, Any] | None = None,
    parameters: Mapping[str, Any] | str | None = None,
    output: str | Path = "",
    kernel: str | None = None,
    cell_timeout: int | None = None,
    start_timeout: int = 60,
    autosave: int = 30,
    chunk: int | str = "auto",
    **options: Any,
) -> Sweep:
    """Run a notebook once for each set of parameters, all as one array job.

    Parameters
    ----------
    notebook, output, kernel, cell_timeout, start_timeout, autosave, **options
        As in `run_notebook`. In `output`, such as `"runs/{lr}-{depth}.ipynb"`, the names of parameters
        and `{index}` tell the runs apart.
    items : DataFrame, list of dicts, or grid
        A row is a run, its columns are parameters; of a grid (names to lists) every combination is one.
    grid : mapping, optional
        The same as a grid in the place of `items`.
    parameters : mapping or path of a YAML file, optional
        Those that all runs share.
    chunk : int or "auto"
        Runs per child of the array, one after the other, each in a fresh kernel; "auto" packs quick
        ones, by what the notebook took when its results were last read here.

    Returns
    -------
    Sweep
        At once. `sweep.frame()` joins parameters, recorded values, status, seconds, cost and links.

    Raises
    ------
    OptionError
        Two runs have the same output, or as in `run_notebook`. Nothing was sent.

    Examples
    --------
    >>> sweep = nbbatch.map_notebook(  # doctest: +SKIP
    ...     "train.ipynb", grid={"lr": [0.1, 0.01], "depth": [3, 5]}, output="runs/{lr}-{depth}.ipynb"
    ... )
    >>> sweep.frame().sort_values("auc")  # doctest: +SKIP
    """
    check_text("kernel", kernel, "the name of a kernel, such as python3")
    source = read_notebook(notebook, kernel=kernel)
    rows = _rows(items, grid, plain_parameters(parameters or {}))
    check_parameters(source, {name: value for row in rows for name, value in row.items()})
    execution = Execution(cell_timeout=cell_timeout, start_timeout=start_timeout, autosave=autosave)
    resolved = resolve_for(source, options)
    packed = _pack_runs(source, rows, output, chunk, execution, resolved)
    name = resolved.name or job_name(source.name)
    job_id = send(packed, resolved, name=name)
    sweep = Sweep(job_id, backend=resolved.backend or get_backend().name, name=name, inputs=rows)
    sweep.collect_in_background()
    return sweep


def _pack_runs(
    source: Source,
    rows: Sequence[Mapping[str, Any]],
    output: str | Path,
    chunk: int | str,
    execution: Execution,
    options: Options,
) -> Packed:
    key = key_of("\0".join(cell.source for cell in source.node.cells))
    return _pack(
        source,
        injected(source, rows[0], code=""),
        output=_place(source, output, rows),
        execution=execution,
        options=options,
        runs=[(row, parameters_code(source, row)) for row in rows],
        chunk=chunk_of(chunk, len(rows), options, key, worth=WORTH_A_CHILD_OF_NOTEBOOKS).size,
        measured_as=key,
    )


def submit_source(
    source: Source, node: Any, *, output: str, execution: Execution, options: Options
) -> NotebookJob:
    """Submit a notebook that has its parameters in it already."""
    packed = _pack(source, node, output=output, execution=execution, options=options)
    name = options.name or job_name(source.name)
    job_id = send(packed, options, name=name)
    return NotebookJob(job_id, backend=options.backend or get_backend().name, name=name)


def resolve_for(source: Source, given: Mapping[str, Any]) -> Options:
    """Options of a notebook's job: those of the call, of the environment, of its own metadata.

    Raises
    ------
    OptionError
        One of them is unknown or malformed.
    """
    own = source.node.metadata.get(METADATA) or {}
    names = option_names()
    for name in own:
        if name not in names:
            raise OptionError(
                f"The metadata `nbbatch` of {source.name} has {name!r}, which is no option.",
                cure=suggestion(name, names),
            )
    variables = {name: os.environ.get(f"NBBATCH_{name.upper()}") for name in names}
    said = {name: value for name, value in variables.items() if value}
    return resolve({**own, **said, **given})


def _pack(
    source: Source,
    node: Any,
    *,
    output: str,
    execution: Execution,
    options: Options,
    runs: Sequence[tuple[Mapping[str, Any], str]] | None = None,
    chunk: int = 1,
    measured_as: str = "",
) -> Packed:
    backend = get_backend(options.backend)
    check_place(backend, options, kernel=source.kernel, language=source.language)
    payload = Notebook(
        content=msgspec.json.encode(node).decode(),
        name=f"{source.name}.ipynb",
        kernel=source.kernel,
        language=source.language,
        runs=runs,
        chunk=chunk,
        cell_timeout=execution.cell_timeout,
        start_timeout=execution.start_timeout,
        autosave=execution.autosave,
        imports=source.imports,
        output=output,
        measured_as=measured_as,
    )
    with modules_beside(source):
        check_imports(backend, options, [names.python for names in source.names])
        return pack_for(payload, options)


def _rows(items: Any, grid: Mapping[str, Any] | None, shared: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Parameters of each run."""
    if (items is None) == (grid is None):
        raise OptionError(
            "map_notebook takes either a table of parameters or a grid.", cure="Give one of them."
        )
    given: Any = grid if items is None else items
    listed = given.to_dict("records") if hasattr(given, "iterrows") else given
    return [{**shared, **plain_parameters(row)} for row in list_items(listed)]


def _place(source: Source, output: str | Path, rows: Sequence[Mapping[str, Any]]) -> str:
    """The pattern of outputs, absolute, the notebook's name in it.

    Raises
    ------
    OptionError
        It names what is no parameter, or gives two runs the same place.
    """
    check_path("output", output)
    pattern = str(output).replace("{name}", source.name)
    if not pattern:
        return ""
    if "://" not in pattern:
        pattern = str(Path(pattern).expanduser().absolute())
    seen: dict[str, int] = {}
    for position, row in enumerate(rows):
        try:
            place = place_of(pattern, row, position)
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            word = str(error).strip("'")
            known = ["name", "index", *row]
            raise OptionError(
                f"The output {str(output)!r} cannot be made: {word} is no parameter of run {position}.",
                cure=suggestion(word, known),
            ) from None
        if place in seen:
            raise OptionError(
                f"Runs {seen[place]} and {position} would both be saved as {place}.",
                cure="Tell them apart in output, by {index} if nothing else.",
            )
        seen[place] = position
    return pattern
