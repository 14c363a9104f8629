"""Which names a cell reads, assigns, imports and changes, found in its syntax tree.

Follows the order in which Python would run it: a name counts as read only where it is used before
the cell has certainly bound it itself. A function's body runs when the function is first used, at
the latest after the cell. IPython syntax is turned into Python first (and only then is IPython
imported). Nothing is executed.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import CodeType

from nbbatch.client.packing.scopes import (
    augmented_globals,
    free_names,
    free_names_of_methods,
    parts_at_definition,
)
from nbbatch.runner.shell import LITTLE_SHELL

Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

_BUILTINS = frozenset((*dir(builtins), "display", "get_ipython", "exit", "quit"))
_MAGICS_WITH_CODE = frozenset(
    ("time", "timeit", "prun", "memit", "mprun", "lprun", "capture", "pinfo", "pinfo2", "psource", "pdoc")
)
_SHELL = frozenset(("system", "getoutput", "sx", "getoutputs"))
_SHELL_NAMES = re.compile(r"\{([^{}]+)\}|\$([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names of a cell, each in order of first appearance.

    Parameters
    ----------
    reads : tuple of str
        Used before the cell binds them; builtins excluded.
    assigns : tuple of str
        Bound at the end of the cell: variables, functions, classes, imports.
    changes : tuple of str
        Of those read: changed in place by `x[...] = `, `x.a = ` or the like.
    imports : tuple of str
        Top-level names of the modules imported anywhere in the cell; IPython, too, where a magic needs it.
    python : str
        The cell in Python, IPython syntax translated.
    code : CodeType
        The same, compiled.
    is_ipython : bool
        The cell has IPython syntax.
    """

    reads: tuple[str, ...]
    assigns: tuple[str, ...]
    changes: tuple[str, ...]
    imports: tuple[str, ...]
    python: str
    code: CodeType
    is_ipython: bool = False

    @property
    def returns(self) -> tuple[str, ...]:
        """What comes back by default: assigned and changed names, but not `_`."""
        return tuple(name for name in dict.fromkeys((*self.assigns, *self.changes)) if name.strip("_"))


def read_names(source: str, *, label: str = "cell") -> Names:
    """Find the names of a cell.

    Parameters
    ----------
    source : str
        The cell as in the notebook.
    label : str
        File name in a SyntaxError.

    Raises
    ------
    SyntaxError
        With the cell's own line: no Python, and no IPython either.
    """
    python, is_ipython = to_python(source, label)
    walk = _Walk()
    tree = _parse(python, label)
    code = _compiled(tree, python, label)
    walk.block(tree.body)
    walk.settle()
    return Names(
        reads=tuple(walk.reads),
        assigns=tuple(walk.bound),
        changes=tuple(name for name in walk.changes if name in walk.reads),
        imports=(*walk.imports, *(("IPython",) if walk.needs_ipython else ())),
        python=python,
        code=code,
        is_ipython=is_ipython,
    )


def to_python(source: str, label: str = "cell") -> tuple[str, bool]:
    """Translate IPython syntax (`!ls`, `%time f()`, `x?`), if there is any.

    Returns
    -------
    tuple
        The source in Python, and whether it needs `get_ipython()`.
    """
    try:
        _parse(source, label)
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager  # noqa: PLC0415 - 60 ms most cells save

        python = str(TransformerManager().transform_cell(source))  # type: ignore[no-untyped-call]
        _parse(python, label)
        return python, "get_ipython()" in python
    return source, "get_ipython()" in source


def _parse(source: str, label: str) -> ast.Module:
    tree = compile(
        source, label, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
    )
    assert isinstance(tree, ast.Module)  # noqa: S101 - what PyCF_ONLY_AST with "exec" gives
    return tree


def _compiled(tree: ast.Module, source: str, label: str) -> CodeType:
    """Compile, to find what parses and is not Python all the same, such as `return` outside a function."""
    try:
        code: CodeType = compile(tree, label, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as error:
        if error.text is None and error.lineno is not None:
            error.text = source.splitlines()[error.lineno - 1]
        raise
    return code


class _Walk:
    """Goes through a module's code in the order of its execution.

    `bound` are the names bound for certain so far, `maybe` those bound on some way; both are what
    the cell assigns. `later` holds, by function, the names its body will read once it runs.
    """

    def __init__(self) -> None:
        self.reads: dict[str, None] = {}
        self.bound: dict[str, None] = {}
        self.maybe: dict[str, None] = {}
        self.changes: dict[str, None] = {}
        self.imports: dict[str, None] = {}
        self.later: dict[str, dict[str, None]] = {}
        self.needs_ipython = False

    def settle(self) -> None:
        """At the end of the cell: run what was only defined, and count what may have been bound."""
        for name in list(self.later):
            self.run_body(name)
        self.bound |= {name: None for name in self.maybe if name not in self.bound}

    def read(self, name: str) -> None:
        self.run_body(name)
        if name not in self.bound and name not in _BUILTINS:
            self.reads[name] = None

    def bind(self, name: str) -> None:
        self.later.pop(name, None)
        self.maybe[name] = self.bound[name] = None

    def unbind(self, name: str) -> None:
        self.maybe.pop(name, None)
        self.bound.pop(name, None)

    def run_body(self, name: str) -> None:
        for each in self.later.pop(name, ()):
            self.read(each)

    def block(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            self.visit(statement)

    def branches(self, *blocks: Sequence[ast.stmt]) -> None:
        """Ways of which one is taken: bound for certain is only what all of them bind."""
        before = dict(self.bound)
        ends = []
        for block in blocks:
            self.bound = dict(before)
            self.block(block)
            if not _leaves(block):
                ends.append(self.bound)
        certain = [name for name in (ends[0] if ends else before) if all(name in end for end in ends)]
        self.bound = dict.fromkeys(certain)

    def visit(self, node: ast.AST) -> None:
        method = getattr(self, f"on_{type(node).__name__}", None)
        if method is not None:
            method(node)
        else:
            self.children(node)

    def children(self, node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            self.visit(child)

    # Names

    def on_Name(self, node: ast.Name) -> None:  # noqa: N802 - ast's names, here and below
        match node.ctx:
            case ast.Load():
                self.read(node.id)
            case ast.Store():
                self.bind(node.id)
            case _:
                self.read(node.id)
                self.unbind(node.id)

    def on_Import(self, node: ast.Import) -> None:  # noqa: N802
        for alias in node.names:
            top = alias.name.partition(".")[0]
            self.imports[top] = None
            self.bind(alias.asname or top)

    def on_ImportFrom(self, node: ast.ImportFrom) -> None:  # noqa: N802
        self.imports[(node.module or "").partition(".")[0]] = None
        for alias in node.names:
            if alias.name != "*":
                self.bind(alias.asname or alias.name)

    # Assignments: the value comes first

    def on_Assign(self, node: ast.Assign) -> None:  # noqa: N802
        self.visit(node.value)
        for target in node.targets:
            self.target(target)

    def on_AnnAssign(self, node: ast.AnnAssign) -> None:  # noqa: N802
        self.visit(node.annotation)
        if node.value is not None:
            self.visit(node.value)
            self.target(node.target)

    def on_AugAssign(self, node: ast.AugAssign) -> None:  # noqa: N802
        if isinstance(node.target, ast.Name):
            self.read(node.target.id)
        self.visit(node.value)
        self.target(node.target)

    def on_NamedExpr(self, node: ast.NamedExpr) -> None:  # noqa: N802
        self.visit(node.value)
        self.target(node.target)

    def target(self, node: ast.AST) -> None:
        """Something is assigned to; `x[0].a = ` changes x."""
        if isinstance(node, ast.Attribute | ast.Subscript):
            base: ast.AST = node
            while isinstance(base, ast.Attribute | ast.Subscript):
                base = base.value
            if isinstance(base, ast.Name):
                self.changes[base.id] = None
        if isinstance(node, ast.Tuple | ast.List):
            for each in node.elts:
                self.target(each)
        elif isinstance(node, ast.Starred):
            self.target(node.value)
        else:
            self.visit(node)

    def on_Delete(self, node: ast.Delete) -> None:  # noqa: N802
        for each in node.targets:
            self.target(each)

    # Flow

    def on_If(self, node: ast.If) -> None:  # noqa: N802
        self.visit(node.test)
        self.branches(node.body, node.orelse)

    def on_For(self, node: ast.For | ast.AsyncFor) -> None:  # noqa: N802
        self.visit(node.iter)
        before = dict(self.bound)
        self.target(node.target)
        self.block(node.body)
        self.bound = before
        self.branches(node.orelse, [])

    on_AsyncFor = on_For  # noqa: N815

    def on_While(self, node: ast.While) -> None:  # noqa: N802
        self.visit(node.test)
        before = dict(self.bound)
        self.block(node.body)
        is_endless = isinstance(node.test, ast.Constant) and bool(node.test.value)
        self.bound = self.bound if is_endless else before
        self.branches(node.orelse, [])

    def on_Try(self, node: ast.Try) -> None:  # noqa: N802
        before = dict(self.bound)
        self.block([*node.body, *node.orelse])
        ends = [self.bound]
        for handler in node.handlers:
            self.bound = dict(before)
            self.visit(handler)
            if not _leaves(handler.body):
                ends.append(self.bound)
        self.bound = dict.fromkeys(name for name in ends[0] if all(name in end for end in ends))
        self.block(node.finalbody)

    on_TryStar = on_Try  # noqa: N815

    def on_ExceptHandler(self, node: ast.ExceptHandler) -> None:  # noqa: N802
        if node.type is not None:
            self.visit(node.type)
        if node.name is not None:
            self.bind(node.name)
        self.block(node.body)
        if node.name is not None:
            self.unbind(node.name)

    def on_Match(self, node: ast.Match) -> None:  # noqa: N802
        self.visit(node.subject)
        before = dict(self.bound)
        for case in node.cases:
            self.bound = dict(before)
            self.visit(case)
        self.bound = before

    def on_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:  # noqa: N802
        if isinstance(node, ast.MatchAs) and node.pattern is not None:
            self.visit(node.pattern)
        if node.name is not None:
            self.bind(node.name)

    on_MatchStar = on_MatchAs  # noqa: N815

    def on_MatchMapping(self, node: ast.MatchMapping) -> None:  # noqa: N802
        self.children(node)
        if node.rest is not None:
            self.bind(node.rest)

    def on_With(self, node: ast.With | ast.AsyncWith) -> None:  # noqa: N802
        for item in node.items:
            self.visit(item.context_expr)
            if item.optional_vars is not None:
                self.target(item.optional_vars)
        self.block(node.body)

    on_AsyncWith = on_With  # noqa: N815

    # Scopes

    def on_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:  # noqa: N802
        for part in parts_at_definition(node):
            self.visit(part)
        self.bind(node.name)
        self.globals_of(node)
        self.later[node.name] = dict.fromkeys((*free_names(node), *augmented_globals(node)))
        if node.decorator_list:
            self.run_body(node.name)

    on_AsyncFunctionDef = on_FunctionDef  # noqa: N815

    def on_Lambda(self, node: ast.Lambda) -> None:  # noqa: N802
        for part in parts_at_definition(node):
            self.visit(part)
        for name in free_names(node):  # it may run at once, as a sort key does
            self.read(name)

    def globals_of(self, node: ast.AST) -> None:
        """`global x` in a function binds x of the cell, and reads it if it is there."""
        for each in ast.walk(node):
            if isinstance(each, ast.Global):
                self.maybe |= dict.fromkeys(each.names)
            if isinstance(each, ast.Import):
                self.imports |= dict.fromkeys(alias.name.partition(".")[0] for alias in each.names)
            if isinstance(each, ast.ImportFrom) and not each.level:
                self.imports[(each.module or "").partition(".")[0]] = None

    def on_ClassDef(self, node: ast.ClassDef) -> None:  # noqa: N802
        for part in (*node.decorator_list, *node.bases, *(word.value for word in node.keywords)):
            self.visit(part)
        inner = _Walk()
        inner.bound = dict(self.bound)
        inner.block(node.body)
        for name in inner.reads:
            self.read(name)
        self.imports |= inner.imports
        self.bind(node.name)
        self.later[node.name] = dict.fromkeys(free_names_of_methods(node))

    def on_comprehension_like(self, node: Comprehension) -> None:
        """Its variables are its own; its first iterable is evaluated outside."""
        for name in free_names(node):
            self.read(name)
        for each in ast.walk(node):
            if isinstance(each, ast.NamedExpr):
                self.bind(each.target.id)

    on_ListComp = on_SetComp = on_DictComp = on_GeneratorExp = on_comprehension_like  # noqa: N815

    # Code that IPython was given as text

    def on_Call(self, node: ast.Call) -> None:  # noqa: N802
        self.children(node)
        name, words = _ipython_call(node)
        self.needs_ipython = self.needs_ipython or bool(only_ipythons(node))
        if name in _SHELL:
            self.names_in_command(words[0])
        elif name in ("run_line_magic", "run_cell_magic") and words[0] in _MAGICS_WITH_CODE:
            self.names_behind_options(words[-1])
        elif name == "run_line_magic":
            self.names_in_command(words[-1])

    def names_behind_options(self, code: str) -> None:
        """Names in `-n1 -r1 f(x)`: options, and what belongs to them, are what does not parse."""
        while code.startswith("-") or not self.names_in_code(code):
            _, _, code = code.partition(" ")
            code = code.lstrip()

    def names_in_command(self, command: str) -> None:
        for match in _SHELL_NAMES.finditer(command):
            self.names_in_code(match[1] or match[2])

    def names_in_code(self, code: str) -> bool:
        try:
            tree = _parse(to_python(code.strip())[0], "magic")
        except SyntaxError:
            return False  # a command's own braces or options; the shell will see them as they are
        self.block(tree.body)
        return True


def _leaves(block: Sequence[ast.stmt]) -> bool:
    """Whether a block never reaches its end."""
    return bool(block) and isinstance(block[-1], ast.Raise | ast.Return | ast.Continue | ast.Break)


def only_ipythons(node: ast.AST) -> str:
    """What of IPython a call needs that the runner does not do by itself, as a person writes it: `%timeit`."""
    name, words = _ipython_call(node) if isinstance(node, ast.Call) else ("", [])
    if not name or _does_without(name, words):
        return ""
    signs = {"run_line_magic": "%", "run_cell_magic": "%%"}
    return f"{signs[name]}{words[0]}" if name in signs else f"get_ipython().{name}"


def _does_without(name: str, words: Sequence[str]) -> bool:
    """Whether the runner's little shell does it: `%%time` of plain Python, a script without options."""
    magic = words[0] if name.startswith("run_") else ""
    if (name, magic) not in LITTLE_SHELL:
        return False
    if magic == "time":
        return _is_plain(words[-1])
    return name != "run_cell_magic" or not words[1].strip()


def _is_plain(code: str) -> bool:
    try:
        return to_python(code)[0] == code
    except SyntaxError:
        return True  # nobody can run it


def _ipython_call(node: ast.Call) -> tuple[str, list[str]]:
    """Method and text arguments of a `get_ipython().method("...")` call; empty for any other."""
    match node.func:
        case ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")), attr=name):
            words = [
                arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            ]
            return (name, words) if words else ("", [])
    return "", []
