"""Which RUNNABLE job starts where, and in words why every other one still waits.

Queues are looked at by descending priority, environments of a queue in their order, jobs of a queue
in the order of submission; the head that does not fit blocks those behind it (AWS Batch user guide,
"Job scheduling"; blocked reasons: "Jobs stuck in RUNNABLE").
"""

from __future__ import annotations

from dataclasses import replace

from nbbatch.model.events import Effect, Gang, StartAttempt
from nbbatch.model.fleet import HostId
from nbbatch.model.jobs import JobStatus, Run, stream_of
from nbbatch.model.resources import NOTHING, Resources
from nbbatch.scheduler.blocked import BLOCKED_MAX_VCPUS, BLOCKED_NO_ENVIRONMENT, BLOCKED_TOO_LARGE
from nbbatch.scheduler.capacity import blocking_shortage, explain_environment
from nbbatch.scheduler.cost import attempt_prices
from nbbatch.scheduler.dependencies import end
from nbbatch.scheduler.fleet import find_host, largest
from nbbatch.scheduler.gang import explain_gang, gang_blocked_reason, needed_by_others, place_gang
from nbbatch.scheduler.hosts import EnvironmentState, HostState
from nbbatch.scheduler.lifecycle import Signal
from nbbatch.scheduler.lookahead import look_ahead
from nbbatch.scheduler.state import LiveJob, QueueState, SchedulerState


def place(state: SchedulerState, now: int) -> list[Effect]:
    """Start every job that is next in its queue and fits."""
    effects: list[Effect] = []
    waiting = [queue for queue in state.queues.values() if _start_heads(state, queue, effects, now)]
    if waiting:
        look_ahead(state, waiting, now)
    return effects


def place_new(state: SchedulerState, queue: QueueState, now: int) -> list[Effect]:
    """The same after a job was submitted: the head of a FIFO queue that did not fit does not fit now.

    Where a policy keeps capacity back for new shares, a submission may let the head start.
    """
    effects: list[Effect] = []
    head = state.head(queue) if queue.queue.scheduling_policy is None else None
    is_blocked = head is not None and queue.blocked == (head[0].job.id, head[1])
    if is_blocked or _start_heads(state, queue, effects, now):
        look_ahead(state, [queue], now)
    return effects


def _start_heads(state: SchedulerState, queue: QueueState, effects: list[Effect], now: int) -> bool:
    """Start what is next in a queue and fits; whether a head is left that does not."""
    while (head := state.head(queue)) is not None:
        live, index = head
        if live.job.refusal:
            end(state, [(live, index, Signal.REFUSED, live.job.refusal)], now)
            continue
        started = (
            _start_gang(state, queue, live, now) if live.job.nodes else _start_one(state, queue, head, now)
        )
        if started is None:
            _note_blocked(state, queue, live, index)
            return True
        effects.append(started)
    return False


def _start_one(
    state: SchedulerState, queue: QueueState, head: tuple[LiveJob, int | None], now: int
) -> StartAttempt | None:
    host = find_host(state, queue.queue.environments, head[0].job.resources, now)
    return None if host is None else _start(state, *head, host)


def _start_gang(state: SchedulerState, queue: QueueState, live: LiveJob, now: int) -> StartAttempt | None:
    """All nodes have a place, or none; the main one starts first."""
    main = place_gang(state, queue, live, now)
    return None if main is None or live.job.nodes is None else start_order(live, live.job.nodes.main, main)


def start_order(live: LiveJob, index: int | None, run: Run) -> StartAttempt:
    """What an executor must know to begin the attempt that `run` stands at."""
    job = live.job.as_seen_by(index)
    variables = _batch_variables(live, index, run)
    tags = tuple({**job.definition_tags, **job.tags}.items()) if job.propagate_tags else ()
    first, *others = (
        StartAttempt(
            job_id=run.id,
            attempt=run.attempt,
            host=HostId(run.host or ""),
            container=container,
            environment=(*container.environment, *variables),
            resources=container.resources,
            log_stream=stream_of(container, job.definition, run.id, run.attempt),
            tags=tags,
            task=job.task,
            gang=_gang(live, index),
        )
        for container in job.containers
    )
    return replace(first, resources=job.resources, others=tuple(others)) if others else first


def _gang(live: LiveJob, index: int | None) -> Gang | None:
    nodes = live.job.nodes
    if nodes is None:
        return None
    others = needed_by_others(live.job) if index == nodes.main else NOTHING
    return Gang(main=live.job.child_id(nodes.main), others=others)


def explain(state: SchedulerState, live: LiveJob, index: int | None) -> list[str]:
    """Why a job or child is not running, in words and numbers; the most important reason first."""
    match state.status(live, index):
        case JobStatus.SUBMITTED | JobStatus.PENDING:
            return _explain_pending(state, live, index)
        case JobStatus.RUNNABLE:
            return _explain_runnable(state, live)
        case JobStatus.STARTING:
            run = state.run_of(live, index)
            if live.nodes is not None:
                return _explain_nodes(live)
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
    if any(known.environment.is_fargate for known in open_environments):
        return blocking_shortage(open_environments, wanted)
    if any(wanted.fits(room) for known in open_environments for room in largest(known)):
        return blocking_shortage(open_environments, wanted)
    if all(wanted.vcpus > known.environment.max_vcpus for known in open_environments):
        return BLOCKED_MAX_VCPUS
    return BLOCKED_TOO_LARGE


def _environments(state: SchedulerState, queue: QueueState) -> list[EnvironmentState]:
    return [state.environments[name] for name in queue.queue.environments if name in state.environments]


def _host(state: SchedulerState, queue: QueueState, live: LiveJob, now: int) -> HostState | None:
    return find_host(state, queue.queue.environments, live.job.resources, now)


def _start(state: SchedulerState, live: LiveJob, index: int | None, host: HostState) -> StartAttempt:
    wanted = live.job.resources
    run = state.begin(live, index)
    state.move(live, index, Signal.PLACED)
    host.occupy(run.id, wanted)
    run.attempt += 1
    run.host = host.host.id
    run.environment = host.host.environment
    run.instance_type = host.host.instance_type
    run.price, run.spot_price = attempt_prices(host.host, wanted)
    run.is_spot = host.host.is_spot
    run.status_reason = None
    return start_order(live, index, run)


def _note_blocked(state: SchedulerState, queue: QueueState, live: LiveJob, index: int | None) -> None:
    """Write the head's blocked reason into its status, once per head."""
    if queue.blocked == (live.job.id, index):
        return
    queue.blocked = (live.job.id, index)
    reason = _blocked_reason_of(state, queue, live)
    if reason is not None:
        state.begin(live, index).status_reason = reason


def _blocked_reason_of(state: SchedulerState, queue: QueueState, live: LiveJob) -> str | None:
    if live.job.nodes is not None:
        return gang_blocked_reason(state, queue, live.job.nodes)
    return blocked_reason(state, queue, live.job.resources)


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
    never = _blocked_reason_of(state, queue, live)
    if never is not None:
        return [never, *_explain_room(state, queue, live)]
    head = state.head(queue)
    if head is not None and head[0] is not live:
        return [
            f"Queue {live.job.queue} is first in, first out, and its head {head[0].job.id} does not fit yet."
        ]
    return _explain_room(state, queue, live)


def _explain_nodes(live: LiveJob) -> list[str]:
    told = (
        f"Its nodes have places on {len(live.under_way())} hosts. The main node starts as soon as this "
        "machine has room for all of them, the others once it runs."
    )
    return [told]


def _explain_room(state: SchedulerState, queue: QueueState, live: LiveJob) -> list[str]:
    if live.job.nodes is not None:
        return explain_gang(state, queue, live.job.nodes)
    return _explain_limits(state, queue, live.job.resources)


def _explain_limits(state: SchedulerState, queue: QueueState, wanted: Resources) -> list[str]:
    return [explain_environment(state, known, wanted) for known in _environments(state, queue)]
