"""What a job used by its own measure: the runner writes it into the results.

The daemon looks at a container's control group now and then, and of a short one it sees little more
than the beginning. Both are lower bounds of the truth, so the larger number is the better one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from nbbatch.client.arrays.indexes import (
    ATTEMPTS_PER_RETRY,
    INDEXES,
    RETRY_BASE,
    bundle_of,
    environment_of,
    index_in_bundle,
    read_indexes,
)
from nbbatch.client.arrays.shape import read_array
from nbbatch.client.handles.outcome import Detail, requirement
from nbbatch.client.results import Usage, load_result
from nbbatch.client.store import Store
from nbbatch.errors import ResultLostError
from nbbatch.model.jobs import split_child_id

_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a job asked for and what it used, of an array over all children.

    Parameters
    ----------
    vcpus, memory, gpus : float, int, int
        What one attempt asked for; memory in MiB.
    seconds : float
        Time its attempts ran, all together.
    cpu_seconds : float or None
        User and system time; None where nobody measured it.
    peak_memory : int or None
        MiB, the largest of all attempts; None where nobody measured it.
    """

    vcpus: float
    memory: int
    gpus: int
    seconds: float
    cpu_seconds: float | None
    peak_memory: int | None

    @property
    def busy_vcpus(self) -> float | None:
        """VCPUs busy on average while it ran; None where nobody measured it."""
        return None if self.cpu_seconds is None or not self.seconds else self.cpu_seconds / self.seconds


class Accounted(Protocol):
    """What is needed of a backend's account of a job."""

    @property
    def seconds(self) -> float: ...  # noqa: D102 - see Use
    @property
    def cpu_seconds(self) -> float | None: ...  # noqa: D102
    @property
    def peak_memory(self) -> int | None: ...  # noqa: D102


def use_of(detail: Detail, account: Accounted | None, own: Callable[[Detail], Sequence[Usage]]) -> Use:
    """The use of a job by its backend's account, or where there is none by its own measure."""
    seconds, cpu_seconds, peak = 0.0, None, None
    if account is not None:
        seconds, cpu_seconds, peak = account.seconds, account.cpu_seconds, account.peak_memory
    elif measured := own(detail):
        seconds = sum(one.seconds for one in measured)
        cpu_seconds = sum(one.cpu_seconds for one in measured)
        peak = -(-max(one.peak_memory for one in measured) // _MIB)
    return Use(
        vcpus=requirement(detail, "VCPU") or 0.0,
        memory=int(requirement(detail, "MEMORY") or 0),
        gpus=int(requirement(detail, "GPU") or 0),
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        peak_memory=peak,
    )


def own_usage(store: Store, detail: Detail, *, most: int | None = None) -> list[Usage]:
    """What the last attempts of a job that has ended measured of themselves.

    Parameters
    ----------
    store : Store
        Where its bundle is.
    detail : mapping
        DescribeJobs' answer about a single job, a child, or an array's parent.
    most : int, optional
        Of no more children than these.

    Returns
    -------
    list of Usage
        One for each child that left a result; empty for a job without a bundle.
    """
    bundle_id, found = bundle_of(detail), []
    with suppress(ResultLostError):
        for index, attempt in islice(results_of(store, bundle_id, detail), most) if bundle_id else ():
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
    array = read_array(store, bundle_id)
    yield from _own(detail, array.newest_attempts() if array is not None else {}).items()


def unfinished_of(store: Store, bundle_id: str, detail: Detail) -> dict[int, int]:
    """Attempts by child of those of the job's children that left items and no result: they run, or were killed."""
    array = read_array(store, bundle_id)
    if array is None:
        return {}
    results, partial = array.left()
    return {
        index: attempt for index, attempt in _own(detail, partial).items() if attempt > results.get(index, 0)
    }


def _own(detail: Detail, attempts: Mapping[int, int]) -> dict[int, int]:
    """Of the attempts at a bundle's children those that are this job's, and not a retry's or what that repeats."""
    variables = environment_of(detail)
    base = int(variables.get(RETRY_BASE, 0))
    own: Iterable[int] = attempts
    if "size" not in (detail.get("arrayProperties") or {}):
        own = [index_in_bundle(variables, split_child_id(detail["jobId"])[1]) or 0]
    elif INDEXES in variables:
        own = read_indexes(variables[INDEXES])
    return {
        index: attempts[index] for index in own if base < attempts.get(index, 0) <= base + ATTEMPTS_PER_RETRY
    }
