"""The panel of a job queue: what waits and why, what comes next, who uses what, and with which capacity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nbbatch.client.backend import Backend
from nbbatch.client.colours import KINDS
from nbbatch.client.format import clock
from nbbatch.client.handles.outcome import duration_in_words, short_id
from nbbatch.jupyter.figures import fleet as fleet_figures
from nbbatch.jupyter.figures.fleet import DEPTH
from nbbatch.jupyter.figures.palette import RUNNING, WAITING, WANTED
from nbbatch.jupyter.panels.frame import Frame
from nbbatch.jupyter.panels.parts import Share as Part
from nbbatch.jupyter.panels.parts import facts, heading, legend, meter, note, page
from nbbatch.jupyter.panels.pictures import Cell, Column, capacity, stacked, table
from nbbatch.jupyter.panels.queue_now import EnvironmentNow, NextJob, QueueNow, ask_queue
from nbbatch.jupyter.panels.unheard import Unheard
from nbbatch.model.jobs import JobStatus
from nbbatch.model.resources import parse_duration

_GOOD, _BAD = KINDS[JobStatus.SUCCEEDED].colour, KINDS[JobStatus.RUNNABLE].colour
_MANY = 100


class QueueView(Unheard):
    """What the panel of a queue shows.

    Parameters
    ----------
    backend : Backend
        Whose queue.
    name : str
        The queue's.
    since : str
        How far back its numbers go: `1h`.
    """

    def __init__(self, backend: Backend, name: str, since: str = "1h") -> None:
        parse_duration(since)
        self._backend = backend
        self._name = name
        self._since = since

    def look(self) -> Frame:
        """Seven or eight calls, however much waits."""
        return queue_frame(ask_queue(self._backend, self._name, self._since))


def queue_frame(now: QueueNow) -> Frame:
    """A frame of the queue's panel."""
    marks = [
        Part(KINDS[status].colour, status.value, now.counts.get(status, 0), _counted(now, status))
        for status in DEPTH
        if now.counts.get(status)
    ]
    return Frame(
        lines=tuple(_lines(now)),
        html=page(
            f"queue {now.name}",
            facts(_facts(now)),
            meter(marks) + legend(marks) if marks else note("nothing waits and nothing runs"),
            *_why(now),
            _front(now),
            *_pictures(now),
            _environments(now),
            _shares(now),
            note(now.unknown),
            colour=_GOOD if now.state == "ENABLED" else _BAD,
            state=now.state,
            aside=now.backend,
        ),
        state=(tuple(now.counts.items()), tuple(one.id for one in now.front), tuple(now.reasons), now.state),
        figures=_figures(now),
    )


def _figures(now: QueueNow) -> dict[str, Callable[[], Any]]:
    found: dict[str, Callable[[], Any]] = {}
    if now.depth is not None:
        found["depth"] = lambda: fleet_figures.depth(now.depth)  # type: ignore[arg-type]
    if now.vcpus is not None:
        found["vcpus"] = lambda: fleet_figures.vcpus(now.vcpus)  # type: ignore[arg-type]
    if now.shares:
        found["shares"] = lambda: fleet_figures.shares(now.shares)
    return found


def _counted(now: QueueNow, status: JobStatus) -> str:
    count = now.counts.get(status, 0)
    return f"{count:,}{'+' if not now.is_exact and count >= _MANY else ''}"


def _facts(now: QueueNow) -> list[tuple[str, str]]:
    return [
        ("vCPUs", _vcpus(now)),
        ("order", f"fair share by {now.policy}" if now.policy else "first in, first out"),
        ("priority", str(now.priority)),
        ("environments", ", ".join(f"{one.name} ({one.kind})" for one in now.environments)),
    ]


def _vcpus(now: QueueNow) -> str:
    most = sum(one.most for one in now.environments)
    used = [one.used for one in now.environments if one.used is not None]
    provisioned = [one.provisioned for one in now.environments if one.provisioned is not None]
    told = f"{sum(used):,.4g} used, " if used else ""
    there = f"{sum(provisioned):,.4g} there, " if provisioned else ""
    return f"{told}{there}at most {most:,.4g}"


def _why(now: QueueNow) -> list[str]:
    if not now.front:
        return []
    return (
        [heading(f"why {_called(now.front[0])} waits"), note("\n".join(now.reasons), is_weak=False)]
        if now.reasons
        else []
    )


def _called(job: NextJob) -> str:
    index = job.id.rpartition(":")[2] if ":" in job.id else ""
    return f"{job.name} {short_id(job.id)}{f' child {index}' if index and f':{index}' not in short_id(job.id) else ''}"


def _front(now: QueueNow) -> str:
    head = (
        Column("", is_number=True),
        Column("next"),
        Column("share"),
        Column("asks for"),
        Column("at its place for"),
    )
    body = [
        (
            Cell(str(place)),
            Cell(_called(job), note=job.reason),
            Cell(job.share),
            Cell(job.wants),
            Cell(duration_in_words(max(0.0, now.now - job.since / 1000))),
        )
        for place, job in enumerate(now.front, 1)
    ]
    left = now.length - len(now.front)
    more = "" if left <= 0 else f"… and {left}{'+' if now.length >= _MANY else ''} more"
    return table(head, body) + note(more)


def _pictures(now: QueueNow) -> list[str]:
    if now.depth is None or not any(any(values) for values in now.depth.jobs.values()):
        return []
    waiting = [
        sum(now.depth.jobs[status][place] or 0 for status in DEPTH[1:])
        for place in range(len(now.depth.times))
    ]
    said = f"jobs since {now.depth.times[0]:%H:%M:%S}: at most {max(waiting, default=0):,.0f} waited"
    layers = [(KINDS[status].colour, now.depth.jobs[status]) for status in DEPTH]
    parts = [heading(said), stacked(layers, said)]
    if now.vcpus is not None and any(now.vcpus.provisioned):
        told = "vCPUs used, there, and wanted (dotted)"
        colours = (RUNNING.colour, WAITING.colour, WANTED.colour)
        parts += [
            heading(told),
            capacity(now.vcpus.used, now.vcpus.provisioned, now.vcpus.wanted, colours, told, height=40),
        ]
    return parts


def _environments(now: QueueNow) -> str:
    head = (Column("environment"), Column("type"), Column("vCPUs"), Column("state"))
    return table(head, [_environment(one) for one in now.environments])


def _environment(one: EnvironmentNow) -> tuple[Cell, ...]:
    share = None if one.used is None or not one.most else one.used / one.most
    told = "" if one.used is None else f"{one.used:,.4g} used, "
    there = "" if one.provisioned is None else f"{one.provisioned:,.4g} there, "
    return (
        Cell(one.name),
        Cell(one.kind),
        Cell(f"{told}{there}at most {one.most:,.4g}", share=share),
        Cell(one.state),
    )


def _shares(now: QueueNow) -> str:
    total = sum(share.vcpus for share in now.shares)
    if not total:
        return ""
    head = (
        Column("share"),
        Column("uses", is_number=True),
        Column("of what is used"),
        Column("by its weight", is_number=True),
    )
    return table(
        head,
        [
            (
                Cell(share.name),
                Cell(f"{share.vcpus:,.4g} vCPU"),
                Cell(f"{share.vcpus / total:.0%}", share=share.vcpus / total),
                Cell(f"{share.entitled:.0%}"),
            )
            for share in sorted(now.shares, key=lambda share: -share.vcpus)
        ],
    )


def _lines(now: QueueNow) -> list[str]:
    counts = ", ".join(f"{_counted(now, status)} {status}" for status in DEPTH if now.counts.get(status))
    lines = [
        f"queue {now.name} {now.state} · {counts or 'nothing waits and nothing runs'} · vCPUs: {_vcpus(now)}"
    ]
    if now.front and now.reasons:
        lines.append(f"{_called(now.front[0])} waits: {' '.join(now.reasons)}")
    lines += [
        f"next {place}: {_called(job)}{f' (share {job.share})' if job.share else ''} · for {clock(now.now - job.since / 1000)}"
        for place, job in enumerate(now.front, 1)
    ]
    lines += [
        f"environment {one.name} ({one.kind}) {one.state}: {_environment(one)[2].text}"
        for one in now.environments
    ]
    total = sum(share.vcpus for share in now.shares)
    lines += [
        f"share {share.name}: {share.vcpus:,.4g} vCPU, {share.vcpus / total:.0%} of what is used, {share.entitled:.0%} by its weight"
        for share in now.shares
        if total
    ]
    return [*lines, *([now.unknown] if now.unknown else [])]
