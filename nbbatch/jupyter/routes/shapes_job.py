"""Shapes of one job: its detail, children, log, what it left, and what can be done with it."""

from __future__ import annotations

from typing import Any, Literal

from nbbatch.client.handles.outcome import Outcome
from nbbatch.jupyter.routes.shapes import Answer, JobRow, Request
from nbbatch.model.jobs import JobStatus


class Attempt(Answer, kw_only=True, frozen=True):
    """One try at running a job.

    Parameters
    ----------
    number : int
        1 for the first.
    started, stopped : int or None
        Epoch ms; `started` is None where its container never ran.
    exit_code : int or None
        None where no container reported one.
    reason, host, log_stream : str
        May be empty.
    """

    number: int
    started: int | None = None
    stopped: int | None = None
    exit_code: int | None = None
    reason: str = ""
    host: str = ""
    log_stream: str = ""


class Usage(Answer, kw_only=True, frozen=True):
    """What a job asked for and used; of an array over all children.

    Parameters
    ----------
    vcpus, memory, gpus : float, int, int
        Asked for by one attempt; MiB.
    seconds : float
        Time its attempts ran, together.
    cpu_seconds, busy_vcpus : float or None
        User and system time; vCPUs busy on average. None where nobody measured.
    peak_memory : int or None
        MiB, the largest of all attempts.
    """

    vcpus: float
    memory: int
    gpus: int
    seconds: float = 0.0
    cpu_seconds: float | None = None
    busy_vcpus: float | None = None
    peak_memory: int | None = None


class Cost(Answer, kw_only=True, frozen=True):
    """Dollars so far, at the prices frozen when each attempt started.

    Parameters
    ----------
    on_demand, spot : float
        At On-Demand and at Spot prices.
    instance_type : str
        Of the last attempt's host; empty where unknown.
    """

    on_demand: float
    spot: float
    instance_type: str = ""


class Progress(Answer, kw_only=True, frozen=True):
    """How far a job says it is.

    Parameters
    ----------
    i, n : float, float or None
        So much is done, of how much.
    text : str
        What it is doing.
    item : int or None
        Which item of an array it is about.
    """

    i: float
    n: float | None = None
    text: str = ""
    item: int | None = None


class Moment(Answer, kw_only=True, frozen=True):
    """A change of a job's status.

    Parameters
    ----------
    time : int
        Epoch ms.
    status, reason : str
        What it became, and why; `blocked` where it began to block its queue.
    child : int or None
        Which child of an array it was.
    """

    time: int
    status: str
    reason: str = ""
    child: int | None = None


class Fact(Answer, kw_only=True, frozen=True):
    """A line of a job's definition or request.

    Parameters
    ----------
    name, value : str
        In words.
    """

    name: str
    value: str


class JobDetail(Answer, kw_only=True, frozen=True):
    """GET `jobs/<id>`.

    Parameters
    ----------
    job : JobRow
        As in the list.
    backend : str
        Where it is.
    story : str
        How it ended, or what its status is: one sentence.
    why : list of str
        Why it waits, or why it failed and what to do, sentence by sentence.
    attempts : list of Attempt
        Ended ones, oldest first; of an array none: its children have them.
    usage : Usage or None
        None where nobody knows.
    cost : Cost or None
        None where nobody knows.
    progress : Progress or None
        The last it told.
    command : list of str
        What runs in the container.
    image, definition : str
        The image, and the job definition with its revision.
    facts : list of Fact
        Timeout, retries, tags, dependencies, ... for people.
    environment, tags, parameters : dict of str to str
        As submitted; values of variables that look like credentials are hidden. `parameters` are a
        notebook's, as JSON.
    depends_on : list of str
        Ids.
    host : str
        Where it runs or ran last.
    events : list of Moment
        The newest of its life, oldest first; of an array without its children.
    children : str
        Of an array as in `Children.statuses`.
    has_log, has_outputs, has_notebook : bool
        Which of these there may be.
    index : int or None
        Of a child of an array.
    parent : str
        Id of the array that it is a child of.
    """

    job: JobRow
    backend: str
    story: str
    why: list[str] = []
    attempts: list[Attempt] = []
    usage: Usage | None = None
    cost: Cost | None = None
    progress: Progress | None = None
    command: list[str] = []
    image: str = ""
    definition: str = ""
    facts: list[Fact] = []
    environment: dict[str, str] = {}
    tags: dict[str, str] = {}
    parameters: dict[str, str] = {}
    depends_on: list[str] = []
    host: str = ""
    events: list[Moment] = []
    children: str = ""
    has_log: bool = False
    has_outputs: bool = False
    has_notebook: bool = False
    index: int | None = None
    parent: str = ""


class FailureGroup(Answer, kw_only=True, frozen=True):
    """Children that failed alike.

    Parameters
    ----------
    outcome : Outcome
        How.
    words : str
        The same for people, exit codes told apart.
    count : int
        How many.
    indexes : list of int
        The first hundred of them.
    """

    outcome: Outcome
    words: str
    count: int
    indexes: list[int]


class Children(Answer, kw_only=True, frozen=True):
    """GET `jobs/<id>/children`: all children of an array.

    Parameters
    ----------
    id : str
        Of the array.
    size : int
        How many there are.
    statuses : str
        A digit for each child by index: its place in `order`.
    order : list of JobStatus
        What the digits mean.
    counts : dict of str to int
        Children by status.
    failures : list of FailureGroup
        The most frequent first.
    """

    id: str
    size: int
    statuses: str
    order: list[JobStatus]
    counts: dict[str, int]
    failures: list[FailureGroup] = []


class LogLine(Answer, kw_only=True, frozen=True):
    """A line of a log.

    Parameters
    ----------
    time : int
        Epoch ms.
    text : str
        May have ANSI colours.
    """

    time: int
    text: str


class LogPage(Answer, kw_only=True, frozen=True):
    """GET `jobs/<id>/logs`: some lines of one attempt, oldest first.

    Parameters
    ----------
    lines : list of LogLine
        Notes of nbbatch itself left out.
    forward, backward : str
        Given as `page`: what comes after, what was before; empty `backward`: this is the beginning.
    attempt : int
        Of which attempt; 0 where there is no log yet.
    attempts : int
        How many attempts have a log.
    is_over : bool
        No more will come of this attempt: nothing to follow.
    """

    lines: list[LogLine]
    forward: str = ""
    backward: str = ""
    attempt: int = 0
    attempts: int = 0
    is_over: bool = False


class Reason(Request, kw_only=True, frozen=True):
    """POST `jobs/<id>/cancel` and `jobs/<id>/terminate`.

    Parameters
    ----------
    reason : str
        Kept with the job; a sentence of the sidebar's own where it is empty.
    """

    reason: str = ""


class Retry(Request, kw_only=True, frozen=True):
    """POST `jobs/<id>/retry`: submit the same again, of an array only what failed.

    Parameters
    ----------
    whole : bool
        Of an array all items, not only those that failed.
    """

    whole: bool = False


class Done(Answer, kw_only=True, frozen=True):
    """What an action did.

    Parameters
    ----------
    id : str
        Of the job; after a retry of the new one.
    words : str
        What happened, one sentence.
    job : JobRow
        As it is now.
    """

    id: str
    words: str
    job: JobRow


class RemoteError(Answer, kw_only=True, frozen=True):
    """What the job's code raised.

    Parameters
    ----------
    type, message, traceback : str
        The exception's class, its text, and the traceback as the job printed it (with ANSI colours
        where it had them).
    """

    type: str
    message: str
    traceback: str


class Cell(Answer, kw_only=True, frozen=True):
    """A cell of a notebook that runs as a job.

    Parameters
    ----------
    index : int
        Its place among all cells, from 0.
    count : int or None
        As in `In [5]`.
    kind, source, status, error : str
        `code` or `markdown`; status is papermill's: pending, running, completed, failed.
    seconds : float or None
        How long it took.
    """

    index: int
    kind: str
    source: str
    status: str
    count: int | None = None
    seconds: float | None = None
    error: str = ""


class ItemEnd(Answer, kw_only=True, frozen=True):
    """What became of one of the items that a child of an array ran.

    Parameters
    ----------
    position : int
        In the whole array.
    state : str
        `succeeded`, `failed`, or `left`: it did not get that far, or nobody has told yet.
    error : str
        What it raised, in a line; empty where it raised nothing.
    seconds : float or None
        How long it took, where that is known.
    """

    position: int
    state: Literal["succeeded", "failed", "left"]
    error: str = ""
    seconds: float | None = None


class Outputs(Answer, kw_only=True, frozen=True):
    """GET `jobs/<id>/outputs`: what a job has left.

    Parameters
    ----------
    id : str
        Of the job, or of the child.
    outputs : list of dict
        In the notebook format (nbformat 4), in order: `stream`, `display_data`, `execute_result`,
        `error`. Not to be trusted: render them without trust.
    error : RemoteError or None
        What its code raised.
    values : dict of str to str
        What a notebook has recorded, as text.
    cells : list of Cell
        Of a notebook, as far as it got.
    can_save : bool
        Whether POST `jobs/<id>/outputs` has an executed notebook to save.
    path : str
        Where that was saved before, from the server's root; empty where it was not.
    is_cut : bool
        Some outputs were too large to be sent and are left out.
    items : list of ItemEnd
        Of a child that ran more than one item; empty for all else.
    item : int or None
        Position of the item that this is about; None where it is about all of them.
    """

    id: str
    items: list[ItemEnd] = []
    item: int | None = None
    outputs: list[dict[str, Any]] = []
    error: RemoteError | None = None
    values: dict[str, str] = {}
    cells: list[Cell] = []
    can_save: bool = False
    path: str = ""
    is_cut: bool = False


class SaveNotebook(Request, kw_only=True, frozen=True):
    """POST `jobs/<id>/outputs`: save the executed notebook beside its source.

    Parameters
    ----------
    folder : str
        Another folder, from the server's root. Where nobody knows the source's place, this one or the root.
    item : int or None
        Position of the item whose notebook is meant, of a child that ran several; None for the first.
    """

    folder: str = ""
    item: int | None = None


class SavedNotebook(Answer, kw_only=True, frozen=True):
    """Where the executed notebook stands.

    Parameters
    ----------
    path : str
        From the server's root, to be opened; its name has the job's first letters.
    is_new : bool
        False where it stood there already, from the same state of the job.
    """

    path: str
    is_new: bool


class Code(Answer, kw_only=True, frozen=True):
    """GET `jobs/<id>/code`: lines that reattach the job in a notebook.

    Parameters
    ----------
    code : str
        Python, ready to be run.
    name : str
        The variable that it binds.
    """

    code: str
    name: str
