"""What is installed in this Python environment, and which of it a notebook needs: nothing is run here.

A package is a distribution with its exact version and where it came from, by `importlib.metadata`
and PEP 610's `direct_url.json`. What a notebook imports is found in its variables, in the text of its
cells and in its local modules; what those packages require comes with them.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from nbbatch.client.options import suggestion
from nbbatch.client.packing.localmodules import imports_of, local_modules
from nbbatch.client.packing.names import to_python
from nbbatch.errors import OptionError, UnknownNameError

OWN = "nbbatch"
"""Never installed unless it is named: the runner brings what a job needs of it."""
IMPORTED, ALL = "imported", "all"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Package:
    """One distribution.

    Parameters
    ----------
    name, version : str
        As installed; the name in its canonical form.
    url : str
        Where pip got it, if not from an index: a repository at a commit, or an archive.
    folder : str
        The project's folder, if it was installed from one, editable or not.
    asked : str
        A requirement that the user wrote and that is not what is installed here.
    """

    name: str
    version: str = ""
    url: str = ""
    folder: str = ""
    asked: str = ""

    @property
    def requirement(self) -> str:
        """As pip takes it."""
        if self.asked:
            return self.asked
        if self.folder:
            return self.folder
        return f"{self.name} @ {self.url}" if self.url else f"{self.name}=={self.version}"


def choose_packages(
    wanted: str | Sequence[str], *, namespace: Mapping[str, Any], sources: Iterable[str] = ()
) -> tuple[Package, ...]:
    """The packages that an image shall have, sorted by name.

    Parameters
    ----------
    wanted : str or sequence of str
        `imported`: what the notebook imports; `all`: whatever is installed here; or a list of names,
        requirements (`torch==2.4`), and these two words. What they require comes with them.
    namespace : mapping
        The notebook's variables.
    sources : iterable of str
        More cells or modules, whose imports count as the notebook's.

    Raises
    ------
    OptionError
        A requirement is malformed.
    UnknownNameError
        A package without a version is not installed here.
    """
    if not isinstance(wanted, str | Iterable):
        raise OptionError(f"packages does not understand {wanted!r}.", cure="Give a list of names.")
    known = _Installed()
    chosen: dict[str, Package] = {}
    for word in [wanted] if isinstance(wanted, str) else wanted:
        if word == ALL:
            found = known.closure(known.names())
        elif word == IMPORTED:
            found = known.closure(known.providing(imported_modules(namespace, sources)))
        else:
            found = known.asked(word)
        chosen |= {package.name: package for package in found if package.name != OWN or word == OWN}
    return tuple(sorted(chosen.values()))


def imported_modules(namespace: Mapping[str, Any], sources: Iterable[str] = ()) -> set[str]:
    """Top-level names of the modules that a notebook uses, local ones replaced by what they import."""
    texts = [text for text in namespace.get("In") or () if isinstance(text, str)]
    names = {name for text in (*texts, *sources) for name in _imports(text)}
    names |= {_module_of(value) for name, value in list(namespace.items()) if not _is_the_shells(name)}
    names.discard(OWN)
    local = local_modules(names)
    names |= {name for place in local.values() for name in imports_of(place)}
    return names - set(local) - set(sys.stdlib_module_names) - {"__main__", OWN}


def _is_the_shells(name: str) -> bool:
    """What IPython puts beside the user's variables."""
    return name.startswith("_") or name in ("In", "Out", "get_ipython", "exit", "quit", "open")


def _module_of(value: Any) -> str:
    """Top-level module of a value, its class or its function."""
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    if not isinstance(name, str):
        name = type(value).__module__
    return name.partition(".")[0]


def _imports(text: str) -> Iterator[str]:
    """What a cell imports; a cell in another language, or with a mistake, imports nothing."""
    source = text.split("\n", 1)[-1] if text.startswith("%%batch") else text
    try:
        tree = ast.parse(to_python(source)[0])
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]


class _Installed:
    """The distributions of this environment; of two with one name the first on `sys.path` counts."""

    def __init__(self) -> None:
        self._found: dict[str, metadata.Distribution] = {}
        for each in metadata.distributions():
            name = each.metadata["Name"]
            if name:
                self._found.setdefault(canonicalize_name(name), each)

    def names(self) -> list[str]:
        """All of them."""
        return list(self._found)

    def providing(self, modules: Collection[str]) -> list[str]:
        """Distributions that modules come from."""
        by_module = metadata.packages_distributions()
        return [canonicalize_name(name) for module in modules for name in by_module.get(module, ())]

    def closure(self, names: Iterable[str]) -> list[Package]:
        """Packages with all that they require here."""
        waiting: list[tuple[str, frozenset[str]]] = [(name, frozenset()) for name in names]
        seen: set[tuple[str, frozenset[str]]] = set()
        while waiting:
            name, extras = entry = waiting.pop()
            if entry in seen or name not in self._found:
                continue
            seen.add(entry)
            waiting += self._required(name, extras)
        return [self._package(name) for name in sorted({name for name, _ in seen})]

    def asked(self, word: str) -> list[Package]:
        """What a person wrote: a name, with extras or a version."""
        try:
            requirement = Requirement(word)
        except InvalidRequirement as error:
            raise OptionError(
                f"{word!r} is not a package: {error}.", cure="Write name or name==version."
            ) from error
        name = canonicalize_name(requirement.name)
        installed = self._found.get(name)
        if (
            installed is not None
            and not requirement.url
            and requirement.specifier.contains(installed.version, prereleases=True)
        ):
            extras = [
                other for extra in requirement.extras for other, _ in self._required(name, frozenset({extra}))
            ]
            return self.closure([name, *extras])
        if installed is None and not requirement.specifier and not requirement.url:
            raise UnknownNameError(
                f"The package {word} is not installed here, so its version is not known.",
                cure=f"Write {word}==VERSION. {suggestion(word, self._found)}"
                if self._is_near(word)
                else f"Write {word}==VERSION.",
            )
        return [Package(name=name, asked=str(requirement))]

    def _is_near(self, word: str) -> bool:
        return suggestion(word, self._found).startswith("Did")

    def _required(self, name: str, extras: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
        """What a distribution requires here, with the extras it asks for."""
        found: list[tuple[str, frozenset[str]]] = []
        for text in self._found[name].requires or ():
            one = Requirement(text)
            if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                found.append((canonicalize_name(one.name), frozenset(one.extras)))
        return found

    def _package(self, name: str) -> Package:
        distribution = self._found[name]
        url, folder = _origin(distribution.read_text("direct_url.json"))
        return Package(name=name, version=distribution.version, url=url, folder=folder)


def _origin(direct_url: str | None) -> tuple[str, str]:
    """URL as pip takes it, or folder; both empty for a package of an index."""
    told = json.loads(direct_url) if direct_url else {}
    url = str(told.get("url", ""))
    if "dir_info" in told:
        return "", url2pathname(urlsplit(url).path)
    if "vcs_info" in told:
        info = told["vcs_info"]
        inside = f"#subdirectory={told['subdirectory']}" if told.get("subdirectory") else ""
        return f"{info['vcs']}+{url}@{info['commit_id']}{inside}", ""
    if url.startswith("file:") and not Path(url2pathname(urlsplit(url).path)).exists():
        return "", ""  # a wheel that was deleted since: the index may have the version
    return url, ""


def sources_of(path: Path) -> list[str]:
    """The code of a notebook or a Python file, cell by cell."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return [text]
    cells = json.loads(text).get("cells", ())
    return ["".join(cell["source"]) for cell in cells if cell.get("cell_type") == "code"]
