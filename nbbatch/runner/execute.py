"""Run a cell as IPython does: statements, then the last expression, whose value counts."""

from __future__ import annotations

import _ast

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

_ONLY_TREE = (
    0x400  # ast.PyCF_ONLY_AST, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT; importing ast costs more than a short cell
)
_TOP_LEVEL_AWAIT = 0x2000
_COROUTINE = 0x80  # inspect.CO_COROUTINE


class Program:
    """A cell, compiled.

    Parameters
    ----------
    source : str
        Python, IPython syntax already translated.
    label : str
        File name in tracebacks.

    Attributes
    ----------
    is_quiet : bool
        A semicolon stands behind the last expression: its value is not shown.
    """

    def __init__(self, source: str, label: str) -> None:
        tree = compile(source, label, "exec", _ONLY_TREE | _TOP_LEVEL_AWAIT, dont_inherit=True)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], _ast.Expr) else None
        self._codes = [compile(tree, label, "exec", _TOP_LEVEL_AWAIT, dont_inherit=True)]
        self.is_quiet = False
        self._has_value = last is not None
        if last is not None:
            expression = _ast.Expression(body=last.value)
            self._codes.append(
                compile(
                    expression,
                    label,
                    "eval",
                    _TOP_LEVEL_AWAIT | _future_flags(self._codes[0]),
                    dont_inherit=True,
                )
            )
            self.is_quiet = _rest_of_line(source, last).startswith(";")

    def run(self, namespace: dict[str, Any]) -> Any:
        """Execute in a namespace; returns the last expression's value, None where there is none."""
        if any(code.co_flags & _COROUTINE for code in self._codes):
            import asyncio

            value = asyncio.run(self._run_awaiting(namespace))
        else:
            for code in self._codes:
                value = eval(code, namespace)  # noqa: S307 - the cell
        return value if self._has_value else None

    async def _run_awaiting(self, namespace: dict[str, Any]) -> Any:
        value = None
        for code in self._codes:
            value = eval(code, namespace)  # noqa: S307 - the cell
            if code.co_flags & _COROUTINE:
                value = await value
        return value


def _future_flags(code: CodeType) -> int:
    """`from __future__ import ...` of the statements holds for the last expression, too."""
    return code.co_flags & 0x1FE0000


def _rest_of_line(source: str, node: Any) -> str:
    line = source.split("\n")[node.end_lineno - 1].encode()
    return str(line[node.end_col_offset :], "utf-8").strip()
