"""Magics in a cell that is to run as a job: which of them can, told before anything is sent.

A job with IPython knows the magics that come with IPython. Those of the notebook itself, of its kernel
and of extensions that it has loaded stay here, and some make no sense where nobody looks on.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Literal

from nbbatch.errors import UserError

Kind = Literal["line", "cell"]

_INSTALL = "Run it in a cell of its own, without %%batch; a job in an image of its own needs an image that has the package."
_LOOK = "Run the cell here to do that, or look at the job's outputs."
_REFUSED = {
    **dict.fromkeys(("pip", "conda", "mamba", "micromamba", "uv"), _INSTALL),
    **dict.fromkeys(("debug", "pdb", "tb", "gui", "edit", "ed", "history", "hist", "recall", "rep"), _LOOK),
    **dict.fromkeys(("load", "loadpy", "store", "notebook", "save", "rerun", "macro", "logstart"), _LOOK),
    "batch": "A job's cell cannot submit another one; nbbatch.submit() in the cell can.",
}
_SCREENS = ("", "inline", "agg", "--list", "-l")
"""What `%matplotlib` may be asked for in a job; others are windows and widgets."""


def check_magics(python: str, shell: Any) -> None:
    """Refuse a cell with a magic that the job will not know.

    Parameters
    ----------
    python : str
        The cell, its IPython syntax translated.
    shell : InteractiveShell
        The notebook's, which knows where a magic comes from.

    Raises
    ------
    UserError
        Names the first such magic, and what to do.
    """
    for kind, name, line in magics_of(ast.parse(python)):
        if name in ("load_ext", "reload_ext"):
            return  # what follows may be the extension's
        sign = "%%" if kind == "cell" else "%"
        if name in _REFUSED:
            raise UserError(f"{sign}{name} does not work inside a job.", cure=_REFUSED[name])
        if name == "matplotlib" and line.strip() not in _SCREENS:
            raise UserError(
                f"%matplotlib {line.strip()} does not work inside a job, which has no screen.",
                cure="%matplotlib inline, or nothing at all, shows its figures here.",
            )
        _check_origin(shell, kind, name, sign)


def _check_origin(shell: Any, kind: Kind, name: str, sign: str) -> None:
    found = shell.find_magic(name, kind)
    if found is None:
        known = shell.magics_manager.magics[kind]
        close = get_close_matches(name, known, n=1)
        raise UserError(
            f"There is no magic {sign}{name}.",
            cure=f"Did you mean {sign}{close[0]}?"
            if close
            else "Load its extension in the cell: %load_ext NAME.",
        )
    owner = (
        type(getattr(found, "__self__", None)).__module__ if hasattr(found, "__self__") else found.__module__
    )
    if not owner.startswith("IPython."):
        where = "this notebook" if owner == "__main__" else owner
        raise UserError(
            f"{sign}{name} is a magic of {where}, which the job does not know.",
            cure="Call a function instead, which travels; or load the magic's extension in the cell: %load_ext NAME.",
        )


def magics_of(tree: ast.AST) -> Iterator[tuple[Kind, str, str]]:
    """Magics that translated code calls, in order: kind, name, and the rest of the line."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="run_line_magic" | "run_cell_magic" as method),
                args=[ast.Constant(value=str(name)), ast.Constant(value=str(line)), *_],
            ):
                yield ("cell" if method == "run_cell_magic" else "line"), name, line
