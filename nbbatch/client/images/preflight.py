"""Whether an image has what a payload needs, before anything is sent.

Only what is certain is refused: a module that the cell imports whatever happens (not inside `try`, an
`if` or a function, and nothing is installed by the cell first), that a sent value is made of, that
a submitted function imports in its first lines, or IPython for what only that can do. What an image has is known from `image_facts.py`;
where it is not, that is said.
"""

from __future__ import annotations

import ast
import dis
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import CodeType

from nbbatch.client.backend import Backend
from nbbatch.client.images.facts import ImageFacts, facts_of, runs_images
from nbbatch.client.options import Options
from nbbatch.client.packing.localmodules import local_modules
from nbbatch.client.packing.names import only_ipythons
from nbbatch.errors import EnvironmentMismatchError

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_CARRIED = frozenset(("nbbatch", "cloudpickle", "__main__", "__mp_main__"))
"""What the runner brings along."""
_INSTALLS = re.compile(
    r"\b(pip3?|conda|mamba|uv|apt|apt-get)\b[^\n]*\binstall\b|\bsys\.path\b|\bsite\.addsitedir\b"
)
_TOLD = 5


def missing_modules(backend: Backend, options: Options, modules: Iterable[str]) -> tuple[str, ...]:
    """Those of these modules that the image of a job surely does not have, in their order.

    Parameters
    ----------
    backend : Backend
        Where the job goes.
    options : Options
        Its options, with defaults; without an image it runs in this environment, or is not looked into.
    modules : iterable of str
        Names as imported, dotted or not. Local modules travel and are never missing.
    """
    facts = facts_of(backend, options.image) if options.image else None
    return () if facts is None else tuple(_missing(facts, modules))


def _missing(facts: ImageFacts, modules: Iterable[str]) -> Iterator[str]:
    tops = dict.fromkeys(name.partition(".")[0] for name in modules)
    there = set(facts.modules) | _CARRIED | set(sys.stdlib_module_names)
    lacking = [name for name in tops if name and name not in there]
    local = local_modules(lacking)
    return (name for name in lacking if name not in local)


class Preflight:
    """The look at one job's image.

    Parameters
    ----------
    backend : Backend
        Where the job goes.
    options : Options
        Its options, with defaults.
    provided : collection of str
        Top-level names of files that are sent along.
    """

    def __init__(self, backend: Backend, options: Options, *, provided: Collection[str] = ()) -> None:
        self._image = options.image if runs_images(backend) else None
        self._facts = facts_of(backend, self._image) if self._image else None
        self._provided = frozenset(provided)
        self._is_elsewhere = backend.machine() is None
        self.unknown: dict[str, None] = {}

    def check_python(self) -> None:
        """Refuse an image whose Python cannot run this one's code.

        Raises
        ------
        EnvironmentMismatchError
            It has another minor version, or none.
        """
        if self._facts is None or self._facts.python == PYTHON:
            return
        has = f"Python {self._facts.python}" if self._facts.python else "no python3"
        raise EnvironmentMismatchError(
            f"The notebook runs Python {PYTHON}, image {self._image} has {has}: code and pickles do not fit.",
            cure=f"nbbatch.image() builds one that fits; or use python:{PYTHON}-slim, or nbbatch.script for a script.",
        )

    def check(self, needs: Mapping[str, str]) -> None:
        """Refuse an image that lacks a module.

        Parameters
        ----------
        needs : mapping of str to str
            What needs it, by module: a line of the cell, or a value in words.

        Raises
        ------
        EnvironmentMismatchError
            Names the modules, what needs them, and the line that builds an image that has them.
        """
        if self._image is None:
            return
        wanted = {name: why for name, why in needs.items() if name.partition(".")[0] not in self._provided}
        if self._facts is None:
            foreign = _missing(ImageFacts(), wanted)
            self.unknown |= dict.fromkeys(foreign)
            return
        missing = list(_missing(self._facts, wanted))
        if missing:
            tops = {name.partition(".")[0]: why for name, why in reversed(wanted.items())}
            told = "; ".join(f"{name} ({tops[name]})" for name in missing[:_TOLD])
            rest = f" and {len(missing) - _TOLD} more" if len(missing) > _TOLD else ""
            raise EnvironmentMismatchError(
                f"Image {self._image} does not have {told}{rest}.",
                cure=f"Build one that has: env = nbbatch.image({self._how(missing)}), then --image env or image=env.",
            )

    def _how(self, missing: Collection[str]) -> str:
        """Arguments that build such an image, where the jobs' hosts can get it."""
        packages = '["imported", "ipython"], ' if "IPython" in missing else ""  # no notebook imports it
        pushed = ', repository="NAME"' if self._is_elsewhere else ""
        return f'{packages}base="{self._image}"{pushed}'

    def notes(self) -> tuple[str, ...]:
        """What could not be looked at, for the receipt."""
        if not self.unknown:
            return ()
        names = ", ".join(list(self.unknown)[:_TOLD]) + (" and others" if len(self.unknown) > _TOLD else "")
        return (f"image {self._image} is not known here: whether it has {names} will show when the job runs",)


def cell_needs(python: str) -> dict[str, str]:
    """Modules that a cell, in Python, needs for certain, with the line that does; IPython for its magics."""
    if _INSTALLS.search(python):
        return {}
    lines = python.splitlines()
    needs: dict[str, str] = {}
    for statement in _certain(ast.parse(python).body):
        for name, what in _needs_of(statement, lines[statement.lineno - 1].strip()):
            needs.setdefault(name, f"line {statement.lineno}: {what}")
    return needs


def _certain(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run whatever happens, up to where the cell may end early."""
    for statement in body:
        match statement:
            case ast.Import() | ast.ImportFrom() | ast.Expr() | ast.Assign():
                yield statement
            case ast.With(body=inner):
                yield from _certain(inner)
            case ast.Raise():
                return


def _needs_of(statement: ast.stmt, line: str) -> Iterator[tuple[str, str]]:
    """Modules that a statement needs, and what in it does."""
    match statement:
        case ast.ImportFrom():
            if statement.module and not statement.level:
                yield statement.module, line
        case ast.Import():
            yield from ((alias.name, line) for alias in statement.names)
        case ast.Expr() | ast.Assign():
            yield from (("IPython", magic) for magic in map(only_ipythons, ast.walk(statement)) if magic)


def function_needs(function: object) -> dict[str, str]:
    """Modules that a function of the notebook imports before it decides anything."""
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType) or code.co_exceptiontable:
        return {}
    found = {}
    for step in dis.get_instructions(code):
        if step.opcode in dis.hasjrel or step.opcode in dis.hasjabs:
            break
        if step.opname == "IMPORT_NAME" and step.argval:
            found[str(step.argval)] = f"{code.co_name} imports it"
    return found
