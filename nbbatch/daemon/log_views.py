"""CloudWatch Logs over the daemon's own log streams: GetLogEvents, FilterLogEvents, groups, streams."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Any

from nbbatch.daemon.log_search import Place, Search, search
from nbbatch.daemon.log_streams import DEFAULT_GROUP, StreamFolders, groups_of
from nbbatch.daemon.logs import MOST_EVENTS, LogStore
from nbbatch.daemon.loop import Loop
from nbbatch.daemon.paging import Paging
from nbbatch.errors import ClientException, UnknownNameError
from nbbatch.model.arns import Arns
from nbbatch.model.jobs import task_id
from nbbatch.scheduler.state import SchedulerState
from nbbatch.wire.encode_container import Json
from nbbatch.wire.filter_pattern import compile_filter

MOST_DESCRIBED = 50


class LogViews:
    """Answers about logs; which streams may still grow is told by the scheduler's state."""

    def __init__(self, loop: Loop, logs: LogStore, paging: Paging) -> None:
        self._loop = loop
        self._logs = logs
        self._paging = paging
        self._folders = StreamFolders(logs.folder)

    async def get_log_events(self, request: Json, _arns: Arns) -> Json:
        """GetLogEvents: a page of a stream; at its end the same forward token comes back."""
        self._beginnings(request)
        stream = request["logStreamName"]
        page = self._logs.page(
            stream,
            token=request.get("nextToken"),
            start_from_head=request.get("startFromHead", False),
            limit=request.get("limit", MOST_EVENTS),
            start_time=request.get("startTime"),
            end_time=request.get("endTime"),
            is_complete=_task_of(stream) not in _growing(self._loop.state),
        )
        return {
            "events": [
                {
                    "timestamp": event.timestamp,
                    "message": event.message,
                    "ingestionTime": event.ingestion_time,
                }
                for event in page.events
            ],
            "nextForwardToken": f"f/{page.end}",
            "nextBackwardToken": f"b/{page.start}",
        }

    async def filter_log_events(self, request: Json, _arns: Arns) -> Json:
        """FilterLogEvents: lines of many streams by time; an early end of a page has a token."""
        names = await self._searched(request)
        if not request.get("startFromHead", True):
            raise ClientException("startFromHead: nbbatch gives the oldest lines first only.")
        asked = Search(
            matches=compile_filter(request.get("filterPattern", "")),
            start=request.get("startTime"),
            end=request.get("endTime"),
            limit=request.get("limit", MOST_EVENTS),
        )
        growing = _growing(self._loop.state)
        after = self._position("FilterLogEvents", request)
        found, last = await search(
            self._logs, names, asked, Place(*after) if after else None, lambda name: _task_of(name) in growing
        )
        reply: Json = {
            "events": [
                {
                    "logStreamName": stream,
                    "timestamp": event.timestamp,
                    "message": event.message,
                    "ingestionTime": event.ingestion_time,
                    "eventId": f"{event.timestamp:020d}{_task_of(stream)}{event.offset:016d}",
                }
                for stream, event in found
            ],
            "searchedLogStreams": [],
        }
        if last is not None:
            reply["nextToken"] = self._paging.token("FilterLogEvents", _asked(request), last)
        return reply

    async def describe_log_groups(self, request: Json, arns: Arns) -> Json:
        """DescribeLogGroups: the default group and those that definitions name."""
        prefix, pattern = request.get("logGroupNamePrefix"), request.get("logGroupNamePattern")
        if prefix is not None and pattern is not None:
            raise ClientException("logGroupNamePrefix and logGroupNamePattern are mutually exclusive.")
        wanted = {_group_name(known) for known in request.get("logGroupIdentifiers", ())}
        names = [
            name
            for name in sorted(groups_of(self._loop.state))
            if name.startswith(prefix or "") and (pattern or "") in name and (not wanted or name in wanted)
        ]
        if request.get("logGroupClass", "STANDARD") != "STANDARD":
            names = []
        return self._page("logGroups", request, names, encode=lambda name: _group(name, arns))

    async def describe_log_streams(self, request: Json, arns: Arns) -> Json:
        """DescribeLogStreams: by name, or by the time of the last line."""
        beginnings = self._beginnings(request)
        prefix = request.get("logStreamNamePrefix", "")
        by_time = request.get("orderBy", "LogStreamName") == "LastEventTime"
        if by_time and prefix:
            raise ClientException("Cannot order by LastEventTime with a logStreamNamePrefix.")
        names = await asyncio.to_thread(self._folders.names, beginnings, prefix)
        places: list[Any] = await asyncio.to_thread(self._folders.by_time, names) if by_time else names
        group = _group_name(_group_of(request))
        return self._page(
            "logStreams",
            request,
            places,
            encode=lambda place: self._stream(place[1] if by_time else place, group, arns),
        )

    def _page(
        self, member: str, request: Json, places: list[Any], *, encode: Callable[[Any], Json | None]
    ) -> Json:
        """One page of a sorted list, in either direction; None is left out."""
        limit = request.get("limit", MOST_DESCRIBED)
        after = self._position(member, request)
        if isinstance(after, list):
            after = tuple(after)
        if request.get("descending", False):
            end = len(places) if after is None else bisect_left(places, after)
            page = places[max(0, end - limit) : end][::-1]
            is_last = end <= limit
        else:
            start = 0 if after is None else bisect_right(places, after)
            page = places[start : start + limit]
            is_last = start + limit >= len(places)
        shown = (encode(place) for place in page)
        reply: Json = {member: [one for one in shown if one is not None]}
        if not is_last:
            reply["nextToken"] = self._paging.token(member, _asked(request), page[-1])
        return reply

    def _stream(self, name: str, group: str, arns: Arns) -> Json | None:
        try:
            first, last, _ = self._logs.times(name)
        except UnknownNameError:
            return None
        return {
            "logStreamName": name,
            "creationTime": first,
            "firstEventTimestamp": first,
            "lastEventTimestamp": last,
            "lastIngestionTime": last,
            "uploadSequenceToken": "0",
            "arn": f"{arns.log_group(group)}:log-stream:{name}",
            "storedBytes": 0,
        }

    async def _searched(self, request: Json) -> list[str]:
        """Streams that FilterLogEvents shall look at."""
        beginnings = self._beginnings(request)
        names: list[str] | None = request.get("logStreamNames")
        prefix = request.get("logStreamNamePrefix")
        if names is not None and prefix is not None:
            raise ClientException("logStreamNames and logStreamNamePrefix cannot be given together.")
        if names is None:
            return await asyncio.to_thread(self._folders.names, beginnings, prefix or "")
        for name in names:
            self._logs.times(name)
        return sorted(set(names))

    def _beginnings(self, request: Json) -> set[str]:
        """What stream names of the request's group begin with.

        Raises
        ------
        UnknownNameError
            When there is no such group.
        """
        known = groups_of(self._loop.state).get(_group_name(_group_of(request)))
        if known is None:
            raise UnknownNameError("The specified log group does not exist.")
        return known

    def _position(self, operation: str, request: Json) -> Any:
        try:
            return self._paging.position(operation, _asked(request))
        except ClientException as error:
            raise ClientException("The specified nextToken is invalid.") from error


def _asked(request: Json) -> Json:
    """What a token is good for; a page's size may change."""
    return {name: value for name, value in request.items() if name != "limit"}


def _group_of(request: Json) -> str:
    name, identifier = request.get("logGroupName"), request.get("logGroupIdentifier")
    if name and identifier:
        raise ClientException("logGroupName and logGroupIdentifier cannot be given together.")
    group: str = name or identifier or DEFAULT_GROUP
    return group


def _group_name(group: str) -> str:
    """The name that a name or ARN of a group means."""
    return group.partition(":log-group:")[2].removesuffix(":*") if group.startswith("arn:") else group


def _group(name: str, arns: Arns) -> Json:
    arn = arns.log_group(name)
    return {
        "logGroupName": name,
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "logGroupArn": arn,
        "logGroupClass": "STANDARD",
    }


def _task_of(stream: str) -> str:
    return stream.rpartition("/")[2]


def _growing(state: SchedulerState) -> set[str]:
    """Task ids of the attempts under way: only their streams may still grow."""
    tasks = set()
    for environment in state.environments.values():
        for host in environment.hosts.values():
            for job_id in host.occupants:
                found = state.find(job_id)
                if found is not None:
                    tasks.add(task_id(job_id, state.run_of(*found).attempt))
    return tasks
