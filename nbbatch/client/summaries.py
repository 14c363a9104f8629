"""ListJobs, page by page: JobSummary of a queue's jobs or of an array's children, as they are used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from nbbatch.client.backend import Backend
from nbbatch.client.outcome import Detail

EVERY_STATUS = {"filters": [{"name": "AFTER_CREATED_AT", "values": ["0"]}]}
"""ListJobs shows one status, or with a filter all of them."""
_PAGE = 100


def named(name: str) -> dict[str, Any]:
    """The filter for jobs of a name."""
    return {"filters": [{"name": "JOB_NAME", "values": [name]}]}


def summaries(backend: Backend, **which: Any) -> Iterator[Detail]:
    """JobSummary of what ListJobs finds, newest first; the next page is asked for when it is needed."""
    token: dict[str, str] = {}
    while True:
        with backend.errors():
            page = backend.batch.list_jobs(maxResults=_PAGE, **which, **token)
        yield from page["jobSummaryList"]
        if not page.get("nextToken"):
            return
        token = {"nextToken": page["nextToken"]}


def describe_all(backend: Backend, ids: Iterable[str]) -> list[Detail]:
    """DescribeJobs of any number of ids, a hundred a call; unknown ones are left out."""
    rest, found = iter(ids), []
    while batch := list(islice(rest, _PAGE)):
        with backend.errors():
            found += backend.batch.describe_jobs(jobs=batch)["jobs"]
    return found
