"""Pack what a job runs into a bundle: code, values by name, local modules, and how to start them.

The nouns a caller fills in are here (`Cell`, `Call`, `Command`, `Notebook`), and what it gets back (`Packed`
with its `Receipt`). Files sent along are in `workdir.py`, names that a cell needs in `names.py`, which of them
may go in `guards.py`, values as bytes in `capture.py`, what came back in `results.py`. The other end of the
manifest is `nbbatch.runner`.
"""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from nbbatch.client.arrays.chunks import key_of
from nbbatch.client.files.workdir import Files, choose
from nbbatch.client.images.preflight import Preflight, cell_needs, function_needs
from nbbatch.client.packing.capture import size_text
from nbbatch.client.packing.digest import (
    CODE_VARIABLE,
    CONTENT_VARIABLE,
    OF_CELL,
    content_digest,
    digest,
    entry_key,
    manifest_digest,
)
from nbbatch.client.packing.names import Names, read_names
from nbbatch.client.packing.parcel import ASK_BYTES, LIMIT_BYTES, Parcel, Sent
from nbbatch.client.pipelines.dependencies import Upstream, paired_arrays
from nbbatch.client.store import Store
from nbbatch.errors import OptionError

KIND_VARIABLE = "NBBATCH_KIND"
NOTEBOOK_VARIABLE = "NBBATCH_NOTEBOOK"
"""File name of the notebook that the job runs: lists show it."""
"""Says of a notebook's job what it is, so that its handle is found without the bundle."""
_CODE_WORDS = (
    ("function", "function", "functions"),
    ("class", "class", "classes"),
    ("module", "local module", "local modules"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A notebook cell.

    In another language than Python the inputs, text and numbers only, become environment variables,
    and an output is the text of the shell variable of that name (bash), else of the file of that name
    in the working directory. Bash runs under `-e`.

    Parameters
    ----------
    source : str
        As in the notebook; IPython syntax included.
    language : str
        `python`, `bash`, or a command line that gets the script file as its last word, such as `Rscript`.
    inputs : mapping
        Values by name: `choose_inputs(read_names(source), namespace).values`, or those of `--in`.
        What their functions read of the namespace is found and added by `pack`.
    named : set of str
        The inputs the user named; they pass the guards for credentials and `ASK_BYTES`.
    modules : mapping
        Imported modules by the name the cell knows them under: `{"np": "numpy"}`.
    outputs : sequence of str, optional
        Names that must come back; None: `candidates`, as far as they can travel.
    candidates : sequence of str
        Names the cell assigns; empty: `read_names(source).returns`.
    stdin : str, optional
        What a script reads on standard input.
    items : sequence, optional
        An array: the cell runs once for each, under the name `item_name` (a script: `$ITEM` and `$1`).
    chunk, chunk_why : int, str
        Items per child, one after the other, each in a fresh namespace; why so many, for the receipt.
    label : str
        File name shown in tracebacks, such as `In [5]`.
    takes_values : bool
        Handles among the inputs arrive as the values of their jobs, not as handles.
    """

    source: str
    language: str = "python"
    stdin: str | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    named: AbstractSet[str] = frozenset()
    modules: Mapping[str, str] = field(default_factory=dict)
    outputs: Sequence[str] | None = None
    candidates: Sequence[str] = ()
    item_name: str = "item"
    items: Sequence[Any] | None = None
    chunk: int = 1
    chunk_why: str = ""
    label: str = "cell"
    takes_values: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function's call, or with `calls` one per child of an array.

    Parameters
    ----------
    function : callable
        Defined anywhere: notebook, local module, installed package.
    args, kwargs : sequence, mapping
        Arguments of every call.
    calls : sequence of (args, kwargs), optional
        Of each call of an array; its args go before `args`, its kwargs over `kwargs`.
    chunk : int
        Calls per child: child `i` makes the calls `i * chunk` and following.
    """

    function: Any
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    calls: Sequence[tuple[Sequence[Any], Mapping[str, Any]]] | None = None
    chunk: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program beside the runner: only for images that have python3; others need no bundle at all.

    Parameters
    ----------
    argv : sequence of str
        The program and its arguments.
    stdin : str, optional
        What it reads on standard input.
    items : sequence, optional
        An array: the program runs once for each, which is `$ITEM` in its environment.
    chunk : int
        Items per child, one after the other.
    """

    argv: Sequence[str]
    stdin: str | None = None
    items: Sequence[Any] | None = None
    chunk: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Notebook:
    """A notebook, executed cell by cell in a kernel of its own.

    Parameters
    ----------
    content : str
        The notebook as JSON (nbformat 4), the cell of its parameters in it.
    name : str
        Of its file, for the receipt.
    kernel, language : str
        The kernel's name; of Python another one that is there will do as well.
    runs : sequence of (parameters, source), optional
        An array: the values of each run, and the code of its parameters' cell.
    chunk : int
        Runs per child, one after the other, each in a fresh kernel.
    cell_timeout, start_timeout, autosave : int, optional
        Seconds: of one cell, of the kernel's start, between two savings within a cell (0: none).
    imports : set of str
        Modules that its cells import; the local ones travel.
    output : str
        Where this machine wants the executed notebooks, a pattern; the runner does not need it.
    measured_as : str
        By what the duration of a run is remembered; see `chunks.py`.
    """

    content: str
    name: str
    kernel: str
    language: str
    runs: Sequence[tuple[Mapping[str, Any], str]] | None = None
    chunk: int = 1
    cell_timeout: int | None = None
    start_timeout: int = 60
    autosave: int = 30
    imports: AbstractSet[str] = frozenset()
    output: str = ""
    measured_as: str = ""


Payload = Cell | Call | Command | Notebook


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What goes and what comes back; `str()` is the middle of the magic's first line."""

    sent: tuple[Sent, ...]
    back: tuple[str, ...]
    held_back: Mapping[str, str]
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        """As in `sends df (1.2 MB), model (340 kB), 2 functions · back: scores`."""
        parts = [
            f"{each.name} ({size_text(each.size)})" for each in self.sent if each.kind in ("value", "file")
        ]
        counts = Counter(each.kind for each in self.sent)
        for kind, *words in _CODE_WORDS:
            if counts[kind]:
                parts.append(f"{counts[kind]} {words[counts[kind] > 1]}")
        back = f" · back: {', '.join(self.back)}" if self.back else ""
        return f"sends {', '.join(parts) or 'the code only'}{back}"

    @property
    def size(self) -> int:
        """Bytes of everything sent."""
        return sum(each.size for each in self.sent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A bundle in its store, ready to be submitted.

    Parameters
    ----------
    bundle_id, url : str
        `url` is what NBBATCH_BUNDLE holds.
    command : tuple of str
        The job's command.
    environment : mapping
        Variables the job needs in addition to the user's.
    array_size : int, optional
        Number of children, which may be 1 (then submit a plain job: its index is 0); None: no array.
    code, digest : str
        What is the same for every run of the same code, and for every run of it with the same values.
    upstream : Upstream
        Jobs whose values are among what was packed.
    """

    bundle_id: str
    url: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    array_size: int | None
    receipt: Receipt
    code: str = ""
    digest: str = ""
    upstream: Upstream = field(default_factory=Upstream)


def pack(
    payload: Payload,
    store: Store,
    *,
    namespace: Mapping[str, Any] | None = None,
    files: Files | None = None,
    preflight: Callable[[Collection[str]], Preflight] | None = None,
    python: str = "python3",
    is_same_environment: bool = False,
    local_modules: bool = True,
    limit_bytes: int = LIMIT_BYTES,
    ask_bytes: int = ASK_BYTES,
) -> Packed:
    """Put a payload into the store.

    Parameters
    ----------
    payload : Cell, Call, Command or Notebook
        What to run.
    store : Store
        Where; a `DryStore` only weighs.
    namespace : mapping, optional
        The notebook's variables, in which its functions look up their globals; `__main__`'s by default.
    files : Files, optional
        What the job finds in its working directory, and what comes back from there.
    preflight : callable, optional
        Given the top-level names of files that are sent along, makes the look at the job's image.
    python : str
        The interpreter in the job: `sys.executable` where the job sees this environment.
    is_same_environment : bool
        The job sees this machine's Python installation: the kernel's `sys.path` is restored there.
    local_modules : bool
        Send the source of the modules of the project folder that the payload imports.
    limit_bytes, ask_bytes : int
        Largest packed value, and the largest one that goes without being named.

    Raises
    ------
    EnvironmentMismatchError
        The image surely lacks a module, or has another Python.
    UnpicklableError
        Names the variable and the attribute that cannot travel.
    ValueTooLargeError
        A value is over its limit; names the option that sends it.
    StoreError
        The store cannot be written; nothing half is left in it.
    """
    variables = vars(sys.modules["__main__"]) if namespace is None else namespace
    parcel = Parcel(store, variables, limit_bytes=limit_bytes, ask_bytes=ask_bytes)
    chosen = choose(files) if files else None  # before anything is kept: it may be refused
    if preflight is not None and _runs_python(payload):
        parcel.look_at(preflight({_top(name) for name in chosen.members} if chosen else ()))
    _fill(parcel, payload)
    if files and chosen:
        parcel.add_files(files, chosen)
    _add_surroundings(parcel, with_modules=local_modules, is_same=is_same_environment)
    return _sealed(parcel, python)


def _add_surroundings(parcel: Parcel, *, with_modules: bool, is_same: bool) -> None:
    """What Python needs around the payload; a notebook is text, which any version reads."""
    match parcel.manifest["kind"]:
        case "cell" | "call":
            parcel.check_modules()
            parcel.add_environment(with_modules=with_modules, is_same=is_same)
        case "notebook":
            parcel.add_paths(with_modules=with_modules, is_same=is_same)


def _runs_python(payload: Payload) -> bool:
    return isinstance(payload, Call) or (isinstance(payload, Cell) and payload.language == "python")


def _top(name: str) -> str:
    """What a file sent along can be imported as."""
    return name.partition("/")[0].removesuffix(".py")


def _fill(parcel: Parcel, payload: Payload) -> None:
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


def _sealed(parcel: Parcel, python: str) -> Packed:
    bundle_id, url = parcel.seal()
    code, store = _code_of(parcel), parcel.captor.store
    own = {"NBBATCH_BUNDLE": url, CODE_VARIABLE: code}
    own[CONTENT_VARIABLE] = content_digest(parcel.manifest, parcel.functions)
    return Packed(
        bundle_id=bundle_id,
        url=url,
        command=store.command(bundle_id, python),
        environment={**own, **store.environment(), **parcel.environment},
        array_size=parcel.array_size,
        receipt=Receipt(
            sent=tuple(parcel.sent),
            back=parcel.back,
            held_back=parcel.held_back,
            warnings=parcel.warnings(),
        ),
        code=code,
        digest=manifest_digest(parcel.manifest, parcel.functions),
        upstream=Upstream(references=tuple(parcel.references.found), paired=parcel.paired),
    )


def _code_of(parcel: Parcel) -> str:
    """Digest of the code alone: a cell's or script's source, a called function, a command's words."""
    manifest = parcel.manifest
    if "function" in manifest:
        key = entry_key(manifest["function"])
        return parcel.functions.get(key) or digest(key)
    source = manifest.get("source")
    return ("" if source is None else OF_CELL) + digest([source, manifest.get("argv")])


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
    for name in (*cell.inputs, *(cell.outputs or ()), cell.item_name):
        if not (name.isidentifier() and name.isascii()):
            raise OptionError(f"{name!r} cannot be the name of a shell variable.")
    parcel.manifest |= {
        "kind": "script",
        "argv": ["bash", "-e"] if is_bash else shlex.split(cell.language),
        "source": cell.source,
        "stdin": cell.stdin,
        "file_name": "cell.sh" if is_bash else "cell",
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
