"""The results of an array's items as one value: a list, or a table where every item gave a row. Pure."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import FunctionType, ModuleType
from typing import Any

from nbbatch.client.format import plural
from nbbatch.client.results import ItemResult


def gather_variables(items: Sequence[ItemResult], names: Sequence[str] | None) -> dict[str, list[Any]]:
    """Each name as the list of its values over the items, in the order of the items.

    Parameters
    ----------
    items : sequence of ItemResult
        In order.
    names : sequence of str or None
        The names to gather; None: every name that all items brought back.
    """
    if names is None:
        names = [name for name in items[0].variables if all(name in one.variables for one in items)]
    return {name: _gathered([one.variables.get(name) for one in items]) for name in names}


def _gathered(values: list[Any]) -> Any:
    """A list, but for what a cell imports or defines: that is the same for every item."""
    return values[0] if _all(values, (ModuleType, FunctionType, type)) else values


def gather_values(values: Sequence[Any], labels: Any = None) -> tuple[Any, str]:
    """Last values of the items as one value, and what it is in words.

    Parameters
    ----------
    values : sequence
        In the order of the items.
    labels : pandas.Index, optional
        Of the table or Series that the items are from: the index of the rows.

    Returns
    -------
    value
        A DataFrame where every value is a DataFrame (concatenated, level `item`), a Series or a
        dict (one row each); None where no item had a value; otherwise a list.
    str
        What it is, for the story.
    """
    if all(value is None for value in values):
        return None, ""
    pandas: Any = sys.modules.get("pandas")
    if pandas is not None and _all(values, pandas.DataFrame):
        frame = pandas.concat(list(values), keys=range(len(values)), names=["item"])
        return frame, f"the values of {plural(len(values), 'item')} are stacked into one DataFrame"
    if _all(values, Mapping) or (pandas is not None and _all(values, pandas.Series)):
        return _rows(
            [dict(value) for value in values], labels
        ), f"one row per item in a DataFrame of {plural(len(values), 'row')}"
    return list(values), f"the values of {plural(len(values), 'item')} are a list"


def _rows(rows: list[dict[str, Any]], labels: Any) -> Any:
    import pandas as pd  # noqa: PLC0415 - only a table of results needs it

    return pd.DataFrame(rows, index=pd.RangeIndex(len(rows), name="item") if labels is None else labels)


def _all(values: Sequence[Any], kind: type | tuple[type, ...]) -> bool:
    return all(isinstance(value, kind) for value in values)
