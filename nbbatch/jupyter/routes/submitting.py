"""Answers about submitting a notebook: what it accepts, what it would cost, and doing it."""

from __future__ import annotations

import ast
import itertools
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nbbatch.client.listing import find
from nbbatch.client.money.estimate import Range, estimate_options
from nbbatch.client.notebooks.executed import place_of
from nbbatch.client.notebooks.runs import map_notebook, resolve_for, run_notebook
from nbbatch.client.notebooks.source import PARAMETERS, Source, read_notebook
from nbbatch.client.options import Options, option_names, read_option, suggestion
from nbbatch.client.spec import job_name, queue_of
from nbbatch.client.submission import resolve
from nbbatch.errors import NbbatchError, OptionError
from nbbatch.jupyter.routes.asked import Asked, Contents
from nbbatch.jupyter.routes.detail import row
from nbbatch.jupyter.routes.form import option_fields
from nbbatch.jupyter.routes.problems import NotFoundError, at
from nbbatch.jupyter.routes.shapes_submit import Estimate, Notebook, Parameter, PriceRange, Submitted
from nbbatch.model.resources import parse_duration

MOST_ITEMS = 1_000_000
MOST_RUNS = 10_000
_LONG = 180.0
"""Seconds that a submission may take: an image is looked at, a bundle is uploaded."""


async def notebook(asked: Asked) -> Notebook:
    """GET `notebooks`."""

    def answer() -> Notebook:
        with at("path"):
            source = _source(asked.contents, asked.query.get("path", ""))
        parameters = _parameters(source)
        return Notebook(
            path=asked.contents.path(Path(source.place)) or "",
            name=source.name,
            kernel=source.kernel,
            language=source.language,
            backend=asked.lane.backend.name,
            parameters=parameters,
            has_parameters=_declares(source),
            options=option_fields(asked.lane.backend),
            warnings=list(_warnings(source)),
        )

    return await asked.lane.run(asked.folder, answer, patience=_LONG)


def _source(contents: Contents, path: str, kernel: str = "") -> Source:
    if not path.strip("/"):
        raise OptionError("path is missing.", cure="Name a notebook, from the server's root.")
    place = contents.place(path)
    if not place.is_file():
        raise NotFoundError(f"There is no notebook {path[:200]!r}.", cure="Save it first, or check the path.")
    return read_notebook(str(place), kernel=kernel or None)


def _declares(source: Source) -> bool:
    return any(PARAMETERS in cell.metadata.get("tags", ()) for cell in source.node.cells)


def _warnings(source: Source) -> Sequence[str]:
    if not _declares(source):
        return [
            "It has no cell tagged `parameters`: values are set at its top, where a cell may overwrite them."
        ]
    return []


def _parameters(source: Source) -> list[Parameter]:
    """As papermill infers them from the cell tagged `parameters`."""
    from papermill.inspection import _infer_parameters  # noqa: PLC0415 - its public form reads a file and prints

    try:
        with warnings.catch_warnings(action="ignore"):
            found = _infer_parameters(source.node, name=source.kernel, language=source.language)
    except Exception as error:
        raise OptionError(f"The parameters of {source.name} cannot be read: {error}.") from error
    return [_parameter(one) for one in found]


def _parameter(one: Any) -> Parameter:
    default = str(one.default or "")
    type_ = "" if one.inferred_type_name in (None, "None") else str(one.inferred_type_name)
    return Parameter(
        name=one.name, type=type_, help=str(one.help or ""), default=default, value=_literal(default)
    )


def _literal(text: str) -> Any:
    """The JSON value of a literal; None where it is none."""
    try:
        value = ast.literal_eval(text)
        json.dumps(value, allow_nan=False)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return value


async def submit(asked: Asked) -> Submitted:
    """POST `notebooks`."""

    def act() -> Submitted:
        body, backend = asked.body, asked.lane.backend
        with at("path"):
            source = _source(asked.contents, body.path, body.kernel)
        parameters = _given(body.parameters, body.expressions)
        runs = _runs(body.grid, parameters)
        options = read_options(body.options, backend.name, Path(source.place), asked.contents)
        output = _output(body.output, source, runs, asked.contents)
        words: dict[str, Any] = {"output": output, "kernel": body.kernel or None, **options}
        with at("parameters"), warnings.catch_warnings(action="ignore"):
            if body.grid:
                job: Any = map_notebook(source.place, grid=body.grid, parameters=parameters, **words)
            else:
                job = run_notebook(source.place, parameters, **words)
        asked.lane.changed()
        return Submitted(
            job=row(find(job.id, backend=backend.name)),
            backend=backend.name,
            code=_code(body, parameters),
            warnings=list(_warnings(source)) if parameters or body.grid else [],
        )

    return await asked.lane.run(asked.folder, act, patience=_LONG)


def _given(values: Mapping[str, Any], expressions: Mapping[str, str]) -> dict[str, Any]:
    """Parameters by name; expressions are JSON, Python literals, or else text."""
    for name in {**values, **expressions}:
        if not name.isidentifier():
            with at("parameters"):
                raise OptionError(f"{name[:60]!r} is no name of a parameter.", cure="Use a word such as lr.")
    return {**values, **{name: _read(text) for name, text in expressions.items()}}


def _read(text: str) -> Any:
    """As in papermill's `-p`, and lists and dicts, too."""
    for reader in (json.loads, ast.literal_eval):
        try:
            value = reader(text)
            json.dumps(value, allow_nan=False)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        return value
    return text


def _runs(grid: Mapping[str, Sequence[Any]], shared: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parameters of each run, to check where its notebook would go."""
    with at("grid"):
        count = 1
        for name, values in grid.items():
            count *= len(values)
            if not values or not name.isidentifier():
                raise OptionError(
                    f"The grid's {name[:60]!r} is no list of values.", cure="Give at least one."
                )
        if count > MOST_RUNS:
            raise OptionError(f"The grid has {count:,} runs.", cure=f"An array has at most {MOST_RUNS:,}.")
    return [{**shared, **dict(zip(grid, row, strict=True))} for row in itertools.product(*grid.values())]


def _output(pattern: str, source: Source, runs: Sequence[Mapping[str, Any]], contents: Contents) -> str:
    """Where the executed notebooks go, none of them out of the root, whatever the parameters are."""
    if not pattern:
        return ""
    with at("output"):
        if "://" in pattern:
            raise OptionError(f"{pattern[:100]!r} is no path of the server.", cure="Name one from its root.")
        named = pattern.replace("{name}", source.name)
        for position, parameters in enumerate(runs):
            try:
                contents.place(place_of(named, parameters, position))
            except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
                raise OptionError(
                    f"The output {pattern[:100]!r} cannot be made: {str(error)[:60]} is no parameter.",
                    cure=suggestion(str(error).strip("'"), ["name", "index", *parameters]),
                ) from None
        return str(contents.root / named.lstrip("/"))


def read_options(
    given: Mapping[str, Any], backend: str, source: Path | None, contents: Contents
) -> dict[str, Any]:
    """Options as typed, by the magic's words or Python's, each checked under its own name.

    Raises
    ------
    OptionError
        One is unknown, malformed, or names a file that the server's contents do not reach.
    """
    found: dict[str, Any] = {}
    for word, value in given.items():
        name = word.removeprefix("--").replace("-", "_")
        with at(f"options.{word}"):
            if name not in option_names() or name == "backend":
                known = [one for one in option_names() if one != "backend"]
                raise OptionError(f"There is no option {word[:60]!r} here.", cure=suggestion(name, known))
            if value is None or value == "":
                continue
            found[name] = _placed(name, value, source, contents)
            try:
                read_option({"after": "depends"}.get(name, name), found[name])
            except NbbatchError:
                raise
            except (TypeError, ValueError, AttributeError, OverflowError) as error:
                raise OptionError(f"Option {name} does not understand {str(value)[:60]!r}.") from error
    return {**found, "backend": backend}


def _placed(name: str, value: Any, source: Path | None, contents: Contents) -> Any:
    """Files and folders of the server stand beside the notebook, and below the root."""
    match name, value:
        case "files", dict():
            return {str(there): _beside(str(here), source, contents) for there, here in value.items()}
        case "files", _:
            listed = value if isinstance(value, list) else [value]
            return {str(one): _beside(str(one), source, contents) for one in listed}
        case (("workdir" | "fetch_to"), _):
            here = "." if str(value).lower() == "true" else str(value)
            return _beside(here, source, contents)
    return value


def _beside(path: str, source: Path | None, contents: Contents) -> str:
    folder = contents.path(source.parent) if source is not None else ""
    if Path(path).is_absolute() or path.startswith("~"):
        raise OptionError(f"{path[:100]!r} is not a path beside the notebook.", cure="Name it from there.")
    return str(contents.place(f"{folder}/{path}"))


def _code(body: Any, parameters: Mapping[str, Any]) -> str:
    """The Python lines that would have done the same."""
    words = {"grid": body.grid} if body.grid else {}
    words |= {"parameters": dict(parameters)} if parameters else {}
    words |= {"output": body.output} if body.output else {}
    words |= {
        name.removeprefix("--").replace("-", "_"): value
        for name, value in body.options.items()
        if value not in (None, "")
    }
    function, name = ("map_notebook", "sweep") if body.grid else ("run_notebook", "run")
    given = "".join(f", {word}={value!r}" for word, value in words.items())
    return f"import nbbatch\n\n{name} = nbbatch.{function}({body.path!r}{given})\n{name}\n"


async def estimate(asked: Asked) -> Estimate:
    """POST `estimate`."""

    def answer() -> Estimate:
        body, backend = asked.body, asked.lane.backend
        seconds = _seconds(body.seconds)
        for field, value, highest in (("items", body.items, MOST_ITEMS), ("seconds", seconds, 1e9)):
            with at(field):
                if value is not None and not 0 < value <= highest:
                    raise OptionError(f"{field} is {value}.", cure="Give a number above 0.")
        source = None
        if body.path:
            with at("path"):
                source = _source(asked.contents, body.path)
        place = None if source is None else Path(source.place)
        given = read_options(body.options, backend.name, place, asked.contents)
        with at("options"):
            options: Options = resolve(given) if source is None else resolve_for(source, given)
            name = "" if source is None else job_name(source.name)
            told = estimate_options(options, items=body.items, seconds=seconds, name=name)
            queue = queue_of(backend.suited(options))
        return Estimate(
            queue=queue,
            chosen=_range(told.chosen),
            on_demand=_range(told.on_demand),
            spot=_range(told.spot),
            is_spot=told.is_spot,
            basis=told.basis.value,
            because=told.because,
            worst_because=told.worst_because,
            words=str(told),
        )

    return await asked.lane.run(asked.folder, answer)


def _seconds(given: float | str | None) -> float | None:
    """A duration as typed, read as `--timeout` is."""
    if not isinstance(given, str):
        return given
    with at("seconds"):
        return parse_duration(given) if given.strip() else None


def _range(one: Range) -> PriceRange:
    return PriceRange(
        per_hour=one.per_hour, low=one.low, expected=one.expected, high=one.high, worst=one.worst
    )
