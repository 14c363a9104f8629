"""Execute a notebook cell by cell, and keep what there is of it at any moment.

After each cell, and every now and then within a long one, the notebook as it is stands in the results
under `results/<index>.<attempt>.<position>.ipynb`; a job that is killed leaves the last of them. Cells
are stamped as papermill stamps them. That a cell begins or ends is told as a note of kind `cell`.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import time

from . import failures, kernel, notes, pickling, recording
from .items import read_item

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from typing import Any

    from .payload import Payload
    from .report import Report

INJECTED = "injected-parameters"
"""Papermill's tag of the cell that holds the parameters of a run."""
PENDING, RUNNING, COMPLETED, FAILED = "pending", "running", "completed", "failed"
_WRITING_SHARE = 20
"""A notebook is written again when it took no more than this part of the time since."""


def run_items(
    payload: Payload, report: Report, positions: range | None, done: dict[int, dict[str, Any]]
) -> tuple[list[dict[str, Any]], BaseException | None]:
    """Execute the notebook for each position of the array, or once; gives entries and the error that counts.

    `done` are entries of runs that an earlier attempt has brought to a good end.
    """
    entries: list[dict[str, Any]] = []
    last: BaseException | None = None
    kernel.warm(payload.manifest["notebook"], sys.argv[0])
    for position in (None,) if positions is None else positions:
        entry, error = (done[position], None) if position in done else _entry(payload, report, position)
        last = error or last
        entries.append(entry)
        report.take_files(position, entry)
        if positions is not None and len(positions) > 1:
            report.keep_item(positions[len(entries) - 1], entry)
        if error is not None and not isinstance(error, Exception):
            break
    return entries, last


def _entry(
    payload: Payload, report: Report, position: int | None
) -> tuple[dict[str, Any], BaseException | None]:
    """One run's entry in the result, and what it failed with."""
    run: Run | None = None
    started = time.monotonic()
    notes.place["item"] = position
    try:
        run = Run(payload, report, position)
        run.execute()
        entry = {"value": report.keep(run.summary(), pickling.Rules({}, {}))}
    except BaseException as error:
        entry = {"error": _described(error, run)}
        failures.print_failure(entry["error"])
        return {**entry, **(run.told if run is not None else {})}, error
    return {**entry, **run.told, "seconds": round(time.monotonic() - started, 6)}, None


def _described(error: BaseException, run: Run | None) -> dict[str, Any]:
    """The entry of an error: what the cell raised, where it was a cell that raised."""
    output = run.raised() if run is not None and isinstance(error, kernel.CellError) else None
    if output is None:
        return failures.describe(error, {})
    text = "\n".join(output["traceback"])
    return {"type": output["ename"], "message": output["evalue"], "traceback": f"{_without_color(text)}\n"}


def _without_color(text: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)


class Run:
    """One notebook being executed.

    Parameters
    ----------
    payload, report : Payload, Report
        Where it is, and where it goes.
    position : int or None
        Which of the array's items.
    """

    def __init__(self, payload: Payload, report: Report, position: int | None) -> None:
        self._settings = payload.manifest["notebook"]
        self._archive = sys.argv[0]
        self._item = position
        self._report = report
        self._place = report.path_of(f"{position or 0}.ipynb")
        self._notebook = _read(payload, position)
        self._cell: dict[str, Any] = {}
        self._index = 0
        self._written = self._cost = 0.0
        self._is_new = False
        self.told: dict[str, Any] = {}

    def execute(self) -> None:
        """Run its cells in order until one fails.

        Raises
        ------
        PayloadError
            The job's Python cannot execute notebooks.
        CellError, CellTimeoutError, DeadKernelError, StopSignal
            What ended it.
        """
        kernel.load_nbclient()
        import nbformat

        self._notebook = nbformat.from_dict(self._notebook)
        self._stamp_all()
        started = time.monotonic()
        try:
            with kernel.Kernel(self._notebook, self._settings, self._autosave) as running:
                running.prepare(self._archive, self._item)
                try:
                    self._run_cells(running)
                finally:
                    metrics = running.leave()
                    self.told = {"metrics": metrics} if metrics else {}
                self._notebook["metadata"]["language_info"] = running.finish()
        finally:
            about = self._notebook["metadata"]["papermill"]
            about.update(end_time=_now(), duration=time.monotonic() - started)
            self._write()

    def raised(self) -> dict[str, Any] | None:
        """The error among the outputs of the cell that failed."""
        errors = [each for each in self._cell.get("outputs", ()) if each["output_type"] == "error"]
        return errors[-1] if errors else None

    def summary(self) -> dict[str, Any]:
        """What a table of runs shows, so that nobody need read the notebooks for it."""
        return {
            "scraps": recording.scraps_of(self._notebook),
            "seconds": self._notebook["metadata"]["papermill"]["duration"],
        }

    def _run_cells(self, running: kernel.Kernel) -> None:
        for index, cell in enumerate(self._notebook["cells"]):
            self._index, self._cell = index, cell
            self._cell["metadata"]["papermill"].update(exception=False, start_time=_now(), status=RUNNING)
            self._note(RUNNING)
            started = time.monotonic()
            try:
                running.execute(self._cell, self._index)
            except BaseException as error:
                if isinstance(error, kernel.CellError) and self._has_left():
                    self._end_cell(started, COMPLETED)
                    return
                self._cell["metadata"]["papermill"].update(exception=True)
                self._notebook["metadata"]["papermill"]["exception"] = True
                self._end_cell(started, FAILED)
                raise
            self._end_cell(started, COMPLETED)

    def _has_left(self) -> bool:
        """Whether the cell only ended the notebook, by `sys.exit()`: no failure to papermill either."""
        output = self.raised() or {}
        return output.get("ename") == "SystemExit" and output["evalue"] in ("", "0", "None")

    def _end_cell(self, started: float, status: str) -> None:
        duration = time.monotonic() - started
        self._cell["metadata"]["papermill"].update(end_time=_now(), duration=duration, status=status)
        if status == FAILED or time.monotonic() - self._written > _WRITING_SHARE * self._cost:
            self._write()
        self._note(status)

    def _stamp_all(self) -> None:
        about = self._notebook["metadata"].setdefault("papermill", {})
        about.update(start_time=_now(), end_time=None, duration=None, exception=None)
        for cell in self._notebook["cells"]:
            nothing = dict.fromkeys(("exception", "start_time", "end_time", "duration"))
            cell["metadata"]["papermill"] = {**nothing, "status": PENDING}
            if cell["cell_type"] == "code":
                cell.update(outputs=[], execution_count=None)

    def _autosave(self, is_new: bool) -> None:  # noqa: FBT001 - called by position
        """Write the notebook within a long cell that has shown something."""
        self._is_new = self._is_new or is_new
        since, pause = time.monotonic() - self._written, self._settings["autosave"]
        if pause and self._is_new and since > max(pause, _WRITING_SHARE * self._cost):
            self._write()
            self._note(RUNNING)

    def _write(self) -> None:
        begun = time.monotonic()
        with open(f"{self._place}.part", "w", encoding="utf-8") as file:
            json.dump(self._notebook, file, ensure_ascii=False, indent=1)
        os.replace(f"{self._place}.part", self._place)
        self._report.share_at_times(self._place)
        self._is_new = False
        self._written = time.monotonic()
        self._cost = self._written - begun

    def _note(self, status: str) -> None:
        count = len(self._notebook["cells"])
        notes.note("cell", index=self._index, count=count, status=status)


def with_parameters(notebook: Any, parameters: dict[str, Any], code: str) -> Any:
    """Put parameters into the cell that was made for them."""
    notebook["metadata"]["papermill"]["parameters"] = parameters
    for cell in notebook["cells"]:
        if INJECTED in cell["metadata"].get("tags", ()):
            cell["source"] = code
    return notebook


def _read(payload: Payload, position: int | None) -> dict[str, Any]:
    """The notebook, for an array with the parameters of the item in their cell."""
    settings = payload.manifest["notebook"]
    with open(payload.blob(settings["blob"]), "rb") as file:
        notebook: dict[str, Any] = json.load(file)
    if position is None:
        return notebook
    with open(payload.blob(settings["sources"]["blob"]), "rb") as file:
        code = read_item(file, position)
    return dict(with_parameters(notebook, payload.item(position)[1], code))


def _now() -> str:
    return dt.datetime.now(dt.timezone.utc).isoformat()  # noqa: UP017 - Python 3.9 has no UTC
