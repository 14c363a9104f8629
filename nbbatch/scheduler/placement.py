"""Which RUNNABLE job starts where, and in words why every other one still waits.

Queues are looked at by descending priority, environments of a queue in their order, jobs of a queue
in the order of `queueing`; the head that does not fit blocks those behind it (AWS Batch user guide,
"Job scheduling"; blocked reasons: `blocked`).
"""

from __future__ import annotations

from nbbatch.model.events import Effect, StartAttempt
from nbbatch.model.fleet import HostId
from nbbatch.model.jobs import JobStatus, Run, log_stream_name
from nbbatch.model.resources import Resources
from nbbatch.scheduler import consumables
from nbbatch.scheduler.blocked import (
    blocked_reason,
    clear_blocked,
    environments_of,
    explain_limit,
    note_blocked,
)
from nbbatch.scheduler.budget import explain_cap, explain_day, is_day_spent
from nbbatch.scheduler.cost import attempt_prices
from nbbatch.scheduler.fleet import host_for, largest
from nbbatch.scheduler.lifecycle import Signal
from nbbatch.scheduler.queueing import QueueState, heads, keeps_reserve, note_use
from nbbatch.scheduler.standing import explain_standing
from nbbatch.scheduler.state import HostState, LiveJob, SchedulerState


def place(state: SchedulerState, now: int) -> list[Effect]:
    """Start every job that is next in its queue and fits."""
    effects: list[Effect] = []
    is_open = not is_day_spent(state, now)
    for queue in state.queues.values():
        for live, index in heads(state, queue, now):
            may_start = is_open and _may_start(state, queue, live)
            host = _host(state, queue, live, now) if may_start else None
            if host is None:
                note_blocked(state, queue, (live, index), now)
                break
            effects.append(_start(state, live, index, host, now))
        else:
            clear_blocked(state, queue)
    return effects


def start_order(live: LiveJob, index: int | None, run: Run) -> StartAttempt:
    """What an executor must know to begin the attempt that `run` stands at."""
    job = live.job
    prefix = (
        dict(job.container.log_options).get("awslogs-stream-prefix") if job.container.log_options else None
    )
    return StartAttempt(
        job_id=run.id,
        attempt=run.attempt,
        host=HostId(run.host or ""),
        container=job.container,
        environment=(*job.container.environment, *_batch_variables(live, index, run)),
        resources=job.container.resources,
        log_stream=log_stream_name(job.definition, run.id, run.attempt, prefix),
        tags=tuple(job.tags.items()) if job.propagate_tags else (),
    )


def explain(state: SchedulerState, live: LiveJob, index: int | None) -> list[str]:
    """Why a job or child is not running, in words and numbers; the most important reason first."""
    return [*_explain_status(state, live, index), *explain_cap(state, live)]


def _explain_status(state: SchedulerState, live: LiveJob, index: int | None) -> list[str]:
    match state.status(live, index):
        case JobStatus.SUBMITTED | JobStatus.PENDING:
            return _explain_pending(state, live, index)
        case JobStatus.RUNNABLE:
            return _explain_runnable(state, live, index)
        case JobStatus.STARTING:
            run = state.run_of(live, index)
            return [
                f"It has a place on {run.instance_type} ({run.host}) and starts as soon as this machine has room."
            ]
        case status:
            return [f"It is {status}."]


def _host(state: SchedulerState, queue: QueueState, live: LiveJob, now: int) -> HostState | None:
    wanted = live.job.container.resources
    for name in queue.queue.environments:
        environment = state.environments.get(name)
        host = host_for(state, environment, wanted, now) if environment is not None else None
        if host is not None:
            return host
    return None


def _may_start(state: SchedulerState, queue: QueueState, live: LiveJob) -> bool:
    """Whether all but the host is there: consumable resources, and what is kept for new shares."""
    if live.job.consumables and consumables.missing(state, live.job):
        return False
    return queue.policy is None or keeps_reserve(state, queue, live.job)


def _start(
    state: SchedulerState, live: LiveJob, index: int | None, host: HostState, now: int
) -> StartAttempt:
    wanted = live.job.container.resources
    if live.job.consumables:
        consumables.take(state, live.job)
    if live.job.share_identifier is not None:
        note_use(state, live.job, wanted.vcpus, now)
    run = state.begin(live, index)
    state.move(live, index, Signal.PLACED)
    host.occupy(run.id, wanted)
    run.attempt += 1
    run.host = host.host.id
    run.environment = host.host.environment
    run.instance_type = host.host.instance_type
    run.price, run.spot_price = attempt_prices(host.host, wanted)
    run.status_reason = run.blocked_since = None
    return start_order(live, index, run)


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
    array = (
        ("AWS_BATCH_JOB_ARRAY_INDEX", str(index)),
        ("AWS_BATCH_JOB_ARRAY_SIZE", str(live.job.array_size)),
    )
    return variables + array


def _explain_pending(state: SchedulerState, live: LiveJob, index: int | None) -> list[str]:
    reasons = [f"It waits for job {awaited} to succeed." for awaited in sorted(live.waits_for)]
    if index is not None and live.sequential and index > 0:
        reasons.append(f"It waits for child {index - 1} of its own array.")
    if index is not None:
        reasons += [f"It waits for child {index} of {awaited}." for awaited in live.item_by_item]
    if index is None and live.children is not None and not reasons:
        counts = {status: live.children.counts[code] for code, status in enumerate(JobStatus)}
        told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        reasons.append(f"An array stays PENDING until all of its children are done: {told}.")
        if counts[JobStatus.RUNNABLE]:
            again = live.children.next_retried()
            child = live.children.next_ready() if again is None else again
            reasons += _explain_runnable(state, live, child)
    return reasons or [f"It is {state.status(live, index)}."]


def _explain_runnable(state: SchedulerState, live: LiveJob, index: int | None) -> list[str]:
    queue = state.queues[live.job.queue]
    wanted = live.job.container.resources
    never = blocked_reason(state, queue, wanted)
    if never is not None:
        clock = explain_limit(queue, (live, index), state.now)
        return [never, *_explain_limits(state, queue, wanted), *clock]
    standing = explain_standing(state, queue, live)
    spent = explain_day(state)
    if spent:
        return [*spent, *standing]
    head = state.head(queue)
    if head is not None and head[0] is not live:
        return standing
    short = consumables.explain_missing(state, live.job)
    return [*short, *standing] if short else [*_explain_limits(state, queue, wanted), *standing]


def _explain_limits(state: SchedulerState, queue: QueueState, wanted: Resources) -> list[str]:
    reasons = []
    for known in environments_of(state, queue):
        name, most = known.environment.name, known.environment.max_vcpus
        rooms = largest(known)
        if not known.environment.accepts:
            reasons.append(f"{name} takes no jobs: {known.environment.state}, {known.environment.status}.")
        elif rooms and not any(wanted.fits(room) for room in rooms):
            biggest = max(rooms, key=lambda room: (room.gpus, room.memory, room.vcpus))
            reasons.append(f"{name}: the job wants {wanted}; its largest host offers {biggest}.")
        elif not rooms and not known.environment.resource_type.startswith("FARGATE"):
            reasons.append(f"{name} has no instance type that it could launch.")
        else:
            reasons.append(
                f"{name}: {known.provisioned:g} of {most} vCPU in use by hosts, none has room for {wanted}."
            )
    return reasons
