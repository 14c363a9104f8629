"""What an executor must know to begin an attempt that has its place.

The rules only say that an attempt is placed; all else follows from the job and its progress, and is
put together here for those who carry it out. A simulation carries nothing out and looks at none of it.
"""

from __future__ import annotations

from dataclasses import replace

from msgspec import Struct

from nbbatch.model.containers import Container
from nbbatch.model.events import Effect, Gang, StartAttempt
from nbbatch.model.fleet import HostId
from nbbatch.model.jobs import NodeProperties, Run, stream_of
from nbbatch.model.resources import NOTHING
from nbbatch.scheduler.gang import needed_by_others
from nbbatch.scheduler.state import LiveJob


class Placed(Struct, frozen=True):
    """The attempt that `run` stands at shall start: of a job, or of the child or node of that index."""

    live: LiveJob
    child: int | None
    run: Run


Step = Placed | Effect
"""What the rules decide; an effect once it is an order."""


def start_order(live: LiveJob, index: int | None, run: Run) -> StartAttempt:
    """What an executor must know to begin the attempt that `run` stands at."""
    job = live.job.as_seen_by(index)
    first = StartAttempt(
        job_id=run.id,
        attempt=run.attempt,
        host=HostId(run.host or ""),
        container=job.container,
        environment=(*job.container.environment, *_batch_variables(live, index, run)),
        resources=job.resources,
        log_stream=stream_of(job.container, job.definition, run.id, run.attempt),
        tags=tuple({**job.definition_tags, **job.tags}.items()) if job.propagate_tags else (),
        task=job.task,
        gang=None if job.nodes is None else _gang(live, job.nodes, index),
    )
    if job.task is None or not job.task.others:
        return first
    variables = first.environment[len(job.container.environment) :]
    others = tuple(_beside(first, known, variables, job.definition) for known in job.task.others)
    return replace(first, others=others)


def _beside(
    first: StartAttempt, container: Container, variables: tuple[tuple[str, str], ...], definition: str
) -> StartAttempt:
    """The same attempt's order for another one of its containers."""
    return replace(
        first,
        container=container,
        environment=(*container.environment, *variables),
        resources=container.resources,
        log_stream=stream_of(container, definition, first.job_id, first.attempt),
    )


def _gang(live: LiveJob, nodes: NodeProperties, index: int | None) -> Gang:
    others = needed_by_others(live.job) if index == nodes.main else NOTHING
    return Gang(main=live.job.child_id(nodes.main), others=others)


def _batch_variables(live: LiveJob, index: int | None, run: Run) -> tuple[tuple[str, str], ...]:
    """AWS's own variables (user guide, "Job environment variables"): names, not ARNs."""
    variables = (
        ("AWS_BATCH_JOB_ID", str(run.id)),
        ("AWS_BATCH_JOB_ATTEMPT", str(run.attempt)),
        ("AWS_BATCH_JQ_NAME", live.job.queue),
        ("AWS_BATCH_CE_NAME", run.environment or ""),
        ("AWS_EXECUTION_ENV", "AWS_ECS_FARGATE" if run.instance_type == "FARGATE" else "AWS_ECS_EC2"),
    )
    if index is None:
        return variables
    if live.job.nodes is not None:
        return (
            *variables,
            ("AWS_BATCH_JOB_MAIN_NODE_INDEX", str(live.job.nodes.main)),
            ("AWS_BATCH_JOB_NODE_INDEX", str(index)),
            ("AWS_BATCH_JOB_NUM_NODES", str(live.job.nodes.count)),
        )
    array = (
        ("AWS_BATCH_JOB_ARRAY_INDEX", str(index)),
        ("AWS_BATCH_JOB_ARRAY_SIZE", str(live.job.array_size)),
    )
    return variables + array
