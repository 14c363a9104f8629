"""A sweep: one notebook with many sets of parameters, as one array job.

It is an `ArrayJob` whose items are executed notebooks. What a table of them shows comes from the
results of the children; notebooks themselves are read one by one, when they are asked for or saved.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, overload

import nbbatch
from nbbatch.client.arrays.array_jobs import ArrayJob
from nbbatch.client.arrays.coming import Coming
from nbbatch.client.notebooks.executed import ExecutedNotebook, NotebookBundle, read_bundle
from nbbatch.client.arrays.indexes import bundle_of
from nbbatch.client.arrays.items import Item
from nbbatch.client.jobs import Job
from nbbatch.client.notebooks.handles import NotebookJob, executed_at, told_with_cell
from nbbatch.client.handles.outcome import Detail
from nbbatch.client.notebooks.sweep_view import SweepSummary
from nbbatch.errors import JobError, NbbatchError
from nbbatch.model.jobs import TERMINAL

if TYPE_CHECKING:
    import pandas as pd

_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One row of a sweep's table.

    Parameters
    ----------
    position : int
        Its place among the runs.
    parameters, values, metrics : mapping
        With which it runs, what it has recorded, and the last value of each metric it has logged.
    status : str
        One of AWS Batch's states.
    seconds, cost : float or None
        How long it ran, and dollars on demand; None where unknown.
    notebook : str
        Path of the saved notebook from here, or its address; empty where it is not saved.
    error : str
        What it failed with, in one line.
    """

    position: int
    parameters: Mapping[str, Any]
    values: Mapping[str, Any]
    metrics: Mapping[str, float]
    status: str
    seconds: float | None
    cost: float | None
    notebook: str
    error: str


class Sweep(ArrayJob):
    """Runs of one notebook, one for each set of parameters; `len(sweep)` is their number.

    Everything that arrays have: `results()`, `as_completed()`, `failed()`, `retry_failed()`,
    `counts()`, `terminate()`, ...; the results are `ExecutedNotebook`s.
    """

    def __init__(
        self, job_id: str, *, backend: str, name: str = "", inputs: Sequence[Any] | None = None
    ) -> None:
        super().__init__(job_id, backend=backend, name=name, inputs=inputs)
        self._bundle: NotebookBundle | None = None
        self._saved: dict[int, str] = {}
        self._saving = threading.Lock()

    @overload
    def __getitem__(self, position: int) -> NotebookJob: ...
    @overload
    def __getitem__(self, position: slice) -> list[Job]: ...
    def __getitem__(self, position: int | slice) -> NotebookJob | list[Job]:
        """Handle of one run: `sweep[3].notebook()`, `sweep[3].values`, `sweep[3].logs()`; a slice gives a list."""
        if isinstance(position, slice):
            return [self[each] for each in range(*position.indices(len(self)))]
        item = super().__getitem__(position)
        place = getattr(item, "place", 0)
        return NotebookJob(item.id, backend=self.backend_name, name=self._name, place=place)

    def frame(self) -> pd.DataFrame:
        """A DataFrame with a row for every run, those that have not ended, too.

        Returns
        -------
        pandas.DataFrame
            By `run`: its parameters, what it recorded (under the same name as a parameter:
            `name (recorded)`), the last value of each metric under another name, `status`, `seconds`, `cost` (dollars on demand), `notebook` (path from
            the working directory) and `error`.
        """
        import pandas as pd  # noqa: PLC0415 - 0.2 s that only tables need

        runs = self.runs()
        rows = [_row(run) for run in runs]
        return pd.DataFrame(rows, index=pd.Index([run.position for run in runs], name="run"))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """How its runs stand now, the best first, where nothing can be redrawn."""
        try:
            return dict(nbbatch.panel(self)._repr_mimebundle_())
        except NbbatchError:  # a backend that does not answer must not break the display
            return {"text/plain": repr(self)}

    def summary(self) -> SweepSummary:
        """The table as a page for people: links to the notebooks, failed runs first."""
        return SweepSummary(name=self.name, runs=tuple(self.runs()))

    def runs(self) -> list[Run]:
        """All runs as they are now, in order."""
        detail = self.detail()
        ended = {item.position: item for item in self.ended(detail)}
        waiting = {} if detail["status"] in TERMINAL else self._statuses(detail)
        costs = self.costs_of(ended)
        shape = self.reader.shape
        mine = (position for index in self.places for position in shape.positions(index))
        return [
            self.run_of(
                position,
                ended.get(position),
                status=waiting.get(self.places[shape.child_of(position)], "SUBMITTED"),
                cost=costs.get(self._child_id(shape.child_of(position))),
            )
            for position in mine
        ]

    def collect(self) -> list[str]:
        """Save the notebooks of all runs that have ended where `output` said, as far as they are not yet.

        Returns
        -------
        list of str
            The places of all that are saved.
        """
        for item in self.ended():
            self._save(item.position)
        return [self._saved[position] for position in sorted(self._saved)]

    def retry_failed(self, **options: Any) -> Sweep:
        """Submit the runs that failed again, and only those; see `ArrayJob.retry_failed`."""
        again = super().retry_failed(**options)
        assert isinstance(again, Sweep)  # noqa: S101 - it is of this handle's own class
        if again is not self:
            again.collect_in_background()
        return again

    def items(self, timeout: float | None = None) -> list[Item]:
        """Wait, then every run with its parameters and its executed notebook or error, all saved."""
        items = super().items(timeout)
        for item in items:
            self._save(item.position)
        return items

    def plain(self) -> None:
        """No short way: values are executed notebooks, and each is saved; see `ArrayJob.plain`."""

    def collect_in_background(self) -> None:
        """Save each notebook as its run ends, as long as this process is there."""
        if self.bundle.output:
            here = (
                copy_context()
            )  # the settings of the folder that this thread works in hold for that one, too
            threading.Thread(
                target=here.run, args=[self._follow], name=f"nbbatch-sweep-{self.id}", daemon=True
            ).start()

    def _follow(self) -> None:
        with suppress(Exception):  # whoever asks the sweep next saves them, or is told why not
            for item in self.as_completed():
                self._save(item.position)

    def ended(self, detail: Detail | None = None) -> list[Item]:
        """Runs that have ended by now; `detail` is the array's newest."""
        return self.coming().take(detail or self.detail())

    def coming(self) -> Coming:
        """Its runs as they end, executed notebooks as their values."""
        return ComingRuns(self)

    @property
    def bundle(self) -> NotebookBundle:
        """What was sent, and the results."""
        if self._bundle is None:
            self._bundle = read_bundle(self.backend.store, bundle_of(self.detail()))
        return self._bundle

    def _items(self, indexes: Iterable[int], failures: Mapping[int, Detail]) -> Iterator[Item]:
        return map(self.as_run, super()._items(indexes, failures))

    def as_run(self, item: Item) -> Item:
        """An item with its executed notebook in the place of the runner's summary of it."""
        run = executed_at(self.bundle, item.position, name=self.name, summary=item.value)
        if isinstance(item.error, JobError):
            return replace(item, error=told_with_cell(item.error, run, self._saved.get(item.position, "")))
        return replace(item, value=run)

    def _save(self, position: int) -> None:
        """Save the notebook of a run that has ended; once, and not if it never began."""
        with self._saving:
            place = self.bundle.place_of(position)
            if not place or position in self._saved or position not in self.bundle.kept():
                return
            self._saved[position] = executed_at(self.bundle, position, name=self.name).save(place)

    def run_of(self, position: int, item: Item | None, *, status: str, cost: float | None) -> Run:
        """One run as it is now: `item` once it has ended, until then the `status` of its child."""
        run: ExecutedNotebook | None = item.value if item is not None else None
        if item is not None and item.error is not None:
            run = executed_at(self.bundle, position, name=self.name)
        ended = "SUCCEEDED" if item and item.error is None else "FAILED"
        return Run(
            position=position,
            parameters=self.parameters(position),
            values=run.values if run else {},
            metrics=item.metrics if item else {},
            status=ended if item else status,
            seconds=run.seconds if run else None,
            cost=cost if item else None,
            notebook=_link(self._saved.get(position, "")),
            error=_line(item.error) if item and item.error else "",
        )

    def parameters(self, position: int) -> Mapping[str, Any]:
        """With which one of the runs runs."""
        return dict(self._inputs[position]) if self._inputs else self.bundle.parameters(position)

    def _statuses(self, detail: Detail) -> dict[int, str]:
        """Status of each child that has not ended, by its index; a call for each state that any is in."""
        summary = (detail.get("arrayProperties") or {}).get("statusSummary")
        if summary is None:
            return {0: str(detail["status"])}
        found: dict[int, str] = {}
        for status, count in summary.items():
            if count and status not in TERMINAL:
                found |= dict.fromkeys(self._children_in(status), status)
        return found

    def _children_in(self, status: str) -> Iterator[int]:
        token: dict[str, str] = {}
        while True:
            with self.backend.errors():
                page = self.backend.batch.list_jobs(
                    arrayJobId=self.id, jobStatus=status, maxResults=_PAGE, **token
                )
            yield from (one["arrayProperties"]["index"] for one in page["jobSummaryList"])
            if not page.get("nextToken"):
                return
            token = {"nextToken": page["nextToken"]}

    def costs_of(self, ended: Iterable[int]) -> dict[str, float]:
        """Dollars on demand by child, for one run of it; empty on a backend that keeps no account."""
        shape = self.reader.shape
        ids = sorted({self._child_id(shape.child_of(position)) for position in ended})
        if not ids:
            return {}
        rows = self.backend.private("accounts", {"jobIds": ids})["jobs"]
        return {row["jobId"]: row["cost"] / shape.chunk for row in rows}


class ComingRuns(Coming):
    """As `Coming`, with executed notebooks."""

    def __init__(self, sweep: Sweep) -> None:
        super().__init__(sweep)
        self._sweep = sweep

    def take(self, detail: Detail) -> list[Item]:
        """Runs that have ended since the last call; `detail` is the array's newest."""
        return [self._sweep.as_run(item) for item in super().take(detail)]


def _row(run: Run) -> dict[str, Any]:
    values = {
        f"{name} (recorded)" if name in run.parameters else name: value for name, value in run.values.items()
    }
    about = {
        "status": run.status,
        "seconds": run.seconds,
        "cost": run.cost,
        "notebook": run.notebook,
        "error": run.error,
    }
    taken = {*run.parameters, *values, *about}
    metrics = {name: value for name, value in run.metrics.items() if name not in taken}
    return {**run.parameters, **values, **metrics, **about}


def _link(place: str) -> str:
    """A path as it is seen from the working directory, which in Jupyter is the notebook's folder."""
    return place if not place or "://" in place else os.path.relpath(place)


def _line(error: BaseException) -> str:
    message = error.message if isinstance(error, JobError) else str(error)
    return message.partition("\n")[0]
