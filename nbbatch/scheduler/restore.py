"""From rows back to a state: what a daemon does first after it was killed.

Rows hold facts; every index (queues, dependents, free room, deadlines) is built again from them.
A dependency that is no longer live succeeded: had it failed, its dependents would have failed in
the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nbbatch.model.fleet import Catalogue, ComputeEnvironment, Host, HostId, JobQueue, Noun, ShareUsage
from nbbatch.model.jobs import ACTIVE, Job, JobDefinition, JobStatus, Run
from nbbatch.scheduler import consumables
from nbbatch.scheduler.blocked import restore_blocked
from nbbatch.scheduler.budget import restore_ended, restore_running
from nbbatch.scheduler.cost import tally_of
from nbbatch.scheduler.dependencies import is_released, note_dependents, sort_dependencies
from nbbatch.scheduler.fleet import add_environment, add_host, remind_again, watch_idle
from nbbatch.scheduler.nodes import Nodes
from nbbatch.scheduler.queueing import join, open_queue, restore_share, resume_use
from nbbatch.scheduler.state import CODE, Children, DeadlineKind, LiveJob, SchedulerState


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJob:
    """A row of a job that is not terminal, with the rows of those children that have one.

    `asked` holds the reasons of children whose cancellation waits for their dependencies.
    """

    job: Job
    run: Run
    sequence: int
    children: Mapping[int, Run] = field(default_factory=dict)
    asked: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All rows a state is made of. `now`, `sequence` and `host_count` go on where they stopped.

    `spent_today` is what ended attempts were charged on the day (UTC) of `now`, in dollars.
    """

    seed: int = 0
    now: int = 0
    sequence: int = 0
    host_count: int = 0
    definitions: Sequence[JobDefinition] = ()
    environments: Sequence[ComputeEnvironment] = ()
    queues: Sequence[JobQueue] = ()
    hosts: Sequence[Host] = ()
    nouns: Sequence[Noun] = ()
    jobs: Sequence[StoredJob] = ()
    spent_today: float = 0.0


def restore(snapshot: Snapshot, catalogue: Catalogue) -> SchedulerState:
    """Build the state that had written these rows."""
    state = SchedulerState(
        catalogue=catalogue,
        seed=snapshot.seed,
        now=snapshot.now,
        sequence=snapshot.sequence,
        host_count=snapshot.host_count,
    )
    for definition in sorted(snapshot.definitions, key=lambda known: known.revision):
        state.definitions.setdefault(definition.name, []).append(definition)
    for environment in snapshot.environments:
        add_environment(state, environment)
    _restore_queues(state, snapshot)
    for host in snapshot.hosts:
        add_host(state, host)
    _restore_jobs(state, snapshot)
    restore_running(state, snapshot.spent_today)
    for known in state.environments.values():
        for occupied in known.hosts.values():
            if not occupied.occupants:
                watch_idle(state, occupied)
    remind_again(state)
    state.drain_changes()
    return state


def _restore_queues(state: SchedulerState, snapshot: Snapshot) -> None:
    """Queues by their policies, then what their shares have used."""
    for noun in snapshot.nouns:
        state.keep_noun(noun)
    for queue in sorted(snapshot.queues, key=lambda known: (-known.priority, known.name)):
        state.queues[queue.name] = open_queue(state, queue)
    for noun in snapshot.nouns:
        if isinstance(noun, ShareUsage):
            restore_share(state, noun)


def _restore_jobs(state: SchedulerState, snapshot: Snapshot) -> None:
    stored = sorted(snapshot.jobs, key=lambda row: row.sequence)
    for row in stored:
        state.jobs[row.job.id] = LiveJob(job=row.job, run=row.run, sequence=row.sequence)
        if row.job.array_size is not None:
            state.jobs[row.job.id].children = _children(row, row.job.array_size)
            row.run.tally = tally_of(row.children.values())
        if row.job.nodes is not None:
            state.jobs[row.job.id].nodes = Nodes(runs=dict(row.children))
            row.run.tally = tally_of(row.children.values())
        own = [] if row.job.nodes is not None else [row.run]  # a main node's attempts are its job's, too
        restore_ended(state.jobs[row.job.id], [*own, *row.children.values()])
    for row in stored:
        _connect(state, state.jobs[row.job.id])
    for row in stored:
        _queue(state, state.jobs[row.job.id], row)


def _children(row: StoredJob, size: int) -> Children:
    children = Children.all_in(JobStatus.PENDING, size)
    for index, run in row.children.items():
        children.set_status(index, run.status)
        if not run.status.is_terminal:
            children.runs[index] = run
    children.asked = dict(row.asked)
    return children


def _connect(state: SchedulerState, live: LiveJob) -> None:
    """Dependencies: those that are not live any more have succeeded."""
    sort_dependencies(live, is_live=lambda job_id: _is_unfinished(state, job_id))
    note_dependents(state, live)
    join(state, live.job)


def _is_unfinished(state: SchedulerState, job_id: str) -> bool:
    found = state.find(job_id)
    return found is not None and not state.status(*found).is_terminal


def _queue(state: SchedulerState, live: LiveJob, row: StoredJob) -> None:
    """Put what waits into its queue again and what runs onto its host."""
    if live.nodes is not None:
        _resume_nodes(state, live.nodes)
    if live.children is None:
        _resume(state, live, live.run)
        if live.run.status is JobStatus.RUNNABLE:
            _requeue(state, live, None, live.run)
        return
    for index, run in row.children.items():
        _resume(state, live, run)
        if run.status is JobStatus.RUNNABLE:
            _requeue(state, live, index, run)
    _release_untouched(state, live, row)


def _release_untouched(state: SchedulerState, live: LiveJob, row: StoredJob) -> None:
    """A child without a row is RUNNABLE unless a dependency holds it."""
    children = live.children
    if children is None:
        return
    for index in children.in_status(JobStatus.PENDING):
        if index not in row.children and is_released(state, live, index):
            children.set_status(index, JobStatus.RUNNABLE)
    if children.counts[CODE[JobStatus.RUNNABLE]]:
        state.enqueue(live)


def _requeue(state: SchedulerState, live: LiveJob, index: int | None, run: Run) -> None:
    restore_blocked(state, state.queues[live.job.queue], (live, index), run)
    if run.attempts:
        state.enqueue_again(live, index)
    elif live.children is None:
        state.enqueue(live)


def _resume(state: SchedulerState, live: LiveJob, run: Run) -> None:
    if run.status not in ACTIVE or run.environment is None:
        return
    if run.host is not None:
        host = state.environments[run.environment].hosts[HostId(run.host)]
        host.occupy(run.id, live.job.resources)
    consumables.resume(state, live.job)
    resume_use(state, live.job, live.job.gang_resources.vcpus)
    if run.started_at is not None and live.job.timeout is not None and run.stop_reason is None:
        state.remind(run.started_at + live.job.timeout * 1000, DeadlineKind.TIMEOUT, run.id, run.attempt)


def _resume_nodes(state: SchedulerState, nodes: Nodes) -> None:
    """A node holds its whole host."""
    for index in nodes.under_way:
        run = nodes.runs[index]
        host = state.environments[run.environment or ""].hosts[HostId(run.host or "")]
        host.occupy(run.id, host.host.capacity)
        nodes.holding += 1
