"""`as_completed` and `wait` of `concurrent.futures`, over jobs and arrays of any backends.

What ended is read and given in the thread that asked; see `nbbatch.client.news`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from nbbatch.client.arrays.array_jobs import ArrayJob
from nbbatch.client.arrays.items import Item
from nbbatch.client.checks import check_timeout
from nbbatch.client.handles.handle import Handle
from nbbatch.client.handles.outcome import Detail, Outcome, outcome
from nbbatch.client.jobs import Job
from nbbatch.client.news import News
from nbbatch.errors import OptionError
from nbbatch.model.jobs import TERMINAL

_CONDITIONS = ("ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION")


class Waited(NamedTuple):
    """What `wait` gives: handles that have ended, and the others."""

    done: set[Handle]
    not_done: set[Handle]


def as_completed(jobs: Handle | Iterable[Handle], timeout: float | None = None) -> Iterator[Job | Item]:
    """Jobs as they end, and the items of arrays as they end, those that ended already first.

    Parameters
    ----------
    jobs : iterable of Job and ArrayJob
        Of any backends.
    timeout : float or None
        Seconds in which all have to end.

    Yields
    ------
    Job or Item
        Either has `result()`, which gives the value or raises, and `exception()`.

    Raises
    ------
    TimeoutError
        When not all have ended in time; they go on.
    """
    check_timeout(timeout)
    return _as_completed(list(dict.fromkeys(_handles(jobs))), timeout)


def _as_completed(handles: Sequence[Handle], timeout: float | None) -> Iterator[Job | Item]:
    """The same; a generator would not look at its arguments before somebody asks for the first one."""
    deadline = None if timeout is None else time.monotonic() + timeout
    streams = {handle: handle.coming() for handle in handles if isinstance(handle, ArrayJob)}
    with News(handles) as news:
        while news.waiting:
            pauses = [stream.pause for one, stream in streams.items() if one in news.waiting]
            pause = min((each for each in pauses if each is not None), default=None)
            changed = news.next(deadline, pause)
            for handle in changed or [one for one in streams if one in news.waiting]:
                detail = news.details.get(handle)
                if isinstance(handle, ArrayJob):
                    yield from streams[handle].take(detail) if detail else ()
                elif detail is not None and detail["status"] in TERMINAL and isinstance(handle, Job):
                    yield handle


def wait(jobs: Iterable[Handle], timeout: float | None = None, return_when: str = "ALL_COMPLETED") -> Waited:
    """Wait until jobs and arrays have ended, as `concurrent.futures.wait` does.

    Parameters
    ----------
    jobs : iterable of Job and ArrayJob
        Of any backends.
    timeout : float or None
        Seconds; when they are up the sets are given as they are.
    return_when : str
        `ALL_COMPLETED`, `FIRST_COMPLETED`, or `FIRST_EXCEPTION`: as soon as one has failed.

    Returns
    -------
    Waited
        `(done, not_done)`, two sets of handles.
    """
    if return_when not in _CONDITIONS:
        raise OptionError(
            f"return_when does not understand {return_when!r}.", cure=f"It takes {', '.join(_CONDITIONS)}."
        )
    check_timeout(timeout)
    handles = set(_handles(jobs))
    deadline = None if timeout is None else time.monotonic() + timeout
    with News(handles) as news:
        try:
            while news.waiting and not _is_enough(handles - news.waiting, news.details, return_when):
                news.next(deadline)
        except TimeoutError:
            pass
        return Waited(handles - news.waiting, set(news.waiting))


def _is_enough(done: set[Handle], details: dict[Handle, Detail], return_when: str) -> bool:
    match return_when:
        case "FIRST_COMPLETED":
            return bool(done)
        case "FIRST_EXCEPTION":
            return any(outcome(details[one]) is not Outcome.SUCCEEDED for one in done)
        case _:
            return False


def _handles(jobs: Any) -> Sequence[Handle]:
    is_one = isinstance(jobs, Handle | str) or not isinstance(jobs, Iterable)
    handles = [jobs] if is_one else list(jobs)
    for one in handles:
        if not isinstance(one, Handle):
            raise OptionError(f"{one!r} is no job.", cure="Give what nbbatch.submit, map or job returned.")
    return handles
