"""CancelJobs, TerminateJobs and TerminateServiceJobs: many ids in, an outcome for each out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from nbbatch.errors import ClientException, UserError
from nbbatch.wire.encode_container import Json

MOST_JOBS = 50
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}([:#]\d{1,9})?")


class MalformedIdError(UserError):
    """A job id that cannot be one."""


def decode_job_ids(request: Mapping[str, Any]) -> list[str]:
    """Read `jobs`: 1 to 50 ids, each once.

    Raises
    ------
    ClientException
        When there are none or too many.
    """
    ids: list[str] = request["jobs"]
    if not 1 <= len(ids) <= MOST_JOBS:
        raise ClientException(f"jobs: has {len(ids)} entries, and may have 1 to {MOST_JOBS}")
    return list(dict.fromkeys(ids))


def check_job_id(job_id: str) -> None:
    """Turn a job away whose id cannot be one; what exactly AWS calls malformed is not documented [?].

    Raises
    ------
    MalformedIdError
        When it has other characters than ids have.
    """
    if _ID.fullmatch(job_id) is None:
        raise MalformedIdError(f"{job_id[:80]!r} is not the id of a job.")


def encode_bulk(outcomes: Sequence[tuple[str, BaseException | None]]) -> Json:
    """The reply: ids that succeeded, unknown ones too, and what went wrong with the others."""
    return {
        "successful": [job_id for job_id, error in outcomes if error is None],
        "errors": [_error(job_id, error) for job_id, error in outcomes if error is not None],
    }


def _error(job_id: str, error: BaseException) -> Json:
    match error:
        case MalformedIdError():
            code = "ValidationException"
        case UserError():
            code = "ClientException"
        case _:
            code = "ServerException"
    return {"job": job_id, "code": code, "message": str(error)}
