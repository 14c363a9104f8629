"""Answers about one job: its detail, the children of an array, and lines that find it again."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from nbbatch.client.arrays.children import STATUSES, read_children
from nbbatch.client.arrays.indexes import bundle_of, environment_of
from nbbatch.client.config import load_config
from nbbatch.client.handles.attempts import attempts_of
from nbbatch.client.handles.handle import Handle
from nbbatch.client.handles.outcome import Detail, duration_in_words, in_words, requirement, short_id
from nbbatch.client.listing import find
from nbbatch.client.logs import streams_of
from nbbatch.client.notebooks.handles import NotebookJob
from nbbatch.client.packing.guards import looks_secret
from nbbatch.errors import NbbatchError, NotOnAwsError
from nbbatch.jupyter.routes.asked import Asked
from nbbatch.jupyter.routes.rows import row_of
from nbbatch.jupyter.routes.shapes import JobRow
from nbbatch.jupyter.routes.shapes_job import (
    Attempt,
    Children,
    Code,
    Cost,
    Fact,
    FailureGroup,
    JobDetail,
    Moment,
    Progress,
    Usage,
)
from nbbatch.model.jobs import TERMINAL, split_child_id

_HIDDEN = "••••••"
_OWN = "NBBATCH_"
_MOST_INDEXES = 100
_MOST_EVENTS = 100


def handle_of(asked: Asked) -> Any:
    """The handle of the job that a request names by its whole id.

    Raises
    ------
    UnknownNameError
        There is none.
    """
    return find(asked.target, backend=asked.lane.backend.name)


def row(handle: Handle) -> JobRow:
    """A job's row, asked now."""
    return row_of(handle.detail())


async def detail(asked: Asked) -> JobDetail:
    """GET `jobs/<id>` and `jobs/<id>/children/<index>`."""
    return await asked.lane.run(asked.folder, lambda: _detail(asked))


def _detail(asked: Asked) -> JobDetail:
    handle = handle_of(asked)
    told: Detail = handle.detail()
    container = told.get("container") or {}
    parent, index = split_child_id(told["jobId"])
    is_array = "size" in (told.get("arrayProperties") or {})
    account = _quietly(handle.account)
    variables = environment_of(told)
    return JobDetail(
        job=asked.lane.board.dressed([row_of(told)])[0],
        backend=handle.backend_name,
        story=in_words(told),
        why=[line for line in (_quietly(handle.why) or "").splitlines() if line != in_words(told)],
        attempts=[] if is_array else [_attempt(one) for one in attempts_of(told)],
        usage=_quietly(lambda: _usage(handle)),
        cost=None if account is None else _cost(account),
        progress=_progress(handle, told),
        command=list(container.get("command") or ()),
        image=str(container.get("image") or ""),
        definition=str(told.get("jobDefinition") or "").rpartition("/")[2],
        facts=[Fact(name=name, value=value) for name, value in _facts(told).items() if value],
        environment=_environment(variables),
        tags=dict(told.get("tags") or {}),
        parameters=_quietly(lambda: _parameters(handle)) or {},
        depends_on=[one["jobId"] for one in told.get("dependsOn") or () if one.get("jobId")],
        host=str(container.get("containerInstanceArn") or "").rpartition("/")[2],
        events=[] if is_array else list(_quietly(lambda: _events(handle)) or ()),
        children=handle.backend.private("children", {"jobId": handle.id})["statuses"] if is_array else "",
        has_log=bool(streams_of(told)),
        has_outputs=bool(bundle_of(told)) and not is_array and told["status"] in TERMINAL,
        has_notebook=isinstance(handle, NotebookJob) and bool(streams_of(told)),
        index=index,
        parent=str(parent) if index is not None else "",
    )


def _quietly(ask: Any) -> Any:
    """What can be done without, where the backend does not tell it."""
    with suppress(NbbatchError):
        return ask()
    return None


def _attempt(one: Any) -> Attempt:
    return Attempt(
        number=one.number,
        started=None if one.started is None else round(1000 * one.started.timestamp()),
        stopped=None if one.stopped is None else round(1000 * one.stopped.timestamp()),
        exit_code=one.exit_code,
        reason=one.reason,
        host=one.host,
        log_stream=one.log_stream,
    )


def _usage(handle: Handle) -> Usage:
    used = handle.usage()
    return Usage(
        vcpus=used.vcpus,
        memory=used.memory,
        gpus=used.gpus,
        seconds=used.seconds,
        cpu_seconds=used.cpu_seconds,
        busy_vcpus=used.busy_vcpus,
        peak_memory=used.peak_memory,
    )


def _cost(account: Any) -> Cost:
    return Cost(on_demand=account.on_demand, spot=account.spot, instance_type=account.instance_type)


def _progress(handle: Handle, told: Detail) -> Progress | None:
    """Of an array how many of its items say something costs a search of all logs: left to its panel."""
    if "size" in (told.get("arrayProperties") or {}) or not streams_of(told):
        return None
    found = _quietly(handle.progress)
    return None if found is None else Progress(i=found.i, n=found.n, text=found.text, item=found.item)


def _facts(told: Detail) -> dict[str, str]:
    vcpus, memory, gpus = (requirement(told, kind) for kind in ("VCPU", "MEMORY", "GPU"))
    timeout = (told.get("timeout") or {}).get("attemptDurationSeconds")
    retry = told.get("retryStrategy") or {}
    container = told.get("container") or {}
    return {
        "vCPUs": "" if vcpus is None else f"{vcpus:g}",
        "Memory": "" if memory is None else f"{memory:g} MiB",
        "GPUs": "" if not gpus else f"{gpus:g}",
        "Timeout": "" if not timeout else duration_in_words(timeout),
        "Attempts": "" if retry.get("attempts", 1) == 1 else f"at most {retry['attempts']}",
        "Share": str(told.get("shareIdentifier") or ""),
        "Priority": str(told.get("schedulingPriority") or ""),
        "Platform": ", ".join(told.get("platformCapabilities") or ()),
        "Job role": str(container.get("jobRoleArn") or ""),
    }


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The user's own variables; what looks like a credential stays on the server."""
    return {
        name: _HIDDEN if looks_secret(name, value) else value
        for name, value in variables.items()
        if not name.startswith(_OWN)
    }


def _parameters(handle: Handle) -> dict[str, str]:
    if not isinstance(handle, NotebookJob):
        return {}
    given = handle.bundle.parameters(handle.position)
    return {
        name: _HIDDEN if looks_secret(name, value) else json.dumps(value) for name, value in given.items()
    }


def _events(handle: Handle) -> Iterator[Moment]:
    from datetime import datetime  # noqa: PLC0415 - for this only

    try:
        answer = handle.backend.private("events", {"jobId": handle.id, "limit": _MOST_EVENTS, "timeoutMs": 0})
    except NotOnAwsError:
        return
    for event in answer["events"]:
        told = event["detail"]
        yield Moment(
            time=round(1000 * datetime.fromisoformat(event["time"]).timestamp()),
            status=told.get("status", "blocked"),
            reason=told.get("statusReason") or "",
            child=split_child_id(told["jobId"])[1],
        )


async def children(asked: Asked) -> Children:
    """GET `jobs/<id>/children`; a single job is an array of one."""
    key = ("children", asked.job_id)
    return await asked.lane.run(asked.folder, lambda: asked.lane.once(key, 0.2, lambda: _children(asked)))


def _children(asked: Asked) -> Children:
    from nbbatch.client.arrays.children import as_columns  # noqa: PLC0415 - single jobs are rarely asked

    handle = handle_of(asked)
    told = handle.detail()
    if "size" in (told.get("arrayProperties") or {}):
        answer = handle.backend.private("children", {"jobId": handle.id})
    else:
        answer = as_columns({0: told}, size=1)
    counts = Counter(answer["statuses"])
    return Children(
        id=handle.id,
        size=len(answer["statuses"]),
        statuses=answer["statuses"],
        order=list(STATUSES),
        counts={str(status): counts[str(code)] for code, status in enumerate(STATUSES) if counts[str(code)]},
        failures=_groups(read_children(answer, told, now=int(told["createdAt"])).failures),
    )


def _groups(failed: Any) -> list[FailureGroup]:
    indexes: dict[int, list[int]] = {}
    for child, end in zip(failed.child.tolist(), failed.end.tolist(), strict=True):
        indexes.setdefault(end, []).append(child)
    groups = [
        FailureGroup(
            outcome=failed.outcomes[end],
            words=failed.words[end],
            count=len(found),
            indexes=sorted(found)[:_MOST_INDEXES],
        )
        for end, found in indexes.items()
    ]
    return sorted(groups, key=lambda group: -group.count)


_VARIABLES = {"notebook": "run", "sweep": "sweep", "array": "array"}


async def code(asked: Asked) -> Code:
    """GET `jobs/<id>/code`."""
    return await asked.lane.run(asked.folder, lambda: _code(asked))


def _code(asked: Asked) -> Code:
    told = handle_of(asked).detail()
    name = _VARIABLES.get(row_of(told).kind, "job")
    return Code(code=code_for(told, name, asked.lane.backend.name), name=name)


def code_for(told: Detail, name: str, backend: str) -> str:
    """Lines that find a job again; the backend is named where it is not the default one."""
    is_default = load_config().find_backend(None).name == backend
    place = "" if is_default else f", backend={backend!r}"
    words = re.sub(r"[^\x20-\x7e]", "?", f"{told['jobName']}, {short_id(told['jobId'])}")
    return f"import nbbatch\n\n{name} = nbbatch.job({told['jobId']!r}{place})  # {words}\n{name}\n"
