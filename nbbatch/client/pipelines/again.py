"""What a pipeline's retry runs again, and why: decided for every step before anything is submitted.

A step that did what it would do now is kept, and of an array only its failed items run again. One whose
code or inputs are others by now runs whole, and so does all behind it, as `make` would have it. Whether
they are others is told by a digest that every job carries; options (image, memory, queue) are no part of
it: those of now hold for whatever runs again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nbbatch.client.arrays.array_jobs import ArrayJob
from nbbatch.client.arrays.indexes import environment_of
from nbbatch.client.handles.outcome import Detail, Outcome, outcome
from nbbatch.client.packing.digest import CONTENT_VARIABLE
from nbbatch.client.pipelines.steps import Step
from nbbatch.client.submission import content_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What happens to one step.

    Parameters
    ----------
    why : str
        In words.
    array : ArrayJob or None
        The array of which only failed items run again.
    is_kept : bool
        Nothing of it runs again.
    """

    why: str
    array: ArrayJob | None = None
    is_kept: bool = False

    def __str__(self) -> str:
        return f"{'kept' if self.is_kept else 'whole' if self.array is None else 'failed items'}, {self.why}"


def decide(
    steps: Sequence[Step], details: Mapping[str, Detail], submit: Callable[[Step], object]
) -> dict[str, Again]:
    """What becomes of each step, by name.

    Parameters
    ----------
    steps : sequence of Step
        In an order in which they can be submitted.
    details : mapping
        DescribeJobs' answers about those that were submitted, by name.
    submit : callable
        Submits a step; called only to see what it would send.
    """
    found: dict[str, Again] = {}
    for step in steps:
        before = [name for name in step.after if name in found and not found[name].is_kept]
        found[step.name] = _decide(step, details.get(step.name, {}), before, submit)
    return found


def _decide(step: Step, detail: Detail, before: Sequence[str], submit: Callable[[Step], object]) -> Again:
    if step.kind == "job":
        return Again(why="it was submitted elsewhere", is_kept=True)
    has_run = bool(detail) and outcome(detail) is not Outcome.DEPENDENCY_FAILED
    if before or not has_run:
        return Again(why=f"it waits for {', '.join(before)}" if has_run else "it never ran")
    if _has_changed(step, detail, submit):
        return Again(why="its code or inputs have changed")
    if detail["status"] != "FAILED":
        return Again(why="it succeeded", is_kept=True)
    items = step.job.to_repeat() if isinstance(step.job, ArrayJob) else 0
    return Again(why=f"{items} of {len(step.job)}", array=step.job) if items else Again(why="it failed")


def _has_changed(step: Step, detail: Detail, submit: Callable[[Step], object]) -> bool:
    """Whether it would not do the same now; of what carries no digest nobody can tell."""
    then = environment_of(detail).get(CONTENT_VARIABLE)
    if not then:
        return False
    chunk = step.job.reader.shape.chunk if isinstance(step.job, ArrayJob) else None
    now = content_of(lambda: submit(step), chunk=chunk)
    return bool(now) and now != then
