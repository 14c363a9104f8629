"""The items of an array as a table: inputs, values, metrics and errors beside each other. Pure.

Columns are made whole, not row by row, so that types stay what they are and a million rows are quick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbbatch.client.arrays.inputs import Rows, Values
from nbbatch.client.arrays.items import Item
from nbbatch.client.files.script_result import ScriptResult


def frame_of(items: Sequence[Item], inputs: Sequence[Any]) -> Any:
    """A DataFrame with a row for each item.

    Parameters
    ----------
    items : sequence of Item
        Those that have ended, in order.
    inputs : sequence
        Of all items of the array.
    """
    frame = _inputs([item.position for item in items], inputs)
    for name, column in _columns("value", [_value(item) for item in items], frame.index).items():
        frame[name] = column
    for name, column in _metrics(items, frame.index).items():
        if name not in frame:
            frame[name] = column
    import pandas as pd  # noqa: PLC0415 - 0.2 s that only tables need

    frame["error"] = pd.Series([_problem(item) for item in items], index=frame.index, dtype="object")
    return frame


def _inputs(positions: Sequence[int], inputs: Sequence[Any]) -> Any:
    """The table that was mapped, as it is; otherwise a column per keyword, or `input`."""
    import pandas as pd  # noqa: PLC0415 - 0.2 s that only tables need

    if isinstance(inputs, Rows):
        return inputs.frame.iloc[list(positions)].copy()
    if isinstance(inputs, Values):
        chosen = inputs.series.iloc[list(positions)]
        return chosen.to_frame("input" if chosen.name is None else str(chosen.name))
    index = pd.Index(positions, name="item")
    columns = _columns("input", [inputs[position] for position in positions], index)
    return pd.DataFrame(columns, index=index)


_MISSING = object()
"""Stands for the value of an item that failed."""


def _value(item: Item) -> Any:
    return item.value if item.error is None else _MISSING


def _columns(word: str, values: Sequence[Any], index: Any) -> dict[str, Any]:
    """A mapping gives a column per key, anything else one column; what failed is missing in all."""
    names: dict[str, None] = {}
    rows = [_row(word, value) for value in values]
    for row in rows:
        names |= dict.fromkeys(row)
    return {name: _series([row.get(name, _MISSING) for row in rows], index) for name in names}


def _row(word: str, value: Any) -> Mapping[str, Any]:
    if value is _MISSING:
        return {}
    if isinstance(value, ScriptResult):
        return value.row()
    if hasattr(value, "to_dict") and hasattr(value, "name"):  # a Series
        value = value.to_dict()
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return value
    return {word: value}


def _series(values: list[Any], index: Any) -> Any:
    """A column with NaN where a value is missing."""
    import pandas as pd  # noqa: PLC0415 - as above

    filled = [float("nan") if value is _MISSING else value for value in values]
    if all(value is None for value in filled):
        return pd.Series(filled, index=index, dtype="object")
    return pd.Series(filled, index=index)


def _metrics(items: Sequence[Item], index: Any) -> dict[str, Any]:
    names = dict.fromkeys(name for item in items for name in item.metrics)
    return {name: _series([item.metrics.get(name, _MISSING) for item in items], index) for name in names}


def _problem(item: Item) -> str | None:
    if item.error is None:
        return None
    return f"{type(item.error).__name__}: {item.error}".partition("\n")[0]
