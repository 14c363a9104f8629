"""Answers that do something: cancel, terminate, retry, start a daemon, set a budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nbbatch.client.arrays.array_jobs import ArrayJob
from nbbatch.client.arrays.indexes import retry_environment
from nbbatch.client.backend import Backend, get_backend
from nbbatch.client.handles.outcome import in_words, short_id
from nbbatch.client.listing import find
from nbbatch.client.spec import resubmission
from nbbatch.client.submission import submit_again
from nbbatch.errors import UserError
from nbbatch.jupyter.routes.asked import Asked
from nbbatch.jupyter.routes.detail import handle_of, row
from nbbatch.jupyter.routes.shapes_job import Done
from nbbatch.model.jobs import TERMINAL

CANCELLED = "Cancelled from JupyterLab"
TERMINATED = "Terminated from JupyterLab"


async def cancel(asked: Asked) -> Done:
    """POST `jobs/<id>/cancel`."""

    def act() -> str:
        handle = handle_of(asked)
        _refuse_ended(handle)
        if handle.cancel(asked.body.reason.strip() or CANCELLED):
            return "is cancelled" + ("" if handle.done() else ": it ends when what it depends on has ended")
        return "runs already, and cancelling leaves it alone: terminate stops it"

    return await _do(asked, act)


async def terminate(asked: Asked) -> Done:
    """POST `jobs/<id>/terminate`."""

    def act() -> str:
        handle = handle_of(asked)
        _refuse_ended(handle)
        handle.terminate(asked.body.reason.strip() or TERMINATED)
        return "is terminated" if handle.done() else "is being stopped: SIGTERM, and SIGKILL after 30 s"

    return await _do(asked, act)


async def retry(asked: Asked) -> Done:
    """POST `jobs/<id>/retry`."""

    def act() -> Done:
        handle = handle_of(asked)
        again = _retry_array(handle, whole=asked.body.whole) if is_array(handle) else handle.retry().id
        asked.lane.changed()
        words = f"Job {short_id(again)} repeats {short_id(handle.id)}."
        return Done(id=again, words=words, job=row(find(again, backend=asked.lane.backend.name)))

    return await asked.lane.run(asked.folder, act)


def is_array(handle: Any) -> bool:
    """Whether a handle is that of an array as a whole."""
    return isinstance(handle, ArrayJob)


def _retry_array(handle: ArrayJob, *, whole: bool) -> str:
    """Id of an array that does all of it again, or what has failed."""
    detail, name = handle.detail(), short_id(handle.id)
    if detail["status"] not in TERMINAL:
        raise UserError(f"Array {name} has not ended.", cure="Terminate it first, or wait for it.")
    if whole:
        size = (detail.get("arrayProperties") or {}).get("size")
        request = resubmission(detail, environment=retry_environment(detail), size=size)
        return submit_again(handle.backend, request)
    again = handle.retry_failed()
    if again.id == handle.id:
        raise UserError(f"No item of array {name} has failed.", cure="Retry all of it, or nothing.")
    return again.id


def start(backend: Backend) -> None:
    """Have the backend's daemon run."""
    get_backend(backend.name, start=True)


async def _do(asked: Asked, act: Callable[[], str]) -> Done:
    def answer() -> Done:
        words = act()
        asked.lane.changed()
        handle = handle_of(asked)
        return Done(id=handle.id, words=f"Job {short_id(handle.id)} {words}.", job=row(handle))

    return await asked.lane.run(asked.folder, answer)


def _refuse_ended(handle: object) -> None:
    told = handle.detail()  # type: ignore[attr-defined]
    if told["status"] in TERMINAL:
        raise UserError(f"There is nothing to do: {in_words(told)}")
