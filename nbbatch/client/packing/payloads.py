"""What a job may run, as a caller fills it in: a cell, calls of a function, a command, a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any


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
