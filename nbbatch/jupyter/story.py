"""The words of a cell's story: receipt, status, final line. Pure, one function per line of it.

    sends df (1.2 MB), 2 functions · back: scores · queue default (local, docker) · $0.048/h ($0.018/h spot)
    job 3f2a91c0 RUNNING on m6i.large · 00:04 · $0.0001
    SUCCEEDED in 6.2 s · used 0.9 of 2 vCPU, 310 MB of 4 GB · $0.0002 on demand ($0.00006 spot)

Facts come in as the API gives them (DescribeJobs' JobDetail, the accounts of a job); what is not
known is left out, never guessed: a price per hour stands in the receipt, not the cost of a run whose
length nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbbatch.client.bundle import Receipt
from nbbatch.client.format import clock, dollars, memory, plural
from nbbatch.client.handles.account import Account
from nbbatch.client.handles.outcome import (
    Detail,
    Outcome,
    duration_in_words,
    exit_code,
    outcome,
    requirement,
    seconds,
    short_id,
)

_WORTH_SAYING = 1e-6
"""Dollars below which a running job's cost is not told yet."""
_WAITING = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a job goes and what running it costs there.

    Parameters
    ----------
    queue, where : str
        The job queue, and the backend in words (`local, docker`).
    price : (float, float) or None
        Dollars per hour on demand and Spot while one attempt runs; None where unknown.
    aside : str
        Why something that was asked for does not count there; mostly empty.
    """

    queue: str
    where: str = ""
    price: tuple[float, float] | None = None
    aside: str = ""


def receipt_line(
    receipt: Receipt, place: Place, items: int | None = None, *, packing: str = "", estimate: str = ""
) -> str:
    """The first line: what is sent, what comes back, where to, at what price.

    The price is a rate and no guess at the cost: nobody knows beforehand how long a cell runs that
    has not run yet.

    Parameters
    ----------
    receipt : Receipt
        What was packed.
    place : Place
        Where it goes.
    items : int or None
        Items of an array; None for a single job.
    packing : str
        How they are packed, from `chunks.packing_words`.
    estimate : str
        What it will cost by earlier runs, in words; empty where there were none.
    """
    parts = [
        str(receipt),
        f"array of {packing or plural(items, 'item')}" if items is not None else "",
        f"queue {place.queue} ({place.where})" if place.where else f"queue {place.queue}",
        _price(place, "each " if items is not None else ""),
        estimate,
    ]
    return _joined(parts)


def _price(place: Place, each: str) -> str:
    if place.price is None:
        return ""
    on_demand, spot = place.price
    return f"{each}{dollars(on_demand)}/h ({dollars(spot)}/h spot)"


def receipt_notes(receipt: Receipt) -> list[str]:
    """A line for each variable that stays here, with the way to send it, and for each warning."""
    named = [sent.name for sent in receipt.sent if sent.kind == "value" and not sent.because]
    kept = [
        f"keeps {name} here: {why} · --in {','.join([*named, name])} sends it"
        for name, why in receipt.held_back.items()
    ]
    return [*kept, *receipt.warnings]


def status_line(
    detail: Detail,
    now: float,
    account: Account | None = None,
    why: str = "",
    *,
    told: str = "",
    items: int | None = None,
) -> str:
    """The second line: how things stand.

    Parameters
    ----------
    detail : mapping
        DescribeJobs' JobDetail.
    now : float
        Epoch seconds.
    account : Account or None
        What it has cost so far; None where the backend keeps no account.
    why : str
        Why it waits, where that is known.
    told : str
        What the job says of its progress and metrics.
    items : int or None
        Of an array, where a child may have several.
    """
    if is_array(detail):
        return _joined([_array_status(detail, now, account, items), told])
    status = str(detail.get("status", "SUBMITTED"))
    instance_type = account.instance_type if account and status not in _WAITING else ""
    place = f" on {instance_type}" if instance_type else ""
    parts = [f"job {short_id(detail['jobId'])} {status}{place}", clock(_elapsed(detail, now))]
    parts.append(_cost_so_far(account))
    parts.append(why if status in _WAITING else told)
    return _joined(parts)


def phase(detail: Detail) -> tuple[Any, ...]:
    """What makes two statuses different enough for a new line of text: the state, or tenths done."""
    if not is_array(detail):
        status = detail.get("status")
        return ("waiting" if status in _WAITING else status, len(detail.get("attempts") or ()))
    counts, total = _counts(detail), _array_size(detail)
    ended = counts.get("SUCCEEDED", 0) + counts.get("FAILED", 0)
    return (
        "array",
        10 * ended // max(1, total),
        bool(counts.get("FAILED")),
        ended > 0 or counts.get("RUNNING", 0) > 0,
    )


def is_array(detail: Detail) -> bool:
    """Whether this is the parent of an array."""
    return "size" in (detail.get("arrayProperties") or {})


def _array_status(detail: Detail, now: float, account: Account | None, items: int | None) -> str:
    counts, total = _counts(detail), _array_size(detail)
    done, failed = counts.get("SUCCEEDED", 0), counts.get("FAILED", 0)
    waiting = total - done - failed - counts.get("RUNNING", 0)
    elapsed = _elapsed(detail, now)
    parts = [
        f"array {short_id(detail['jobId'])} {_bar(done + failed, total)} {done:,} of {_total(total, items)} done",
        f"{failed:,} failed" if failed else "",
        f"{counts.get('RUNNING', 0):,} running" if counts.get("RUNNING") else "",
        f"{waiting:,} waiting" if waiting > 0 else "",
        clock(elapsed),
        _time_left(done + failed, total, elapsed),
        _cost_so_far(account),
    ]
    return _joined(parts)


def _total(children: int, items: int | None) -> str:
    """What is counted: items, or children where these have several."""
    if items is None or items == children:
        return f"{children:,}"
    return f"{children:,} children ({plural(items, 'item')})"


def _bar(ended: int, total: int, width: int = 20) -> str:
    full = width * ended // max(1, total)
    return "█" * full + "░" * (width - full)


def _time_left(ended: int, total: int, elapsed: float) -> str:
    """At the pace so far; said only once a tenth has ended, before that it would be noise."""
    if not 0 < total / 10 <= ended < total:
        return ""
    return f"about {clock(elapsed * (total - ended) / ended)} left"


def _counts(detail: Detail) -> Mapping[str, int]:
    counts: Mapping[str, int] = (detail.get("arrayProperties") or {}).get("statusSummary") or {}
    return counts


def _array_size(detail: Detail) -> int:
    return int((detail.get("arrayProperties") or {}).get("size", 0))


def _elapsed(detail: Detail, now: float) -> float:
    """Since it runs, or else since it was submitted; an array counts from its submission."""
    since = None if is_array(detail) else detail.get("startedAt")
    since = since if since is not None else detail.get("createdAt")
    stopped = detail.get("stoppedAt")
    end = float(stopped) / 1000 if stopped is not None else now
    return 0.0 if since is None else max(0.0, end - float(since) / 1000)


def final_line(detail: Detail, account: Account | None = None, *, items: int | None = None) -> str:
    """The third line: how it ended, what it took, what it cost; `items` as for `status_line`."""
    if is_array(detail):
        head = _array_end(detail, items)
    else:
        ran = seconds(detail)
        head = _ending(detail) if ran is None else f"{_ending(detail)} in {duration_in_words(ran)}"
    if account is None:
        return head
    return _joined([head, _used(detail, account), cost_in_words(account)])


def _array_end(detail: Detail, items: int | None) -> str:
    counts, total = _counts(detail), _array_size(detail)
    failed = counts.get("FAILED", 0)
    took = duration_in_words(_elapsed(detail, 0.0)) if detail.get("stoppedAt") else ""
    within = f" in {took}" if took else ""
    if failed:
        noun = " items" if items is None or items == total else ""
        return f"FAILED: {failed:,} of {_total(total, items)}{noun}{within}"
    return f"SUCCEEDED: {plural(items or total, 'item')}{within}"


def _ending(detail: Detail) -> str:
    match outcome(detail):
        case Outcome.SUCCEEDED | None:
            return str(detail.get("status"))
        case Outcome.EXITED if (code := exit_code(detail)) is not None:
            return f"FAILED (exit code {code})"
        case ended:
            return f"FAILED ({ended})"


def _used(detail: Detail, account: Account) -> str:
    """Average vCPUs busy and peak memory, against what was asked for."""
    parts = []
    vcpus, mib = requirement(detail, "VCPU"), requirement(detail, "MEMORY")
    if account.cpu_seconds is not None and account.seconds and not is_array(detail):
        busy = f"{account.cpu_seconds / account.seconds:.1f}"
        parts.append(f"{busy} of {vcpus:g} vCPU" if vcpus else f"{busy} vCPU")
    if account.peak_memory:
        parts.append(
            f"{memory(account.peak_memory)} of {memory(mib)}" if mib else memory(account.peak_memory)
        )
    return f"used {', '.join(parts)}" if parts else ""


def cost_in_words(account: Account) -> str:
    """What it has cost, at either price."""
    return f"{dollars(account.on_demand)} on demand ({dollars(account.spot)} spot)"


def _cost_so_far(account: Account | None) -> str:
    return dollars(account.on_demand) if account and account.on_demand >= _WORTH_SAYING else ""


def _joined(parts: Sequence[str]) -> str:
    return " · ".join(part for part in parts if part)
