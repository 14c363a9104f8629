"""What a row has besides its status, asked once for many rows: dollars, and how children failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import MutableMapping, Sequence
from contextlib import suppress

import msgspec

from nbbatch.client.backend import Backend
from nbbatch.client.summaries import IDS_PER_CALL, batches
from nbbatch.errors import NbbatchError
from nbbatch.jupyter.routes.shapes import JobRow
from nbbatch.model.jobs import TERMINAL

_KEPT = 20_000


def dress(
    backend: Backend,
    rows: Sequence[JobRow],
    costs: MutableMapping[str, float],
    failures: MutableMapping[str, tuple[int, dict[str, int]]],
) -> list[JobRow]:
    """Rows with costs and failures; what is final is remembered in the two mappings.

    An account would be asked many times for its estimate of costs, so there it is left out.
    """
    for known in (costs, failures):
        if len(known) > _KEPT:
            known.clear()
    told = _costs(backend, rows, costs) if backend.tells_changes else {}
    return [
        msgspec.structs.replace(row, cost=told.get(row.id), failures=_failures(backend, row, failures))
        for row in rows
    ]


def _costs(backend: Backend, rows: Sequence[JobRow], known: MutableMapping[str, float]) -> dict[str, float]:
    is_over = {row.id for row in rows if row.status in TERMINAL}
    began = [row.id for row in rows if row.started is not None or row.counts]
    found = {job_id: known[job_id] for job_id in began if job_id in known}
    for batch in batches((job_id for job_id in began if job_id not in found), IDS_PER_CALL):
        for one in backend.private("accounts", {"jobIds": batch})["jobs"]:
            found[one["jobId"]] = one["cost"]
            if one["jobId"] in is_over:
                known[one["jobId"]] = one["cost"]
    return found


def _failures(
    backend: Backend, row: JobRow, known: MutableMapping[str, tuple[int, dict[str, int]]]
) -> dict[str, int]:
    """Failed children by way to fail, asked again when their number has changed."""
    failed = row.counts.get("FAILED", 0)
    if not failed:
        return {}
    if known.get(row.id, (0, {}))[0] != failed:
        with suppress(NbbatchError):  # a list without it is better than none
            known[row.id] = failed, _ask(backend, row)
    return known.get(row.id, (0, {}))[1]


def _ask(backend: Backend, row: JobRow) -> dict[str, int]:
    from nbbatch.client.arrays.children import read_children  # noqa: PLC0415 - numpy, and most lists need none

    told = backend.private("children", {"jobId": row.id})
    failed = read_children(told, {"createdAt": row.created}, now=row.created).failures
    counts = Counter(failed.outcomes[end].value for end in failed.end.tolist())
    return dict(counts.most_common())
