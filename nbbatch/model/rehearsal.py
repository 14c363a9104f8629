"""Settings of a compute environment that AWS's shapes do not have, given by tags.

A rehearsal on this machine wants what AWS decides by itself: how long a host takes to come, how often
Spot is interrupted, how many hosts a pool has. AWS ignores such tags, so the same request works there.

| tag | value | without it |
|---|---|---|
| `nbbatch:launchSeconds` | seconds until a new host takes jobs | 0 |
| `nbbatch:idleSeconds` | seconds a host without a job stays | 60 |
| `nbbatch:noticeSeconds` | seconds from a Spot notice to the end | 120 |
| `nbbatch:interruptionsPerHour` | of each Spot host: `0.05`, or by pool `m6i=0.1 c6i.large=2 *=0` | 0 |
| `nbbatch:capacity` | hosts that a pool has: `4`, or by pool `m6i.large=4 c6i=0` | no limit |

A pool is an instance type, a family, `FARGATE`, or `*` for all that are not named.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbbatch.errors import ClientException

PREFIX = "nbbatch:"
_SECONDS = {
    "launchSeconds": ("launch_seconds", 86_400),
    "idleSeconds": ("idle_seconds", 604_800),
    "noticeSeconds": ("notice_seconds", 3_600),
}
_POOLS = {"interruptionsPerHour": ("interruptions", 100_000), "capacity": ("pools", 1_000_000)}
REHEARSED = tuple(name for name, _ in (*_SECONDS.values(), *_POOLS.values()))
"""Fields of a ComputeEnvironment that tags set."""


def read_rehearsal(tags: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a ComputeEnvironment that its tags set.

    Raises
    ------
    ClientException
        For an unknown setting or a value that cannot be read; names the tag and what it takes.
    """
    settings: dict[str, Any] = {}
    for tag, text in tags.items():
        word = tag.removeprefix(PREFIX)
        if word == tag:
            continue
        if word in _SECONDS:
            name, most = _SECONDS[word]
            settings[name] = _number(tag, text, most)
        elif word in _POOLS:
            name, most = _POOLS[word]
            settings[name] = _by_pool(tag, text, most)
        else:
            known = ", ".join(f"{PREFIX}{known}" for known in (*_SECONDS, *_POOLS))
            raise ClientException(f"tags: {tag} is no setting of nbbatch; there are {known}.")
    if "pools" in settings:
        settings["pools"] = {pool: int(number) for pool, number in settings["pools"].items()}
    return settings


def of_pool(settings: Mapping[str, float], instance_type: str) -> float | None:
    """The setting of an instance type's pool: by its name, its family, or `*`; None without one."""
    for pool in (instance_type, instance_type.partition(".")[0], "*"):
        if pool in settings:
            return settings[pool]
    return None


def _by_pool(tag: str, text: str, most: float) -> dict[str, float]:
    pools: dict[str, float] = {}
    for word in text.split():
        pool, equals, number = word.rpartition("=")
        pools[pool if equals else "*"] = _number(tag, number, most)
    if not pools:
        raise ClientException(f"tags: {tag} is empty; write a number, or m6i.large=4 c6i=2 for each pool.")
    return pools


def _number(tag: str, text: str, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= most:
        raise ClientException(f"tags: {tag} is {text!r}; it takes a number from 0 to {most}.")
    return number
