"""What the starts and ends of nodes mean for their job: the main node alone decides.

Source: AWS Batch user guide, "Multi-node parallel jobs". The other nodes start once the main node is
RUNNING, and are stopped when it has ended; a node that dies before changes nothing. The job itself
ends, or is tried again with all of its nodes, when the last node has given its host back: so a new
attempt never meets the old one's nodes.
"""

from __future__ import annotations

from collections.abc import Sequence

from nbbatch.model.events import Effect, StopAttempt
from nbbatch.model.jobs import Attempt, JobStatus, Run
from nbbatch.scheduler.dependencies import end
from nbbatch.scheduler.lifecycle import Signal
from nbbatch.scheduler.nodes import Nodes
from nbbatch.scheduler.orders import Placed
from nbbatch.scheduler.retries import TIMEOUT_REASON, verdict
from nbbatch.scheduler.state import DeadlineKind, LiveJob, SchedulerState

MAIN_NODE_ENDED = "Main node ended"
"""[?] AWS's words for a node that was stopped because of it are not known."""


def on_node_started(state: SchedulerState, live: LiveJob, index: int, started_at: int) -> Sequence[Placed]:
    """With the main node the job is RUNNING and its timeout begins; now the other nodes may start."""
    if live.nodes is None or live.job.nodes is None or index != live.job.nodes.main:
        return []
    waiting = waiting_nodes(live)
    state.move(live, None, Signal.STARTED)
    live.run.started_at = started_at
    if live.job.timeout is not None:
        at = started_at + live.job.timeout * 1000
        state.remind(at, DeadlineKind.TIMEOUT, live.job.id, live.run.attempt)
    return [Placed(live, other, live.nodes.runs[other]) for other in waiting]


def on_node_ended(state: SchedulerState, live: LiveJob, index: int, now: int) -> list[Effect]:
    """A node's attempt is on record and its host is free; after the main node the others are stopped."""
    nodes, properties = live.nodes, live.job.nodes
    if nodes is None or properties is None:
        return []
    run, main = nodes.runs[index], nodes.runs[properties.main]
    attempt = run.attempts[-1]
    is_main = index == properties.main
    signal = _main_signal(live, attempt) if is_main else outcome_of_other_node(main, run, attempt)
    nodes.holding -= 1
    state.move(live, index, signal)
    run.status_reason = attempt.status_reason
    effects: list[Effect] = []
    if is_main:
        state.begin(live, None).attempts += (attempt,)
        live.run.started_at = attempt.started_at
        effects += _stop_others(state, live, nodes)
    if not nodes.holding:
        _conclude(
            state, live, attempt=main.attempts[-1], succeeded=main.status is JobStatus.SUCCEEDED, now=now
        )
    return effects


def on_nodes_timeout(state: SchedulerState, live: LiveJob) -> list[Effect]:
    """The time is the main node's; when that has ended, the others are on their way already."""
    if live.nodes is None or live.job.nodes is None:
        return []
    has_ended = live.nodes.runs[live.job.nodes.main].status.is_terminal
    return [] if has_ended else stop_nodes(state, live, TIMEOUT_REASON)


def stop_nodes(state: SchedulerState, live: LiveJob, reason: str) -> list[Effect]:
    """Stop all nodes for good; when the main node has ended, what it decided stays, but for a retry."""
    nodes, properties = live.nodes, live.job.nodes
    if nodes is None or properties is None:
        return []
    main = nodes.runs[properties.main]
    if main.status is JobStatus.SUCCEEDED:
        return []
    state.begin(live, None).stop_reason = reason
    waiting = set(waiting_nodes(live))
    return _stop(state, live, [index for index in nodes.under_way if index not in waiting], reason)


def waiting_nodes(live: LiveJob) -> list[int]:
    """Indexes of the nodes that have a host and wait for their main node to run."""
    if live.nodes is None or live.job.nodes is None or live.run.status is not JobStatus.STARTING:
        return []
    return [index for index in live.nodes.under_way if index != live.job.nodes.main]


def outcome_of_other_node(main: Run, run: Run, attempt: Attempt) -> Signal:
    """How a node's own status ends.

    [?] AWS does not document the status of a node that is stopped because its main node has ended.
    Here it shares the main node's fate, so that a job that succeeded has no failed nodes but those
    which failed by themselves.
    """
    if main.status.is_terminal:
        return Signal.SUCCEEDED if main.status is JobStatus.SUCCEEDED else Signal.FAILED
    return Signal.SUCCEEDED if attempt.exit_code == 0 and run.stop_reason is None else Signal.FAILED


def _main_signal(live: LiveJob, attempt: Attempt) -> Signal:
    decided = verdict(live.run, live.job.retry_strategy, attempt)
    return Signal.FAILED if decided is Signal.RETRIED else decided


def _stop_others(state: SchedulerState, live: LiveJob, nodes: Nodes) -> list[Effect]:
    """Those that wait for the main node have not been told to start, and end without a word."""
    if live.run.status is not JobStatus.RUNNING:
        return []
    running = [index for index in nodes.under_way if nodes.runs[index].stop_reason is None]
    return _stop(state, live, running, MAIN_NODE_ENDED)


def _stop(state: SchedulerState, live: LiveJob, indexes: list[int], reason: str) -> list[Effect]:
    effects: list[Effect] = []
    for index in indexes:
        run = state.begin(live, index)
        run.stop_reason = reason
        effects.append(StopAttempt(job_id=run.id, attempt=run.attempt))
    return effects


def _conclude(state: SchedulerState, live: LiveJob, *, attempt: Attempt, succeeded: bool, now: int) -> None:
    """No node holds a host any more: what the main node's end means for the job."""
    if live.run.status is JobStatus.STARTING and attempt.started_at is not None:
        state.move(live, None, Signal.STARTED)
    reason = live.run.stop_reason or attempt.status_reason
    signal = Signal.SUCCEEDED if succeeded else verdict(live.run, live.job.retry_strategy, attempt)
    if signal is Signal.RETRIED:
        state.move(live, None, signal)
        live.run.started_at, live.run.status_reason = None, reason
        state.enqueue_again(live, None)
        return
    live.run.stopped_at = attempt.stopped_at
    end(state, [(live, None, signal, reason)], now)
