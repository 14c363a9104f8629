"""What a job used by its own measure: the runner writes it into the results.

The daemon looks at a container's control group now and then, and of a short one it sees little more
than the beginning. Both are lower bounds of the truth, so the larger number is the better one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from nbbatch.client.indexes import (
    ATTEMPTS_PER_RETRY,
    INDEXES,
    RETRY_BASE,
    bundle_of,
    environment_of,
    index_in_bundle,
    read_indexes,
)
from nbbatch.client.outcome import Detail
from nbbatch.client.results import Usage, load_result
from nbbatch.client.shape import read_array
from nbbatch.client.store import Store
from nbbatch.errors import ResultLostError
from nbbatch.model.jobs import split_child_id


def own_usage(store: Store, detail: Detail) -> list[Usage]:
    """What the last attempts of a job that has ended measured of themselves.

    Parameters
    ----------
    store : Store
        Where its bundle is.
    detail : mapping
        DescribeJobs' answer about a single job, a child, or an array's parent.

    Returns
    -------
    list of Usage
        One for each child that left a result; empty for a job without a bundle.
    """
    bundle_id, found = bundle_of(detail), []
    with suppress(ResultLostError):
        for index, attempt in results_of(store, bundle_id, detail) if bundle_id else ():
            with suppress(ResultLostError):
                result = load_result(store, bundle_id, index=index, attempt=attempt, is_light=True)
                found.append(result.usage)
    return found


def attempt_in_bundle(detail: Detail) -> tuple[int | None, int | None]:
    """Which child of its bundle a job worked as, and as which attempt of that; None: whichever there is."""
    variables = environment_of(detail)
    attempt = int(variables.get(RETRY_BASE, 0)) + len(detail.get("attempts") or ())
    return index_in_bundle(variables, split_child_id(detail["jobId"])[1]), attempt or None


def results_of(store: Store, bundle_id: str, detail: Detail) -> Iterator[tuple[int | None, int | None]]:
    """Index and attempt of each result that is the job's own, also of what is still under way."""
    if "size" not in (detail.get("arrayProperties") or {}):
        yield attempt_in_bundle(detail)
        return
    variables = environment_of(detail)
    array, base = read_array(store, bundle_id), int(variables.get(RETRY_BASE, 0))
    attempts = array.newest_attempts() if array is not None else {}
    own = read_indexes(variables[INDEXES]) if INDEXES in variables else attempts
    for index in own:
        if base < attempts.get(index, 0) <= base + ATTEMPTS_PER_RETRY:
            yield index, attempts[index]
