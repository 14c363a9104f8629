"""What the Docker executor knows of one attempt between its order and the settling of its end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any

from nbbatch.daemon.admission import NO_AMOUNT, Admission, Amount, Name
from nbbatch.daemon.executors.docker_events import ContainerEvent
from nbbatch.daemon.executors.docker_exits import epoch_ms, exited
from nbbatch.daemon.executors.docker_logs import LogFollower
from nbbatch.daemon.executors.docker_usage import UsageFiles, read_usage, usage_files
from nbbatch.model.events import AttemptExited, AttemptVanished, StartAttempt
from nbbatch.model.jobs import Usage


class Stage(Enum):
    """How far an attempt has come."""

    EXPECTED = auto()
    """The rows know it; what became of it is found out at the first connection."""
    WAITING = auto()
    """In the queue of the physical admission."""
    ACTIVE = auto()
    """Its coroutine is at it."""
    ENDED = auto()
    """Reported; its container is kept until the end is settled."""


@dataclass(slots=True, kw_only=True)
class LiveAttempt:
    """One attempt, owned by the asyncio thread.

    Threads only read `order`, `gpus` and whether `stopping` is set. `begun` says that a process
    runs or has run; `died` is set whenever something says that it is over.

    An attempt of several containers has a live attempt for each, its `members`, of which it is the
    `whole`; `changed` is set whenever something happens to one of them. Its own `name` is then that
    of the pause container.
    """

    order: StartAttempt
    name: str
    stage: Stage
    was_running: bool = False
    begun: bool = False
    gpus: tuple[int, ...] = ()
    started_at: int | None = None
    container_id: str | None = None
    death: ContainerEvent | None = None
    out_of_memory: bool = False
    usage: Usage = field(default_factory=Usage)
    usage_files: UsageFiles | None = None
    follow_timer: asyncio.TimerHandle | None = None
    follower: LogFollower | None = None
    grace_seconds: int = 30
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    died: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    whole: LiveAttempt | None = None
    members: tuple[LiveAttempt, ...] = ()

    @property
    def key(self) -> Name:
        """Job id and number."""
        return (self.order.job_id, self.order.attempt)

    @property
    def amount(self) -> Amount:
        """What it takes of the machine."""
        return (self.order.resources.vcpus, self.order.resources.memory, self.order.resources.gpus)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all its containers, the pause container last."""
        return (*(member.name for member in self.members), self.name)

    @property
    def others(self) -> Amount:
        """What a main node brings room for: its job's other nodes."""
        gang = self.order.gang
        return NO_AMOUNT if gang is None else (gang.others.vcpus, gang.others.memory, gang.others.gpus)

    @property
    def main(self) -> Name | None:
        """The main node that this one starts behind."""
        gang = self.order.gang
        return (gang.main, self.order.attempt) if gang is not None and self.order.follows_main else None

    def enter_behind_main(self, admission: Admission) -> bool:
        """Let a node in on the room that its main node has kept for it, if there is any."""
        gpus = None if self.main is None else admission.draw(self.key, self.main, self.amount)
        self.gpus = gpus or ()
        return gpus is not None

    def count_again(self, admission: Admission) -> None:
        """Take the room of what runs already; which GPUs a gang had kept is not known any more."""
        if self.gpus or not self.enter_behind_main(admission):
            admission.occupy(self.key, self.amount, self.gpus)
        if self.others != NO_AMOUNT:
            admission.keep(self.key, (*self.others[:2], 0))

    @property
    def is_running(self) -> bool:
        """Whether its container runs, as far as is known."""
        return self.stage is Stage.ACTIVE and self.started_at is not None and not self.died.is_set()

    def look_at_usage(self) -> None:
        """Bring `usage` up to date, where the control group can be read."""
        if self.usage_files is None and self.container_id is not None:
            self.usage_files = usage_files(self.container_id)
        if self.usage_files is not None:
            self.usage = read_usage(self.usage_files, self.usage)

    def exited(self, details: dict[str, Any] | None) -> AttemptExited | None:
        """The end by the engine's account, or by its last event when the container is gone.

        Returns
        -------
        AttemptExited or None
            None when the exit code is lost.
        """
        if details is not None and epoch_ms(details["State"]["StartedAt"]) is not None:
            state = details["State"]
            return self._exited(
                int(state["ExitCode"]), epoch_ms(state["FinishedAt"]), killed=bool(state.get("OOMKilled"))
            )
        if self.death is not None and self.death.exit_code is not None:
            return self._exited(self.death.exit_code, self.death.at, killed=False)
        return None

    def _exited(self, code: int, stopped_at: int | None, *, killed: bool) -> AttemptExited:
        if killed:
            self.usage = replace(self.usage, peak_memory=self.order.resources.memory)
        return exited(
            self.order,
            code=code,
            started_at=self.started_at,
            stopped_at=stopped_at or self.started_at or 0,
            usage=self.usage,
            out_of_memory=killed or self.out_of_memory,
        )

    def vanished(self) -> AttemptVanished:
        """The end of which nothing is known."""
        return AttemptVanished(job_id=self.order.job_id, attempt=self.order.attempt)
