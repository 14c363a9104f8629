"""Status changes as they happen: an iterator over the backend's EventBridge events."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from nbbatch.client.backend import Backend, get_backend
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
    ClientException
        When there is no such job.
    """
    place = get_backend(backend)
    asked = {
        "jobId": None if job is None else getattr(job, "id", job),
        "queue": queue,
        "since": None if since is None else epoch_ms(since),
        "cursor": "latest" if follow and since is None else None,
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
