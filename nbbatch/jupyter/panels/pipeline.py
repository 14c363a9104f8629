"""The panel of a pipeline: its picture with the state of every step, kept up to date while it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nbbatch.client.colours import colour_of
from nbbatch.client.pipelines.graph import Node, as_svg, as_text
from nbbatch.client.pipelines.pipeline import Pipeline
from nbbatch.jupyter.panels.actions import Button
from nbbatch.jupyter.panels.frame import Frame
from nbbatch.jupyter.panels.handles import Ring
from nbbatch.jupyter.panels.parts import note, page
from nbbatch.model.jobs import TERMINAL

_CANCEL = Button(name="cancel", label="cancel", title="Stop what runs, and take back what waits")
_RETRY = Button(
    name="retry", label="retry", title="Run again what failed, what never ran, and what would not do the same"
)
_INKS = {"#fff": "--jp-layout-color1", "#212121": "--jp-ui-font-color1", "#424242": "--jp-ui-font-color2"}
"""Those of the picture, which alone is one on white, and what stands for them in a page of JupyterLab."""
_GOING = ("RUNNING", "STARTING", "RUNNABLE", "PENDING", "SUBMITTED")
"""Statuses of steps in the order in which one of them is that of the whole."""


class PipelineView:
    """Looks at a pipeline for a panel: one call for all of its steps."""

    buttons = (_CANCEL, _RETRY)

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._ring: Ring | None = None
        self._watches: dict[str, Any] = {}

    def look(self) -> Frame:
        """Asked now."""
        self._watch()
        return draw(self._pipeline.name, self._pipeline.nodes(), self._pipeline.retried)

    def listen(self, ring: Ring) -> Callable[[], None]:
        """The shared watcher rings for every step that was submitted, also by a later `run()`."""
        self._ring = ring
        self._watch()
        return self._let_go

    def act(self, name: str, _values: Mapping[str, Any]) -> None:
        """Cancel all of it, or run again what failed."""
        match name:
            case "cancel":
                self._pipeline.cancel("Cancelled with a button of its panel")
            case "retry":
                self._pipeline.retry()

    def _watch(self) -> None:
        ring = self._ring
        if ring is None:
            return
        for job in [step.job for step in self._pipeline if step.job is not None]:
            if job.id not in self._watches:
                self._watches[job.id] = job.on_change(lambda _: ring())

    def _let_go(self) -> None:
        self._ring = None
        for watch in self._watches.values():
            watch.close()
        self._watches.clear()


def draw(name: str, nodes: Sequence[Node], retried: Mapping[str, str]) -> Frame:
    """A frame of a pipeline. Pure."""
    status, ended = _status(nodes), [node for node in nodes if node.status in TERMINAL]
    is_going = any(node.status and node.status not in TERMINAL for node in nodes)
    counts = Counter(node.status for node in nodes if node.status)
    told = ", ".join(f"{count} {word}" for word, count in counts.items())
    can_retry = not is_going and any(node.status == "FAILED" for node in nodes)
    return Frame(
        lines=(f"pipeline {name} {status or 'not submitted'}", *as_text(nodes, retried).splitlines()),
        html=page(
            f"pipeline {name}",
            f'<div style="overflow-x:auto">{_in_page(as_svg(nodes, retried))}</div>'
            if nodes
            else note("it has no steps yet"),
            colour=colour_of(status or "SUBMITTED"),
            state=status or "not submitted",
            aside=told,
        ),
        state=(tuple((node.name, node.status, node.state) for node in nodes), tuple(retried.items())),
        is_last=bool(nodes) and len(ended) == len(nodes),
        disabled=frozenset({*(() if is_going else ("cancel",)), *(() if can_retry else ("retry",))}),
    )


def _in_page(svg: str) -> str:
    """In the theme's own inks; it is scrolled where the page is narrow, and not made too small to be read."""
    for ink, variable in _INKS.items():
        svg = svg.replace(f'fill="{ink}"', f'fill="var({variable},{ink})"')
    return svg.replace("max-width:100%;", "max-width:none;", 1)


def _status(nodes: Sequence[Node]) -> str:
    """Of the whole: what goes on, else whether all went well; empty before it was submitted."""
    known = {node.status for node in nodes} - {""}
    going = next((status for status in _GOING if status in known), "")
    return going or ("FAILED" if "FAILED" in known else "SUCCEEDED" if known else "")
