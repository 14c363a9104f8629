"""The one door through which the state changes: `handle(state, event, now) -> effects`.

Each event has one reaction, `on_<event>`; after it, whatever became possible is placed. An event
about an attempt that is over already, or about a job that is gone, changes nothing: reports may
come twice.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from nbbatch.model.events import (
    AttemptExited,
    AttemptStarted,
    AttemptVanished,
    CancelRequested,
    ComputeEnvironmentCreated,
    DefinitionDeregistered,
    DefinitionRegistered,
    Effect,
    Event,
    JobQueueCreated,
    JobSubmitted,
    StopAttempt,
    TerminateRequested,
    Ticked,
)
from nbbatch.model.fleet import HostId
from nbbatch.model.jobs import ACTIVE, Attempt, DefinitionStatus, JobId, JobStatus, Run, log_stream_name
from nbbatch.scheduler.cost import add_attempt
from nbbatch.scheduler.dependencies import BEFORE_READY, BEFORE_START, admit, end, ends_of_children
from nbbatch.scheduler.fleet import add_environment, retire_if_idle, watch_idle
from nbbatch.scheduler.lifecycle import Signal
from nbbatch.scheduler.placement import place
from nbbatch.scheduler.retries import HOST_LOST_REASON, TIMEOUT_REASON, verdict
from nbbatch.scheduler.state import LiveJob, QueueState, SchedulerState

Reaction = Callable[[SchedulerState, Any, int], list[Effect]]


def handle(state: SchedulerState, event: Event, now: int) -> list[Effect]:
    """Let one event happen.

    Parameters
    ----------
    state : SchedulerState
        Changed in place.
    event : Event
        What happened; checked against the state before it became an event.
    now : int
        Epoch ms. Time does not run backwards: an earlier `now` counts as the latest one seen.

    Returns
    -------
    list of Effect
        What to carry out once the event is durable.
    """
    state.now = max(state.now, now)
    effects = REACTIONS[type(event)](state, event, state.now)
    if type(event) is AttemptStarted:  # frees nothing and adds nothing: no job's chances have changed
        return effects
    return effects + place(state, state.now)


def on_definition_registered(state: SchedulerState, event: DefinitionRegistered, _now: int) -> list[Effect]:
    """A new revision is the latest one from now on."""
    definition = event.definition
    state.definitions.setdefault(definition.name, []).append(definition)
    state.changes.definitions[definition.key] = definition
    return []


def on_definition_deregistered(
    state: SchedulerState, event: DefinitionDeregistered, _now: int
) -> list[Effect]:
    """The revision takes no more jobs; those submitted go on."""
    revisions = state.definitions.get(event.name, [])
    for position, known in enumerate(revisions):
        if known.revision == event.revision:
            revisions[position] = known.with_status(DefinitionStatus.INACTIVE)
            state.changes.definitions[known.key] = revisions[position]
    return []


def on_compute_environment_created(
    state: SchedulerState, event: ComputeEnvironmentCreated, _now: int
) -> list[Effect]:
    """Its hosts come with the first job."""
    add_environment(state, event.environment)
    state.changes.environments[event.environment.name] = event.environment
    return []


def on_job_queue_created(state: SchedulerState, event: JobQueueCreated, _now: int) -> list[Effect]:
    """Queues are kept in the order in which placement looks at them."""
    state.queues[event.queue.name] = QueueState(queue=event.queue)
    state.queues = dict(sorted(state.queues.items(), key=lambda item: (-item[1].queue.priority, item[0])))
    state.changes.queues[event.queue.name] = event.queue
    return []


def on_job_submitted(state: SchedulerState, event: JobSubmitted, now: int) -> list[Effect]:
    """The job waits for its dependencies, or for room."""
    admit(state, event, now)
    return []


def on_cancel_requested(state: SchedulerState, event: CancelRequested, now: int) -> list[Effect]:
    """What has not started ends; what is STARTING or RUNNING goes on (API reference, CancelJob)."""
    found = state.find(event.job_id)
    if found is None:
        return []
    live, index = found
    if live.children is not None and index is None:
        _cancel_array(state, live, event.reason, now)
    elif state.status(live, index) is JobStatus.RUNNABLE:
        _mark_cancelled(state, live, index)
        end(state, [(live, index, Signal.CANCELLED, event.reason)], now)
    elif state.status(live, index) in BEFORE_READY:
        _cancel_later(state, live, index, event.reason)
    return []


def on_terminate_requested(state: SchedulerState, event: TerminateRequested, now: int) -> list[Effect]:
    """What has not started ends, what runs is stopped; either way with the caller's reason."""
    found = state.find(event.job_id)
    if found is None:
        return []
    live, index = found
    if live.children is None or index is not None:
        return _terminate(state, live, index, event.reason, now)
    live.run.is_terminated = True
    live.run.stop_reason = live.run.stop_reason or event.reason
    state.changes.jobs[live.job.id] = live
    effects = []
    for active in live.children.in_status(*ACTIVE):
        effects += _terminate(state, live, active, event.reason, now)
    for child in live.children.in_status(*BEFORE_START):
        state.begin(live, child).is_terminated = True
    end(state, ends_of_children(live, BEFORE_START, Signal.CANCELLED, event.reason), now)
    return effects


def on_attempt_started(state: SchedulerState, event: AttemptStarted, _now: int) -> list[Effect]:
    """The container runs; its timeout counts from here (user guide, "Job timeouts")."""
    found = _attempt(state, event.job_id, event.attempt)
    if found is None:
        return []
    live, index, run = found
    if run.status is not JobStatus.STARTING:
        return []
    state.move(live, index, Signal.STARTED)
    run.started_at = event.started_at
    if live.job.timeout is not None:
        heappush(state.deadlines, (event.started_at + live.job.timeout * 1000, run.id, run.attempt))
    return []


def on_attempt_exited(state: SchedulerState, event: AttemptExited, now: int) -> list[Effect]:
    """The attempt's host share is free again; the job is done, tried again, or failed."""
    found = _attempt(state, event.job_id, event.attempt)
    if found is None:
        return []
    live, index, run = found
    signal = verdict(run, live.job.retry_strategy, event)
    reason = run.stop_reason or event.status_reason
    run = state.begin(live, index)
    if event.started_at is not None:
        run.started_at = event.started_at
    attempt = _attempt_record(live, run, event, reason)
    run.attempts += (attempt,)
    if live.run.tally is not None:
        add_attempt(live.run.tally, attempt)
    _vacate(state, run, now)
    run.host = None
    if signal is Signal.RETRIED:
        state.move(live, index, signal)
        run.started_at, run.status_reason = None, reason
        state.enqueue_again(live, index)
        return []
    run.stopped_at = event.stopped_at
    end(state, [(live, index, signal, reason)], now)
    return []


def on_attempt_vanished(state: SchedulerState, event: AttemptVanished, now: int) -> list[Effect]:
    """Nothing is known of the attempt any more: as when its EC2 host was terminated."""
    found = _attempt(state, event.job_id, event.attempt)
    if found is None:
        return []
    run = found[2]
    lost = AttemptExited(
        job_id=event.job_id,
        attempt=event.attempt,
        exit_code=None,
        started_at=run.started_at,
        stopped_at=now,
        status_reason=HOST_LOST_REASON.format(host=run.host),
    )
    return on_attempt_exited(state, lost, now)


def on_ticked(state: SchedulerState, _event: Ticked, now: int) -> list[Effect]:
    """Work off every deadline that is due: timeouts of attempts, idle hosts."""
    effects: list[Effect] = []
    while state.deadlines and state.deadlines[0][0] <= now:
        _, subject, attempt = heappop(state.deadlines)
        if attempt == 0:
            retire_if_idle(state, HostId(subject), now)
        else:
            effects += _time_out(state, JobId(subject), attempt)
    return effects


def _attempt(state: SchedulerState, job_id: JobId, attempt: int) -> tuple[LiveJob, int | None, Run] | None:
    """The run that stands at this very attempt; None when it is over."""
    found = state.find(job_id)
    if found is None:
        return None
    run = state.run_of(*found)
    return (*found, run) if run.attempt == attempt and run.status in ACTIVE else None


def _attempt_record(live: LiveJob, run: Run, event: AttemptExited, reason: str) -> Attempt:
    prefix = dict(live.job.container.log_options).get("awslogs-stream-prefix")
    return Attempt(
        number=run.attempt,
        host=run.host,
        log_stream=log_stream_name(live.job.definition, run.id, run.attempt, prefix),
        started_at=run.started_at,
        stopped_at=event.stopped_at,
        exit_code=event.exit_code,
        reason=event.reason,
        status_reason=reason,
        usage=event.usage,
        price=run.price,
        spot_price=run.spot_price,
        instance_type=run.instance_type,
    )


def _vacate(state: SchedulerState, run: Run, now: int) -> None:
    if run.environment is None or run.host is None:
        return
    host = state.environments[run.environment].hosts[HostId(run.host)]
    host.vacate(run.id, now)
    if not host.occupants:
        watch_idle(state, host)


def _cancel_array(state: SchedulerState, live: LiveJob, reason: str, now: int) -> None:
    if live.children is None:
        return
    waiting = live.children.in_status(*BEFORE_READY)
    ready = live.children.in_status(JobStatus.RUNNABLE)
    if waiting or ready:
        live.run.is_cancelled = True
        live.run.stop_reason = live.run.stop_reason or reason
        state.changes.jobs[live.job.id] = live
    for index in waiting:
        live.children.asked.setdefault(index, reason)
    for index in ready:
        _mark_cancelled(state, live, index)
    end(state, [(live, index, Signal.CANCELLED, reason) for index in ready], now)


def _cancel_later(state: SchedulerState, live: LiveJob, index: int | None, reason: str) -> None:
    """A PENDING job is cancelled once its dependencies are done (API reference, CancelJob)."""
    if index is not None and live.children is not None:
        live.children.asked.setdefault(index, reason)
    else:
        live.run.is_cancelled = True
        live.run.stop_reason = live.run.stop_reason or reason
    state.changes.jobs[live.job.id] = live


def _mark_cancelled(state: SchedulerState, live: LiveJob, index: int | None) -> None:
    state.begin(live, index).is_cancelled = True


def _terminate(
    state: SchedulerState, live: LiveJob, index: int | None, reason: str, now: int
) -> list[Effect]:
    if state.status(live, index).is_terminal:
        return []
    run = state.begin(live, index)
    run.is_terminated = True
    if run.status not in ACTIVE:
        end(state, [(live, index, Signal.CANCELLED, reason)], now)
        return []
    if run.stop_reason is not None:
        return []
    run.stop_reason = reason
    return [StopAttempt(job_id=run.id, attempt=run.attempt)]


def _time_out(state: SchedulerState, job_id: JobId, attempt: int) -> list[Effect]:
    found = _attempt(state, job_id, attempt)
    if found is None or found[2].stop_reason is not None:
        return []
    run = state.begin(found[0], found[1])
    run.stop_reason = TIMEOUT_REASON
    return [StopAttempt(job_id=run.id, attempt=run.attempt)]


REACTIONS: dict[type, Reaction] = {
    DefinitionRegistered: on_definition_registered,
    DefinitionDeregistered: on_definition_deregistered,
    ComputeEnvironmentCreated: on_compute_environment_created,
    JobQueueCreated: on_job_queue_created,
    JobSubmitted: on_job_submitted,
    CancelRequested: on_cancel_requested,
    TerminateRequested: on_terminate_requested,
    AttemptStarted: on_attempt_started,
    AttemptExited: on_attempt_exited,
    AttemptVanished: on_attempt_vanished,
    Ticked: on_ticked,
}
