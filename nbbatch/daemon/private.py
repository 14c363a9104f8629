"""The daemon's own routes below `/nbbatch/v1/`: what AWS Batch has no operation for.

They are signed like every other request. The notebook's watcher waits on `watch`; `status`, `why`,
`accounts` and `catalogue` tell about this machine, a waiting job, what jobs cost and used, and what
hosts there are; `interrupt` plays Spot.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

import msgspec

from nbbatch.daemon.loop import Loop
from nbbatch.daemon.store import Store
from nbbatch.daemon.views import MAX_NAMED, Views
from nbbatch.daemon.watch import Watch
from nbbatch.errors import ClientException
from nbbatch.model.jobs import Attempt, JobStatus, JobView, Run, Tally
from nbbatch.scheduler.commands.environments import interrupt
from nbbatch.scheduler.cost import cost_under_way, tally_of
from nbbatch.scheduler.placement import explain
from nbbatch.wire.encode_container import Json
from nbbatch.wire.encode_world import encode_catalogue

LONGEST_WAIT_MS = 30_000

T = TypeVar("T")
Route = Callable[[Any], Awaitable[Json]]


class _WatchRequest(msgspec.Struct, rename="camel"):
    cursor: int | None = None
    job_ids: list[str] = []
    streams: dict[str, int] = {}
    timeout_ms: Annotated[int, msgspec.Meta(ge=0)] = LONGEST_WAIT_MS


class _JobRequest(msgspec.Struct, rename="camel"):
    job_id: str


class _JobsRequest(msgspec.Struct, rename="camel"):
    job_ids: Annotated[list[str], msgspec.Meta(max_length=MAX_NAMED)]


class _InterruptRequest(msgspec.Struct, rename="camel"):
    target: str
    notice_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] | None = None


class Private:
    """Answers of the private routes.

    Parameters
    ----------
    about : callable
        What the daemon knows of itself: version, pid, home, startedAt, executor, machine.
    stop : callable
        Begins the daemon's end; returns at once.
    more : mapping of str to callable
        Routes that live elsewhere, by name.
    """

    def __init__(
        self,
        *,
        loop: Loop,
        store: Store,
        views: Views,
        watch: Watch,
        about: Callable[[], Mapping[str, Any]],
        stop: Callable[[], None],
        more: Mapping[str, Route] = MappingProxyType({}),
    ) -> None:
        self._loop = loop
        self._store = store
        self._views = views
        self._watch = watch
        self._about = about
        self._stop = stop
        self._routes: Mapping[str, Route] = MappingProxyType(
            {
                "watch": self.wait,
                "status": self.status,
                "why": self.why,
                "accounts": self.accounts,
                "catalogue": self.catalogue,
                "interrupt": self.interrupt,
                "stop": self.stop,
                **more,
            }
        )

    def route(self, name: str) -> Route | None:
        """The handler behind `/nbbatch/v1/<name>`."""
        return self._routes.get(name)

    async def wait(self, body: Any) -> Json:
        """Answer when one of the jobs changed or a stream grew, or after `timeoutMs`."""
        asked = read_body(_WatchRequest, body)
        seconds = min(asked.timeout_ms, LONGEST_WAIT_MS) / 1000
        news = await self._watch.wait(asked.cursor, asked.job_ids, asked.streams, seconds)
        return news._asdict()

    async def status(self, _body: Any) -> Json:
        """What this daemon is, and how many jobs it has in which status."""
        state = self._loop.state
        queues = [
            {
                "name": name,
                "state": known.queue.state,
                "priority": known.queue.priority,
                "computeEnvironments": known.queue.environments,
                "jobs": known.live,
            }
            for name, known in state.queues.items()
        ]
        return {**self._about(), "jobs": dict(self._store.counts()), "queues": queues}

    async def why(self, body: Any) -> Json:
        """Why a job waits, or how it ended, in words."""
        job_id = read_body(_JobRequest, body).job_id
        view = self._views.find([job_id]).get(job_id)
        if view is None:
            raise ClientException(f"jobId: job {job_id} does not exist.")
        return {"jobId": job_id, "status": view.run.status, "reasons": self._reasons(view)}

    async def accounts(self, body: Any) -> Json:
        """What jobs cost and used, summed over attempts and children."""
        ids = read_body(_JobsRequest, body).job_ids
        found = self._views.find(ids)
        return {"jobs": [self._account(found[job_id]) for job_id in dict.fromkeys(ids) if job_id in found]}

    async def catalogue(self, _body: Any) -> Json:
        """Instance types with sizes and prices, in the format of `instance_types.json`."""
        return encode_catalogue(self._loop.state.catalogue)

    async def interrupt(self, body: Any) -> Json:
        """Have the hosts of a job, one host, or a pool of Spot hosts reclaimed, as Spot does."""
        asked = read_body(_InterruptRequest, body)
        hosts = await self._loop.apply(
            lambda state, _now: interrupt(state, asked.target, asked.notice_seconds)
        )
        return {"hosts": hosts}

    async def stop(self, _body: Any) -> Json:
        """Let the daemon go once this is answered; jobs go on."""
        self._stop()
        return {}

    def _reasons(self, view: JobView) -> list[str]:
        live = self._loop.state.find(view.run.id)
        if live is None or view.run.status.is_terminal:
            return _explain_end(view)
        return explain(self._loop.state, *live)

    def _account(self, view: JobView) -> Json:
        """Ended attempts of children and nodes are counted as they end; only those under way are looked at."""
        live = self._loop.state.jobs.get(view.job.id)
        tally = view.run.tally or tally_of([view.run])
        under_way = [view.run]
        if live is not None and view.index is None:
            under_way = [run for _, run in live.under_way()]
        now = max(self._loop.state.now, time.time_ns() // 1_000_000)
        return {"jobId": view.run.id, **_sums(tally, [run for run in under_way if run.host is not None], now)}


def _sums(tally: Tally, under_way: Sequence[Run], now: int) -> Json:
    costs = [cost_under_way(run, now) for run in under_way]
    running = sum(now - run.started_at for run in under_way if run.started_at is not None)
    last: Run | Attempt | None = under_way[-1] if under_way else tally.last
    place: Json = {}
    if last is not None:
        place = {"instanceType": last.instance_type, "hostId": last.host}
        place |= {"usdPerHour": last.price, "spotUsdPerHour": last.spot_price}
    return {
        **{name: value for name, value in place.items() if value is not None},
        "cost": tally.cost + sum(cost for cost, _ in costs),
        "spotCost": tally.spot_cost + sum(spot for _, spot in costs),
        "lostCost": tally.lost_cost,
        "lostSpotCost": tally.lost_spot_cost,
        "lostSeconds": tally.lost_milliseconds / 1000,
        "cpuSeconds": tally.cpu_seconds,
        "seconds": (tally.milliseconds + running) / 1000,
        **({} if tally.peak_memory is None else {"peakMemory": tally.peak_memory}),
    }


def _explain_end(view: JobView) -> list[str]:
    run = view.run
    told = f"It is {run.status}: {run.status_reason}." if run.status_reason else f"It is {run.status}."
    reasons = [told.replace("..", ".")]
    for attempt in run.attempts[-1:]:
        if attempt.reason:
            reasons.append(attempt.reason)
        if attempt.exit_code is not None:
            reasons.append(f"Its last attempt ({attempt.number}) ended with exit code {attempt.exit_code}.")
    if not run.attempts and view.counts is None:
        reasons.append("It never ran.")
    if view.counts is not None and view.counts.get(JobStatus.FAILED):
        reasons.append(f"{view.counts[JobStatus.FAILED]} of its {view.job.array_size} children failed.")
    return reasons


def read_body(kind: type[T], body: Any) -> T:
    """A request's body as a value of its kind.

    Raises
    ------
    ClientException
        When it is not one.
    """
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise ClientException(f"{error}") from None
