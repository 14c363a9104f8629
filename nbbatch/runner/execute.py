"""Run a cell as IPython does: statements, then the last expression, whose value counts."""

from __future__ import annotations

import _ast

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable
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
    interactivity : str
        IPython's `ast_node_interactivity`: which values are shown.

    Attributes
    ----------
    is_quiet : bool
        A semicolon stands behind the last expression: no value is shown.
    """

    def __init__(self, source: str, label: str, interactivity: str = "last_expr") -> None:
        tree = compile(source, label, "exec", _ONLY_TREE | _TOP_LEVEL_AWAIT, dont_inherit=True)
        self.is_quiet = _is_quiet(source, tree)
        self._codes: list[CodeType] = []
        for group in _groups(tree.body, interactivity):
            flags = _TOP_LEVEL_AWAIT | (_future_flags(self._codes[0]) if self._codes else 0)
            part, mode = group, "exec"
            if isinstance(group, _ast.Expr):
                part, mode = _ast.Expression(body=group.value), "eval"
            else:
                part = _ast.Module(body=group, type_ignores=[])
            self._codes.append(compile(part, label, mode, flags, dont_inherit=True))

    def run(self, namespace: dict[str, Any], show: Callable[[Any], object] | None = None) -> Any:
        """Execute in a namespace; returns the last expression's value, None where there is none.

        `show` gets the values of expressions before the last one, if they are to be shown.
        """
        if any(code.co_flags & _COROUTINE for code in self._codes):
            import asyncio

            return asyncio.run(self._run_awaiting(namespace, show))
        value = None
        for code in self._codes:
            if value is not None and show is not None:
                show(value)
            value = eval(code, namespace)  # noqa: S307 - the cell
        return value

    async def _run_awaiting(self, namespace: dict[str, Any], show: Callable[[Any], object] | None) -> Any:
        value = None
        for code in self._codes:
            if value is not None and show is not None:
                show(value)
            value = eval(code, namespace)  # noqa: S307 - the cell
            if code.co_flags & _COROUTINE:
                value = await value
        return value


def _groups(body: list[Any], interactivity: str) -> list[Any]:
    """Statements that run as one, and expressions whose values count, by `ast_node_interactivity`."""
    if interactivity == "last_expr_or_assign" and body:
        body = [*body, *_assigned_again(body[-1])]
    if interactivity == "all":
        return [node if isinstance(node, _ast.Expr) else [node] for node in body]
    if interactivity != "none" and body and isinstance(body[-1], _ast.Expr):
        return [body[:-1], body[-1]] if body[1:] else [body[-1]]
    return [body]


def _assigned_again(node: Any) -> list[Any]:
    """An expression that reads what an assignment has set."""
    target = node.targets[0] if isinstance(node, _ast.Assign) else getattr(node, "target", None)
    is_assigned = isinstance(node, (_ast.Assign, _ast.AugAssign, _ast.AnnAssign))
    if not (is_assigned and isinstance(target, _ast.Name)):
        return []
    place = {name: getattr(target, name) for name in ("lineno", "col_offset", "end_lineno", "end_col_offset")}
    return [_ast.Expr(value=_ast.Name(id=target.id, ctx=_ast.Load(), **place), **place)]


def _is_quiet(source: str, tree: Any) -> bool:
    return bool(tree.body) and _rest_of_line(source, tree.body[-1]).startswith(";")


def _future_flags(code: CodeType) -> int:
    """`from __future__ import ...` of the statements holds for the last expression, too."""
    return code.co_flags & 0x1FE0000


def _rest_of_line(source: str, node: Any) -> str:
    line = source.split("\n")[node.end_lineno - 1].encode()
    return str(line[node.end_col_offset :], "utf-8").strip()
