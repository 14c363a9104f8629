"""A world in one line: a state with an environment and a queue, driven through the reactor only.

`World` validates the state after every event, keeps the event log for replay, hands finished jobs
on as the rows would, and plays the executor: a test says what became of an attempt.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nbbatch.model
from nbbatch.model.containers import Container, Task
from nbbatch.model.events import (
    AttemptExited,
    AttemptStarted,
    AttemptVanished,
    CancelRequested,
    ComputeEnvironmentCreated,
    ConsumableResourceChanged,
    DefinitionRegistered,
    Effect,
    Event,
    FinishedDependency,
    JobQueueCreated,
    JobSubmitted,
    SchedulingPolicyChanged,
    StartAttempt,
    StopAttempt,
    TerminateRequested,
    Ticked,
)
from nbbatch.model.fleet import (
    Catalogue,
    ComputeEnvironment,
    ConsumableResource,
    FairSharePolicy,
    Host,
    JobQueue,
    SchedulingPolicy,
    parse_catalogue,
)
from nbbatch.model.jobs import (
    Dependency,
    DependencyType,
    Job,
    JobDefinition,
    JobId,
    JobStatus,
    NodeProperties,
    NodeRange,
    RetryStrategy,
    Run,
)
from nbbatch.model.resources import Resources
from nbbatch.scheduler.commands.environments import interrupt
from nbbatch.scheduler.hosts import EnvironmentState, HostState
from nbbatch.scheduler.reactor import handle
from nbbatch.scheduler.state import EndedAttempt, SchedulerState
from nbbatch.scheduler.transitions import Transition

CATALOGUE_FILE = Path(nbbatch.model.__file__).with_name("instance_types.json")
SIDE = Container(image="busybox", resources=Resources(vcpus=1, memory=128), essential=False)
IMAGE = Container(image="busybox", command=("true",))


def catalogue() -> Catalogue:
    return parse_catalogue(CATALOGUE_FILE.read_text())


class World:
    """One queue over one environment, unless told otherwise."""

    def __init__(
        self, max_vcpus: int = 16, types: tuple[str, ...] = ("m6i.large",), idle_seconds: int = 60, **more
    ):
        self.now = 1_000_000
        self.state = SchedulerState(catalogue=catalogue(), seed=7)
        self.log: list[tuple[int, Event]] = []
        self.running: dict[str, StartAttempt] = {}
        self.stopping: dict[str, StopAttempt] = {}
        self.order: list[str] = []
        self.finished: dict[str, Run] = {}
        self.numbered = 0
        self.transitions: list[Transition] = []
        self.ended: list[EndedAttempt] = []
        self.reclaimed: list[Host] = []
        self.add_environment("ce", max_vcpus=max_vcpus, types=types, idle_seconds=idle_seconds, **more)
        self.add_queue("q", "ce")

    def add_environment(
        self, name: str, *, max_vcpus: int, types=("m6i.large",), idle_seconds=60, **more
    ) -> None:
        environment = ComputeEnvironment(
            name=name, max_vcpus=max_vcpus, instance_types=tuple(types), idle_seconds=idle_seconds, **more
        )
        self.happen(ComputeEnvironmentCreated(environment=environment))

    def add_queue(self, name: str, *environments: str, priority: int = 1, **more) -> None:
        queue = JobQueue(name=name, priority=priority, environments=environments, **more)
        self.happen(JobQueueCreated(queue=queue))

    def add_fair_queue(self, name: str, *environments: str, priority: int = 1, **policy) -> None:
        """A queue with a scheduling policy of its own name."""
        fair_share = FairSharePolicy(**policy)
        self.happen(SchedulingPolicyChanged(policy=SchedulingPolicy(name=name, fair_share=fair_share)))
        self.add_queue(name, *environments, priority=priority, scheduling_policy=name)

    def add_consumable(self, name: str, total: int, type: str = "REPLENISHABLE") -> None:  # noqa: A002 - AWS's word
        resource = ConsumableResource(name=name, total=total, created_at=self.now, type=type)
        self.happen(ConsumableResourceChanged(resource=resource))

    def register(self, name: str, **more) -> None:
        """A definition that runs `true` in the usual container."""
        definition = JobDefinition(name=name, revision=1, container=IMAGE, **more)
        self.happen(DefinitionRegistered(definition=definition))

    def happen(self, event: Event) -> list[Effect]:
        effects = handle(self.state, event, self.now)
        self.log.append((self.now, event))
        self.state.validate()
        for effect in effects:
            self._keep(effect)
        for job_id, live in self.state.changes.jobs.items():
            if live.run.status.is_terminal:
                self.finished[job_id] = live.run
        for child, run in self.state.changes.children.items():
            if run.status.is_terminal:
                self.finished[child] = run
        changes = self.state.drain_changes()
        self.transitions += changes.transitions
        self.ended += changes.ended
        self.reclaimed += changes.reclaimed
        return effects

    def _keep(self, effect: Effect) -> None:
        if isinstance(effect, StartAttempt):
            assert effect.job_id not in self.running, "an attempt is started once"
            self.running[effect.job_id] = effect
            self.order.append(effect.job_id)
        else:
            self.stopping[effect.job_id] = effect

    def submit(
        self,
        *,
        size: int | None = None,
        after=(),
        n_to_n=(),
        sequential: bool = False,
        vcpus: float = 1,
        memory: int = 512,
        gpus: int = 0,
        attempts: int = 1,
        rules=(),
        timeout: int | None = None,
        queue: str = "q",
        job_id: str | None = None,
        others: int = 0,
        refusal: str = "",
        nodes: NodeProperties | None = None,
        share: str | None = None,
        priority: int | None = None,
        consumables: dict[str, int] | None = None,
        tags: dict[str, str] | None = None,
    ) -> JobId:
        self.numbered += 1
        job_id = JobId(job_id or f"job-{self.numbered:04d}")
        depends = [Dependency(job_id=JobId(x)) for x in after]
        depends += [Dependency(job_id=JobId(x), type=DependencyType.N_TO_N) for x in n_to_n]
        if sequential:
            depends.append(Dependency(type=DependencyType.SEQUENTIAL))
        job = Job(
            id=job_id,
            name="work",
            queue=queue,
            definition="def:1",
            container=container(vcpus, memory, gpus)
            if nodes is None
            else nodes.range_of(nodes.main).container,
            nodes=nodes,
            created_at=self.now,
            task=Task(others=tuple(replace(SIDE, name=f"side-{i}") for i in range(others)))
            if others
            else None,
            refusal=refusal,
            depends_on=tuple(depends),
            array_size=size,
            retry_strategy=RetryStrategy(attempts=attempts, evaluate_on_exit=tuple(rules)),
            timeout=timeout,
            share_identifier=share,
            scheduling_priority=priority,
            consumables=tuple((consumables or {}).items()),
            tags=tags or {},
        )
        gone = tuple(self._gone(x) for x in [*after, *n_to_n] if not self.is_live(x))
        self.happen(JobSubmitted(job=job, finished_dependencies=gone))
        return job_id

    def is_live(self, job_id: str) -> bool:
        found = self.state.find(job_id)
        return found is not None and not self.state.status(*found).is_terminal

    def _gone(self, job_id: str) -> FinishedDependency:
        failed = tuple(
            int(child.partition(":")[2])
            for child, run in self.finished.items()
            if child.startswith(f"{job_id}:") and run.status is JobStatus.FAILED
        )
        return FinishedDependency(
            job_id=JobId(job_id),
            succeeded=self.finished[job_id].status is JobStatus.SUCCEEDED,
            failed_children=failed,
        )

    def start(self, job_id: str) -> None:
        self.happen(
            AttemptStarted(job_id=JobId(job_id), attempt=self.running[job_id].attempt, started_at=self.now)
        )

    def exit(self, job_id: str, code: int | None = 0, **more) -> None:
        order = self.running.pop(job_id)
        self.stopping.pop(job_id, None)
        self.happen(
            AttemptExited(
                job_id=JobId(job_id),
                attempt=order.attempt,
                exit_code=code,
                started_at=more.pop("started_at", self.now),
                stopped_at=self.now,
                **more,
            )
        )

    def vanish(self, job_id: str) -> None:
        order = self.running.pop(job_id)
        self.happen(AttemptVanished(job_id=JobId(job_id), attempt=order.attempt))

    def run_all(self, code: int = 0, limit: int = 100_000) -> None:
        """Start and end whatever is placed until nothing is."""
        for _ in range(limit):
            if not self.running:
                return
            self.exit(next(iter(self.running)), code)
        raise AssertionError("the world does not come to rest")

    def cancel(self, job_id: str, reason: str = "not needed") -> None:
        self.happen(CancelRequested(job_id=JobId(job_id), reason=reason))

    def terminate(self, job_id: str, reason: str = "stop it") -> None:
        self.happen(TerminateRequested(job_id=JobId(job_id), reason=reason))

    def interrupt(self, target: str, notice_seconds: float | None = None) -> None:
        """Have the hosts reclaimed that a job, a host's id or a pool's name means."""
        for event in interrupt(self.state, target, notice_seconds)[0]:
            self.happen(event)

    def pass_until(self, now: int) -> None:
        """Go from deadline to deadline, as the daemon's alarm does, up to this time."""
        while (due := self.state.next_deadline()) is not None and due <= now:
            self.now = max(self.now, due)
            self.happen(Ticked())
        self.now = now

    def environment(self, name: str = "ce") -> EnvironmentState:
        return self.state.environments[name]

    def hosts(self, name: str = "ce") -> list[HostState]:
        return list(self.environment(name).hosts.values())

    def wait(self, seconds: float) -> None:
        self.now += int(seconds * 1000)
        self.happen(Ticked())

    def run_of(self, job_id: str) -> Run:
        found = self.state.find(job_id)
        if found is not None and not self.state.status(*found).is_terminal:
            return self.state.run_of(*found)
        return self.finished[job_id]

    def status(self, job_id: str) -> JobStatus:
        found = self.state.find(job_id)
        return self.state.status(*found) if found is not None else self.finished[job_id].status

    def replay(self) -> SchedulerState:
        state = SchedulerState(catalogue=catalogue(), seed=7)
        for now, event in self.log:
            handle(state, event, now)
            state.drain_changes()
        return state


def container(vcpus: float = 1, memory: int = 512, gpus: int = 0) -> Container:
    """What a job of this size runs."""
    amount = Resources(vcpus=vcpus, memory=memory, gpus=gpus)
    return Container(image="busybox", command=("true",), resources=amount)


def nodes(count: int, main: int = 0, **size) -> NodeProperties:
    """So many nodes, all alike."""
    everywhere = NodeRange(target="0:", first=0, last=None, container=container(**size))
    return NodeProperties(count=count, main=main, ranges=(everywhere,))


def hosts(world: World) -> int:
    """Number of hosts in all environments."""
    return sum(len(environment.hosts) for environment in world.state.environments.values())
