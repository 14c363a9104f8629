"""Which RUNNABLE job starts where, and in words why every other one still waits.

Queues are looked at by descending priority, environments of a queue in their order, jobs of a queue
in the order of submission; the head that does not fit blocks those behind it (AWS Batch user guide,
"Job scheduling"; blocked reasons: "Jobs stuck in RUNNABLE").
"""

from __future__ import annotations

from nbbatch.model.events import Effect, StartAttempt
from nbbatch.model.fleet import HostId
from nbbatch.model.jobs import JobStatus, Run, log_stream_name
from nbbatch.model.resources import Resources
from nbbatch.scheduler.budget import is_day_spent
from nbbatch.scheduler.cost import attempt_prices
from nbbatch.scheduler.fleet import host_for, largest
from nbbatch.scheduler.lifecycle import Signal
from nbbatch.scheduler.state import CODE, EnvironmentState, HostState, LiveJob, QueueState, SchedulerState
from nbbatch.scheduler.transitions import BLOCKED

BLOCKED_NO_ENVIRONMENT = "ACTION_REQUIRED - CE(s) associated with the job queue are invalid."
BLOCKED_TOO_LARGE = (
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) is higher "
    "than that can be met by the CE(s) attached to the job queue."
)
BLOCKED_MAX_VCPUS = (
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) associated with the job queue cannot meet "
    "the CPU requirement of the job."
)


def place(state: SchedulerState, now: int) -> list[Effect]:
    """Start every job that is next in its queue and fits."""
    effects: list[Effect] = []
    if is_day_spent(state, now):
        return effects
    for queue in state.queues.values():
        while (head := state.head(queue)) is not None:
            live, index = head
            host = _host(state, queue, live, now)
            if host is None:
                _note_blocked(state, queue, live, index)
                break
            effects.append(_start(state, live, index, host))
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
    match state.status(live, index):
        case JobStatus.SUBMITTED | JobStatus.PENDING:
            return _explain_pending(state, live, index)
        case JobStatus.RUNNABLE:
            return _explain_runnable(state, live)
        case JobStatus.STARTING:
            run = state.run_of(live, index)
            return [
                f"It has a place on {run.instance_type} ({run.host}) and starts as soon as this machine has room."
            ]
        case status:
            return [f"It is {status}."]


def blocked_reason(state: SchedulerState, queue: QueueState, wanted: Resources) -> str | None:
    """AWS's text for a head that can never start as things are; None when it only has to wait."""
    open_environments = [known for known in _environments(state, queue) if known.environment.accepts]
    if not open_environments:
        return BLOCKED_NO_ENVIRONMENT
    if any(known.environment.resource_type.startswith("FARGATE") for known in open_environments):
        return None
    rooms = [room for known in open_environments for room in largest(known)]
    if any(wanted.fits(room) for room in rooms):
        return None
    if all(wanted.vcpus > known.environment.max_vcpus for known in open_environments):
        return BLOCKED_MAX_VCPUS
    return BLOCKED_TOO_LARGE


def _environments(state: SchedulerState, queue: QueueState) -> list[EnvironmentState]:
    return [state.environments[name] for name in queue.queue.environments if name in state.environments]


def _host(state: SchedulerState, queue: QueueState, live: LiveJob, now: int) -> HostState | None:
    wanted = live.job.container.resources
    for name in queue.queue.environments:
        environment = state.environments.get(name)
        host = host_for(state, environment, wanted, now) if environment is not None else None
        if host is not None:
            return host
    return None


def _start(state: SchedulerState, live: LiveJob, index: int | None, host: HostState) -> StartAttempt:
    wanted = live.job.container.resources
    run = state.begin(live, index)
    state.move(live, index, Signal.PLACED)
    host.occupy(run.id, wanted)
    run.attempt += 1
    run.host = host.host.id
    run.environment = host.host.environment
    run.instance_type = host.host.instance_type
    run.price, run.spot_price = attempt_prices(host.host, wanted)
    run.status_reason = None
    return start_order(live, index, run)


def _note_blocked(state: SchedulerState, queue: QueueState, live: LiveJob, index: int | None) -> None:
    """Write the head's blocked reason into its status, once per head."""
    if queue.blocked == (live.job.id, index):
        return
    queue.blocked = (live.job.id, index)
    reason = blocked_reason(state, queue, live.job.container.resources)
    if reason is not None:
        run = state.begin(live, index)
        if run.status_reason != reason:
            state.note(live, index, CODE[JobStatus.RUNNABLE], BLOCKED, reason)
        run.status_reason = reason


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
            reasons += _explain_runnable(state, live)
    return reasons or [f"It is {state.status(live, index)}."]


def _explain_runnable(state: SchedulerState, live: LiveJob) -> list[str]:
    queue = state.queues[live.job.queue]
    wanted = live.job.container.resources
    never = blocked_reason(state, queue, wanted)
    if never is not None:
        return [never, *_explain_limits(state, queue, wanted)]
    head = state.head(queue)
    if head is not None and head[0] is not live:
        return [
            f"Queue {live.job.queue} is first in, first out, and its head {head[0].job.id} does not fit yet."
        ]
    return _explain_limits(state, queue, wanted)


def _explain_limits(state: SchedulerState, queue: QueueState, wanted: Resources) -> list[str]:
    reasons = []
    for known in _environments(state, queue):
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
