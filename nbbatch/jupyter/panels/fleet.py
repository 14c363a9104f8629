"""The panel of the hosts: what runs on them, what they cost, what is idle, and when they go."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from nbbatch.client.backend import Backend
from nbbatch.client.format import clock, dollars, memory, plural
from nbbatch.errors import NotOnAwsError
from nbbatch.jupyter.figures import fleet as fleet_figures
from nbbatch.jupyter.figures.fleet import Capacity, Interruptions
from nbbatch.jupyter.figures.fleet_numbers import ask_series, read_capacity, read_interruptions
from nbbatch.jupyter.figures.palette import LOST, RUNNING, WAITING, WANTED
from nbbatch.jupyter.panels.frame import Frame
from nbbatch.jupyter.panels.parts import columns, facts, heading, note, page
from nbbatch.jupyter.panels.pictures import Cell, Column, capacity, table
from nbbatch.jupyter.panels.unheard import Unheard
from nbbatch.model.fleet import HostStatus
from nbbatch.model.resources import parse_duration

_SHOWN = 12
"""Hosts that a frame has one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetNow:
    """All hosts of a backend as they are.

    Parameters
    ----------
    backend : str
        Its name.
    environments : sequence of mapping
        As the daemon's route `fleet` tells them; on AWS what DescribeComputeEnvironments tells.
    hosts : sequence of mapping
        The same; none on AWS.
    more : int
        Hosts besides these.
    idle, lost : float or None
        Dollars of today (UTC) for hosts that nobody used, and for work that Spot took back; None unknown.
    vcpus, interruptions : Capacity or None, Interruptions or None
        Over time.
    unknown : str
        Why something is not known, in words.
    now : float
        Epoch seconds.
    """

    backend: str
    environments: Sequence[Mapping[str, Any]]
    hosts: Sequence[Mapping[str, Any]] = ()
    more: int = 0
    idle: float | None = None
    lost: float | None = None
    vcpus: Capacity | None = None
    interruptions: Interruptions | None = None
    unknown: str = ""
    now: float


class FleetView(Unheard):
    """What the panel of the hosts shows.

    Parameters
    ----------
    backend : Backend
        Whose.
    since : str
        How far back its numbers go: `1h`.
    """

    def __init__(self, backend: Backend, since: str = "1h") -> None:
        parse_duration(since)
        self._backend = backend
        self._since = since

    def look(self) -> Frame:
        """Three calls, however many hosts there are."""
        return fleet_frame(ask_fleet(self._backend, self._since))


def ask_fleet(backend: Backend, since: str = "1h") -> FleetNow:
    """How the hosts stand now."""
    try:
        told = backend.private("fleet", {})
    except NotOnAwsError as error:
        return FleetNow(
            backend=backend.name,
            environments=_described(backend),
            unknown=f"{error.message} {error.cure}".strip(),
            now=time.time(),
        )
    costs = backend.private("costs", {"days": 1})
    series = ask_series(backend, since)
    return FleetNow(
        backend=backend.name,
        environments=told["environments"],
        hosts=told["hosts"],
        more=told["more"],
        idle=sum(row["idle"] for row in costs["environments"]),
        lost=sum(row["lost"] for row in costs["queues"]),
        vcpus=read_capacity(series, None) if series["environments"] else None,
        interruptions=read_interruptions(series, None) if series["environments"] else None,
        now=told["now"] / 1000,
    )


def _described(backend: Backend) -> list[dict[str, Any]]:
    with backend.errors():
        pages = backend.batch.get_paginator("describe_compute_environments").paginate()
        found = [one for page in pages for one in page["computeEnvironments"]]
    sizes = [(one["computeEnvironmentName"], one.get("computeResources") or {}) for one in found]
    return [
        {
            "name": name,
            "type": size.get("type", "UNMANAGED"),
            "minvCpus": size.get("minvCpus", 0),
            "maxvCpus": size.get("maxvCpus", 0),
            "provisioned": size.get("desiredvCpus", 0),
        }
        for name, size in sizes
    ]


def fleet_frame(now: FleetNow) -> Frame:
    """A frame of the panel of hosts."""
    total = sum(one.get("hosts", 0) for one in now.environments)
    running = sum(host["running"] for host in now.hosts)
    return Frame(
        lines=tuple(_lines(now)),
        html=page(
            "fleet",
            facts(_facts(now)),
            _picture(now),
            _taken_back(now),
            _environments(now),
            _hosts(now),
            note("" if now.hosts or now.unknown else "no host is there: the next job brings one"),
            note(now.unknown),
            colour=RUNNING.colour if running else WAITING.colour,
            state=plural(total, "host") if not now.unknown else "",
            aside=now.backend,
        ),
        state=tuple((host["id"], host["status"], host["running"]) for host in now.hosts),
        figures=_figures(now),
    )


def _figures(now: FleetNow) -> dict[str, Callable[[], Any]]:
    found: dict[str, Callable[[], Any]] = {}
    if now.vcpus is not None:
        found["vcpus"] = partial(fleet_figures.vcpus, now.vcpus)
    if now.interruptions is not None:
        found["interruptions"] = partial(fleet_figures.interruptions, now.interruptions)
    return found


def _facts(now: FleetNow) -> list[tuple[str, str]]:
    if now.unknown:
        return []
    used = sum(one["used"] for one in now.environments)
    there = sum(one["provisioned"] for one in now.environments)
    hourly = sum(host["usdPerHour"] for host in now.hosts)
    idle = sum(host["usdPerHour"] for host in now.hosts if not host["running"])
    under_notice = sum(host["isSpot"] and "endsAt" in host for host in now.hosts)
    return [
        ("vCPUs used", f"{used:,.4g} of {there:,.4g}"),
        ("costs an hour", dollars(hourly) + (f", {dollars(idle)} of it idle" if idle else "")),
        ("idle today (UTC)", "" if now.idle is None else dollars(now.idle)),
        ("lost to Spot today", dollars(now.lost) if now.lost else ""),
        ("Spot interruptions under way", str(under_notice) if under_notice else ""),
    ]


def _picture(now: FleetNow) -> str:
    if now.vcpus is None or not any(now.vcpus.provisioned):
        return ""
    most = max(value or 0 for value in now.vcpus.provisioned)
    said = f"vCPUs since {now.vcpus.times[0]:%H:%M:%S}: used, there (at most {most:,.4g}), wanted (dotted)"
    colours = (RUNNING.colour, WAITING.colour, WANTED.colour)
    return heading(said) + capacity(now.vcpus.used, now.vcpus.provisioned, now.vcpus.wanted, colours, said)


def _taken_back(now: FleetNow) -> str:
    """Hosts that Spot took back over time, where there were any."""
    said = _taken_back_in_words(now)
    if now.interruptions is None or not said:
        return ""
    return heading(said) + columns(now.interruptions.hosts, LOST.colour, said, height=26)


def _taken_back_in_words(now: FleetNow) -> str:
    told = now.interruptions
    if told is None or not any((*told.hosts, *told.attempts)):
        return ""
    hosts, attempts = plural(sum(told.hosts), "host"), plural(sum(told.attempts), "attempt")
    return f"taken back by Spot since {told.times[0]:%H:%M:%S}: {hosts}, {attempts} lost"


def _environments(now: FleetNow) -> str:
    head = (Column("environment"), Column("type"), Column("vCPUs"), Column("hosts", is_number=True))
    return table(
        head,
        [
            (
                Cell(one["name"]),
                Cell(one["type"]),
                Cell(_size(one), share=_share(one)),
                Cell(str(one["hosts"]) if "hosts" in one else ""),
            )
            for one in now.environments
        ],
    )


def _share(one: Mapping[str, Any]) -> float | None:
    return one["used"] / one["maxvCpus"] if one.get("used") is not None and one["maxvCpus"] else None


def _size(one: Mapping[str, Any]) -> str:
    used = "" if one.get("used") is None else f"{one['used']:,.4g} used, "
    most = f"at most {one['maxvCpus']:,.4g}" if one["maxvCpus"] else "as many as the machine has"
    least = f", at least {one['minvCpus']:,.4g}" if one["minvCpus"] else ""
    return f"{used}{one['provisioned']:,.4g} there, {most}{least}"


def _hosts(now: FleetNow) -> str:
    head = (
        Column("host"),
        Column("type"),
        Column("vCPUs used"),
        Column("memory"),
        Column("runs"),
        Column("cost so far", is_number=True),
        Column("then"),
    )
    left = len(now.hosts) - _SHOWN + now.more
    more = note(f"… and {plural(left, 'host')} more") if left > 0 else ""
    return table(head, [_host(host, now.now) for host in now.hosts[:_SHOWN]]) + more


def _host(host: Mapping[str, Any], now: float) -> tuple[Cell, ...]:
    spot = " Spot" if host["isSpot"] else ""
    gone = LOST.colour if "endsAt" in host else ""
    return (
        Cell(host["id"], note=host["environment"]),
        Cell(f"{host['instanceType']}{spot}"),
        Cell(
            f"{host['usedVcpus']:,.4g} of {host['vcpus']:,.4g}",
            share=host["usedVcpus"] / (host["vcpus"] or 1),
        ),
        Cell(f"{memory(host['usedMemory'])} of {memory(host['memory'])}"),
        Cell(_runs(host)),
        Cell(dollars(host["cost"])),
        Cell(_then(host, now), colour=gone),
    )


def _runs(host: Mapping[str, Any]) -> str:
    """`3 score, 1 train`: by name."""
    if not host["running"]:
        return "nothing"
    names = Counter(job["name"] or "?" for job in host["jobs"])
    told = ", ".join(name if count == 1 else f"{count} {name}" for name, count in names.items())
    left = host["running"] - sum(names.values())
    return f"{told}, {left} more" if left > 0 else told


def _then(host: Mapping[str, Any], now: float) -> str:
    """What becomes of the host, with a countdown."""
    if "endsAt" in host:
        why = "Spot takes it back" if host["isSpot"] else "it is replaced"
        return f"{why} in {clock(host['endsAt'] / 1000 - now)}"
    if host["status"] == HostStatus.REGISTERING:
        return f"it comes up since {clock(now - host['launchedAt'] / 1000)}"
    if "goesAt" in host:
        return f"idle: it goes in {clock(host['goesAt'] / 1000 - now)}"
    return "idle, and kept" if "idleSince" in host else ""


def _lines(now: FleetNow) -> list[str]:
    told = " · ".join(f"{title} {value}" for title, value in _facts(now) if value)
    total = sum(one.get("hosts", 0) for one in now.environments)
    lines = (
        [f"fleet of {now.backend}: {told} · {plural(total, 'host')}"] if told else [f"fleet of {now.backend}"]
    )
    lines += [_taken_back_in_words(now)] if _taken_back_in_words(now) else []
    lines += [f"environment {one['name']} ({one['type']}): vCPUs {_size(one)}" for one in now.environments]
    lines += [
        " · ".join(
            filter(
                None,
                [
                    f"host {host['id']} {_host(host, now.now)[1].text}",
                    f"{host['usedVcpus']:,.4g} of {host['vcpus']:,.4g} vCPUs",
                    f"runs {_runs(host)}",
                    dollars(host["cost"]),
                    _then(host, now.now),
                ],
            )
        )
        for host in now.hosts[:_SHOWN]
    ]
    left = len(now.hosts) - _SHOWN + now.more
    return [
        *lines,
        *([f"… and {plural(left, 'host')} more"] if left > 0 else []),
        *([now.unknown] if now.unknown else []),
    ]
