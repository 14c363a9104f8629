"""A notebook as it is before it runs: read from anywhere, its parameters checked and put into it.

Papermill reads and writes (files, `s3://`, `gs://`, `http://`, ...), and translates parameters into
the language of the notebook's kernel; what a notebook accepts is found in its cell tagged `parameters`.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from nbbatch.client.packing.names import Names, read_names
from nbbatch.errors import OptionError, UnknownNameError
from nbbatch.runner.kernel import NATIVE
from nbbatch.runner.notebook import INJECTED, with_parameters

PARAMETERS = "parameters"
"""Papermill's tag of the cell that says which parameters there are, and their defaults."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A notebook that is to be executed.

    Parameters
    ----------
    node : NotebookNode
        The notebook, nbformat 4.
    name : str
        Its file's name without the ending.
    place : str
        Path or address it was read from, empty for a node.
    folder : Path or None
        Where a kernel of this machine would have been started: modules beside it can be imported.
    kernel, language : str
        The kernel it wants, and that kernel's language.
    """

    node: Any
    name: str
    place: str
    folder: Path | None
    kernel: str
    language: str
    _names: list[Names | None] = field(default_factory=list, repr=False)

    @property
    def names(self) -> list[Names]:
        """Names of the cells that can be read as Python."""
        if not self._names:
            self._names.extend(_names_of(cell["source"]) for cell in self.code_cells())
        return [names for names in self._names if names is not None]

    def code_cells(self) -> list[Any]:
        """Cells with code, if it is Python."""
        cells = self.node.cells if self.language == "python" else []
        return [cell for cell in cells if cell.cell_type == "code"]

    @property
    def imports(self) -> frozenset[str]:
        """Top-level names of the modules that its cells import."""
        return frozenset(name for names in self.names for name in names.imports)


def read_notebook(place: Any, *, kernel: str | None = None) -> Source:
    """Read a notebook.

    Parameters
    ----------
    place : path, address or NotebookNode
        Whatever papermill can read: a file, `s3://`, `gs://`, `abs://`, `http://`, ...
    kernel : str, optional
        Instead of the one that the notebook names.

    Raises
    ------
    UnknownNameError
        There is no such file.
    OptionError
        It is no notebook.
    """
    from papermill.iorw import load_notebook_node  # noqa: PLC0415 - papermill takes half a second to load

    is_node = isinstance(place, Mapping)
    path = copy.deepcopy(place) if is_node else _existing(place)
    try:
        with warnings.catch_warnings(action="ignore"):  # old notebooks have cells without an id
            node = load_notebook_node(path)
    except FileNotFoundError as error:
        raise UnknownNameError(f"There is no notebook {path}.", cure="Check its address.") from error
    except (ValueError, KeyError, AttributeError) as error:
        raise OptionError(f"{'The node' if is_node else path} is not a notebook: {error}.", cure="Give the path of an .ipynb file.") from error
    is_local = not is_node and "://" not in path
    return Source(
        node=node,
        name="notebook" if is_node else Path(path).stem,
        place="" if is_node else path,
        folder=Path(path).absolute().parent if is_local else None,
        kernel=kernel or node.metadata.get("kernelspec", {}).get("name") or NATIVE,
        language=language_of(node),
    )


def plain_parameters(parameters: Any) -> dict[str, Any]:
    """Parameters as plain values: numpy's numbers become Python's; a text is the path of a YAML file.

    Raises
    ------
    OptionError
        They are no mapping of names.
    """
    if isinstance(parameters, str):
        from papermill.iorw import read_yaml_file  # noqa: PLC0415 - papermill takes half a second to load

        parameters = read_yaml_file(parameters)
    if not isinstance(parameters, Mapping) or not all(isinstance(name, str) for name in parameters):
        raise OptionError(
            f"{parameters!r} are not parameters.", cure='Give values by name, such as {"lr": 0.1}.'
        )
    return {name: _plain(value) for name, value in parameters.items()}


def check_parameters(source: Source, names: Mapping[str, Any]) -> None:
    """Refuse parameters that the notebook does not know; warn where it declares none.

    Raises
    ------
    OptionError
        A name appears nowhere in the notebook; names the nearest one.
    """
    if not names:
        return
    declared = _declared(source)
    if declared is None:
        warnings.warn(
            f"{source.name} has no cell tagged 'parameters': {', '.join(names)} will be set at its top, "
            "where a later cell may overwrite them.",
            stacklevel=4,
        )
    if source.language != "python":
        return
    known = (declared or set()) | {name for each in source.names for name in (*each.reads, *each.assigns)}
    for name in names:
        if name not in known:
            close = get_close_matches(name, declared or known, n=1)
            has = f"It has: {', '.join(sorted(declared))}." if declared else "No cell reads it."
            raise OptionError(
                f"The notebook {source.name} has no parameter {name!r}.",
                cure=f"Did you mean {close[0]!r}?" if close else has,
            )


def parameters_code(source: Source, parameters: Mapping[str, Any]) -> str:
    """The code of the cell that sets the parameters, in the notebook's language.

    Raises
    ------
    OptionError
        Papermill knows no such language.
    """
    from papermill.exceptions import PapermillException  # noqa: PLC0415 - papermill takes half a second to load
    from papermill.translators import translate_parameters  # noqa: PLC0415

    try:
        return str(translate_parameters(source.kernel, source.language, parameters, "Parameters"))
    except PapermillException as error:
        raise OptionError(f"Parameters cannot be given to {source.name}: {error}.") from error


def injected(source: Source, parameters: Mapping[str, Any], *, code: str | None = None) -> Any:
    """A copy of the notebook with a cell for its parameters, where papermill puts it.

    That is in the place of an earlier run's, else below the cell tagged `parameters`, else at the top.
    """
    import nbformat  # noqa: PLC0415 - only notebooks need it

    node = copy.deepcopy(source.node)
    node.metadata.papermill.setdefault("parameters", {})
    node.metadata.papermill["input_path"] = source.place
    node.cells = [cell for cell in node.cells if "papermill-error-cell-tag" not in cell.metadata.tags]
    if not parameters:
        return node
    # Without an id of its own it would get a random one, and no run would be the same as an earlier one.
    cell = nbformat.v4.new_code_cell(id=INJECTED, metadata={"tags": [INJECTED], "papermill": {}})
    tags = [set(each.metadata.tags) for each in node.cells]
    before = next((place for place, each in enumerate(tags) if INJECTED in each), None)
    declared = next((place for place, each in enumerate(tags) if PARAMETERS in each), None)
    if before is not None:
        node.cells[before] = cell
    else:
        node.cells.insert(0 if declared is None else declared + 1, cell)
    if code is None:
        code = parameters_code(source, parameters)
    return with_parameters(node, dict(parameters), code)


@contextmanager
def modules_beside(source: Source) -> Iterator[None]:
    """Find the modules beside the notebook, too, as its kernel would."""
    import sys  # noqa: PLC0415 - for this only

    before = list(sys.path)
    if source.folder is not None and str(source.folder) not in sys.path:
        sys.path.insert(0, str(source.folder))
    try:
        yield
    finally:
        sys.path[:] = before


def _existing(place: Any) -> str:
    path = str(place)
    if "://" in path or path == "-":
        return path
    path = str(Path(path).expanduser())
    if not Path(path).is_file():
        near = get_close_matches(
            Path(path).name, [each.name for each in Path(path).parent.glob("*.ipynb")], n=1
        )
        cure = f"Did you mean {str(Path(path).with_name(near[0]))!r}?" if near else "Check the path."
        raise UnknownNameError(f"There is no notebook {path}.", cure=cure)
    return path


def language_of(node: Any) -> str:
    """The language of its cells, in lower case."""
    kernelspec, info = node.metadata.get("kernelspec", {}), node.metadata.get("language_info", {})
    return str(info.get("name") or kernelspec.get("language") or "python").lower()


def _plain(value: Any) -> Any:
    match value:
        case Mapping():
            return {str(key): _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case None | bool() | int() | float() | str() if not hasattr(value, "tolist"):
            return value
    for reading in ("tolist", "item", "isoformat", "__fspath__"):
        if hasattr(value, reading):
            return _plain(getattr(value, reading)())
    raise OptionError(
        f"{value!r} is a {type(value).__name__}, which cannot be written into a notebook.",
        cure="Give numbers, text, lists or dicts; send anything else as a file.",
    )


def _declared(source: Source) -> set[str] | None:
    """Names that the cell tagged `parameters` assigns; None where there is no such cell."""
    cell = next((each for each in source.node.cells if PARAMETERS in each.metadata.tags), None)
    if cell is None:
        return None
    names = _names_of(cell.source) if source.language == "python" else None
    return set(names.assigns) if names else set()


def _names_of(source: str) -> Names | None:
    try:
        return read_names(source)
    except SyntaxError:  # its error belongs to whoever executes it
        return None
