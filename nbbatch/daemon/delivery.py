"""Events to a command or a URL: at least once, in order, from a durable place, never in the loop's way.

Each rule is a task of its own that reads the feed, keeps what its pattern matches, and hands it over;
only then its place moves on. A command gets the events of one turn as JSON lines on its standard
input and says with exit code 0 that it has them; a URL gets one event per POST and says so with a
status of 2xx. What fails is tried again after ever longer pauses, and given up when it is a day old,
as EventBridge does (retry policy, 24 hours).
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import logging
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import msgspec

from nbbatch.daemon.delivery_rows import DeliveryRows
from nbbatch.daemon.events_feed import EventsFeed
from nbbatch.daemon.feed_rows import Place
from nbbatch.errors import BackendError, ClientException
from nbbatch.wire.encode_container import Json
from nbbatch.wire.event_pattern import compile_pattern

MOST_RULES = 50
MOST_AT_ONCE = 100
"""Events that a command gets in one turn."""
PATIENCE_SECONDS = 60.0
"""How long a command or a URL may take."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
GIVE_UP_SECONDS = 24 * 3600
_UNNOTED_TICKS = 1000
"""How far a place may move over events that do not match before it is noted."""
_IDLE_SECONDS = 3600.0
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger(__name__)


class DeliveryFailedError(BackendError):
    """A command or a URL did not take an event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What goes where: events that match `pattern` to a shell command or to a URL."""

    name: str
    command: str | None = None
    url: str | None = None
    pattern: Mapping[str, Any] = field(default_factory=dict)


def check_rule(rule: Rule) -> None:
    """Turn a rule away that could never work.

    Raises
    ------
    ClientException
        Naming what is wrong with it.
    """
    if (rule.command is None) == (rule.url is None):
        raise ClientException("A rule has either a command or a url.")
    if rule.url is not None:
        parts = urlsplit(rule.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ClientException(f"url: {rule.url[:200]!r} is not one of http or https.")
    compile_pattern(rule.pattern)


class Delivery:
    """All rules of a home at work.

    Parameters
    ----------
    feed : EventsFeed
        Where events come from.
    rows : DeliveryRows
        Rules and their places.
    pause : callable
        Waits so many seconds; tests wait otherwise.
    """

    def __init__(
        self,
        feed: EventsFeed,
        rows: DeliveryRows,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._feed = feed
        self._rows = rows
        self._pause = pause
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._troubles: dict[str, str] = {}

    def start(self) -> None:
        """Take up every rule where it stopped."""
        for rule, place in self._rows.load(Rule):
            self._begin(rule, place)

    async def close(self) -> None:
        """Stop; what was handed over but not noted is handed over again."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def add(self, rule: Rule) -> None:
        """Deliver from now on; a rule of the same name is replaced and goes on in its place.

        Raises
        ------
        ClientException
            When the rule is wrong, or there are too many.
        """
        check_rule(rule)
        known = {old.name: place for old, place in self._rows.load(Rule)}
        if rule.name not in known and len(known) >= MOST_RULES:
            raise ClientException(f"There are {MOST_RULES} rules already, which is the most.")
        place = known.get(rule.name, self._feed.place_of("latest"))
        self._rows.write(rule.name, rule, place)
        self._end(rule.name)
        self._begin(rule, place)

    def remove(self, name: str) -> None:
        """Deliver no more.

        Raises
        ------
        ClientException
            When there is no such rule.
        """
        if name not in self._tasks:
            raise ClientException(f"name: there is no rule {name!r}.")
        self._end(name)
        self._rows.delete(name)

    def rules(self) -> list[Json]:
        """All rules, each with its place and what is wrong with it now."""
        return [
            {
                **{key: value for key, value in msgspec.to_builtins(rule).items() if value is not None},
                "cursor": f"{place.tick}.{place.number}",
                **({"trouble": self._troubles[rule.name]} if rule.name in self._troubles else {}),
            }
            for rule, place in self._rows.load(Rule)
        ]

    def _begin(self, rule: Rule, place: Place) -> None:
        self._tasks[rule.name] = asyncio.get_running_loop().create_task(self._serve(rule, place))

    def _end(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        self._troubles.pop(name, None)
        if task is not None:
            task.cancel()

    async def _serve(self, rule: Rule, place: Place) -> None:
        """Hand over, for ever; a bug in one rule ends that rule only."""
        matches = compile_pattern(rule.pattern)
        noted = place
        while True:
            try:
                piece = await self._feed.wait(place, limit=MOST_AT_ONCE, seconds=_IDLE_SECONDS)
                if piece.missed:
                    _log.warning("Rule %s was so far behind that events are gone.", rule.name)
                events = [event for event in piece.events if matches(event)]
                await self._hand_over(rule, events)
                place = self._feed.place_of(piece.cursor)
                if events or place.tick - noted.tick > _UNNOTED_TICKS:
                    self._rows.move(rule.name, place)
                    noted = place
            except Exception as error:  # noqa: BLE001 - whatever it is, the other events must not wait for it
                _log.error("Rule %s could not go on.", rule.name, exc_info=error)
                self._troubles[rule.name] = str(error)
                await self._pause(LONGEST_PAUSE)

    async def _hand_over(self, rule: Rule, events: list[Json]) -> None:
        if rule.url is not None:
            for event in events:
                await self._try(rule, event, partial(_post, rule.url, event))
        elif events:
            await self._try(rule, events[-1], partial(_run, rule.command or "", events))

    async def _try(self, rule: Rule, newest: Json, send: Callable[[], Awaitable[None]]) -> None:
        """Try until it is taken or too old."""
        pause = FIRST_PAUSE
        while True:
            try:
                await send()
            except DeliveryFailedError as error:
                if rule.name not in self._troubles:
                    _log.warning("Rule %s: %s", rule.name, error)
                self._troubles[rule.name] = str(error)
                if time.time() - _time_of(newest) > GIVE_UP_SECONDS:
                    _log.error("Rule %s: events up to %s are given up.", rule.name, newest["time"])
                    return
                await self._pause(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self._troubles.pop(rule.name, None)
                return


def _time_of(event: Json) -> float:
    """Epoch seconds of an event."""
    return datetime.fromisoformat(event["time"]).timestamp()


async def _run(command: str, events: list[Json]) -> None:
    """A shell command with the events as JSON lines on its standard input."""
    process = await asyncio.create_subprocess_shell(
        command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    lines = b"".join(_encode(event) + b"\n" for event in events)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await process.communicate(lines)
    except (TimeoutError, asyncio.CancelledError) as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        if isinstance(error, asyncio.CancelledError):
            raise
        raise DeliveryFailedError(f"The command took longer than {PATIENCE_SECONDS:g} s.") from error
    if process.returncode:
        raise DeliveryFailedError(f"The command ended with exit code {process.returncode}.")


async def _post(url: str, event: Json) -> None:
    """One POST, in a thread: the loop does not wait for somebody else's server."""
    await asyncio.to_thread(_send, url, _encode(event), event["id"])


def _send(url: str, body: bytes, event_id: str) -> None:
    headers = {"Content-Type": "application/json", "X-Nbbatch-Event-Id": event_id}
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - checked
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
    try:
        with opener.open(request, timeout=PATIENCE_SECONDS) as reply:
            reply.read(1 << 16)
    except urllib.error.HTTPError as error:
        error.close()
        raise DeliveryFailedError(f"{url} answered with status {error.code}.") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise DeliveryFailedError(f"{url} did not take the event: {error}.") from error


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Events go where the user said, nowhere else."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None
