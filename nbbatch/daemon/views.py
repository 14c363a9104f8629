"""Reads: jobs, definitions, queues and environments as AWS Batch shows them.

A live job is shown from the scheduler's state, a finished one from the rows; both agree between two
ticks. Nothing here changes anything or waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from nbbatch.daemon.loop import Loop
from nbbatch.daemon.paging import Paging, page_size
from nbbatch.daemon.store import Store
from nbbatch.errors import ClientException
from nbbatch.model.arns import Arns, name_of
from nbbatch.model.jobs import Job, JobDefinition, JobId, JobStatus, JobView, is_canonical
from nbbatch.scheduler.commands.definitions import find_definition
from nbbatch.scheduler.commands.queues import find_queue
from nbbatch.scheduler.state import STATUSES, LiveJob, SchedulerState
from nbbatch.wire.encode import encode_job, encode_summary
from nbbatch.wire.encode_container import Json
from nbbatch.wire.encode_world import encode_definition, encode_environment, encode_queue

MAX_NAMED = 100
"""Ids or names in one Describe call, and entries of its page."""
MAX_LISTED = 1000
MAX_FILTERED = 100
_OWN_VARIABLES = "NBBATCH_"

T = TypeVar("T")


class Views:
    """Answers that change nothing."""

    def __init__(self, loop: Loop, store: Store, paging: Paging) -> None:
        self._loop = loop
        self._store = store
        self.paging = paging

    @property
    def _state(self) -> SchedulerState:
        return self._loop.state

    def describe_jobs(self, request: Json, arns: Arns) -> Json:
        """DescribeJobs: known jobs in the order asked for; unknown ids are left out."""
        ids = list(dict.fromkeys(request["jobs"]))
        if len(ids) > MAX_NAMED:
            raise ClientException(f"Maximum number of jobs supported is  {MAX_NAMED}")
        found = self.find(ids)
        return {"jobs": [encode_job(found[key], arns, self._state.now) for key in ids if key in found]}

    def find(self, job_ids: Iterable[str]) -> dict[str, JobView]:
        """Jobs and children by id, live or finished."""
        found: dict[str, JobView] = {}
        rest: list[str] = []
        for job_id in job_ids:
            if not is_canonical(job_id):
                continue
            live = self._state.find(job_id)
            if live is None or self._state.status(*live).is_terminal:
                rest.append(job_id)
            else:
                found[job_id] = view_of(self._state, *live)
        return found | dict(self._store.find(rest)) if rest else found

    def list_jobs(self, request: Json, arns: Arns) -> Json:
        """ListJobs: of a queue, newest first, or the children of an array or the nodes of a job, by index."""
        given = [name for name in ("jobQueue", "arrayJobId", "multiNodeJobId") if request.get(name)]
        match given:
            case ["jobQueue"]:
                return self._list_queue(request, arns)
            case ["arrayJobId" | "multiNodeJobId" as member]:
                return self._list_children(
                    JobId(request[member]), request, arns, nodes=member != "arrayJobId"
                )
            case _:
                raise ClientException("Exactly one of jobQueue, arrayJobId and multiNodeJobId is required.")

    def _list_queue(self, request: Json, arns: Arns) -> Json:
        queue = find_queue(self._state, request["jobQueue"])
        if queue is None:
            raise ClientException(f"Job Queue {request['jobQueue']} does not exist")
        filters = _filters(request)
        if not filters or "share_identifier" in filters:
            given = request.get("jobStatus") or (None if filters else JobStatus.RUNNING)
            filters["statuses"] = [JobStatus(given)] if given else None
        limit = page_size(request, MAX_FILTERED if request.get("filters") else MAX_LISTED)
        before = self.paging.position("ListJobs", request)
        rows = self._store.list_jobs(
            queue=queue.name, limit=limit + 1, before=tuple(before) if before else None, **filters
        )
        now = self._state.now
        reply: Json = {"jobSummaryList": [encode_summary(row.view, arns, now) for row in rows[:limit]]}
        if len(rows) > limit:
            reply["nextToken"] = self.paging.token("ListJobs", request, rows[limit - 1].cursor)
        return reply

    def listing(self, queue: str, before: tuple[int, int] | None, limit: int, arns: Arns) -> Json:
        """Jobs of a queue in every status, newest first: JobSummary, and nbbatch's own variables of each.

        `next` is the `before` of the next page, null on the last one.
        """
        if queue not in self._state.queues:
            raise ClientException(f"Job Queue {queue} does not exist")
        rows = self._store.list_jobs(queue=queue, limit=limit + 1, before=before)
        now = self._state.now
        jobs = [_with_variables(encode_summary(row.view, arns, now), row.view.job) for row in rows[:limit]]
        return {"jobs": jobs, "next": rows[limit - 1].cursor if len(rows) > limit else None}

    def _list_children(self, parent: JobId, request: Json, arns: Arns, *, nodes: bool) -> Json:
        status = JobStatus(request.get("jobStatus", JobStatus.RUNNING))
        limit = page_size(request, MAX_LISTED)
        after = self.paging.position("ListJobs", request)
        place = -1 if after is None else after
        views = [
            view
            for view in self._children(parent, status, place, limit + 1)
            if (view.job.nodes is not None) == nodes
        ]
        now = self._state.now
        reply: Json = {"jobSummaryList": [encode_summary(view, arns, now) for view in views[:limit]]}
        if len(views) > limit:
            reply["nextToken"] = self.paging.token("ListJobs", request, views[limit - 1].index)
        return reply

    def _children(self, parent: JobId, status: JobStatus, after: int, limit: int) -> list[JobView]:
        """Children or nodes in a status: those that go on are in the state, children that ended have rows."""
        live = self._state.jobs.get(parent)
        if live is not None and live.nodes is not None:
            found = [
                index for index, run in live.nodes.runs.items() if run.status is status and index > after
            ]
            return [view_of(self._state, live, index) for index in found[:limit]]
        if live is None or live.children is None or status.is_terminal:
            return self._store.children(parent, statuses=[status], after_index=after, limit=limit)
        indexes = [index for index in live.children.in_status(status) if index > after]
        return [view_of(self._state, live, index) for index in indexes[:limit]]

    def describe_definitions(self, request: Json, arns: Arns) -> Json:
        """DescribeJobDefinitions: by reference, or by name and status; newest revision first."""
        references = request.get("jobDefinitions")
        name, status = request.get("jobDefinitionName"), request.get("status")
        if references:
            if name or status:
                raise ClientException("jobDefinitions cannot go together with jobDefinitionName or status.")
            _check_count("jobDefinitions", references)
            known = [find_definition(self._state, reference) for reference in references]
            return {"jobDefinitions": [encode_definition(one, arns) for one in known if one is not None]}
        names = [name] if name else sorted(self._state.definitions)
        definitions = [
            definition
            for known in names
            for definition in reversed(self._state.definitions.get(known, ()))
            if not status or definition.status == status
        ]
        return self.page(
            "jobDefinitions",
            request,
            definitions,
            place=_place_of_definition,
            encode=lambda definition: encode_definition(definition, arns),
        )

    def describe_queues(self, request: Json, arns: Arns) -> Json:
        """DescribeJobQueues: the named ones, or all by name."""
        queues = self._state.queues
        return self.page(
            "jobQueues",
            request,
            _named(request.get("jobQueues"), "job-queue", sorted(queues), "jobQueues"),
            place=lambda name: name,
            encode=lambda name: encode_queue(
                queues[name].queue, arns, is_fargate=self._is_fargate(queues[name].queue.environments)
            ),
        )

    def describe_environments(self, request: Json, arns: Arns) -> Json:
        """DescribeComputeEnvironments: the named ones, or all by name."""
        known = self._state.environments
        names = _named(
            request.get("computeEnvironments"), "compute-environment", sorted(known), "computeEnvironments"
        )
        return self.page(
            "computeEnvironments",
            request,
            names,
            place=lambda name: name,
            encode=lambda name: encode_environment(known[name].environment, arns, known[name].provisioned),
        )

    def _is_fargate(self, environments: Sequence[str]) -> bool:
        known = self._state.environments.get(environments[0]) if environments else None
        return known is not None and known.environment.resource_type.startswith("FARGATE")

    def page(
        self,
        member: str,
        request: Json,
        items: Sequence[T],
        *,
        place: Callable[[T], Any],
        encode: Callable[[T], Json],
    ) -> Json:
        """One page of a list that is in order of `place`, as the given member."""
        limit = page_size(request, MAX_NAMED)
        after = self.paging.position(member, request)
        rest = items if after is None else [item for item in items if place(item) > after]
        reply: Json = {member: [encode(item) for item in rest[:limit]]}
        if len(rest) > limit:
            reply["nextToken"] = self.paging.token(member, request, place(rest[limit - 1]))
        return reply


def view_of(state: SchedulerState, live: LiveJob, index: int | None) -> JobView:
    """A live job or child as a reader sees it."""
    counts = None
    if live.children is not None and index is None:
        counts = dict(zip(STATUSES, live.children.counts, strict=True))
    job = live.job.as_seen_by(index)
    return JobView(job=job, run=state.run_of(live, index), index=index, counts=counts)


def _with_variables(summary: Json, job: Job) -> Json:
    """With the variables by which a client knows what a job is, where DescribeJobs has them."""
    own = [
        {"name": name, "value": value}
        for name, value in job.container.environment
        if name.startswith(_OWN_VARIABLES)
    ]
    return summary | {"container": {**summary.get("container", {}), "environment": own}} if own else summary


def _place_of_definition(definition: JobDefinition) -> list[Any]:
    """By name, then newest revision first."""
    return [definition.name, -definition.revision]


def _named(references: Sequence[str] | None, kind: str, names: Sequence[str], member: str) -> Sequence[str]:
    if not references:
        return names
    _check_count(member, references)
    wanted = {name_of(reference, kind) for reference in references}
    return [name for name in names if name in wanted]


def _check_count(member: str, references: Sequence[str]) -> None:
    if len(references) > MAX_NAMED:
        raise ClientException(f"{member}: has {len(references)} entries, and may have at most {MAX_NAMED}")


def _filters(request: Mapping[str, Any]) -> dict[str, Any]:
    """ListJobs' one filter as an argument for the store."""
    filters = request.get("filters") or ()
    if not filters:
        return {}
    if len(filters) > 1:
        raise ClientException(f"filters: has {len(filters)} entries, and may have at most 1")
    name, values = filters[0].get("name"), filters[0].get("values", ())
    if len(values) != 1 or not values[0]:
        raise ClientException(f"filters[0].values: {name} takes exactly one value.")
    value = values[0]
    match name:
        case "JOB_NAME":
            return {"name": value}
        case "JOB_DEFINITION":
            return {"definition": name_of(value, "job-definition")}
        case "SHARE_IDENTIFIER":
            return {"share_identifier": value}
        case "BEFORE_CREATED_AT":
            return {"created_before": _milliseconds(value)}
        case "AFTER_CREATED_AT":
            return {"created_after": _milliseconds(value)}
        case _:
            raise ClientException(
                f"filters[0].name: {name!r} is not one of JOB_NAME, JOB_DEFINITION, BEFORE_CREATED_AT, "
                "AFTER_CREATED_AT, SHARE_IDENTIFIER"
            )


def _milliseconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 15):  # noqa: PLR2004 - SQLite's integers end later
        raise ClientException(f"filters[0].values[0]: {text[:40]!r} is not a time in epoch milliseconds.")
    return int(text)
