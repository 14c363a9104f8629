"""A notebook that papermill executes, as a job: submitted, followed, brought back cell by cell.

The bar moves and the output notebook grows by the notes that the runner writes; outputs come from the
notebook in the job's results. Stamps are those of the job's clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.engines import NotebookExecutionManager
from papermill.log import logger

from nbbatch.client.handles.outcome import short_id
from nbbatch.client.logs import LogReader
from nbbatch.client.notebooks.handles import NotebookJob
from nbbatch.client.notebooks.runs import Execution, resolve_for, submit_source
from nbbatch.client.notebooks.source import Source, language_of
from nbbatch.client.notes import Note
from nbbatch.errors import CellFailedError, JobError
from nbbatch.runner.notebook import COMPLETED, FAILED, PENDING, RUNNING

STOP_SECONDS = 40
"""How long a job that was interrupted may take to end: AWS Batch's 30 s of grace, and some more."""


def run_as_job(
    manager: NotebookExecutionManager,
    kernel: str,
    *,
    input_path: Any,
    execution: Execution,
    options: Mapping[str, Any],
    streams: Mapping[str, Any],
    logs: bool,
) -> None:
    """Run the notebook that papermill manages as a job, and tell it what becomes of the cells.

    Parameters
    ----------
    manager : NotebookExecutionManager
        Papermill's, with the notebook.
    kernel, input_path : str
        As papermill has read them.
    execution, options : Execution, mapping
        How, and where.
    streams : mapping
        Files for `stdout` and `stderr`, or None.
    logs : bool
        Whether the job's log goes to papermill's logger.

    Raises
    ------
    UserError
        An option is wrong, or the place cannot execute it; nothing was sent.
    JobError, DeadKernelError, CellTimeoutError
        What else than a failing cell ended it. Of that one papermill itself makes its error.
    """
    source = _source(manager.nb, kernel, input_path)
    resolved = resolve_for(source, options)
    job = submit_source(source, source.node, output="", execution=execution, options=resolved)
    logger.info(f"nbbatch: job {job.id}; nbbatch.job({short_id(job.id)!r}) finds it again")
    told = _Telling(job, manager, streams=streams, logs=logs)
    try:
        told.follow()
    except KeyboardInterrupt:
        logger.warning(f"nbbatch: stops job {short_id(job.id)}; what there is of the notebook is kept")
        job.terminate("Interrupted papermill")
        job.wait(STOP_SECONDS)
        told.finish()
        raise
    told.finish()
    _raise(job.error())


def _source(node: Any, kernel: str, input_path: Any) -> Source:
    """What papermill has made of the notebook; its kernel would start in the working directory."""
    place = input_path if isinstance(input_path, str) and input_path != "-" else ""
    return Source(
        node=node,
        name=Path(place).stem or "notebook",
        place=place,
        folder=Path.cwd(),
        kernel=kernel,
        language=language_of(node),
    )


def _raise(error: JobError | None) -> None:
    """Raise what papermill does not see in the notebook itself, in nbclient's classes where it has one."""
    if error is None:
        return
    if not isinstance(error, CellFailedError):
        raise error
    if error.remote_type == "DeadKernelError":  # papermill's command exits with 138
        raise DeadKernelError(str(error))
    if error.remote_type == "CellTimeoutError":
        raise CellTimeoutError(str(error))


class _Telling:
    """Brings what a job tells to papermill.

    Parameters
    ----------
    job : NotebookJob
        Runs the notebook.
    manager : NotebookExecutionManager
        Papermill's, with the notebook.
    streams : mapping
        Files for `stdout` and `stderr`, or None.
    logs : bool
        Whether the job's log goes to papermill's logger.
    """

    def __init__(
        self, job: NotebookJob, manager: NotebookExecutionManager, *, streams: Mapping[str, Any], logs: bool
    ) -> None:
        self._job = job
        self._manager = manager
        self._streams = streams
        self._logs = logs
        self._attempt = 1

    def follow(self) -> None:
        """Until the job has ended."""
        with LogReader(self._job) as reader:
            is_last = False
            while not is_last:
                is_last = reader.is_over
                for line in reader.read():
                    if self._logs:
                        logger.info(line)
                self._take([note for note in reader.take_notes() if note.kind == "cell"])
                if not is_last:
                    reader.wait()

    def finish(self) -> None:
        """Take over whatever there is at the end, also of cells of which no note has come."""
        node = self._job.notebook()
        for index, theirs in enumerate(node.cells):
            status = (theirs.metadata.get("papermill") or {}).get("status")
            if status == RUNNING:  # the job did not survive it
                theirs.metadata.papermill["status"] = FAILED
            if status not in (None, PENDING):
                self._bring(index, theirs)
        for key in ("language_info", "widgets"):
            if key in node.metadata:
                self._manager.nb.metadata[key] = node.metadata[key]

    def _take(self, notes: list[Note]) -> None:
        if not notes:
            return
        self._begin_again(notes[-1].attempt)
        cells = self._job.notebook().cells
        for note in notes:
            index = note.body["index"]
            if note.attempt != self._attempt:
                continue
            if note.body["status"] == RUNNING:
                self._start(index)
                self._grow(index, cells[index])
            else:
                self._bring(index, cells[index])

    def _begin_again(self, attempt: int) -> None:
        """Another attempt executes all cells anew."""
        if attempt == self._attempt:
            return
        self._attempt = attempt
        self._manager.notebook_start()
        if self._manager.pbar:
            self._manager.pbar.reset()

    def _start(self, index: int) -> None:
        cell = self._manager.nb.cells[index]
        if cell.metadata.papermill["status"] == PENDING:
            self._manager.cell_start(cell, cell_index=index)

    def _grow(self, index: int, theirs: Any) -> None:
        """Outputs so far of a cell that still runs."""
        if "outputs" in theirs and theirs.metadata.papermill["status"] == RUNNING:
            self._manager.nb.cells[index].outputs = theirs.outputs
            self._manager.autosave_cell()

    def _bring(self, index: int, theirs: Any) -> None:
        """A cell that has ended, as the job has it; once."""
        mine = self._manager.nb.cells[index]
        stamps = theirs.metadata.papermill
        if mine.metadata.papermill["status"] in (COMPLETED, FAILED) or stamps["status"] in (PENDING, RUNNING):
            return
        self._start(index)
        mine.metadata.update({**theirs.metadata, "papermill": mine.metadata.papermill})
        if mine.cell_type == "code":
            mine.outputs, mine.execution_count = theirs.outputs, theirs.execution_count
            self._write(mine.outputs)
        mine.metadata.papermill["start_time"] = stamps["start_time"]
        if stamps["status"] == FAILED:
            self._manager.cell_exception(mine, cell_index=index)
        self._manager.cell_complete(mine, cell_index=index)
        if stamps["end_time"] is not None:
            mine.metadata.papermill.update(end_time=stamps["end_time"], duration=stamps["duration"])

    def _write(self, outputs: list[Any]) -> None:
        """Streams of a cell to the files that papermill was given, results to its log."""
        for output in outputs:
            file = self._streams.get(output.get("name", ""))
            if file is not None:
                file.write("".join(output.text))
                file.flush()
            if self._logs and "text/plain" in output.get("data", {}):
                logger.info("".join(output.data["text/plain"]))
