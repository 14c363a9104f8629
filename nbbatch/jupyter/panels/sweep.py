"""The panel of a sweep: a row for each run, the best first, failed ones with the cell that failed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from nbbatch.client.colours import KINDS, colour_of
from nbbatch.client.format import dollars, plural
from nbbatch.client.handles.outcome import duration_in_words, short_id
from nbbatch.client.notebooks.sweeps import Sweep
from nbbatch.jupyter.figures import course as course_figures
from nbbatch.jupyter.figures import job as job_figures
from nbbatch.jupyter.figures import sweep as sweep_figures
from nbbatch.jupyter.figures.numbers import pace_of, progress_of, reasons_of
from nbbatch.jupyter.figures.palette import ORDER
from nbbatch.jupyter.panels.actions import Button
from nbbatch.jupyter.panels.frame import Frame
from nbbatch.jupyter.panels.handles import (
    CANCEL,
    TERMINATE,
    Followed,
    Ring,
    copy_button,
    reattach_line,
    repeats,
    standing,
)
from nbbatch.jupyter.panels.parts import Share, facts, legend, meter, note, page
from nbbatch.jupyter.panels.pictures import Cell, Column, table
from nbbatch.jupyter.panels.sweep_now import Order, Row, SweepNow, SweepReader, is_lower_better
from nbbatch.model.jobs import TERMINAL

_LONGEST = 40
_WHICH = re.compile(r"^item \d+ of \d+ \(.*?\): ")
"""How the errors of items begin."""
_RETRY = Button(
    name="retry", label="retry failed", title="Submit the failed runs again, and only those, as a new job"
)
_ORDER = Button(
    name="order",
    label="order",
    title="A click on the head of a column orders by it, another one turns the order round",
    kind="choice",
    value="best first",
    choices=("best first", "run", "status", "time", "cost"),
)


class SweepView:
    """Looks at a sweep for a panel."""

    def __init__(self, sweep: Sweep) -> None:
        self._followed = Followed(sweep)
        self._reader = SweepReader(sweep)

    @property
    def buttons(self) -> tuple[Button, ...]:
        """What can be done to a sweep."""
        return (CANCEL, TERMINATE, _RETRY, _ORDER, copy_button(self._followed.handle))

    def listen(self, ring: Ring) -> Callable[[], None]:
        """The shared watcher rings."""
        return self._followed.listen(ring)

    def look(self) -> Frame:
        """Asked now; see `sweep_now`."""
        followed = self._followed
        now = self._reader.look(reattach=reattach_line(followed.handle))
        return sweep_frame(replace(now, said=followed.said_of(now.detail)))

    def act(self, name: str, values: Mapping[str, Any]) -> None:
        """Order the rows anew, stop the sweep, or submit its failed runs again."""
        match name:
            case "order":
                word = str(values.get("order", ""))
                self._reader.order = Order() if word == _ORDER.value else Order(word)
            case "sort":
                self._reader.order = turned(self._reader.order, str(values.get("column", "")))
            case "retry":
                before = self._followed.handle
                again = before.retry_failed()
                if again is not before:
                    self._reader = SweepReader(again, self._reader.order)
                    self._followed.turn_to(again, repeats(before))
            case _:
                self._followed.stop(name)


def turned(order: Order, column: str) -> Order:
    """By another column, the better end first; by the same one, turned round."""
    if order.column == column:
        return Order(column, is_falling=not order.is_falling)
    is_own = column in ("run", "status", "time", "cost")
    return Order(column, is_falling=not is_own and not is_lower_better(column))


def sweep_frame(now: SweepNow) -> Frame:
    """A frame of a sweep's panel."""
    is_last = now.detail["status"] in TERMINAL
    shares = _shares(now)
    has_failed = any(kind.name not in _GOOD for kind, _ in _counts(now))
    return Frame(
        lines=tuple(_lines(now)),
        html=page(
            f"sweep {now.name}",
            facts(_facts(now)),
            meter(shares, now.runs, height=8) + legend(shares),
            _table(now),
            note(_more(now)),
            note(now.said),
            note(now.reattach),
            colour=colour_of(standing(now.detail)),
            state=standing(now.detail),
            aside=short_id(now.detail["jobId"]),
        ),
        state=(
            now.detail["status"],
            tuple(share.amount for share in shares),
            now.order,
            now.said,
            tuple((row.run.position, row.cells) for row in now.rows),
        ),
        is_last=is_last,
        figures={
            "recorded": lambda: sweep_figures.recorded(now.outcomes),
            "progress": lambda: job_figures.progress(progress_of(now.children)),
            "throughput": lambda: course_figures.throughput(pace_of(now.children)),
            "failures": lambda: job_figures.failures(reasons_of(now.children)),
        },
        disabled=frozenset({"cancel", "terminate"} if is_last else set())
        | (frozenset() if has_failed else frozenset({"retry"})),
    )


_GOOD = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED")


def _counts(now: SweepNow) -> list[tuple[Any, int]]:
    return [(KINDS[ORDER[code]], count) for code, count in progress_of(now.children).counts.items()]


def _shares(now: SweepNow) -> list[Share]:
    chunk = -(-now.runs // max(1, len(now.children)))
    return [
        Share(kind.colour, kind.name, min(now.runs, count * chunk), f"{min(now.runs, count * chunk):,}")
        for kind, count in _counts(now)
    ]


def _facts(now: SweepNow) -> list[tuple[str, str]]:
    cost = ""
    if now.account is not None:
        cost = f"{dollars(now.account.on_demand)} on demand, {dollars(now.account.spot)} at Spot's price"
    best = _best(now)
    return [
        ("runs", f"{now.runs:,}"),
        ("cost" if now.detail["status"] in TERMINAL else "cost so far", cost),
        (f"best {best[0]}" if best else "", best[1] if best else ""),
        ("time", duration_in_words((now.children.now - now.children.created) / 1000)),
    ]


def _best(now: SweepNow) -> tuple[str, str] | None:
    """Name and words of the best value; None while there is none to compare."""
    if now.outcomes is None:
        return None
    values = now.outcomes.value
    choose = min if is_lower_better(now.outcomes.name) else max
    place = choose(range(len(values)), key=values.__getitem__)
    with_what = ", ".join(
        f"{name}={_short(column[place])}" for name, column in now.outcomes.parameters.items()
    )
    told = f"{values[place]:.4g} (run {now.outcomes.runs[place]}{': ' + with_what if with_what else ''})"
    return f"({'lowest' if choose is min else 'highest'}) {now.outcomes.name}", told


def _table(now: SweepNow) -> str:
    names = ("run", *now.parameters, *(name for name in now.values if name not in now.parameters))
    head = [_column(word, now) for word in (*names, "status", "time", "cost")]
    return table([*head, Column("notebook")], [_cells(row, names[1:]) for row in now.rows])


def _column(word: str, now: SweepNow) -> Column:
    mark = "" if word != now.order.column else " ▼" if now.order.is_falling else " ▲"
    is_number = word != "status"
    return Column(f"{word}{mark}", is_number=is_number, act="sort", title=f"Order by {word}")


def _cells(row: Row, names: tuple[str, ...]) -> list[Cell]:
    run = row.run
    told = {**run.metrics, **run.values, **run.parameters}
    share, progress = None, ""
    if row.cells and run.status == "RUNNING" and row.cells[1]:
        share, progress = (row.cells[0] - 1) / row.cells[1], f" · cell {row.cells[0]} of {row.cells[1]}"
    link = quote(run.notebook, safe="/:") if run.notebook else ""
    return [
        Cell(str(run.position)),
        *(Cell(_short(told.get(name, ""))) for name in names),
        Cell(f"{run.status}{progress}", colour=colour_of(run.status), share=share, note=_failure(run.error)),
        Cell("" if run.seconds is None else duration_in_words(run.seconds)),
        Cell("" if run.cost is None else dollars(run.cost)),
        Cell(run.notebook, link=link),
    ]


def _failure(error: str) -> str:
    """What it failed with and in which cell; which run it is and where its notebook is stands in the row."""
    return _WHICH.sub("", error).partition(" The notebook up to there is ")[0]


def _more(now: SweepNow) -> str:
    left = now.runs - len(now.rows)
    return f"… and {plural(left, 'more run')}: .frame() has all of them" if left > 0 else ""


def _short(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else " ".join(str(value).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _lines(now: SweepNow) -> list[str]:
    counts = ", ".join(f"{share.said} {share.name}" for share in _shares(now))
    told = " · ".join(f"{title} {value}" for title, value in _facts(now)[1:] if value)
    lines = [
        f"sweep {now.name} {short_id(now.detail['jobId'])} {standing(now.detail)}: {plural(now.runs, 'run')}, {counts} · {told}"
    ]
    for row in now.rows:
        run = row.run
        what = ", ".join(f"{name}={_short(value)}" for name, value in run.parameters.items())
        values = ", ".join(f"{name}={_short(value)}" for name, value in {**run.values, **run.metrics}.items())
        cells = f"cell {row.cells[0]} of {row.cells[1]}" if row.cells and run.status == "RUNNING" else ""
        took = "" if run.seconds is None else duration_in_words(run.seconds)
        lines.append(
            "  "
            + " · ".join(
                filter(
                    None, [f"{run.position} {run.status}", what, values, cells, took, run.error, run.notebook]
                )
            )
        )
    return [*lines, *filter(None, [_more(now), now.said, now.reattach])]
