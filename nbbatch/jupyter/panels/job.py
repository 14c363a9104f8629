"""The panel of a single job: where it stands, what it does and says, what it uses and costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from nbbatch.client.colours import colour_of
from nbbatch.client.format import clock, dollars, memory
from nbbatch.client.handles.account import Account
from nbbatch.client.handles.outcome import (
    Detail,
    Outcome,
    duration_in_words,
    outcome,
    requirement,
    short_id,
)
from nbbatch.client.handles.outcome import seconds as seconds_of
from nbbatch.client.jobs import Job
from nbbatch.client.logs import tail
from nbbatch.client.notes import Note
from nbbatch.client.told import Told
from nbbatch.jupyter.panels.actions import Button
from nbbatch.jupyter.panels.frame import Frame
from nbbatch.jupyter.panels.handles import (
    CANCEL,
    TERMINATE,
    Followed,
    Ring,
    copy_button,
    cut,
    quietly,
    reattach_line,
    repeats,
    state_in_words,
)
from nbbatch.jupyter.panels.parts import Share, facts, log, meter, note, page
from nbbatch.jupyter.story import cost_in_words
from nbbatch.model.jobs import TERMINAL

_WAITING = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING")
_LINES, _MANY_LINES = 12, 200
"""Lines of the log that are shown, and that are shown when more are asked for."""
_FULL, _MOST_OF_IT = "#c34108", 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class JobNumbers:
    """What a frame of a job is drawn from.

    Parameters
    ----------
    detail : mapping
        Its JobDetail.
    account : Account or None
        What it cost and used so far.
    why : str
        Why it waits, or how it ended and what to do, in words.
    told : str
        Its progress and metrics.
    share : float or None
        Of its progress, from 0 to 1.
    log : str
        The end of its log.
    said : str
        What was done by a button.
    reattach : str
        The line that finds it again.
    now : float
        Epoch seconds.
    """

    detail: Detail
    account: Account | None = None
    why: str = ""
    told: str = ""
    share: float | None = None
    log: str = ""
    said: str = ""
    reattach: str = ""
    now: float


class JobView:
    """Looks at one job for a panel; `has_log` is no where its log stands below anyway."""

    def __init__(self, job: Job, *, has_log: bool = True) -> None:
        self._followed = Followed(job)
        self._lines = _LINES if has_log else 0
        self._heard = _Heard()

    @property
    def handle(self) -> Job:
        """The job it shows: after a retry the new one."""
        return self._followed.handle

    @property
    def buttons(self) -> tuple[Button, ...]:
        """What can be done to a job."""
        more_log = (_LOG,) if self._lines else ()
        return (CANCEL, TERMINATE, _RETRY, *more_log, copy_button(self.handle))

    def listen(self, ring: Ring) -> Callable[[], None]:
        """The shared watcher rings."""
        return self._followed.listen(ring)

    def look(self) -> Frame:
        """Asked now: the job, its account, the end of its log, its notes, and why it waits."""
        job, backend = self.handle, self.handle.backend
        detail = job.detail()
        is_waiting = detail["status"] in _WAITING
        if not is_waiting:
            self._heard.listen(job, is_over=detail["status"] in TERMINAL)
        told = self._heard.told
        numbers = JobNumbers(
            detail=detail,
            account=None if is_waiting else quietly(job.account, None),
            why=self._heard.why(job, detail),
            told=str(told),
            share=told.progress.share if told.progress else None,
            log=""
            if is_waiting or not self._lines
            else quietly(lambda: tail(backend, detail, self._lines), ""),
            said=self._followed.said_of(detail),
            reattach=reattach_line(job),
            now=time.time(),
        )
        return draw(numbers)

    def act(self, name: str, _values: Mapping[str, Any]) -> None:
        """Cancel, terminate, retry, or show more of the log."""
        job = self.handle
        if self._followed.stop(name):
            return
        match name:
            case "retry":
                again = job.retry()
                self._heard = _Heard()
                self._followed.turn_to(again, repeats(job))
            case "log":
                self._lines = _MANY_LINES if self._lines == _LINES else _LINES


_RETRY = Button(
    name="retry", label="retry", title="Submit the same again, as a new job, which this panel then shows"
)
_LOG = Button(name="log", label="more log", title=f"The last {_MANY_LINES} lines, or fewer again")


@dataclass(slots=True)
class _Heard:
    """What a job has told so far, and answers that are asked for only once."""

    told: Told = field(default_factory=Told)
    _since: int | None = None
    _is_over: bool = False
    _end: str = ""

    def listen(self, job: Job, *, is_over: bool) -> None:
        """Take the notes that came since the last time; after the end of the job once more."""
        if not self._is_over:
            notes: Sequence[Note] = quietly(lambda: job.notes(since=self._since), ())
            self.told.take(notes)
            self._since = notes[-1].time + 1 if notes else self._since
            self._is_over = is_over

    def why(self, job: Job, detail: Detail) -> str:
        """Why it waits, asked each time; why it failed, once."""
        ended = outcome(detail)
        if ended is None:
            return quietly(job.why, "") if detail["status"] in _WAITING else ""
        if ended is not Outcome.SUCCEEDED and not self._end:
            self._end = quietly(job.why, str(detail.get("statusReason", "")))
        return self._end


def draw(numbers: JobNumbers) -> Frame:
    """A frame of a job. Pure."""
    drawing = _Drawing(numbers)
    detail = numbers.detail
    return Frame(
        lines=drawing.lines(),
        html=drawing.page(),
        state=(
            detail["status"],
            len(detail.get("attempts") or ()),
            numbers.log,
            numbers.told,
            numbers.said,
            numbers.why,
        ),
        is_last=detail["status"] in TERMINAL,
        disabled=_disabled(detail),
    )


def _disabled(detail: Detail) -> frozenset[str]:
    """Actions that make no sense: cancelling what runs, stopping what ended, repeating what did not."""
    if detail["status"] in TERMINAL:
        return frozenset({"cancel", "terminate"})
    running = {"cancel"} if detail["status"] in ("STARTING", "RUNNING") else {"log"}
    return frozenset({"retry", *running})


class _Drawing:
    """The parts of a job's frame."""

    def __init__(self, numbers: JobNumbers) -> None:
        self._numbers = numbers
        self._detail = numbers.detail

    @cached_property
    def title(self) -> str:
        return f"job {self._detail['jobName']} {short_id(self._detail['jobId'])}"

    @cached_property
    def facts(self) -> dict[str, str]:
        """What is known, by its title."""
        account, attempts = self._numbers.account, self._detail.get("attempts") or ()
        host = account.instance_type if account else ""
        queue = str(self._detail["jobQueue"]).rpartition("/")[2]
        return {
            "where": f"queue {queue}{f', {host}' if host else ''}",
            self._span[0]: self._span[1],
            "attempts": f"{len(attempts)} ended" if len(attempts) > 1 else "",
            "cost": _cost(account),
            "rate": _rate(account),
            "vCPUs": self._cpu(),
            "memory": self._memory(),
        }

    @cached_property
    def _span(self) -> tuple[str, str]:
        ran = seconds_of(self._detail, self._numbers.now)
        if ran is None:
            return "waits", clock(self._numbers.now - self._detail["createdAt"] / 1000)
        return ("ran", duration_in_words(ran)) if self._is_over else ("runs", clock(ran))

    @property
    def _is_over(self) -> bool:
        return self._detail["status"] in TERMINAL

    def _cpu(self) -> str:
        asked, account = requirement(self._detail, "VCPU"), self._numbers.account
        busy = (
            account.cpu_seconds / account.seconds
            if account and account.cpu_seconds is not None and account.seconds
            else None
        )
        if busy is None:
            return f"{asked:g} asked for" if asked else ""
        return f"{busy:.1f} of {asked:g} busy" if asked else f"{busy:.1f} busy"

    def _memory(self) -> str:
        asked, account = requirement(self._detail, "MEMORY"), self._numbers.account
        peak = account.peak_memory if account else None
        if not peak:
            return f"{memory(asked)} asked for" if asked else ""
        return f"{memory(peak)} of {memory(asked)}" if asked else memory(peak)

    def lines(self) -> tuple[str, ...]:
        """The same as text."""
        numbers = self._numbers
        known = [f"{title} {value}" for title, value in self.facts.items() if value]
        head = " · ".join(filter(None, [f"{self.title} {state_in_words(self._detail)}", *known]))
        text = [head, numbers.said, numbers.told, numbers.why, *cut(numbers.log).splitlines()]
        return (*filter(None, text), numbers.reattach)

    def page(self) -> str:
        """The same as HTML."""
        numbers = self._numbers
        return page(
            self.title,
            facts(self.facts.items()),
            self._use(),
            self._progress(),
            note(numbers.why, is_weak=not self._is_over),
            log(cut(numbers.log), title="log, its end"),
            note(numbers.reattach),
            colour=colour_of(self._detail["status"], outcome(self._detail)),
            state=state_in_words(self._detail),
            aside=numbers.said,
        )

    def _progress(self) -> str:
        numbers = self._numbers
        if numbers.share is None:
            return note(numbers.told)
        bar = meter([Share(colour_of("RUNNING"), "progress", numbers.share, f"{numbers.share:.0%}")], 1.0)
        return bar + note(numbers.told.lstrip("█░ "))

    def _use(self) -> str:
        """Memory against what was asked for: what goes wrong without a word otherwise."""
        asked, account = requirement(self._detail, "MEMORY"), self._numbers.account
        peak = account.peak_memory if account else None
        if not peak or not asked:
            return ""
        is_tight = peak > _MOST_OF_IT * asked
        colour = _FULL if is_tight else "rgba(128,128,128,.6)"
        return meter([Share(colour, "memory", peak, self._memory())], asked, height=5)


def _cost(account: Account | None) -> str:
    return cost_in_words(account) if account is not None and account.on_demand else ""


def _rate(account: Account | None) -> str:
    """Dollars an hour while it runs."""
    if account is None or not account.seconds or not account.on_demand:
        return ""
    return f"{dollars(3600 * account.on_demand / account.seconds)}/h on demand"
