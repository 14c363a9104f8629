"""What a script or a program leaves, as a value: its exit code, its output, its files. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptResult:
    """What a script or a program that succeeded left.

    Parameters
    ----------
    exit_code : int
        Always 0; another one raises JobFailedError, which has it.
    output : str
        What it wrote to standard output and error, as in the log of its last attempt; of an array's item the
        last 4 kB.
    files : tuple of Path
        Where files that `fetch=` asked for are now.
    variables : mapping
        Text by the names in `outputs=`.
    """

    exit_code: int
    output: str
    files: tuple[Path, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """Its parts by the names that a table has for them."""
        files = {"files": self.files} if self.files else {}
        return {"exit_code": self.exit_code, "output": self.output, **files, **self.variables}
