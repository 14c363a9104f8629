"""How often a panel draws: quickly at first, slower the longer it goes on and while nothing changes. Pure.

Somebody who has just started a job looks at it; of one that has run for an hour, a frame every ten
seconds is as good as one every second, and costs a tenth.
"""

from __future__ import annotations

from dataclasses import dataclass

SHORTEST, LONGEST, LONGEST_QUIET = 1.0, 10.0, 60.0
"""Seconds between two frames: at first, after a while, and while nothing changes."""
_SHARE = 1 / 60
"""Part of a panel's age that may pass between two frames."""
_GROWTH = 1.5
_PATIENCE = 10
"""Frames without news before they become fewer: a clock that stands still looks like a fault."""


@dataclass(slots=True)
class Pace:
    """The pauses of one panel.

    Parameters
    ----------
    shortest : float
        Seconds between two frames at first.
    """

    shortest: float = SHORTEST
    quiet: int = 0

    def note(self, *, has_news: bool) -> None:
        """A frame was drawn; it told something new, or only the time."""
        self.quiet = 0 if has_news else self.quiet + 1

    def least(self, age: float) -> float:
        """Seconds that pass before another frame even though something happened."""
        return max(self.shortest, min(LONGEST, age * _SHARE))

    def most(self, age: float) -> float:
        """Seconds after which there is another frame though nothing seems to have happened."""
        grown: float = self.least(age) * _GROWTH ** max(0, min(self.quiet - _PATIENCE, 40))
        return min(grown, max(LONGEST_QUIET, self.shortest))
