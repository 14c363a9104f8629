"""How a handle looks where it is the last thing of a cell: a line of text, a small table of HTML. Pure.

It is a picture of now: nothing in it moves, so it also reads on GitHub and after the kernel is gone.
A backend that does not answer must not break the display, so then the handle shows what it knows.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nbbatch.client.colours import colour_of
from nbbatch.client.format import dollars, memory
from nbbatch.client.handles.outcome import (
    Detail,
    Outcome,
    duration_in_words,
    outcome,
    requirement,
    seconds,
    short_id,
)
from nbbatch.client.moments import moment_of
from nbbatch.errors import NbbatchError

if TYPE_CHECKING:
    from nbbatch.client.handles.handle import Handle

_BADGE = "border-left:0.7em solid {colour};padding-left:0.4em"


def shown(handle: Handle) -> dict[str, str]:
    """The MIME bundle of a handle."""
    try:
        detail = handle.detail()
        cost = handle.cost()
    except NbbatchError:
        return {"text/plain": repr(handle)}
    facts = {"items": handle.packing, **_facts(detail, cost)}
    head = f"{_word(handle)} {detail['jobName']} {short_id(detail['jobId'])}"
    text = " · ".join([f"{head} {state_of(detail)}", *(value for value in facts.values() if value)])
    return {"text/plain": text, "text/html": _table(head, detail, facts)}


def state_of(detail: Detail) -> str:
    """The status, and how it failed."""
    ended = outcome(detail)
    is_plain = ended in (None, Outcome.SUCCEEDED)
    return str(detail["status"]) if is_plain else f"{detail['status']} ({ended})"


def badge(colour: str, text: str) -> str:
    """A word behind a mark in a status's colour, as HTML: it reads on any ground."""
    return f'<span style="{_BADGE.format(colour=colour)}">{html.escape(text)}</span>'


def _word(handle: Handle) -> str:
    return "array" if type(handle).__name__ == "ArrayJob" else "job"


def _facts(detail: Detail, cost: float | None) -> dict[str, str]:
    ran = seconds(detail)
    vcpus, mib = requirement(detail, "VCPU"), requirement(detail, "MEMORY")
    submitted = moment_of(detail.get("createdAt"))
    return {
        "children": _children(detail),
        "ran": "" if ran is None else duration_in_words(ran),
        "queue": f"queue {str(detail['jobQueue']).rpartition('/')[2]}",
        "asked for": f"{vcpus:g} vCPU, {memory(mib)}" if vcpus and mib else "",
        "submitted": "" if submitted is None else submitted.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
        "cost": "" if cost is None else f"{dollars(cost)} on demand",
    }


def _children(detail: Detail) -> str:
    counts = (detail.get("arrayProperties") or {}).get("statusSummary") or {}
    return ", ".join(f"{count:,} {status}" for status, count in counts.items() if count)


def _table(head: str, detail: Detail, facts: Mapping[str, str]) -> str:
    rows = "".join(
        f'<tr><td style="text-align:left">{title}</td><td style="text-align:left">{html.escape(value)}</td></tr>'
        for title, value in facts.items()
        if value
    )
    title = (
        f"<b>{html.escape(head)}</b> {badge(colour_of(detail['status'], outcome(detail)), state_of(detail))}"
    )
    return f"<div>{title}<table><tbody>{rows}</tbody></table></div>"
