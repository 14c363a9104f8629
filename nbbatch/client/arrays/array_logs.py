"""The logs of an array's children as one: lines by time, each with its child's index before it.

FilterLogEvents gives the lines of many streams by time, so it takes one stream of calls however many
children there are; which stream is whose comes from DescribeJobs, a hundred children a call. Up to a
hundred streams are named; of more those are read that begin like this array's, from its start on, and
lines of other jobs are left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nbbatch.client.handles.handle import Handle
from nbbatch.client.handles.outcome import Detail
from nbbatch.client.logs import LOOK_AGAIN, group_of, streams_of
from nbbatch.client.notes import Sieve, beginning_of
from nbbatch.client.summaries import describe_all
from nbbatch.model.jobs import TERMINAL

MOST_NAMED = 100
"""Streams in one FilterLogEvents; CloudWatch's limit."""
LONGEST_LOOK = 5.0
"""Seconds between two looks, in the end, while all children are silent."""
SLACK = 5000
"""Milliseconds that a line may come after a later one of another stream."""


@dataclass(slots=True)
class ArrayLogs:
    """Reads the logs of an array's children, each line once.

    Parameters
    ----------
    array : Handle
        The array.
    ids : mapping of str to int
        Index that is told of each child, by its id.
    since : int or None
        Epoch ms: older lines are left out.
    """

    array: Handle
    ids: Mapping[str, int]
    since: int | None = None
    _streams: dict[str, int] = field(default_factory=dict, init=False)
    _over: set[str] = field(default_factory=set, init=False)
    _seen: dict[str, int] = field(default_factory=dict, init=False)
    _sieves: dict[int, Sieve] = field(default_factory=dict, init=False)

    def lines(self, *, follow: bool, tail: int | None) -> Iterator[str]:
        """All there are; with `follow` those to come, until the array has ended, after the last `tail`."""
        is_over, pause = not follow, LOOK_AGAIN
        if follow:
            yield from deque(self.read(self.array.detail()), tail)
        while True:
            is_over = is_over or self.array.wait(pause)
            found = list(self.read(self.array.detail()))
            yield from found
            pause = LOOK_AGAIN if found else min(2 * pause, LONGEST_LOOK)
            if is_over:
                yield from self.rest()
                return

    def read(self, detail: Detail) -> Iterator[str]:
        """Lines that came since the last call; `detail` is the array's own."""
        self._look_for_streams()
        newest = self.since or 0
        for event in self._events(detail):
            index = self._streams.get(event["logStreamName"])
            if index is None or event["eventId"] in self._seen:
                continue
            self._seen[event["eventId"]] = event["timestamp"]
            newest = max(newest, event["timestamp"])
            for line in self._sieves.setdefault(index, Sieve()).shown([event["message"]]):
                yield f"[{index}] {line}"
        self.since = max(self.since or 0, newest - SLACK)
        self._seen = {name: time for name, time in self._seen.items() if time >= self.since}

    def rest(self) -> Iterator[str]:
        """At the end: lines that were begun and never ended."""
        for index, sieve in sorted(self._sieves.items()):
            yield from (f"[{index}] {line}" for line in sieve.rest())

    def _look_for_streams(self) -> None:
        """Ask for the streams of children that had not ended when they were last asked for."""
        for child in describe_all(
            self.array.backend, [job_id for job_id in self.ids if job_id not in self._over]
        ):
            index = self.ids[child["jobId"]]
            self._streams |= dict.fromkeys(streams_of(child), index)
            if child["status"] in TERMINAL:
                self._over.add(child["jobId"])

    def _events(self, detail: Detail) -> Iterator[Mapping[str, Any]]:
        if not self._streams:
            return
        few = len(self._streams) <= MOST_NAMED
        which: dict[str, Any] = {"logStreamNames": sorted(self._streams)} if few else {}
        request = {
            "logGroupName": group_of(detail),
            "startTime": max(0, detail["createdAt"] - SLACK if self.since is None else self.since),
            **(which or {"logStreamNamePrefix": beginning_of(detail)}),
        }
        token: dict[str, str] = {}
        while True:
            with self.array.backend.errors():
                try:
                    page = self.array.backend.logs.filter_log_events(**request, **token)
                except self.array.backend.logs.exceptions.ResourceNotFoundException:
                    return
            yield from page["events"]
            if not page.get("nextToken"):
                return
            token = {"nextToken": page["nextToken"]}
