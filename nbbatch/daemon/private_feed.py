"""Private routes of the event stream: `events`, and the rules that deliver it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from nbbatch.daemon.delivery import Delivery, Rule
from nbbatch.daemon.events_feed import MOST_EVENTS, EventsFeed, Wanted
from nbbatch.daemon.private import LONGEST_WAIT_MS, Route, read_body
from nbbatch.wire.encode_container import Json

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class _EventsRequest(msgspec.Struct, rename="camel"):
    cursor: str | None = None
    since: int | None = None
    job_id: str | None = None
    queue: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1)] = MOST_EVENTS
    timeout_ms: Annotated[int, msgspec.Meta(ge=0)] = LONGEST_WAIT_MS


class _RuleRequest(msgspec.Struct, rename="camel"):
    name: Name
    command: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)] | None = None
    url: Annotated[str, msgspec.Meta(max_length=4096)] | None = None
    pattern: dict[str, Any] = {}


class _NameRequest(msgspec.Struct, rename="camel"):
    name: Name


class FeedRoutes:
    """Answers of the routes about events."""

    def __init__(self, feed: EventsFeed, delivery: Delivery) -> None:
        self._feed = feed
        self._delivery = delivery

    @property
    def routes(self) -> Mapping[str, Route]:
        """By name."""
        return {
            "events": self.events,
            "rules": self.rules,
            "add-rule": self.add_rule,
            "remove-rule": self.remove_rule,
        }

    async def events(self, body: Any) -> Json:
        """Events behind a cursor; waits for the next ones, at most `timeoutMs`."""
        asked = read_body(_EventsRequest, body)
        place = self._feed.place_of(asked.cursor, asked.since)
        piece = await self._feed.wait(
            place,
            Wanted(job_id=asked.job_id, queue=asked.queue),
            limit=asked.limit,
            seconds=min(asked.timeout_ms, LONGEST_WAIT_MS) / 1000,
        )
        return {
            "events": piece.events,
            "cursor": piece.cursor,
            "hasMore": piece.has_more,
            "missed": piece.missed,
        }

    async def rules(self, _body: Any) -> Json:
        """All rules of delivery, and what is wrong with them."""
        return {"rules": self._delivery.rules()}

    async def add_rule(self, body: Any) -> Json:
        """Deliver events from now on; a rule of the same name is replaced."""
        asked = read_body(_RuleRequest, body)
        self._delivery.add(Rule(name=asked.name, command=asked.command, url=asked.url, pattern=asked.pattern))
        return {}

    async def remove_rule(self, body: Any) -> Json:
        """Deliver by this rule no more."""
        self._delivery.remove(read_body(_NameRequest, body).name)
        return {}
