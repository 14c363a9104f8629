"""What the handles of single jobs and of arrays have in common: one id, one backend, one way to wait.

A handle holds no state of the job but its final one: everything else is asked when it is needed.
Waiting is done by the process's shared watcher (`nbbatch.client.watch`); a handle only takes part in
it, so a dropped handle leaves nothing behind and its job goes on.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, Self

import nbbatch
from nbbatch.client.arrays.indexes import bundle_of
from nbbatch.client.backend import Backend, get_backend
from nbbatch.client.checks import check_callback, check_path, check_timeout, reason_of
from nbbatch.client.events import Event, events
from nbbatch.client.files.fetched import Fetched, asks_for_files, fetch
from nbbatch.client.handles.account import Account
from nbbatch.client.handles.attempts import Attempt, attempts_of
from nbbatch.client.handles.callbacks import callbacks
from nbbatch.client.handles.listeners import Ending, Following, Waiter
from nbbatch.client.handles.nodes import with_main_nodes
from nbbatch.client.handles.outcome import Detail, Outcome, cure, exit_code, in_words, outcome, short_id
from nbbatch.client.handles.references import Referable
from nbbatch.client.handles.resize import Advice, resize_advice
from nbbatch.client.handles.shown import shown
from nbbatch.client.handles.timeline import timeline
from nbbatch.client.handles.usage import Use, own_usage, use_of
from nbbatch.client.like import Resized
from nbbatch.client.moments import moment_of
from nbbatch.client.money.history import note_end
from nbbatch.client.notes import Note, notes_of
from nbbatch.client.told import Progress, metrics_table, newest_progress
from nbbatch.client.watch import Watch, watcher_of
from nbbatch.errors import UnknownNameError
from nbbatch.model.jobs import ACTIVE, TERMINAL

CANCEL_REASON = "Cancelled from the notebook"
TERMINATE_REASON = "Terminated from the notebook"


class Handle(Referable):
    """A job of AWS Batch, found by its id.

    As an argument of another job it stands for its value, which the other job waits for.
    """

    def __init__(self, job_id: str, *, backend: str, name: str = "") -> None:
        self.id = job_id
        self.backend_name = backend
        self._name = name
        self._final: Detail | None = None
        self._place: tuple[int, Backend] | None = None
        self.is_cached = False
        self._has_fetched = False

    @property
    def backend(self) -> Backend:
        """Where the job is; found by its name once in each process."""
        if self._place is None or self._place[0] != os.getpid():
            self._place = os.getpid(), get_backend(self.backend_name)
        return self._place[1]

    def note_cached(self, bundle_id: str, *, is_asked: bool) -> None:
        """Find out whether the job was there already instead of being submitted with this bundle."""
        if is_asked and bundle_of(self.detail()) != bundle_id:
            self.is_cached, self._name = True, ""

    @property
    def name(self) -> str:
        """The job's name."""
        if not self._name:
            self._name = str(self.detail()["jobName"])
        return self._name

    def detail(self) -> Detail:
        """DescribeJobs' answer about this job, asked now; the final one is kept.

        Raises
        ------
        UnknownNameError
            When the backend does not know the job (any more).
        """
        if self._final is None:
            detail = describe(self.backend, self.id)
            if detail["status"] not in TERMINAL:
                return detail
            self._end(detail)
        return self._final or detail

    @property
    def status(self) -> str:
        """One of AWS Batch's seven states, asked now."""
        return str(self.detail()["status"])

    @property
    def status_reason(self) -> str:
        """The service's reason for the status, empty where it gave none."""
        return str(self.detail().get("statusReason", ""))

    @property
    def outcome(self) -> Outcome | None:
        """How the job ended, told apart where Batch only says FAILED; None while it has not."""
        return outcome(self.detail())

    @property
    def exit_code(self) -> int | None:
        """Of the last attempt; None where none was reported."""
        return exit_code(self.detail())

    @property
    def queue(self) -> str:
        """Name of the job queue."""
        return str(self.detail()["jobQueue"]).rpartition("/")[2]

    @property
    def tags(self) -> dict[str, str]:
        """The job's tags."""
        return dict(self.detail().get("tags") or {})

    @property
    def attempts(self) -> list[Attempt]:
        """Attempts that have ended, oldest first; an array's are its children's."""
        return attempts_of(self.detail())

    def done(self) -> bool:
        """Whether the job has ended, asked now."""
        return self.status in TERMINAL

    def running(self) -> bool:
        """Whether the job, or a child of the array, has a host now."""
        detail = self.detail()
        children = detail.get("arrayProperties", {}).get("statusSummary", {})
        return detail["status"] in ACTIVE or any(children.get(status) for status in ACTIVE)

    def cancelled(self) -> bool:
        """Whether the job ended because somebody cancelled or terminated it."""
        return outcome(self.detail()) in (Outcome.CANCELLED, Outcome.TERMINATED)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the job has ended, however it ended.

        Parameters
        ----------
        timeout : float or None
            Seconds; None waits as long as it takes.

        Returns
        -------
        bool
            False when the time was up first.
        """
        try:
            self._wait_for_end(timeout)
        except TimeoutError:
            return False
        return True

    def cancel(self, reason: str = CANCEL_REASON) -> bool:
        """Ask that the job does not start.

        A job that has a host already is not touched, as in AWS Batch: use `terminate`.

        Returns
        -------
        bool
            Whether it will not run (again).
        """
        told = reason_of(reason, CANCEL_REASON)
        if self._final is None:
            with self.backend.errors():
                self.backend.batch.cancel_job(jobId=self.id, reason=told)
        detail = self.detail()
        is_waiting = detail["status"] not in ACTIVE | TERMINAL and not self.running()
        return is_waiting or outcome(detail) is Outcome.CANCELLED

    def terminate(self, reason: str = TERMINATE_REASON) -> None:
        """Stop the job wherever it is: SIGTERM, and SIGKILL after 30 seconds."""
        told = reason_of(reason, TERMINATE_REASON)
        if self._final is None:
            with self.backend.errors():
                self.backend.batch.terminate_job(jobId=self.id, reason=told)

    def why(self) -> str:
        """Why the job is waiting, or why it failed and what to do, in words."""
        detail = self.detail()
        if outcome(detail) is None:
            reasons = self.backend.private("why", {"jobId": self.id})["reasons"]
            return "\n".join(reasons) or in_words(detail)
        return "\n".join([in_words(detail), *self._why_failed(detail)])

    def _why_failed(self, detail: Detail) -> list[str]:
        """What to do about a job that failed."""
        ended = outcome(detail)
        return [] if ended is None or ended is Outcome.SUCCEEDED else [cure(detail, ended)]

    def progress(self) -> Progress | None:
        """How far the job says it is by `nbbatch.progress`, asked now; None when it has said nothing."""
        return newest_progress(self.notes())

    def metrics(self) -> Any:
        """What the job has told by `nbbatch.log_metric`, asked now.

        Returns
        -------
        pandas.DataFrame
            A row for each, by time: `time`, `item`, `attempt`, `name`, `value`, `step`. Of metrics that
            are logged many times a second some are left out.
        """
        return metrics_table(self.notes())

    def notes(self, *, since: int | None = None) -> list[Note]:
        """All that the job has told, by time; with `since` (epoch ms) only what is newer."""
        return notes_of(self.backend, self.id, since=since)

    def account(self) -> Account | None:
        """Cost and use so far; None on a backend that keeps no account of it."""
        account = self.told_account()
        if account is None or self._final is None or not self.backend.is_sampled:
            return account
        return account.at_least(own_usage(self.backend.store, self._final))

    def told_account(self) -> Account | None:
        """The same as the backend keeps it, in one call at any size: short runs used more than it says."""
        rows = self.backend.private("accounts", {"jobIds": [self.id]})["jobs"]
        return Account.read(rows[0]) if rows else None

    def cost(self) -> float | None:
        """Dollars so far on demand, at the prices its attempts were placed with; None where unknown."""
        account = self.told_account()
        return None if account is None else account.on_demand

    def usage(self) -> Use:
        """What the job asked for and what it used of that, over all attempts and children."""
        return use_of(self.detail(), self.account(), lambda detail: own_usage(self.backend.store, detail))

    def resize_advice(self) -> Advice:
        """What the next run should ask for, by what this one used; `nbbatch.client.handles.resize` has the rule.

        Raises
        ------
        UserError
            It has not ended, or nobody measured what it used.
        """
        return resize_advice(self)

    def resized(self) -> Resized:
        """The job with the vCPUs and memory that `resize_advice` names, for `like=`; raises as that does."""
        return Resized(self, resize_advice(self))

    def events(self, *, follow: bool = False) -> Iterator[Event]:
        """The job's state changes, of an array those of its children too, in EventBridge's shape.

        Parameters
        ----------
        follow : bool
            Wait for more until the job has ended.

        Raises
        ------
        NotOnAwsError
            Where nobody keeps them.
        """
        changes = events(job=self, since=0.0, follow=follow, backend=self.backend_name)
        for event in changes:
            yield event
            detail = event["detail"]
            if follow and detail.get("jobId") == self.id and detail.get("status") in TERMINAL:
                return

    def timeline(self) -> Any:
        """When the job was in which state.

        Returns
        -------
        pandas.DataFrame
            A row per state, in order, of an array for each child: `child`, `status`, `from`, `to`
            (UTC; of a final state the same, of the present one now) and `seconds`. Where only
            timestamps are known (of children, and on AWS) all before RUNNING is one row, WAITING.
        """
        return timeline(self)

    def figure(self, kind: str = "progress", *, theme: str = "auto") -> Any:
        """A plotly figure of how it stands now; `nbbatch.figure` has those of queues and simulations.

        Parameters
        ----------
        kind : str
            `progress`, `states`, `throughput`, `durations`, `failures`, `timeline` or `cost`.
        theme : str
            `auto` reads on light and dark grounds; `light` and `dark` are sharper on theirs.

        Returns
        -------
        plotly.graph_objects.Figure

        Raises
        ------
        OptionError
            There is no such figure.
        """
        return nbbatch.figure(self, kind, theme=theme)

    def add_done_callback(self, function: Callable[[Self], object]) -> None:
        """Call `function(handle)` when the job has ended, at once if it has.

        It is called once, on a thread of its own for callbacks, one after the other; it must not print,
        which would land in whatever cell runs. What it raises is logged, not raised.
        """
        check_callback(function)
        listener = Ending(lambda: callbacks.put(lambda: function(self)), self.keep)
        watcher_of(self.backend).watch(self.id, listener)

    def on_change(self, function: Callable[[Detail], object]) -> Watch:
        """Call `function(detail)` now and at every change until the end; see `add_done_callback`.

        Returns
        -------
        Watch
            `close()` it to lose interest earlier.
        """
        check_callback(function)
        return watcher_of(self.backend).watch(self.id, Following(function, self.keep))

    def result(self, timeout: float | None = None) -> Any:
        """What the job returned; see the subclasses."""
        raise NotImplementedError

    def __await__(self) -> Generator[Any, None, Any]:
        return self._result_later().__await__()

    async def _result_later(self) -> Any:
        if self._final is None:
            waiter = Waiter()
            watch = watcher_of(self.backend).watch(self.id, waiter)
            try:
                self._end(await asyncio.wrap_future(waiter.future))
            finally:
                watch.close()
        return await asyncio.to_thread(self.result)

    def fetch(self, to: str | os.PathLike[str] | None = None, *, overwrite: bool = False) -> list[Path]:
        """Bring the files that the job has left by now; `fetch=` said which when it was submitted.

        Parameters
        ----------
        to : path, optional
            Folder; without it `fetch_to=`, or the working directory. An array's files go to
            `<job's name>/<item>/` there.
        overwrite : bool
            Replace files that stand there. Otherwise only what was brought before and is unchanged is
            replaced, and a file of yours stays: the job's gets the job's id into its name.

        Returns
        -------
        list of Path
            Where they are.
        """
        check_path("to", to)
        folder = None if to is None else Path(to)
        return list(fetch(self.backend.store, self.detail(), to=folder, overwrite=overwrite).paths)

    def bring_files(self) -> Fetched | None:
        """Bring the files of a job that has ended, once for each handle; None where none was asked for."""
        detail = self.detail()
        if self._has_fetched or not asks_for_files(detail):
            return None
        self._has_fetched = True
        try:
            return fetch(self.backend.store, detail)
        except KeyboardInterrupt:
            self._has_fetched = False  # the next call brings them
            raise

    def _wait_for_end(self, timeout: float | None) -> Detail:
        """Final detail; TimeoutError when the time is up first."""
        check_timeout(timeout)
        if self._final is None:
            waiter = Waiter()
            watch = watcher_of(self.backend).watch(self.id, waiter)
            try:
                detail = waiter.future.result(timeout)
            except TimeoutError:
                raise TimeoutError(f"{self!r} has not ended within {timeout} s; it goes on.") from None
            finally:
                watch.close()
            self._end(detail)
            return detail
        return self._final

    def keep(self, detail: Detail) -> None:
        """Take what a listener was told of this job; its final detail need not be asked for again."""
        if detail["status"] in TERMINAL:
            self._end(detail)

    def _end(self, detail: Detail) -> None:
        """Keep the final detail; of a cell also what it took."""
        if self._final is None:
            self._final = detail
            note_end(self.backend, detail)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handle) and (self.id, self.backend_name) == (other.id, other.backend_name)

    def __hash__(self) -> int:
        return hash((self.id, self.backend_name))

    def __repr__(self) -> str:
        state = self._final["status"] if self._final else self.backend_name
        packing = f" · {self.packing}" if self.packing else ""
        told = f"{state}{self._told_cached()}{packing}"
        return f"<{type(self).__name__} {self._name or '?'} {short_id(self.id)} · {told}>"

    @property
    def packing(self) -> str:
        """Of an array how its items are packed, in words; empty where nobody would ask."""
        return ""

    def _told_cached(self) -> str:
        """Since when a result is there that was taken from the cache."""
        stopped = moment_of((self._final or {}).get("stoppedAt")) if self.is_cached else None
        return "" if stopped is None else f" · cached, of {stopped.astimezone():%Y-%m-%d %H:%M:%S}"

    def _ipython_display_(self, **_: Any) -> None:
        """IPython's hook: a live panel where a front end shows one; else IPython takes the picture of now."""
        nbbatch.panel(self)._ipython_display_()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """What a notebook shows: how the job stands now, as text and as a small static table."""
        return shown(self)


def describe(backend: Backend, job_id: str) -> Detail:
    """DescribeJobs of one id.

    Raises
    ------
    UnknownNameError
        When the backend does not know it.
    """
    with backend.errors():
        details = backend.batch.describe_jobs(jobs=[job_id])["jobs"]
    if not details:
        raise UnknownNameError(
            f"Backend {backend.name!r} knows no job {job_id!r}.",
            cure="nbbatch.jobs() lists the newest; another backend may have it.",
        )
    return with_main_nodes(backend, details)[0]
