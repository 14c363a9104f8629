"""Who waits for whom: dependsOn, array fan-out, SEQUENTIAL, N_TO_N, and the parent's roll-up.

Sources: AWS Batch user guide, "Job dependencies" and "Array jobs". One end can decide many others
(a broken chain, an array whose dependency failed), so ends are worked off from a list, not by
recursion. A dependency is noted under the id somebody waits for, and leaves with that id.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappush

from nbbatch.model.events import JobSubmitted
from nbbatch.model.jobs import TERMINAL, DependencyType, JobId, JobStatus, Run, Tally, child_id
from nbbatch.scheduler.lifecycle import Signal
from nbbatch.scheduler.nodes import Nodes
from nbbatch.scheduler.queueing import join, leave
from nbbatch.scheduler.state import CODE, Children, LiveJob, SchedulerState
from nbbatch.scheduler.transitions import stretches

DEPENDENCY_FAILED = "Dependent Job failed"
CHILD_FAILED = "Array Child Job failed"
BEFORE_READY = (JobStatus.SUBMITTED, JobStatus.PENDING)
BEFORE_START = (*BEFORE_READY, JobStatus.RUNNABLE)

_DEPENDENCY_FAILED = Signal.DEPENDENCY_FAILED

End = tuple[LiveJob, int | None, Signal, str]
"""A job or child that shall end now: how, and with which status reason."""


def admit(state: SchedulerState, event: JobSubmitted, now: int) -> None:
    """Take a submitted job in: note its dependencies and make ready what waits for nothing."""
    live = _new_live(state, event)
    job_id = live.job.id
    state.jobs[job_id] = state.changes.jobs[job_id] = live
    join(state, live.job)
    if live.job.depends_on:
        note_dependents(state, live)
    has_failed = bool(event.finished_dependencies) and _failed_already(event)
    if live.waits_for or live.children is not None or has_failed:
        state.move(live, None, Signal.HELD)
    if has_failed:
        end(state, _whole(live, Signal.DEPENDENCY_FAILED, DEPENDENCY_FAILED), now)
    elif not live.waits_for:
        if ends := _release(state, live):
            end(state, ends, now)
    else:
        end(
            state,
            [(live, index, Signal.DEPENDENCY_FAILED, DEPENDENCY_FAILED) for index in live.failed_items],
            now,
        )


def note_dependents(state: SchedulerState, live: LiveJob) -> None:
    """Index a job under everything it waits for."""
    for awaited in {*live.waits_for, *live.item_by_item}:
        state.dependents.setdefault(awaited, set()).add(live.job.id)


def is_released(state: SchedulerState, live: LiveJob, index: int) -> bool:
    """Whether child `index` has nothing more to wait for."""
    if live.waits_for or live.children is None:
        return False
    if live.sequential and index > 0 and live.children.status(index - 1) is not JobStatus.SUCCEEDED:
        return False
    return all(_item_succeeded(state, awaited, index) for awaited in live.item_by_item)


def end(state: SchedulerState, ends: list[End], now: int) -> None:
    """End these jobs and children, and then all that their ends decide."""
    todo = ends[::-1]
    while todo:
        live, index, signal, reason = todo.pop()
        if state.status(live, index) in TERMINAL:
            continue
        finished = _finish(state, (live, index, signal, reason), now)
        if index is not None or state.dependents:
            todo += _consequences(state, live, index, finished)


def ends_of_children(
    live: LiveJob, statuses: tuple[JobStatus, ...], signal: Signal, reason: str
) -> list[End]:
    """An end for each child that is in one of these statuses."""
    indexes = live.children.in_status(*statuses) if live.children is not None else []
    return [(live, index, signal, reason) for index in indexes]


def _new_live(state: SchedulerState, event: JobSubmitted) -> LiveJob:
    job = event.job
    run = Run(id=job.id, status=JobStatus.SUBMITTED, created_at=job.created_at)
    state.sequence += 1
    live = LiveJob(job=job, run=run, sequence=state.sequence)
    if job.depends_on:
        gone = {known.job_id: known for known in event.finished_dependencies}
        sort_dependencies(live, is_live=lambda job_id: job_id not in gone)
        live.failed_items = _failed_counterparts(state, live, event)
    if job.array_size is not None:
        live.children = Children.all_in(JobStatus.PENDING, job.array_size)
        run.tally = Tally()
    if job.nodes is not None:
        live.nodes = Nodes()
        run.tally = Tally()
    return live


def _failed_counterparts(state: SchedulerState, live: LiveJob, event: JobSubmitted) -> frozenset[int]:
    """Indexes whose N_TO_N counterpart had failed before this job was submitted."""
    by_item = {known.job_id for known in live.job.depends_on if known.type is DependencyType.N_TO_N}
    failed = {
        index
        for gone in event.finished_dependencies
        if gone.job_id in by_item
        for index in gone.failed_children
    }
    for awaited in live.item_by_item:
        children = state.jobs[awaited].children
        failed.update(children.in_status(JobStatus.FAILED) if children is not None else ())
    return frozenset(failed)


def sort_dependencies(live: LiveJob, is_live: Callable[[JobId], bool]) -> None:
    """Sort a job's dependencies into those on whole jobs, item by item, and on its own chain."""
    items: list[JobId] = []
    for dependency in live.job.depends_on:
        if dependency.type is DependencyType.SEQUENTIAL or dependency.job_id is None:
            live.sequential = True
        elif not is_live(dependency.job_id):
            continue
        elif dependency.type is DependencyType.N_TO_N:
            items.append(dependency.job_id)
        else:
            live.waits_for.add(dependency.job_id)
    live.item_by_item = tuple(items)


def _failed_already(event: JobSubmitted) -> bool:
    failed = {known.job_id for known in event.finished_dependencies if not known.succeeded}
    return any(
        dependency.job_id in failed and dependency.type is not DependencyType.N_TO_N
        for dependency in event.job.depends_on
    )


def _item_succeeded(state: SchedulerState, awaited: JobId, index: int) -> bool:
    """Whether child `index` of an array succeeded; of one that is gone, it did."""
    live = state.jobs.get(awaited)
    return live is None or live.children is None or live.children.status(index) is JobStatus.SUCCEEDED


def _release(state: SchedulerState, live: LiveJob) -> list[End]:
    """Make a job ready whose whole dependencies are met; what was cancelled meanwhile ends instead."""
    if live.children is None:
        if live.run.stop_reason is not None:
            return [(live, None, Signal.CANCELLED, live.run.stop_reason)]
        state.move(live, None, Signal.READY)
        state.enqueue(live)
        return []
    if live.sequential or live.item_by_item or live.failed_items or live.children.asked:
        ends: list[End] = []
        ends += [
            (live, index, Signal.DEPENDENCY_FAILED, DEPENDENCY_FAILED) for index in sorted(live.failed_items)
        ]
        for index in live.children.in_status(JobStatus.PENDING):
            if index not in live.failed_items:
                ends += _release_child(state, live, index)
        return ends
    _release_all_children(state, live)
    return []


def _release_all_children(state: SchedulerState, live: LiveJob) -> None:
    """The common case in one stroke: every PENDING child of an array becomes RUNNABLE."""
    children = live.children
    if children is None:
        return
    pending, ready = CODE[JobStatus.PENDING], CODE[JobStatus.RUNNABLE]
    if not children.counts[pending]:
        return
    state.changes.transitions += [
        (live, first, count, pending, ready, 0, "") for first, count in _stretches_in(children, pending)
    ]
    children.statuses = children.statuses.replace(bytes([pending]), bytes([ready]))
    children.counts[ready] += children.counts[pending]
    children.counts[pending] = 0
    state.move(live, None, Signal.CHILD_READY)
    state.enqueue(live)


def _stretches_in(children: Children, code: int) -> list[tuple[int, int]]:
    """Children in a status, as stretches; mostly it is all of them."""
    size = len(children.statuses)
    if children.counts[code] == size:
        return [(0, size)]
    return stretches([index for index, known in enumerate(children.statuses) if known == code])


def _release_child(state: SchedulerState, live: LiveJob, index: int) -> list[End]:
    """Make one PENDING child ready if nothing holds it."""
    if live.children is None or live.children.status(index) is not JobStatus.PENDING:
        return []
    if not is_released(state, live, index):
        return []
    asked = live.children.asked.pop(index, None)
    if asked is not None:
        return [(live, index, Signal.CANCELLED, asked)]
    state.move(live, index, Signal.READY)
    state.move(live, None, Signal.CHILD_READY)
    heappush(live.children.ready, index)
    state.enqueue(live)
    return []


def _finish(state: SchedulerState, ending: End, now: int) -> JobStatus:
    live, index, signal, reason = _as_asked(ending) if ending[2] is _DEPENDENCY_FAILED else ending
    run = live.run if index is None else state.begin(live, index)
    status = state.move(live, index, signal)
    run.status_reason = reason or None
    run.stopped_at = now if run.stopped_at is None else run.stopped_at
    if live.children is not None and index is not None:
        live.children.runs.pop(index, None)
        live.children.asked.pop(index, None)
    else:
        del state.jobs[live.job.id]
        leave(state, live.job, now)
        if state.dependents:
            _forget_dependent(state, live)
    return status


def _as_asked(ending: End) -> End:
    """A PENDING job that somebody cancelled has the caller's reason, however its dependencies end.

    [?] CancelJob promises it for dependencies that complete; AWS does not say what a failed one shows.
    """
    live, index, _, _ = ending
    children = live.children
    asked = live.run.stop_reason if children is None or index is None else children.asked.get(index)
    return ending if asked is None else (live, index, Signal.CANCELLED, asked)


def _forget_dependent(state: SchedulerState, live: LiveJob) -> None:
    for awaited in {*live.waits_for, *live.item_by_item}:
        waiting = state.dependents.get(awaited)
        if waiting is not None:
            waiting.discard(live.job.id)
            if not waiting:
                del state.dependents[awaited]


def _consequences(state: SchedulerState, live: LiveJob, index: int | None, status: JobStatus) -> list[End]:
    succeeded = status is JobStatus.SUCCEEDED
    ends: list[End] = []
    if state.dependents:
        ended = live.job.id if index is None else child_id(live.job.id, index)
        ends += _tell_dependents(state, ended, succeeded=succeeded)
        if index is not None:
            ends += _tell_counterparts(state, live.job.id, index, succeeded=succeeded)
    if index is not None and live.children is not None:
        if live.sequential and index + 1 < len(live.children.statuses):
            ends += _tell_child(state, live, index + 1, succeeded=succeeded)
        if live.children.unfinished == 0:
            ends.append(_roll_up(live, live.children))
    return ends


def _tell_dependents(state: SchedulerState, ended: JobId, *, succeeded: bool) -> list[End]:
    """Those that waited for the whole of a job or child."""
    ends: list[End] = []
    for job_id in sorted(state.dependents.get(ended, ())):
        waiting = state.jobs[job_id]
        if ended not in waiting.waits_for:
            continue
        if not succeeded:
            ends += _whole(waiting, Signal.DEPENDENCY_FAILED, DEPENDENCY_FAILED)
            continue
        waiting.waits_for.discard(ended)
        if not waiting.waits_for:
            ends += _release(state, waiting)
    _drop_awaited(state, ended)
    return ends


def _drop_awaited(state: SchedulerState, ended: JobId) -> None:
    """A finished id is awaited no more; item-by-item dependents were told child by child."""
    for job_id in state.dependents.pop(ended, ()):
        waiting = state.jobs.get(job_id)
        if waiting is not None:
            waiting.item_by_item = tuple(awaited for awaited in waiting.item_by_item if awaited != ended)


def _tell_counterparts(state: SchedulerState, parent: JobId, index: int, *, succeeded: bool) -> list[End]:
    ends: list[End] = []
    for job_id in sorted(state.dependents.get(parent, ())):
        waiting = state.jobs[job_id]
        if parent in waiting.item_by_item:
            ends += _tell_child(state, waiting, index, succeeded=succeeded)
    return ends


def _tell_child(state: SchedulerState, live: LiveJob, index: int, *, succeeded: bool) -> list[End]:
    if succeeded:
        return _release_child(state, live, index)
    return [(live, index, Signal.DEPENDENCY_FAILED, DEPENDENCY_FAILED)]


def _whole(live: LiveJob, signal: Signal, reason: str) -> list[End]:
    """The end of a job, or of all children of an array that have not started."""
    if live.children is None:
        return [(live, None, signal, reason)]
    live.run.stop_reason = live.run.stop_reason or reason
    return ends_of_children(live, BEFORE_START, signal, reason)


def _roll_up(live: LiveJob, children: Children) -> End:
    if children.counts[CODE[JobStatus.FAILED]]:
        return live, None, Signal.CHILD_FAILED, live.run.stop_reason or CHILD_FAILED
    return live, None, Signal.CHILDREN_SUCCEEDED, ""
