"""TagResource, UntagResource, ListTagsForResource: which resource an ARN means, and its tags.

Source: API reference, TagResource: existing tags that are not named stay; ARNs of array children are
not supported; a resource has at most 50 tags; keys that begin with `aws:` are AWS's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nbbatch.errors import ClientException
from nbbatch.model.arns import quota_share_of
from nbbatch.model.events import Event, TagsChanged
from nbbatch.model.fleet import TAGGED_NOUNS
from nbbatch.model.jobs import JobId
from nbbatch.model.rehearsal import read_rehearsal
from nbbatch.scheduler.budget import cap_of
from nbbatch.scheduler.commands.definitions import find_definition
from nbbatch.scheduler.commands.submit_job import FinishedJobs
from nbbatch.scheduler.state import SchedulerState

MAX_TAGS = 50
KINDS = ("job", "job-definition", "job-queue", "compute-environment", *TAGGED_NOUNS)


def tag_resource(
    state: SchedulerState, arn: str, tags: Mapping[str, str], finished: FinishedJobs
) -> tuple[list[Event], None]:
    """Add tags to a resource, or change their values.

    Raises
    ------
    ClientException
        When there is no such resource, or it would have too many tags.
    """
    kind, name = parse_resource(arn)
    known = tags_of(state, arn, finished)
    merged = {**known, **tags}
    if kind == "compute-environment":
        read_rehearsal(tags)
    else:
        cap_of(tags)
    if len(merged) > MAX_TAGS:
        raise ClientException(f"tags: {arn} would have {len(merged)} tags, and may have at most {MAX_TAGS}.")
    return _changed(kind, name, known, merged), None


def untag_resource(
    state: SchedulerState, arn: str, keys: Sequence[str], finished: FinishedJobs
) -> tuple[list[Event], None]:
    """Take tags from a resource; keys that it does not have are passed over.

    Raises
    ------
    ClientException
        When there is no such resource.
    """
    kind, name = parse_resource(arn)
    known = tags_of(state, arn, finished)
    left = {key: value for key, value in known.items() if key not in keys}
    return _changed(kind, name, known, left), None


def tags_of(state: SchedulerState, arn: str, finished: FinishedJobs) -> Mapping[str, str]:
    """The tags of a resource.

    Raises
    ------
    ClientException
        When there is no such resource.
    """
    kind, name = parse_resource(arn)
    tags = _tags_of_job(state, JobId(name), finished) if kind == "job" else _tags_of_noun(state, kind, name)
    if tags is None:
        raise ClientException(f"Resource {arn} does not exist.")
    return tags


def parse_resource(arn: str) -> tuple[str, str]:
    """Kind and name in the ARN of something that can have tags.

    Raises
    ------
    ClientException
        When it is none; names what is wrong.
    """
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or parts[2] != "batch":  # noqa: PLR2004 - parts of an ARN
        raise ClientException(f"resourceArn: {arn[:200]!r} is not an ARN of AWS Batch.")
    kind, _, name = parts[5].partition("/")
    if kind == "job-queue" and "/" in name:
        kind, name = "quota-share", quota_share_of(arn)
    if kind not in KINDS or not name:
        raise ClientException(f"resourceArn: {arn[:200]!r} is not one of {', '.join(KINDS)}.")
    if kind == "job" and (":" in name or "#" in name):
        raise ClientException(
            f"resourceArn: {arn[:200]!r} is a child of a job; only whole jobs can have tags."
        )
    return kind, name


def _changed(kind: str, name: str, known: Mapping[str, str], tags: Mapping[str, str]) -> list[Event]:
    return [] if tags == known else [TagsChanged(kind=kind, name=name, tags=tags)]


def _tags_of_job(state: SchedulerState, job_id: JobId, finished: FinishedJobs) -> Mapping[str, str] | None:
    """Of a live job, of one whose tags or status changed in this very tick, or of one in the rows."""
    live = state.jobs.get(job_id)
    if live is not None:
        return live.job.tags
    if job_id in state.changes.tags:
        return state.changes.tags[job_id]
    if job_id in state.changes.jobs:
        return state.changes.jobs[job_id].job.tags
    view = finished.find([job_id]).get(job_id)
    return None if view is None else view.job.tags


def _tags_of_noun(state: SchedulerState, kind: str, name: str) -> Mapping[str, str] | None:
    match kind:
        case "job-definition":
            definition = find_definition(state, name)
            return None if definition is None else definition.tags
        case "job-queue":
            queue = state.queues.get(name)
            return None if queue is None else queue.queue.tags
        case "compute-environment":
            environment = state.environments.get(name)
            return None if environment is None else environment.environment.tags
        case _:
            noun = state.nouns(TAGGED_NOUNS[kind]).get(name)
            return None if noun is None else noun.tags
