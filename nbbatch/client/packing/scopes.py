"""What a function, a lambda, a comprehension or a class's methods read of the scope around them.

Python's own symbol tables decide; this module only cuts the piece of syntax out for them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def parts_at_definition(node: Function) -> Iterator[ast.AST]:
    """What is evaluated when a function is defined: decorators, defaults, annotations."""
    arguments = node.args
    yield from arguments.defaults
    yield from (default for default in arguments.kw_defaults if default is not None)
    if isinstance(node, ast.Lambda):
        return
    yield from node.decorator_list
    every = (
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        arguments.vararg,
        arguments.kwarg,
    )
    yield from (each.annotation for each in every if each is not None and each.annotation is not None)
    if node.returns is not None:
        yield node.returns


def free_names(node: ast.AST) -> Iterator[str]:
    """Global names that a function, lambda or comprehension reads when it runs, by Python's own scoping."""
    import symtable  # noqa: PLC0415 - only where a cell has scopes of its own

    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        code = ast.unparse(_bare(node))
    else:
        code = f"async def scope():\n return ({ast.unparse(node)})"
    yield from _globals_of(symtable.symtable(code, "scope", "exec").get_children()[0])


def augmented_globals(node: ast.AST) -> Iterator[str]:
    """Names under `global` that are read by `x += 1`, which a symbol table calls assigned only."""
    declared = {name for each in ast.walk(node) if isinstance(each, ast.Global) for name in each.names}
    for each in ast.walk(node):
        if (
            isinstance(each, ast.AugAssign)
            and isinstance(each.target, ast.Name)
            and each.target.id in declared
        ):
            yield each.target.id


def free_names_of_methods(node: ast.ClassDef) -> Iterator[str]:
    """Global names that the methods of a class read when they run."""
    for each in node.body:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from free_names(each)
        if isinstance(each, ast.ClassDef):
            yield from free_names_of_methods(each)


def _bare(node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
    """A function without what is evaluated at its definition."""
    given = node.args
    arguments = ast.arguments(
        posonlyargs=_bare_arguments(given.posonlyargs),
        args=_bare_arguments(given.args),
        vararg=ast.arg(arg=given.vararg.arg) if given.vararg else None,
        kwonlyargs=_bare_arguments(given.kwonlyargs),
        kwarg=ast.arg(arg=given.kwarg.arg) if given.kwarg else None,
        kw_defaults=[None] * len(given.kwonlyargs),
        defaults=[],
    )
    bare = type(node)(name=node.name, args=arguments, body=node.body, decorator_list=[])
    return ast.fix_missing_locations(bare)


def _bare_arguments(arguments: Sequence[ast.arg]) -> list[ast.arg]:
    return [ast.arg(arg=each.arg) for each in arguments]


def _globals_of(table: object) -> Iterator[str]:
    import symtable  # noqa: PLC0415 - see above

    assert isinstance(table, symtable.SymbolTable)  # noqa: S101 - typeshed has no name for its children
    for symbol in table.get_symbols():
        if symbol.is_global() and symbol.is_referenced() and symbol.get_name() != "__class__":
            yield symbol.get_name()
    for child in table.get_children():
        yield from _globals_of(child)
