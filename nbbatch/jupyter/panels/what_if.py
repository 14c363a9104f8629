"""`nbbatch.what_if`: a workload in worlds that a person chooses, each simulated while they look.

The simulation runs in the panel's own thread, a piece at a time, so cells run on meanwhile and the
spread grows seed by seed. What was chosen stands below as the line of `nbbatch.simulate` that says it again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nbbatch.client.handles.handle import Handle
from nbbatch.client.simulation.simulate import read_seeds, trial
from nbbatch.client.simulation.workloads import read_workload
from nbbatch.client.simulation.worlds import named_worlds, read_worlds
from nbbatch.jupyter.console import current_shell
from nbbatch.jupyter.panels.actions import Button
from nbbatch.jupyter.panels.frame import Frame
from nbbatch.jupyter.panels.panel import Panel
from nbbatch.jupyter.panels.what_if_frame import Tried, WhatIfNow, what_if_frame
from nbbatch.scheduler.figures import Figures
from nbbatch.scheduler.simulate import World
from nbbatch.scheduler.workload import Submission

_PIECE = 0.6
"""Seconds of simulating between two frames."""
_MOST = 6
"""Worlds a person has chosen that stand beside each other; the oldest goes."""
_LONGEST_CODE = 300
_SIZES = tuple(str(2**power) for power in range(1, 13))
_RATES = ("0", "0.02", "0.05", "0.1", "0.2", "0.5", "1", "2")
_KINDS = ("on demand", "Spot")
_STRATEGIES = (
    "default",
    "BEST_FIT_PROGRESSIVE",
    "BEST_FIT",
    "SPOT_CAPACITY_OPTIMIZED",
    "SPOT_PRICE_CAPACITY_OPTIMIZED",
)
_BUTTONS = (
    Button(
        name="max_vcpus",
        label="maxvCpus",
        kind="slider",
        value="64",
        choices=_SIZES,
        title="vCPUs that the environment may have",
    ),
    Button(name="kind", label="capacity", kind="choice", value=_KINDS[0], choices=_KINDS),
    Button(
        name="rate",
        label="interruptions an hour",
        title="Of each Spot host, on average",
        kind="slider",
        value="0.05",
        choices=_RATES,
    ),
    Button(name="strategy", label="strategy", kind="choice", value=_STRATEGIES[0], choices=_STRATEGIES),
    Button(name="clear", label="clear", title="Forget the worlds that were chosen here"),
)


@dataclass(slots=True, kw_only=True)
class Knobs:
    """A world as its knobs stand."""

    max_vcpus: int = 64
    kind: str = _KINDS[0]
    rate: float = 0.05
    strategy: str = _STRATEGIES[0]

    def turn(self, name: str, value: str) -> None:
        """Take what a control says."""
        match name:
            case "max_vcpus":
                self.max_vcpus = int(value)
            case "rate":
                self.rate = float(value)
            case "kind" | "strategy":
                setattr(self, name, value)

    @property
    def settings(self) -> dict[str, Any]:
        """As `nbbatch.simulate` takes them."""
        spot = {"spot": True, "interruptions_per_hour": self.rate} if self.kind == "Spot" else {}
        strategy = {} if self.strategy == _STRATEGIES[0] else {"allocation_strategy": self.strategy}
        return {"max_vcpus": self.max_vcpus, **spot, **strategy}

    @property
    def name(self) -> str:
        """What the world is called."""
        rate = f", {self.rate:g} interruptions/h" if self.kind == "Spot" and self.rate else ""
        strategy = "" if self.strategy == _STRATEGIES[0] else f", {self.strategy}"
        return f"{self.max_vcpus} {self.kind}{rate}{strategy}"


@dataclass(slots=True)
class _World:
    """A world under trial: its settings, what it is, and the figures of the seeds so far."""

    settings: Any
    place: World
    is_given: bool
    figures: list[Figures] = field(default_factory=list)


class WhatIfView:
    """What the panel of a simulation shows.

    Parameters
    ----------
    submissions : list of Submission
        The workload.
    said : str
        The workload as Python says it.
    worlds : mapping
        The worlds to begin with; they stay.
    seeds : list of int
        Of each world.
    """

    buttons = _BUTTONS

    def __init__(
        self, submissions: list[Submission], said: str, worlds: Mapping[str, Any], seeds: list[int]
    ) -> None:
        self._submissions = submissions
        self._said = said
        self._seeds = seeds
        self._knobs = Knobs()
        self._lock = threading.Lock()
        self._ring: Callable[..., None] | None = None
        self._piece: float | None = None
        self._worlds = {
            name: _World(settings, self._read(name, settings), is_given=True)
            for name, settings in worlds.items()
        }

    def hurry(self) -> None:
        """Somebody waits for the first frame: simulate later, when there is a thread for it."""
        self._piece = 0.0

    def listen(self, ring: Callable[..., None]) -> Callable[[], None]:
        """Begin to simulate: whoever listens is a thread that may take its time."""
        self._ring, self._piece = ring, _PIECE
        ring(now=True)
        return self._let_go

    def look(self) -> Frame:
        """Simulate for a while, and show what there is by then."""
        is_done = self._simulate()
        with self._lock:
            tried = [
                Tried(name=name, settings=one.settings, figures=tuple(one.figures))
                for name, one in self._worlds.items()
            ]
        if not is_done and self._ring is not None:
            self._ring(now=True)
        return what_if_frame(
            WhatIfNow(
                workload=self._said,
                jobs=sum((one.size or 1) * one.count for one in self._submissions),
                tried=tried,
                seeds=self._seeds,
            )
        )

    def act(self, name: str, values: Mapping[str, Any]) -> None:
        """Turn a knob: the world that it makes stands beside the others."""
        if name == "clear":
            with self._lock:
                self._worlds = {word: one for word, one in self._worlds.items() if one.is_given}
            return
        self._knobs.turn(name, str(values.get(name, "")))
        name, settings = self._knobs.name, self._knobs.settings
        place = self._read(name, settings)
        with self._lock:
            self._worlds.setdefault(name, _World(settings, place, is_given=False))
            chosen = [word for word, one in self._worlds.items() if not one.is_given]
            for word in chosen[:-_MOST]:
                del self._worlds[word]

    def _read(self, name: str, settings: Any) -> World:
        return read_worlds({name: settings}, (one.queue for one in self._submissions))[name]

    def _simulate(self) -> bool:
        """Seed by seed in all worlds, the first seeds first; whether all is done."""
        until = None if self._piece is None else time.monotonic() + self._piece
        while True:
            with self._lock:
                left = [one for one in self._worlds.values() if len(one.figures) < len(self._seeds)]
                one = min(left, key=lambda each: len(each.figures), default=None)
            if one is None:
                return True
            if until is not None and time.monotonic() >= until:
                return False
            one.figures.append(trial(one.place, self._submissions, self._seeds[len(one.figures)]))

    def _let_go(self) -> None:
        self._ring = self._piece = None


class WhatIfPanel(Panel):
    """The panel of a simulation: its first frame does not wait for it."""

    view: WhatIfView

    def show(self, shell: Any = None) -> None:
        """Draw it in the output of the cell that runs, and simulate in a thread."""
        self.view.hurry()
        super().show(shell)


def what_if(workload: Any, worlds: Any = None, *, seeds: int | Iterable[int] = 5) -> WhatIfPanel:
    """A panel in which worlds are tried: until when all would have ended, waits, cost, each with its spread.

    Nothing is submitted and nothing is started; see `simulate`, whose line the panel shows for what was chosen.

    Parameters
    ----------
    workload : Job, ArrayJob, DataFrame, mapping, or list of them
        As for `simulate`: what has run, or rows that say how long attempts run.
    worlds : str, list of str, or mapping, optional
        As for `simulate`; those to begin with. Without them 64 vCPUs on demand, and on Spot.
    seeds : int or iterable of int
        How many, or which.

    Returns
    -------
    WhatIfPanel
        As the last thing of a cell it draws itself, with sliders for the size of the environment and the
        rate of interruptions; where nothing can be redrawn it is a picture of the worlds given.

    Raises
    ------
    OptionError
        When workload, worlds or seeds cannot be.
    UserError
        When a job that is to be measured has not run.

    Examples
    --------
    >>> nbbatch.what_if(arr, {"now": "local", "64 Spot": {"max_vcpus": 64, "spot": True}})
    """
    begun = [Knobs(), Knobs(kind="Spot")]
    given = {one.name: one.settings for one in begun} if worlds is None else worlds
    view = WhatIfView(
        read_workload(workload), _said(workload), given and named_worlds(given), read_seeds(seeds)
    )
    return WhatIfPanel(view, figure="worlds")


def _said(workload: Any) -> str:
    """The workload in Python: its variable, else the handle's line, else itself where it is short."""
    shell = current_shell()
    names = (
        []
        if shell is None
        else [name for name, value in shell.user_ns.items() if value is workload and not name.startswith("_")]
    )
    if names:
        return str(names[0])
    if isinstance(workload, Handle):
        return f"nbbatch.job({workload.id!r}, backend={workload.backend_name!r})"
    told = repr(workload)
    return told if len(told) <= _LONGEST_CODE and "\n" not in told else "workload"
