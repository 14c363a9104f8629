"""Private routes for long lists of jobs: `listing`, a page of a queue's jobs, and `changes` among all of them.

ListJobs tells a hundred jobs a call when all statuses are asked for, and not what they are; a list of
some thousand that follows what happens needs larger pages once, and then only what changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from nbbatch.daemon.private import LONGEST_WAIT_MS, Route, read_body
from nbbatch.daemon.views import MAX_LISTED, Views
from nbbatch.daemon.watch import Watch
from nbbatch.model.arns import Arns
from nbbatch.wire.encode_container import Json


class _ChangesRequest(msgspec.Struct, rename="camel"):
    cursor: int | None = None
    timeout_ms: Annotated[int, msgspec.Meta(ge=0)] = LONGEST_WAIT_MS


class _ListingRequest(msgspec.Struct, rename="camel"):
    job_queue: str
    before: tuple[int, int] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_LISTED)] = MAX_LISTED


class ListingRoutes:
    """Answers of the routes about lists of jobs."""

    def __init__(self, views: Views, watch: Watch, arns: Arns) -> None:
        self._views = views
        self._watch = watch
        self._arns = arns

    @property
    def routes(self) -> Mapping[str, Route]:
        """By name."""
        return {"changes": self.changes, "listing": self.listing}

    async def changes(self, body: Any) -> Json:
        """Answer with the jobs that changed after `cursor`, or after `timeoutMs`; arrays count as one job."""
        asked = read_body(_ChangesRequest, body)
        news = await self._watch.changes(asked.cursor, min(asked.timeout_ms, LONGEST_WAIT_MS) / 1000)
        return news._asdict()

    async def listing(self, body: Any) -> Json:
        """Jobs of a queue in every status, newest first, each a JobSummary with nbbatch's own variables."""
        asked = read_body(_ListingRequest, body)
        return self._views.listing(asked.job_queue, asked.before, asked.limit, self._arns)
