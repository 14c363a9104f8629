"""`like=job`: where and how an earlier job ran, as options for the next one.

What the job itself was (its code, inputs, files, name, what it waited for) is no part of it. With
`like=job.resized()` vCPUs and memory are those that its use advises; see `nbbatch.client.handles.resize`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nbbatch.client.arrays.indexes import environment_of
from nbbatch.client.backend import Backend
from nbbatch.client.capacity import definition_of, requirements_of
from nbbatch.client.handles.resize import Advice
from nbbatch.client.options import Options
from nbbatch.client.spec import HOST_IMAGE, MAX_COST_TAG, OWN_NAME
from nbbatch.errors import UnknownNameError

if TYPE_CHECKING:
    from nbbatch.client.handles.handle import Handle

RESIZED = ".resized()"
"""Behind a job's id in `--like`: with the resources that its use advises."""


@dataclass(frozen=True, slots=True)
class Resized:
    """A job as it should have been sized, for `like=`; `Handle.resized` makes it."""

    job: Handle
    advice: Advice

    def __repr__(self) -> str:
        return f"<Resized {self.job!r}: {self.advice}>"


def with_like(options: Options) -> Options:
    """The options, and where they say nothing those of the job that they shall be like.

    Raises
    ------
    UnknownNameError
        There is no such job.
    """
    if options.like is None:
        return options
    resized, job = _found(options)
    like = options_of_job(job.backend, job.detail())
    if resized is not None:
        like = replace(like, vcpus=resized.vcpus, memory=resized.memory, gpus=resized.gpus or None)
    if options.backend not in (None, job.backend_name):
        like = replace(like, backend=None, queue=None, definition=None)
    elif options.spot is not None:
        like = replace(like, queue=None)
    return replace(options.over(like), like=None)


def _found(options: Options) -> tuple[Advice | None, Handle]:
    from nbbatch.client.listing import find  # noqa: PLC0415 - it stands above this module

    match options.like:
        case Resized(job, advice):
            return advice, job
        case str(text):
            job = find(text.removesuffix(RESIZED), backend=options.backend)
            return (job.resize_advice() if text.endswith(RESIZED) else None), job
        case job:
            return None, job


def options_of_job(backend: Backend, detail: Mapping[str, Any]) -> Options:
    """Where and how a job ran, by DescribeJobs' answer about it.

    Raises
    ------
    UnknownNameError
        It is a multi-node job, which these options cannot describe.
    """
    if "nodeProperties" in detail:
        raise UnknownNameError(
            f"Job {detail['jobName']} has several nodes.", cure="Give its options yourself."
        )
    container, tags = detail.get("container") or {}, detail.get("tags") or {}
    wanted = requirements_of(container)
    retries, timeout = detail.get("retryStrategy") or {}, detail.get("timeout") or {}
    return Options(
        backend=backend.name,
        queue=str(detail["jobQueue"]).rpartition("/")[2],
        vcpus=wanted.vcpus or None,
        memory=wanted.memory or None,
        gpus=wanted.gpus or None,
        env=_own_variables(backend, detail),
        timeout=timeout.get("attemptDurationSeconds"),
        retries=retries["attempts"] - 1 if retries.get("attempts") else None,
        tags={key: value for key, value in tags.items() if not key.startswith(("nbbatch:", "aws:"))},
        share=detail.get("shareIdentifier"),
        priority=detail.get("schedulingPriority"),
        max_cost=float(tags[MAX_COST_TAG]) if MAX_COST_TAG in tags else None,
        **_made_of(container, detail),
    )


def _made_of(container: Mapping[str, Any], detail: Mapping[str, Any]) -> dict[str, Any]:
    """Its image, where the definition was made for it; else the definition, as `name:revision`."""
    definition, image = str(detail["jobDefinition"]).rpartition("/")[2], container.get("image")
    if not OWN_NAME.fullmatch(definition.partition(":")[0]):
        return {"definition": definition}
    return {} if image in (None, HOST_IMAGE) else {"image": str(image)}


def _own_variables(backend: Backend, detail: Mapping[str, Any]) -> dict[str, str]:
    """Variables that the user gave: not the definition's, the store's or our own."""
    definition = definition_of(backend, str(detail["jobDefinition"])) or {}
    fixed = environment_of({"container": definition.get("containerProperties") or {}})
    fixed |= dict(backend.store.environment())
    return {
        name: value
        for name, value in environment_of(detail).items()
        if not name.startswith(("NBBATCH_", "AWS_BATCH")) and fixed.get(name) != value
    }
