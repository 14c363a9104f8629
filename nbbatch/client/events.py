"""Status changes as they happen: an iterator over the backend's EventBridge events."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from nbbatch.client.backend import Backend, get_backend
from nbbatch.client.capacity import queue_names, unknown_queue
from nbbatch.client.checks import check_text
from nbbatch.client.moments import Moment, epoch_ms
from nbbatch.errors import BackendUnreachableError

_WAIT_MS = 20_000
_PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.5

Event = Mapping[str, Any]


def events(
    *,
    job: Any = None,
    queue: str | None = None,
    since: Moment | None = None,
    follow: bool = False,
    backend: str | None = None,
) -> Iterator[Event]:
    """Events of the local backend, oldest first, in EventBridge's shape.

    Parameters
    ----------
    job : str or handle, optional
        Only events of this job; of an array with all its children.
    queue : str, optional
        Only events of jobs of this queue.
    since : str, datetime or float, optional
        Only events from then on: `"2h"` ago, a point in time, or epoch seconds. Without it all that are kept,
        or with `follow` only what happens from now on.
    follow : bool
        Go on for ever as things happen, over restarts of the daemon too.
    backend : str, optional
        Name in the configuration.

    Yields
    ------
    dict
        `detail-type` is `Batch Job State Change` or `Batch Job Queue Blocked`; `detail` is what
        DescribeJobs said of the job then; `id` is the same whenever the event is read.

    Raises
    ------
    ClientException, UnknownNameError
        When there is no such job or queue.
    """
    job_id = None if job is None else getattr(job, "id", job)
    check_text("job", job_id, "a job's handle or id")
    check_text("queue", queue, "the name of a job queue")
    start = None if since is None else epoch_ms(since)
    place = get_backend(backend)
    if queue is not None:
        _check_queue(place, queue)
    return _events(place, {"jobId": job_id, "queue": queue, "since": start}, follow=follow)


def _check_queue(place: Backend, queue: str) -> None:
    """Refuse one that is not there; of one that was there the events are kept."""
    if queue not in queue_names(place):
        kept = _events(place, {"queue": queue}, follow=False)
        if next(kept, None) is None:
            raise unknown_queue(place, queue)


def _events(place: Backend, wanted: Mapping[str, Any], *, follow: bool) -> Iterator[Event]:
    """The same; a generator would not look at its arguments before somebody asks for the first one."""
    asked = {
        **wanted,
        "cursor": "latest" if follow and wanted.get("since") is None else None,
        "timeoutMs": _WAIT_MS if follow else 0,
    }
    while True:
        reply = _ask(place, asked, patient=follow)
        yield from reply["events"]
        asked["cursor"] = reply["cursor"]
        if not follow and not reply["hasMore"]:
            return


def _ask(place: Backend, asked: Mapping[str, Any], *, patient: bool) -> Any:
    """One answer; who follows waits for a daemon that comes back."""
    deadline = time.monotonic() + (_PATIENCE_SECONDS if patient else 0)
    while True:
        try:
            return place.private("events", asked)
        except BackendUnreachableError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
