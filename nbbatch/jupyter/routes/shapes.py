"""Every request and answer of the sidebar's routes, as values; docs/server.md has the table of routes.

`scripts/shapes` writes them as TypeScript into `frontend/src/shapes.ts`, docstrings included, so that
both ends have one source. Members are camelCase there; times are epoch milliseconds, memory is MiB,
money is dollars. A member that has a default may be left out of a request. Changes only add.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from nbbatch.client.handles.outcome import Outcome
from nbbatch.model.jobs import JobStatus

JobKind = Literal["job", "array", "notebook", "sweep", "script", "nodes"]
"""What a job is to its user; `nodes` is a multi-node job."""
BackendState = Literal["ready", "absent", "stopped", "unreachable"]
"""Whether a backend answers; `absent` and `stopped` are a local daemon that can be started."""


class Answer(msgspec.Struct, rename="camel", frozen=True):
    """What the server says."""


class Request(msgspec.Struct, rename="camel", frozen=True, forbid_unknown_fields=True):
    """What the browser asks."""


class Problem(Answer, kw_only=True, frozen=True):
    """The body of every answer that is not 2xx.

    Parameters
    ----------
    message : str
        What happened and with which value, one sentence.
    cure : str
        What to do about it; may be empty.
    field : str
        The member of the request, option or parameter that is wrong; empty where no single one is.
    reason : str
        For programs: the error's class in nbbatch's tree, such as `OptionError` or
        `BackendUnreachableError`; `NoDaemon` where a local daemon has to be started first.
    """

    message: str
    cure: str = ""
    field: str = ""
    reason: str = ""


class BackendRow(Answer, kw_only=True, frozen=True):
    """A backend of the configuration.

    Parameters
    ----------
    name, kind, region : str
        As configured; `kind` is `local` or `aws`, to be shown, not to be asked for.
    is_default : bool
        Whether it is the one without a name.
    state : BackendState
        Whether it answers; an AWS account is asked only by the other routes, and counts as ready.
    message, cure : str
        Why not, and what to do.
    can_start : bool
        Whether POST `backends/start` would help.
    source : str
        The file that configures it; empty for the one that is always there.
    is_pushing : bool
        Whether `news` hears of changes at once; else it has to look.
    executor, version, home : str
        Of a local daemon that runs: what runs its jobs, its version and its folder.
    """

    name: str
    kind: str
    region: str = ""
    is_default: bool = False
    state: BackendState = "ready"
    message: str = ""
    cure: str = ""
    can_start: bool = False
    source: str = ""
    is_pushing: bool = False
    executor: str = ""
    version: str = ""
    home: str = ""


class Backends(Answer, kw_only=True, frozen=True):
    """GET `backends`.

    Parameters
    ----------
    backends : list of BackendRow
        The default one first.
    default : str
        Name of the default one.
    version : str
        Of nbbatch on the server.
    """

    backends: list[BackendRow]
    default: str
    version: str


class StartBackend(Request, kw_only=True, frozen=True):
    """POST `backends/start`: start the local daemon.

    Parameters
    ----------
    backend : str
        Its name; empty for the default one.
    """

    backend: str = ""


class JobRow(Answer, kw_only=True, frozen=True):
    """One job of the list; an array is one row.

    Parameters
    ----------
    id, name, queue : str
        As Batch has them; the queue by its name.
    kind : JobKind
        What it is to its user.
    notebook : str
        File name of the notebook that it runs; empty for other kinds.
    status : JobStatus
        One of Batch's seven.
    reason : str
        Batch's reason for the status; may be empty.
    outcome : Outcome or None
        How it ended, told apart where Batch only says FAILED; None while it has not.
    words : str
        Its status for people: `RUNNING`, `FAILED (exit code 3)`, `FAILED (timed out)`, `PENDING (cancel asked)`.
    created, started, stopped : int or None
        Epoch ms.
    seconds : float or None
        How long its last attempt ran; None before it started. Of one that runs `started` tells it.
    exit_code : int or None
        Of the last attempt.
    size : int or None
        Children of an array; None for all else.
    counts : dict of str to int
        Children of an array by status; empty for all else.
    failures : dict of str to int
        Failed children of an array by way to fail (an `Outcome`); may lag behind `counts`.
    cost : float or None
        Dollars so far at the prices its attempts were placed with; None where the list does not know.
    can_cancel, can_terminate, can_retry : bool
        Which actions make sense now.
    """

    id: str
    name: str
    queue: str
    kind: JobKind
    notebook: str = ""
    status: JobStatus
    reason: str = ""
    outcome: Outcome | None = None
    words: str
    created: int
    started: int | None = None
    stopped: int | None = None
    seconds: float | None = None
    exit_code: int | None = None
    size: int | None = None
    counts: dict[str, int] = {}
    failures: dict[str, int] = {}
    cost: float | None = None
    can_cancel: bool = False
    can_terminate: bool = False
    can_retry: bool = False


class Jobs(Answer, kw_only=True, frozen=True):
    """GET `jobs`: the newest jobs first.

    Parameters
    ----------
    backend : str
        Whose they are.
    jobs : list of JobRow
        A page; with `since` those that changed after it, in no order of pages.
    token : str
        Given as `page` it asks for the next one; empty on the last one.
    cursor : str
        To be given as `since` here, or to `news`.
    gone : list of str
        With `since`: ids that are no longer kept or no longer match.
    is_reset : bool
        With `since`: the cursor was too old, and this is the first page instead.
    total : int
        How many jobs match, as far as they are known.
    is_total_exact : bool
        False where there may be more than `total`.
    queues : list of str
        Names of all queues, for a filter.
    """

    backend: str
    jobs: list[JobRow]
    token: str = ""
    cursor: str = ""
    gone: list[str] = []
    is_reset: bool = False
    total: int = 0
    is_total_exact: bool = True
    queues: list[str] = []


class Ended(Answer, kw_only=True, frozen=True):
    """A job that ended since the last news: what a notification says.

    Parameters
    ----------
    id, name, queue : str
        Of the job, or of the array as a whole.
    outcome : Outcome
        How it ended.
    words : str
        One sentence.
    stopped : int
        Epoch ms.
    """

    id: str
    name: str
    queue: str
    outcome: Outcome
    words: str
    stopped: int


class News(Answer, kw_only=True, frozen=True):
    """GET `news`: what changed since a cursor; the answer may take `timeout` seconds when nothing does.

    Parameters
    ----------
    backend : str
        Where.
    cursor : str
        For the next question.
    jobs : list of JobRow
        Jobs that changed, or came to be, as they are now.
    gone : list of str
        Ids that are no longer kept.
    ended : list of Ended
        Those that ended since.
    is_reset : bool
        The cursor was missing or too old: the list has to be asked for again.
    pause : float
        Seconds after which to ask again; 0 where the question itself waits.
    no_daemon : str
        Why no local daemon answers, one sentence: then there is no other news, and the cursor is the one that
        was asked with. Empty where one does, or an account is asked.
    """

    backend: str
    cursor: str
    jobs: list[JobRow] = []
    gone: list[str] = []
    ended: list[Ended] = []
    is_reset: bool = False
    pause: float = 0.0
    no_daemon: str = ""
