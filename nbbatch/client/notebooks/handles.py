"""Handles of notebooks that run as jobs: a `Job` whose result is an executed notebook.

What there is of it can be looked at while the job runs, and after it was killed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbatch.client.arrays.item_jobs import ItemJob
from nbbatch.client.notebooks.executed import Cell, ExecutedNotebook, NotebookBundle, read_bundle
from nbbatch.client.arrays.indexes import bundle_of
from nbbatch.client.checks import check_path
from nbbatch.client.files.fetched import Fetched
from nbbatch.client.jobs import Job
from nbbatch.client.handles.outcome import Outcome, outcome
from nbbatch.client.handles.usage import attempt_in_bundle
from nbbatch.errors import CellFailedError, JobError, RemoteError

if TYPE_CHECKING:
    import pandas as pd


class NotebookJob(ItemJob):
    """A notebook that runs as a job, or one of a sweep's; see `Job` for what all jobs have.

    `notebook()`, `values`, `frame()` and `save()` do not wait: they show what there is by now.
    """

    _bundle: NotebookBundle | None = None
    _path: str = ""

    def result(self, timeout: float | None = None) -> ExecutedNotebook:
        """Wait for the executed notebook, saved where `output` said.

        Parameters
        ----------
        timeout : float or None
            Seconds to wait; None waits as long as it takes.

        Raises
        ------
        TimeoutError
            The time was up; the job goes on.
        CellFailedError
            A cell failed: its index, source and traceback; the notebook up to there is saved, too.
        JobError
            What else ended the job.
        """
        executed: ExecutedNotebook = Job.result(self, timeout)
        return executed

    def _value(self, _fetched: Fetched | None) -> ExecutedNotebook:
        return self.executed()

    def error(self, timeout: float | None = None) -> JobError | None:
        """Why it did not succeed, and in which cell."""
        detail = self._wait_for_end(timeout)
        path = self.keep_output()
        items = self._items_left() if bundle_of(detail) else ()
        mine = items[self.place] if self.place < len(items) else None
        if mine is not None and mine.error is None:
            return None
        if mine is not None and mine.error is not None and outcome(detail) is Outcome.EXITED:
            return told_with_cell(self._raised(mine.error, detail), self.executed(), path)
        error = super().error()
        return None if error is None else told_with_cell(error, self.executed(), path)

    def executed(self) -> ExecutedNotebook:
        """What there is of the notebook by now, without waiting."""
        items = self._items_left() if self._final is not None else ()
        mine = items[self.place] if self.place < len(items) else None
        return executed_at(self.bundle, self.position, name=self.name, summary=mine.value if mine else None)

    def notebook(self) -> Any:
        """The nbformat node with the outputs there are by now; before the start, as it was sent."""
        return self.executed().notebook

    @property
    def values(self) -> dict[str, Any]:
        """What it has recorded by now."""
        return self.executed().values

    def frame(self) -> pd.DataFrame:
        """A DataFrame of its cells by now: status, seconds, error; see `ExecutedNotebook.frame`."""
        return self.executed().frame()

    def save(self, place: str | Path | None = None) -> str:
        """Write what there is by now to a file or address; without one, where `output` said.

        Returns
        -------
        str
            The place; empty where none was ever said.
        """
        check_path("place", place)
        place = str(place or self.place_of_output())
        return self.executed().save(place) if place else ""

    def place_of_output(self) -> str:
        """Where `output` wants this notebook; empty where it was not given."""
        return self.bundle.place_of(self.position)

    @property
    def bundle(self) -> NotebookBundle:
        """What was sent, and the results."""
        if self._bundle is None:
            self._bundle = read_bundle(self.backend.store, bundle_of(self.detail()))
        return self._bundle

    @property
    def position(self) -> int:
        """Which run of its sweep this is; 0 for a single one."""
        index, _ = attempt_in_bundle(self.detail())
        return (index or 0) * self.bundle.chunk + self.place

    def keep_output(self) -> str:
        """Save it where `output` said once the job has ended, unless it is saved already or never began.

        Returns
        -------
        str
            The place; empty where it is not saved.
        """
        if not self._path and self.bundle.output and self.position in self.bundle.kept():
            self._path = self.save()
        return self._path


def executed_at(bundle: NotebookBundle, position: int, *, name: str, summary: Any = None) -> ExecutedNotebook:
    """What there is of one run."""

    def load() -> Any:
        path = bundle.kept().get(position)
        return bundle.sent(position) if path is None else bundle.read(path)

    return ExecutedNotebook(load, name=name, summary=summary)


def told_with_cell(error: JobError, run: ExecutedNotebook, path: str) -> JobError:
    """The same error, which also says in which cell it happened and where the notebook is."""
    cell = run.failure
    where = f" The notebook up to there is {path}." if path else ""
    if cell is None:
        return error
    error.message = f"{error.message.removesuffix('.')}, in cell {_words(cell)} of {run.name}.{where}"
    if not isinstance(error, RemoteError):
        return error
    failed = CellFailedError(
        error.message,
        cell_index=cell.index,
        execution_count=cell.count,
        cell_source=cell.source,
        notebook_path=path,
        job_id=error.job_id,
        cure=error.cure,
        remote_traceback=error.remote_traceback,
        remote_type=error.remote_type,
    )
    failed.exit_code = error.exit_code
    failed.add_note(f"--- cell {_words(cell)} ---\n{cell.source}\n\n{error.remote_traceback}")
    return failed


def _words(cell: Cell) -> str:
    return f"{cell.index} (In [{cell.count}])" if cell.count is not None else f"{cell.index}"
