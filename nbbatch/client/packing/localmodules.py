"""Modules of the user's own that the image cannot have, and their source as a zip.

Local is what is imported from a file that is neither Python's own nor installed: the project
folder, a notebook's neighbour, an editable install. A package goes whole, with what its modules
import of other local ones, so that the job sees one consistent snapshot of the moment of submission.
"""

from __future__ import annotations

import ast
import importlib.util
import io
import sys
import sysconfig
import zipfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from nbbatch.client.packing.capture import size_text
from nbbatch.errors import ValueTooLargeError

LIMIT_BYTES = 50_000_000
"""A project folder with more than this beside its modules is not code any more."""
_INSTALLED = frozenset(("site-packages", "dist-packages"))
_LEFT_OUT = frozenset(("__pycache__", "node_modules"))


def local_modules(names: Iterable[str]) -> dict[str, Path]:
    """Find the local ones among modules, and those that they import themselves.

    Parameters
    ----------
    names : iterable of str
        Module names, dotted or not; unknown ones are ignored.

    Returns
    -------
    dict
        Path of the file or the package folder by top-level name.
    """
    found: dict[str, Path] = {}
    waiting = [name.partition(".")[0] for name in names]
    while waiting:
        name = waiting.pop()
        if name in found or (place := _local_place(name)) is None:
            continue
        found[name] = place
        waiting += imports_of(place)
    return found


def imports_of(place: Path) -> list[str]:
    """Top-level names of what a module file or package folder imports absolutely."""
    return [each for source in _sources(place) for each in _imports(source)]


def pack_modules(modules: dict[str, Path]) -> bytes:
    """Zip modules for `sys.path`; the same content gives the same bytes.

    Raises
    ------
    ValueTooLargeError
        A package folder holds more than code.
    """
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for _, place in sorted(modules.items()):
            for path in _members(place):
                add_to_zip(archive, str(path.relative_to(place.parent)), path)
            if file.tell() > LIMIT_BYTES:
                raise ValueTooLargeError(
                    f"The local module {place} holds more than {size_text(LIMIT_BYTES)}.",
                    cure="Move its data out of the package folder, or install it in the image.",
                )
    return file.getvalue()


def add_to_zip(archive: zipfile.ZipFile, name: str, content: Path | bytes) -> None:
    """Add a file, or a folder (which the import system wants to see as an entry), without its date."""
    is_folder = isinstance(content, Path) and content.is_dir()
    entry = zipfile.ZipInfo(f"{name}/" if is_folder else name, date_time=(1980, 1, 1, 0, 0, 0))
    data = content.read_bytes() if isinstance(content, Path) and not is_folder else content
    archive.writestr(entry, data if isinstance(data, bytes) else b"")


def _local_place(name: str) -> Path | None:
    """Where a top-level module comes from, if it is local."""
    if name in sys.stdlib_module_names or name in ("__main__", "__mp_main__", "nbbatch", ""):
        return None  # the runner brings what jobs use of nbbatch
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # a module without a spec, such as one made by hand
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        folder = Path(next(iter(spec.submodule_search_locations)))
        return folder if folder.is_dir() and _is_local(folder) else None
    if spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin) if _is_local(Path(spec.origin)) else None


def _is_local(path: Path) -> bool:
    return _INSTALLED.isdisjoint(path.parts) and not any(map(path.is_relative_to, _own_folders()))


@cache
def _own_folders() -> tuple[Path, ...]:
    """Where Python itself lives."""
    keys = ("stdlib", "platstdlib")
    return tuple({Path(sysconfig.get_path(key)) for key in keys})


def _members(place: Path) -> Iterator[Path]:
    """The file, or the package folder with all it holds, folders before their files."""
    if place.is_file():
        yield place
        return
    yield place
    for path in sorted(place.iterdir()):
        if path.name.startswith(".") or path.name in _LEFT_OUT:
            continue
        if path.is_dir():
            yield from _members(path)
        elif path.is_file():
            yield path


def _sources(place: Path) -> Iterator[Path]:
    return (path for path in _members(place) if path.suffix == ".py")


def _imports(path: Path) -> Iterator[str]:
    """Top-level names of what a source file imports absolutely."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return  # its error belongs to whoever imports it
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]
