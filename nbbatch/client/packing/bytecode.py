"""What a function's bytecode refers to: the globals it reads, and every name it mentions."""

from __future__ import annotations

import dis
import sys
from collections.abc import Collection, Iterable, Iterator
from types import CodeType


def nested(code: CodeType) -> Iterator[CodeType]:
    """The code and all code inside it: functions, classes, comprehensions."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from nested(constant)


def global_names(code: CodeType) -> Iterator[str]:
    """Names that a function looks up in its globals, builtins included."""
    for each in nested(code):
        for step in dis.get_instructions(each):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                yield str(step.argval)


def submodules(modules: Iterable[str], codes: Collection[CodeType]) -> list[str]:
    """Loaded submodules that code reaches through their package, as in `xml.etree.ElementTree.parse`.

    The notebook may have imported them in another cell; importing the package alone would not do.

    Parameters
    ----------
    modules : iterable of str
        Packages that the code knows as variables.
    codes : collection of code
        The code.
    """
    mentioned = {name for code in codes for each in nested(code) for name in each.co_names}
    packages = tuple(f"{name}." for name in modules)
    return sorted(
        name
        for name in list(sys.modules)
        if name.startswith(packages) and mentioned.issuperset(_below(name, packages))
    )


def _below(name: str, packages: tuple[str, ...]) -> list[str]:
    package = max((each for each in packages if name.startswith(each)), key=len)
    return name[len(package) :].split(".")
