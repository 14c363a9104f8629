"""ListJobs, page by page: JobSummary of a queue's jobs or of an array's children, as they are used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from nbbatch.client.backend import Backend
from nbbatch.client.handles.outcome import Detail

EVERY_STATUS = {"filters": [{"name": "AFTER_CREATED_AT", "values": ["0"]}]}
"""ListJobs shows one status, or with a filter all of them."""
IDS_PER_CALL = 100
"""DescribeJobs: "Maximum number of jobs supported is  100"."""
_PAGE = 100

T = TypeVar("T")


def named(name: str) -> dict[str, Any]:
    """The filter for jobs of a name."""
    return {"filters": [{"name": "JOB_NAME", "values": [name]}]}


def summaries(backend: Backend, **which: Any) -> Iterator[Detail]:
    """JobSummary of what ListJobs finds, newest first; the next page is asked for when it is needed."""
    token: dict[str, str] = {}
    while True:
        with backend.errors():
            page = backend.batch.list_jobs(**{"maxResults": _PAGE, **which, **token})
        yield from page["jobSummaryList"]
        if not page.get("nextToken"):
            return
        token = {"nextToken": page["nextToken"]}


def describe_all(backend: Backend, ids: Iterable[str]) -> list[Detail]:
    """DescribeJobs of any number of ids, a hundred a call; unknown ones are left out."""
    found: list[Detail] = []
    for batch in batches(ids, IDS_PER_CALL):
        with backend.errors():
            found += backend.batch.describe_jobs(jobs=batch)["jobs"]
    return found


def batches(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most so many, in order."""
    rest = iter(things)
    while batch := list(islice(rest, size)):
        yield batch
