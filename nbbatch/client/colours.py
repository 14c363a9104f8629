"""One colour for each status and each way to fail, the same in every table and figure. Pure.

Nobody else names a colour. All of them have a contrast of 3:1 on JupyterLab's light and dark grounds
(WCAG 2.1, "Non-text Contrast") and stay apart for people who do not tell red from green; the tests
compute both. They were found by a search for the largest distances under both conditions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nbbatch.client.handles.outcome import Outcome
from nbbatch.model.jobs import JobStatus


@dataclass(frozen=True, slots=True)
class Kind:
    """What a mark in a figure is: its colour, and its name in the legend."""

    name: str
    colour: str


KINDS: Mapping[JobStatus | Outcome, Kind] = {
    JobStatus.SUBMITTED: Kind("SUBMITTED", "#7b6fb4"),
    JobStatus.PENDING: Kind("PENDING", "#5f6a7d"),
    JobStatus.RUNNABLE: Kind("RUNNABLE", "#9294a7"),
    JobStatus.STARTING: Kind("STARTING", "#3a9be0"),
    JobStatus.RUNNING: Kind("RUNNING", "#265cbf"),
    JobStatus.SUCCEEDED: Kind("SUCCEEDED", "#279e66"),
    Outcome.EXITED: Kind("FAILED", "#c34108"),
    Outcome.TIMED_OUT: Kind("timed out", "#b37617"),
    Outcome.OUT_OF_MEMORY: Kind("out of memory", "#c8318d"),
    Outcome.CANCELLED: Kind("cancelled", "#6a5e53"),
    Outcome.TERMINATED: Kind("terminated", "#896e52"),
    Outcome.HOST_LOST: Kind("host lost", "#b79000"),
    Outcome.DEPENDENCY_FAILED: Kind("dependency failed", "#8766e0"),
    Outcome.COULD_NOT_START: Kind("could not start", "#b03327"),
}
"""In the order of a job's life; FAILED is what ended by itself, the others tell how else it failed."""


_NOT_YET = KINDS[JobStatus.SUBMITTED].colour


def colour_of(status: str, ended: Outcome | None = None) -> str:
    """The colour of a status, of a failed job's by how it ended; as SUBMITTED where it has none yet."""
    known = ended if ended in KINDS else Outcome.EXITED if status == JobStatus.FAILED else status
    return next((kind.colour for word, kind in KINDS.items() if word == known), _NOT_YET)
