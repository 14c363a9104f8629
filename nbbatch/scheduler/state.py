"""SchedulerState: the one mutable object of the ground, its indexes, and the proof of their harmony.

Only jobs that can still change live here; a finished job is handed to the rows in the tick that
finishes it. An array is one entry with a byte per child, so that a child costs more only while it
runs. `validate()` states every invariant; tests call it after each event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import md5
from heapq import heappop, heappush
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec import field as structs_field

from nbbatch.model.fleet import (
    Catalogue,
    ComputeEnvironment,
    ConsumableResource,
    DayBudget,
    Host,
    HostId,
    JobQueue,
    Noun,
    QuotaShare,
    SchedulingPolicy,
    ServiceEnvironment,
    ShareUsage,
)
from nbbatch.model.jobs import (
    ACTIVE,
    Attempt,
    Job,
    JobDefinition,
    JobId,
    JobStatus,
    Run,
    child_id,
    is_node_id,
    split_child_id,
)
from nbbatch.scheduler.hosts import EnvironmentState, HostState
from nbbatch.scheduler.invariants import check_invariants
from nbbatch.scheduler.lifecycle import Signal, advance
from nbbatch.scheduler.nodes import Nodes
from nbbatch.scheduler.queueing import Place, QueueState, enqueue, head, runnable
from nbbatch.scheduler.spending import Spending
from nbbatch.scheduler.transitions import WHOLE, Transition

STATUSES = tuple(JobStatus)
CODE = {status: code for code, status in enumerate(STATUSES)}
_RUNNABLE = CODE[JobStatus.RUNNABLE]
_SUCCEEDED, _FAILED = CODE[JobStatus.SUCCEEDED], CODE[JobStatus.FAILED]
_IS_RUNNABLE = JobStatus.RUNNABLE


class DeadlineKind(StrEnum):
    """What time alone may change; each kind has one reaction in `reactor.REMINDERS`."""

    TIMEOUT = "an attempt runs too long"
    IDLE_HOST = "a host has had no job"
    HOST_READY = "a host has come up"
    HOST_STOPS = "a host is about to go"
    CAPACITY_WAIT = "an environment without capacity has been waited for"
    LOOK_AHEAD = "waiting jobs may need more hosts"
    BLOCKED_HEAD = "the head of a queue is blocked for too long"
    SHARE_LEFT = "a share has had no job"
    BUDGET = "a job or a day has spent what it may"


class Deadline(NamedTuple):
    """Something to look at when its time has come.

    Parameters
    ----------
    at : int
        Epoch ms.
    subject : str
        Id of a job, child or host, or the name of a queue, share or environment.
    number : int
        Which attempt of a job is meant.
    """

    at: int
    kind: DeadlineKind
    subject: str
    number: int = 0


@dataclass(slots=True)
class Children:
    """The children of a live array, one byte each.

    Parameters
    ----------
    statuses : bytearray
        Code of each child's status, by index.
    counts : list of int
        Number of children by code; always agrees with `statuses`.
    runs : dict of int to Run
        Children that have an attempt behind or before them and are not terminal yet.
    cursor : int
        No child below is RUNNABLE, but for those in `ready` or `retried`.
    ready, retried : list of int
        Heaps of children that became RUNNABLE one by one, and again after a failed attempt. A
        number whose child is not RUNNABLE is dropped when it comes up.
    queued : bool
        Whether the array has an entry at the back of its queue.
    asked : dict of int to str
        Reasons of children whose cancellation waits for their dependencies.
    """

    statuses: bytearray
    counts: list[int]
    runs: dict[int, Run] = field(default_factory=dict)
    cursor: int = 0
    ready: list[int] = field(default_factory=list)
    retried: list[int] = field(default_factory=list)
    queued: bool = False
    asked: dict[int, str] = field(default_factory=dict)

    @classmethod
    def all_in(cls, status: JobStatus, size: int) -> Children:
        """An array whose children are all in one status."""
        counts = [0] * len(STATUSES)
        counts[CODE[status]] = size
        return cls(statuses=bytearray([CODE[status]]) * size, counts=counts)

    def status(self, index: int) -> JobStatus:
        """Status of a child."""
        return STATUSES[self.statuses[index]]

    def set_status(self, index: int, status: JobStatus) -> None:
        """Move a child, keeping the counts."""
        self.set_code(index, CODE[status])

    def set_code(self, index: int, code: int) -> None:
        """The same by the status's code."""
        self.counts[self.statuses[index]] -= 1
        self.counts[code] += 1
        self.statuses[index] = code

    def in_status(self, *statuses: JobStatus) -> list[int]:
        """Indexes of the children in any of these statuses, ascending."""
        codes = {CODE[status] for status in statuses}
        return [index for index, code in enumerate(self.statuses) if code in codes]

    @property
    def unfinished(self) -> int:
        """Number of children that are not terminal."""
        return len(self.statuses) - self.counts[_SUCCEEDED] - self.counts[_FAILED]

    def next_ready(self) -> int | None:
        """Index of the next RUNNABLE child in the ordinary order; None when there is none."""
        if self.ready and (index := self._lowest_runnable(self.ready)) is not None:
            return index
        found = self.statuses.find(_RUNNABLE, self.cursor)
        self.cursor = len(self.statuses) if found < 0 else found
        return None if found < 0 else found

    def next_retried(self) -> int | None:
        """Index of the next child to try again; None when there is none."""
        return self._lowest_runnable(self.retried) if self.retried else None

    def _lowest_runnable(self, heap: list[int]) -> int | None:
        while heap and self.statuses[heap[0]] != _RUNNABLE:
            heappop(heap)
        return heap[0] if heap else None


class LiveJob(Struct):
    """A job that can still change.

    Parameters
    ----------
    sequence : int
        Order of submission.
    waits_for : set of JobId
        Jobs or children that must succeed as a whole first.
    item_by_item : tuple of JobId
        Arrays whose child i must succeed before child i of this one (N_TO_N).
    sequential : bool
        Whether child i waits for child i-1.
    failed_items : frozenset of int
        Children whose N_TO_N counterpart had failed before this job was submitted.
    nodes : Nodes or None
        Of a multi-node job.
    spending : Spending
        What its attempts have cost, those of its children too.
    """

    job: Job
    run: Run
    sequence: int
    children: Children | None = None
    waits_for: set[JobId] = set()
    item_by_item: tuple[JobId, ...] = ()
    sequential: bool = False
    failed_items: frozenset[int] = frozenset()
    nodes: Nodes | None = None
    spending: Spending = structs_field(default_factory=Spending)

    def own_run(self, index: int | None) -> Run:
        """The job's progress, or that of one of its nodes."""
        return self.run if index is None or self.nodes is None else self.nodes.runs[index]

    def under_way(self) -> list[tuple[int | None, Run]]:
        """The job, or those of its children and nodes, that hold a host."""
        if self.nodes is not None:
            return [(index, self.nodes.runs[index]) for index in self.nodes.under_way]
        if self.children is not None:
            return [(index, run) for index, run in self.children.runs.items() if run.status in ACTIVE]
        return [(None, self.run)] if self.run.status in ACTIVE else []

    def ordered(self) -> list[tuple[int | None, Run]]:
        """Of those under way, whom an executor has been told to start, a main node before its others."""
        nodes = self.job.nodes
        if nodes is None:
            return self.under_way()
        told = sorted(self.under_way(), key=lambda item: item[0] != nodes.main)
        return told[:1] if self.run.status is JobStatus.STARTING else told


class EndedAttempt(Struct, frozen=True):
    """An attempt that ended, and where it was: what it cost is counted from this."""

    job: Job
    environment: str
    attempt: Attempt


@dataclass(slots=True)
class Changes:
    """What the rows must learn from the events handled since the last commit.

    Values are the live objects themselves: the rows are written before the next event. None means
    that the row goes. `nouns` holds whatever has no table of its own, by class and name; `tags` the
    new tags of jobs, live and finished ones. `transitions` are all changes of status, `ended` the
    attempts that ended, `reclaimed` the Spot hosts that were given notice, all in order.
    """

    jobs: dict[JobId, LiveJob] = field(default_factory=dict)
    children: dict[JobId, Run] = field(default_factory=dict)
    definitions: dict[str, JobDefinition] = field(default_factory=dict)
    environments: dict[str, ComputeEnvironment | None] = field(default_factory=dict)
    queues: dict[str, JobQueue | None] = field(default_factory=dict)
    hosts: dict[HostId, HostState | None] = field(default_factory=dict)
    nouns: dict[tuple[type[Noun], str], Noun | None] = field(default_factory=dict)
    tags: dict[JobId, Mapping[str, str]] = field(default_factory=dict)
    transitions: list[Transition] = field(default_factory=list)
    ended: list[EndedAttempt] = field(default_factory=list)
    reclaimed: list[Host] = field(default_factory=list)

    @property
    def touched(self) -> set[JobId]:
        """Ids of top-level jobs with any change in themselves or their children."""
        return set(self.jobs) | {split_child_id(key)[0] for key in self.children}


@dataclass(slots=True)
class SchedulerState:
    """All that the rules look at.

    Parameters
    ----------
    catalogue : Catalogue
        Instance types and prices.
    seed : int
        Makes host ids of one installation differ from another's.
    jobs : dict
        Live jobs by id; children are inside their parent.
    dependents : dict
        For each live job or child somebody waits for, the waiting jobs.
    deadlines : list of Deadline
        A heap. An entry that no longer applies is dropped when it is due.
    looked_ahead_at, looks_again : int, bool
        When waiting jobs were last counted for more hosts, and whether a deadline will do so again.
    in_use : dict of str to int
        Quantity of each consumable resource that attempts have now.
    supply : int
        How often hosts came or went, or an environment became another one.
    """

    catalogue: Catalogue
    seed: int = 0
    now: int = 0
    sequence: int = 0
    host_count: int = 0
    definitions: dict[str, list[JobDefinition]] = field(default_factory=dict)
    environments: dict[str, EnvironmentState] = field(default_factory=dict)
    queues: dict[str, QueueState] = field(default_factory=dict)
    policies: dict[str, SchedulingPolicy] = field(default_factory=dict)
    consumables: dict[str, ConsumableResource] = field(default_factory=dict)
    in_use: dict[str, int] = field(default_factory=dict)
    service_environments: dict[str, ServiceEnvironment] = field(default_factory=dict)
    quota_shares: dict[str, QuotaShare] = field(default_factory=dict)
    day_budget: DayBudget | None = None
    day_spending: Spending = field(default_factory=Spending)
    jobs: dict[JobId, LiveJob] = field(default_factory=dict)
    dependents: dict[JobId, set[JobId]] = field(default_factory=dict)
    deadlines: list[Deadline] = field(default_factory=list)
    looked_ahead_at: int = 0
    looks_again: bool = False
    supply: int = field(default=0, compare=False)
    changes: Changes = field(default_factory=Changes)

    def drain_changes(self) -> Changes:
        """Hand over what changed since the last call."""
        changes, self.changes = self.changes, Changes()
        return changes

    def next_deadline(self) -> int | None:
        """Epoch ms at which time alone may change something."""
        return self.deadlines[0].at if self.deadlines else None

    def keep_noun(self, noun: Noun) -> None:
        """Make a noun that has no table of its own known, or known anew."""
        match noun:
            case SchedulingPolicy():
                self.policies[noun.name] = noun
            case ConsumableResource():
                self.consumables[noun.name] = noun
            case ServiceEnvironment():
                self.service_environments[noun.name] = noun
            case QuotaShare():
                self.quota_shares[noun.name] = noun
            case ShareUsage():
                pass  # lives in its queue
            case DayBudget():
                self.day_budget = noun
        self.changes.nouns[type(noun), noun.name] = noun

    def nouns(self, kind: type[Noun]) -> dict[str, Any]:
        """Nouns of a class that callers make and delete, by name."""
        known: dict[type[Noun], dict[str, Any]] = {
            SchedulingPolicy: self.policies,
            ConsumableResource: self.consumables,
            ServiceEnvironment: self.service_environments,
            QuotaShare: self.quota_shares,
        }
        return known[kind]

    def drop_noun(self, kind: type[Noun], name: str) -> None:
        """Forget a noun that has no table of its own."""
        self.nouns(kind).pop(name, None)
        self.changes.nouns[kind, name] = None

    def remind(self, at: int, kind: DeadlineKind, subject: str, number: int = 0) -> None:
        """Look at a subject again when time has come."""
        heappush(self.deadlines, Deadline(at, kind, subject, number))

    def remind_share(self, at: int, name: str) -> None:
        """Look at a share again; its queue's module cannot name the kinds of deadlines."""
        self.remind(at, DeadlineKind.SHARE_LEFT, name)

    def new_host_id(self) -> HostId:
        """An EC2-like instance id, the next of a sequence that a replay repeats."""
        self.host_count += 1
        digest = md5(f"host/{self.seed}/{self.host_count}".encode(), usedforsecurity=False).hexdigest()
        return HostId(f"i-{digest[:17]}")

    def find(self, job_id: str) -> tuple[LiveJob, int | None] | None:
        """A live job, or a live parent and the index of an existing child or node."""
        live = self.jobs.get(JobId(job_id))
        if live is not None:
            return live, None
        parent, index = split_child_id(job_id)
        live = self.jobs.get(parent)
        if live is None:
            return None
        if index is None:
            return live, None
        if live.nodes is not None:
            return (live, index) if is_node_id(job_id) and index in live.nodes.runs else None
        if live.children is None or index >= len(live.children.statuses) or is_node_id(job_id):
            return None
        return live, index

    def run_of(self, live: LiveJob, index: int | None) -> Run:
        """Progress of a job, child or node; that of a child without a story yet is made up here."""
        if index is None or live.children is None:
            return live.own_run(index)
        known = live.children.runs.get(index)
        if known is not None:
            return known
        return Run(
            id=child_id(live.job.id, index),
            status=live.children.status(index),
            created_at=live.job.created_at,
            is_cancelled=index in live.children.asked,
        )

    def status(self, live: LiveJob, index: int | None) -> JobStatus:
        """Status of a job or child."""
        if index is None or live.children is None:
            return live.own_run(index).status
        return live.children.status(index)

    def move(self, live: LiveJob, index: int | None, signal: Signal) -> JobStatus:
        """Change a status by the transition table; the only place that does."""
        if index is not None and live.children is not None:
            return self._move_child(live, live.children, index, signal)
        run = self.begin(live, index)
        was = run.status
        following = advance(was, signal)
        if was is _IS_RUNNABLE:
            self.queues[live.job.queue].short = None
        if following is not was and index is None:  # nodes are parts of one job
            self.changes.transitions.append((live, WHOLE, 1, CODE[was], CODE[following], run.attempt, ""))
        run.status = following
        return following

    def _move_child(self, live: LiveJob, children: Children, index: int, signal: Signal) -> JobStatus:
        code = children.statuses[index]
        following = advance(STATUSES[code], signal)
        if code == _RUNNABLE:
            self.queues[live.job.queue].short = None
        becomes, run = CODE[following], children.runs.get(index)
        if becomes != code:
            begun = 0 if run is None else run.attempt
            self.changes.transitions.append((live, index, 1, code, becomes, begun, ""))
            children.set_code(index, becomes)
        if run is not None:
            run.status = following
            self.changes.children[run.id] = run
        return following

    def note(self, live: LiveJob, index: int | None, was: int, becomes: int, reason: str = "") -> None:
        """Keep what is no change of status for those who follow them; codes as in `transitions`."""
        if index is None or live.children is None:
            change = (live, WHOLE, 1, was, becomes, live.run.attempt, reason)
        else:
            run = live.children.runs.get(index)
            change = (live, index, 1, was, becomes, 0 if run is None else run.attempt, reason)
        self.changes.transitions.append(change)

    def begin(self, live: LiveJob, index: int | None) -> Run:
        """Progress of a job or child that from now on has a story of its own."""
        if index is None:
            self.changes.jobs[live.job.id] = live
            return live.run
        if live.children is None:
            run = live.own_run(index)
        else:
            known = live.children.runs.get(index)
            run = live.children.runs[index] = self.run_of(live, index) if known is None else known
        self.changes.children[run.id] = run
        return run

    def enqueue(self, live: LiveJob) -> None:
        """Put a RUNNABLE job, or an array with a RUNNABLE child, at the back of its queue."""
        if live.children is not None:
            self.queues[live.job.queue].short = None  # another child may be first now
            if live.children.queued:
                return
            live.children.queued = True
        enqueue(self.queues[live.job.queue], live)

    def enqueue_again(self, live: LiveJob, index: int | None) -> None:
        """Put a job or child whose attempt failed at the front of its queue."""
        if live.children is not None and index is not None:
            self.queues[live.job.queue].short = None
            known = bool(live.children.retried)
            heappush(live.children.retried, index)
            if known:
                return
        enqueue(self.queues[live.job.queue], live, again=True)

    def head(self, queue: QueueState) -> Place | None:
        """The next RUNNABLE job or child of a queue, still in its place."""
        return head(self, queue, self.now)

    def runnable(self, queue: QueueState, limit: int) -> Iterator[Place]:
        """The first `limit` RUNNABLE jobs and children of a queue in dispatch order; reads only."""
        return runnable(self, queue, limit)

    def validate(self) -> None:
        """Check every invariant.

        Raises
        ------
        NbbatchBugError
            Naming the first invariant that does not hold.
        """
        check_invariants(self)
