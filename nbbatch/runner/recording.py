"""Values that a notebook records for whoever reads it later: `record("auc", 0.93)`.

A recorded value is an output of its cell in scrapbook's own format, so it travels inside the
notebook, is there however the notebook was executed, and scrapbook reads it, too. Standard library
only: in a job whose image has no nbbatch this module stands in for it.
"""

from __future__ import annotations

import json
import sys

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

MIME = "application/scrapbook.scrap.json+json"
SCRAP = "application/scrapbook.scrap."
OLD_RECORD = "application/papermill.record+json"
"""What papermill itself recorded before scrapbook took that over."""
TABLE, SERIES = "table", "series"
_SHOWN = 80


def record(name: str, value: Any) -> None:
    """Record a value under a name, in the notebook that is being executed.

    Outside of a job it does the same; outside of IPython it prints.

    Parameters
    ----------
    name : str
        As in `run.values[name]` and in the column of `sweep.frame()`. Recorded again, the last one counts.
    value : text, number, bool, None, date, list, dict, numpy array, DataFrame or Series
        Arrays come back as lists. For anything else (a model, a figure) write a file.

    Raises
    ------
    TypeError
        The value cannot stand in a notebook; names its type.

    Examples
    --------
    >>> record("auc", 0.93)
    auc = 0.93
    """
    scrap = {"name": name, "version": 1, "encoder": "json", **_encoded(name, value)}
    text = f"{name} = {_shortened(value)}"
    if "IPython" not in sys.modules or sys.modules["IPython"].get_ipython() is None:
        print(text)
        return
    from IPython.display import display

    about = {"scrapbook": {"name": name, "data": True, "display": False}}
    display({MIME: scrap, "text/plain": text}, metadata=about, raw=True)  # type: ignore[no-untyped-call]


def scraps_of(notebook: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What a notebook has recorded, by name, as it stands there; see `client.recorded` for the values."""
    found: dict[str, dict[str, Any]] = {}
    for cell in notebook.get("cells", ()):
        for output in cell.get("outputs", ()):
            for scrap in _scraps(output.get("data") or {}):
                found[scrap["name"]] = scrap
    return found


def _scraps(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for mime, content in data.items():
        if mime.startswith(SCRAP) and isinstance(content, dict) and "name" in content:
            yield content
        elif mime == OLD_RECORD and isinstance(content, dict):
            yield from ({"name": name, "encoder": "json", "data": value} for name, value in content.items())


def _encoded(name: str, value: Any) -> dict[str, Any]:
    if hasattr(value, "to_json") and hasattr(value, "index"):
        kind = TABLE if hasattr(value, "columns") else SERIES
        return {"data": json.loads(value.to_json(orient="table")), "nbbatch": kind}
    return {"data": _plain(name, value)}


def _plain(name: str, value: Any) -> Any:
    """The value as JSON has it; what JSON has no number for is told by its name."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        is_number = value - value == 0
        return float(value) if is_number else {"$float": repr(float(value))}
    if isinstance(value, dict):
        return {str(key): _plain(f"{name}[{key!r}]", each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(f"{name}[{place}]", each) for place, each in enumerate(value)]
    for reading in ("tolist", "item", "isoformat", "__fspath__"):  # numpy, torch, dates, paths
        if hasattr(value, reading):
            return _plain(name, getattr(value, reading)())
    raise TypeError(
        f"{name} is a {type(value).__name__}, which cannot be recorded in a notebook. Record numbers, text, lists,"
        " dicts, arrays or DataFrames; write anything else to a file."
    )


def _shortened(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
