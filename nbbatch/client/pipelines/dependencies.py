"""What a job waits for, as SubmitJob's `dependsOn`: handles, values, item by item, more than twenty.

An array that waits for an array of as many children does so item by item (N_TO_N): child 7 starts when
child 7 has succeeded. `nbbatch.all_of(arr)` waits for the whole of it. AWS Batch takes no more than
twenty dependencies; above that small jobs in between join them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from nbbatch.client.backend import Backend
from nbbatch.client.handles.handle import Handle
from nbbatch.client.handles.outcome import Detail
from nbbatch.client.handles.references import Reference, referable_in
from nbbatch.client.options import MOST_DEPENDENCIES, SEQUENTIAL, Options, WholeJob
from nbbatch.client.spec import JobSpec
from nbbatch.client.summaries import batches, describe_all
from nbbatch.errors import DependencyFailedError, OptionError
from nbbatch.model.jobs import split_child_id

Submit = Callable[[Backend, JobSpec], str]
submitted_together: ContextVar[frozenset[str]] = ContextVar("submitted_together", default=frozenset())
"""Ids of jobs that are submitted as one with what waits for them: one that fails meanwhile is no mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """The jobs whose values a payload is made of.

    Parameters
    ----------
    references : sequence of Reference
        Every value.
    paired : frozenset of str
        Ids of arrays of which each child needs no other child than its own counterpart.
    """

    references: Sequence[Reference] = ()
    paired: frozenset[str] = frozenset()

    def check(self, backend: Backend) -> None:
        """Refuse values that can never come.

        Raises
        ------
        OptionError
            A job is on another backend.
        DependencyFailedError
            A job has failed already, and is none of those that this one is submitted together with.
        """
        for one in self.references:
            if one.backend != backend.name:
                raise OptionError(
                    f"The value of job {one.job} ({one.name}) is on backend {one.backend!r}, and the job goes to "
                    f"{backend.name!r}.",
                    cure="Pass its result() instead.",
                )
        together = submitted_together.get()
        ids = dict.fromkeys(one.job_id for one in self.references)
        earlier = [job_id for job_id in ids if split_child_id(job_id)[0] not in together]
        for detail in describe_all(backend, earlier):
            if detail["status"] == "FAILED":
                raise DependencyFailedError(
                    f"Job {detail['jobName']} ({detail['jobId']}), whose value is needed, has failed.",
                    job_id=detail["jobId"],
                    cure=f"nbbatch.job({detail['jobId']!r}).why() says how.",
                )

    def ids(self) -> list[str]:
        """Ids to wait for: of paired arrays and of many items of one array the array's own."""
        wanted = list(dict.fromkeys(one.job_id for one in self.references))
        if len(wanted) > 1:
            wanted = list(dict.fromkeys(self._parent(job_id, wanted) for job_id in wanted))
        return [job_id if self._is_paired(job_id) else WholeJob(job_id) for job_id in wanted]

    def _is_paired(self, job_id: str) -> bool:
        return job_id in self.paired

    def _parent(self, job_id: str, wanted: Sequence[str]) -> str:
        parent = split_child_id(job_id)[0]
        siblings = sum(1 for one in wanted if split_child_id(one)[0] == parent)
        return parent if siblings > 1 else job_id


def paired_arrays(
    calls: Iterable[tuple[Sequence[Any], Mapping[str, Any]]], chunk: int, found: Iterable[Reference]
) -> frozenset[str]:
    """Arrays of which the item `n` of this one needs only items of the child that `n` will be, too.

    Parameters
    ----------
    calls : iterable of (args, kwargs)
        Of each item.
    chunk : int
        Items per child, here.
    found : iterable of Reference
        All that the pickler met; one that is not seen here, deep inside an object, may be anywhere.
    """
    seen: dict[str, set[bool]] = {}
    met: set[Reference] = set()
    for position, call in enumerate(calls):
        for one in referable_in(list(call)):
            reference = one.reference()
            met.add(reference)
            parent, index = split_child_id(reference.job_id)
            seen.setdefault(parent, set()).add(index == position // chunk)
    deep = {split_child_id(one.job_id)[0] for one in found if one not in met}
    return frozenset(parent for parent, fits in seen.items() if fits == {True} and parent not in deep)


def with_dependencies(backend: Backend, spec: JobSpec, submit: Submit) -> JobSpec:
    """The job with what it waits for in AWS Batch's words; joins are submitted on the way.

    Parameters
    ----------
    submit : callable
        Submits a job that joins others.
    """
    wanted = list(dict.fromkeys(spec.options.depends))
    if not wanted:
        return spec
    if SEQUENTIAL in wanted and spec.size is None:
        raise OptionError(
            'after="SEQUENTIAL" is for arrays: their items run one after the other.',
            cure="Name the job that this one shall wait for.",
        )
    sizes = _sizes(backend, wanted) if spec.size is not None else {}
    by_item = [job_id for job_id in wanted if _is_by_item(job_id, sizes, spec.size)]
    chain = [job_id for job_id in wanted if job_id == SEQUENTIAL]
    whole = [job_id for job_id in wanted if job_id not in by_item and job_id not in chain]
    room = MOST_DEPENDENCIES - len(by_item) - len(chain)
    if room < 1 or (room < MOST_DEPENDENCIES and len(by_item) + len(chain) > MOST_DEPENDENCIES // 2):
        _check_room(len(wanted))
    joined = joined_ids(whole, room, lambda ids: submit(backend, _join(spec, ids)))
    entries: list[dict[str, str]] = [{"jobId": str(job_id)} for job_id in joined]
    entries += [{"jobId": str(job_id), "type": "N_TO_N"} for job_id in by_item]
    entries += [{"type": SEQUENTIAL} for _ in chain]
    return replace(spec, depends_on=entries)


def joined_ids(ids: Sequence[str], room: int, join: Callable[[Sequence[str]], str]) -> list[str]:
    """No more ids than there is room for: groups of twenty become one job that waits for them."""
    left = list(ids)
    while len(left) > room:
        left = [group[0] if len(group) == 1 else join(group) for group in batches(left, MOST_DEPENDENCIES)]
    return left


def _check_room(count: int) -> None:
    if count > MOST_DEPENDENCIES:
        raise OptionError(
            f"{count} dependencies, most of them item by item; AWS Batch allows {MOST_DEPENDENCIES}.",
            cure="Let nbbatch.all_of(arr) wait for whole arrays, which can be joined.",
        )


def _join(spec: JobSpec, ids: Sequence[str]) -> JobSpec:
    """A job that does nothing but wait."""
    options = spec.options
    mine = Options(
        backend=options.backend,
        queue=options.queue,
        spot=options.spot,
        image=options.image,
        definition=options.definition,
        share=options.share,
        tags={key: value for key, value in options.tags.items() if not key.startswith("nbbatch:")},
        depends=tuple(WholeJob(job_id) for job_id in ids),
    )
    return JobSpec(options=mine, name=f"{spec.name[:120]}-join", command=("true",))


def _sizes(backend: Backend, ids: Sequence[str]) -> dict[str, int]:
    """Children of those that are arrays."""
    details: list[Detail] = describe_all(backend, [job_id for job_id in ids if job_id != SEQUENTIAL])
    sizes = {one["jobId"]: (one.get("arrayProperties") or {}).get("size") for one in details}
    return {job_id: size for job_id, size in sizes.items() if size}


def _is_by_item(job_id: str, sizes: Mapping[str, int], size: int | None) -> bool:
    return not isinstance(job_id, WholeJob) and job_id in sizes and sizes[job_id] == size


def merged(depends: Iterable[str], values: Iterable[str]) -> tuple[str, ...]:
    """Jobs to wait for and jobs whose values are needed, each once; as a whole if either says so."""
    found: dict[str, str] = {}
    for job_id in [*depends, *values]:
        found[job_id] = job_id if job_id not in found or isinstance(job_id, WholeJob) else found[job_id]
    return tuple(found.values())


def all_of(job: Handle | str) -> WholeJob:
    """For `after=`: wait until the whole of an array has succeeded, and not item by item.

    Parameters
    ----------
    job : handle or str
        An array, or its id.

    Examples
    --------
    >>> nbbatch.map(score, rows, after=nbbatch.all_of(arr))  # doctest: +SKIP
    """
    if not isinstance(job, Handle | str):
        raise OptionError(f"{job!r} is no array.", cure="Give what nbbatch.map returned, or an array's id.")
    return WholeJob(job.id if isinstance(job, Handle) else job)
