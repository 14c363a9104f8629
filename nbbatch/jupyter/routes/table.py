"""The routes as one table: paths, what is asked, what is answered. Handlers, documents and types come from it.

Paths are below `<base_url>/nbbatch/`. Every route also takes `backend` (a configured name; the default
one without it) and `folder` (from the server's root: whose `nbbatch.toml` holds).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import msgspec

from nbbatch.jupyter.routes import shapes, shapes_job, shapes_money, shapes_submit

PREFIX = "nbbatch"
EVERYWHERE = MappingProxyType(
    {
        "backend": "name of a configured backend; the default one without it",
        "folder": "folder from the server's root whose `nbbatch.toml` holds; the root without it",
    }
)
"""Query parameters of every route."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path.

    Parameters
    ----------
    method, path : str
        `GET` or `POST`; `{id}` in a path is a job's whole id, quoted as in an address, and `{index}` a
        child's number.
    about : str
        One sentence.
    answer : type
        Of the answer's body.
    request : type or None
        Of the request's body, JSON.
    query : mapping of str to str
        Its own query parameters, and what they are.
    """

    method: str
    path: str
    about: str
    answer: type[msgspec.Struct]
    request: type[msgspec.Struct] | None = None
    query: Mapping[str, str] = field(default_factory=dict)


ROUTES = (
    Route(method="GET", path="backends", about="All configured backends.", answer=shapes.Backends),
    Route(
        method="POST",
        path="backends/start",
        about="Start a local daemon that does not run; answers when it does.",
        request=shapes.StartBackend,
        answer=shapes.BackendRow,
    ),
    Route(
        method="GET",
        path="jobs",
        about="The newest jobs first; an array is one row.",
        answer=shapes.Jobs,
        query={
            "queue": "only of this queue",
            "status": "only in this status, or failed in this way (`timed out`); several with commas; "
            "`active` for all that have not ended",
            "text": "only with this in their name, id, queue or notebook",
            "limit": "at most so many, 1 to 1000; 100 without it",
            "page": "`token` of an earlier page: the one behind it (`token` itself is Jupyter's own word)",
            "since": "a cursor: only what changed after it",
        },
    ),
    Route(method="GET", path="jobs/{id}", about="All about one job.", answer=shapes_job.JobDetail),
    Route(
        method="GET",
        path="jobs/{id}/children",
        about="All children of an array, a digit each.",
        answer=shapes_job.Children,
    ),
    Route(
        method="GET",
        path="jobs/{id}/children/{index}",
        about="One child of an array.",
        answer=shapes_job.JobDetail,
    ),
    Route(
        method="GET",
        path="jobs/{id}/logs",
        about="A page of one attempt's log, by default its last lines.",
        answer=shapes_job.LogPage,
        query={
            "page": "`forward` or `backward` of an earlier page; without it the last lines",
            "limit": "at most so many lines, 1 to 10000; 1000 without it",
            "attempt": "which one, from 1; the last one without it",
            "head": "`1`: without a `page` begin at the beginning",
            "wait": "seconds, up to 25, that the answer may wait for a new line",
        },
    ),
    Route(
        method="POST",
        path="jobs/{id}/cancel",
        about="Ask that a job that waits does not start.",
        request=shapes_job.Reason,
        answer=shapes_job.Done,
    ),
    Route(
        method="POST",
        path="jobs/{id}/terminate",
        about="Stop a job wherever it is.",
        request=shapes_job.Reason,
        answer=shapes_job.Done,
    ),
    Route(
        method="POST",
        path="jobs/{id}/retry",
        about="Submit the same again; of an array what failed.",
        request=shapes_job.Retry,
        answer=shapes_job.Done,
    ),
    Route(
        method="GET",
        path="jobs/{id}/outputs",
        about="What a job has left: rich outputs, its error, a notebook's cells and values.",
        query={"item": "position of one of the items of a child that ran several; the first without it"},
        answer=shapes_job.Outputs,
    ),
    Route(
        method="POST",
        path="jobs/{id}/outputs",
        about="Save the executed notebook beside its source, never over another file.",
        request=shapes_job.SaveNotebook,
        answer=shapes_job.SavedNotebook,
    ),
    Route(
        method="GET",
        path="jobs/{id}/code",
        about="Python lines that find the job again in a notebook.",
        answer=shapes_job.Code,
    ),
    Route(
        method="GET",
        path="queues",
        about="Queues, what waits in them and why, and their hosts.",
        answer=shapes_money.Queues,
    ),
    Route(
        method="GET",
        path="costs",
        about="What the last days cost; days are UTC.",
        answer=shapes_money.Costs,
        query={"days": "how many, today among them; 1 without it, at most 366"},
    ),
    Route(
        method="POST",
        path="costs/budget",
        about="Set the day's cap, or take it away.",
        request=shapes_money.SetBudget,
        answer=shapes_money.Budget,
    ),
    Route(
        method="GET",
        path="notebooks",
        about="What a form needs to submit a notebook.",
        answer=shapes_submit.Notebook,
        query={"path": "of the notebook, from the server's root"},
    ),
    Route(
        method="POST",
        path="notebooks",
        about="Submit a notebook, or a sweep of it.",
        request=shapes_submit.SubmitNotebook,
        answer=shapes_submit.Submitted,
    ),
    Route(
        method="POST",
        path="estimate",
        about="What a submission would cost; nothing is sent.",
        request=shapes_submit.AskEstimate,
        answer=shapes_submit.Estimate,
    ),
    Route(
        method="GET",
        path="news",
        about="What changed since a cursor; waits until something does. That no daemon runs is an answer, too.",
        answer=shapes.News,
        query={
            "cursor": "of `jobs` or earlier news; without it the answer comes at once",
            "wait": "seconds that the answer may take, up to 25; 20 without it",
            "hidden": "`1`: nobody looks right now; an AWS account is asked less often",
        },
    ),
)
"""Every route."""
