"""The panel of an array: what it asks, which child is looked at, and what its buttons do.

What draws is imported when something is drawn: a handle is shown in many places where nothing is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nbbatch.client.arrays.array_jobs import ArrayJob
from nbbatch.client.arrays.items import label
from nbbatch.client.colours import colour_of
from nbbatch.client.handles.outcome import Detail, in_words, outcome, short_id
from nbbatch.client.jobs import Job
from nbbatch.client.logs import tail
from nbbatch.client.told import Told
from nbbatch.jupyter.panels.actions import Button
from nbbatch.jupyter.panels.frame import Frame
from nbbatch.jupyter.panels.handles import (
    CANCEL,
    TERMINATE,
    Followed,
    Ring,
    copy_button,
    cut,
    number_in,
    quietly,
    reattach_line,
    repeats,
    state_in_words,
)
from nbbatch.jupyter.story import is_array
from nbbatch.model.jobs import TERMINAL

if TYPE_CHECKING:
    from nbbatch.jupyter.panels.array_frame import Chosen

_RETRY = Button(
    name="retry", label="retry failed", title="Submit the failed items again; this panel then shows those"
)
_LINES, _LONGEST_INPUT = 12, 300
_FIRST_SILENCE, _LONGEST_SILENCE = 5.0, 60.0
"""Seconds between two questions for what children tell: longer while they tell nothing."""


class ArrayView:
    """Looks at an array for a panel: three calls at any size, and three more for a child that is looked at."""

    def __init__(self, array: ArrayJob) -> None:
        self._followed = Followed(array)
        self._child: int | None = None
        self._items: int | None = None
        self._codes: Any = None
        self._notes = _Notes()
        self._inputs: dict[int, str] = {}

    @property
    def handle(self) -> ArrayJob:
        """The array it shows: after a retry the one of the failed items."""
        return self._followed.handle

    @property
    def buttons(self) -> tuple[Button, ...]:
        """What can be done to an array."""
        size = 1 if self._codes is None else len(self._codes)
        child = Button(
            name="child", label="show child", title="Index of a child to look at", kind="number", most=size
        )
        return (CANCEL, TERMINATE, _RETRY, child, copy_button(self.handle))

    def listen(self, ring: Ring) -> Callable[[], None]:
        """The shared watcher rings."""
        return self._followed.listen(ring)

    def look(self) -> Frame:
        """Asked now: the parent, its children as columns, its account, and the chosen child."""
        from nbbatch.client.arrays.children import as_columns, read_children  # noqa: PLC0415 - see above
        from nbbatch.jupyter.figures.numbers import progress_of  # noqa: PLC0415
        from nbbatch.jupyter.panels.array_frame import ArrayNumbers, draw  # noqa: PLC0415

        array = self.handle
        detail = array.detail()
        told = as_columns({0: detail}, size=1)
        if is_array(detail):
            told = array.backend.private("children", {"jobId": array.id})
        children = read_children(told, detail, now=round(1000 * time.time()))
        self._codes = progress_of(children).codes
        if self._items is None:
            self._items = quietly(lambda: _own_items(array), None)
        return draw(
            ArrayNumbers(
                detail=detail,
                children=children,
                account=quietly(array.told_account, None),
                items=self._items,
                told=self._notes.of(array, is_over=detail["status"] in TERMINAL),
                said=self._followed.said_of(detail),
                chosen=None
                if self._child is None
                else self._look_at(self._child, is_alone=not is_array(detail)),
                reattach=reattach_line(array),
                now=time.time(),
            )
        )

    def act(self, name: str, values: Mapping[str, Any]) -> None:
        """Cancel, terminate, retry what failed, or look at a child: by its index, or where it was clicked."""
        from nbbatch.jupyter.panels.strip import layout, pick  # noqa: PLC0415 - see above

        array = self.handle
        if self._followed.stop(name):
            return
        match name:
            case "retry":
                again = array.retry_failed()
                if again is not array:
                    self._child, self._items, self._notes, self._inputs = None, None, _Notes(), {}
                    self._followed.turn_to(again, repeats(array))
            case "child":
                self._child = number_in(values, "child", len(self._codes))
            case "point":
                strip = layout(len(self._codes))
                cell = strip.children_at(float(values.get("across", 0)), float(values.get("down", 0)))
                self._child = pick(self._codes, cell)

    def _look_at(self, index: int, *, is_alone: bool) -> Chosen:
        from nbbatch.jupyter.panels.array_frame import Chosen  # noqa: PLC0415 - see above

        array = self.handle
        job = Job(array.id if is_alone else f"{array.id}:{index}", backend=array.backend_name)
        detail = quietly(job.detail, None)
        if detail is None:
            return Chosen(index=index, state="not known", colour=colour_of("PENDING"))
        return Chosen(
            index=index,
            state=state_in_words(detail),
            colour=colour_of(detail["status"], outcome(detail)),
            input=self._input_of(index),
            words=_words(job, detail),
            log=cut(quietly(lambda: tail(array.backend, detail, _LINES), "")),
        )

    def _input_of(self, index: int) -> str:
        """What a child's items are, read once."""
        if index not in self._inputs:
            self._inputs[index] = quietly(lambda: _inputs(self.handle, index), "")
        return self._inputs[index]


class _Notes:
    """What the children tell of their progress and metrics; asked more seldom while they tell nothing."""

    def __init__(self) -> None:
        self._told = Told()
        self._since: int | None = None
        self._due, self._silence = 0.0, _FIRST_SILENCE
        self._is_over = False

    def of(self, array: ArrayJob, *, is_over: bool) -> str:
        """In words."""
        now = time.monotonic()
        if not self._is_over and (now >= self._due or is_over):
            notes = quietly(lambda: array.notes(since=self._since), ())
            self._told.take(notes)
            self._since = notes[-1].time + 1 if notes else self._since
            self._silence = _FIRST_SILENCE if notes else min(2 * self._silence, _LONGEST_SILENCE)
            self._due, self._is_over = now + self._silence, is_over
        return str(self._told)


def _own_items(array: ArrayJob) -> int:
    """Items of its own children: a retry has some of the whole."""
    shape = array.reader.shape
    return sum(len(shape.positions(index)) for index in array.places)


def _inputs(array: ArrayJob, index: int) -> str:
    """The items of a child, and what each is."""
    in_bundle = next((whole for whole, own in array.places.items() if own == index), index)
    positions = array.reader.shape.positions(in_bundle)
    inputs = array.reader.all_inputs()
    named = ", ".join(label(inputs[position]) for position in positions[:4])
    which = (
        f"item {positions[0]:,}" if len(positions) == 1 else f"items {positions[0]:,} to {positions[-1]:,}"
    )
    text = f"{which}: {named}{', …' if len(positions) > 4 else ''}"  # noqa: PLR2004 - as above
    return text if len(text) <= _LONGEST_INPUT else f"{text[:_LONGEST_INPUT]}…"


def _words(job: Job, detail: Detail) -> str:
    """Why it waits, or how it ended."""
    status = detail["status"]
    if status == "RUNNING":
        return ""
    if status == "SUCCEEDED":
        return in_words(detail)
    return str(quietly(job.why, f"job {short_id(job.id)} {status}"))
