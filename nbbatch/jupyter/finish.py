"""The end of a story: the final line, the outputs, the variables; or the error that stops Run All."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbbatch.client.arrays.array_jobs import ArrayJob
from nbbatch.client.arrays.indexes import bundle_of
from nbbatch.client.arrays.items import Item, label
from nbbatch.client.arrays.shape import read_array
from nbbatch.client.files.missing import missing_cure
from nbbatch.client.format import plural
from nbbatch.client.handles.outcome import Detail, Outcome, outcome, short_id
from nbbatch.client.jobs import Job
from nbbatch.client.results import Result, load_result
from nbbatch.errors import JobError, JobFailedError, RemoteError, ResultLostError
from nbbatch.jupyter.console import Console
from nbbatch.jupyter.gather import gather_values, gather_variables
from nbbatch.jupyter.outputs import publish_here, show_outputs, show_result
from nbbatch.jupyter.story import final_line, status_line
from nbbatch.jupyter.waiting import Watched, items_of, its_end

MOST_OUTPUTS = 40
"""Outputs of an array's items that are shown; a cell with hundreds of figures helps nobody."""
_MOST_NAMED = 8
"""Failed items that an error names; the others are counted."""


@dataclass(frozen=True, slots=True)
class Ending:
    """A job that has ended, and where what it left shall go.

    Parameters
    ----------
    shell : InteractiveShell
        Gets outputs and variables.
    console : Console
        Where the story is told.
    job : Job or ArrayJob or None
        The handle; None for a cell that ran here.
    watched : Watched
        Its final JobDetail, and what was shown of its log.
    outputs : sequence of str or None
        Variables wanted back; None: all that came.
    """

    shell: Any
    console: Console
    job: Job | ArrayJob | None
    watched: Watched
    outputs: Sequence[str] | None


def finish(ending: Ending) -> None:
    """Show what a job left, or raise what it failed with.

    Raises
    ------
    JobError
        Unless the job SUCCEEDED.
    DetachedError
        When interrupted while its result comes.
    """
    with its_end(ending.job, ending.console):
        _finish(ending)


def _finish(ending: Ending) -> None:
    detail, account = ending.watched.detail, ending.job.account() if ending.job else None
    items = items_of(ending.job)
    ending.console.settle(status_line(detail, time.time(), account, items=items))
    ending.console.line(final_line(detail, account, items=items))
    has_succeeded = outcome(detail) is Outcome.SUCCEEDED
    fetched = ending.job.bring_files() if ending.job else None
    for line in fetched.lines() if fetched is not None else ():
        ending.console.line(line)
    match ending.job:
        case ArrayJob() as array if has_succeeded:
            gather(ending, load_children(array, detail), array.labels())
        case ArrayJob() as array:
            raise array_failure(array, detail)
        case Job() as job if not has_succeeded:
            raise _failure(ending, job)
        case Job() as job if bundle_of(detail):
            bring(ending, job.load())
        case _:  # without a bundle it had only its log
            _whole_log(ending)


def bring(ending: Ending, result: Result) -> None:
    """Outputs and variables of a single run."""
    log = _whole_log(ending)
    bind(ending, result.variables, result.left_behind)
    show_result(ending.shell, ending.console, result, log)


def _failure(ending: Ending, job: Job) -> JobError:
    """The error of a failed job, shown after what it had displayed before it failed."""
    error = job.error() or JobFailedError(f"Job {job.name} failed.", job_id=job.id)
    log = _whole_log(ending, error.remote_traceback if isinstance(error, RemoteError) else "")
    with contextlib.suppress(ResultLostError):
        result = job.load()
        show_result(ending.shell, ending.console, result, log)
        error.__cause__ = result.error.exception if result.error is not None else None
    if isinstance(error, RemoteError) and not missing_cure(result.error):
        error.cure = f"The whole log: %batch logs {short_id(job.id)}. Change the cell and run it again."
    vars(error)["_is_log_shown"] = bool(log)
    return error


def _whole_log(ending: Ending, traceback: str = "") -> str:
    """What was shown of the log by now; a held traceback is shown unless the error will show it."""
    held = ending.watched.held
    if held.strip() == traceback.strip():
        return ending.watched.log
    ending.console.log(held)
    return ending.watched.log + held


def bind(ending: Ending, variables: Mapping[str, Any], left_behind: Mapping[str, str]) -> None:
    """Assign what came back, and say what did not."""
    wanted = (
        variables
        if ending.outputs is None
        else {name: variables[name] for name in ending.outputs if name in variables}
    )
    ending.shell.user_ns.update(wanted)
    missing = [] if ending.outputs is None else [name for name in ending.outputs if name not in variables]
    for name in missing:
        ending.console.line(f"{name} did not come back: {left_behind.get(name, 'the job did not assign it')}")
    if ending.outputs is None:
        for name, why in left_behind.items():
            ending.console.line(f"{name} did not come back: {why}")


def gather(ending: Ending, results: Sequence[Result], labels: Any = None) -> None:
    """Variables and values of all items, each as one; `labels` is the index of the table they are from."""
    items = [item for result in results for item in result.items]
    variables = gather_variables(items, ending.outputs)
    ending.shell.user_ns.update(variables)
    value, said = gather_values([item.value for item in items], labels)
    lists = [name for name, values in variables.items() if isinstance(values, list)]
    if lists:
        names = ", ".join(lists)
        ending.console.line(f"{names}: a list over {plural(len(items), 'item')}, in their order")
    if said:
        ending.console.line(said)
    _show_outputs(ending, results)
    publish_here(ending.shell, value)


def load_children(array: ArrayJob, detail: Detail) -> list[Result]:
    """What each child of a cell's array left, in the order of the items."""
    store, bundle_id = array.backend.store, bundle_of(detail)
    bundle = read_array(store, bundle_id)
    if bundle is None:
        return []
    attempts = bundle.newest_attempts()
    children = range(bundle.shape.children)
    results = [load_result(store, bundle_id, index=index, attempt=attempts.get(index)) for index in children]
    took = [item.seconds for result in results for item in result.items if item.seconds is not None]
    array.measure(sum(took), len(took))
    return results


def _show_outputs(ending: Ending, results: Sequence[Result]) -> None:
    """What the items printed and displayed, in their order, if that can be read at all."""
    name = short_id(ending.job.id) if ending.job else ""
    outputs = [one for result in results for one in result.outputs if one["output_type"] != "execute_result"]
    if len(outputs) <= MOST_OUTPUTS or not name:
        if name:
            ending.console.line(f"an item's log: %batch logs {name}:0")
            show_outputs(ending.shell, outputs)
        else:
            show_outputs(ending.shell, [one for one in outputs if one["output_type"] != "stream"])
    else:
        ending.console.line(
            f"{len(outputs)} outputs stay with their items: %batch logs {name}:0, "
            f"nbbatch.job({name!r})[0].load().outputs"
        )


def array_failure(array: ArrayJob, detail: Detail) -> JobError:
    """One error for a failed array: which inputs failed, the first one's traceback, what is left.

    A RemoteError where the first failed item's code raised.
    """
    failed = array.failed()
    name, total = short_id(array.id), len(array)
    message = f"{len(failed):,} of {plural(total, 'item')} failed: {_named(failed)}."
    cure = f"An item's log: %batch logs {name}:0. Change the cell and run it again."
    if len(failed) < total:
        cure = (
            f"nbbatch.job({name!r}) has the values of the others: .results(return_exceptions=True). "
            f"%batch retry {name} repeats only the failed ones."
        )
    first = failed[0].own_error() if failed else None
    if not isinstance(first, RemoteError):
        reason = f"First: {first.message}" if first is not None else str(detail.get("statusReason", ""))
        return JobFailedError(f"{message} {reason}".rstrip(), job_id=array.id, cure=cure)
    return RemoteError(
        f"{message} First: {first.message.partition('): ')[2] or first.message}",
        job_id=array.id,
        cure=cure,
        remote_traceback=first.remote_traceback,
        remote_trace=first.remote_trace,
        remote_type=first.remote_type,
    )


def _named(failed: Sequence[Item]) -> str:
    named = [f"item {item.position} ({label(item.input)})" for item in failed[:_MOST_NAMED]]
    rest = len(failed) - len(named)
    return ", ".join(named) + (f" and {rest:,} more" if rest else "")
