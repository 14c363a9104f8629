"""`Ref::name` in commands: the one replaceable rule for what AWS documents only in part.

Documented: an element that is `Ref::name` as a whole is replaced by that parameter (user guide,
"Parameters"). [?] Inside an element it is replaced as well, where the name is the longest run of
letters, digits, `_`, `.` and `-` that is a known parameter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from nbbatch.errors import ClientException

_REFERENCE = re.compile(r"Ref::([A-Za-z0-9_.-]+)")


def has_references(command: Sequence[str]) -> bool:
    """Whether anything in a command may have to be replaced."""
    return any("Ref::" in element for element in command)


def substitute(command: Sequence[str], parameters: Mapping[str, str]) -> tuple[str, ...]:
    """Put parameters into a command.

    Raises
    ------
    ClientException
        When a parameter is missing.
    """
    return tuple(
        _REFERENCE.sub(lambda match: _value(match[1], parameters), element) if "Ref::" in element else element
        for element in command
    )


def _value(reference: str, parameters: Mapping[str, str]) -> str:
    """The parameter's value, and what stands behind its name."""
    for end in range(len(reference), 0, -1):
        if reference[:end] in parameters:
            return parameters[reference[:end]] + reference[end:]
    raise ClientException(f"Unable to substitute value. No parameter found for reference {reference}")
