"""The story of a cell with a panel in the place of its status line."""

from __future__ import annotations

from nbbatch.client.arrays.array_jobs import ArrayJob
from nbbatch.client.jobs import Job
from nbbatch.jupyter.console import Console, DisplayConsole
from nbbatch.jupyter.panels.open import panel_below
from nbbatch.jupyter.panels.panel import Panel


class PanelConsole:
    """A console whose status is a panel.

    Parameters
    ----------
    told : DisplayConsole
        Where the receipt was told, and where the final line will be, below the panel.
    panel : Panel
        Shown by the first status.
    """

    def __init__(self, told: DisplayConsole, panel: Panel) -> None:
        self._told = told
        self._panel = panel
        self._is_shown = False

    def line(self, text: str) -> None:
        """Above the panel before it is shown, below it afterwards."""
        self._told.line(text)

    def status(self, text: str, phase: object) -> None:  # noqa: ARG002 - the panel says it, and is rung itself
        """The panel, which looks for itself from here on."""
        if not self._is_shown:
            self._is_shown = True
            self._panel.show()
            self._told.begin()

    def settle(self, text: str) -> None:
        """The panel's last frame, before the cell goes on."""
        self.status(text, None)
        self._panel.settle()

    def log(self, text: str) -> None:
        """As the cell's output."""
        self._told.log(text)

    def tell_again(self) -> None:
        """All lines, then the panel below them."""
        self._told.tell_again()
        self._panel.show()
        self._told.begin()


def with_panel(console: Console, job: Job | ArrayJob, *, wanted: bool | None) -> Console:
    """The console with a panel of the job, where displays can be redrawn and one is wanted.

    Parameters
    ----------
    console : Console
        The cell's.
    job : Job or ArrayJob
        What it waits for.
    wanted : bool or None
        None: an array has one, a single job its status line.
    """
    is_wanted = isinstance(job, ArrayJob) if wanted is None else wanted
    if not is_wanted or job.is_cached or not isinstance(console, DisplayConsole):
        return console
    return PanelConsole(console, panel_below(job))
