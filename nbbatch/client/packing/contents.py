"""What runs, into the parcel: a payload's code, inputs and items, as the runner's manifest has them."""

from __future__ import annotations

import shlex
from pathlib import PurePath
from typing import Any

from nbbatch.client.arrays.chunks import key_of
from nbbatch.client.files.programs import words_of
from nbbatch.client.images.preflight import cell_needs, function_needs
from nbbatch.client.packing.names import Names, read_names
from nbbatch.client.packing.parcel import Parcel
from nbbatch.client.packing.payloads import Call, Cell, Command, Notebook, Payload
from nbbatch.client.pipelines.dependencies import paired_arrays
from nbbatch.errors import OptionError

_SUFFIXES = {"bash": ".sh", "ipython": ".ipy"}
"""Endings of a script's file by which its program knows what it is."""
KIND_VARIABLE = "NBBATCH_KIND"
"""Says of a notebook's job what it is, so that its handle is found without the bundle."""
NOTEBOOK_VARIABLE = "NBBATCH_NOTEBOOK"
"""File name of the notebook that the job runs: lists show it."""


def fill(parcel: Parcel, payload: Payload) -> None:
    """Add a payload to an empty parcel."""
    match payload:
        case Cell(language="python"):
            _add_cell(parcel, payload)
        case Cell():
            _add_script(parcel, payload)
        case Call():
            _add_call(parcel, payload)
        case Command():
            _add_command(parcel, payload)
        case Notebook():
            _add_notebook(parcel, payload)


def _add_cell(parcel: Parcel, cell: Cell) -> None:
    names = read_names(cell.source, label=cell.label)
    candidates = cell.candidates or names.returns
    outputs = None if cell.outputs is None else list(cell.outputs)
    parcel.manifest |= {
        "kind": "cell",
        "label": cell.label,
        "source": names.python,
        "is_ipython": names.is_ipython,
        "outputs": outputs,
        "candidates": list(candidates),
        "item_name": cell.item_name,
        "sources": {cell.label: _shown_source(cell.source, names)},
    }
    parcel.back = tuple(candidates if outputs is None else outputs)
    if cell.takes_values:
        parcel.take_references()
    parcel.imports |= set(names.imports)
    parcel.check(cell_needs(names.python))
    parcel.codes.append(names.code)
    there = {*cell.inputs, *cell.modules, cell.item_name}
    variables = parcel.captor.rules.namespace
    parcel.hold_back(
        {name: variables[name] for name in names.reads if name in variables and name not in there}
    )
    parcel.keep_inputs(cell.inputs, cell.modules, frozenset(cell.named))
    if cell.items is not None:
        parcel.keep_items(cell.item_name, cell.items, cell.chunk)
        parcel.manifest["measured_as"] = key_of(cell.source)
        parcel.keep_needs(frozenset(cell.named))


def _shown_source(source: str, names: Names) -> str:
    """The cell as the user wrote it, unless its lines would not be those that run."""
    is_same_length = source.count("\n") == names.python.rstrip("\n").count("\n")
    return source if is_same_length else names.python


def _add_script(parcel: Parcel, cell: Cell) -> None:
    is_bash = cell.language == "bash"
    argv = ["bash", "-e"] if is_bash else words_of(cell.language)
    for name in (*cell.inputs, *(cell.outputs or ()), cell.item_name):
        if not (name.isidentifier() and name.isascii()):
            raise OptionError(f"{name!r} cannot be the name of a shell variable.")
    parcel.manifest |= {
        "kind": "script",
        "argv": argv,
        "source": cell.source,
        "stdin": cell.stdin,
        "file_name": f"cell{_SUFFIXES.get(PurePath(argv[0]).name, '')}",
        "keeps_variables": is_bash,
        "variables": {name: _shell_text(name, value) for name, value in cell.inputs.items()},
        "outputs": list(cell.outputs or ()),
        "item_name": cell.item_name,
    }
    parcel.back = tuple(cell.outputs or ())
    if cell.items is not None:
        parcel.manifest["measured_as"] = key_of(cell.source)
        parcel.keep_items(cell.item_name, cell.items, cell.chunk)


def _shell_text(name: str, value: Any) -> str:
    if isinstance(value, str | int | float):
        return str(value)
    raise OptionError(
        f"{name} is a {type(value).__name__}: only text and numbers become variables of a script.",
        cure="Write it to a file and send that, or use a Python cell.",
    )


def _add_call(parcel: Parcel, call: Call) -> None:
    parcel.manifest |= {"kind": "call", "label": "call", "inputs": {}, "modules": {}}
    parcel.check(function_needs(call.function))
    parcel.take_references()
    own = getattr(call.function, "__name__", type(call.function).__name__)
    parcel.manifest["function"] = parcel.keep(own, call.function, is_named=True)
    names = _argument_names(call.function, len(call.args))
    parcel.manifest["args"] = [
        parcel.keep(name, value, is_named=True) for name, value in zip(names, call.args, strict=True)
    ]
    parcel.manifest["kwargs"] = {
        key: parcel.keep(key, value, is_named=True) for key, value in call.kwargs.items()
    }
    if call.calls is not None:
        parcel.keep_items("calls", call.calls, call.chunk)
        parcel.manifest["measured_as"] = key_of(call.function)
        if parcel.references.found:
            parcel.paired = paired_arrays(call.calls, call.chunk, parcel.references.found)
    parcel.keep_needs()


def _argument_names(function: Any, count: int) -> list[str]:
    """What the function calls its positional arguments; builtins do not say."""
    code = getattr(function, "__code__", None)
    known = code.co_varnames[: code.co_argcount] if code is not None else ()
    return [*known, *(f"argument {number}" for number in range(len(known) + 1, count + 1))][:count]


def _add_command(parcel: Parcel, command: Command) -> None:
    parcel.manifest |= {
        "kind": "command",
        "argv": list(command.argv),
        "stdin": command.stdin,
        "item_name": "ITEM",
    }
    if command.items is not None:
        parcel.keep_items("ITEM", command.items, command.chunk)
        parcel.manifest["measured_as"] = key_of(shlex.join(command.argv))


def _add_notebook(parcel: Parcel, notebook: Notebook) -> None:
    settings: dict[str, Any] = {
        "blob": parcel.keep_text(notebook.name, notebook.content),
        "kernel": notebook.kernel,
        "language": notebook.language,
        "cell_timeout": notebook.cell_timeout,
        "start_timeout": notebook.start_timeout,
        "autosave": notebook.autosave,
        "output": notebook.output,
    }
    parcel.manifest |= {"kind": "notebook", "notebook": settings, "inputs": {}, "modules": {}}
    parcel.environment |= {KIND_VARIABLE: "notebook", NOTEBOOK_VARIABLE: notebook.name}
    parcel.imports |= notebook.imports
    if notebook.runs is not None:
        items = [((), dict(parameters)) for parameters, _ in notebook.runs]
        parcel.keep_items("runs", items, notebook.chunk)
        parcel.manifest["measured_as"] = notebook.measured_as
        settings["sources"] = parcel.keep_list("sources", [source for _, source in notebook.runs])
