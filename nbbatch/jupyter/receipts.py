"""The receipt of a cell, and what a dry run says of its cost.

A receipt tells the price per hour, and the cost only where runs of the same code were watched from
this machine, or are found by this dry run: how long a cell runs is never assumed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from nbbatch.client.backend import get_backend
from nbbatch.client.bundle import Packed, Receipt
from nbbatch.client.config import home
from nbbatch.client.format import dollars
from nbbatch.client.money.estimate import NO_PRICE, Basis, Estimate, Range, estimate_options
from nbbatch.client.money.history import Measured, Runs
from nbbatch.client.options import Options
from nbbatch.client.packing.names import to_python
from nbbatch.client.packing.payloads import Cell


def receipt_of(packed: Packed, cell: Cell) -> Receipt:
    """The receipt to tell: what a cell imports comes back, but is no news."""
    if cell.language != "python" or cell.outputs is not None:
        return packed.receipt
    return without_imports(packed.receipt, to_python(cell.source)[0])


def without_imports(receipt: Receipt, source: str) -> Receipt:
    """The receipt without the modules that the cell imports."""
    statements = [
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    aliases = [alias for statement in statements for alias in statement.names]
    imported = {alias.asname or alias.name.partition(".")[0] for alias in aliases}
    return replace(receipt, back=tuple(name for name in receipt.back if name not in imported))


def estimate_seen(packed: Packed, cell: Cell, options: Options) -> Estimate | None:
    """What the cell will cost by its runs that were watched from this machine; None where there were none."""
    known = Runs(home()).get(get_backend(options.backend), packed.code)
    return None if known is None else _estimate(packed, cell, options, known)


def estimate_asked(packed: Packed, cell: Cell, options: Options) -> Estimate:
    """What it will cost by all its runs that the backend knows of, and at worst."""
    return _estimate(packed, cell, options, None)


def _estimate(packed: Packed, cell: Cell, options: Options, known: Measured | None) -> Estimate:
    items = 1 if cell.items is None else len(cell.items)
    return estimate_options(
        options, items=items, chunk=cell.chunk, code=packed.code, name=options.name or "", history=known
    )


def in_receipt(estimate: Estimate | None) -> str:
    """`est. $0.0004: 6.2 s in 2 earlier runs`; empty where nothing is known."""
    if estimate is None or estimate.expected is None:
        return ""
    return f"est. {dollars(estimate.expected)}: {estimate.because}"


def cost_lines(estimate: Estimate) -> Iterator[str]:
    """What a dry run says: the range, where it comes from, the worst case and what it is made of."""
    if estimate.per_hour is None:
        yield f"cost: {NO_PRICE}"
        return
    for name, one in (("on demand", estimate.on_demand), ("spot", estimate.spot)):
        yield f"cost {name}: {_range(one, estimate)}{_here(estimate, name)}"
    if estimate.basis is Basis.UNKNOWN:
        yield "nothing like it has run yet, so nobody knows how long it takes: a first run tells"
    else:
        yield f"expected from {estimate.because}"
    limit = estimate.worst_because
    yield (
        f"worst case: {limit}"
        if estimate.worst is not None
        else "no upper limit: --timeout or --max-cost set one"
    )


def _range(one: Range, estimate: Estimate) -> str:
    parts = []
    if one.expected is not None:
        low, high = dollars(one.low or 0), dollars(one.high or 0)
        parts.append(f"{dollars(one.expected)} expected{f' ({low} to {high})' if low != high else ''}")
    if one.per_hour is not None:
        each = " each" if estimate.items > 1 else ""
        parts.append(f"{dollars(one.per_hour)}/h{each}")
    if one.worst is not None:
        parts.append(f"at worst {dollars(one.worst)}")
    return ", ".join(parts)


def _here(estimate: Estimate, name: str) -> str:
    return " ← this queue" if (name == "spot") == estimate.is_spot else ""
