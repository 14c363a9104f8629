"""CloudWatch Logs' GetLogEvents over the daemon's own log streams."""

from __future__ import annotations

from nbbatch.daemon.logs import MOST_EVENTS, LogStore
from nbbatch.daemon.loop import Loop
from nbbatch.errors import UnknownNameError
from nbbatch.model.jobs import stream_of
from nbbatch.wire.encode_container import Json

DEFAULT_GROUP = "/aws/batch/job"


class LogViews:
    """Answers about logs; which streams may still grow is told by the scheduler's state."""

    def __init__(self, loop: Loop, logs: LogStore) -> None:
        self._loop = loop
        self._logs = logs

    def get_log_events(self, request: Json) -> Json:
        """GetLogEvents: a page of a stream; at its end the same forward token comes back."""
        self._check_group(request)
        stream = request["logStreamName"]
        page = self._logs.page(
            stream,
            token=request.get("nextToken"),
            start_from_head=request.get("startFromHead", False),
            limit=request.get("limit", MOST_EVENTS),
            start_time=request.get("startTime"),
            end_time=request.get("endTime"),
            is_complete=not self._may_grow(stream),
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

    def _check_group(self, request: Json) -> None:
        """Groups are the default one and those that a definition names; all share the streams."""
        group = request.get("logGroupName") or request.get("logGroupIdentifier", DEFAULT_GROUP)
        if group.startswith("arn:"):
            group = group.partition(":log-group:")[2].removesuffix(":*")
        if group == DEFAULT_GROUP:
            return
        named = (
            dict(container.log_options).get("awslogs-group")
            for definitions in self._loop.state.definitions.values()
            for definition in definitions
            for container in definition.containers
        )
        if group not in named:
            raise UnknownNameError("The specified log group does not exist.")

    def _may_grow(self, stream: str) -> bool:
        """Whether the stream belongs to an attempt that is under way."""
        state = self._loop.state
        return any(
            stream_of(container, live.job.definition, run.id, run.attempt) == stream
            for live in state.jobs.values()
            for index, run in live.under_way()
            for container in live.job.as_seen_by(index).containers
        )
