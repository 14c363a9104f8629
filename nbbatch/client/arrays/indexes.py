"""Which child of a bundle a job works as: the environment that tells the runner, pure.

A bundle is written once; a retry is another job on the same bundle. `NBBATCH_INDEXES` says which
children of the bundle its own children are (`3,17-20`: the first works as 3, the second as 17), and
`NBBATCH_ATTEMPT_BASE` is added to the attempt number, so that its results come after the old ones. With
`NBBATCH_KEEP` it leaves out the items that have succeeded before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

INDEXES = "NBBATCH_INDEXES"
RETRY_BASE = "NBBATCH_ATTEMPT_BASE"
KEEP = "NBBATCH_KEEP"
PROBE = "NBBATCH_PROBE"
"""Of an array: id of the job that ran its first items ahead; see `nbbatch.client.arrays.probe`."""
ATTEMPTS_PER_RETRY = 10
"""AWS Batch makes no more attempts than these, so bases so far apart never meet."""


def write_indexes(indexes: Iterable[int]) -> str:
    """Ascending indexes as ranges: `3,17-20`."""
    ranges: list[tuple[int, int]] = []
    for index in sorted(indexes):
        if ranges and ranges[-1][1] + 1 == index:
            ranges[-1] = (ranges[-1][0], index)
        else:
            ranges.append((index, index))
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in ranges)


def read_indexes(text: str) -> list[int]:
    """What `write_indexes` wrote."""
    indexes: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        indexes += range(int(first), int(last or first) + 1)
    return indexes


def environment_of(detail: Mapping[str, Any]) -> dict[str, str]:
    """The job's own environment variables, as DescribeJobs shows them."""
    listed = (detail.get("container") or {}).get("environment") or ()
    return {one["name"]: one.get("value", "") for one in listed}


def bundle_of(detail: Mapping[str, Any]) -> str:
    """Id of the job's bundle, empty for a job without one."""
    return environment_of(detail).get("NBBATCH_BUNDLE", "").rstrip("/").rpartition("/")[2]


def index_in_bundle(variables: Mapping[str, str], index: int | None) -> int | None:
    """Which child of the bundle a job is, given its environment and its own array index."""
    if INDEXES not in variables:
        return index
    return read_indexes(variables[INDEXES])[index or 0]


def retry_environment(detail: Mapping[str, Any], indexes: Iterable[int] | None = None) -> dict[str, str]:
    """Variables for a job that repeats another one, or these children of its bundle."""
    variables = environment_of(detail)
    again = {RETRY_BASE: str(int(variables.get(RETRY_BASE, 0)) + ATTEMPTS_PER_RETRY)}
    if indexes is not None or KEEP in variables:
        again[KEEP] = "1" if indexes is not None else ""
    if indexes is None and "index" in (detail.get("arrayProperties") or {}):
        own = index_in_bundle(variables, detail["arrayProperties"]["index"])
        indexes = [] if own is None else [own]
    return again if indexes is None else again | {INDEXES: write_indexes(indexes)}
