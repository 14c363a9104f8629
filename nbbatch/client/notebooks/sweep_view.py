"""A sweep's table for people: HTML with links to the executed notebooks, and the same as text. Pure."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from nbbatch.client.colours import colour_of
from nbbatch.client.format import dollars
from nbbatch.client.handles.shown import badge

_MOST_ROWS = 200
_ORDER = {"FAILED": 0, "RUNNING": 1, "STARTING": 2, "RUNNABLE": 3, "PENDING": 4, "SUBMITTED": 5}
_LONGEST = 60


class Row(Protocol):
    """What the table shows of a run; see `sweeps.Run`."""

    @property
    def position(self) -> int: ...  # noqa: D102
    @property
    def parameters(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def values(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def metrics(self) -> Mapping[str, float]: ...  # noqa: D102
    @property
    def status(self) -> str: ...  # noqa: D102
    @property
    def seconds(self) -> float | None: ...  # noqa: D102
    @property
    def cost(self) -> float | None: ...  # noqa: D102
    @property
    def notebook(self) -> str: ...  # noqa: D102
    @property
    def error(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepSummary:
    """What a notebook shows of a sweep.

    Parameters
    ----------
    name : str
        The sweep's.
    runs : sequence of Run
        All of them.
    """

    name: str
    runs: Sequence[Row]

    def __str__(self) -> str:
        lines = [self._head()]
        for run in self._shown():
            what = ", ".join(f"{name}={_short(value)}" for name, value in run.parameters.items())
            values = ", ".join(f"{name}={_short(value)}" for name, value in _told(run).items())
            end = run.error or values
            seconds = "" if run.seconds is None else f" {run.seconds:.1f} s"
            lines.append(f"  {run.position:>3} {run.status:<9}{seconds} {what}{' · ' if end else ''}{end}")
        return "\n".join([*lines, *self._rest()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parameters = _names(run.parameters for run in self.runs)
        values = _names(_told(run) for run in self.runs)
        titles = ["run", *parameters, *values, "status", "seconds", "cost", "notebook"]
        head = "".join(f"<th>{html.escape(title)}</th>" for title in titles)
        body = "".join(f"<tr>{''.join(_cells(run, parameters, values))}</tr>" for run in self._shown())
        rest = "".join(f"<p>{html.escape(line)}</p>" for line in self._rest())
        return (
            f"<p>{html.escape(self._head())}</p><table><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>{rest}"
        )

    def _head(self) -> str:
        counts = Counter(run.status for run in self.runs)
        states = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        costs = [run.cost for run in self.runs if run.cost is not None]
        cost = f" · {dollars(sum(costs))} on demand" if costs else ""
        return f"{self.name}: {len(self.runs)} runs, {states}{cost}"

    def _shown(self) -> list[Row]:
        return sorted(self.runs, key=lambda run: _ORDER.get(run.status, 9))[:_MOST_ROWS]

    def _rest(self) -> list[str]:
        left = len(self.runs) - _MOST_ROWS
        return [f"… and {left} more: .frame() has them all."] if left > 0 else []


def _told(run: Row) -> dict[str, Any]:
    """What it has recorded and, under other names, logged."""
    return {**run.values, **{name: value for name, value in run.metrics.items() if name not in run.values}}


def _names(rows: Any) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _cells(run: Row, parameters: Sequence[str], values: Sequence[str]) -> list[str]:
    told = [run.parameters.get(name, "") for name in parameters] + [
        _told(run).get(name, "") for name in values
    ]
    status = badge(colour_of(run.status), run.status)
    error = f"<br><small>{html.escape(run.error)}</small>" if run.error else ""
    link = f'<a href="{quote(run.notebook, safe="/:")}" target="_blank">{html.escape(run.notebook)}</a>'
    return [
        f"<td>{run.position}</td>",
        *(f"<td>{html.escape(_short(value))}</td>" for value in told),
        f'<td style="text-align:left">{status}{error}</td>',
        f"<td>{'' if run.seconds is None else f'{run.seconds:.1f}'}</td>",
        f"<td>{'' if run.cost is None else dollars(run.cost)}</td>",
        f"<td>{link if run.notebook else ''}</td>",
    ]


def _short(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else " ".join(str(value).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
