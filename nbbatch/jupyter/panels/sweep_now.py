"""How a sweep stands, asked bit by bit: each look reads what has ended since the last one, and no more.

However many runs there are, a look asks for the array, its children as columns, its account, the notes of
cells, and the costs of the rows that are shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nbbatch.client.arrays.children import STATUSES, Children, children_of
from nbbatch.client.arrays.items import Item
from nbbatch.client.handles.account import Account
from nbbatch.client.handles.outcome import Detail
from nbbatch.client.notebooks.sweeps import Run, Sweep
from nbbatch.jupyter.figures.sweep import Outcomes
from nbbatch.jupyter.panels.handles import quietly
from nbbatch.model.jobs import TERMINAL

SHOWN, SHOWN_FAILED = 12, 5
"""Rows of the table, and of them failed runs at most while others have something to show."""
_LOWER = (
    "loss",
    "error",
    "rmse",
    "mae",
    "mse",
    "seconds",
    "time",
    "cost",
    "perplexity",
    "deviance",
    "aic",
    "bic",
)
"""Words in the name of a value of which less is better."""
OWN = ("run", "status", "time", "cost")
"""Columns that every sweep has."""


@dataclass(frozen=True, slots=True)
class Order:
    """By which column, and whether the highest stand first."""

    column: str = ""
    is_falling: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A run, and how far it is: `cells` as in (3, 7), None where it does not say."""

    run: Run
    cells: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepNow:
    """A sweep as it is.

    Parameters
    ----------
    name : str
        Its own.
    detail : mapping
        Of the array.
    children : Children
        Where each child is.
    runs : int
        How many there are.
    rows : sequence of Row
        Those that are shown, in order.
    order : Order
        Of the rows.
    parameters, values : tuple of str
        Columns: parameters, and what was recorded or logged.
    account : Account or None
        What all of it cost so far.
    outcomes : Outcomes or None
        The value that runs are compared by, with their parameters.
    said, reattach : str
        What a button did; the line that finds the sweep again.
    """

    name: str
    detail: Detail
    children: Children
    runs: int
    rows: Sequence[Row]
    order: Order
    parameters: tuple[str, ...]
    values: tuple[str, ...]
    account: Account | None
    outcomes: Outcomes | None
    said: str = ""
    reattach: str = ""


@dataclass(slots=True)
class SweepReader:
    """Reads one sweep; keeps what does not change any more."""

    sweep: Sweep
    order: Order = field(default_factory=Order)
    _items: dict[int, Item] = field(default_factory=dict)
    _cells: dict[int, tuple[int, int]] = field(default_factory=dict)
    _inputs: list[Mapping[str, Any]] = field(default_factory=list)
    _costs: dict[str, float] = field(default_factory=dict)
    _coming: Any = None
    _heard: int | None = None
    _is_over: bool = False

    def look(self, *, reattach: str = "") -> SweepNow:
        """How it stands now."""
        sweep, detail = self.sweep, self.sweep.detail()
        self._take(detail)
        children = children_of(sweep)
        values = self._values()
        order = self.order if self.order.column else _by_best(values)
        shown = self._shown(children, order)
        costs = self._costs_of([place for place in shown if place in self._items])
        return SweepNow(
            name=sweep.name,
            detail=detail,
            children=children,
            runs=len(self._mine()),
            rows=[self._row(place, children, costs) for place in shown],
            order=order,
            parameters=tuple(dict.fromkeys(name for one in self._all_parameters()[:SHOWN] for name in one)),
            values=values,
            account=quietly(sweep.account, None),
            outcomes=self._outcomes(order, values),
            reattach=reattach,
        )

    def _take(self, detail: Detail) -> None:
        """Items that ended and notes that came since the last look; after the end of all once more."""
        if self._is_over:
            return
        self._coming = self._coming or self.sweep.coming()
        self._items |= {item.position: item for item in self._coming.take(detail)}
        notes = quietly(lambda: self.sweep.notes(since=self._heard), ())
        for note in notes:
            if note.kind == "cell" and note.item is not None:
                self._cells[note.item] = (int(note.body.get("index", 0)) + 1, int(note.body.get("count", 0)))
        self._heard = notes[-1].time + 1 if notes else self._heard
        self._is_over = detail["status"] in TERMINAL

    def _mine(self) -> list[int]:
        """Positions of its runs: of a retry not all of the bundle's."""
        shape = self.sweep.reader.shape
        return [position for index in self.sweep.places for position in shape.positions(index)]

    def _all_parameters(self) -> list[Mapping[str, Any]]:
        """Of every run by position, read once."""
        if not self._inputs:
            self._inputs = [dict(one) for one in self.sweep.reader.all_inputs()]
        return self._inputs

    def _values(self) -> tuple[str, ...]:
        """Names of what ended runs have recorded or logged."""
        found = (name for item in self._items.values() for name in told_by(item))
        return tuple(dict.fromkeys(found))

    def _status(self, position: int, children: Children) -> str:
        place = self.sweep.places[self.sweep.reader.shape.child_of(position)]
        return STATUSES[int(children.statuses[place if place < len(children) else 0])].value

    def _shown(self, children: Children, order: Order) -> list[int]:
        """Positions of the rows in order: failed ones are never crowded out, and crowd nobody out."""
        statuses = {position: self._status(position, children) for position in self._mine()}
        failed = [place for place in statuses if (item := self._items.get(place)) and item.error is not None]
        rest = [place for place in statuses if place not in set(failed)]
        ordered = self._ordered(rest, statuses, order)
        few = max(SHOWN_FAILED, SHOWN - len(ordered))
        return [*ordered[: SHOWN - min(len(failed), few)], *failed[:few]]

    def _ordered(self, places: Sequence[int], statuses: Mapping[int, str], order: Order) -> list[int]:
        def key(place: int) -> tuple[int, Any]:
            item = self._items.get(place)
            known = self._in_column(place, order.column, statuses)
            if isinstance(known, str):
                return (1, known)
            if known is None:
                return (3 if item else 2, _LIVELINESS.get(statuses[place], 9))
            return (0, -known if order.is_falling else known)

        found = sorted(
            places, key=lambda place: (key(place)[0], str(type(key(place)[1])), key(place)[1], place)
        )
        return found[::-1] if order.is_falling and order.column in ("run", "status") else found

    def _in_column(self, place: int, column: str, statuses: Mapping[int, str]) -> Any:
        item = self._items.get(place)
        match column:
            case "run":
                return place
            case "status":
                return statuses[place]
            case "time":
                return item.seconds if item else None
            case "cost":
                return self._costs.get(self.sweep[place].id)
        parameters = self._all_parameters()[place]
        value = parameters.get(column, told_by(item).get(column) if item else None)
        return as_number(value) if as_number(value) is not None else None if value is None else str(value)

    def _costs_of(self, places: Sequence[int]) -> Mapping[str, float]:
        """Dollars by child, asked for those of which they are not known yet."""
        ids = {place: self.sweep[place].id for place in places}
        unknown = [place for place in places if ids[place] not in self._costs]
        if unknown:
            self._costs |= quietly(lambda: self.sweep.costs_of(unknown), {})
        return self._costs

    def _row(self, place: int, children: Children, costs: Mapping[str, float]) -> Row:
        item = self._items.get(place)
        status = self._status(place, children)
        run = self.sweep.run_of(place, item, status=status, cost=costs.get(self.sweep[place].id))
        return Row(run=run, cells=self._cells.get(place))

    def _outcomes(self, order: Order, values: Sequence[str]) -> Outcomes | None:
        name = order.column if order.column in values else next(iter(values), "")
        known = {
            place: number
            for place, item in sorted(self._items.items())
            if (number := as_number(told_by(item).get(name))) is not None
        }
        if not known:
            return None
        parameters = self._all_parameters()
        names = list(dict.fromkeys(word for place in known for word in parameters[place]))
        columns = {word: [parameters[place].get(word) for place in known] for word in names}
        return Outcomes(
            runs=list(known),
            value=list(known.values()),
            name=name,
            parameters={word: column for word, column in columns.items() if len(set(map(str, column))) > 1},
        )


_LIVELINESS = {"RUNNING": 0, "STARTING": 1, "RUNNABLE": 2, "PENDING": 3, "SUBMITTED": 4}


def told_by(item: Item) -> dict[str, Any]:
    """What a run has recorded and, under other names, logged."""
    values = item.value.values if item.error is None and item.value is not None else {}
    return {**values, **{name: value for name, value in item.metrics.items() if name not in values}}


def as_number(value: Any) -> float | None:
    """A number that can be compared; None of anything else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None


def is_lower_better(name: str) -> bool:
    """Whether a value is of the kind of which less is better, by its name."""
    return any(word in name.lower() for word in _LOWER)


def _by_best(values: Sequence[str]) -> Order:
    """By the value that was recorded first, the best one first; by liveliness while there is none."""
    return Order(values[0], is_falling=not is_lower_better(values[0])) if values else Order()
