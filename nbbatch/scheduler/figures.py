"""What came of a run, real or simulated, in numbers: how long, how much waiting, what it cost.

The ledger reads what each event changed, as the rows of a daemon do, so it needs nothing that a
real run would not have. Money counts hosts for as long as they are there: the part that no attempt
used is shown apart.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

from nbbatch.model.fleet import Host, HostId
from nbbatch.model.jobs import TERMINAL, Attempt, JobStatus, Run, split_child_id
from nbbatch.scheduler.cost import dollars
from nbbatch.scheduler.fleet import FARGATE
from nbbatch.scheduler.state import LiveJob, SchedulerState

_MS = 1000
_MS_PER_HOUR = 3_600_000
_FAILED = JobStatus.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Seconds from submission to the start of the first attempt."""

    mean: float = 0.0
    p50: float = 0.0
    p95: float = 0.0
    longest: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigures:
    """The jobs of one queue and share identifier; children count, their parents do not.

    `vcpu_hours` and `cost` (dollars, as charged) are those of their attempts alone.
    """

    queue: str
    share: str | None
    jobs: int
    failed: int
    wait: Waits
    vcpu_hours: float
    cost: float
    last_end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A whole run.

    Parameters
    ----------
    makespan : float
        Seconds from the first submission to the last end.
    jobs, succeeded, failed, unfinished : int
        Single jobs and array children; parents do not count.
    cost : float
        Dollars for all hosts while they were there, Spot where the environment is Spot.
    on_demand, spot : float
        The same hosts at either price.
    idle_cost : float
        The part of `cost` that no attempt used.
    hosts, peak_hosts : int
        Launched, and there at the same time.
    vcpu_hours, used_vcpu_hours : float
        Of hosts, and of running attempts.
    attempts, lost : int
        All that ended, and those that went with their host.
    lost_seconds : float
        For which lost attempts had run.
    stuck : str
        Why jobs are unfinished though nothing happens any more; empty when none is.
    """

    makespan: float
    jobs: int
    succeeded: int
    failed: int
    unfinished: int
    wait: Waits
    cost: float
    on_demand: float
    spot: float
    idle_cost: float
    hosts: int
    peak_hosts: int
    vcpu_hours: float
    used_vcpu_hours: float
    attempts: int
    lost: int
    lost_seconds: float
    stuck: str
    groups: tuple[GroupFigures, ...]


@dataclass(slots=True)
class _Group:
    waits: array[int] = field(default_factory=lambda: array("q"))
    jobs: int = 0
    failed: int = 0
    vcpu_ms: float = 0.0
    cost: float = 0.0
    last_end: int = 0


@dataclass(slots=True)
class Ledger:
    """Adds up what a run changes; `read` after events, `figures` at the end."""

    state: SchedulerState
    started_at: int
    ended_at: int = 0
    attempts: int = 0
    lost: int = 0
    lost_ms: int = 0
    hosts: int = 0
    peak_hosts: int = 0
    vcpu_ms: float = 0.0
    paid: float = 0.0
    on_demand: float = 0.0
    spot: float = 0.0
    used: float = 0.0
    _there: dict[HostId, Host] = field(default_factory=dict)
    _groups: dict[tuple[str, str | None], _Group] = field(default_factory=dict)

    def read_hosts(self, now: int) -> None:
        """Note hosts that came and went; to be called before another event can undo it."""
        changed = self.state.changes.hosts
        for host_id, known in changed.items():
            if known is None:
                self._close(self._there.pop(host_id, None), now)
            elif host_id not in self._there:
                self._there[host_id] = known.host
                self.hosts += 1
        self.peak_hosts = max(self.peak_hosts, len(self._there))
        changed.clear()

    def read(self) -> list[LiveJob]:
        """Take the changes up to now.

        Returns
        -------
        list of LiveJob
            Jobs and parents of arrays that have ended.
        """
        state = self.state
        changes = state.drain_changes()
        for child, run in changes.children.items():
            if run.status in TERMINAL:
                parent = split_child_id(child)[0]
                live = changes.jobs.get(parent) or state.jobs[parent]
                self._end(self._group(live), live, run)
        ended = [live for live in changes.jobs.values() if live.run.status in TERMINAL]
        for live in ended:
            if live.children is None:
                self._end(self._group(live), live, live.run)
        return ended

    def figures(self, now: int) -> Figures:
        """All numbers; hosts that are still there are charged until `now`."""
        self.read_hosts(now)
        self.read()
        for host in self._there.values():
            self._close(host, now)
        self._there.clear()
        groups = list(self._groups.values())
        failed = sum(group.failed for group in groups)
        jobs = sum(group.jobs for group in groups)
        return Figures(
            makespan=max(0, self.ended_at - self.started_at) / _MS,
            jobs=jobs,
            succeeded=jobs - failed,
            failed=failed,
            unfinished=sum(map(_unfinished, self.state.jobs.values())),
            wait=_waits(wait for group in groups for wait in group.waits),
            cost=self.paid,
            on_demand=self.on_demand,
            spot=self.spot,
            idle_cost=max(0.0, self.paid - self.used),
            hosts=self.hosts,
            peak_hosts=self.peak_hosts,
            vcpu_hours=self.vcpu_ms / _MS_PER_HOUR,
            used_vcpu_hours=sum(group.vcpu_ms for group in groups) / _MS_PER_HOUR,
            attempts=self.attempts,
            lost=self.lost,
            lost_seconds=self.lost_ms / _MS,
            stuck=_stuck(self.state),
            groups=tuple(
                self._group_figures(key, group) for key, group in sorted(self._groups.items(), key=str)
            ),
        )

    def _group(self, live: LiveJob) -> _Group:
        key = live.job.queue, live.job.share_identifier
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group()
        return group

    def _group_figures(self, key: tuple[str, str | None], group: _Group) -> GroupFigures:
        return GroupFigures(
            queue=key[0],
            share=key[1],
            jobs=group.jobs,
            failed=group.failed,
            wait=_waits(group.waits),
            vcpu_hours=group.vcpu_ms / _MS_PER_HOUR,
            cost=group.cost,
            last_end=max(0, group.last_end - self.started_at) / _MS,
        )

    def _end(self, group: _Group, live: LiveJob, run: Run) -> None:
        stopped_at, first = run.stopped_at or 0, None
        group.jobs += 1
        group.failed += run.status is _FAILED
        if stopped_at > group.last_end:
            group.last_end = stopped_at
            self.ended_at = max(self.ended_at, stopped_at)
        for attempt in run.attempts:
            self._add(group, live, attempt)
            if first is None:
                first = attempt.started_at
        if first is not None:
            group.waits.append(first - run.created_at)

    def _add(self, group: _Group, live: LiveJob, attempt: Attempt) -> None:
        self.attempts += 1
        ran = 0 if attempt.started_at is None else attempt.stopped_at - attempt.started_at
        if attempt.is_lost:
            self.lost += 1
            self.lost_ms += ran
        group.vcpu_ms += ran * live.job.resources.vcpus
        on_demand = dollars(attempt.price, attempt.started_at, attempt.stopped_at)
        spot = dollars(attempt.spot_price, attempt.started_at, attempt.stopped_at)
        paid = spot if attempt.is_spot else on_demand
        group.cost += paid
        self.used += paid
        if attempt.instance_type == FARGATE:
            self._pay(on_demand, spot, paid)

    def _close(self, host: Host | None, now: int) -> None:
        """Charge a host; Fargate charges attempts, not hosts (AWS Fargate pricing)."""
        if host is None:
            return
        self.vcpu_ms += host.capacity.vcpus * (now - host.launched_at)
        if host.instance_type != FARGATE:
            on_demand = dollars(host.price, host.launched_at, now)
            spot = dollars(host.spot_price, host.launched_at, now)
            self._pay(on_demand, spot, spot if host.is_spot else on_demand)

    def _pay(self, on_demand: float, spot: float, paid: float) -> None:
        self.on_demand += on_demand
        self.spot += spot
        self.paid += paid


def _unfinished(live: LiveJob) -> int:
    return 1 if live.children is None else live.children.unfinished


def _stuck(state: SchedulerState) -> str:
    """The reason of the first job that is still there."""
    for queue in state.queues.values():
        head = state.head(queue)
        if head is not None:
            return state.run_of(*head).status_reason or "It does not fit."
    return "A dependency never ends." if state.jobs else ""


def _waits(milliseconds: Iterable[int]) -> Waits:
    ordered = sorted(milliseconds)
    if not ordered:
        return Waits()
    last = len(ordered) - 1
    return Waits(
        mean=sum(ordered) / len(ordered) / _MS,
        p50=ordered[round(last * 0.5)] / _MS,
        p95=ordered[round(last * 0.95)] / _MS,
        longest=ordered[-1] / _MS,
    )
