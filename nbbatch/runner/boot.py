"""The first and last steps of every job: `python3 runner.pyz BUNDLE`.

`--warm` in the place of the bundle waits for bundles instead: see `warm.py`.

Reads the manifest, prepares the process, runs the payload and writes its result. The exit code is 0
exactly when the result says succeeded.
"""

from __future__ import annotations

import os
import sys

from . import failures, notes, unflushed
from .outputs import Recorder, take_over_streams
from .payload import Payload, use_paths
from .place import place_of
from .report import Report, head, placed

TYPE_CHECKING = False  # importing typing would cost each job some milliseconds
if TYPE_CHECKING:
    from typing import Any

    from .place import Folder


def main(argv: list[str]) -> None:
    """Run the bundle named on the command line and end the process.

    Threads that the cell left behind end with it, and no time is spent on tearing modules down.
    """
    if argv[1] == "--warm":
        from . import warm

        argv = warm.serve(int(argv[2]))
    code = run(place_of(argv[1]))
    import atexit

    atexit._run_exitfuncs()  # noqa: SLF001 - what sys.exit() would do next
    unflushed.write_out()  # and after that
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def run(place: Folder) -> int:
    """Run a bundle in this process; returns the exit code."""
    notes.hold_log()
    recorder = Recorder()
    take_over_streams(recorder)
    index = _index()
    report = Report(place, index, _attempt())
    _listen_to_signals()
    try:
        place.gather()
        payload = Payload(place)
        payload.check()
        _settle_in()
        _enter_workdir(payload, report)
        positions = _positions(payload.manifest, index)
        entries, failure = _run_kind(payload, report, recorder, positions)
    except BaseException as error:
        return report.write_failure(error, recorder.finished())
    if _probe_seconds():
        return report.leave_items()
    code = failures.exit_code_of(failure) if failure is not None else 0
    try:
        report.write(
            {
                **head(code, failure),
                **recorder.finished(),
                "items": placed(entries, positions),
            }
        )
    except OSError as problem:
        print(f"nbbatch: the result cannot be written: {problem}", file=sys.__stderr__)
        return code or 1
    for forget in notes.place.get("outdated", ()):
        forget()
    return code


def _index() -> int:
    """Which child of the bundle this job is: its own array index, or what a retry says that it repeats.

    `NBBATCH_INDEXES` lists the children of the bundle in the order of the retry's own, as `3,17-20`.
    """
    own = int(os.environ.get("AWS_BATCH_JOB_ARRAY_INDEX", "0"))
    for part in filter(None, os.environ.get("NBBATCH_INDEXES", "").split(",")):
        first, _, last = part.partition("-")
        size = int(last or first) - int(first) + 1
        if own < size:
            return int(first) + own
        own -= size
    return own


def _attempt() -> int:
    """Which attempt at the bundle this is; a retry, which is another job, counts on from its base."""
    base = int(os.environ.get("NBBATCH_ATTEMPT_BASE", "0"))
    return base + int(os.environ.get("AWS_BATCH_JOB_ATTEMPT", "1"))


def _probe_seconds() -> float:
    """Of the job that runs an array's first items ahead: seconds in which it begins new ones; else 0."""
    return float(os.environ.get("NBBATCH_PROBE_SECONDS", "0"))


def _positions(manifest: dict[str, Any], index: int) -> range | None:
    items = manifest.get("items")
    if items is None:
        return None
    chunk = items["count"] if _probe_seconds() else manifest["chunk"]
    return range(index * chunk, min(items["count"], (index + 1) * chunk))


def _run_kind(
    payload: Payload, report: Report, recorder: Recorder, positions: range | None
) -> tuple[list[dict[str, Any]], BaseException | None]:
    """Run a payload of any kind; gives its items' entries and the error that counts."""
    if payload.manifest["kind"] in ("cell", "call"):
        return _run_python(payload, report, recorder, positions)
    if payload.manifest["kind"] == "notebook":
        return _run_notebook(payload, report, positions)
    from . import script

    return script.run_items(payload, report, positions, _done_before(report) if positions else {})


def _run_python(
    payload: Payload, report: Report, recorder: Recorder, positions: range | None
) -> tuple[list[dict[str, Any]], BaseException | None]:
    from . import displays, python

    use_paths(payload)
    shown = displays.Displays(recorder, payload.manifest.get("settings", {}))
    displays.install(shown, payload.manifest["sources"])
    run = python.Run(payload, report, shown, _done_before(report) if positions is not None else {})
    return run.items(positions, _probe_seconds()), run.error


def _run_notebook(
    payload: Payload, report: Report, positions: range | None
) -> tuple[list[dict[str, Any]], BaseException | None]:
    from . import kernel, notebook

    before = list(sys.path)
    use_paths(payload)
    kernel.remember_paths(before)
    return notebook.run_items(payload, report, positions, _done_before(report) if positions else {})


def _done_before(report: Report) -> dict[int, dict[str, Any]]:
    """Items that earlier attempts of this job have done, or with NBBATCH_KEEP those of whatever job."""
    if report.is_first and os.environ.get("NBBATCH_PROBE"):
        from . import resume

        done = resume.done_by_probe(report)
        return {**done, **_done_by_attempts(report)}
    return _done_by_attempts(report)


def _done_by_attempts(report: Report) -> dict[int, dict[str, Any]]:
    keeps_all = bool(os.environ.get("NBBATCH_KEEP"))
    first = 1 if keeps_all else int(os.environ.get("NBBATCH_ATTEMPT_BASE", "0")) + 1
    if report.attempt <= first:
        return {}
    from . import resume

    return resume.done_before(report, range(first, report.attempt))


def _listen_to_signals() -> None:
    import faulthandler
    import signal

    def stop(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the result is being written from here on
        raise failures.StopSignal("the job was stopped (SIGTERM)")

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faulthandler.enable(2)


def _settle_in() -> None:
    """Make sure of a working directory and a home that can be written to.

    A container that runs as the notebook's user often has neither: `/` is root's, and so is HOME.
    """
    if not os.access(".", os.W_OK):
        os.chdir(_new_folder())
    if not os.access(os.path.expanduser("~"), os.W_OK):
        os.environ["HOME"] = _new_folder()


def _enter_workdir(payload: Payload, report: Report) -> None:
    if payload.manifest.get("files") or payload.manifest.get("fetch"):
        from . import workdir

        workdir.enter(payload, report)


def _new_folder() -> str:
    import tempfile

    return tempfile.mkdtemp(prefix="nbbatch-")
