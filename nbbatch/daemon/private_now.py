"""Private routes of how things are now: `fleet`, its hosts and what runs on them; `names`, what jobs cost.

AWS has no operation for either: an account's hosts are ECS's and EC2's, its costs are Cost Explorer's. Each
answer has a largest size, so a panel that asks again and again costs the same in a large world.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Annotated, Any

import msgspec

from nbbatch.daemon.loop import Loop
from nbbatch.daemon.private import Route, read_body
from nbbatch.daemon.store import ListedJob, Store
from nbbatch.model.fleet import HostStatus
from nbbatch.model.jobs import JobId
from nbbatch.scheduler.cost import cost_under_way, tally_of
from nbbatch.scheduler.fleet import idle_ms
from nbbatch.scheduler.hosts import EnvironmentState, HostState
from nbbatch.scheduler.ledger import DAY_MS, host_costs
from nbbatch.wire.encode_container import Json

MOST_HOSTS, MOST_NAMED, MOST_JOBS = 200, 3, 1000
"""Hosts told one by one, jobs named of each, and newest jobs whose costs are summed up by name."""


class _NamesRequest(msgspec.Struct, rename="camel"):
    days: Annotated[int, msgspec.Meta(ge=1, le=3660)] = 7


class NowRoutes:
    """Answers of the routes about now."""

    def __init__(self, loop: Loop, store: Store) -> None:
        self._loop = loop
        self._store = store

    @property
    def routes(self) -> Mapping[str, Route]:
        """By name."""
        return {"fleet": self.fleet, "names": self.names}

    async def fleet(self, _body: Any) -> Json:
        """Environments with their sizes, and their hosts, those that are used before those that idle.

        `hosts` are told up to 200 of all, `cost` is what each has cost since it was launched, as a whole.
        `goesAt` (epoch ms) is when an idle one is given back, `endsAt` when one that was given notice is gone.
        """
        state = self._loop.state
        now = max(state.now, time.time_ns() // 1_000_000)
        hosts = [(known, host) for known in state.environments.values() for host in known.hosts.values()]
        hosts.sort(key=lambda pair: (not pair[1].occupants, pair[1].host.launched_at))
        return {
            "now": now,
            "environments": [_environment(known) for known in state.environments.values()],
            "hosts": [self._host(known, host, now) for known, host in hosts[:MOST_HOSTS]],
            "more": max(0, len(hosts) - MOST_HOSTS),
        }

    async def names(self, body: Any) -> Json:
        """What jobs of a name cost, of the newest 1,000 jobs of the last `days` days (UTC), dearest first."""
        days = read_body(_NamesRequest, body).days
        now = max(self._loop.state.now, time.time_ns() // 1_000_000)
        first = (now // DAY_MS - days + 1) * DAY_MS
        sums: dict[str, Json] = {}
        looked_at = 0
        for one in self._newest(first):
            looked_at += 1
            on_demand, spot, lost = self._cost(one, now)
            row = sums.setdefault(
                one.view.job.name,
                {"name": one.view.job.name, "jobs": 0, "onDemand": 0.0, "spot": 0.0, "lost": 0.0},
            )
            row["jobs"] += 1
            row["onDemand"] += on_demand
            row["spot"] += spot
            row["lost"] += lost
        rows = sorted(sums.values(), key=lambda row: -row["onDemand"])
        return {"names": rows, "jobs": looked_at, "isAll": looked_at < MOST_JOBS}

    def _newest(self, first: int) -> Iterator[ListedJob]:
        found = [
            one
            for queue in self._loop.state.queues
            for one in self._store.list_jobs(queue=queue, limit=MOST_JOBS, created_after=first - 1)
        ]
        found.sort(key=lambda one: one.cursor, reverse=True)
        return islice(found, MOST_JOBS)

    def _cost(self, one: ListedJob, now: int) -> tuple[float, float, float]:
        """Dollars on demand, at Spot's price, and lost, over attempts and children so far."""
        view = one.view
        tally = view.run.tally or tally_of([view.run])
        live = self._loop.state.jobs.get(view.job.id)
        under_way = [run for _, run in live.under_way()] if live is not None else []
        costs = [cost_under_way(run, now) for run in under_way]
        return (
            tally.cost + sum(cost for cost, _ in costs),
            tally.spot_cost + sum(spot for _, spot in costs),
            tally.lost_cost,
        )

    def _host(self, known: EnvironmentState, host: HostState, now: int) -> Json:
        told = host.host
        return {
            "id": told.id,
            "environment": told.environment,
            "instanceType": told.instance_type,
            "status": told.status,
            "isSpot": told.is_spot,
            "vcpus": told.capacity.vcpus,
            "memory": told.capacity.memory,
            "gpus": told.capacity.gpus,
            "usedVcpus": told.capacity.vcpus - host.vcpus,
            "usedMemory": told.capacity.memory - host.memory,
            "usdPerHour": told.spot_price if told.is_spot else told.price,
            "cost": sum(host_costs(told, now).values()),
            "launchedAt": told.launched_at,
            "jobs": [self._named(job_id) for job_id in islice(host.occupants, MOST_NAMED)],
            "running": len(host.occupants),
            **_going(known, host),
        }

    def _named(self, run_id: str) -> Json:
        job_id = JobId(run_id.partition("#")[0].partition(":")[0])
        live = self._loop.state.jobs.get(job_id)
        return {"id": run_id, "name": live.job.name if live is not None else ""}


def _environment(known: EnvironmentState) -> Json:
    environment = known.environment
    return {
        "name": environment.name,
        "type": environment.resource_type,
        "isManaged": environment.is_managed,
        "minvCpus": environment.min_vcpus,
        "maxvCpus": environment.max_vcpus,
        "provisioned": known.provisioned,
        "used": sum(host.host.capacity.vcpus - host.vcpus for host in known.hosts.values()),
        "hosts": len(known.hosts),
    }


def _going(known: EnvironmentState, host: HostState) -> Json:
    """When it goes: at the end of its notice, or of its idle time where the environment may be smaller."""
    if host.host.ends_at is not None:
        return {"endsAt": host.host.ends_at}
    if host.occupants or host.host.status is not HostStatus.ACTIVE or not known.environment.is_managed:
        return {}
    idle = {"idleSince": host.idle_since}
    is_kept = known.provisioned - host.host.capacity.vcpus < known.environment.min_vcpus
    return idle if is_kept else {**idle, "goesAt": host.idle_since + idle_ms(known.environment, host)}
